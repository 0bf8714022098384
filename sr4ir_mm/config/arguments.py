"""Compare the keys of a config with the arguments of what they build, before it is built."""

import inspect
import re
import sys
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Any, Callable, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from sr4ir_mm.errors import ConfigError

from .schedules import ENDS, LENGTHS
from .signatures import Arguments, arguments_of, is_choice, packages_of, spelled_in, words_in

# by the top-level key, the registries that its dicts are built from
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
# what the cascade builds from dicts that need no type
_UNTYPED = {'model.tdp': 'sr4ir_mm.TDPLoss', 'model.contrastive': 'sr4ir_mm.ContrastiveLoss'}
# where a dict is handed over as it is; elsewhere, networks and transforms may take keys out before they build the rest
_DIRECT = re.compile(
    r'model|model\.(restorer|recognizer|degradation|embedding|pixel|tdp|contrastive)|model_wrapper_cfg|'
    r'\w+_dataloader\.(.+\.)?(dataset|datasets\.\d+|sampler|batch_sampler|pipeline\.\d+)|\w+_cfg|'
    r'optim_wrapper\.\w+\.optimizer|param_scheduler(\.[a-z]\w*)?(\.\d+)?|\w+_evaluator(\.\d+)?|'
    r'\w+_hooks\.\w+|visualizer(\.vis_backends\.\d+)?|log_processor'
)
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
    """

    key: str
    registries: Sequence[str]
    scope: str
    packages: FrozenSet[str] = _COMMON
    words: FrozenSet[str] = frozenset()


def check_arguments(cfg: dict) -> None:
    """Refuse keys that nothing takes, and plain values of a wrong type, in all that a config builds.

    The arguments are those of the classes in the registries, so plug-ins and ``custom_imports`` are known too. Where a dict
    is not handed over as it is, but by a class that may take keys out of it, only those are refused that no code of
    the libraries involved spells. A class whose ``**kwargs`` go somewhere unknown may be given anything.

    Args:
        cfg: The config.

    Raises:
        ConfigError: With the key, and the key that is likely meant.
    """
    for key, node, known in _read_by_the_runner(cfg):
        for name in node:
            if name not in known:
                raise _unknown(key, name, 'MMEngine', known, node)
    for key, node, built, words in _untyped(cfg):
        if isinstance(node, dict) and 'type' not in node:
            _check(_Place(key, (), '', words=words), node, built, True)
    scope = cfg.get('default_scope') or 'mmengine'
    for key, registries in _REGISTRIES.items():
        if cfg.get(key):
            _visit(cfg[key], _Place(key, registries, scope))


def _read_by_the_runner(cfg: dict) -> Iterator[Tuple[str, dict, FrozenSet[str]]]:
    """Yield the dicts that MMEngine's code reads key by key, with the names that this code spells."""
    from mmengine.dist import init_dist
    from mmengine.optim import DefaultOptimWrapperConstructor  # brings torch, which this package's import shall not
    from mmengine.runner import Runner
    from torch.distributed import init_process_group

    env_cfg = cfg.get('env_cfg') or {}
    yield 'env_cfg', env_cfg, words_in(Runner.setup_env)
    joining = words_in(inspect.getmodule(init_dist)) | arguments_of(init_process_group).parameters.keys()
    yield 'env_cfg.dist_cfg', env_cfg.get('dist_cfg') or {}, joining
    yield 'auto_scale_lr', cfg.get('auto_scale_lr') or {}, words_in(Runner.scale_lr)
    for part, wrapper in (cfg.get('optim_wrapper') or {}).items():
        if not isinstance(wrapper, dict) or wrapper.get('constructor'):
            continue  # of other constructors, code elsewhere may read it
        paramwise, key = wrapper.get('paramwise_cfg') or {}, f'optim_wrapper.{part}.paramwise_cfg'
        known = words_in(DefaultOptimWrapperConstructor)
        yield key, paramwise, known
        optimizer = (wrapper.get('optimizer') or {}).get('type')
        built, _ = _find(optimizer, _Place(key, ('OPTIMIZERS',), cfg.get('default_scope') or 'mmengine'))
        if built is not None:  # it may read further settings of its parameters
            for name, module in (paramwise.get('custom_keys') or {}).items():
                yield f'{key}.custom_keys.{name}', module, known | _words_of(built)
    hooks, names = cfg.get('default_hooks') or {}, words_in(Runner.register_default_hooks)
    for name in hooks:  # a hook of the user may have any name but one of MMEngine's, misspelt
        if name not in names and _near(name, [each for each in names if each not in hooks], 0.8):
            yield 'default_hooks', {name: hooks[name]}, names


def _untyped(cfg: dict) -> Iterator[Tuple[str, Any, Callable, FrozenSet[str]]]:
    """Yield the dicts that need no type, what takes them, and the names that are taken out before."""
    from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, build_optim_wrapper
    from mmengine.runner import LogProcessor, Runner, TestLoop, ValLoop
    from mmengine.utils.dl_utils import set_multi_processing
    from torch.utils.data import DataLoader

    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        yield name, cfg.get(name), DataLoader, words_in(Runner.build_dataloader)
    for part, wrapper in (cfg.get('optim_wrapper') or {}).items():
        words = words_in(build_optim_wrapper) | words_in(DefaultOptimWrapperConstructor.__init__)
        yield f'optim_wrapper.{part}', wrapper, OptimWrapper, words
    yield 'randomness', cfg.get('randomness'), Runner.set_randomness, frozenset()
    yield 'env_cfg.mp_cfg', (cfg.get('env_cfg') or {}).get('mp_cfg'), set_multi_processing, frozenset()
    for name, loop in (('val_cfg', ValLoop), ('test_cfg', TestLoop), ('log_processor', LogProcessor)):
        yield name, cfg.get(name), loop, frozenset()


