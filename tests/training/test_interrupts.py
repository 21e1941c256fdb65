"""Runs that are asked to stop at any point of their time, within one process: resumed, they end where others end."""

import signal
import threading
from time import perf_counter

import keras
import pytest

from archspec.runs import Run
from archspec.training.interrupts import Interrupted
from archspec.training.run import run
from tests.shares import few
from tests.training import runs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
POINTS = 10 * runs.SOAK


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The small run, uninterrupted, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("reference")
    plan = Run.open(str(runs.write(folder))).plan()
    run(plan, folder / "warm", progress=None)
    begin = perf_counter()
    run(plan, folder / "run", progress=None)
    return folder / "run", perf_counter() - begin


def resumed(logdir):
    """Resume until the end; how often that was."""
    run(Run.open(logdir).plan(), logdir, resume=True, progress=None)


@pytest.mark.parametrize("point", few(range(POINTS), 4))
def test_sigterm_at_any_time_is_resumed_exactly(tmp_path, reference, point):
    assert threading.current_thread() is threading.main_thread()
    logdir, (uninterrupted, seconds) = tmp_path / "run", reference
    plan = Run.open(str(runs.write(tmp_path))).plan()
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, (point + 0.5) / POINTS * seconds * 0.9)
    try:
        run(plan, logdir, progress=None)
        code = None
    except Interrupted as stop:
        code = stop.code
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # A signal after the last step finds the run finished before it is looked at.
    assert code == 143 or (code is None and (logdir / "model.keras").is_file())
    if code:
        resumed(logdir)
    runs.assert_same(logdir, uninterrupted)


@pytest.mark.parametrize("nth", few([1, 13, 48], 13))
def test_a_signal_in_an_evaluation_keeps_the_epoch_and_evaluates_it_anew(tmp_path, monkeypatch, reference, nth):
    logdir, count = tmp_path / "run", []
    done = keras.callbacks.CallbackList.on_test_batch_end

    def signalled(self, batch, logs=None):
        count.append(batch)
        if len(count) == nth:
            signal.raise_signal(signal.SIGTERM)
        done(self, batch, logs)

    with monkeypatch.context() as patched:
        patched.setattr(keras.callbacks.CallbackList, "on_test_batch_end", signalled)
        with pytest.raises(Interrupted) as stop:
            run(Run.open(str(runs.write(tmp_path))).plan(), logdir, progress=None)
    batches = 12
    assert (stop.value.code, stop.value.step) == (143, 44 * ((nth - 1) // batches + 1))
    resumed(logdir)
    runs.assert_same(logdir, reference[0])


def test_all_epochs_of_a_run_that_is_stopped_within_one_are_in_the_table(tmp_path, monkeypatch):
    """Of short epochs not every one has a checkpoint, and with it a table."""
    logdir, done, count = tmp_path / "run", keras.callbacks.CallbackList.on_train_batch_end, []

    def signalled(self, batch, logs=None):
        count.append(batch)
        if len(count) == 15:
            signal.raise_signal(signal.SIGTERM)
        done(self, batch, logs)

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_train_batch_end", signalled)
    path = runs.write(tmp_path)
    text = path.read_text().replace(", checkpoint_steps: 17", "").replace("batch: 32", "batch: 512")
    path.write_text(text.replace("epochs: 4", "epochs: 9"))
    with pytest.raises(Interrupted):
        run(Run.open(str(path)).plan(), logdir, progress=None)
    assert [line.split(",")[0] for line in (logdir / "log.csv").read_text().splitlines()] == [
        "epoch",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
    ]
