"""Checkpoints of the libraries go into a cascade, train, come out, and the libraries read them back."""

import copy
import os

import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import pytest
import skimage.data
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from sr4ir_mm.checkpoints import (
    check_doors,
    check_nested,
    load_checkpoint,
    load_part,
    save_checkpoint,
    trust_checkpoints,
)
from sr4ir_mm.checkpoints.export import export_parts
from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import NUM_CLASSES, cascade_cfg, segmentor
from tests.helpers.one_iteration import MEAN_STD, build, cls_batch, det_batch, one_iteration, seg_batch
from tests.test_models.test_classifier import resnet

CLASSES, PALETTE = tuple('abcd'), [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]
EDSR = dict(type='mmagic.EDSRNet', in_channels=3, out_channels=3, mid_channels=8, num_blocks=1, upscale_factor=4)


def detector():
    return dict(
        type='FCOS',
        data_preprocessor=dict(type='DetDataPreprocessor', **MEAN_STD, bgr_to_rgb=True, pad_size_divisor=32),
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_cfg=dict(type='BN')),
        neck=dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=8, start_level=1, num_outs=5),
        bbox_head=dict(
            type='FCOSHead',
            num_classes=NUM_CLASSES,
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            norm_cfg=dict(type='GN', num_groups=2),
        ),
        test_cfg=dict(
            nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20
        ),
    )


TASKS = dict(
    Segmentor=('mmseg', segmentor, seg_batch),
    Detector=('mmdet', detector, det_batch),
    Classifier=('mmpretrain', resnet, cls_batch),
)


class Stub(BaseDataset):
    METAINFO = dict(classes=CLASSES, palette=PALETTE)

    def load_data_list(self):
        return [dict(index=0)]


def spoil(model):
    """Weights and statistics that no initialization gives."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.randn_like(value) * 0.05 + ('running_var' in name or value.dim() == 1))
    return model


def zoo_file(folder, scope, model_cfg, published=True):
    """What MMEngine's runner writes of a model of a host library, as the zoos publish it, and the model."""
    init_default_scope(scope)
    runner = Runner(
        model=ConfigDict(copy.deepcopy(model_cfg), _scope_=scope),
        work_dir=str(folder),
        train_dataloader=torch.utils.data.DataLoader(Stub()),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_scope=scope,
        log_level='ERROR',
        experiment_name=f'{scope}_{folder.name}',
    )
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    spoil(runner.model)
    hub = runner.message_hub
    for step in range(3):
        hub.update_scalar('train/loss', 1.0 / (step + 1))
        hub.update_scalar('train/time', np.float64(0.5))
    hub.update_info('best_score', np.float64(0.5))
    runner.save_checkpoint(str(folder), 'epoch_0.pth', save_optimizer=False, save_param_scheduler=False)
    path = folder / 'epoch_0.pth'
    found = load_checkpoint(str(path))
    assert list(found) == ['meta', 'state_dict', 'message_hub']
    assert found['meta']['dataset_meta'] == dict(classes=CLASSES, palette=PALETTE)
    return str(path), runner.model.eval()


def photo():
    """BGR, as the pipelines of all libraries give it."""
    return torch.from_numpy(skimage.data.astronaut()[100:196:, 180:276, ::-1].copy()).permute(2, 0, 1)


def predictions(model, scope):
    """What a model of a host library says to the photo."""
    init_default_scope(scope)
    sample = dict(mmseg=seg_batch, mmdet=det_batch, mmpretrain=cls_batch)[scope]()['data_samples'][0]
    size = tuple(photo().shape[1:])
    sample.set_metainfo(
        dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0), pad_shape=size, batch_input_shape=size)
    )
    if scope == 'mmseg':
        del sample.gt_sem_seg
    with torch.no_grad():
        found = model.eval().test_step(
            dict(inputs=[photo()], data_samples=[sample])
            if scope != 'mmpretrain'
            else dict(inputs=photo()[None], data_samples=[sample])
        )[0]
    if scope == 'mmseg':
        return [found.seg_logits.data]
    if scope == 'mmdet':
        return [found.pred_instances.bboxes, found.pred_instances.scores]
    return [found.pred_score]


def assert_equal(found, expected):
    assert len(found) == len(expected) and all(torch.equal(one, other) for one, other in zip(found, expected))


