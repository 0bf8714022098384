"""What must come out of a training whatever the images are."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict

from sr4ir_mm.datasets import CQMix
from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.models.phases import build_phases
from tests.conftest import segmentor

from .one_iteration import build, cls_batch, one_iteration, seg_batch
from .test_classifier import resnet


@pytest.mark.parametrize('prob, term', [(1.0, 'task_sr'), (0.0, 'task_hr')])
@pytest.mark.parametrize(
    'task, recognizer, batch',
    [
        ('Classifier', resnet, cls_batch),
        ('Segmentor', segmentor, seg_batch),
    ],
)
def test_cqmix_of_one_kind_of_patches_is_training_on_it(task, recognizer, batch, prob, term):
    """To the bit: with p = 1 training on SR, with p = 0 on HR."""
    weights = []
    for loss in ('task_cqmix', term):
        model, data = build(task, recognizer(), losses={}), batch()
        grids = [CQMix(4, prob).transform(dict(inputs=image))['cqmix_grid'] for image in data['inputs']]
        data['cqmix_grid'] = torch.stack(grids) if task == 'Classifier' else grids
        for _ in range(3):
            # the samples are the training's to change
            one_iteration(
                model,
                copy.deepcopy(data),
                [
                    dict(name='restore', update='restorer', losses=dict(pixel=1.0)),
                    dict(name='recognize', update='recognizer', losses={loss: 0.34}),
                ],
            )
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_large_tdp_weight_brings_the_features_nearer_than_l1_does():
    """Smooth random images, a recognizer with random weights that stays as it is, and the same start for both."""
    distances = {}
    for weight in (0.0, 1e3):
        model = build('Classifier', resnet())
        data = cls_batch(count=4)
        generator = torch.Generator().manual_seed(0)
        blobs = F.interpolate(torch.rand(4, 3, 12, 12, generator=generator), size=(64, 64), mode='bilinear')
        data['inputs'] = (blobs * 255).round().byte()
        phases = [dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=weight))]
        model.phases = build_phases(phases, model)
        optimizers = CascadeOptimWrapperConstructor(ConfigDict(restorer=dict(optimizer=dict(type='Adam', lr=1e-3))))(
            model
        )
        model.train()
        for _ in range(40):
            model.train_step(copy.deepcopy(data), optimizers)
        model.eval()
        with torch.no_grad():
            samples = model.test_step(copy.deepcopy(data))
            sr, hr = (torch.stack([getattr(sample, name) for sample in samples]) for name in ('sr', 'hr'))
            features = [
                model.recognizer.extract_feat(model.recognizer_input(image, [(64, 64)] * 8))[-1] for image in (sr, hr)
            ]
        distances[weight] = F.l1_loss(*features).item()
    assert distances[1e3] < 0.8 * distances[0.0]
