"""What a signal asks of a run, and the exit code that says that it was heeded. (Resumption: test_interrupts.)"""

import signal
import threading

import pytest

from archspec.training.interrupts import Interrupted, listening

CODES = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
"""By the shell's convention, 128 and the number of the signal."""


@pytest.fixture(autouse=True)
def handlers():
    """Whatever happens, the signals are handled afterwards as before."""
    before = {number: signal.getsignal(number) for number, _ in CODES}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_signal_is_a_request(handlers, number, code):
    with listening() as request:
        assert not request
        signal.raise_signal(number)
        assert request and (request.signal, request.code) == (number, code)
    assert {n: signal.getsignal(n) for n in handlers} == handlers


def test_a_second_interrupt_ends_the_run_at_once(handlers):
    with pytest.raises(KeyboardInterrupt), listening() as request:
        signal.raise_signal(signal.SIGINT)
        assert request.code == 130
        signal.raise_signal(signal.SIGINT)
    assert {n: signal.getsignal(n) for n in handlers} == handlers


def test_sigterm_may_come_twice_and_interrupts_after_it_count_from_one():
    with listening() as request:
        for number, code in ((signal.SIGTERM, 143), (signal.SIGTERM, 143), (signal.SIGINT, 130)):
            signal.raise_signal(number)
            assert request.code == code


def test_another_thread_hears_nothing(handlers):
    found = []

    def listen():
        with listening() as request:
            found.append((bool(request), {n: signal.getsignal(n) for n in handlers}))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [(False, handlers)]


SMALL = """
archspec: 1
name: small
inputs: {image: [8, 8, 1]}
body: [flatten]
heads:
  main: {body: [dense: {units: 10, activation: softmax}], loss: categorical_crossentropy}
"""


@pytest.mark.tensorflow
@pytest.mark.parametrize(("number", "code"), CODES)
@pytest.mark.slow
def test_a_run_stops_where_it_is_saves_and_the_command_ends_with_the_code(tmp_path, monkeypatch, capsys, number, code):
    """The signal comes in the third batch of the first epoch."""
    import keras

    from archspec.cli import main
    from archspec.training.checkpoint import Checkpoints
    from tests.training import runs

    done, count = keras.callbacks.CallbackList.on_train_batch_end, []

    def signalled(self, batch, logs=None):
        count.append(batch)
        if len(count) == 3:
            signal.raise_signal(number)
        done(self, batch, logs)

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_train_batch_end", signalled)
    text = runs.RUN.replace("checkpoint_steps: 17", "checkpoint_steps: 1000")
    logdir = tmp_path / "run"
    assert main(["train", str(runs.write(tmp_path, text, SMALL)), "--logdir", str(logdir), "--quiet"]) == code
    out, err = capsys.readouterr()
    assert (out, "stopped at step 3 of 176" in err, f"'archspec resume {logdir}' goes on" in err) == ("", True, True)
    assert Checkpoints(logdir, "").steps() == [3]
    assert len(count) == 3


def test_what_a_stopped_run_raises_says_where_and_why():
    stop = Interrupted(143, 7)
    assert (stop.code, stop.step, str(stop)) == (143, 7, "stopped at step 7")
