"""Compares a resumed training with its checkpoint, and keeps what each process has of its own."""

from collections import Counter
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import Tensor, nn

from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.utils.random_state import get_random_state
from sr4ir_mm.utils.runner import unwrap

# of a scheduler: what changes while it runs, or follows from the optimizer
_MOVING = ('last_step', 'base_values', 'best', 'num_bad_epochs', 'cooldown_counter')


# ---------- what each process has of its own


def gather_processes(runner: Runner) -> List[dict]:
    """Collect what differs between the processes of a training; all of them have to call this.

    Returns:
        For each process: its random state, the seeds of its data, gradients that wait for the rest of an accumulation,
        and those buffers (statistics of batch norm) that differ from the first process's, which the model's own state
        has.
    """
    own = dict(
        random=get_random_state(),
        seeds=runner.train_dataloader.get_seeds(),
        gradients=runner.optim_wrapper.gradients(),
        buffers={name: value.cpu() for name, value in buffers_of(runner)} if get_world_size() > 1 else {},
    )
    processes = all_gather_object(own) if get_world_size() > 1 else [own]
    first = processes[0]['buffers']
    for process in processes[1:]:
        process['buffers'] = {
            name: value for name, value in process['buffers'].items() if not torch.equal(value, first[name])
        }
    return [dict(processes[0], buffers={}), *processes[1:]]


@torch.no_grad()
def load_buffers(runner: Runner, saved: Dict[str, Tensor]) -> None:
    """Give this process the buffers that it had when the checkpoint was saved."""
    for name, value in buffers_of(runner):
        if name in saved:
            value.copy_(saved[name])


def buffers_of(runner: Runner) -> Iterator[Tuple[str, Tensor]]:
    """Yield the buffers of the model and of its averages, by names that tell them apart."""
    averages = {f'ema{index}': hook.ema_model for index, hook in enumerate(_averages(runner))}
    for prefix, module in dict(model=unwrap(runner.model), **averages).items():
        for name, value in module.state_dict(keep_vars=True).items():
            if not isinstance(value, nn.Parameter):
                yield f'{prefix}.{name}', value


def _averages(runner: Runner) -> List[EMAHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EMAHook)]


# ---------- what a checkpoint has to have


def check_resumable(runner: Runner, checkpoint: dict, path: str) -> None:
    """Refuse a checkpoint from which the training would not go on as if it had never stopped.

    Args:
        runner: With the model, the optimizers and the schedulers of the config.
        checkpoint: The checkpoint.
        path: Its name, for messages.

    Raises:
        ConfigError: It lacks something, or optimizers or schedules are of another kind than the config's.
        CheckpointError: Its tensors are not those of the model.
    """
    missing = _missing(runner, checkpoint)
    if missing:
        raise ConfigError(
            f'The training cannot continue from {path}: it lacks '
            f"{', '.join(missing)}. To begin a new training with its weights, set load_from instead."
        )
    check_tensors(unwrap(runner.model), checkpoint['state_dict'], path)
    changed = _changed_kinds(runner, checkpoint)
    if changed:
        raise ConfigError(
            f'The training cannot continue from {path}: {"; ".join(changed)}. Resume with the config that it '
            'was trained with; to begin a new training with its weights, set load_from instead.'
        )


def check_tensors(module: nn.Module, state: Dict[str, Tensor], path: str) -> None:
    """Refuse tensors that are not exactly those of a module; MMEngine would leave the rest as it is, with a warning.

    Raises:
        CheckpointError: With the names of those that are missing, too many, or of another kind.
    """
    own = module.state_dict()
    problems = {
        'missing': [repr(name) for name in own if name not in state],
        'not in the model': [_quote(name) for name in state if name not in own],
        'of another kind': [
            f'{name!r}, {_kind(state[name])} instead of {_kind(value)}'
            for name, value in own.items()
            if name in state and _kind(state[name]) != _kind(value)
        ],
    }
    if any(problems.values()):
        found = '; '.join(f'{what}: {_first(names)}' for what, names in problems.items() if names)
        raise CheckpointError(
            f'The training cannot continue from {path}: its tensors are not those of the model ({found}). '
            'Resume with the config that it was trained with; to begin a new training with those that '
            'fit, set load_from instead.'
        )


def check_fits(module: nn.Module, state: Dict[str, Tensor], path: str) -> None:
    """Refuse weights for ``load_from`` of which not one fits the model.

    Raises:
        CheckpointError: With names of both.
    """
    own = module.state_dict()
    # MMEngine removes the name of a wrapper
    found = {str(name).removeprefix('module.'): value for name, value in state.items()}
    if own and not any(
        name in own and getattr(value, 'shape', None) == own[name].shape for name, value in found.items()
    ):
        raise CheckpointError(
            f'Nothing of the checkpoint {path} fits the model (load_from). It has for example '
            f'{_first([_quote(name) for name in state])}; the model has {_first(list(map(repr, own)))}.'
        )


