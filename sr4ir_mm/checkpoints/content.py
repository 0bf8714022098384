"""Look into a checkpoint before a training takes anything from it, so that what is wrong is told in one sentence."""

from typing import Any, Iterator, Optional

import numpy as np
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from sr4ir_mm.errors import quote, some
from sr4ir_mm.utils.random_state import get_random_state, set_random_state

from .resume import buffers_of

_NUMBER = (int, float, np.number)
#: what PyTorch's optimizers keep for each parameter, in its shape
_LIKE_PARAMETER = (
    'exp_avg',
    'exp_avg_sq',
    'max_exp_avg_sq',
    'exp_inf',
    'momentum_buffer',
    'square_avg',
    'grad_avg',
    'acc_delta',
    'sum',
    'prev',
    'step_size',
    'ax',
)


def find_mistakes(runner: Runner, checkpoint: dict) -> Iterator[str]:
    """Yield what is wrong; what is missing is told by the checkpoint hook."""
    yield from _meta(runner, checkpoint)
    yield from _message_hub(checkpoint)
    state = checkpoint.get('resume_state', {})
    if not isinstance(state, dict):
        yield f'`resume_state` is a {type(state).__name__}, not a dict'
    else:
        yield from _resume_state(runner, state)
    optimizers = checkpoint.get('optimizer', {})
    if not isinstance(optimizers, dict):
        yield f'`optimizer` is a {type(optimizers).__name__}, not a dict'
    else:
        yield from _optimizers(runner, optimizers)
    yield from _schedulers(runner.param_schedulers, checkpoint.get('param_schedulers'), 'param_schedulers')
    yield from _averages(checkpoint)
    record = checkpoint.get('run_record', {})
    if not isinstance(record, dict) or any(not isinstance(value, _NUMBER) for value in record.values()):
        yield '`run_record` is not a dict of numbers'


def _meta(runner: Runner, checkpoint: dict) -> Iterator[str]:
    meta, state, loop = checkpoint.get('meta'), checkpoint.get('resume_state'), runner.train_loop
    if meta is None:
        return
    for key in ('epoch', 'iter'):
        if not _is_count(meta.get(key)):
            yield f'meta.{key} is {quote(meta.get(key))}, not a whole number from 0'
            return
    if not (meta.get('seed') is None or _is_count(meta['seed']) and meta['seed'] < 2**32):
        yield f'meta.seed is {quote(meta["seed"])}, not a whole number from 0'
    if isinstance(loop, EpochBasedTrainLoop):
        batches = state.get('batches_per_epoch') if isinstance(state, dict) else None
        if _is_count(batches) and not 0 <= meta['iter'] - meta['epoch'] * batches <= batches:
            yield f"meta.iter is {meta['iter']}, which does not belong to epoch {meta['epoch']} of {batches} batches"
    elif meta['iter'] > loop.max_iters:
        yield f"it was saved after {meta['iter']} iterations, but this training ends after {loop.max_iters}"


def _message_hub(checkpoint: dict) -> Iterator[str]:
    hub = checkpoint.get('message_hub')
    if hub is None:
        return
    for key in ('log_scalars', 'runtime_info', 'resumed_keys'):
        if not isinstance(hub, dict) or not isinstance(hub.get(key), dict):
            yield f'`message_hub` has no dict `{key}`'
            return
        if not all(isinstance(name, str) for name in hub[key]):
            yield f'message_hub.{key} has names that are not text'
    for name, value in hub['log_scalars'].items():
        if not isinstance(value, HistoryBuffer):
            yield f'message_hub.log_scalars has a {type(value).__name__} as {quote(name)}, not a HistoryBuffer'
    for name, value in hub['runtime_info'].items():
        if name.startswith('best_score') and not isinstance(value, _NUMBER):
            yield f'message_hub.runtime_info has a {type(value).__name__} as {quote(name)}, not a number'


