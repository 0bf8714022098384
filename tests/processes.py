"""Several processes of a test, joined through gloo."""
import multiprocessing
import os
import tempfile
import time
import traceback
from datetime import timedelta

import torch
import torch.distributed as dist

TIMEOUT = 120


def _main(rank, size, folder, function, args):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
    value = error = None
    try:
        dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=size,
                                timeout=timedelta(seconds=TIMEOUT))
        value = function(*args)
        dist.barrier()
    except BaseException:
        error = traceback.format_exc()
    torch.save((value, error), f'{folder}/{rank}')
    os._exit(0 if error is None else 1)


def run_processes(size, function, *args):
    """What ``function(*args)`` returns in each of several processes; none outlives this."""
    context = multiprocessing.get_context('fork')
    with tempfile.TemporaryDirectory() as folder:
        processes = [context.Process(target=_main, args=(rank, size, folder, function, args)) for rank in range(size)]
        for process in processes:
            process.start()
        deadline = time.monotonic() + TIMEOUT
        while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
            if any(process.exitcode not in (None, 0) for process in processes):
                break
            time.sleep(0.02)
        for process in processes:
            process.kill()
            process.join()
        results = []
        for rank in range(size):
            path = f'{folder}/{rank}'
            value, error = torch.load(path) if os.path.exists(path) else (None, 'ended without a result')
            if error is not None and 'ended' not in error:
                raise AssertionError(f'process {rank}:\n{error}')
            results.append((value, error))
    assert all(error is None for _, error in results), results
    return [value for value, _ in results]