@pytest.mark.parametrize('task', TASKS)
def test_in_train_out_and_back_into_the_host_library(task, tool, tmp_path):
    scope, recognizer, batch = TASKS[task]
    path, published = zoo_file(tmp_path, scope, recognizer())
    cfg = dict(recognizer(), init_cfg=dict(type='Pretrained', checkpoint=path))
    cascade = build(task, cfg)
    assert_equal(predictions(cascade.recognizer, scope), predictions(published, scope))

    cascade.train()
    one_iteration(cascade, batch())
    expected = predictions(cascade.recognizer, scope)
    assert not torch.equal(expected[0], predictions(published, scope)[0])
    meta = dict(
        dataset_meta=dict(classes=CLASSES, palette=PALETTE), epoch=1, iter=1, best=np.float64(0.5), cfg='import os'
    )
    trained = str(tmp_path / 'cascade.pth')
    save_checkpoint(
        dict(meta=meta, state_dict=cascade.state_dict(), message_hub=MessageHub.get_current_instance().state_dict()),
        trained,
    )
    config = tmp_path / 'config.py'
    Config(dict(default_scope=scope, model=dict(scale=4, restorer=dict(EDSR), recognizer=cfg))).dump(str(config))
    tool('model_converters/export_parts').main([trained, str(tmp_path / 'parts'), '--config', str(config)])

    # the library's own way, without anything of this package: MMEngine's loaders as it brings them
    exported = str(tmp_path / 'parts/recognizer.pth')
    content = torch.load(exported, weights_only=True)
    assert content['meta']['dataset_meta'] == dict(classes=CLASSES, palette=PALETTE)
    init_default_scope(scope)
    host = MODELS.build(ConfigDict(Config.fromfile(tmp_path / 'parts/recognizer.py').model, _scope_=scope))
    missing = mmengine_checkpoint._load_checkpoint_to_model(host, content, strict=True)
    assert missing is content  # strict: nothing missing, nothing unexpected
    assert_equal(predictions(host, scope), expected)

    # and the restorer in mmagic
    init_default_scope('mmagic')
    editor = MODELS.build(dict(Config.fromfile(tmp_path / 'parts/restorer.py').model, _scope_='mmagic')).eval()
    content = torch.load(tmp_path / 'parts/restorer.pth', weights_only=True)
    mmengine_checkpoint._load_checkpoint_to_model(editor, content, strict=True)
    image = photo()[None] / 255.0
    with torch.no_grad():
        assert torch.equal(editor.generator(image), cascade.eval().restoration(image))

    # the round trip: cascade, parts, cascade
    again = build(
        task,
        dict(recognizer(), init_cfg=dict(type='Pretrained', checkpoint=exported)),
        dict(EDSR, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'parts/restorer.pth'))),
    )
    before, after = cascade.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert value.dtype == after[name].dtype and value.numpy().tobytes() == after[name].numpy().tobytes(), name


# ---------- which names fit


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def saved(tmp_path, weights, name='a.pth', key='state_dict'):
    torch.save({key: weights} if key else weights, tmp_path / name)
    return str(tmp_path / name)


def below(prefix, model):
    return {prefix + name: value for name, value in model.state_dict().items()}


@pytest.mark.parametrize('prefix', ['', 'module.', 'generator.', 'restorer.', 'recognizer.', 'generator_ema.'])
@pytest.mark.parametrize('key', ['state_dict', 'params', None])
def test_usual_prefixes_are_taken_off(tmp_path, prefix, key):
    source, target = network(), network()
    report = load_part(target, saved(tmp_path, below(prefix, source), key=key))
    assert len(report.loaded) == 4 and not report.missing
    assert_equal(list(target.state_dict().values()), list(source.state_dict().values()))


def test_averaged_weights_are_preferred(tmp_path):
    """As mmagic's GANs save them."""
    from mmagic.models.base_models import ExponentialMovingAverage

    model = nn.Module()
    model.generator, model.discriminator = spoil(MODELS.build(EDSR)), nn.Linear(2, 2)
    model.generator_ema = ExponentialMovingAverage(model.generator)
    spoil(model.generator)
    target = MODELS.build(EDSR)
    report = load_part(target, saved(tmp_path, model.state_dict()))
    assert report.loaded and not report.missing
    assert_equal(list(target.state_dict().values()), list(model.generator_ema.module.state_dict().values()))
    load_part(target, saved(tmp_path, model.state_dict()), prefix='generator')
    assert_equal(list(target.state_dict().values()), list(model.generator.state_dict().values()))


def test_the_parts_of_a_cascade_checkpoint(tmp_path):
    source, target = (MODELS.build(cascade_cfg()) for _ in range(2))
    path = saved(tmp_path, spoil(source).state_dict())
    for name, part in target.parts.items():
        assert not load_part(part, path, prefix=name).missing
        assert not load_part(part, path).missing
    assert_equal(list(target.state_dict().values()), list(source.state_dict().values()))


