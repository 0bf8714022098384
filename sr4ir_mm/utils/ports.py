"""The port at which the processes of a training meet."""

import socket


def port_problem(port: str) -> str:
    """Return why the first process cannot listen at a port, or nothing if it can.

    Args:
        port: The port, as an environment variable has it.

    Returns:
        The end of a sentence that begins with the port, and what to do.
    """
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        return 'allowed: 1 to 65535.'
    with socket.socket() as trial, socket.socket() as other:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PyTorch does
        try:
            trial.bind(('', int(port)))
            trial.listen()
        except OSError as error:
            other.bind(('', 0))
            free = other.getsockname()[1]
            return (
                f'where this machine cannot listen ({error.strerror}), perhaps because another training uses it; '
                f'{free} is free.'
            )
    return ''
