"""Several processes: one gradient all-reduce for each trained parameter, gloo without a GPU."""

import os
import subprocess
from contextlib import contextmanager
from datetime import timedelta
from typing import Dict, Iterable, Iterator, List, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.dist import all_reduce_params, broadcast
from mmengine.model import convert_sync_batchnorm
from torch import Tensor, nn
from torch import distributed as torch_dist

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import MODEL_WRAPPERS
from sr4ir_mm.utils.ports import port_problem

# Where the launchers that MMEngine knows say rank, number of processes and rank on the machine.
_LAUNCHERS = dict(
    pytorch=('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    slurm=('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
)


def init_dist_without_gpu(cfg: Config) -> None:
    """Join the processes of a launcher through gloo where there is no GPU; MMEngine does it with GPUs only.

    Args:
        cfg: Its ``launcher``, and ``env_cfg.dist_cfg.timeout`` in seconds.

    Raises:
        ConfigError: The launcher has not set what is needed, or the port at which the processes meet is in use.
    """
    _check_port(cfg)
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    for name, value in zip(_LAUNCHERS['pytorch'], _LAUNCHERS[cfg.launcher]):
        if value not in os.environ:
            raise ConfigError(
                f'--launcher {cfg.launcher} needs the environment variable {value}, which is not set; '
                'start with tools/dist_train.sh or tools/slurm_train.sh, or without --launcher.'
            )
        os.environ[name] = os.environ[value]
    if 'MASTER_ADDR' not in os.environ:
        nodes = os.environ.get('SLURM_NODELIST', '')
        os.environ['MASTER_ADDR'] = (
            subprocess.getoutput(f'scontrol show hostname {nodes} | head -n1').strip() if nodes else '127.0.0.1'
        )
    os.environ.setdefault('MASTER_PORT', '29500')
    timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800)
    torch_dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))


def _check_port(cfg: Config) -> None:
    """Refuse a port that something else has, in the process that is going to listen at it.

    Under torchrun it listens already, and tools/dist_run.py has looked before.
    """
    if cfg.launcher not in ('slurm', 'mpi') or not is_first_process(cfg.launcher):
        return
    dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
    key = 'env_cfg.dist_cfg.port' if cfg.launcher == 'slurm' and 'port' in dist_cfg else 'MASTER_PORT'
    port = str(dist_cfg['port']) if key != 'MASTER_PORT' else os.environ.get(key, '29500')
    problem = port_problem(port)
    if problem:
        raise ConfigError(f'{key} is {port!r}, {problem}')


def is_first_process(launcher: str) -> bool:
    """Return whether this is the first of a launcher's processes, also before they have joined.

    Args:
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
    """
    return launcher == 'none' or int(os.environ.get(_LAUNCHERS[launcher][0], 0)) == 0


@MODEL_WRAPPERS.register_module()
class CascadeDistributedDataParallel(nn.Module):
    """Data parallelism for a cascade: each process trains on its part of the batch, with the mean of all gradients.

    PyTorch's DistributedDataParallel reduces gradients during a backward. A cascade goes backward several times for one
    step, with different parts frozen, so here each phase reduces the gradients of the parts that it updates once,
    after its last backward and only where the optimizer is going to step. Parameters that no process has used get no
    gradient, as in one process. Parameters and buffers begin as those of the first process; later, buffers (the
    statistics of batch norm) are each process's own, as MMEngine has it, unless ``SyncBuffersHook`` averages them.

    Args:
        module: The cascade.
        sync_bn: ``torch`` or ``mmcv``: convert the batch norms of the parts that are trained to that library's SyncBN,
            which needs GPUs. None: leave them.
        bucket_size_mb: Gradients are reduced in buckets of this size in MiB; -1: all at once.
    """

    def __init__(self, module: nn.Module, sync_bn: Optional[str] = None, bucket_size_mb: int = 64) -> None:
        super().__init__()
        self.module = module
        self.sync_bn = check_choice(sync_bn, (None, 'torch', 'mmcv'), 'model_wrapper_cfg.sync_bn')
        self.bucket_size_mb = bucket_size_mb
        self._reduces = True
        for tensor in module.state_dict().values():
            broadcast(tensor)

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def train_step(self, data: dict, optim_wrapper) -> Dict[str, Tensor]:
        return self.module.train_step(data, optim_wrapper, self.reduce_gradients if self._reduces else None)

    def val_step(self, data: dict) -> List:
        return self.module.val_step(data)

    def test_step(self, data: dict) -> List:
        return self.module.test_step(data)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Leave the gradients of each process to itself."""
        before, self._reduces = self._reduces, False
        try:
            yield
        finally:
            self._reduces = before

    @torch.no_grad()
    def reduce_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace gradients by their mean over the processes.

        Args:
            parameters: The same ones in every process; some may have no gradient here, or nowhere.
        """
        unused = [parameter for parameter in parameters if parameter.grad is None]
        used = torch.tensor(
            [parameter.grad is not None for parameter in parameters], dtype=torch.uint8, device=parameters[0].device
        )
        # one byte for each tensor; it is looked at, and so waited for, only where a gradient is missing here
        anywhere = torch_dist.all_reduce(used, torch_dist.ReduceOp.MAX, async_op=True)
        for parameter in unused:
            parameter.grad = torch.zeros_like(parameter)
        all_reduce_params([parameter.grad for parameter in parameters], bucket_size_mb=self.bucket_size_mb, op='mean')
        anywhere.wait()
        if unused:
            for parameter, is_used in zip(parameters, used.tolist()):
                if not is_used:
                    parameter.grad = None

    def convert_sync_bn(self, parts: Iterable[str]) -> None:
        """Do what ``sync_bn`` asks for, in these parts; each layer stays in its mode."""
        if self.sync_bn is None:
            return
        for name in parts:
            part = self.module.parts[name]
            modes = {key: layer.training for key, layer in part.named_modules()}
            part = convert_sync_batchnorm(part, self.sync_bn)
            for key, layer in part.named_modules():
                layer.training = modes[key]
            setattr(self.module, name, part)
