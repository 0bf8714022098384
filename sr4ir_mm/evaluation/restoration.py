"""SSIM, NIQE and LPIPS, by other libraries."""

from pathlib import Path
from typing import Optional

import numpy as np
import torch
from torch import Tensor, nn

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import METRICS

from .metric import RestorationMetric

#: (height, width) of the blocks that NIQE's model of natural images was made with
NIQE_BLOCK = 96


def _to_array(image: Tensor) -> np.ndarray:
    return (image.double() * 255).permute(1, 2, 0).cpu().numpy()


@METRICS.register_module()
class SSIM(RestorationMetric):
    """Structural similarity of ``sr`` and ``hr`` (Wang et al. 2004), by mmagic; 1 for equal images.

    Args:
        border: Pixels left out on each side.
        **kwargs: See :class:`RestorationMetric`.
    """

    def __init__(self, border: int = 8, **kwargs) -> None:
        super().__init__(border, **kwargs)

    def measure(self, sr: Tensor, hr: Tensor) -> float:
        from mmagic.evaluation.metrics.ssim import ssim

        self._check_size(hr, 11, 11)  # its window
        return float(ssim(_to_array(sr), _to_array(hr)))


@METRICS.register_module()
class NIQE(RestorationMetric):
    """Naturalness of ``sr`` alone, without ``hr`` (Mittal et al. 2013), by mmagic; lower is better.

    Args:
        convert_to: ``Y`` is the only choice.
        **kwargs: See :class:`RestorationMetric`.
    """

    needs_hr = False

    def __init__(self, convert_to: str = 'Y', **kwargs) -> None:
        super().__init__(convert_to=check_choice(convert_to, ('Y',), 'NIQE.convert_to'), **kwargs)

    def measure(self, sr: Tensor, hr: None) -> float:
        from mmagic.evaluation.metrics.niqe import niqe

        blocks = [side // NIQE_BLOCK for side in sr.shape[-2:]]
        if blocks[0] * blocks[1] < 2:  # there is no covariance of one
            self._check_size(sr, NIQE_BLOCK, 2 * NIQE_BLOCK)
        return float(niqe(_to_array(sr)[..., 0], crop_border=0, input_order='HW'))


@METRICS.register_module()
class LPIPS(RestorationMetric):
    """Distance of ``sr`` and ``hr`` in the features of a trained network (Zhang et al. 2018), by the package ``lpips``.

    That package brings the weights of the distance, but not those of the network.

    Args:
        net: ``vgg`` (as in SR4IR), ``alex`` or ``squeeze``.
        backbone: Path of the network's ImageNet weights, a checkpoint of torchvision; None: torchvision downloads it.
        border: Pixels left out on each side.
        **kwargs: See :class:`RestorationMetric`.
    """

    backbones = dict(vgg='vgg16', alex='alexnet', squeeze='squeezenet1_1')

    def __init__(self, net: str = 'vgg', backbone: Optional[str] = None, border: int = 8, **kwargs) -> None:
        super().__init__(border, **kwargs)
        if self.convert_to is not None:
            raise ConfigError(f'LPIPS.convert_to is {self.convert_to!r}; allowed: None, its network knows colors.')
        check_choice(net, self.backbones, 'LPIPS.net')
        weights = self._load(net, backbone)
        import lpips

        self._network: nn.Module = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        state = self._network.net.state_dict()  # slice1.0.weight, where torchvision has features.0.weight
        self._network.net.load_state_dict({name: weights['features' + name[name.index('.') :]] for name in state})

    def _load(self, net: str, path: Optional[str]) -> dict:
        from torchvision.models import get_model_weights

        url = get_model_weights(self.backbones[net]).IMAGENET1K_V1.url
        try:
            return load_checkpoint(path or url)
        except Exception as error:  # of the network, of the disk or of the file
            raise ConfigError(
                f'LPIPS lacks the weights of {self.backbones[net]} '
                f'({str(error).strip() or type(error).__name__}); put the file {url} into '
                f'{Path(torch.hub.get_dir(), "checkpoints")} or name it in LPIPS.backbone, or leave '
                'this metric out: --skip-metrics LPIPS.'
            ) from error

    @torch.no_grad()
    def measure(self, sr: Tensor, hr: Tensor) -> float:
        self._check_size(hr, 32, 32)
        self._network.to(sr.device)
        return self._network(sr[None], hr[None], normalize=True).item()
