"""The hook that keeps a moving average of one part."""

from typing import Optional

from mmengine.hooks import EMAHook
from mmengine.registry import MODELS
from mmengine.runner import Runner

from sr4ir_mm.checkpoints.resume import check_tensors
from sr4ir_mm.errors import check_choice
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.runner import loaded_from, unwrap


@HOOKS.register_module()
class PartEMAHook(EMAHook):
    """MMEngine's hook of this name, for one part of a cascade or for all of it.

    Args:
        part: The part of which the average is kept, for example ``restorer``. None: the whole cascade.
        **kwargs: See MMEngine's hook.
    """

    def __init__(self, part: Optional[str] = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.part = part
        self._prefix = '' if part is None else f'{part}.'

    def before_run(self, runner: Runner) -> None:
        cascade = unwrap(runner.model)
        if self.part is not None:
            check_choice(self.part, cascade.parts, 'PartEMAHook.part')
        self.src_model = cascade if self.part is None else cascade.parts[self.part]
        self.ema_model = MODELS.build(self.ema_cfg, default_args=dict(model=self.src_model))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume and 'ema_state_dict' in checkpoint:
            # before anything is exchanged by name
            path = loaded_from(runner)
            check_tensors(unwrap(runner.model), checkpoint.get('state_dict', {}), path)
            check_tensors(self.ema_model, checkpoint['ema_state_dict'], path)
            super().after_load_checkpoint(runner, checkpoint)
        else:  # an average begins with the weights of the part
            super().after_load_checkpoint(runner, self._of_part(checkpoint))

    def _swap_ema_state_dict(self, checkpoint: dict) -> None:
        own = self._of_part(checkpoint)
        super()._swap_ema_state_dict(own)
        checkpoint['state_dict'].update({self._prefix + name: value for name, value in own['state_dict'].items()})

    def _of_part(self, checkpoint: dict) -> dict:
        length, weights = len(self._prefix), checkpoint.get('state_dict', checkpoint).items()
        own = {name[length:]: value for name, value in weights if name.startswith(self._prefix)}
        return dict(checkpoint, state_dict=own)
