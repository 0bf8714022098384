"""Shared by the embedding networks."""

from typing import List, Sequence

from sr4ir_mm.errors import ConfigError


def check_layers(layers: Sequence[int], count: int) -> List[int]:
    """Count layers from 0, those too that are negative and count from the end.

    Args:
        layers: What the config asks for.
        count: How many layers the network has.

    Raises:
        ConfigError: There is no such layer.
    """
    for layer in layers:
        if not -count <= layer < count:
            raise ConfigError(
                f'model.losses.contrastive.layers names the layer {layer}, but model.parts.embedding has {count}; '
                f'allowed: {-count} to {count - 1}.'
            )
    return [layer % count for layer in layers]
