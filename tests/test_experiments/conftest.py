"""The command on small data, and with runs that take no time."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from sr4ir_mm.experiments import plan, runner
from sr4ir_mm.utils.files import write_json
from tests.helpers.builders import ROOT

DEMO = ROOT / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py'
DENOISE = [str(ROOT / f'configs/denoise_highlevel/joint_{name}_demo.py') for name in ('fpn', 'resnet')]


@pytest.fixture
def data(tmp_path):
    """Four images with two classes, as --cfg-options."""
    root = tmp_path / 'VOC2012'
    rng = np.random.default_rng(0)
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    for index in range(4):
        labels = np.zeros((32, 32), np.uint8)
        labels[8:24, 4 + 4 * index : 20] = 1
        image = (labels[..., None] * 120 + rng.integers(0, 80, (32, 32, 3))).astype(np.uint8)
        cv2.imwrite(str(root / f'JPEGImages/{index}.jpg'), image)
        cv2.imwrite(str(root / f'SegmentationClass/{index}.png'), labels)
    for split in ('train', 'val'):
        (root / f'ImageSets/Segmentation/{split}.txt').write_text('0\n1\n2\n3\n')
    options = [
        'train_cfg.max_epochs=2',
        'train_dataloader.batch_size=2',
        'model.recognizer.backbone.base_channels=4',
        'model.recognizer.backbone.stem_channels=4',
        'model.recognizer.neck.in_channels=[4,8,16,32]',
    ]
    for name in ('train', 'val', 'test'):
        options += [
            f'{name}_dataloader.dataset.data_root={root}',
            f'{name}_dataloader.num_workers=0',
            f'{name}_dataloader.persistent_workers=False',
        ]
    return options


@pytest.fixture
def run(data, tmp_path, tool):
    """The command with these options."""

    def main(*arguments, extra=()):
        tool('compare').main(
            [str(DEMO), '--work-dir', str(tmp_path / 'out'), *arguments, '--cfg-options', *data, *extra]
        )
        return tmp_path / 'out'

    return main


@pytest.fixture
def calls(monkeypatch):
    """Runs that take no time: each records a result, and what was started is listed."""
    calls, broken = [], set()

    def execute(run, progress, script, *arguments):
        calls.append((run.protocol, run.seed, script))
        progress.update()
        if (run.protocol, run.seed) in broken:
            raise runner.RunFailed(f'{run.name} failed: as planned')
        (run.folder / 'train').mkdir(exist_ok=True)
        (run.folder / 'train/last_checkpoint').write_text('/elsewhere/epoch_2.pth')
        cfg = Config.fromfile(run.config)
        metrics = dict(PSNR='inf' if run.protocol == 'h2t' else 20.0 + run.seed)
        if cfg.model.recognizer is not None:
            metrics.update(aAcc=90.0, mIoU=len(run.protocol) * 10.0 + 2 * run.seed)
        write_json(run.record, dict(metrics=metrics, finished=True, seconds=5.0, peak_memory=100.0, memory_kind='RSS'))

    monkeypatch.setattr(runner, 'execute', execute)
    calls = type('Calls', (list,), dict(broken=broken))(calls)
    return calls


@pytest.fixture
def study(calls, monkeypatch, tmp_path, tool):
    """The command on both denoising demos, without their data and recognizers."""
    monkeypatch.setattr(plan, 'check_config', lambda *args: None)

    def main(*arguments, configs=DENOISE):
        tool('compare').main([*configs, '--work-dir', str(tmp_path / 'out'), *arguments])
        return tmp_path / 'out'

    return main
