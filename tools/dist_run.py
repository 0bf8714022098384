"""Start processes as ``python -m torch.distributed.run`` does, and pass on stop signals and what they lead to.

torchrun knows nothing of SIGUSR1 and ends with 1 whatever its processes end with.
"""

import os
import signal
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

EXIT_CODE = 75  # of sr4ir_mm.engine.stop, which brings libraries that take seconds to import


def pass_on(number: int, frame) -> None:
    """Send a signal to the processes of the training."""
    for child in Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split():
        os.kill(int(child), number)


if __name__ == '__main__':
    signal.signal(signal.SIGUSR1, pass_on)
    try:
        main()
    except ChildFailedError as error:
        if any(failure.exitcode != EXIT_CODE for failure in error.failures.values()):
            raise
        raise SystemExit(EXIT_CODE) from error
    except SignalException as error:  # torchrun has waited for its processes
        raise SystemExit(128 + error.sigval) from error
