"""Compare the keys of a config with the arguments of what they build, before it is built."""

import inspect
import re
import typing
from collections import abc
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from sr4ir_mm.errors import ConfigError

from .schedules import LENGTHS

#: keys that the builder takes before it passes on the others
_OF_THE_BUILDER = ('type', '_scope_', '_delete_', 'name')
#: by the top-level key, the registries that its dicts are built from
_REGISTRIES = dict(
    model=('MODELS', 'TASK_UTILS'),
    model_wrapper_cfg=('MODEL_WRAPPERS',),
    train_dataloader=('DATASETS', 'TRANSFORMS', 'DATA_SAMPLERS'),
    train_cfg=('LOOPS',),
    optim_wrapper=('OPTIMIZERS', 'OPTIM_WRAPPERS'),
    param_scheduler=('PARAM_SCHEDULERS',),
    val_evaluator=('METRICS', 'EVALUATOR'),
    default_hooks=('HOOKS',),
    visualizer=('VISUALIZERS', 'VISBACKENDS'),
    log_processor=('LOG_PROCESSORS',),
)
_REGISTRIES.update(
    custom_hooks=_REGISTRIES['default_hooks'],
    val_cfg=_REGISTRIES['train_cfg'],
    test_cfg=_REGISTRIES['train_cfg'],
    val_dataloader=_REGISTRIES['train_dataloader'],
    test_dataloader=_REGISTRIES['train_dataloader'],
    test_evaluator=_REGISTRIES['val_evaluator'],
)
#: what the model builds from dicts that need no type
_UNTYPED = {'model.tdp': 'sr4ir_mm.TDPLoss', 'model.contrastive': 'sr4ir_mm.ContrastiveLoss'}
#: keys that are removed by whoever builds it, by the registry
_REMOVED = dict(
    PARAM_SCHEDULERS=('convert_to_iter_based',),
    OPTIM_WRAPPERS=('constructor', 'paramwise_cfg'),
    HOOKS=('priority',),
    LOOPS=('by_epoch',),
    MODELS=('init_cfg',),
)  # of parts that do not know it, the cascade takes it
#: where a dict is handed over as it is: networks and transforms of the host libraries read dicts for their own purposes
_DIRECT = re.compile(
    r'model|model\.(restorer|recognizer|degradation|embedding|pixel|tdp|contrastive)|model_wrapper_cfg|'
    r'\w+_dataloader\.(.+\.)?(dataset|datasets\.\d+|sampler|batch_sampler|pipeline\.\d+)|\w+_cfg|'
    r'optim_wrapper\.\w+\.optimizer|param_scheduler(\.[a-z]\w*)?(\.\d+)?|\w+_evaluator(\.\d+)?|'
    r'\w+_hooks\.\w+|visualizer(\.vis_backends\.\d+)?|log_processor'
)
#: libraries whose annotations are exact
_EXACT = ('sr4ir_mm', 'mmengine', 'torch')


class Arguments(typing.NamedTuple):
    """The arguments that a class or function takes.

    Attributes:
        parameters: By their names.
        hints: The types of those that are annotated.
        complete: Whether it takes no others; False where ``**kwargs`` go somewhere that is not known.
    """

    parameters: Dict[str, inspect.Parameter]
    hints: Dict[str, Any]
    complete: bool


@lru_cache(maxsize=None)
def arguments_of(built: Callable) -> Optional[Arguments]:
    """Return the arguments of a class, with those that it passes to its bases as ``**kwargs``, or of a function.

    Returns:
        None where Python does not know them.
    """
    parameters, hints = {}, {}
    functions = (
        [each.__dict__['__init__'] for each in built.__mro__ if '__init__' in each.__dict__]
        if inspect.isclass(built)
        else [built]
    )
    for function in functions:
        try:
            found = dict(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return None
        found.pop('self', None)
        for name, parameter in found.items():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name not in parameters:
                parameters[name] = parameter
                hints.update(_hint(function, name))
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in found.values()):
            return Arguments(parameters, hints, True)
    return Arguments(parameters, hints, False)


