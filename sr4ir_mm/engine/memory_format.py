import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights, and with them all images and features, in PyTorch's ``channels_last`` memory format.

    The same calculation in another order of memory: with narrow networks on a CPU a quarter less time.
    """

    def before_train(self, runner: Runner) -> None:
        # not before the weights have been drawn, which would come out in another order
        runner.model.to(memory_format=torch.channels_last)