def _missing(runner: Runner, checkpoint: dict) -> List[str]:
    """Yield what an exact resume needs and a checkpoint does not have."""
    missing = [
        f'`{key}`'
        for key in ('meta', 'state_dict', 'message_hub', 'optimizer', 'resume_state')
        if key not in checkpoint
    ]
    optimizers = checkpoint.get('optimizer')
    if optimizers is not None:
        missing += [f"the optimizer of '{part}'" for part, _ in runner.optim_wrapper.items() if part not in optimizers]
        if runner.optim_wrapper.scaler.is_enabled() and 'scaler' not in optimizers:
            missing.append('the state of the gradient scaler')
    schedulers = runner.param_schedulers
    if schedulers and 'param_schedulers' not in checkpoint:
        missing.append('`param_schedulers`')
    elif isinstance(schedulers, dict):
        missing += [
            f"schedulers of '{part}'"
            for part, built in schedulers.items()
            if len(checkpoint['param_schedulers'].get(part, ())) != len(built)
        ]
    if _averages(runner) and 'ema_state_dict' not in checkpoint:
        missing.append('`ema_state_dict`')
    return missing


# ---------- optimizers and schedules


def kinds(runner: Runner) -> Dict[str, dict]:
    """Name the classes of the optimizers and schedulers of each part, for the checkpoint."""
    return dict(
        optimizers={part: type(wrapper.optimizer).__name__ for part, wrapper in runner.optim_wrapper.items()},
        schedulers={
            part: [type(scheduler).__name__ for scheduler in built] for part, built in _schedulers(runner).items()
        },
    )


def _changed_kinds(runner: Runner, checkpoint: dict) -> List[str]:
    """Optimizers and schedulers that cannot take up the checkpoint's state."""
    saved, now, changed = checkpoint['resume_state'].get('kinds'), kinds(runner), []
    for part, wrapper in runner.optim_wrapper.items():
        groups, own = checkpoint['optimizer'][part]['param_groups'], wrapper.param_groups
        name = now['optimizers'][part]
        before = saved['optimizers'].get(part) if saved else None
        if before not in (None, name) or before is None and _is_other(groups[0], own[0]):
            changed.append(
                f"its optimizer of '{part}' is {_quote(before) if before else 'another one'}, "
                f'and the config has {name!r}'
            )
    for part, built in _schedulers(runner).items():
        states = checkpoint['param_schedulers'][part]
        before = saved['schedulers'].get(part) if saved else None
        if (
            before not in (None, now['schedulers'][part])
            or before is None
            and any(_is_other(state, scheduler.state_dict()) for state, scheduler in zip(states, built))
        ):
            changed.append(
                f"its schedule of '{part}' is {_quote(before) if before else 'another one'}, "
                f"and the config has {now['schedulers'][part]}"
            )
    return changed


def differences(runner: Runner, checkpoint: dict) -> List[str]:
    """Say where the checkpoint's optimizers and schedules differ from the config's; a resume takes the checkpoint's."""
    found = []
    for part, wrapper in runner.optim_wrapper.items():
        for saved, own in zip(checkpoint['optimizer'][part]['param_groups'], wrapper.param_groups):
            # of a scheduled value, the one to begin with
            names = [name for name in own if name != 'params' and name in saved and f'initial_{name}' not in own]
            found += [(f'{name.removeprefix("initial_")} of {part}', saved[name], own[name]) for name in names]
    for part, built in _schedulers(runner).items():
        for index, (saved, scheduler) in enumerate(zip(checkpoint['param_schedulers'][part], built)):
            own = scheduler.state_dict()
            names = [name for name in own if name in saved and name not in _MOVING and not name.startswith('_')]
            found += [(f'param_scheduler.{part}.{index}.{name}', saved[name], own[name]) for name in names]
    texts = [
        f'{name} is {_quote(_plain(saved))} (config: {_plain(own)!r})'
        for name, saved, own in found
        if _plain(saved) is not None and _plain(own) is not None and _plain(saved) != _plain(own)
    ]
    return list(dict.fromkeys(texts))


def _schedulers(runner: Runner) -> dict:
    return runner.param_schedulers if isinstance(runner.param_schedulers, dict) else {}


def _is_other(saved: dict, own: dict) -> bool:
    """Compare by their settings two of which the class is not known; a newer library may have added some."""
    return bool(saved.keys() - own.keys()) and bool(own.keys() - saved.keys())


def _plain(value: Any) -> Any:
    """Numbers, texts and sequences of them in a form that compares; None for anything else."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Counter):
        return sorted(value.elements())
    if isinstance(value, Sequence) and all(isinstance(each, (bool, int, float, str)) for each in value):
        return list(value)
    return None


def _kind(value: Any) -> str:
    return f'{tuple(value.shape)} {str(value.dtype)[6:]}' if isinstance(value, Tensor) else type(value).__name__


def _quote(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f'{text[:100]}…'


def _first(names: List[str], count: int = 5) -> str:
    more = len(names) - count
    return ', '.join(names[:count]) + (f' and {more} more' if more > 0 else '') or 'nothing'
