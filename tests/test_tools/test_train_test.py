"""The two commands that everybody uses, and what they say to mistakes."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import CheckpointError, ConfigError


@pytest.fixture
def train(tool, config_file, tmp_path):
    def run(*args, work_dir='work'):
        tool('train').main([config_file, '--work-dir', str(tmp_path / work_dir), *args])
        return tmp_path / work_dir

    return run


def test_train_then_test(train, tool, config_file, tmp_path):
    work_dir = train('--seed', '3', '--tensorboard', '--cfg-options', 'train_cfg.val_interval=2')
    dumped = Config.fromfile(work_dir / 'tiny.py')
    assert dumped.randomness.seed == 3
    assert list(work_dir.rglob('events.out.tfevents*'))
    scalars = next(work_dir.rglob('scalars.json')).read_text().splitlines()
    validated = eval(scalars[-1], {'NaN': float('nan')})

    show_dir = tmp_path / 'show'
    metrics = tool('test').main([config_file, str(work_dir / 'epoch_2.pth'), '--show-dir', str(show_dir)])
    assert metrics['mIoU'] == pytest.approx(validated['mIoU'])
    assert metrics['PSNR'] == pytest.approx(validated['PSNR'])
    assert sorted(path.name for path in show_dir.iterdir()) == ['000004.png', '000005.png', 'overview.png']
    row, overview = (cv2.imread(str(show_dir / name)) for name in ('000005.png', 'overview.png'))
    zoom, top = 5, 26  # 40 pixels become at least 192
    assert overview.shape[0] > row.shape[0] + 40 * zoom
    image = cv2.imread(str(Path(dumped.test_dataloader.dataset.data_root) / 'JPEGImages/000005.jpg'))
    hr = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
    assert (row[top : top + 40 * zoom, 8 + 2 * (48 * zoom + 8) :][:, : 48 * zoom] == hr).all()


def test_table_and_file_of_a_test(tool, config_file, tmp_path, capsys, checkpoint):
    out = tmp_path / 'found' / 'result.json'
    metrics = tool('test').main([config_file, checkpoint, '--per-class', '--out', str(out)])
    written = json.loads(out.read_text())
    assert set(written['metrics']) == {'aAcc', 'mIoU', 'mAcc', 'PSNR'}
    assert written['metrics']['PSNR'] == metrics['PSNR']
    present = [found['IoU'] for found in written['classes'].values()]
    assert sum(present) / len(present) == pytest.approx(written['metrics']['mIoU'], abs=0.02)
    table = capsys.readouterr().out
    assert f"| mIoU   | {metrics['mIoU']:.2f}" in table and '| class | IoU' in table


@pytest.fixture
def checkpoint(voc_cfg, tmp_path):
    """Random weights of the tiny model."""
    from sr4ir_mm.registry import MODELS

    model = MODELS.build(voc_cfg.model)
    torch.save(dict(state_dict=model.state_dict(), meta={}), tmp_path / 'random.pth')
    return str(tmp_path / 'random.pth')


def test_the_columns_of_the_published_tables(train, tool, tmp_path, config_file, checkpoint, capsys):
    """Task metric, PSNR and LPIPS by one command; without LPIPS's weights nothing is trained, or it is left out."""
    from torchvision.models.vgg import cfgs, make_layers

    weights = tmp_path / 'vgg.pth'
    lpips = [
        '--cfg-options',
        *(
            f'{key}.2.{name}'
            for key in ('val_evaluator', 'test_evaluator')
            for name in ('type=sr4ir_mm.LPIPS', 'border=0', f'backbone={weights}')
        ),
    ]
    text = Path(config_file).read_text()
    for key in ('val', 'test'):
        text += f'\n{key}_evaluator = [*{key}_evaluator, dict(type="PSNR")]\n'
    Path(config_file).write_text(text)
    with pytest.raises(ConfigError, match='LPIPS lacks the weights of vgg16 .*--skip-metrics LPIPS'):
        train(*lpips)
    assert not list(tmp_path.rglob('epoch_*.pth'))
    train('--skip-metrics', 'LPIPS', *lpips, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1')
    torch.save({f'features.{name}': value for name, value in make_layers(cfgs['D']).state_dict().items()}, weights)
    capsys.readouterr()
    metrics = tool('test').main([config_file, checkpoint, *lpips])
    assert {'mIoU', 'PSNR', 'LPIPS'} <= set(metrics)
    rows = [line.split('|')[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert [row for row in rows if row in ('mIoU', 'PSNR', 'LPIPS')] == ['mIoU', 'PSNR', 'LPIPS']
    with pytest.raises(
        ConfigError, match="--skip-metrics is 'LIPS'; allowed: 'IoUMetric', 'PSNR', 'LPIPS'.*mean 'LPIPS'"
    ):
        train('--skip-metrics', 'LIPS', *lpips)


def test_resume_takes_the_latest_or_the_named_checkpoint(train):
    work_dir = train('--cfg-options', 'train_cfg.max_epochs=1')
    train('--resume')
    assert int(load_checkpoint(work_dir / 'epoch_2.pth')['meta']['iter']) == 4
    other = train('--resume', str(work_dir / 'epoch_1.pth'), work_dir='other')
    assert int(load_checkpoint(other / 'epoch_2.pth')['meta']['iter']) == 4


def test_amp_chooses_by_the_device(train, bfloat16):
    work_dir = train('--amp', '--cfg-options', 'train_cfg.max_epochs=1')
    expected = 'float16' if torch.cuda.is_available() else 'bfloat16'
    assert Config.fromfile(work_dir / 'tiny.py').optim_wrapper.amp == expected


LOADER = 'train_dataloader.dataset'


@pytest.mark.parametrize(
    'options, message',
    [
        ([f'{LOADER}.data_root=nowhere'], r"train_dataloader.dataset.data_root is 'nowhere', which does not exist"),
        (
            [f'{LOADER}.ann_file=ImageSets/Segmentation/trian.txt'],
            r"ann_file is .*trian.txt'.*allowed.*train.txt, val.txt",
        ),
        ([f'{LOADER}.data_prefix.img_path=Images'], "data_prefix.img_path is 'Images'"),
        ([f'{LOADER}.pipeline.2.crop_size=(30,32)'], '30×32 pixels, which is not a multiple of model.scale, 4'),
        (
            [f'{LOADER}.pipeline.4.type=sr4ir_mm.DegradeToLR', f'{LOADER}.pipeline.4.scale=2'],
            r'pipeline\[4\].scale is 2, but model.scale is 4; both must be the same',
        ),
        (
            ['model.restorer.window_size=16'],
            r'crops to 32×32 pixels, which become 8 with model.scale 4, .* windows of 16',
        ),
        (['train_cfgs.max_epochs=1'], r"top-level key 'train_cfgs', which nothing reads; did you mean 'train_cfg'"),
        (['data_root=elsewhere'], "nothing reads the top-level key 'data_root'"),
        (['train_cfg.phases.0.update=restorr'], "Did you mean 'restorer'"),
        (['train_cfg.phases.1.losses.task_sp=1'], "Did you mean 'task_sr'"),
        (
            [
                'model.recognizer.backbone.init_cfg.type=Pretrained',
                'model.recognizer.backbone.init_cfg.checkpoint=no.pth',
            ],
            "model.recognizer.backbone.init_cfg.checkpoint is 'no.pth', which does not exist",
        ),
        (['load_from=no.pth'], "load_from is 'no.pth', which does not exist"),
    ],
)
def test_a_mistake_in_the_config_is_told_before_training(train, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        train('--cfg-options', *options)
    assert not list(tmp_path.rglob('*.pth'))


def test_a_checkpoint_that_is_not_there_is_named(train, tool, config_file):
    with pytest.raises(ConfigError, match="--resume is 'no.pth', which does not exist"):
        train('--resume', 'no.pth')
    with pytest.raises(ConfigError, match="CHECKPOINT is 'no.pth', which does not exist"):
        tool('test').main([config_file, 'no.pth'])
    with pytest.raises(ConfigError, match="CONFIG is 'no.py', which does not exist"):
        tool('test').main(['no.py', 'no.pth'])


def test_a_checkpoint_of_another_model_is_refused(train, tool, config_file):
    checkpoint = str(train('--cfg-options', 'train_cfg.max_epochs=1') / 'epoch_1.pth')
    wider = ['--cfg-options', 'model.restorer.mid_channels=12']
    with pytest.raises(
        ConfigError, match=r'does not fit .* restorer.conv_first.weight \(\(8, 3, 3, 3\), not \(12, 3, 3, 3\)\)'
    ):
        tool('test').main([config_file, checkpoint, *wider])
    deeper = ['--cfg-options', 'model.restorer.num_blocks=2']
    with pytest.raises(ConfigError, match=r'restorer.body.1.conv1.weight \(missing\)'):
        tool('test').main([config_file, checkpoint, *deeper])


def test_a_misspelt_key_in_the_file_is_told(tool, config_file):
    with open(config_file, 'a') as file:
        file.write('\nparam_schedular = dict()\n')
    with pytest.raises(
        ConfigError, match="top-level key 'param_schedular', which nothing reads; did you mean 'param_scheduler'"
    ):
        tool('train').main([config_file])


@pytest.fixture
def broken_voc(voc, tmp_path):
    root = tmp_path / 'broken'
    shutil.copytree(voc, root)
    return root


def test_an_image_that_cannot_be_decoded_stops_the_training(train, broken_voc):
    (broken_voc / 'JPEGImages/000001.jpg').write_bytes(b'\xff\xd8 truncated')
    with pytest.raises(ValueError, match='The image .*000001.jpg cannot be read or decoded'):
        train('--cfg-options', f'{LOADER}.data_root={broken_voc}')


def test_a_label_outside_the_classes_stops_the_training(train, broken_voc):
    cv2.imwrite(str(broken_voc / 'SegmentationClass/000002.png'), np.full((40, 48), 7, np.uint8))
    with pytest.raises(ConfigError, match=r'labels of .*000002.jpg have the values \[7\]'):
        train('--cfg-options', f'{LOADER}.data_root={broken_voc}')


def test_a_loss_that_is_no_number_leaves_the_last_checkpoint_good(train, tmp_path):
    work_dir = train('--cfg-options', 'train_cfg.max_epochs=1')
    with pytest.raises(FloatingPointError, match='loss_pixel'):
        train('--resume', '--cfg-options', 'train_cfg.phases.0.losses.pixel=1e39')
    assert [path.name for path in work_dir.glob('*.pth')] == ['epoch_1.pth']
    state = load_checkpoint(work_dir / 'epoch_1.pth')['state_dict']
    assert all(torch.isfinite(value.float()).all() for value in state.values())


@pytest.fixture
def denoise(tool, voc_cfg, tmp_path):
    """The two commands for a tiny denoiser: train(seed) -> its checkpoint, test(arguments) -> metrics."""
    voc_cfg.train_cfg.max_epochs = 1
    voc_cfg.model.scale = 1
    voc_cfg.model.degradation = dict(type='sr4ir_mm.GaussianNoise', sigma=25)
    voc_cfg.model.restorer = dict(type='sr4ir_mm.MultiScaleDenoiser', width=4)
    path = tmp_path / 'denoise.py'
    Config(voc_cfg).dump(str(path))

    def train(seed):
        tool('train').main([str(path), '--seed', str(seed), '--work-dir', str(tmp_path / f'seed_{seed}')])
        return tmp_path / f'seed_{seed}/epoch_1.pth'

    return train, lambda *arguments: tool('test').main([str(path), *map(str, arguments)])


def start(part, checkpoint):
    init_cfg = f'model.{part}.init_cfg'
    return f'{init_cfg}.type=Pretrained', f'{init_cfg}.checkpoint={checkpoint}', f'{init_cfg}.prefix={part}'


def test_a_cross_task_test_takes_each_part_from_its_own_checkpoint(denoise):
    """Restorer and recognizer of two trainings, without a training together; and a test is repeatable."""
    train, test = denoise
    first, second = train(0), train(1)
    mixed = test('--cfg-options', *start('restorer', first), *start('recognizer', second))
    # the same by hand
    state, other = (load_checkpoint(path)['state_dict'] for path in (second, first))
    state.update({name: value for name, value in other.items() if name.startswith('restorer')})
    torch.save(dict(state_dict=state), first.parent / 'whole.pth')
    assert test(first.parent / 'whole.pth') == mixed
    assert mixed['PSNR'] == test(first)['PSNR'] != test(second)['PSNR']


def test_a_denoiser_of_before_the_published_units_is_tested_on_0_to_1(denoise):
    train, test = denoise
    path = train(0)
    state = load_checkpoint(path)['state_dict']
    state['restorer.units'] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    torch.save(dict(state_dict=state), path.parent / 'plain.pth')
    torch.save(
        dict(state_dict={name: state[name] for name in state if name != 'restorer.units'}), path.parent / 'older.pth'
    )
    assert test(path.parent / 'older.pth') == test(path.parent / 'plain.pth') != test(path)


def test_without_a_checkpoint_each_part_needs_one(denoise, tmp_path):
    test = denoise[1]
    with pytest.raises(ConfigError, match='model.restorer.init_cfg does not say where the weights come from'):
        test()
    torch.save(dict(state_dict={'restorer.conv0.bias': torch.zeros(4)}), tmp_path / 'part.pth')
    with pytest.raises(CheckpointError, match=r'part.pth does not fill .*\(model.restorer.init_cfg\); .* conv0.weight'):
        test('--cfg-options', *start('restorer', tmp_path / 'part.pth'))


def test_panels_of_each_validation_go_to_the_visualizer(train, config_file):
    with open(config_file, 'a') as file:
        file.write("\ncustom_hooks = [dict(type='sr4ir_mm.PanelHook', num_val=1)]\n")
    work_dir = train('--cfg-options', 'train_cfg.val_interval=1')
    names = sorted(path.name for path in work_dir.rglob('vis_image/*.png'))
    assert names == ['panel_000004_2.png', 'panel_000004_4.png']  # the same image, after two and four iterations
