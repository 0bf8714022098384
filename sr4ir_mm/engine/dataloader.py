"""Data in an order, and augmented in a way, that do not depend on how a training is run: in one piece or resumed, with
how many processes and workers."""

from typing import Any, Iterator, List, Optional, Tuple

import torch
from mmengine.dist import get_rank, get_world_size
from torch.utils.data import DataLoader, Dataset

from sr4ir_mm.utils.random_state import seeded


class _SeededDataset(Dataset):
    """A data set that is asked for ``(index, key)`` and draws what is random in a sample from that key."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset: Any = dataset  # Dataset promises no length

    def __getitem__(self, item: Tuple[int, tuple]):
        index, key = item
        with seeded(*key):
            return self.dataset[index]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str):
        if name == 'dataset':  # not there yet while a worker unpickles this
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # hooks change the pipeline of a data set by `dataset.pipeline = …`
        if name != 'dataset' and hasattr(self.dataset, name):
            setattr(self.dataset, name, value)
        else:
            super().__setattr__(name, value)


class _BatchPositions:
    """The batches of a batch sampler, with a key for each sample: seed, epoch, batch, and place in the global batch.

    So a sample is augmented in the same way whatever process or worker loads it.
    """

    def __init__(self, batch_sampler, seed: int) -> None:
        self.batch_sampler = batch_sampler
        self.seed = seed
        self.epoch = 0
        self._batches: Optional[Iterator] = None

    @property
    def sampler(self):
        return self.batch_sampler.sampler

    @property
    def batch_size(self) -> int:
        return self.batch_sampler.batch_size

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[List[tuple]]:
        batches, self._batches = self._batches or self._epoch_from_its_start(), None
        yield from batches

    def _epoch_from_its_start(self) -> Iterator[List[tuple]]:
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(self.epoch)
        rank, world_size = get_rank(), get_world_size()
        for number, batch in enumerate(self.batch_sampler):
            yield [
                (index, (self.seed, self.epoch, number, place * world_size + rank)) for place, index in enumerate(batch)
            ]

    def skip(self, batches: int) -> None:
        """Go past so many batches from here, into later epochs where these are over, without loading anything."""
        self._batches = self._epoch_from_its_start()
        for _ in range(batches):
            if next(self._batches, None) is None:
                self.epoch += 1
                self._batches = self._epoch_from_its_start()
                next(self._batches)


class ReproducibleDataLoader(DataLoader):
    """A data loader whose order and augmentation follow from seed and position alone.

    Args:
        dataloader: The loader to take everything else from.
        seed: Of the augmentation.
    """

    def __init__(self, dataloader: DataLoader, seed: int) -> None:
        self.positions = _BatchPositions(dataloader.batch_sampler, seed)
        super().__init__(
            _SeededDataset(dataloader.dataset),
            batch_sampler=self.positions,
            num_workers=dataloader.num_workers,
            collate_fn=dataloader.collate_fn,
            pin_memory=dataloader.pin_memory or torch.cuda.is_available(),
            timeout=dataloader.timeout,
            worker_init_fn=dataloader.worker_init_fn,
            multiprocessing_context=dataloader.multiprocessing_context,
            # PyTorch draws from it for each iterator; not from the generator of the process, which the networks use
            generator=torch.Generator(),
            prefetch_factor=dataloader.prefetch_factor,
            persistent_workers=dataloader.persistent_workers,
        )

    def seek(self, epoch: int, batches: int) -> None:
        """Let the next iteration begin after n batches of an epoch (or, where it ends before, of later ones)."""
        self.positions.epoch = epoch
        self.positions.skip(batches)

    def get_seeds(self) -> Tuple[int, Optional[int]]:
        """Of the augmentation and, where the sampler has one, of the order."""
        return self.positions.seed, getattr(self.positions.sampler, 'seed', None)

    def set_seeds(self, seeds: Tuple[int, Optional[int]]) -> None:
        """To what :meth:`get_seeds` returned, before the first batch."""
        self.positions.seed, order = seeds
        if order is not None:
            self.positions.sampler.seed = order

    def __iter__(self) -> Iterator:  # type: ignore[override]  # PyTorch names its own iterators
        # a generator: the workers start with the first batch that is asked for
        yield from super().__iter__()
