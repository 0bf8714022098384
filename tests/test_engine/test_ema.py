import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import ConfigError
from tests.test_engine.test_loops import run


@HOOKS.register_module(force=True)
class Keep(Hook):
    """The weights after each iteration."""

    weights = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.weights.append(copy.deepcopy(runner.model.state_dict()))


@pytest.mark.parametrize('part, other', [('restorer', 'recognizer'), ('recognizer', 'restorer')])
def test_the_average_of_one_part(voc_cfg, part, other):
    Keep.weights.clear()
    voc_cfg.custom_hooks += [dict(type='sr4ir_mm.PartEMAHook', part=part, momentum=0.25), dict(type='Keep')]
    run(copy.deepcopy(voc_cfg))
    checkpoint = load_checkpoint(f'{voc_cfg.work_dir}/epoch_2.pth')
    last = Keep.weights[-1]
    for name, parameter in last.items():
        saved = checkpoint['state_dict'][name]
        if not name.startswith(part):
            assert name.startswith(other) or 'recognizer_input' in name or 'data_preprocessor' in name
            assert torch.equal(saved, parameter)
        elif 'weight' in name:
            average = Keep.weights[0][name]
            for weights in Keep.weights[1:]:
                average = 0.75 * average + 0.25 * weights[name]
            assert torch.allclose(saved, average, atol=1e-7)
            # what training goes on with
            assert torch.equal(checkpoint['ema_state_dict'][f'module.{name[len(part) + 1:]}'], parameter)


def test_a_part_that_is_not_there(voc_cfg):
    voc_cfg.custom_hooks.append(dict(type='sr4ir_mm.PartEMAHook', part='generator'))
    with pytest.raises(ConfigError, match="PartEMAHook.part is 'generator'; allowed: 'restorer', 'recognizer'"):
        run(voc_cfg)
