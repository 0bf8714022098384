from sr4ir_mm.evaluation.iou import IoUMetric
from sr4ir_mm.evaluation.psnr import PSNR
from sr4ir_mm.evaluation.restoration import LPIPS, NIQE, SSIM

__all__ = ['IoUMetric', 'LPIPS', 'NIQE', 'PSNR', 'SSIM']
