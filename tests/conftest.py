"""Tiny networks and images that the tests share."""

import copy
import gc
import importlib.util

import cv2
import mmengine.config.config
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from tests.helpers.builders import (
    NUM_CLASSES,
    OPTIM_WRAPPER,
    ROOT,
    SR4IR_PHASES,
    cascade_cfg,
    inference_cfg,
    save_checkpoint,
)

# MMEngine formats the config with yapf for the log and for every checkpoint: most of the time of a tiny training
mmengine.config.config.FormatCode = lambda text, **kwargs: (text, True)


def pytest_collection_finish():
    """Leave what is imported out of the search for garbage, which each data set of MMEngine begins anew."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def one_seed():
    torch.manual_seed(0)
    np.random.seed(0)
    init_default_scope('mmseg')


@pytest.fixture
def float64():
    """Double precision for all that a test builds.

    Two ways to the same number then agree to many more digits than any bug leaves, whatever the CPU, the number of
    threads and the order in which a library adds.
    """
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def bfloat16():
    """Let convolutions run in bfloat16 where oneDNN has none for the CPU: PyTorch's own are slow, but everywhere."""
    with torch.autocast('cpu', torch.bfloat16), torch.no_grad():
        try:
            torch.nn.functional.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
            supported = True
        except RuntimeError:
            supported = False
    with torch.backends.mkldnn.flags(enabled=supported):
        yield


@pytest.fixture(scope='session')
def voc(tmp_path_factory):
    """A segmentation data set in the layout of VOC: six pictures of 48×40 pixels with a colored square."""
    root = tmp_path_factory.mktemp('voc')
    rng = np.random.RandomState(0)
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    colors = rng.randint(0, 256, (NUM_CLASSES, 3))
    names = [f'{index:06d}' for index in range(6)]
    for index, name in enumerate(names):
        labels = np.zeros((40, 48), np.uint8)
        top, left = rng.randint(0, 20, 2)
        labels[top : top + 16, left : left + 16] = 1 + index % (NUM_CLASSES - 1)
        image = colors[labels] + rng.randint(-20, 20, (40, 48, 3))
        cv2.imwrite(str(root / f'JPEGImages/{name}.jpg'), image.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(root / f'SegmentationClass/{name}.png'), labels)
    (root / 'ImageSets/Segmentation/train.txt').write_text('\n'.join(names[:4]))
    (root / 'ImageSets/Segmentation/val.txt').write_text('\n'.join(names[4:]))
    return root


@pytest.fixture
def voc_cfg(voc, tmp_path):
    """A complete config on that data set: two epochs of two iterations."""
    pipeline = [
        dict(type='sr4ir_mm.LoadImage'),
        dict(type='LoadAnnotations'),
        dict(type='RandomCrop', crop_size=(32, 32)),
        dict(type='PackSegInputs'),
        dict(type='sr4ir_mm.CQMix'),
    ]
    test_pipeline = [pipeline[0], pipeline[1], dict(type='sr4ir_mm.SetOriShape'), pipeline[3]]

    def loader(split, pipeline, batch_size):
        return dict(
            batch_size=batch_size,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
            dataset=dict(
                type='BaseSegDataset',
                metainfo=dict(classes=tuple('abcd'), palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]),
                data_root=str(voc),
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                ann_file=f'ImageSets/Segmentation/{split}.txt',
                pipeline=pipeline,
            ),
        )

    val = loader('val', test_pipeline, 1)
    evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']), dict(type='sr4ir_mm.PSNR', border=8)]
    return ConfigDict(
        copy.deepcopy(
            dict(
                default_scope='mmseg',
                work_dir=str(tmp_path / 'work'),
                model=cascade_cfg(),
                train_dataloader=loader('train', pipeline, 2),
                val_dataloader=val,
                test_dataloader=val,
                train_cfg=dict(type='sr4ir_mm.AlternatingTrainLoop', max_epochs=2, val_interval=2, phases=SR4IR_PHASES),
                val_cfg=dict(type='ValLoop'),
                test_cfg=dict(type='TestLoop'),
                optim_wrapper=OPTIM_WRAPPER,
                val_evaluator=evaluator,
                test_evaluator=evaluator,
                visualizer=dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
                custom_hooks=[],
                default_hooks=dict(
                    runtime_info=dict(type='sr4ir_mm.DeferredLossHook'),
                    logger=dict(type='LoggerHook', interval=1),
                    checkpoint=dict(type='sr4ir_mm.ResumableCheckpointHook', interval=1),
                ),
                randomness=dict(seed=0),
                log_level='WARNING',
            )
        )
    )


@pytest.fixture(scope='session')
def tool():
    """Import a script of tools/."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name.replace('/', '_'), ROOT / 'tools' / f'{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def with_protocol(tool, tmp_path):
    """The config that ``tools/train.py CONFIG --protocol NAME`` trains; its parts start from an empty checkpoint."""
    from sr4ir_mm.config import load_config
    from sr4ir_mm.experiments.protocol_options import PROTOCOLS, use_protocol

    start = tmp_path / 'start.pth'
    torch.save(dict(state_dict={}), start)
    rows = Config.fromfile(PROTOCOLS).protocols
    loaded = {}  # reading takes most of the time, and nothing changes what was read

    def make(path, protocol, *options):
        starts = [f'{part}={start}' for part in rows[protocol].get('start', {})]
        arguments = [str(path), '--protocol', protocol, *(['--start', *starts] if starts else []), *options]
        args = tool('train').parse_args(arguments)
        key = args.config, str(args.cfg_options)
        if key not in loaded:
            loaded[key] = load_config(args.config, args.cfg_options)
        return use_protocol(loaded[key], args)

    return make


@pytest.fixture
def config_file(voc_cfg, tmp_path):
    """The tiny config as a file, as a user would pass it."""
    path = tmp_path / 'tiny.py'
    Config(voc_cfg).dump(str(path))
    return str(path)


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    made = {}

    def get(task):
        if task not in made:
            made[task] = save_checkpoint(inference_cfg(task), folder / f'{task}.pth')
        return made[task]

    return get


@pytest.fixture
def inferencer(checkpoints):
    from sr4ir_mm.apis import CascadeInferencer

    def make(task='segmentation', **kwargs):
        return CascadeInferencer(inference_cfg(task), checkpoints(task), device='cpu', show_progress=False, **kwargs)

    return make
