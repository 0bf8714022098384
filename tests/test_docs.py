"""The Markdown files name only what exists: links, anchors, files, tests, types, config keys and options."""

import inspect
import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import pytest

from sr4ir_mm import registry
from sr4ir_mm.engine.efficiency import apply_efficiency
from sr4ir_mm.models.cascade import Cascade
from tests.helpers.builders import ROOT

DOCS = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md'), *ROOT.glob('configs/*/README.md')])
REGISTRIES = [each for each in vars(registry).values() if isinstance(each, registry.Registry)]
#: where a path in a document may start: the repository, the package, the tests
STARTS = ('', 'sr4ir_mm', 'tests', 'tests/*')
#: what a command here writes: the configs of the parts
WRITTEN = {'recognizer.py', 'restorer.py', 'config.py'}
CODE = re.compile(r'`+([^`]+)`+')
FENCE = re.compile(r'^```.*?^```', re.M | re.S)
LINK = re.compile(r'\]\(([^)\s]+)\)')


def documents(paths):
    return pytest.mark.parametrize('document', paths, ids=lambda path: path.relative_to(ROOT).as_posix())


def of_today():
    """The changelog also names what is gone."""
    return documents([path for path in DOCS if path.name != 'CHANGELOG.md'])


def slug(heading):
    """The anchor that GitHub gives a heading."""
    heading = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading)
    return re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')


def anchors(path):
    return {slug(line.lstrip('#')) for line in FENCE.sub('', path.read_text()).splitlines() if line.startswith('#')}


def code_of(document):
    """Everything in backticks: the blocks, and the spans outside them."""
    text = document.read_text()
    return [*FENCE.findall(text), *CODE.findall(FENCE.sub('', text))]


def words(document):
    for code in code_of(document):
        for word in re.split(r"[\s'\"=();\[\]]+|,(?![^{]*})", code):
            yield word.rstrip('.:')


@lru_cache(None)
def exists(path, folder):
    """A path with `*`, `…`, `<name>` or `{a,b}` in it exists if any path fits it, for `{a,b}` if one fits each."""
    braces = re.search(r'\{([^}]*)\}', path)
    if braces and ',' in braces[1]:
        return all(exists(path.replace(braces[0], each.strip(), 1), folder) for each in braces[1].split(','))
    pattern = re.sub(r'<[^>]*>|…|\$\{?\w+}?|[A-Z]{3,}$', '*', path).rstrip('/')
    starts = [folder, *(ROOT / start for start in STARTS)]
    return any(next(Path(ROOT).glob(f'{start.relative_to(ROOT).as_posix()}/{pattern}'), None) for start in starts)


@documents(DOCS)
def test_links_lead_somewhere(document):
    for target in LINK.findall(CODE.sub('', FENCE.sub('', document.read_text()))):
        if re.match(r'https?:|mailto:', target):
            continue
        path, _, anchor = target.partition('#')
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f'{target} leads nowhere'
        if anchor:
            assert anchor in anchors(file), f'{target}: no such heading; there are {sorted(anchors(file))}'


@of_today()
def test_files_exist(document):
    """Files and folders in backticks whose first folder is one of this repository, and scripts that are named alone."""
    own = {each.name for start in STARTS[:3] for each in (ROOT / start).iterdir() if each.is_dir()}
    scripts = {path.name for path in ROOT.rglob('*') if path.suffix in ('.py', '.sh')} | WRITTEN
    missing = []
    for word in words(document):
        path = word.split('::')[0]
        first = path.split('/')[0]
        if re.fullmatch(r'\w+\.(py|sh)', path) and path not in scripts:
            missing.append(word)
        if '/' in path and first in own - {'data'} and not exists(path, document.parent):
            missing.append(word)
    assert not missing


@of_today()
def test_tests_exist(document):
    """`test_file.py::test_name`, in a table also `test_name` alone for the file that the row or the text names."""
    sources = {path: path.read_text() for path in ROOT.glob('tests/**/test_*.py')}
    everything = '\n'.join(sources.values())
    for file, name in re.findall(r'(test_\w+\.py)(?:::(test_\w*…?))?', '\n'.join(code_of(document))):
        found = [text for path, text in sources.items() if path.name == file]
        assert found, f'{file} does not exist'
        if name:
            pattern = rf'def {re.escape(name.rstrip("…"))}' + ('' if name.endswith('…') else r'\(')
            assert any(re.search(pattern, text) for text in found), f'{file} has no {name}'
    for name in re.findall(r'`(?:…::)?(test_\w+)`', document.read_text()):
        assert f'def {name}(' in everything or (ROOT / 'tests' / name).is_dir(), f'there is no test {name}'


@of_today()
def test_types_exist(document):
    """`sr4ir_mm.X` is registered or can be imported."""
    text = '\n'.join(code_of(document))
    for name in set(re.findall(r'\bsr4ir_mm\.(\w+(?:\.\w+)*)', text)):
        if re.search(rf'\bclass {name}\b', text) or any(each.get(f'sr4ir_mm.{name}') for each in REGISTRIES):
            continue
        assert importable(f'sr4ir_mm.{name}'), f'sr4ir_mm.{name} does not exist'


def importable(name):
    """A module, or what is in one, or an attribute of that."""
    parts = name.split('.')
    for length in range(len(parts), 0, -1):
        try:
            found = import_module('.'.join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


@of_today()
def test_config_keys_exist(document):
    """`model.<key>` is an argument of a cascade, `efficiency.<key>` one of its function, `model.task.<key>` of a task."""
    text = '\n'.join(code_of(document))
    tasks = [
        registry.MODELS.get(f'sr4ir_mm.{name}') for name in ('SegmentationTask', 'DetectionTask', 'ClassificationTask')
    ]
    known = {
        'model': {'type', *inspect.signature(Cascade).parameters},
        'efficiency': {*inspect.signature(apply_efficiency).parameters},
        'model.task': {'type', *(key for task in tasks for key in inspect.signature(task).parameters)},
    }
    for place, keys in known.items():
        for key in re.findall(rf'(?<![\w./]){re.escape(place)}\.(?!py\b|pth\b)([a-z]\w*)', text):
            assert key in keys, f'{place}.{key} does not exist; there are {sorted(keys)}'


@of_today()
def test_options_exist(document):
    """Each `--option` on a line that calls a tool of ours is one of it."""
    ours = '\n'.join(
        path.read_text()
        for folder in ('tools', 'sr4ir_mm')
        for path in (ROOT / folder).rglob('*')
        if path.suffix in ('.py', '.sh')
    )
    for block in FENCE.findall(document.read_text()):
        for line in block.replace('\\\n', ' ').splitlines():
            if re.match(r'\s*(?:\w+=\S+ )*(?:python|bash)? ?tools/\S+\.py', line):
                for option in re.findall(r'(?<!\S)(--[a-z][\w-]*)', line.split(' #')[0]):
                    assert re.search(rf"['\"]{option}['\"]", ours), f'{option} of `{line.strip()}` does not exist'
