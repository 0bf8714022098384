import math
from typing import List

from mmengine.optim.scheduler import CosineRestartLR as _CosineRestartLR

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
