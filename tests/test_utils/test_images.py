"""What image files give, and what those say that give nothing: the table of docs/inference.md."""

import io
import os
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.utils import images
from sr4ir_mm.utils.images import ImageError, list_images, make_writable, read_image, unique_names

RGB = np.random.RandomState(0).randint(0, 256, (6, 8, 3), dtype=np.uint8)


def encode(image, kind='PNG', **kwargs):
    buffer = io.BytesIO()
    image.save(buffer, kind, **kwargs)
    return buffer.getvalue()


def header(width, height):
    """The start of a PNG that claims a size."""
    chunk = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + struct.pack('>I', zlib.crc32(chunk)) + b'\0\0\1\0IDAT'


def test_rgb_and_grey():
    assert np.array_equal(read_image(encode(Image.fromarray(RGB))), RGB)
    grey = RGB[..., 0]
    assert np.array_equal(read_image(encode(Image.fromarray(grey))), np.stack([grey] * 3, -1))


def test_transparent_parts_are_white():
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:3] = 255
    expected = RGB.copy()
    expected[3:] = 255
    assert np.array_equal(read_image(encode(Image.fromarray(np.dstack([RGB, alpha])))), expected)
    grey = Image.fromarray(np.dstack([RGB[..., 0], alpha]), 'LA')
    assert np.array_equal(read_image(encode(grey))[3:], expected[3:])
    assert np.array_equal(read_image(encode(grey))[:3, :, 1], RGB[:3, :, 0])


def test_sixteen_bits_are_rounded_to_eight():
    values = np.array([[0, 128, 129, 257 * 100, 65535]], np.uint16)
    assert read_image(encode(Image.fromarray(values)))[0, :, 0].tolist() == [0, 0, 1, 100, 255]


def test_cmyk():
    cyan = Image.new('CMYK', (8, 8), (255, 0, 0, 0))
    assert np.abs(read_image(encode(cyan, 'TIFF')).astype(int) - [0, 255, 255]).max() == 0
    assert np.abs(read_image(encode(cyan, 'JPEG')).astype(int) - [0, 255, 255]).max() <= 3


def test_exif_turns_the_image():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be shown by a quarter turn clockwise
    turned = read_image(encode(Image.fromarray(RGB), 'PNG', exif=exif))
    assert np.array_equal(turned, np.rot90(RGB, -1))


def test_an_animation_gives_its_first_picture(monkeypatch):
    said = []
    monkeypatch.setattr(images, 'print_log', lambda text, *args: said.append(text))
    frames = [Image.new('RGB', (8, 6), color) for color in ('red', 'blue')]
    gif = encode(frames[0], 'GIF', save_all=True, append_images=frames[1:])
    assert np.array_equal(read_image(gif), np.broadcast_to(np.uint8([255, 0, 0]), (6, 8, 3)))
    assert said == ['the file that was sent has 2 pictures; the first is used.']


def test_one_pixel():
    assert read_image(encode(Image.new('RGB', (1, 1), (1, 2, 3)))).tolist() == [[[1, 2, 3]]]


def test_arrays_are_bgr():
    assert np.array_equal(read_image(RGB[..., ::-1]), RGB)
    with pytest.raises(ImageError, match=r'An array is float64 of shape \(6, 8, 3\); allowed: uint8'):
        read_image(RGB / 255)


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'is empty'),
        (b'words', 'is not an image'),
        (encode(Image.fromarray(RGB.repeat(40, 0).repeat(40, 1)), 'JPEG')[:2000], 'is damaged or cut off'),
        (header(20000, 20000), 'more pixels than Pillow decodes'),
        (header(12000, 12000), r'has 12000×12000 pixels, more than the 100 million that are allowed'),
        (encode(Image.fromarray(np.full((4, 4), 0.5, np.float32)), 'TIFF'), 'floating-point pixels'),
        (encode(Image.fromarray(np.full((4, 4), 70000, np.int32)), 'TIFF'), 'pixels from 70000 to 70000'),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    path = tmp_path / 'bad.png'
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f'bad.png.*{message}'):
        read_image(str(path))


def test_what_is_not_there(tmp_path):
    with pytest.raises(ImageError, match='no.png does not exist'):
        read_image('no.png')
    with pytest.raises(ImageError, match='is a folder'):
        read_image(tmp_path)
    with pytest.raises(ImageError, match=r'folder .* has no images'):
        list_images(str(tmp_path))
    with pytest.raises(ImageError, match=r'http://127.0.0.1:9/a.png cannot be read'):
        read_image('http://127.0.0.1:9/a.png')


@pytest.fixture
def server():
    """A web server of this machine: paths and what it answers with."""
    content = {'/folder/photo.png?size=1': encode(Image.fromarray(RGB)), '/words.png': b'words', '/empty.png': b''}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in content else 404)
            self.end_headers()
            self.wfile.write(content.get(self.path, b''))

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_port}'
        running.shutdown()


def test_an_image_from_the_web(server):
    assert np.array_equal(read_image(f'{server}/folder/photo.png?size=1'), RGB)
    for path, message in (
        ('words.png', 'is not an image'),
        ('empty.png', 'is empty'),
        ('no.png', 'cannot be read .*404'),
    ):
        with pytest.raises(ImageError, match=f'{server}/{path} {message}'):
            read_image(f'{server}/{path}')


def test_a_list_of_everything(tmp_path):
    for name in ('b.png', 'a.JPG', 'notes.txt'):
        (tmp_path / name).touch()
    found = list_images([str(tmp_path), RGB, 'http://host/c.png'])
    assert [os.path.basename(path) for path in found[:2]] == ['a.JPG', 'b.png']
    assert found[2] is RGB and found[3] == 'http://host/c.png'


def test_what_cannot_be_read_does_not_hide_the_rest(tmp_path):
    (tmp_path / 'loop.png').symlink_to(tmp_path / 'loop.png')
    (tmp_path / 'lost.png').symlink_to(tmp_path / 'nowhere')
    os.mkfifo(tmp_path / 'pipe.png')  # reading it would wait for ever
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'good.png').write_bytes(encode(Image.fromarray(RGB)))
    paths = list_images(str(tmp_path))
    assert [os.path.basename(path) for path in paths] == ['good.png', 'loop.png', 'lost.png', 'pipe.png']
    assert read_image(paths[0]).shape == RGB.shape
    for path, why in zip(paths[1:], ('is a broken link', 'is a broken link', 'is not a file')):
        with pytest.raises(ImageError, match=why):
            read_image(path)


def test_skipped_files_are_told_in_one_line(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(images, 'print_log', lambda line, *args, **kwargs: lines.append(line))
    for name in ('a.png', 'b.heic', 'c.svg', '.hidden', *(f'{index}.txt' for index in range(9))):
        (tmp_path / name).touch()
    list_images(str(tmp_path))
    assert (
        len(lines) == 1
        and lines[0].startswith('11 files in')
        and lines[0].endswith('0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 6 more.')
    )
    (tmp_path / 'a.png').unlink()
    for index in range(9):
        (tmp_path / f'{index}.txt').unlink()
    with pytest.raises(ImageError, match='has no images.*it has: b.heic, c.svg'):
        list_images(str(tmp_path))


def test_names_are_told_apart():
    assert unique_names(['x/a.png', 'x/a.jpg', 'y/a.png', 'http://host/b.png?size=1', RGB]) == [
        'a',
        'a.jpg',
        'a.png',
        'b',
        '000004',
    ]


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='The output folder .*file/out cannot be written to'):
        make_writable(tmp_path / 'file' / 'out')
