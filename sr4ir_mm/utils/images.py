"""Image files of any kind in, RGB arrays out; and the way back."""

import io
import os
import os.path as osp
import warnings
from pathlib import Path
from typing import List, Optional, Sequence, Union

import numpy as np
from mmengine.fileio import get, get_file_backend
from mmengine.logging import print_log
from PIL import Image, ImageOps, UnidentifiedImageError

from sr4ir_mm.errors import ConfigError, some

#: what is taken for an image in a folder
SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm', '.gif', '.jp2')
#: larger images are refused: they would fill the memory. Pillow has a limit of its own, twice 89 million.
MAX_PIXELS = 100_000_000


class ImageError(ConfigError):
    """An image that cannot be read or used, told in one sentence."""


def list_images(inputs: Union[str, Path, np.ndarray, Sequence]) -> list:
    """One entry for each image.

    Args:
        inputs: Path, URL or array of one image; a folder, whose files with the suffix of an image are taken, in order
            of their names; or a list of all these.

    Raises:
        ImageError: A path that does not exist, or a folder without images.
    """
    if isinstance(inputs, (list, tuple)):
        return [image for one in inputs for image in list_images(one)]
    if not isinstance(inputs, (str, Path)) or '://' in str(inputs):
        return [inputs]
    path = str(inputs)
    if not osp.isdir(path):
        return [path]
    try:
        # links that lead nowhere are taken too: reading them tells why
        found = sorted(name for name in os.listdir(path) if name[0] != '.' and not osp.isdir(osp.join(path, name)))
    except OSError as error:
        raise ImageError(f'The folder {path} cannot be read ({error.strerror}).') from error
    names = [name for name in found if name.lower().endswith(SUFFIXES)]
    skipped = [name for name in found if name not in names]
    if not names:
        raise ImageError(
            f'The folder {path} has no images; looked for: {", ".join(SUFFIXES)}'
            + (f'; it has: {_some_names(skipped)}.' if skipped else '.')
        )
    if skipped:
        print_log(
            f'{len(skipped)} files in {path} are skipped because of their suffix: ' f'{_some_names(skipped)}.',
            'current',
        )
    return [osp.join(path, name) for name in names]


def _some_names(names: Sequence[str], count: int = 5) -> str:
    return some(names, count) + (f' and {len(names) - count} more' if len(names) > count else '')


