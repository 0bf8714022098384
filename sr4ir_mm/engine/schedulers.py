"""Schedulers of the published recipes, and whether a schedule fits the length of its training."""

import logging
import math
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from mmengine.logging import print_log
from mmengine.optim.scheduler import ConstantParamScheduler, LinearLR, OneCycleParamScheduler, _ParamScheduler
from mmengine.optim.scheduler import CosineRestartLR as _CosineRestartLR
from mmengine.optim.scheduler.param_scheduler import INF

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class CosineRestartLR(_CosineRestartLR):
    """Cosine annealing with restarts, at each step exactly as SR4IR's published schedules.

    MMEngine's scheduler of this name restarts one step earlier, so that the minimum is never reached, and computes each
    value from the one before, which lets rounding errors grow. Arguments are the same.
    """

    def _get_value(self) -> List[float]:
        index = next((index for index, end in enumerate(self.cumulative_periods) if self.last_step <= end), None)
        if index is None:
            return [group[self.param_name] for group in self.optimizer.param_groups]
        start = self.cumulative_periods[index] - self.periods[index]
        cosine = (1 + math.cos(math.pi * (self.last_step - start) / self.periods[index])) / 2
        values = []
        for base in self.base_values:
            low = self.eta_min if self.eta_min_ratio is None else base * self.eta_min_ratio
            values.append(low + (base * self.restart_weights[index] - low) * cosine)
        return values


@PARAM_SCHEDULERS.register_module()
class LinearRampLR(LinearLR):
    """A linear ramp that arrives where the next scheduler begins, exactly as SR4IR's for detection.

    MMEngine's ``LinearLR`` arrives one step before its end and computes each value from the one before.

    Args:
        optimizer: The optimizer, or its wrapper.
        start_factor: The factor at the first step. None: 1 / (number of steps), so that a ramp over the first epoch
            begins at the learning rate divided by the length of the epoch, whatever the data set.
        **kwargs: See :class:`mmengine.optim.LinearLR`.
    """

    def __init__(
        self, optimizer, start_factor: Optional[float] = None, begin: int = 0, end: int = INF, **kwargs
    ) -> None:
        if start_factor is None:
            start_factor = 1 / (end - begin)
        super().__init__(optimizer, start_factor=start_factor, begin=begin, end=end, **kwargs)

    def _get_value(self) -> List[float]:
        progress = self.last_step / (self.end - self.begin)
        factor = self.start_factor + (self.end_factor - self.start_factor) * progress
        return [base * factor for base in self.base_values]


def check_schedules(schedulers: Optional[Dict[str, List[_ParamScheduler]]], lengths: Dict[str, int]) -> None:
    """Say which schedules end earlier or later than the training.

    Args:
        schedulers: The built schedulers of each part.
        lengths: ``max_epochs`` and ``max_iters`` of the training.

    Raises:
        ConfigError: A schedule has no value for the end of the training.
    """
    for part, built in (schedulers or {}).items():
        for name in {scheduler.param_name for scheduler in built}:
            for sentence in _misfits(part, [each for each in built if each.param_name == name], lengths):
                print_log(sentence, 'current', logging.WARNING)


def _misfits(part: str, schedulers: Sequence[_ParamScheduler], lengths: Dict[str, int]) -> Iterator[str]:
    for scheduler in schedulers:
        name, length, unit = type(scheduler).__name__, *_length(scheduler, lengths)
        end = _end(scheduler)
        key = f"the schedule of '{part}' ({name}, param_scheduler.{part})"
        if isinstance(scheduler, OneCycleParamScheduler) and end < min(length, scheduler.end) - 1:
            raise ConfigError(
                f'{key} is over after {end} of {length} {unit}, and it has no value for those after its end; '
                f"set its total_steps to '{_word(unit)}'."
            )
        if INF > end > length:
            yield (
                f'The training ends after {length} {unit}, within {key} of {end}: the value has not reached its '
                f"end. To make the schedule follow the training, write '{_word(unit)}'."
            )
        late = [
            each + scheduler.begin for each in getattr(scheduler, 'milestones', ()) if each + scheduler.begin >= length
        ]
        if late:
            yield f'The training ends after {length} {unit}, before the milestones {late} of {key}.'
    last = max(schedulers, key=lambda each: _end(each) / _length(each, lengths)[0])
    length, unit = _length(last, lengths)
    if _end(last) < length and not _is_warm_up(last):
        yield (
            f"The schedule of '{part}' ({type(last).__name__}, param_scheduler.{part}) is over after {_end(last)} of "
            f"{length} {unit}. To make it follow the training, write '{_word(unit)}'."
        )


def _length(scheduler: _ParamScheduler, lengths: Dict[str, int]) -> Tuple[int, str]:
    """The length of the training as a scheduler counts it."""
    return (lengths['max_epochs'], 'epochs') if scheduler.by_epoch else (lengths['max_iters'], 'iterations')


def _word(unit: str) -> str:
    return 'max_epochs' if unit == 'epochs' else "max_iters', or with convert_to_iter_based 'max_epochs"


def _end(scheduler: _ParamScheduler) -> int:
    """Where a scheduler is over: at the end of its curve, else where it has to end."""
    for name in ('T_max', 'total_steps'):
        if getattr(scheduler, name, None) is not None:
            return scheduler.begin + getattr(scheduler, name)
    periods = getattr(scheduler, 'periods', None)
    return scheduler.begin + sum(periods) if periods else scheduler.end


def _is_warm_up(scheduler: _ParamScheduler) -> bool:
    """Return whether a scheduler leaves the value as the optimizer has it."""
    return isinstance(scheduler, ConstantParamScheduler) or getattr(scheduler, 'end_factor', None) == 1
