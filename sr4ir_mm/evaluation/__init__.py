"""Metrics of restored images and of predictions for each image."""

from sr4ir_mm.evaluation.iou import PerClassIoUMetric
from sr4ir_mm.evaluation.psnr import PSNR
from sr4ir_mm.evaluation.restoration import LPIPS, NIQE, SSIM

__all__ = ['PerClassIoUMetric', 'LPIPS', 'NIQE', 'PSNR', 'SSIM']
