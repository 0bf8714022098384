import json
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local
from PIL import Image

from sr4ir_mm.apis import CascadeInferencer
from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.utils.images import ImageError
from tests.helpers.builders import inference_cfg, save_checkpoint
from tests.test_utils.test_images import header


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch executed',)


def image(height=12, width=16, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3), dtype=np.uint8)


def by_hand(cascade, lr):
    """Restorer and recognizer one after the other: sr (1, 3, H, W) and the recognizer's input."""
    lr = torch.from_numpy(lr.copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        sr = cascade.restorer(lr)
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    return sr, (sr * 255 - mean[:, None, None]) / std[:, None, None]


def test_segmentation_of_a_low_resolution_image(inferencer):
    run = inferencer()
    rgb = image()
    out = run(rgb[..., ::-1])
    sr, normalized = by_hand(run.model, rgb)
    assert np.array_equal(out['sr'][0], (sr[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
    with torch.no_grad():
        logits = run.model.recognizer.decode_head(run.model.recognizer.backbone(normalized))
    labels = F.interpolate(logits, size=(48, 64), mode='bilinear').argmax(1)[0].numpy()
    prediction = out['predictions'][0]
    assert np.array_equal(prediction['sem_seg'], labels)
    assert prediction['area'] == {'abcd'[index]: (labels == index).mean() for index in np.unique(labels)}
    # at the low-resolution image each pixel has the label at its middle
    low = run(rgb[..., ::-1], coordinates='lr')['predictions'][0]['sem_seg']
    assert np.array_equal(low, labels[2::4, 2::4])


def test_classification(inferencer):
    run = inferencer('classification')
    rgb = image()
    prediction = run(rgb[..., ::-1])['predictions'][0]
    sr, normalized = by_hand(run.model, rgb)
    with torch.no_grad():
        net = run.model.recognizer
        scores = net.head.fc(net.backbone(normalized)[0].mean((2, 3))).softmax(1)[0]
    assert prediction['pred_scores'] == pytest.approx(scores.tolist(), abs=1e-5)
    assert prediction['pred_class'] == 'abcd'[scores.argmax()]
    assert prediction['pred_score'] == pytest.approx(scores.max().item(), abs=1e-5)


def test_detection_at_a_size_that_the_detector_pads(inferencer):
    run = inferencer('detection')
    bgr = image(10, 14)[..., ::-1]
    high = run(bgr)['predictions'][0]
    low = run(bgr, coordinates='lr')['predictions'][0]
    boxes = np.array(high['bboxes'])
    assert len(boxes) == 5 and boxes.min() >= 0 and (boxes <= [56, 40, 56, 40]).all()
    assert np.allclose(boxes / 4, low['bboxes']) and high['scores'] == low['scores']


@pytest.mark.parametrize('task', ['segmentation', 'detection', 'classification'])
def test_a_clean_image_equals_what_a_test_does(inferencer, task):
    run = inferencer(task)
    rgb = image(34, 45)  # no multiple of the scale, nor of the detector's 32
    (result,) = run.stream(rgb[..., ::-1].copy(), degrade=True)
    assert result.lr.shape == (9, 12, 3) and result.sr.shape == (34, 45, 3)
    assert np.array_equal(result.hr, rgb)
    packed = run.pipeline(
        dict(img=np.ascontiguousarray(rgb[..., ::-1]), img_path='', img_shape=(34, 45), ori_shape=(34, 45))
    )
    with torch.no_grad():
        expected = run.model.test_step(run.collate_fn([packed]))[0]
    assert torch.allclose(result.data_sample.sr, expected.sr, atol=1e-6)
    for key in ('pred_sem_seg', 'pred_instances', 'pred_score'):
        if key in expected:
            found, wanted = result.data_sample.get(key), expected.get(key)
            found, wanted = (
                getattr(value, 'data', value) if key != 'pred_instances' else value.bboxes for value in (found, wanted)
            )
            assert torch.allclose(found.float(), wanted.float(), atol=1e-4)


def test_batches_and_tiles_change_nothing(inferencer):
    run = inferencer()
    images = [image(seed=seed) for seed in range(3)] + [image(20, 11)]
    alone = [run(one)['sr'][0] for one in images]
    together = run(images, batch_size=2, tile=8, overlap=8)['sr']
    for one, other in zip(alone, together):
        assert np.abs(one.astype(int) - other).max() <= 1
    sizes = []
    run.model.restorer.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    run(images, batch_size=2)
    assert sizes == [2, 1, 1]  # the third has no partner of its size


def test_pieces_of_a_restorer_with_windows(tmp_path):
    """The last piece, of two pixels, is less than a window, and no overlap is asked for."""
    restorer = dict(
        type='mmagic.SwinIRNet',
        upscale=4,
        in_chans=3,
        img_size=8,
        window_size=8,
        depths=[2],
        embed_dim=8,
        num_heads=[2],
        mlp_ratio=2,
        upsampler='pixelshuffle',
        resi_connection='1conv',
    )
    cfg = inference_cfg(restorer=restorer)
    run = CascadeInferencer(cfg, save_checkpoint(cfg, tmp_path / 'swinir.pth'), 'cpu', show_progress=False)
    whole = run(image(10, 18), tile=None)['sr'][0].astype(int)
    assert np.abs(run(image(10, 18), tile=16, overlap=24)['sr'][0] - whole).max() <= 1
    assert run(image(10, 18), tile=16, overlap=0)['sr'][0].shape == whole.shape


def test_one_pixel(inferencer):
    assert inferencer()(image(1, 1))['predictions'][0]['sem_seg'].shape == (4, 4)


def test_files(inferencer, tmp_path):
    run = inferencer()
    (tmp_path / 'in').mkdir()
    for index in range(3):
        Image.fromarray(image(seed=index)).save(tmp_path / f'in/{index}.png')
    out = tmp_path / 'out'
    result = run(str(tmp_path / 'in'), out_dir=str(out))
    assert sorted(path.name for path in (out / 'sr').iterdir()) == ['0.png', '1.png', '2.png']
    assert np.array_equal(np.array(Image.open(out / 'sr/1.png')), result['sr'][1])
    labels = Image.open(out / 'labels/1.png')
    assert labels.mode == 'P' and labels.getpalette()[3:6] == [255, 0, 0]
    assert np.array_equal(np.array(labels), result['predictions'][1]['sem_seg'])
    written = json.loads((out / 'predictions/1.json').read_text())
    assert written['sem_seg'] == 'labels/1.png' and written['area'] == result['predictions'][1]['area']


def test_coco_results(inferencer, tmp_path):
    from pycocotools.coco import COCO

    run = inferencer('detection')
    predictions = run([image(seed=0), image(seed=1)], out_dir=str(tmp_path))['predictions']
    coco = COCO(str(tmp_path / 'coco.json'))
    assert [row['name'] for row in coco.loadCats(coco.getCatIds())] == list('abcd')
    found = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    left, top, right, bottom = predictions[1]['bboxes'][0]
    assert found[0]['bbox'] == pytest.approx([left, top, right - left, bottom - top])
    assert found[0]['score'] == predictions[1]['scores'][0]
    assert found[0]['category_id'] == predictions[1]['labels'][0] + 1


@pytest.fixture
def infer(tool, checkpoints, tmp_path):
    from mmengine.config import Config

    path = tmp_path / 'tiny.py'
    Config(inference_cfg()).dump(str(path))

    def run(*args):
        tool('infer').main([*args, '--config', str(path), '--checkpoint', checkpoints('segmentation')])

    return run


def test_one_bad_file_among_a_hundred(infer, tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    for index in range(100):
        Image.fromarray(image(4, 4, seed=index)).save(tmp_path / f'in/{index:03d}.png')
    (tmp_path / 'in/042.png').write_bytes(b'words')
    with pytest.raises(SystemExit) as end:
        infer(str(tmp_path / 'in'), '--out-dir', str(tmp_path / 'out'), '--batch-size', '100', '--no-panel')
    assert '042.png is not an image' in end.value.code and end.value.code.count('error:') == 1  # a text: exit code 1
    assert '99 of 100 images are done' in capsys.readouterr().out
    names = {path.stem for path in (tmp_path / 'out/sr').iterdir()}
    assert names == {f'{index:03d}' for index in range(100)} - {'042'}


def test_images_of_every_kind(infer, tmp_path, capsys):
    """The table of docs/inference.md, from the command line."""
    (tmp_path / 'in').mkdir()
    rgb = image(8, 12)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter
    good = {  # width and height of the restored image
        'grey.png': (Image.fromarray(rgb[..., 0]), (48, 32)),
        'grey_alpha.png': (Image.fromarray(np.ascontiguousarray(rgb[..., :2]), 'LA'), (48, 32)),
        'rgba.png': (Image.fromarray(np.dstack([rgb, rgb[..., 0]])), (48, 32)),
        'palette.png': (Image.fromarray(rgb).quantize(4), (48, 32)),
        'cmyk.jpg': (Image.fromarray(rgb).convert('CMYK'), (48, 32)),
        'sixteen.png': (Image.fromarray(rgb[..., 0].astype(np.uint16) * 257), (48, 32)),
        'animated.gif': (Image.fromarray(rgb), (48, 32)),
        'turned.jpg': (Image.fromarray(rgb), (32, 48)),
        'pixel.png': (Image.fromarray(rgb[:1, :1]), (4, 4)),
    }
    for name, (picture, _) in good.items():
        options = dict(exif=exif) if 'turned' in name else {}
        if 'animated' in name:
            options = dict(save_all=True, append_images=[Image.fromarray(255 - rgb)])
        picture.save(tmp_path / 'in' / name, **options)
    bad = {
        'cut.jpg': (tmp_path / 'in/turned.jpg').read_bytes()[:-100],
        'empty.png': b'',
        'floating.tif': None,
        'huge.png': header(20_000, 20_000),
        'words.png': b'words',
    }
    for name, content in bad.items():
        if content is None:
            Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / 'in' / name)
        else:
            (tmp_path / 'in' / name).write_bytes(content)
    with pytest.raises(SystemExit) as end:
        infer(str(tmp_path / 'in'), '--out-dir', str(tmp_path / 'out'))
    assert f'{len(good)} of {len(good) + len(bad)} images are done' in capsys.readouterr().out
    for line, name, message in zip(
        end.value.code.splitlines(),
        bad,
        (
            'is damaged or cut off',
            'is empty',
            'has floating-point pixels',
            'has more pixels than Pillow decodes',
            'is not an image',
        ),
    ):
        assert f'{name} {message}' in line
    for kind in ('sr', 'labels', 'panels', 'predictions'):
        assert {path.stem for path in (tmp_path / 'out' / kind).iterdir()} == {name.split('.')[0] for name in good}
    for name, (_, size) in good.items():
        for kind in ('sr', 'labels'):
            assert Image.open(tmp_path / 'out' / kind / f'{name.split(".")[0]}.png').size == size


def test_mistakes_of_the_command_line(infer, tmp_path, monkeypatch):
    Image.fromarray(image()).save(tmp_path / 'a.png')
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='output folder .* cannot be written to'):
        infer(str(tmp_path / 'a.png'), '--out-dir', str(tmp_path / 'file/out'))
    with pytest.raises(ImageError, match='has no images'):
        (tmp_path / 'empty').mkdir()
        infer(str(tmp_path / 'empty'), '--out-dir', str(tmp_path / 'out'))
    with pytest.raises(ConfigError, match='overlap is -1; allowed'):
        infer(str(tmp_path / 'a.png'), '--out-dir', str(tmp_path / 'out'), '--overlap', '-1')


def test_mistakes_of_the_model(checkpoints, tmp_path):
    with pytest.raises(
        ConfigError,
        match="The config is 'sr4ir_fpn_edsr_x4_dem', which is neither .*Did you mean 'sr4ir_fpn_edsr_x4_demo'",
    ):
        CascadeInferencer('sr4ir_fpn_edsr_x4_dem', checkpoints('segmentation'))
    with pytest.raises(ConfigError, match="'no.py', which does not exist"):
        CascadeInferencer('no.py', checkpoints('segmentation'))
    with pytest.raises(ConfigError, match='A checkpoint is missing'):
        CascadeInferencer(inference_cfg())
    with pytest.raises(ConfigError, match='does not fit the model of the config'):
        CascadeInferencer(inference_cfg('classification'), checkpoints('segmentation'), device='cpu')


def test_a_strangers_checkpoint_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = tmp_path / 'evil.pth'
    torch.save(dict(state_dict=Evil()), evil)
    # MMEngine's own reader, as before anything of this project was used
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    with pytest.raises(CheckpointError, match=r'asks for posix\.system'):
        CascadeInferencer(inference_cfg(), str(evil), device='cpu')
    assert not (tmp_path / 'executed').exists()


def test_the_config_in_a_checkpoint_is_code_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(meta=dict(cfg="open('executed', 'w')"), state_dict={}), tmp_path / 'evil.pth')
    with pytest.raises(ConfigError, match='is code of its maker; name a config, or trust the checkpoint'):
        CascadeInferencer(weights=str(tmp_path / 'evil.pth'))
    assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize(
    'meta, message',
    [
        (dict(classes=5), 'classes that is not a list of names'),
        (dict(classes=[1, 2]), 'classes that is not a list of names'),
        (dict(classes=['\x1b[2J']), 'classes that is not a list of names'),
        (dict(palette='abc'), 'palette that is not a list of RGB colors'),
        (dict(palette=[[1, 2, 'a']]), 'palette that is not a list of RGB colors'),
        ([1], 'classes that is not a list of names'),
    ],
)
def test_strange_classes_of_a_checkpoint(checkpoints, tmp_path, meta, message):
    checkpoint = torch.load(checkpoints('segmentation'))
    checkpoint['meta'] = dict(dataset_meta=meta)
    torch.save(checkpoint, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=f'a.pth has a meta.dataset_meta.{message}'):
        CascadeInferencer(inference_cfg(), str(tmp_path / 'a.pth'), device='cpu')


def test_trust_ends_with_the_inferencer(checkpoints, tmp_path, monkeypatch):
    checkpoint = dict(torch.load(checkpoints('segmentation')), made_by=Evil())
    monkeypatch.chdir(tmp_path)
    evil, executed = tmp_path / 'evil.pth', tmp_path / 'executed'
    torch.save(checkpoint, evil)
    CascadeInferencer(inference_cfg(), str(evil), device='cpu', trust_checkpoint=True)
    executed.unlink()  # so trust is what it says
    with pytest.raises(CheckpointError, match=r'asks for posix\.system'):
        CascadeInferencer(inference_cfg(), str(evil), device='cpu')
    assert not executed.exists()


def test_an_image_that_cannot_be_written_is_reported(inferencer, tmp_path, monkeypatch):
    from sr4ir_mm.apis import outputs

    def full(path, image):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(outputs, 'write_image', full)
    (result,) = inferencer().stream(image(), out_dir=str(tmp_path))
    assert 'No space left on device' in result.error
