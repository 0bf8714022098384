"""Two iterations of SR4IR against numbers of its reference implementation."""

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.registry import MODELS

GOLDEN = Path(__file__).parents[1] / 'data' / 'cls_two_iterations.npz'
TERMS = dict(pixel='l_pix', tdp='l_tdp', task_sr='l_ce_sr', task_hr='l_ce_hr', task_cqmix='l_ce_cqmix')
RESTORER_NAMES = {
    'conv_first': 'head.0',
    'body.0.conv1': 'body.0.body.0',
    'body.0.conv2': 'body.0.body.2',
    'body.1.conv1': 'body.1.body.0',
    'body.1.conv2': 'body.1.body.2',
    'conv_after_body': 'body.2',
    'upsample.0.upsample_conv': 'tail.0.0',
    'upsample.1.upsample_conv': 'tail.0.2',
    'conv_last': 'tail.1',
}


def reference_name(name: str) -> str:
    """What the reference calls a parameter of the cascade."""
    part, name = name.split('.', 1)
    if part == 'recognizer':
        return name.removeprefix('backbone.').removeprefix('head.')
    layer, kind = name.rsplit('.', 1)
    return f'{RESTORER_NAMES[layer]}.{kind}'


def weight_from_name(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The starting value that follows from a name of the reference."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith('num_batches_tracked'):
        return tensor
    values = random.standard_normal(tuple(tensor.shape))
    if tensor.dim() > 1:
        gain = 0.2 if name.startswith(('head', 'body', 'tail')) else 1
        values = values * np.sqrt(2 / tensor[0].numel()) * gain
    elif name.endswith(('running_var', 'weight')):
        values = 1 + 0.05 * values
    else:
        values = 0.05 * values
    return torch.from_numpy(values).to(tensor)


class RecordHook(Hook):
    def __init__(self) -> None:
        self.outputs = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.outputs.append({name: value.item() for name, value in outputs.items()})


def config(folder: Path, loop: dict) -> Config:
    mean = [123.675, 116.28, 103.53]
    std = [58.395, 57.12, 57.375]
    rgb_mean = [255 * value for value in (0.4488, 0.4371, 0.4040)]
    return Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='sr4ir_mm.CascadeClassifier',
                scale=4,
                degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
                restorer=dict(
                    type='mmagic.EDSRNet',
                    value_range=255,
                    in_channels=3,
                    out_channels=3,
                    mid_channels=16,
                    num_blocks=2,
                    upscale_factor=4,
                    rgb_mean=rgb_mean,
                ),
                recognizer=dict(
                    type='ImageClassifier',
                    data_preprocessor=dict(mean=mean, std=std, to_rgb=True),
                    backbone=dict(type='ResNet', depth=18),
                    neck=dict(type='GlobalAveragePooling'),
                    head=dict(type='LinearClsHead', in_channels=512, num_classes=10),
                ),
                losses=dict(tdp=dict(features=[-1], weights=[1.0])),
            ),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(
                    type='CustomDataset',
                    data_root=str(folder),
                    ann_file='labels.txt',
                    metainfo=dict(classes=[str(index) for index in range(10)]),
                    pipeline=[
                        dict(type='sr4ir_mm.LoadImage'),
                        dict(type='PackInputs'),
                        dict(type='sr4ir_mm.CQMix', grid_size=4),
                    ],
                ),
            ),
            train_cfg=dict(
                loop,
                phases=[
                    dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=1.0)),
                    dict(
                        name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)
                    ),
                ],
            ),
            optim_wrapper=dict(
                constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
                restorer=dict(optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0)),
                recognizer=dict(optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=1e-4)),
            ),
            default_hooks=dict(checkpoint=None, logger=None),
            load_from=str(folder / 'start.pth'),
            work_dir=str(folder / 'work_dir'),
        )
    )


@pytest.mark.parametrize(
    'loop',
    [
        dict(type='sr4ir_mm.AlternatingIterTrainLoop', max_iters=2, dry_run=False),  # the draws are counted
        dict(type='sr4ir_mm.AlternatingTrainLoop', max_epochs=1, dry_run=False),
    ],
    ids=['by_iterations', 'by_epochs'],
)
def test_two_iterations_agree_with_the_reference(loop, tmp_path, monkeypatch, float64):
    golden = np.load(GOLDEN)
    images = golden['img_u8'].reshape(4, 3, 224, 224)
    for index, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f'{index}.png'), image.transpose(1, 2, 0)[..., ::-1])
    labels = golden['label'].reshape(4)
    (tmp_path / 'labels.txt').write_text(''.join(f'{index}.png {label}\n' for index, label in enumerate(labels)))

    # CQMix compares a uniform draw with 0.5: smaller means SR, which is 1 in the grid
    draws = [1 - grid for grid in golden['cqmix_grid'].reshape(4, 4, 4)]
    monkeypatch.setattr(np.random, 'random', lambda size: draws.pop(0).reshape(size))

    cfg = config(tmp_path, loop)
    names = {name: reference_name(name) for name in MODELS.build(cfg.model).state_dict()}
    start = MODELS.build(cfg.model).state_dict()
    torch.save({name: weight_from_name(names[name], value) for name, value in start.items()}, cfg.load_from)

    runner = Runner.from_cfg(cfg)
    record = RecordHook()
    runner.register_hook(record)
    after = runner.train().state_dict()
    assert not draws

    for term, key in TERMS.items():
        found = [output[f'loss_{term}'] for output in record.outputs]
        # The golden numbers are single precision: AdamW turns rounding errors of tiny gradients into whole steps, and
        # the second iteration shows it. Double precision here leaves that their only error, the same on every machine.
        for one, other, rtol in zip(found, golden[f'loss/{key}'], (1e-4, 2e-3)):
            np.testing.assert_allclose(one, other, rtol=rtol, err_msg=term)

    restorer = {names[name]: value for name, value in after.items() if name.startswith('restorer.')}
    expected = {name[len('after/sr/') :]: golden[name] for name in golden.files if name.startswith('after/sr/')}
    assert restorer.keys() == expected.keys()
    off = np.concatenate([np.abs(restorer[name].numpy() - expected[name]).ravel() for name in expected])
    assert np.mean(off < 1e-5) > 0.99 and off.max() < 3e-4, (np.mean(off < 1e-5), off.max())

    norms = {names[name]: value.double().norm().item() for name, value in after.items() if 'recognizer.' in name}
    expected = {name[len('after_norm/cls/') :]: golden[name].item() for name in golden.files if 'after_norm/' in name}
    assert norms.keys() == expected.keys()
    for name in expected:
        assert norms[name] == pytest.approx(expected[name], rel=1e-4), name
