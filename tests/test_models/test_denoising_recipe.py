"""The published recipe of `Denoising meets high-level vision` in the shipped configs: its units, and that it learns."""

import shutil
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from skimage import data
from torch import nn

from sr4ir_mm.engine.optim_wrapper import CascadeOptimWrapperConstructor
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation.psnr import psnr
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import DATASETS, MODELS
from tests.helpers.builders import ROOT, seg_batch

CONFIGS = ROOT / 'configs/denoise_highlevel'
DENOISER = CONFIGS / 'denoiser_sigma25_imagenet.py'
SEG, CLS = CONFIGS / 'joint_deeplab-vgg16_sigma15_voc.py', CONFIGS / 'joint_vgg16_sigma15_imagenet.py'


@pytest.fixture
def recipe():
    """The shipped denoiser and its optimizer, in training."""
    cfg = Config.fromfile(DENOISER)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).train()
    model.phases = build_phases(cfg.train_cfg.phases, model)
    return model, CascadeOptimWrapperConstructor(cfg.optim_wrapper)(model)


def test_the_pixel_loss_is_half_the_squared_error_on_0_to_255(recipe):
    model, _ = recipe
    sr, hr = torch.rand(2, 2, 3, 8, 8)
    expected = ((255 * sr - 255 * hr) ** 2).sum() / 2 / sr.numel()
    assert model.losses.pixel.loss(sr, hr).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize('path', [DENOISER, SEG, CLS], ids=lambda path: path.stem)
def test_a_step_clips_at_100_and_moves_biases_twice_as_fast_without_decay(path):
    """Against the formula of a first step of SGD, whose momentum has no past."""
    cfg = Config.fromfile(path).optim_wrapper
    lr, decay = cfg.restorer.optimizer.lr, cfg.restorer.optimizer.weight_decay
    assert decay == 5e-4
    cascade = nn.Module()
    cascade.trainable_parts = dict(restorer=MODELS.build(dict(type='sr4ir_mm.MultiScaleDenoiser', width=4)).double())
    optim = CascadeOptimWrapperConstructor(cfg)(cascade)
    parameters = dict(cascade.trainable_parts['restorer'].named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    for parameter in parameters.values():
        parameter.grad = torch.randn_like(parameter)
    norm = torch.cat([parameter.grad.flatten() for parameter in parameters.values()]).norm()
    for parameter in parameters.values():
        parameter.grad *= 500 / norm  # clipped to a fifth
    gradients = {name: parameter.grad.clone() for name, parameter in parameters.items()}
    optim.step(['restorer'])
    for name, parameter in parameters.items():
        bias = name.endswith('bias')
        speed = 2 if bias and '.bn' not in name else 1  # batch norms have a shift, which is no bias of a layer
        step = speed * lr * (gradients[name] / 5 + (0 if bias else decay) * before[name])
        assert torch.allclose(parameter, before[name] - step, rtol=0, atol=1e-6 * lr * 100), name


@pytest.mark.parametrize(
    'path, weight, batch', [(SEG, 0.020, 6), (CLS, 0.0040, 10)], ids=['segmentation', 'classification']
)
def test_lambda_is_relative_to_a_mean_squared_error_on_0_to_1(path, weight, batch):
    cfg = Config.fromfile(path)
    losses = cfg.train_cfg.phases[0].losses
    sr, hr = torch.rand(2, 1, 3, 8, 8)
    unit = losses.pixel * MODELS.build(cfg.model.losses.pixel)(sr, hr) / ((sr - hr) ** 2).mean()
    assert losses.task_sr / unit.item() == pytest.approx(weight, rel=1e-5)
    assert cfg.train_dataloader.batch_size == batch


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('joint_*_demo.py')), ids=lambda path: path.stem)
def test_the_demo_has_the_same_lambdas(path):
    cfg, published = Config.fromfile(path), Config.fromfile(SEG if 'fpn' in path.stem else CLS)
    assert cfg.train_cfg.phases == published.train_cfg.phases and cfg.model.losses.pixel == published.model.losses.pixel


def test_a_negative_lambda_is_refused(recipe):
    phases = Config.fromfile(SEG).train_cfg.phases
    phases[0].losses.task_sr = -0.02
    with pytest.raises(
        ConfigError,
        match=r'train_cfg.phases\[0\].losses.task_sr.weight is -0.02; allowed: a number that is ' 'not negative',
    ):
        build_phases(phases, recipe[0])