@lru_cache(maxsize=None)
def _words_of_builder(registry: str) -> FrozenSet[str]:
    """Return the names that are spelled by what hands dicts to a registry, and by what builds them there."""
    from mmengine import registry as roots
    from mmengine.runner import Runner

    before = dict(LOOPS=Runner.build_train_loop, HOOKS=Runner.register_hook)
    words = words_in(getattr(roots, registry).build_func)
    return words | words_in(before[registry]) if registry in before else words


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
    kind = node.get('type', _UNTYPED.get(key))
    built, registry = _find(kind, place)
    if built is not None:
        taken = place._replace(words=place.words | _words_of_builder(registry) if registry else place.words)
        _check(taken, node, built, _DIRECT.fullmatch(key) is not None)
        inner = place._replace(packages=place.packages | packages_of(built), words=_words_of(built))
        host = getattr(built, 'host', None) if key == 'model' else None
        arguments = arguments_of(built)
    elif isinstance(kind, str):
        _check_type_name(kind, place)
    if key.startswith('model.') and key.count('.') == 1 and isinstance(kind, str) and kind.count('.') == 1:
        inner = inner._replace(scope=kind.split('.')[0])  # as the cascade builds its parts
    for name, child in node.items():
        path = f'{key}.{name}'
        if isinstance(child, dict) and (_SETTINGS.fullmatch(path) or _is_read_by_key(arguments, name)):
            for each in child:
                if not _may_be_read(each, inner.packages) and not _find(child.get('type'), inner)[0]:
                    raise ConfigError(f"{path} has the key '{each}', which nothing reads.")
        _visit(child, inner._replace(key=path, scope=host if name == 'recognizer' and host else inner.scope))


def _words_of(built: Callable) -> FrozenSet[str]:
    return frozenset().union(*map(words_in, getattr(built, '__mro__', (built,))[:-1]))


def _is_read_by_key(arguments: Optional[Arguments], name: str) -> bool:
    """Return whether an argument is a dict whose keys the class knows, as its default has some."""
    parameter = arguments.parameters.get(name) if arguments else None
    return parameter is not None and isinstance(parameter.default, dict) and bool(parameter.default)


def _may_be_read(name: Any, packages: Iterable[str]) -> bool:
    return not isinstance(name, str) or not name.isidentifier() or spelled_in(name, sorted(packages))


def _find(kind: Any, place: _Place) -> Tuple[Optional[Callable], str]:
    """Return what a type names and the registry that has it."""
    if not isinstance(kind, str):
        return (kind if callable(kind) else None), ''
    for name in ('WEIGHT_INITIALIZERS',) if place.key.endswith('init_cfg') else place.registries:
        try:
            built = _registry(name, place.scope).get(kind)
        except RuntimeError:  # it is in no registry
            continue
        if built is not None:
            return getattr(built, 'target', lambda: built)(), name
    if place.key.startswith('model.'):  # where mmdet looks for what it pools features with
        return getattr(sys.modules.get('mmcv.ops'), kind, None), ''
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


def _check_type_name(kind: str, place: _Place) -> None:
    """Refuse a name that no registry has, unless whatever reads the dict may know it from elsewhere."""
    prefix, _, name = kind.rpartition('.')
    names = []
    for registry in place.registries:
        registry = _registry(registry, prefix or place.scope)
        names += [*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())]
    direct = _DIRECT.fullmatch(place.key) is not None
    near = get_close_matches(name, names, n=1, cutoff=0.6 if direct else 0.85)
    if direct or near and not _may_be_read(name, place.packages):
        meant = (
            f"; did you mean '{prefix}{'.' if prefix else ''}{near[0]}'?" if near else f' in {prefix or place.scope}.'
        )
        raise ConfigError(f"{place.key}.type is '{kind}', which does not exist{meant}")


def _check(place: _Place, node: dict, built: Callable, direct: bool) -> None:
    """Compare the keys of a dict with arguments, and its values with their types."""
    arguments = arguments_of(built)
    if arguments is None:
        return
    packages = place.packages | packages_of(built)
    exact = not packages_of(built).isdisjoint(_EXACT) and str(built.__module__).split('.')[0] in _EXACT
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
            if _near(name, [each for each in known if each not in node], 0.85):
                raise _unknown(place.key, name, getattr(built, '__name__', built), known, node)
        elif direct or not _may_be_read(name, packages):
            known = [*arguments.parameters, *place.words, '_scope_']
            raise _unknown(place.key, name, getattr(built, '__name__', built), known, node, arguments.parameters)


def _unknown(
    key: str, name: str, taker: Any, known: Iterable[str], node: dict, allowed: Optional[Iterable[str]] = None
) -> ConfigError:
    near = _near(name, [each for each in allowed or known if each not in node])
    near = near or _near(name, [each for each in known if each not in node])
    hint = f"did you mean '{near[0]}'?" if near else f'allowed: {", ".join(sorted(allowed or known)) or "nothing"}.'
    return ConfigError(f"{key} has the key '{name}', which {taker} does not take; {hint}")


def _near(name: str, known: Sequence[str], cutoff: float = 0.6) -> List[str]:
    """Return the key that is likely meant: one of the same letters, or the most similar one."""
    same = [each for each in known if sorted(each) == sorted(str(name))]
    return same or get_close_matches(str(name), known, n=1, cutoff=cutoff)


def _is_wrong(value: Any, arguments: Arguments, name: str, exact: bool, built: Callable) -> bool:
    """Return whether a value is text for a number, a number for text, a fraction for a whole number, or a dict for any."""
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