def _hint(function: Callable, name: str) -> Dict[str, Any]:
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # an annotation that does not exist at run time
        return {}
    return {name: hints[name]} if name in hints else {}


def check_arguments(cfg: dict) -> None:
    """Refuse keys that nothing takes, and plain values of a wrong type, in all that a config builds.

    The arguments are those of the classes in the registries, so plug-ins and ``custom_imports`` are known too. What is
    built by a class of unknown further arguments, or deep in a recognizer, is refused only where a key resembles
    one of those known.

    Args:
        cfg: The config.

    Raises:
        ConfigError: With the key, and the key that is likely meant.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    for key, node, built, further in _untyped(cfg):
        _check(key, node, built, further, True)
    for key, registries in _REGISTRIES.items():
        if cfg.get(key):
            _visit(cfg[key], key, registries, scope)


def _untyped(cfg: dict) -> Iterator[Tuple[str, dict, Callable, Sequence[str]]]:
    """Dicts that say no type: the key, the dict, what takes it, and keys that are removed before."""
    from mmengine.optim import OptimWrapper  # brings torch, which this package's import shall not
    from mmengine.runner import LogProcessor, Runner, TestLoop, ValLoop
    from torch.utils.data import DataLoader

    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        yield name, cfg.get(name), DataLoader, ('num_batch_per_epoch', 'disable_subprocess_warning')
    for part, wrapper in (cfg.get('optim_wrapper') or {}).items():
        yield f'optim_wrapper.{part}', wrapper, OptimWrapper, _REMOVED['OPTIM_WRAPPERS']
    yield 'randomness', cfg.get('randomness'), Runner.set_randomness, ()
    yield 'env_cfg', cfg.get('env_cfg'), _env_cfg, ()
    yield 'auto_scale_lr', cfg.get('auto_scale_lr'), _auto_scale_lr, ()
    for name, loop in (('val_cfg', ValLoop), ('test_cfg', TestLoop), ('log_processor', LogProcessor)):
        yield name, cfg.get(name), loop, ()
    yield 'default_hooks', cfg.get('default_hooks'), _default_hooks, ()


def _env_cfg(cudnn_benchmark=False, mp_cfg=None, dist_cfg=None, resource_limit=4096, **kwargs) -> None:
    """What MMEngine reads from this dict."""


def _auto_scale_lr(base_batch_size=None, enable=False) -> None:
    """What MMEngine reads from this dict."""


def _default_hooks(runtime_info, timer, logger, param_scheduler, checkpoint, sampler_seed, **kwargs) -> None:
    """The hooks of MMEngine; others may have any name."""


def _visit(node: Any, key: str, registries: Sequence[str], scope: str) -> None:
    """Check a dict and what is in it, in the scope that it is going to be built in."""
    if isinstance(node, (list, tuple)):
        for index, child in enumerate(node):
            _visit(child, f'{key}.{index}', registries, scope)
    if not isinstance(node, dict):
        return
    scope, inner = node.get('_scope_') or scope, None
    kind = node.get('type', _UNTYPED.get(key))
    if kind is not None:
        direct = _DIRECT.fullmatch(key) is not None
        built, registry = _find(kind, ('WEIGHT_INITIALIZERS',) if key.endswith('init_cfg') else registries, scope)
        if built is None and direct and isinstance(kind, str):
            raise ConfigError(f"{key}.type is '{kind}', which does not exist{_hint_type(kind, registries, scope)}")
        if built is not None:
            _check(key, node, built, _REMOVED.get(registry, ()), direct)
            inner = getattr(built, 'host', None) if key == 'model' else None
        if key.startswith('model.') and key.count('.') == 1 and isinstance(kind, str) and kind.count('.') == 1:
            scope = kind.split('.')[0]  # as the cascade builds its parts
    for name, child in node.items():
        _visit(child, f'{key}.{name}', registries, inner if name == 'recognizer' and inner else scope)


def _find(kind: Any, registries: Sequence[str], scope: str) -> Tuple[Optional[Callable], str]:
    """Return what a type names and the registry that has it."""
    if not isinstance(kind, str):
        return (kind if callable(kind) else None), ''
    for name in registries:
        try:
            built = _registry(name, scope).get(kind)
        except RuntimeError:  # it is in no registry
            continue
        if built is not None:
            return built, name
    return None, ''


@lru_cache(maxsize=None)
def _registry(name: str, scope: str):
    from mmengine import registry as roots

    try:
        import_module(f'{scope}.registry')
    except ImportError:
        pass
    root = getattr(roots, name)
    return root.children.get(scope, root)


def _hint_type(kind: str, registries: Sequence[str], scope: str) -> str:
    prefix, _, name = kind.rpartition('.')
    names = []
    for registry in registries:
        registry = _registry(registry, prefix or scope)
        names += [*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())]
    near = get_close_matches(name, names, n=1)
    return f"; did you mean '{prefix}{'.' if prefix else ''}{near[0]}'?" if near else f' in {prefix or scope}.'


def _check(key: str, node: Any, built: Callable, further: Sequence[str], strict: bool) -> None:
    """Compare the keys of a dict with arguments, and its values with their types."""
    arguments = arguments_of(built) if isinstance(node, dict) else None
    if arguments is None:
        return
    known = [*arguments.parameters, *further]
    exact = str(getattr(built, '__module__', '')).split('.')[0] in _EXACT
    for name, value in node.items():
        if name in arguments.parameters:
            _check_type(f'{key}.{name}', value, arguments.parameters[name], arguments.hints.get(name), exact)
        elif name not in (*_OF_THE_BUILDER, *further):
            near = _near(name, [each for each in known if each not in node])
            if near or strict and arguments.complete:
                raise ConfigError(
                    f"{key} has the key '{name}', which {getattr(built, '__name__', built)} does not take; "
                    + (f"did you mean '{near[0]}'?" if near else f'allowed: {", ".join(known)}.')
                )


def _near(name: str, known: Sequence[str]) -> List[str]:
    """Return the key that is likely meant: one of the same letters, or of almost the same."""
    return [each for each in known if sorted(each) == sorted(name)] or get_close_matches(name, known, n=1, cutoff=0.85)


def _check_type(key: str, value: Any, parameter: inspect.Parameter, hint: Any, exact: bool) -> None:
    """Refuse text for a number, a number for text, and a fraction for a whole number."""
    types = _plain_types(hint) if hint is not None else None
    if hint is None and type(parameter.default) in (int, float):
        types = {float}
    if not types or key.startswith('param_scheduler') and value in LENGTHS:
        return
    wrong = (
        isinstance(value, str)
        and types <= {int, float, bool, type(None)}
        or isinstance(value, (int, float))
        and types <= {str, type(None)}
        or exact
        and isinstance(value, float)
        and hint is not None
        and types <= {int, bool, type(None)}
    )
    if wrong:
        names = sorted('a number' if each in (int, float) else each.__name__ for each in types - {type(None)})
        raise ConfigError(f'{key} is {value!r}; allowed: {" or ".join(dict.fromkeys(names))}.')


def _plain_types(hint: Any) -> Optional[set]:
    """The plain types that an annotation allows; None where it allows others."""
    if hint in (int, float, bool, str, list, tuple, dict, type(None)):
        return {hint}
    origin = typing.get_origin(hint)
    if origin is typing.Union:
        types = [_plain_types(each) for each in typing.get_args(hint)]
        return None if None in types else set().union(*types)
    return {list} if origin in (list, tuple, abc.Sequence) else None
