"""Read files, each in a process of its own that inherits nothing but what reading needs.

A path for each line of the input; for each, a line of JSON comes back.
"""

import json
import os
import resource
import sys
import traceback
from pathlib import Path

import safetensors.torch  # noqa: F401  loaded here, so that an import in a child is one that a file asks for

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import CheckpointError

SECONDS, MEMORY = 10, 2**30  # of processor time; of the whole process, with Python and PyTorch
#: what nobody does who only reads
ACTS = (
    'exec',
    'compile',
    'import',
    'os.system',
    'os.exec',
    'os.posix_spawn',
    'os.fork',
    'os.forkpty',
    'os.kill',
    'os.remove',
    'os.rename',
    'os.mkdir',
    'os.rmdir',
    'os.link',
    'os.symlink',
    'os.chmod',
    'os.truncate',
    'shutil.rmtree',
    'shutil.copyfile',
    'subprocess.Popen',
    'pty.spawn',
    'socket.connect',
    'ctypes.dlopen',
    'urllib.Request',
    'webbrowser.open',
)


def memory(key):
    return int(Path('/proc/self/status').read_text().split(f'{key}:')[1].split()[0]) * 2**10


def read(path):
    """Read a file; return what came of it and what it took."""
    acts = []

    def watch(event, args):
        if event == 'import' and args[0] == 'torch_musa':  # which MMEngine looks for
            return
        if event in ACTS or event == 'open' and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            acts.append(f'{event} {args}'[:300])

    before = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory('VmSize') + MEMORY,) * 2)
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
    return dict(outcome=outcome, acts=found, seconds=seconds, memory=memory('VmHWM'))


def in_a_child(path):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.chdir(os.path.dirname(path))
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        os.write(writer, json.dumps(read(path)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, 'rb') as file:
        answer = file.read()
    _, status = os.waitpid(child, 0)
    if answer:
        return json.loads(answer)
    return dict(outcome=f'raised: ended with status {status}', acts=[], seconds=SECONDS, memory=0)


def main(harmless):
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # where logs go
    load_checkpoint(harmless)
    'a'.encode('cp437'), 'a'.encode('raw-unicode-escape')  # of zip archives and old pickles
    for line in sys.stdin:
        print(json.dumps(in_a_child(line.rstrip('\n'))), file=answers, flush=True)


if __name__ == '__main__':
    main(sys.argv[1])
