"""The state of a process's random generators."""

import random
from contextlib import contextmanager
from typing import Any, Iterator

import numpy as np
import torch


def get_random_state() -> dict:
    """The state of this process's generators, as tensors and numbers."""
    numpy: Any = np.random.get_state()  # a tuple, unless the other form is asked for
    kind, keys, position, has_gauss, gauss = numpy
    state = dict(
        torch=torch.get_rng_state(),
        numpy=(kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        python=random.getstate(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Put this process's generators where :func:`get_random_state` found them."""
    kind, keys, *rest = state['numpy']
    torch.set_rng_state(state['torch'].cpu())
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *rest))
    random.setstate(state['python'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Draw from generators that these numbers seed; afterwards those of the process are as they were."""
    outer = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed = int(np.random.SeedSequence(key).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(outer[0])
        np.random.set_state(outer[1])
        torch.set_rng_state(outer[2])
