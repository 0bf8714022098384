from typing import Optional

from mmengine.hooks import EMAHook as _EMAHook
from mmengine.registry import MODELS
from mmengine.runner import Runner

from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils import check_choice

from .utils import unwrap


@HOOKS.register_module()
class EMAHook(_EMAHook):
    """MMEngine's hook of this name, for one part of a cascade or for all of it.

    Args:
        part: The part of which the average is kept, for example ``restorer``. None: the whole cascade.
        **kwargs: As of MMEngine's hook.
    """

    def __init__(self, part: Optional[str] = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.part = part
        self._prefix = '' if part is None else f'{part}.'

    def before_run(self, runner: Runner) -> None:
        cascade = unwrap(runner.model)
        if self.part is not None:
            check_choice(self.part, cascade.parts, 'EMAHook.part')
        self.src_model = cascade if self.part is None else cascade.parts[self.part]
        self.ema_model = MODELS.build(self.ema_cfg, default_args=dict(model=self.src_model))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        own = dict(checkpoint, state_dict=self._own(checkpoint))
        super().after_load_checkpoint(runner, own)
        self._put_back(checkpoint, own)

    def _swap_ema_state_dict(self, checkpoint: dict) -> None:
        own = dict(checkpoint, state_dict=self._own(checkpoint))
        super()._swap_ema_state_dict(own)
        self._put_back(checkpoint, own)

    def _own(self, checkpoint: dict) -> dict:
        length = len(self._prefix)
        return {name[length:]: value for name, value in checkpoint['state_dict'].items() if name.startswith(self._prefix)}

    def _put_back(self, checkpoint: dict, own: dict) -> None:
        checkpoint['state_dict'].update({self._prefix + name: value for name, value in own['state_dict'].items()})
