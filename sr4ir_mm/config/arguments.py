"""Compare the keys of a config with the arguments of what they build, before it is built."""

import re
from typing import TYPE_CHECKING, Any, Callable, FrozenSet, Iterable, NamedTuple, Optional, Sequence, Type

from sr4ir_mm.errors import ConfigError

from .lookup import find, similar_key, similar_type, unknown_key, words_of_builder
from .runner_keys import read_by_key, read_without_type
from .schedules import ENDS, LENGTHS
from .signatures import Arguments, arguments_of, is_choice, packages_of, spelled_in, words_in

if TYPE_CHECKING:  # it brings torch, which this package's import shall not
    from sr4ir_mm.models.cascade import Cascade

# by the top-level key, the registries that its dicts are built from
_REGISTRIES = dict(
    model=('MODELS', 'TASK_UTILS'),
    data_preprocessor=('MODELS',),
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
# where a dict is handed over as it is; elsewhere, networks and transforms may take keys out before they build the rest
_DIRECT = re.compile(
    r'model|model\.(restorer|recognizer|degradation|task|(losses|parts)\.\w+)|model_wrapper_cfg|'
    r'\w+_dataloader\.(.+\.)?(dataset|datasets\.\d+|sampler|batch_sampler|pipeline\.\d+)|\w+_cfg|'
    r'optim_wrapper\.\w+\.optimizer|param_scheduler(\.[a-z]\w*)?(\.\d+)?|\w+_evaluator(\.\d+)?|'
    r'\w+_hooks\.\w+|visualizer(\.vis_backends\.\d+)?|log_processor'
)
# what the cascade builds in the scope of its own library
_PART = re.compile(r'model\.(\w+|(losses|parts)\.\w+)')
# dicts of settings that belong to a network, but are no arguments of anything
_SETTINGS = re.compile(r'model\..*\b(train_cfg|test_cfg)\b.*')
# libraries whose annotations are exact
_EXACT = ('sr4ir_mm', 'mmengine', 'torch')
# those whose ``**kwargs`` go nowhere else, where a class has no other bases
_OURS = frozenset(('sr4ir_mm', 'mmengine'))
# what most networks are made of, whatever library they come from
_COMMON = frozenset(('mmengine', 'mmcv'))


class _Place(NamedTuple):
    """Where in a config a dict stands.

    Attributes:
        key: Its key.
        registries: The registries that may build it.
        scope: The scope that it is built in.
        packages: Those whose code may read it.
        words: What the class around it spells, so that it may take a key of such a name out of it.
        cascade: The class of the cascade around it.
    """

    key: str
    registries: Sequence[str]
    scope: str
    packages: FrozenSet[str] = _COMMON
    words: FrozenSet[str] = frozenset()
    cascade: Optional[Type['Cascade']] = None


def check_arguments(cfg: dict) -> None:
    """Refuse keys that nothing takes, and plain values of a wrong type, in all that a config builds.

    The arguments are those of the classes in the registries, so plug-ins and ``custom_imports`` are known too. Where a
    class may take keys out of a dict before it hands it over, only those are refused that no code of the libraries
    involved spells. A class whose ``**kwargs`` go somewhere unknown may be given anything.

    Args:
        cfg: The config.

    Raises:
        ConfigError: With the key, and the key that is likely meant.
    """
    for key, node, known in read_by_key(cfg):
        for name in node:
            if name not in known:
                raise unknown_key(key, name, node, 'MMEngine', (), *known)
    for key, node, built, words in read_without_type(cfg):
        if isinstance(node, dict) and 'type' not in node:
            _check(_Place(key, (), '', words=words), node, built, True)
    scope = cfg.get('default_scope') or 'mmengine'
    for key, registries in _REGISTRIES.items():
        if cfg.get(key):
            _visit(cfg[key], _Place(key, registries, scope))


def _visit(node: Any, place: _Place) -> None:
    """Check a dict and what is in it, in the scope that it is going to be built in."""
    if isinstance(node, (list, tuple)):
        for index, child in enumerate(node):
            _visit(child, place._replace(key=f'{place.key}.{index}'))
    if not isinstance(node, dict):
        return
    key = place.key
    place = place._replace(scope=node.get('_scope_') or place.scope)
    inner, host, arguments = place, None, None
    kind = node.get('type') or _default_type(key, place.cascade)
    built, registry = find(
        kind, ('WEIGHT_INITIALIZERS',) if key.endswith('init_cfg') else place.registries, place.scope
    )
    if built is not None:
        taken = place._replace(words=place.words | words_of_builder(registry) if registry else place.words)
        _check(taken, node, built, _DIRECT.fullmatch(key) is not None)
        inner = place._replace(packages=place.packages | packages_of(built), words=words_in(built))
        if key == 'model' and hasattr(built, 'task_type'):
            inner, host = inner._replace(cascade=built), _host(node, built)
        arguments = arguments_of(built)
    elif isinstance(kind, str):
        direct = _DIRECT.fullmatch(key) is not None
        near = similar_type(kind, place.registries, place.scope, 0.6 if direct else 0.85)
        # elsewhere, the dict may be for a library that is not ours
        if direct or near and not _may_be_read(kind.split('.')[-1], place.packages):
            hint = f"; did you mean '{near}'?" if near else f' in {kind.rpartition(".")[0] or place.scope}.'
            raise ConfigError(f"{key}.type is '{kind}', which does not exist{hint}")
    if _PART.fullmatch(key) and isinstance(kind, str) and kind.count('.') == 1:
        inner = inner._replace(scope=kind.split('.')[0])  # as the cascade builds its parts
    for name, child in node.items():
        path = f'{key}.{name}'
        if isinstance(child, dict) and (_SETTINGS.fullmatch(path) or _is_read_by_key(arguments, name)):
            for each in child:
                if (
                    not _may_be_read(each, inner.packages)
                    and not find(child.get('type'), inner.registries, inner.scope)[0]
                ):
                    raise ConfigError(f"{path} has the key '{each}', which nothing reads.")
        _visit(child, inner._replace(key=path, scope=host if name == 'recognizer' and host else inner.scope))


def _default_type(key: str, cascade: Optional[Type['Cascade']]) -> Any:
    """Return what the cascade builds from a dict that names no type."""
    from sr4ir_mm.models.losses.base import DEFAULTS  # brings torch, which this package's import shall not

    where, _, name = key.rpartition('.')
    if cascade is not None and key == 'model.task':
        return cascade.task_type
    return DEFAULTS.get(name, {}).get('type') if where == 'model.losses' else None


def _host(model: dict, cascade: Type['Cascade']) -> Optional[str]:
    """Return the scope that the recognizer is built in."""
    task, _ = find((model.get('task') or {}).get('type', cascade.task_type), ('MODELS',), 'sr4ir_mm')
    return getattr(task, 'host', None)


def _is_read_by_key(arguments: Optional[Arguments], name: str) -> bool:
    """Return whether an argument is a dict whose keys the class knows, as its default has some."""
    parameter = arguments.parameters.get(name) if arguments else None
    return parameter is not None and isinstance(parameter.default, dict) and bool(parameter.default)


def _may_be_read(name: Any, packages: Iterable[str]) -> bool:
    return not isinstance(name, str) or not name.isidentifier() or spelled_in(name, sorted(packages))


def _check(place: _Place, node: dict, built: Callable, direct: bool) -> None:
    """Compare the keys of a dict with arguments, and its values with their types."""
    arguments = arguments_of(built)
    if arguments is None:
        return
    packages = place.packages | packages_of(built)
    exact = str(built.__module__).split('.')[0] in _EXACT
    taker = getattr(built, '__name__', str(built))
    for name, value in node.items():
        if name in arguments.parameters:
            wrong = _is_wrong(value, arguments, name, exact, built)
            if wrong and not (place.key.startswith('param_scheduler.') and name in ENDS and value in LENGTHS):
                allowed = _in_words(arguments.types[name])
                raise ConfigError(f'{place.key}.{name} is {value!r}; allowed: {allowed}.')
        elif name in place.words or name in ('type', '_scope_'):
            continue
        elif not arguments.complete:
            required = [each for each, of in arguments.parameters.items() if of.default is of.empty]
            known = arguments.parameters if packages_of(built) <= _OURS else required
            if similar_key(name, [each for each in known if each not in node], 0.85):
                raise unknown_key(place.key, name, node, taker, known)
        elif direct or not _may_be_read(name, packages):
            raise unknown_key(place.key, name, node, taker, arguments.parameters, *place.words, '_scope_')


def _is_wrong(value: Any, arguments: Arguments, name: str, exact: bool, built: Callable) -> bool:
    """Return whether a value is text for a number, a number for text, a fraction for a whole number, or a dict."""
    types = arguments.types.get(name, set()) - {type(None)}
    annotated = name in arguments.annotated
    exact = exact and annotated
    if not types:
        return False
    if isinstance(value, str):
        return types <= {int, float, bool} and (annotated or not is_choice(value, built))
    if isinstance(value, (int, float)):
        fraction = isinstance(value, float) and not value.is_integer() and types <= {int, bool}
        return annotated and types <= {str} or exact and (fraction or types <= {list, dict})
    return exact and isinstance(value, (list, tuple, dict)) and types <= {int, float, bool, str}


def _in_words(types: Iterable[type]) -> str:
    words = {
        int: 'a whole number',
        float: 'a number',
        bool: 'True or False',
        str: 'text',
        list: 'a list',
        dict: 'a dict',
    }
    return ' or '.join(word for each, word in words.items() if each in types)
