"""The six things that a researcher adds, with no edit in the package (the axis of a study is in test_experiments)."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.apis import CascadeInferencer
from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.config import check_config, load_config
from sr4ir_mm.errors import ConfigError
from tests.conftest import edsr

RESTORE = dict(name='restore', update='restorer', losses=dict(pixel=1.0))
RECOGNIZE = dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))


class Before(Hook):
    """Keep the weights that a training starts from."""

    def before_train(self, runner):
        self.weights = {name: value.clone() for name, value in runner.model.state_dict().items()}


def trained(cfg, name, **changes):
    """Train one epoch with a plug-in, test with pictures, and return what moved of each part and the metrics."""
    cfg = copy.deepcopy(cfg)
    cfg.custom_imports = dict(imports=[f'tests.plugins.{name}'], allow_failed_imports=False)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    for key, value in changes.items():
        node = cfg.model if key != 'phases' else cfg.train_cfg
        node[key] = value
    updated = {phase['update'] for phase in cfg.train_cfg.phases}
    sgd = dict(optimizer=dict(type='SGD', lr=0.1))
    cfg.optim_wrapper = dict(constructor=cfg.optim_wrapper.constructor, **{part: sgd for part in updated})
    cfg.custom_hooks = [dict(type='sr4ir_mm.PanelHook', out_dir=f'{cfg.work_dir}/panels')]
    path = Path(cfg.work_dir).parent / f'{name}.py'
    Config(cfg).dump(str(path))  # imports are done for a file
    cfg = load_config(str(path), {})
    check_config(cfg)
    runner = Runner.from_cfg(cfg)
    before = Before()
    runner.register_hook(before, 'LOWEST')
    runner.train()
    after = runner.model.state_dict()
    moved = {name.split('.')[0] for name, value in after.items() if not torch.equal(value, before.weights[name])}
    metrics = runner.test()
    assert list(Path(f'{cfg.work_dir}/panels').glob('*.png'))
    return runner, moved, metrics


def test_a_loss_term(voc_cfg):
    phases = [dict(RESTORE, losses=dict(pixel=1.0, tv=0.1)), RECOGNIZE]
    losses = dict(tv=dict(type='sr4ir_mm.TotalVariation'))
    runner, moved, metrics = trained(voc_cfg, 'loss_term', losses=losses, phases=phases)
    assert moved == {'restorer', 'recognizer'} and {'mIoU', 'PSNR'} <= set(metrics)
    assert runner.message_hub.get_scalar('train/loss_tv').current() > 0


def test_a_part_that_learns_and_one_that_does_not(voc_cfg):
    critic = dict(type='sr4ir_mm.Critic')
    phases = [
        dict(name='judge', update='critic', losses=dict(judge=1.0)),
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, fool=0.1, teacher=0.1)),
    ]
    losses = {
        name: dict(type=f'sr4ir_mm.{kind}')
        for name, kind in dict(judge='Judge', fool='Fool', teacher='TeacherDistance').items()
    }
    parts = dict(critic=critic, teacher=critic)
    runner, moved, _ = trained(voc_cfg, 'part', losses=losses, parts=parts, phases=phases)
    assert moved == {'critic', 'restorer'}
    assert {name.split('.')[0] for name in load_checkpoint(f'{voc_cfg.work_dir}/epoch_1.pth')['state_dict']} == {
        'restorer',
        'recognizer',
        'critic',
        'teacher',
    }


def test_a_term_whose_part_is_missing(voc_cfg):
    phases = [dict(RESTORE, losses=dict(pixel=1.0, fool=0.1))]
    with pytest.raises(ConfigError, match='the loss `fool`, which needs model.parts.critic, but that is not set'):
        trained(voc_cfg, 'part', losses=dict(fool=dict(type='sr4ir_mm.Fool')), phases=phases)


def test_a_degradation(voc_cfg):
    degradation = dict(type='sr4ir_mm.CellMean', scale=4, gain=0.2)
    runner, moved, metrics = trained(voc_cfg, 'degradation', degradation=degradation, phases=[RESTORE, RECOGNIZE])
    assert moved == {'restorer', 'recognizer'} and runner.test() == metrics  # each image has its own random numbers


def test_a_restorer_with_further_inputs(voc_cfg):
    voc_cfg.train_dataloader.dataset.pipeline.append(dict(type='sr4ir_mm.PackReference'))
    voc_cfg.val_dataloader.dataset.pipeline.append(dict(type='sr4ir_mm.PackReference'))
    voc_cfg.test_dataloader = copy.deepcopy(voc_cfg.val_dataloader)
    restorer = dict(type='sr4ir_mm.Referenced', scale=4)
    runner, moved, metrics = trained(voc_cfg, 'restorer', restorer=restorer, phases=[RESTORE, RECOGNIZE])
    assert moved == {'restorer', 'recognizer'} and runner.test() == metrics


def counting_cfg(work_dir):
    mean = dict(mean=[127.5] * 3, std=[127.5] * 3)
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='sr4ir_mm.Squares',
            length=8,
            pipeline=[dict(type='sr4ir_mm.DrawSquares'), dict(type='sr4ir_mm.PackSquares')],
        ),
    )
    return ConfigDict(
        default_scope='mmengine',
        work_dir=str(work_dir),
        model=dict(
            type='sr4ir_mm.Cascade',
            task=dict(type='sr4ir_mm.CountingTask'),
            scale=4,
            degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
            restorer=edsr(),
            recognizer=dict(
                type='sr4ir_mm.DensityNet', data_preprocessor=dict(type='ImgDataPreprocessor', bgr_to_rgb=True, **mean)
            ),
            losses=dict(tdp=dict(features=[-1], weights=[1.0])),
        ),
        train_dataloader=loader,
        val_dataloader=loader,
        test_dataloader=loader,
        train_cfg=dict(type='sr4ir_mm.AlternatingTrainLoop', max_epochs=1),
        val_cfg=dict(type='ValLoop'),
        test_cfg=dict(type='TestLoop'),
        optim_wrapper=dict(constructor='sr4ir_mm.CascadeOptimWrapperConstructor'),
        val_evaluator=[dict(type='sr4ir_mm.CountError'), dict(type='sr4ir_mm.PSNR', border=0)],
        test_evaluator=[dict(type='sr4ir_mm.CountError'), dict(type='sr4ir_mm.PSNR', border=0)],
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        default_hooks=dict(
            runtime_info=dict(type='sr4ir_mm.DeferredLossHook'),
            checkpoint=dict(type='sr4ir_mm.ResumableCheckpointHook', interval=1, save_best='count_error', rule='less'),
        ),
        log_level='WARNING',
    )


def test_a_task(tmp_path):
    """Trained, tested, drawn and predicted with."""
    phases = [dict(RESTORE, losses=dict(pixel=1.0, tdp=1.0, task_sr=1.0)), RECOGNIZE]
    cfg = counting_cfg(tmp_path / 'work')
    runner, moved, metrics = trained(cfg, 'counting', phases=phases)
    assert moved == {'restorer', 'recognizer'} and {'count_error', 'PSNR'} <= set(metrics)
    cfg.custom_imports = dict(imports=['tests.plugins.counting'], allow_failed_imports=False)
    inferencer = CascadeInferencer(Config(cfg), str(tmp_path / 'work/epoch_1.pth'), device='cpu', show_progress=False)
    image = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8).numpy()
    result = inferencer(image)
    assert result.sr.shape == (32, 32, 3) and set(result.prediction) == {'count'}


def test_a_task_as_onnx(tmp_path):
    pytest.importorskip('onnxruntime')
    from sr4ir_mm.apis.onnx import export_onnx
    from sr4ir_mm.registry import MODELS

    __import__('tests.plugins.counting')
    model = MODELS.build(counting_cfg(tmp_path).model).eval()
    assert export_onnx(model, tmp_path / 'counting.onnx', 'cascade', {}) < 1e-4
