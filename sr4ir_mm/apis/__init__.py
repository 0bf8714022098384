from sr4ir_mm.apis.inferencer import CascadeInferencer, Result

__all__ = ['CascadeInferencer', 'Result']
