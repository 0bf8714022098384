"""Write VOC annotations as COCO JSON: ``python tools/dataset_converters/voc_to_coco.py
data/VOCdevkit/VOC2012``.

For tools that read COCO only; training and testing here need no conversion, as ``sr4ir_mm.VOCDetectionDataset`` reads
the XML files and finds the same boxes. As in SR4IR every object becomes an ordinary one, also one that VOC marks as
difficult; the mark is kept as ``difficult``. Categories are numbered from 1 in the order of the classes.
"""

import argparse
import contextlib
import io
import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

from PIL import Image
from pycocotools.coco import COCO

CLASSES = (
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)


def read_box(node, width, height):
    """Return [x, y, w, h] in pixels from 0, cut at the image border.

    VOC counts pixels from 1, the last one included. Some of its files have fractions of a pixel; as published, they are
    cut off.
    """
    left, top, right, bottom = (int(float(node.findtext(f'bndbox/{key}'))) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
    left, top = max(left - 1, 0), max(top - 1, 0)
    right, bottom = min(right, width), min(bottom, height)
    return [left, top, right - left, bottom - top]


def convert(root, split, classes):
    """Return the COCO dict of one split, and the names of files with a box that has no area and is left out.

    Args:
        root: Folder with ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``.
        split: Name of the list in ``ImageSets/Main``.
        classes: Names in the order of their labels.

    Raises:
        ValueError: A file contradicts another one; the message names it.
    """
    names = [
        line.split()[0] for line in (root / f'ImageSets/Main/{split}.txt').read_text().splitlines() if line.strip()
    ]
    images, annotations, empty = [], [], []
    for image_id, name in enumerate(names, 1):
        path = root / f'JPEGImages/{name}.jpg'
        with Image.open(path) as image:
            width, height = image.size
        xml = root / f'Annotations/{name}.xml'
        try:
            tree = ET.parse(xml)
        except ET.ParseError as error:
            raise ValueError(f'{xml} cannot be read as XML: {error}.') from error
        stated = tuple(int(tree.findtext(f'size/{key}', '0')) for key in ('width', 'height'))
        if stated != (width, height):
            raise ValueError(
                f'{xml} says that the image has {stated[0]}×{stated[1]} pixels, ' f'but {path} has {width}×{height}.'
            )
        images.append(dict(id=image_id, file_name=path.name, width=width, height=height))
        for node in tree.findall('object'):
            label = node.findtext('name')
            if label not in classes:
                raise ValueError(
                    f'{xml} has an object of the class {label!r}; allowed, by --classes: ' f'{", ".join(classes)}.'
                )
            box = read_box(node, width, height)
            if min(box[2:]) <= 0:
                empty.append(xml.name)
                continue
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=classes.index(label) + 1,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=0,
                    difficult=int(node.findtext('difficult', '0')),
                )
            )
    categories = [dict(id=index, name=name) for index, name in enumerate(classes, 1)]
    return dict(images=images, annotations=annotations, categories=categories), empty


def verify(path, wanted):
    """Read a file as COCO's own library does and compare it with what was meant to be written.

    Raises:
        ValueError: It is not the same, or a box is outside of its image.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    for key, found in (('images', coco.imgs), ('annotations', coco.anns), ('categories', coco.cats)):
        if list(found.values()) != wanted[key]:
            raise ValueError(f'{path} was written, but its {key} differ from those of the XML files; try again.')
    for annotation in coco.anns.values():
        image, (left, top, width, height) = coco.imgs[annotation['image_id']], annotation['bbox']
        if left < 0 or top < 0 or left + width > image['width'] or top + height > image['height']:
            raise ValueError(f"{path} has a box outside of the image {image['file_name']}.")


def main(argv=None):
    """Command line entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='folder with Annotations, JPEGImages and ImageSets/Main')
    parser.add_argument(
        '--splits',
        nargs='+',
        default=['train', 'val'],
        metavar='NAME',
        help='lists in ImageSets/Main (default: train val)',
    )
    parser.add_argument('--classes', nargs='+', default=CLASSES, metavar='NAME', help="default: VOC's 20 classes")
    parser.add_argument('--out', type=Path, help='folder of the JSON files (default: ROOT/annotations)')
    args = parser.parse_args(argv)
    out = args.out or args.root / 'annotations'
    try:
        for split in args.splits:
            content, empty = convert(args.root, split, list(args.classes))
            out.mkdir(parents=True, exist_ok=True)
            path = out / f'{split}.json'
            # the name is given last: what has it is complete and verified
            draft = path.with_name(path.name + '.tmp')
            draft.write_text(json.dumps(content))
            verify(draft, content)
            os.replace(draft, path)
            print(
                f'{path}: {len(content["images"])} images, {len(content["annotations"])} objects, of which '
                f'{sum(annotation["difficult"] for annotation in content["annotations"])} are difficult'
            )
            if empty:
                print(f'Left out, boxes without area: {len(empty)}, in {", ".join(sorted(set(empty))[:10])}')
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
