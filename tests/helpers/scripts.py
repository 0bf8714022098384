"""Scripts of tools/, each started as a process of its own."""

import os
import signal
import socket
import subprocess
import sys

from tests.helpers.builders import ROOT


def start(script, *args, **env):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = dict(os.environ, PYTHON=sys.executable, PORT=str(port), OMP_NUM_THREADS='1', **env)
    return subprocess.Popen(
        [str(ROOT / 'tools' / script), *map(str, args)],
        env=env,
        text=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(process, timeout=150):
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return output
