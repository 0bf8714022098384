"""Checks of checkpoints, and of the hook that writes them, before a training takes anything from a file."""

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from torch import Tensor

from sr4ir_mm.checkpoints.content import find_mistakes
from sr4ir_mm.errors import CheckpointError, ConfigError, some
from sr4ir_mm.utils.runner import loaded_from, unwrap

from .checkpoint import ResumableCheckpointHook

#: what MMEngine writes into its message hub before a resume overwrites it; among it the text of a config, which is code
_OF_THIS_RUN = ('cfg', 'seed', 'experiment_name', 'mmengine_version')


class ContentHook(Hook):
    """Refuse a checkpoint whose content is not what a training writes. The training loops add this hook.

    Raises:
        CheckpointError: A mistake in it, and where it is.
    """

    priority = 'HIGHEST'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        path = loaded_from(runner)
        weights = checkpoint.get('state_dict', checkpoint)
        wrong = [
            name
            for name in unwrap(runner.model).state_dict()
            if name in weights and not isinstance(weights[name], Tensor)
        ]
        if wrong:
            raise CheckpointError(f'The checkpoint {path} has no tensors as {some(wrong)}.')
        if runner._resume:
            for mistake in find_mistakes(runner, checkpoint):
                raise CheckpointError(f'The training cannot continue from {path}: {mistake}.')
            info = checkpoint.get('message_hub', {}).get('runtime_info', {})
            for key in _OF_THIS_RUN:
                info.pop(key, None)


def check_checkpoint_hook(runner: Runner) -> None:
    """Refuse another checkpoint hook: MMEngine's removes any path that a resumed checkpoint names.

    Raises:
        ConfigError: What to write instead.
    """
    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    foreign = [type(hook).__name__ for hook in hooks if not isinstance(hook, ResumableCheckpointHook)]
    if foreign or runner._resume and not hooks:
        found = f'is a {foreign[0]} of another library' if foreign else 'is missing'
        raise ConfigError(
            f'default_hooks.checkpoint {found}; a training here needs '
            "dict(type='sr4ir_mm.ResumableCheckpointHook', …), which resumes exactly and removes no files but its "
            'own.'
        )
