"""Whether a checkpoint fills a model: MMEngine leaves the rest at random with a warning."""
from .errors import ConfigError


def check_filled(module, state: dict, checkpoint: str, what: str, advice: str) -> None:
    """Refuse weights that lack some of a module's, or have them in another shape.

    Args:
        module: The module that they are for.
        state: The weights by their names.
        checkpoint: Where they come from.
        what: What the user calls the module.
        advice: What to do about it.

    Raises:
        ConfigError: With the first tensors that do not fit.
    """
    expected = module.state_dict()
    bad = [
        f'{name} ({"missing" if name not in state else f"{tuple(state[name].shape)}, not {tuple(value.shape)}"})'
        for name, value in expected.items() if name not in state or state[name].shape != value.shape
    ]
    if bad:
        raise ConfigError(f'The checkpoint {checkpoint} does not fit {what} in {len(bad)} of {len(expected)} tensors, '
                          f'the first are: {", ".join(bad[:3])}; {advice}.')
