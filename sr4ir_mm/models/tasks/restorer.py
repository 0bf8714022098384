from sr4ir_mm.models.cascade import Cascade
from sr4ir_mm.registry import MODELS


@MODELS.register_module()
class CascadeRestorer(Cascade):
    """A restorer alone: the cascade without a recognizer.

    Args:
        **kwargs: As of :class:`Cascade`; ``data_preprocessor`` only has to stack images.
    """

    host = 'mmengine'
    num_classes = None

    def __init__(self, data_preprocessor: dict = dict(type='ImgDataPreprocessor'), **kwargs) -> None:
        super().__init__(data_preprocessor=data_preprocessor, **kwargs)
