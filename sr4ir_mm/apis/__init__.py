"""The interfaces for Python code."""

from sr4ir_mm.apis.inferencer import CascadeInferencer
from sr4ir_mm.apis.outputs import Result

__all__ = ['CascadeInferencer', 'Result']