def _resume_state(runner: Runner, state: dict) -> Iterator[str]:
    for key in ('processes', 'batches_per_epoch', 'validated_at'):
        if state and key not in state:
            yield f'resume_state lacks `{key}`'
            return
    processes = state.get('processes', [{}])
    if not isinstance(processes, list) or not processes or not all(isinstance(each, dict) for each in processes):
        yield 'resume_state.processes is not a list of dicts'
        return
    if not state:
        return
    if not _is_count(state['batches_per_epoch']):
        yield f'resume_state.batches_per_epoch is {quote(state["batches_per_epoch"])}, not a whole number'
    if not (state['validated_at'] is None or _is_count(state['validated_at'])):
        yield f'resume_state.validated_at is {quote(state["validated_at"])}, not a whole number'
    for rank, process in enumerate(processes):
        where = f'resume_state.processes[{rank}]'
        for key in ('random', 'seeds', 'gradients'):
            if key not in process:
                yield f'{where} lacks `{key}`'
                return
        yield from _random(process['random'], f'{where}.random')
        seeds = process['seeds']
        if not (
            isinstance(seeds, (list, tuple))
            and len(seeds) == 2
            and _is_count(seeds[0])
            and (seeds[1] is None or _is_count(seeds[1]))
        ):
            yield f'{where}.seeds are not two whole numbers'
        gradients = process['gradients']
        if gradients is not None:
            yield from _gradients(runner, gradients, f'{where}.gradients')
        yield from _buffers(runner, process.get('buffers', {}), f'{where}.buffers')
    yield from _kinds(state.get('kinds'))


def _random(found: Any, where: str) -> Iterator[str]:
    own = get_random_state()
    if isinstance(found, dict):
        own = {key: value for key, value in own.items() if key != 'cuda' or key in found}
    mistake = _unlike(found, own, where)
    if mistake:
        yield mistake
        return
    now = get_random_state()
    try:
        set_random_state(found)
    except Exception as error:  # NumPy, Python and PyTorch each raise others
        yield f'{where} is not a state of random generators ({quote(error)})'
    finally:
        set_random_state(now)


def _buffers(runner: Runner, buffers: Any, where: str) -> Iterator[str]:
    if not isinstance(buffers, dict):
        yield f'{where} is a {type(buffers).__name__}, not a dict'
        return
    for name, own in buffers_of(runner):
        if name in buffers and (not isinstance(buffers[name], Tensor) or buffers[name].shape != own.shape):
            yield f'{where} has no tensor of {tuple(own.shape)} as {quote(name)}'


def _kinds(kinds: Any) -> Iterator[str]:
    if kinds is None:
        return
    kinds = kinds if isinstance(kinds, dict) else {}
    optimizers, schedulers = kinds.get('optimizers'), kinds.get('schedulers')
    if not isinstance(optimizers, dict) or not isinstance(schedulers, dict):
        yield 'resume_state.kinds does not name optimizers and schedulers'
    elif not all(isinstance(each, str) for each in optimizers.values()) or not all(
        isinstance(each, list) and all(isinstance(one, str) for one in each) for each in schedulers.values()
    ):
        yield 'resume_state.kinds has names that are not text'


def _gradients(runner: Runner, gradients: Any, where: str) -> Iterator[str]:
    if not isinstance(gradients, dict):
        yield f'{where} is a {type(gradients).__name__}, not a dict'
        return
    for part, wrapper in runner.optim_wrapper.items():
        parameters = [parameter for group in wrapper.param_groups for parameter in group['params']]
        found = gradients.get(part)
        if (
            not isinstance(found, list)
            or len(found) != len(parameters)
            or not all(
                one is None or isinstance(one, Tensor) and one.shape == parameter.shape
                for one, parameter in zip(found, parameters)
            )
        ):
            yield f"{where} are not those of the parameters of '{part}'"
    for part in gradients.keys() - set(runner.optim_wrapper.keys()):
        yield f'{where} has {quote(part)}, for which there is no optimizer'


def _optimizers(runner: Runner, optimizers: dict) -> Iterator[str]:
    wrapper = runner.optim_wrapper
    for part, state in optimizers.items():
        if part == 'scaler':
            if wrapper.scaler.is_enabled() and _unlike(state, wrapper.scaler.state_dict(), 'optimizer.scaler'):
                yield 'optimizer.scaler is not the state of a gradient scaler'
        elif part not in wrapper:
            yield f'`optimizer` has {quote(part)}, for which there is no optimizer; there are: {some(wrapper.keys())}'
        else:
            yield from _optimizer(wrapper[part], state, f'optimizer.{part}')


