"""The metrics of a config, before any of them is built."""

from typing import Iterable, Iterator, Sequence

from mmengine.config import Config, ConfigDict

from sr4ir_mm.errors import check_choice

_KEYS = ('val_evaluator', 'test_evaluator')
#: metrics with a network of their own; where several configs are told to do without, one may have none of them
_WITH_NETWORK = ('LPIPS',)


def metrics_of(cfg: Config) -> Iterator[ConfigDict]:
    """Yield the config of each metric, first those of the validation, then those of the test."""
    for key in _KEYS:
        yield from _as_list(cfg.get(key) or [])


def skip_metrics(cfg: Config, names: Sequence[str]) -> None:
    """Leave metrics out of the evaluators of a config.

    Args:
        cfg: The config; it is changed.
        names: Types of metrics, without their scope.

    Raises:
        ConfigError: No evaluator has such a metric; of LPIPS this is no mistake.
    """
    found = list(dict.fromkeys([*map(_name, metrics_of(cfg)), *_WITH_NETWORK]))
    for name in names:
        check_choice(name, found, '--skip-metrics')
    for key in _KEYS if names else ():
        if cfg.get(key):
            cfg[key] = [metric for metric in _as_list(cfg[key]) if _name(metric) not in names]


def check_metric_weights(cfgs: Iterable[Config]) -> None:
    """Build each metric that has a network of its own, so that missing weights show before the first of many runs.

    Args:
        cfgs: Configs; what several have is built once.

    Raises:
        ConfigError: The weights are not there and cannot be downloaded.
    """
    from sr4ir_mm.evaluation import LPIPS  # brings torch, which this package's import shall not

    built = []
    for cfg in cfgs:
        for metric in metrics_of(cfg):
            if _name(metric) == 'LPIPS' and metric not in built:
                built.append(metric)
                LPIPS(**{key: value for key, value in metric.items() if key != 'type'})


def _name(metric: dict) -> str:
    return metric['type'].split('.')[-1]


def _as_list(value) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
