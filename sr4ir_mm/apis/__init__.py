from .inferencer import CascadeInferencer, Result

__all__ = ['CascadeInferencer', 'Result']