def test_a_backbone_goes_into_a_recognizer_and_the_rest_is_new(tmp_path, caplog):
    source = spoil(MODELS.build(ConfigDict(segmentor(), _scope_='mmseg')))
    target = MODELS.build(ConfigDict(segmentor(), _scope_='mmseg'))
    for path in (
        saved(tmp_path, source.backbone.state_dict(), 'bare.pth'),
        saved(tmp_path, below('backbone.', source.backbone)),
    ):
        report = load_part(target, path)
        assert len(report.loaded) == len(source.backbone.state_dict())
        assert report.missing and all(name.startswith('decode_head.') for name in report.missing)
        with pytest.raises(CheckpointError, match=r'does not fill EncoderDecoder .* decode_head'):
            load_part(target, path, whole=True)
    # and the backbone of a whole model into a backbone
    assert not load_part(target.backbone, saved(tmp_path, source.state_dict())).missing
    assert_equal(list(target.backbone.state_dict().values()), list(source.backbone.state_dict().values()))


def test_another_number_of_classes_only_where_the_config_says_so(tmp_path):
    source = spoil(MODELS.build(ConfigDict(segmentor(), _scope_='mmseg')))
    path = saved(tmp_path, source.state_dict())
    cfg = segmentor()
    cfg['decode_head']['num_classes'] = 7
    cfg['init_cfg'] = dict(type='Pretrained', checkpoint=path)
    with pytest.raises(
        CheckpointError,
        match=r'2 tensors of another shape than EncoderDecoder: decode_head.conv_seg.weight '
        r"\(4, 8, 1, 1\), not \(7, 8, 1, 1\).*model.recognizer.init_cfg.reinit=\['decode_head.conv_seg'\]",
    ):
        build('Segmentor', cfg)
    cfg['init_cfg']['reinit'] = ['decode_head.conv_seg']
    found = build('Segmentor', cfg).recognizer.state_dict()
    for name, value in source.state_dict().items():
        if 'conv_seg' in name:
            assert found[name].std() < 0.02  # as mmseg begins: normal with 0.01
        else:
            assert torch.equal(found[name], value), name
    cfg['init_cfg']['reinit'] = ['head']
    with pytest.raises(ConfigError, match="reinit names 'head', but EncoderDecoder has no such"):
        build('Segmentor', cfg)
    cfg['init_cfg'] = dict(type='Pretrained', checkpoint=path, prefx='a')
    with pytest.raises(ConfigError, match="a key of model.recognizer.init_cfg is 'prefx'.*Did you mean 'prefix'"):
        build('Segmentor', cfg)


def test_nothing_fits(tmp_path):
    path = saved(tmp_path, dict(other=torch.ones(2)))
    init_cfg = dict(type='Pretrained', checkpoint=path)
    for cfg, key in (
        (dict(recognizer=dict(segmentor(), init_cfg=init_cfg)), 'model.recognizer.init_cfg'),
        (dict(restorer=dict(EDSR, init_cfg=init_cfg)), 'model.restorer.init_cfg'),
        (dict(recognizer=segmentor(init_cfg=init_cfg)), 'model.recognizer.backbone.init_cfg'),
    ):
        with pytest.raises(
            CheckpointError, match=f'Nothing of the checkpoint .* fits .*{key}.* for example other; the model has'
        ):
            build('Segmentor', **dict(dict(recognizer=segmentor()), **cfg))
    with pytest.raises(CheckpointError, match='has no weights; it has meta'):
        torch.save(dict(meta={}), path)
        load_part(network(), path)


@pytest.mark.parametrize('name', ['/tmp/evil', '../evil', 'a/b', '', '\x1b[2J', 'data_preprocessor'])
def test_parts_of_strange_names_are_not_exported(tmp_path, name):
    weights = MODELS.build(cascade_cfg()).state_dict()
    path = saved(tmp_path, dict(weights, **{f'{name}.weight': torch.ones(1)}))
    with pytest.raises(CheckpointError, match='which is not a part of a cascade|cannot be printed') as error:
        export_parts(path, str(tmp_path / 'out/parts'))
    assert str(error.value).isprintable()
    assert sorted(os.listdir(tmp_path)) == [os.path.basename(path)]


