import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import OPTIM_WRAPPER, SR4IR_PHASES, cascade_cfg, seg_batch, segmentor


def build(phases, parts, iterations, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(cascade_cfg(recognizer=segmentor('GN'))).train()
    model.phases = [phase.at(1) for phase in build_phases(phases, model)]
    cfg = dict(constructor=OPTIM_WRAPPER['constructor'], **parts)
    wrapper = build_optim_wrapper(model, copy.deepcopy(dict(cfg, **kwargs)))
    wrapper.initialize_count_status(model, 0, iterations)
    return model, wrapper


def test_accumulation_counts_iterations_and_ends_with_what_is_left(float64):
    """Three iterations, two for a step, each with two backwards; against a plain loop."""
    phases = [dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.5))]
    sgd = dict(restorer=dict(optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=0.01)))
    model, wrapper = build(phases, sgd, 3, accumulative_counts=2)
    batches = [seg_batch(seed=index) for index in range(3)]
    for batch in batches:
        model.train_step(batch, wrapper)

    plain, _ = build(phases, sgd, 3)
    plain.recognizer.eval()
    parameters = list(plain.restorer.parameters())
    for group in (batches[:2], batches[2:]):
        total = 0
        for data in group:
            data = plain.data_preprocessor(data, True)
            batch = Batch(plain, data_samples=data['data_samples'], **data['inputs'])
            batch.start_phase(train_restorer=False)
            sr = plain.restoration(batch.lr)
            losses = plain.recognizer.loss(*plain.task.view(sr, batch))
            total = total + ((sr - batch.hr).abs().mean() + 0.5 * losses['decode.loss_ce']) / len(group)
        gradients = torch.autograd.grad(total, parameters)
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= 0.1 * gradient * min(1, 0.01 / (norm + 1e-6))
    assert norm > 0.01  # or clipping has not been looked at
    for parameter, expected in zip(model.restorer.parameters(), parameters):
        assert torch.allclose(parameter, expected, rtol=1e-9, atol=1e-9)


class Scaler:
    """Stands in for PyTorch's, which works on a GPU only."""

    def __init__(self):
        self.calls = []

    def is_enabled(self):
        return True

    def scale(self, loss):
        return 1024 * loss

    def unscale_(self, optimizer):
        self.calls.append('unscale')
        for group in optimizer.param_groups:
            for parameter in group['params']:
                if parameter.grad is not None:
                    parameter.grad /= 1024

    def step(self, optimizer):
        self.calls.append('step')
        optimizer.step()

    def update(self):
        self.calls.append('update')


@pytest.mark.parametrize('accumulate', [1, 2])
def test_one_scaler_for_all_parts(accumulate, float64):
    parts = {
        part: dict(optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=0.01))
        for part in ('restorer', 'recognizer')
    }
    states, reductions = [], []
    for scaler in (None, Scaler()):
        model, wrapper = build(SR4IR_PHASES, parts, 4, accumulative_counts=accumulate)
        wrapper.scaler = scaler or wrapper.scaler
        for index in range(4):
            model.train_step(seg_batch(seed=index), wrapper, lambda parameters: reductions.append(len(parameters)))
        states.append(model.state_dict())
    for name, value in states[0].items():
        assert torch.allclose(states[1][name], value, rtol=1e-9, atol=1e-9), name
    # both phases unscale and step, then the factor is updated, once for each step
    assert scaler.calls == ['unscale', 'step', 'unscale', 'step', 'update'] * (4 // accumulate)
    assert len(reductions) == 2 * 2 * (4 // accumulate)
