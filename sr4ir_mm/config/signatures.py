"""Arguments of classes and functions, as Python and its source know it: the base of the checks in ``arguments.py``."""

import ast
import inspect
import re
import sys
import textwrap
import typing
from collections import abc
from functools import cache
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional, Set

from mmengine.utils import ManagerMixin

_WORDS = dict(int=int, float=float, bool=bool, number=float, str=str, string=str, list=list, tuple=list, dict=dict)
# `depth (int): …`, as the docstrings of OpenMMLab and PyTorch have it
_DOCUMENTED = re.compile(r'^[ \t]*(\w+)[ \t]*\(([^()\n]+)\)[ \t]*:', re.MULTILINE)


class Arguments(typing.NamedTuple):
    """The arguments of a class or function.

    Attributes:
        parameters: By their names.
        types: The plain types that each allows, for those of which all are known.
        annotated: The names of those whose types are annotated; of others they are read from defaults and docstrings.
        complete: Whether it takes no others; False where ``**kwargs`` go somewhere that is not known.
    """

    parameters: Dict[str, inspect.Parameter]
    types: Dict[str, Set[type]]
    annotated: Set[str]
    complete: bool


@cache
def arguments_of(built: Callable) -> Optional[Arguments]:
    """Return the arguments of a class, with those that it passes to its bases as ``**kwargs``, or of a function.

    Returns:
        None where Python does not know them.
    """
    found = Arguments({}, {}, set(), False)
    for function, docs in _constructors(built):
        try:
            parameters = dict(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return None
        hints = _hints(function)
        documented = dict(_DOCUMENTED.findall(docs))
        parameters.pop('self', None)
        for name, parameter in parameters.items():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                continue
            if name in found.parameters:
                continue
            found.parameters[name] = parameter
            types = _types(parameter, hints.get(name), documented.get(name, ''))
            if types:
                found.types[name] = types
            if name in hints:
                found.annotated.add(name)
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()):
            return found._replace(complete=True)
    return found


def _constructors(built: Callable) -> Iterator:
    """Yield each function that arguments go to, in the order of the bases, and what is written about it."""
    if not inspect.isclass(built):
        yield built, inspect.getdoc(built) or ''
        return
    if issubclass(built, ManagerMixin):
        yield built.get_instance, ''
    for each in built.__mro__:
        if '__init__' in each.__dict__:
            function = each.__dict__['__init__']
            yield function, f'{each.__doc__ or ""}\n{function.__doc__ or ""}'


def _types(parameter: inspect.Parameter, hint: Any, documented: str) -> Optional[Set[type]]:
    """Return the plain types that an argument allows, as annotated, documented or of its default; None if not known."""
    written = _documented_types(documented)
    if hint is not None:
        types = _plain_types(hint)
        return types and types | (written or set())
    if documented:
        return written
    kind = type(parameter.default)
    return {float} if kind is int else {kind} if kind in (float, bool) else None


def _hints(function: Callable) -> Dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # an annotation that does not exist at run time
        return {}


def _plain_types(hint: Any) -> Optional[Set[type]]:
    """Return the plain types that an annotation allows; None where it allows others."""
    if hint in (int, float, bool, str, list, tuple, dict, type(None)):
        return {list if hint is tuple else hint}
    origin = typing.get_origin(hint)
    if origin is typing.Union:
        types: Set[type] = set()
        for each in typing.get_args(hint):
            if getattr(each, '__name__', '') == 'Tensor':
                continue
            plain = _plain_types(each)
            if plain is None:
                return None
            types |= plain
        return types
    if origin in (list, tuple, abc.Sequence):
        return {list}
    return {dict} if origin is dict else None


def _documented_types(text: str) -> Optional[Set[type]]:
    """Return the plain types that are named in ``int, optional`` or ``float | str``; None where others are named."""
    words = set(re.findall(r'\w+', text.lower().split('default')[0]))
    words -= {'optional', 'none', 'or', 'union', 'tensor'}
    return {_WORDS[word] for word in words} if words <= _WORDS.keys() else None


def words_in(function: Any) -> FrozenSet[str]:
    """Return the names that the source of a function, or of a class and its bases, spells.

    Every key that it reads from a dict is among them.
    """
    parts = function.__mro__[:-1] if inspect.isclass(function) else (function,)
    return frozenset().union(*map(_words_in, parts))


@cache
def _words_in(part: Any) -> FrozenSet[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
    except (OSError, TypeError, SyntaxError):
        return frozenset()
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    keywords = (node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword))
    arguments = (node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))
    return frozenset(
        each for each in (*constants, *keywords, *arguments) if isinstance(each, str) and each.isidentifier()
    )


def packages_of(built: Callable) -> FrozenSet[str]:
    """Return the packages that a class and its bases come from."""
    classes = built.__mro__[:-1] if inspect.isclass(built) else (built,)
    return frozenset(str(getattr(each, '__module__', '')).split('.')[0] for each in classes)


@cache
def is_spelled(word: str, package: str) -> bool:
    """Return whether the source of a package has a name, so that something in it may read a key of that name.

    Args:
        word: The name.
        package: A package or module that is imported; one without source may spell anything.
    """
    in_code = re.compile(rf'([\'"]){re.escape(word)}\1|\.{re.escape(word)}\b|\b{re.escape(word)}\s*[=:,)]')
    files = _sources(package)
    return not files or any(word in text and in_code.search(text) for text in map(_read, files))


def spelled_in(word: str, packages: Iterable[str]) -> bool:
    """Return whether one of several packages spells a name, see :func:`is_spelled`."""
    return any(is_spelled(word, package) for package in packages)


def is_choice(value: str, built: Callable) -> bool:
    """Return whether a text is quoted in the modules of a class or its bases, as a choice that it knows would be."""
    modules = {sys.modules.get(each.__module__) for each in getattr(built, '__mro__', (built,))[:-1]}
    names = [getattr(module, '__file__', None) for module in modules]
    files = [Path(name) for name in names if name and name.endswith('.py')]
    return any(quoted in _read(file) for file in files for quoted in (f"'{value}'", f'"{value}"'))


@cache
def _sources(package: str) -> List[Path]:
    module = sys.modules.get(package)
    folders = getattr(module, '__path__', None)
    if folders is not None:
        return sorted(path for folder in folders for path in Path(folder).rglob('*.py') if '.mim' not in path.parts)
    file = getattr(module, '__file__', None)
    return [Path(file)] if file and file.endswith('.py') else []


def _read(path: Path) -> str:
    return path.read_text(encoding='utf-8', errors='replace')