def read_image(
    source: Union[str, Path, bytes, np.ndarray], max_pixels: int = MAX_PIXELS, max_side: Optional[int] = None
) -> np.ndarray:
    """Read an image as an eye would see it.

    Args:
        source: Path or URL; the bytes of a file; or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, BGR as
            OpenCV and OpenMMLab have it.
        max_pixels: Images with more are refused before they are decoded.
        max_side: So are images that are wider or higher, in pixels; None: of any shape.

    Returns:
        (H, W, 3), uint8, RGB. Turned as its EXIF data say; grey repeated; CMYK converted; 16 bits rounded to 8;
        transparent parts on white; of an animation the first picture.

    Raises:
        ImageError: Nothing there, no image, damaged, too large, or numbers that are no colors.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = 'the file that was sent' if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _load(name)
    if not data:
        raise ImageError(f'{name} is empty (0 bytes).')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            width, height = image.size
            if width * height > max_pixels:
                raise ImageError(
                    f'{name} has {width}×{height} pixels, more than the {max_pixels / 1e6:g} million that '
                    'are allowed; cut it into pieces.'
                )
            if max_side is not None and max(width, height) > max_side:
                raise ImageError(
                    f'{name} has {width}×{height} pixels, more than the {max_side} that are allowed on a '
                    'side; cut it into pieces.'
                )
            pictures = getattr(image, 'n_frames', 1)
            if pictures > 1:
                print_log(f'{name} has {pictures} pictures; the first is used.', 'current')
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image, name)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f'{name} has more pixels than Pillow decodes ({error}); cut it into pieces.') from error
    except UnidentifiedImageError as error:
        raise ImageError(f'{name} is not an image that Pillow can read.') from error
    except Exception as error:  # decoders raise all sorts of errors at damaged files
        raise ImageError(f'{name} is damaged or cut off ({str(error).strip() or type(error).__name__}).') from error


def _load(name: str) -> bytes:
    if '://' not in name and not osp.isfile(name):
        raise ImageError(f'{name} ' + _why_no_file(name))
    try:
        get_file_backend(name)
        return get(name)
    except Exception as error:  # each backend has its own
        raise ImageError(f'{name} cannot be read ({str(error).strip() or type(error).__name__}).') from error


def _why_no_file(name: str) -> str:
    if osp.isdir(name):
        return 'is a folder.'
    if osp.islink(name):
        return 'is a broken link.'
    return 'is not a file.' if osp.exists(name) else 'does not exist.'


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise ImageError(
            f'An array is {array.dtype} of shape {array.shape}; allowed: uint8, (H, W), (H, W, 1), '
            '(H, W, 3) or (H, W, 4), BGR.'
        )
    if array.shape[2] == 1:
        return array.repeat(3, axis=2)
    if array.shape[2] == 4:
        return _to_rgb(Image.fromarray(np.ascontiguousarray(array[..., [2, 1, 0, 3]])), 'The array')
    return np.ascontiguousarray(array[..., ::-1])


def _to_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode == 'F':
        raise ImageError(f'{name} has floating-point pixels, whose white is unknown; save it with 8 or 16 bits.')
    if image.mode.startswith('I'):  # 16 bits, or 32 of which 16 are used
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(f'{name} has pixels from {values.min()} to {values.max()}; allowed: 8 or 16 bits.')
        return ((values + 128) // 257).astype(np.uint8)[..., None].repeat(3, axis=2)
    if image.mode in ('RGBA', 'LA', 'PA', 'RGBa', 'La') or 'transparency' in image.info:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    return np.array(image.convert('RGB'))


def to_uint8(image) -> np.ndarray:
    """From a tensor (3, H, W), RGB in [0, 1], to an array (H, W, 3), 8 bits; values outside are clamped."""
    return (image.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def write_image(path: Union[str, Path], image: np.ndarray) -> None:
    """Write a PNG.

    Args:
        path: Where; the folder exists.
        image: (H, W, 3), uint8, RGB.
    """
    Image.fromarray(np.ascontiguousarray(image)).save(path, format='PNG')


def write_label_map(path: Union[str, Path], labels: np.ndarray, palette: Sequence[Sequence[int]]) -> None:
    """Write a PNG whose pixels are class indices, shown in the colors of a palette.

    Args:
        path: Where; the folder exists.
        labels: (H, W), uint8.
        palette: RGB, 0 to 255, of each class.
    """
    image = Image.fromarray(labels)
    image.putpalette(np.asarray(palette, np.uint8)[:256].flatten().tolist())
    image.save(path, format='PNG')


def with_palette(classes: Sequence[str], palette: Optional[Sequence[Sequence[int]]]) -> dict:
    """Names and colors of classes, as the visualizers want them: RGB tuples, of our own choice where there are none."""
    if not palette or len(palette) != len(classes):
        from matplotlib import colormaps

        colors = (colormaps['tab20'](np.arange(len(classes)) % 20)[:, :3] * 255).round().astype(int).tolist()
    else:
        colors = palette
    return dict(classes=tuple(classes), palette=[tuple(color) for color in colors])


def make_writable(folder: Union[str, Path]) -> Path:
    """Make a folder, and try whether a file can be written there.

    Raises:
        ConfigError: It cannot.
    """
    folder = Path(folder)
    probe = folder / f'.writable-{os.getpid()}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f'The output folder {folder} cannot be written to ({error.strerror}).') from error
    return folder


def unique_names(sources: Sequence) -> List[str]:
    """A name for the results of each image: that of its file, told apart where two have the same."""
    names, taken = [], set()
    for index, source in enumerate(sources):
        name = osp.basename(str(source).split('?')[0]) if isinstance(source, (str, Path)) else f'{index:06d}.png'
        stem = osp.splitext(name)[0] or f'{index:06d}'
        for candidate in (stem, name, f'{stem}_{index}'):
            if candidate not in taken:
                break
        taken.add(candidate)
        names.append(candidate)
    return names
