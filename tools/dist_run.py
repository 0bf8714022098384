"""Start processes as ``python -m torch.distributed.run`` does, and pass on stop signals and what they lead to.

torchrun knows nothing of SIGUSR1 and ends with 1 whatever its processes end with.
"""

import os
import signal
import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

from sr4ir_mm.utils.ports import port_problem

EXIT_CODE = 75  # of sr4ir_mm.engine.stop, which brings libraries that take seconds to import


def pass_on(number: int, frame) -> None:
    """Send a signal to the processes of the training."""
    for child in Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split():
        os.kill(int(child), number)


def check_port() -> None:
    """Refuse a port that something else has: torchrun fails with a traceback that does not say what to do."""
    options = dict(each[2:].split('=', 1) for each in sys.argv[1:] if each.startswith('--') and '=' in each)
    port = options.get('master_port', '29500')
    problem = port_problem(port) if options.get('node_rank', '0') == '0' else ''  # the first machine listens
    if problem:
        raise SystemExit(f'error: PORT is {port!r}, {problem} Write PORT=… before the command.')


if __name__ == '__main__':
    check_port()
    signal.signal(signal.SIGUSR1, pass_on)
    try:
        main()
    except ChildFailedError as error:
        if any(failure.exitcode != EXIT_CODE for failure in error.failures.values()):
            raise
        raise SystemExit(EXIT_CODE) from error
    except SignalException as error:  # torchrun has waited for its processes
        raise SystemExit(128 + error.sigval) from error