def test_timm_goes_through_the_reader(tmp_path):
    """As backbone and as classifier; timm's own argument would run the file."""
    timm = pytest.importorskip('timm')
    source = spoil(timm.create_model('resnet10t', num_classes=NUM_CLASSES))
    path = saved(tmp_path, source.state_dict())
    head = dict(type='LinearClsHead', num_classes=NUM_CLASSES, in_channels=512)
    backbone = dict(type='TIMMBackbone', model_name='resnet10t')
    cfg = dict(type='ImageClassifier', backbone=backbone, neck=dict(type='GlobalAveragePooling'), head=head)
    init_cfg = dict(type='Pretrained', checkpoint=path)
    found = build('Classifier', dict(cfg, init_cfg=init_cfg)).recognizer.backbone.timm_model.state_dict()
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in found.items())
    for key, value in (('checkpoint_path', path), ('model_name', 'hf-hub:someone/net')):
        wrong = dict(
            cfg,
            backbone=dict(backbone, pretrained=True, **{key: value})
            if key == 'model_name'
            else dict(backbone, **{key: value}),
        )
        with pytest.raises(ConfigError, match=rf"model.recognizer.backbone.{key} is '{value}'.*init_cfg=dict"):
            build('Classifier', wrong)


@pytest.mark.parametrize(
    'cfg, key',
    [
        (dict(type='mmagic.DeblurGanV2Generator', model='a', pretrained='a.pth'), 'pretrained'),
        (dict(type='mmpretrain.BEiT', codebook=dict(codebook_init_path='a.pth')), 'codebook.codebook_init_path'),
        (dict(type='mmagic.ADM', pretrained_cfgs=[dict(ckpt_path='a.pth')]), r'pretrained_cfgs\[0\].ckpt_path'),
    ],
)
def test_networks_that_read_files_by_themselves_are_refused(cfg, key):
    with pytest.raises(ConfigError, match=rf"model.restorer.{key} is 'a.pth'"):
        check_doors(cfg, 'model.restorer')
    with trust_checkpoints():
        check_doors(cfg, 'model.restorer')
    check_doors(dict(cfg, pretrained=None, codebook={}, pretrained_cfgs=[]), 'model.restorer')


def test_a_nested_checkpoint_that_fits_is_left_to_mmengine(tmp_path):
    source = spoil(MODELS.build(ConfigDict(segmentor(), _scope_='mmseg')))
    path = saved(tmp_path, source.state_dict())
    cfg = segmentor(init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'))
    model = build('Segmentor', cfg)
    assert_equal(list(model.recognizer.backbone.state_dict().values()), list(source.backbone.state_dict().values()))
    check_nested(model, 'model')


def test_test_without_a_checkpoint_takes_each_part_from_its_own(tool, voc_cfg, tmp_path):
    source = spoil(MODELS.build(cascade_cfg()))
    path = saved(tmp_path, source.state_dict())
    for part in ('restorer', 'recognizer'):
        voc_cfg.model[part].init_cfg = dict(type='Pretrained', checkpoint=path, prefix=part)
    voc_cfg.train_dataloader = voc_cfg.train_cfg = voc_cfg.optim_wrapper = None

    def run(*args):
        config = tmp_path / 'test.py'
        Config(voc_cfg).dump(str(config))
        return tool('test').main([str(config), *args])

    assert run() == run(path)
    voc_cfg.model.recognizer.init_cfg.reinit = ['decode_head']
    with pytest.raises(ConfigError, match='reinit leaves .* at random, but a test needs all weights'):
        run()
    del voc_cfg.model.recognizer['init_cfg']
    with pytest.raises(ConfigError, match='model.recognizer.init_cfg does not say where the weights come from'):
        run()


@pytest.mark.parametrize('ending', ['pth', 'safetensors'])
def test_publish(tool, tmp_path, capsys, ending):
    import hashlib
    import re

    weights = dict(restorer=torch.ones(2))
    path = str(tmp_path / 'in.pth')
    torch.save(
        dict(
            meta=dict(best=np.float64(0.5), epoch=3),
            state_dict=weights,
            optimizer=dict(state={}),
            message_hub={},
            param_schedulers=[],
        ),
        path,
    )
    tool('model_converters/publish_model').main([path, str(tmp_path / f'out.{ending}')])
    out = capsys.readouterr().out.strip().splitlines()[-1]
    assert re.fullmatch(rf'out_\d{{8}}-[0-9a-f]{{8}}\.{ending}', out.rsplit('/', 1)[1])
    with open(out, 'rb') as file:
        assert hashlib.sha256(file.read()).hexdigest().startswith(out.split('-')[-1].split('.')[0])
    content = load_checkpoint(out)
    assert list(content) == ['meta', 'state_dict'] and content['meta'] == dict(best=0.5, epoch=3)
    assert torch.equal(content['state_dict']['restorer'], weights['restorer'])
