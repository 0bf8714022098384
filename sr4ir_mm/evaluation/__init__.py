from .iou import IoUMetric
from .psnr import PSNR
from .restoration import LPIPS, NIQE, SSIM

__all__ = ['IoUMetric', 'LPIPS', 'NIQE', 'PSNR', 'SSIM']