@pytest.mark.parametrize('name', ['clean_deeplab-vgg16_voc', 'joint_deeplab-vgg16_sigma15_voc'])
def test_voc_has_the_annotations_of_sbd_too(name, voc, tmp_path):
    """Two images of VOC's own list and three of SBD's, each with the labels of its folder."""
    for folder in ('JPEGImages', 'SegmentationClass'):
        shutil.copytree(voc / folder, tmp_path / folder)
    shutil.copytree(voc / 'SegmentationClass', tmp_path / 'SegmentationClassAug')
    (tmp_path / 'ImageSets/Segmentation').mkdir(parents=True)
    (tmp_path / 'ImageSets/Segmentation/train.txt').write_text('000000\n000001')
    (tmp_path / 'ImageSets/Segmentation/aug.txt').write_text('000002\n000003\n000004')
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    init_default_scope(cfg.default_scope)
    for part in cfg.train_dataloader.dataset.datasets:
        part.data_root = str(tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    labels = [Path(dataset.get_data_info(index)['seg_map_path']) for index in range(len(dataset))]
    assert [f'{path.parent.name}/{path.stem}' for path in labels] == [
        'SegmentationClass/000000',
        'SegmentationClass/000001',
        'SegmentationClassAug/000002',
        'SegmentationClassAug/000003',
        'SegmentationClassAug/000004',
    ]
    assert dataset[4]['inputs'].shape == (3, 40, 48)


def rgb(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float()[None] / 255


def test_the_recipe_learns_on_photographs(recipe):
    """Fifty iterations of four patches of 32 pixels; with a squared error on [0, 1] it is 7 dB below the noisy one."""
    model, optim = recipe
    photographs = [
        torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1) for image in (data.coffee(), data.chelsea())
    ]
    generator = torch.Generator().manual_seed(0)

    def patch():
        image = photographs[int(torch.randint(2, (1,), generator=generator))]
        top, left = (int(torch.randint(side - 32, (1,), generator=generator)) for side in image.shape[1:])
        return image[:, top : top + 32, left : left + 32]

    for _ in range(50):
        model.train_step(dict(seg_batch(batch=4), inputs=[patch() for _ in range(4)]), optim)
    clean = rgb(data.astronaut()[60:188, 160:288])
    noisy = clean + torch.randn(clean.shape, generator=generator) * 25 / 255
    with torch.no_grad():
        restored = model.eval().restoration(noisy)
    assert psnr(restored[0], clean[0], border=3) > psnr(noisy[0], clean[0], border=3) + 2


@pytest.mark.slow
def test_the_recipe_as_it_is_on_photographs(tool, tmp_path):
    """Above the noisy image after 200 iterations, over 5 dB above after 400. Ten minutes on one core; -s prints."""
    pieces = [
        image[top : top + 100, left : left + 100]
        for image in (data.coffee(), data.chelsea(), data.rocket())
        for top in range(0, image.shape[0] - 99, 100)
        for left in range(0, image.shape[1] - 99, 100)
    ]
    for name, images in dict(train=pieces, test=[data.astronaut()[60:316, 100:356]]).items():
        (tmp_path / name).mkdir()
        for index, image in enumerate(images):
            cv2.imwrite(str(tmp_path / name / f'{index}.png'), image[..., ::-1])
    folders = [
        f'{name}_dataloader.dataset.data_root={tmp_path}/{"train" if name == "train" else "test"}'
        for name in ('train', 'val', 'test')
    ]
    fixed = ['--work-dir', str(tmp_path / 'work'), '--cfg-options', f'experiment_name={tmp_path.name}', *folders]

    def test(*checkpoint, options=()):
        return tool('test').main([str(DENOISER), *checkpoint, *fixed, *options])['PSNR']

    noisy = test(options=['model.restorer._delete_=True', 'model.restorer.type=torch.nn.Identity'])
    tool('train').main(
        [
            str(DENOISER),
            '--seed',
            '0',
            *fixed,
            'train_cfg.max_iters=400',
            'train_cfg.val_interval=400',
            'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False',
            'default_hooks.checkpoint.interval=200',
        ]
    )
    first, last = (test(f'{tmp_path}/work/iter_{iterations}.pth') for iterations in (200, 400))
    print(f'PSNR: noisy {noisy:.2f} dB, after 200 iterations {first:.2f} dB, after 400 iterations {last:.2f} dB')
    assert first > noisy and last > noisy + 5
