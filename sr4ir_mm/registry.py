"""Registries of the scope ``sr4ir_mm``.

MMEngine imports this module by its name for ``type='sr4ir_mm.X'`` and ``_scope_='sr4ir_mm'``; ``locations`` makes it
import the implementations when they are first asked for, so configs need no ``custom_imports``.
"""

from importlib import import_module
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry


def _child(name: str, parent: str, location: str) -> Registry:
    return Registry(
        name, parent=getattr(mmengine_registry, parent), scope='sr4ir_mm', locations=[f'sr4ir_mm.{location}']
    )


def register_late(registry: Registry, name: str, module: str) -> None:
    """Register a class whose module is imported when it is asked for: it brings a host library, which takes seconds.

    Args:
        registry: A registry of this scope.
        name: The name of the class, in its module and in the registry.
        module: The module's full name.
    """

    def target() -> Any:
        return getattr(import_module(module), name)

    def build(**kwargs):
        return target()(**kwargs)

    build.__dict__['target'] = target  # the checks of a config ask it for the class
    build.__name__ = name
    registry.register_module(name=name, module=build)


MODELS = _child('model', 'MODELS', 'models')
MODEL_WRAPPERS = _child('model wrapper', 'MODEL_WRAPPERS', 'engine')
LOOPS = _child('loop', 'LOOPS', 'engine')
HOOKS = _child('hook', 'HOOKS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', 'OPTIM_WRAPPER_CONSTRUCTORS', 'engine')
PARAM_SCHEDULERS = _child('parameter scheduler', 'PARAM_SCHEDULERS', 'engine')
DATASETS = _child('dataset', 'DATASETS', 'datasets')
TRANSFORMS = _child('transform', 'TRANSFORMS', 'datasets')
METRICS = _child('metric', 'METRICS', 'evaluation')
