"""Whatever a file says: nothing of it is run, no read takes long or much memory, and a message is one printable line.

The whole corpus takes minutes: ``bash tools/run_tests.sh -m slow -s tests/test_checkpoints/test_hostile_files.py``.
"""
import json
import os
import resource
import sys
import traceback
from functools import lru_cache
from pathlib import Path

import pytest
import safetensors.torch  # noqa: F401  loaded here, so that a child imports nothing

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.utils import CheckpointError
from tests.test_checkpoints.hostile import corpus
from tests.test_checkpoints.hostile.opcodes import saved

SECONDS, MEMORY = 10, 2**30  # of processor time; of the whole process, with Python and PyTorch
#: what nobody does who only reads
ACTS = ('exec', 'compile', 'import', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.forkpty', 'os.kill',
        'os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.link', 'os.symlink', 'os.chmod', 'os.truncate',
        'shutil.rmtree', 'shutil.copyfile', 'subprocess.Popen', 'pty.spawn', 'socket.connect', 'ctypes.dlopen',
        'urllib.Request', 'webbrowser.open')


def peak():
    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) * 2**10


def read(path, answer):
    """In a process of its own: read a file, and write down what came of it and what it took."""
    acts = []

    def watch(event, args):
        if event == 'import' and args[0] == 'torch_musa':  # which MMEngine looks for
            return
        if event in ACTS or event == 'open' and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            acts.append(f'{event} {args}'[:300])

    before = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, ) * 2)
    sys.addaudithook(watch)
    try:
        load_checkpoint(path)
        outcome = 'read'
    except CheckpointError as error:
        outcome = f'refused: {error}'
    except BaseException:
        outcome = f'raised: {traceback.format_exc()}'
    found = list(acts)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    os.write(answer, json.dumps(dict(outcome=outcome, acts=found, seconds=seconds, memory=peak())).encode())


@lru_cache(maxsize=1)
def import_all(path):
    """Let this process have all that reading imports, so that an import in a child is one that a file asks for."""
    path.write_bytes(saved({}))
    load_checkpoint(str(path))
    'a'.encode('cp437'), 'a'.encode('raw-unicode-escape')  # of zip archives and old pickles


def tried(make, folder):
    """Try a file; return what :func:`read` wrote, and what of the folder has changed."""
    path = folder / 'file.pth'
    import_all(path)
    path.write_bytes(make())
    (folder / 'precious').write_text('precious')
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        read(str(path), writer)
        os._exit(0)
    os.close(writer)
    with open(reader, 'rb') as file:
        answer = file.read()
    _, status = os.waitpid(child, 0)
    size = path.stat().st_size
    path.unlink()
    left = {each.name: each.read_text() for each in folder.iterdir()}
    if not answer:
        return dict(
            outcome=f'raised: ended with status {status}', acts=[], seconds=SECONDS, memory=0, left=left, size=size)
    return dict(json.loads(answer), left=left, size=size)


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


@pytest.mark.parametrize('what', [
    'zip, posix.system', 'legacy, os.system', 'by STACK_GLOBAL', 'an encoded text, again and again',
    'a tensor of 200,000 dimensions', 'a text of a promised length', 'a list that holds itself',
    'keys that collide, whole numbers', 'a directory of 200,000 entries', 'names that a terminal obeys, zip',
    'safetensors of 200,000 dimensions', 'a config that is run, zip'
])
def test_some_hostile_files(tmp_path, what):
    assert not list(faults(tried(dict(CORPUS)[what], tmp_path)))


@pytest.mark.slow
def test_the_whole_corpus_of_hostile_files(tmp_path):
    bad, results = {}, {}
    for what, make in CORPUS:
        results[what] = found = tried(make, tmp_path)
        if list(faults(found)):
            bad[what] = list(faults(found))
    longest, largest = (max(results, key=lambda what: results[what][key]) for key in ('seconds', 'memory'))
    refused = sum(found['outcome'].startswith('refused') for found in results.values())
    print(f'\n{len(results)} files: {refused} refused, {len(results) - refused} read\n'
          f'most time: {results[longest]["seconds"]:.1f} s ({longest})\n'
          f'most memory: {results[largest]["memory"] / 2**20:.0f} MiB ({largest})')
    assert len(results) >= 320
    assert not bad, '\n'.join(f'{what}: {why}' for what, why in bad.items())
