import pytest
import torch

from sr4ir_mm.errors import ConfigError

from .one_iteration import MEAN_STD, NUM_CLASSES, build, check_one_iteration, cls_batch, one_iteration


def resnet(**backbone):
    return dict(
        type='ImageClassifier',
        data_preprocessor=dict(MEAN_STD, to_rgb=True),
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, **backbone),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', in_channels=64, num_classes=NUM_CLASSES),
    )


def test_an_iteration_moves_what_it_shall():
    model = build('Classifier', resnet(frozen_stages=1))
    frozen = {name: value.clone() for name, value in model.recognizer.named_parameters() if not value.requires_grad}
    assert any(name.startswith('backbone.layer1') for name in frozen)
    check_one_iteration(model, cls_batch())
    for name, value in model.recognizer.named_parameters():
        assert value.requires_grad != (name in frozen), name
        assert name not in frozen or torch.equal(value, frozen[name]), name


def test_tdp_compares_what_the_backbone_returns_before_the_pooling(monkeypatch):
    model = build('Classifier', resnet(out_indices=(2, 3)), losses=dict(tdp=dict(features=[0, 1], weights=[0.5, 0.5])))
    seen = []
    compare = model.losses.tdp.compare

    def recorded(sr, hr):
        seen.append([tuple(feature.shape) for feature in sr])
        return compare(sr, hr)

    monkeypatch.setattr(model.losses.tdp, 'compare', recorded)
    one_iteration(model, cls_batch())
    assert seen == [[(2, 32, 4, 4), (2, 64, 2, 2)]]


def test_the_frozen_restorer_of_s2t_stays():
    model = build('Classifier', resnet())
    phases = [dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))]
    logs, moves = one_iteration(model, cls_batch(), phases)
    assert set(logs) == {'loss', 'loss_task_sr'} and moves == [({'recognizer'}, {'recognizer'})]


def test_predictions_come_with_the_images():
    model = build('Classifier', resnet()).eval()
    data = cls_batch((64, 48))
    for index, sample in enumerate(model.test_step(dict(data))):
        assert sample.pred_score.shape == (NUM_CLASSES,) and sample.gt_label.item() == index
        assert sample.sr.shape == sample.hr.shape == (3, 64, 48) and sample.lr.shape == (3, 16, 12)
        torch.testing.assert_close(sample.hr, data['inputs'][index].flip(0) / 255)


def test_hr_gets_the_prediction_of_the_bare_classifier():
    model = build('Classifier', resnet(), restorer=None, losses={}).eval()
    found = model.test_step(cls_batch())
    for sample, expected in zip(found, model.recognizer.test_step(cls_batch())):
        torch.testing.assert_close(sample.pred_score, expected.pred_score)


def test_a_label_that_is_no_class_is_named():
    data = cls_batch()
    data['data_samples'][1].set_gt_label(NUM_CLASSES)
    with pytest.raises(ConfigError, match=r'1\.jpg have the values \[4\]; the recognizer allows 0 to 3\.'):
        one_iteration(build('Classifier', resnet()), data)


def test_mixed_labels_need_no_code_here():
    """Mixup, which belongs to the host's data preprocessor, mixes hr before it is degraded."""
    recognizer = dict(resnet(), train_cfg=dict(augments=dict(type='Mixup', alpha=1.0)))
    recognizer['data_preprocessor']['num_classes'] = NUM_CLASSES
    recognizer['head']['loss'] = dict(type='CrossEntropyLoss', use_soft=True)
    check_one_iteration(build('Classifier', recognizer), cls_batch())
