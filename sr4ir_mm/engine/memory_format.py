import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights, and with them all images and features, in PyTorch's ``channels_last`` memory format.

    The same calculation in another order of memory: with narrow networks on a CPU a quarter less time.
    """

    def before_run(self, runner: Runner) -> None:
        runner.model.to(memory_format=torch.channels_last)
