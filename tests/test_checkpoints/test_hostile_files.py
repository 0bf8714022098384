"""Whatever a file says: nothing of it is run, no read takes long or much memory, and a message is one printable line.

The whole corpus takes minutes: ``bash tools/run_tests.sh -m slow -s tests/test_checkpoints/test_hostile_files.py``.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_checkpoints.hostile import corpus
from tests.test_checkpoints.hostile.opcodes import saved
from tests.test_checkpoints.hostile.worker import MEMORY, SECONDS


@pytest.fixture(scope='module')
def worker(tmp_path_factory):
    """A new process, since a child of this one would begin with the memory of all tests before."""
    harmless = tmp_path_factory.mktemp('harmless') / 'a.pth'
    harmless.write_bytes(saved({}))
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), *filter(None, [os.environ.get('PYTHONPATH')])])
    with subprocess.Popen(
        [sys.executable, '-m', 'tests.test_checkpoints.hostile.worker', str(harmless)],
        cwd=root,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, PYTHONPATH=paths),
    ) as process:
        yield process
        process.stdin.close()


def tried(worker, make, folder):
    """Try a file; return what came of it, and what is in its folder then."""
    path = folder / 'file.pth'
    path.write_bytes(make())
    (folder / 'precious').write_text('precious')
    print(path, file=worker.stdin, flush=True)
    found = json.loads(worker.stdout.readline())
    path.unlink()
    return dict(found, left={each.name: each.read_text() for each in folder.iterdir()})


def faults(found):
    if found['left'] != dict(precious='precious'):
        yield f'changed the folder: {found["left"]}'
    if found['acts']:
        yield f'did {found["acts"]}'
    if found['outcome'].startswith('raised'):
        yield found['outcome'][-1000:]
    message = found['outcome']
    if not message.isprintable() or len(message) > 1000:
        yield f'a message of {len(message)} letters: {message[:100]!r}'
    if found['seconds'] >= SECONDS:
        yield f'took {found["seconds"]:.1f} s'
    if found['memory'] >= MEMORY:
        yield f'took {found["memory"] / 2**20:.0f} MiB'


CORPUS = corpus()


@pytest.mark.parametrize(
    'what',
    [
        'zip, posix.system',
        'legacy, os.system',
        'by STACK_GLOBAL',
        'an encoded text, again and again',
        'a tensor of 200,000 dimensions',
        'a text of a promised length',
        'a list that holds itself',
        'keys that collide, whole numbers',
        'a directory of 200,000 entries',
        'names that a terminal obeys, zip',
        'safetensors of 200,000 dimensions',
        'a config that is run, zip',
    ],
)
def test_some_hostile_files(worker, tmp_path, what):
    assert not list(faults(tried(worker, dict(CORPUS)[what], tmp_path)))


@pytest.mark.slow
def test_the_whole_corpus_of_hostile_files(worker, tmp_path):
    bad, results = {}, {}
    for what, make in CORPUS:
        results[what] = found = tried(worker, make, tmp_path)
        if list(faults(found)):
            bad[what] = list(faults(found))
    longest, largest = (max(results, key=lambda what: results[what][key]) for key in ('seconds', 'memory'))
    refused = sum(found['outcome'].startswith('refused') for found in results.values())
    print(
        f'\n{len(results)} files: {refused} refused, {len(results) - refused} read\n'
        f'most time: {results[longest]["seconds"]:.1f} s ({longest})\n'
        f'most memory: {results[largest]["memory"] / 2**20:.0f} MiB ({largest})'
    )
    assert len(results) >= 320
    assert not bad, '\n'.join(f'{what}: {why}' for what, why in bad.items())
