"""The dicts of a config that MMEngine's runner reads itself, and the names that its code knows.

MMEngine has no signature for them, so the names are read from the source of the functions that get these dicts.
"""

import inspect
import typing
from typing import Any, Callable, FrozenSet, Iterator, Tuple

from sr4ir_mm.errors import ConfigError, quote

from .lookup import find, similar_key
from .signatures import words_in


def check_dicts(cfg: dict) -> None:
    """Refuse top-level keys that are anything but the dicts, or what is built already, that MMEngine's runner takes.

    Raises:
        ConfigError: With the key and the value found.
    """
    from mmengine.runner import Runner  # brings torch, which this package's import shall not

    for name, hint in typing.get_type_hints(Runner.__init__).items():
        hints = typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)
        kinds = {typing.get_origin(each) or each for each in hints}
        wrong = {str, int, float, bool, list, tuple} - kinds
        if dict in kinds and type(cfg.get(name)) in wrong:
            raise ConfigError(f'{name} is {quote(cfg[name])}; allowed: a dict.')


def read_by_key(cfg: dict) -> Iterator[Tuple[str, dict, FrozenSet[str]]]:
    """Yield the dicts that MMEngine's code reads key by key, with the names that this code spells."""
    from mmengine.dist import init_dist
    from mmengine.optim import DefaultOptimWrapperConstructor  # brings torch, which this package's import shall not
    from mmengine.runner import Runner
    from torch.distributed import init_process_group

    env_cfg = cfg.get('env_cfg') or {}
    yield 'env_cfg', env_cfg, words_in(Runner.setup_env)
    joining = words_in(inspect.getmodule(init_dist)) | frozenset(inspect.signature(init_process_group).parameters)
    yield 'env_cfg.dist_cfg', env_cfg.get('dist_cfg') or {}, joining
    yield 'auto_scale_lr', cfg.get('auto_scale_lr') or {}, words_in(Runner.scale_lr)
    for part, wrapper in (cfg.get('optim_wrapper') or {}).items():
        if not isinstance(wrapper, dict) or wrapper.get('constructor'):
            continue  # of other constructors, code elsewhere may read it
        paramwise, key = wrapper.get('paramwise_cfg') or {}, f'optim_wrapper.{part}.paramwise_cfg'
        known = words_in(DefaultOptimWrapperConstructor)
        yield key, paramwise, known
        for name, module in (paramwise.get('custom_keys') or {}).items():
            yield f'{key}.custom_keys.{name}', _misspelt(module, known), known
    hooks = words_in(Runner.register_default_hooks)
    yield 'default_hooks', _misspelt(cfg.get('default_hooks') or {}, hooks), hooks


def _misspelt(node: dict, known: FrozenSet[str]) -> dict:
    """Return what is misspelt in a dict that may have other keys too: hooks, or settings that a hook reads."""
    left = [each for each in known if each not in node]
    return {name: value for name, value in node.items() if name not in known and similar_key(name, left, 0.8)}


def read_without_type(cfg: dict) -> Iterator[Tuple[str, Any, Callable, FrozenSet[str]]]:
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
    hook, _ = find('EfficiencyHook', ('HOOKS',), 'sr4ir_mm')
    yield 'efficiency', cfg.get('efficiency'), hook.apply, frozenset()
    yield 'randomness', cfg.get('randomness'), Runner.set_randomness, frozenset()
    yield 'env_cfg.mp_cfg', (cfg.get('env_cfg') or {}).get('mp_cfg'), set_multi_processing, frozenset()
    for name, loop in (('val_cfg', ValLoop), ('test_cfg', TestLoop), ('log_processor', LogProcessor)):
        yield name, cfg.get(name), loop, frozenset()
