"""Statistics of batch norm, estimated again after training on the images that a test shows to the recognizer."""

from itertools import islice
from typing import Any, Iterable, List, Optional

import torch
from mmengine.dist import all_reduce_params, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.modules.batchnorm import _BatchNorm

from sr4ir_mm.checkpoints import save_checkpoint
from sr4ir_mm.engine.dataloader import ReproducibleDataLoader
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.runner import unwrap


@torch.no_grad()
def reestimate_batch_norm(cascade, batches: Iterable[dict]) -> List[_BatchNorm]:
    """Replace the statistics of the recognizer's batch norms by those of restored images.

    SR4IR trains the recognizer on restored, clean and mixed images, and the running statistics mix all three. Here each
    layer gets the mean over the batches of their means and of their unbiased variances, for the weights as they are (Wu
    and Johnson, "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576, section 3). Everything else runs in eval mode, as
    in a test. Layers that the host library keeps in eval mode, and those that a prediction does without (auxiliary
    heads), are left as they are. Several processes take the mean of theirs. Modes and momenta are afterwards as they
    were.

    Args:
        cascade: The model. One without a restorer sees clean images.
        batches: What the training's dataloader collates, the same number in each process.

    Returns:
        The layers with new statistics.

    Raises:
        ConfigError: There is no layer to estimate, or no batch.
    """
    modes = [(module, module.training) for module in cascade.modules()]
    norms = _learning_norms(cascade.train())
    kept = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]
    try:
        cascade.eval()
        for norm in norms:
            norm.train()
            norm.momentum = None  # PyTorch's cumulative average, which replaces what is there with the first batch
            norm.num_batches_tracked.zero_()
        for data in batches if norms else ():
            cascade(**cascade.data_preprocessor(data, True), mode='tensor')
        changed = [norm for norm in norms if norm.num_batches_tracked]
    finally:
        for norm, (momentum, count) in zip(norms, kept):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)
        for module, mode in modes:
            module.training = mode
    if not changed:
        raise ConfigError(
            'Batch norm cannot be re-estimated: the recognizer has no layer of it that learns statistics '
            '(frozen ones, as those of Faster R-CNN here, keep theirs), or there was no batch.'
        )
    all_reduce_params([buffer for norm in changed for buffer in (norm.running_mean, norm.running_var)], op='mean')
    return changed


def _learning_norms(cascade) -> List[Any]:
    """The recognizer's layers that are in train mode when the model is."""
    recognizer = cascade.parts.get('recognizer')
    return [
        module
        for module in (recognizer.modules() if recognizer is not None else ())
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]


@HOOKS.register_module()
class ReestimateBatchNormHook(Hook):
    """Estimate the recognizer's batch norm again before a test, see :func:`reestimate_batch_norm`.

    The checkpoint that is tested stays as it is.

    Args:
        dataloader: Config of the training's dataloader. Its order and augmentation follow from ``seed``.
        num_batches: Number of its batches to use; None: all of an epoch.
        seed: Of order and augmentation.
        out_file: Path of a checkpoint to write with the new statistics; None: none.

    Raises:
        ConfigError: ``num_batches`` is no whole number from 1, or there is nothing to estimate.
    """

    # after EMAHook, which puts its average in the place of the weights
    priority = 'LOW'

    def __init__(
        self, dataloader: dict, num_batches: Optional[int] = None, seed: int = 0, out_file: Optional[str] = None
    ) -> None:
        if num_batches is not None and (not isinstance(num_batches, int) or num_batches < 1):
            raise ConfigError(
                f'ReestimateBatchNormHook.num_batches is {num_batches!r}; allowed: None, which means all of '
                'an epoch, or a whole number from 1.'
            )
        self.dataloader = dataloader
        self.num_batches = num_batches
        self.seed = seed
        self.out_file = out_file
        self._meta: dict = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self._meta = checkpoint.get('meta', {})

    def before_test_epoch(self, runner: Runner) -> None:
        cascade = unwrap(runner.model)
        loader = ReproducibleDataLoader(runner.build_dataloader(self.dataloader, seed=self.seed), self.seed)
        count = min(self.num_batches or len(loader), len(loader))  # an InfiniteSampler does not end
        changed = reestimate_batch_norm(cascade, islice(loader, count))
        runner.logger.info(f'{len(changed)} batch norms of the recognizer have new statistics, from {count} batches')
        if self.out_file is not None and is_main_process():
            save_checkpoint(dict(meta=self._meta, state_dict=cascade.state_dict()), self.out_file)
