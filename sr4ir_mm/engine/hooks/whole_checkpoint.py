"""The hook that refuses to test a model whose checkpoint leaves weights at random."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.checkpoints.integrity import check_filled
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.runner import unwrap


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Refuse to test a model that the checkpoint does not fill: MMEngine leaves the rest at random with a warning."""

    priority = 'HIGHEST'  # before any hook takes something from the checkpoint

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        model = unwrap(runner.model)
        check_filled(
            model,
            checkpoint.get('state_dict', checkpoint),
            runner._load_from,
            'the model of the config',
            'test it with the config that it was trained with',
        )
