"""What a command says instead of a traceback."""

import signal

import pytest

from sr4ir_mm import errors
from sr4ir_mm.errors import ConfigError, run_tool


def failing(error):
    def main():
        raise error

    return main


def test_a_mistake_of_the_user_is_one_sentence():
    with pytest.raises(SystemExit, match='^error: model.scale is 0$'):
        run_tool(failing(ConfigError('model.scale is 0')))
    with pytest.raises(RuntimeError, match='^a bug$'):
        run_tool(failing(RuntimeError('a bug')))


@pytest.mark.parametrize('error', [EOFError(), ConnectionResetError(104, 'Connection reset by peer')])
def test_a_worker_that_dies_while_it_hands_over_a_batch(error):
    """The connection breaks first; who died and of what comes with a signal, a moment later."""

    def signalled(*_):
        raise RuntimeError('DataLoader worker (pid 1) is killed by signal: Killed.')

    def main():
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        raise error

    before = signal.signal(signal.SIGALRM, signalled)
    try:
        with pytest.raises(SystemExit, match='error: DataLoader worker .* Killed. Often the memory of the machine'):
            run_tool(main)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    'text, waits', [('Ran out of input', 1), ('Caught EOFError in DataLoader worker process 0.', 0)]
)
def test_other_broken_files_and_connections_stay_what_they_are(text, waits, monkeypatch):
    waited = []
    monkeypatch.setattr(errors.time, 'sleep', waited.append)
    with pytest.raises(EOFError, match=text):
        run_tool(failing(EOFError(text)))
    assert len(waited) == waits