def _optimizer(wrapper: OptimWrapper, state: Any, where: str) -> Iterator[str]:
    if (
        not isinstance(state, dict)
        or not isinstance(state.get('state'), dict)
        or not isinstance(state.get('param_groups'), list)
    ):
        yield f'{where} is not the state of an optimizer'
        return
    groups, own_groups = state['param_groups'], wrapper.param_groups
    if len(groups) != len(own_groups):
        yield f'{where} has {len(groups)} groups of parameters, but the config makes {len(own_groups)}'
        return
    for index, (group, own) in enumerate(zip(groups, own_groups)):
        what = f'{where}.param_groups[{index}]'
        if not isinstance(group, dict) or not isinstance(group.get('params'), list):
            yield f'{what} is not a group of parameters'
        elif len(group['params']) != len(own['params']) or not all(_is_count(number) for number in group['params']):
            yield f"{what} has {len(group['params'])} parameters, but the config makes {len(own['params'])}"
        else:
            common = {key: value for key, value in own.items() if key in group and key != 'params'}
            mistake = _unlike({key: group[key] for key in common}, common, what)
            if mistake:
                yield mistake
    if wrapper.base_param_settings is not None and not isinstance(state.get('base_param_settings'), dict):
        yield f'{where} lacks base_param_settings'
    parameters = dict(zip(_numbers(groups), (each for group in wrapper.param_groups for each in group['params'])))
    for number, values in state['state'].items():
        if number not in parameters or not isinstance(values, dict):
            yield f'{where}.state has {quote(number)}, which is the number of no parameter'
            continue
        for name, value in values.items():
            if value is None:  # SGD without momentum
                continue
            like_parameter = isinstance(value, Tensor) and value.shape == parameters[number].shape
            if not isinstance(value, (Tensor, *_NUMBER)) or name in _LIKE_PARAMETER and not like_parameter:
                yield f'{where}.state[{number}] has {quote(name)} that does not fit its parameter'


def _numbers(groups: Any) -> Iterator[Any]:
    for group in groups:
        yield from group.get('params', ()) if isinstance(group, dict) else ()


def _averages(checkpoint: dict) -> Iterator[str]:
    averages = checkpoint.get('ema_state_dict')
    if averages is None:
        return
    if not isinstance(averages, dict):
        yield f'`ema_state_dict` is a {type(averages).__name__}, not a dict'
        return
    for name, value in averages.items():  # EMAHook compares names and shapes
        if not isinstance(value, Tensor):
            yield f'`ema_state_dict` has a {type(value).__name__} as {quote(name)}, not a tensor'


def _schedulers(schedulers: Any, state: Any, where: str) -> Iterator[str]:
    if state is None or not schedulers:
        return
    if isinstance(schedulers, dict):
        if not isinstance(state, dict):
            yield f'`{where}` is a {type(state).__name__}, not a dict'
            return
        for part, built in schedulers.items():
            yield from _schedulers(built, state.get(part), f'{where}.{part}')
        return
    if not isinstance(state, list) or not all(isinstance(each, dict) for each in state):
        yield f'{where} is not a list of dicts'
        return
    for index, (scheduler, each) in enumerate(zip(schedulers, state)):
        own = {key: value for key, value in scheduler.state_dict().items() if key in each}
        for key in each.keys() - own.keys():
            if not isinstance(key, str) or hasattr(scheduler, key):
                yield f'{where}[{index}] has {quote(key)}, which is nothing that a scheduler saves'
        mistake = _unlike({key: each[key] for key in own}, own, f'{where}[{index}]')
        if mistake:
            yield mistake


def _unlike(found: Any, own: Any, where: str) -> Optional[str]:
    """Compare the form of a value with that of one of this training; return what is wrong."""
    if isinstance(own, dict):
        if not isinstance(found, dict):
            return f'{where} is a {type(found).__name__}, not a dict'
        for key in own:
            if key not in found:
                return f'{where} lacks {quote(key)}'
            mistake = _unlike(found[key], own[key], f'{where}.{key}')
            if mistake:
                return mistake
        return None
    if isinstance(own, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(own):
            return f'{where} is not a list of {len(own)} values'
        mistakes = (_unlike(*pair, f'{where}[{index}]') for index, pair in enumerate(zip(found, own)))
        return next(filter(None, mistakes), None)
    if isinstance(own, Tensor):
        alike = isinstance(found, Tensor) and found.shape == own.shape and found.dtype == own.dtype
        return None if alike else f'{where} is not a tensor of {tuple(own.shape)}, {own.dtype}'
    if isinstance(own, _NUMBER):
        return None if isinstance(found, _NUMBER) else f'{where} is a {type(found).__name__}, not a number'
    if own is None:
        alike = found is None or isinstance(found, (str, bool, *_NUMBER))
        return None if alike else f'{where} is a {type(found).__name__}'
    return None if isinstance(found, type(own)) else f'{where} is a {type(found).__name__}, not a {type(own).__name__}'


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63
