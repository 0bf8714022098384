"""Splits one data set into training and validation."""

from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS as HOST_DATASETS

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import DATASETS


@DATASETS.register_module(name='TrainValSplit')
def train_val_split(dataset: dict, part: str, every: int = 5) -> BaseDataset:
    """Build a data set that has one list of images for training, and keep one part of it.

    Every ``every``-th image, the first included, is for validation, the others are for training: the same ones in each
    run, and of each class where the data set goes through its classes in turn.

    Args:
        dataset: Config of a data set of any library.
        part: ``train`` or ``val``.
        every: From 2.

    Raises:
        ConfigError: ``part`` or ``every`` is something else.
    """
    check_choice(part, ('train', 'val'), 'TrainValSplit.part')
    if every < 2:
        raise ConfigError(f'TrainValSplit.every is {every}; allowed: a whole number from 2.')
    whole = HOST_DATASETS.build(dataset)
    whole.full_init()
    return whole.get_subset([index for index in range(len(whole)) if (index % every == 0) == (part == 'val')])
