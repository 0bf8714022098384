"""How good a restored image is, by the measures of other libraries; PSNR has a file of its own."""
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from sr4ir_mm.models.degradations import quantize
from sr4ir_mm.registry import METRICS
from sr4ir_mm.utils import ConfigError, check_choice

from .psnr import LUMA

#: (height, width) of the blocks that NIQE's model of natural images was made with
NIQE_BLOCK = 96


class RestorationMetric(BaseMetric):
    """Mean over the images of a number for each ``sr``; its subclasses name the number.

    Images are gathered from all processes as MMEngine does it: each counts once. Samples that name their ``benchmark``
    are averaged for each of these, as ``<benchmark>/<name>``.

    Args:
        border: Pixels left out on each side.
        convert_to: ``Y`` for the luma alone, None for RGB.
        rounded: Whether ``sr`` is rounded to 8 bits first, as if it had been stored in a file.
        collect_device: As of :class:`mmengine.evaluator.BaseMetric`.
        prefix: As of :class:`mmengine.evaluator.BaseMetric`.
    """
    needs_hr = True

    def __init__(self,
                 border: int = 0,
                 convert_to: Optional[str] = None,
                 rounded: bool = True,
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None) -> None:
        super().__init__(collect_device, prefix)
        self.name = type(self).__name__
        if not isinstance(border, int) or border < 0:
            raise ConfigError(f'{self.name}.border is {border!r}; allowed: a whole number from 0.')
        self.border = border
        self.convert_to = check_choice(convert_to, (None, 'Y'), f'{self.name}.convert_to')
        self.rounded = rounded

    def measure(self, sr: Tensor, hr: Optional[Tensor]) -> float:
        """The number of one image; both are (C, H, W), in [0, 1], C being 3 for RGB and 1 for the luma."""
        raise NotImplementedError

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            if self.needs_hr and 'hr' not in sample:
                raise ConfigError(f'{self.name} needs the clean image, but the data set brings low-resolution images '
                                  'only; remove it from the evaluator.')
            sr = quantize(sample['sr']) if self.rounded else sample['sr'].clamp(0, 1)
            hr = self._prepare(sample['hr']) if self.needs_hr else None
            self.results.append((sample.get('benchmark'), self.measure(self._prepare(sr), hr)))

    def _prepare(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if min(height, width) <= 2 * self.border:
            raise ConfigError(f'{self.name}.border is {self.border}, which leaves nothing of an image of '
                              f'{height}×{width} pixels; allowed: less than {min(height, width) / 2:g}.')
        image = image[:, self.border:height - self.border, self.border:width - self.border]
        if self.convert_to == 'Y':
            image = (torch.tensordot(image.new_tensor(LUMA), image, dims=1)[None] + 16) / 255
        return image

    def _check_size(self, image: Tensor, height: int, width: int) -> None:
        if image.shape[-2] < height or image.shape[-1] < width:
            raise ConfigError(f'{self.name} needs images of at least {height}×{width} pixels inside its border; one '
                              f'has {image.shape[-2]}×{image.shape[-1]}. Remove it from the evaluator.')

    def compute_metrics(self, results: List[Tuple[Optional[str], float]]) -> Dict[str, float]:
        values = {}
        for benchmark, value in results:
            values.setdefault(f'{benchmark}/{self.name}' if benchmark else self.name, []).append(value)
        return {name: sum(found) / len(found) for name, found in values.items()}


def _to_array(image: Tensor) -> np.ndarray:
    return (image.double() * 255).permute(1, 2, 0).cpu().numpy()


@METRICS.register_module()
class SSIM(RestorationMetric):
    """Structural similarity of ``sr`` and ``hr`` (Wang et al. 2004), by mmagic; 1 for equal images.

    Args:
        border: Pixels left out on each side.
        **kwargs: As of :class:`RestorationMetric`.
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
        **kwargs: As of :class:`RestorationMetric`.
    """
    needs_hr = False

    def __init__(self, convert_to: str = 'Y', **kwargs) -> None:
        super().__init__(convert_to=check_choice(convert_to, ('Y', ), 'NIQE.convert_to'), **kwargs)

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
        **kwargs: As of :class:`RestorationMetric`.
    """
    backbones = dict(vgg='vgg16', alex='alexnet', squeeze='squeezenet1_1')

    def __init__(self, net: str = 'vgg', backbone: Optional[str] = None, border: int = 8, **kwargs) -> None:
        super().__init__(border, **kwargs)
        if self.convert_to is not None:
            raise ConfigError(f'LPIPS.convert_to is {self.convert_to!r}; allowed: None, its network knows colors.')
        check_choice(net, self.backbones, 'LPIPS.net')
        import lpips
        self._network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        weights = self._load(net, backbone)
        state = self._network.net.state_dict()  # slice1.0.weight, where torchvision has features.0.weight
        self._network.net.load_state_dict({name: weights['features' + name[name.index('.'):]] for name in state})

    def _load(self, net: str, path: Optional[str]) -> dict:
        from torchvision.models import get_model_weights
        url = get_model_weights(self.backbones[net]).IMAGENET1K_V1.url
        try:
            if path is None:
                return torch.hub.load_state_dict_from_url(url, map_location='cpu', progress=False, check_hash=True)
            return torch.load(path, map_location='cpu', weights_only=True)
        except Exception as error:  # of the network, of the disk or of the file
            raise ConfigError(f'LPIPS lacks the weights of {self.backbones[net]} '
                              f'({str(error).strip() or type(error).__name__}); fetch {url} and name the file in '
                              'LPIPS.backbone, or remove LPIPS from the evaluator.') from error

    @torch.no_grad()
    def measure(self, sr: Tensor, hr: Tensor) -> float:
        self._check_size(hr, 32, 32)
        self._network.to(sr.device)
        return self._network(sr[None], hr[None], normalize=True).item()
