import math
from typing import List, Optional

from mmengine.optim.scheduler import CosineRestartLR as _CosineRestartLR
from mmengine.optim.scheduler import LinearLR
from mmengine.optim.scheduler.param_scheduler import INF

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
        **kwargs: As of :class:`mmengine.optim.LinearLR`.
    """

    def __init__(self, optimizer, start_factor: Optional[float] = None, begin: int = 0, end: int = INF,
                 **kwargs) -> None:
        if start_factor is None:
            start_factor = 1 / (end - begin)
        super().__init__(optimizer, start_factor=start_factor, begin=begin, end=end, **kwargs)

    def _get_value(self) -> List[float]:
        progress = self.last_step / (self.end - self.begin)
        factor = self.start_factor + (self.end_factor - self.start_factor) * progress
        return [base * factor for base in self.base_values]
