"""The hook that makes the model fast before it is trained, validated or tested."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.engine.efficiency import apply_efficiency
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.runner import unwrap


@HOOKS.register_module()
class EfficiencyHook(Hook):
    """Apply the config's ``efficiency`` to the model, see :func:`~sr4ir_mm.engine.efficiency.apply_efficiency`.

    It does so when the weights are there: a memory format changes the order in which random weights are drawn.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._done = False

    def before_train(self, runner: Runner) -> None:
        if not self._done:
            apply_efficiency(unwrap(runner.model), **runner.cfg.get('efficiency', {}))
            self._done = True

    before_val = before_test = before_train
