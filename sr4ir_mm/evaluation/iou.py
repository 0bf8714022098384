"""The IoU of each class, for reports."""

from typing import Dict

import numpy as np
from mmseg.evaluation import IoUMetric

from sr4ir_mm.registry import METRICS


@METRICS.register_module()
class PerClassIoUMetric(IoUMetric):
    """mmseg's metric of this name, which returns the numbers of each class too, as ``IoU/<class>``.

    Classes that neither the predictions nor the labels have are left out.
    """

    def compute_metrics(self, results: list) -> Dict[str, float]:
        metrics = super().compute_metrics(results)
        if not metrics:
            return metrics
        areas = [sum(found) for found in zip(*results)]
        each = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
        each.pop('aAcc', None)
        for key, values in each.items():
            for name, value in zip(self.dataset_meta['classes'], values):
                if not np.isnan(value):
                    metrics[f'{key}/{name}'] = round(float(value) * 100, 2)
        return metrics
