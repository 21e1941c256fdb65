"""Runs that are killed or asked to stop, in processes of their own: resumed, they end where others end."""

import random
import signal

import pytest

from archspec.cli import main
from tests.shares import SEEDS, few
from tests.training import runs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The small run, uninterrupted."""
    folder = tmp_path_factory.mktemp("reference")
    runs.finished("train", runs.write(folder), "--logdir", folder / "run", "--quiet")
    return folder / "run"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_run_ends_to_the_bit_where_an_uninterrupted_one_ends(tmp_path, reference, seed):
    logdir = tmp_path / "run"
    assert runs.killed_and_resumed(runs.write(tmp_path), logdir, random.Random(seed)) >= 2
    runs.assert_same(logdir, reference)


SLEEPING = """
import time
from pathlib import Path
from archspec.training import checkpoint
write = checkpoint._write_arrays
def slowly(path, values):
    path.write_bytes(b"half")
    time.sleep(0.4)
    return write(path, values)
checkpoint._write_arrays = slowly
"""
MARKING = """
import keras, time
from pathlib import Path
there = keras.{name}
def marked(*args, **kwargs):
    Path({marker!r}).touch()
    time.sleep(0.4)
    return there(*args, **kwargs)
keras.{name} = marked
"""
PHASES = {"the building of the network": "Model.compile", "an evaluation": "callbacks.CallbackList.on_test_batch_end"}


@pytest.mark.parametrize("phase", few(PHASES, "an evaluation"))
def test_a_kill_in(phase, tmp_path, reference):
    logdir, marker = tmp_path / "run", tmp_path / "marker"
    code = MARKING.format(name=PHASES[phase], marker=str(marker))
    process = runs.start("train", runs.write(tmp_path), "--logdir", logdir, "--quiet", code=code)
    assert runs.kill_when(process, marker.exists, 0.1)
    runs.finish(process)
    runs.finished("resume", logdir, "--quiet")
    runs.assert_same(logdir, reference)


def test_a_kill_within_a_save_spoils_nothing(tmp_path, reference):
    logdir = tmp_path / "run"
    process = runs.start("train", runs.write(tmp_path), "--logdir", logdir, "--quiet", code=SLEEPING)
    half = lambda: runs.reached(logdir) > 17 and any((logdir / "checkpoints").glob(".*/state.npz"))  # noqa: E731
    assert runs.kill_when(process, half, 0.1)
    runs.finish(process)
    assert any((logdir / "checkpoints").glob(".*"))
    runs.finished("resume", logdir, "--quiet")
    assert not any((logdir / "checkpoints").glob(".*"))
    runs.assert_same(logdir, reference)


@pytest.mark.parametrize(("number", "code"), few([(signal.SIGTERM, 143), (signal.SIGINT, 130)], signal.SIGTERM))
def test_a_signal_saves_says_how_to_go_on_and_is_resumed_exactly(tmp_path, reference, number, code):
    logdir = tmp_path / "run"
    process = runs.start("train", runs.write(tmp_path), "--logdir", logdir, "--quiet", code=SLEEPING)
    assert runs.kill_when(process, lambda: runs.reached(logdir) >= 17, 0.05, number)
    found, out, err = runs.finish(process)
    assert (found, out) == (code, "")
    assert f"'archspec resume {logdir}' goes on" in err
    step = runs.reached(logdir)
    assert f"stopped at step {step} of 176, in epoch {min(step // 44 + 1, 4)} of 4" in err
    assert step < 44 or f"; epoch {step // 44} gave " in err
    assert "Traceback" not in err
    out, err = runs.finished("resume", logdir)
    assert "goes on at step" in err
    assert "176 steps" in out
    runs.assert_same(logdir, reference)


def test_a_finished_run_is_left_alone(reference, capsys):
    before = runs.state(reference)
    code, _, err = here(capsys, "resume", reference)
    assert (code, "is finished already" in err) == (0, True)
    assert list(runs.state(reference)) == list(before)


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    code, _, err = here(capsys, "resume", tmp_path)
    assert (code, "holds no run" in err) == (1, True)


def test_a_run_directory_is_not_overwritten(tmp_path, reference, capsys):
    code, _, err = here(capsys, "train", runs.write(tmp_path), "--logdir", reference)
    assert code == 2
    assert "holds a run already" in err


def here(capsys, *arguments):
    """``archspec …`` in this process: its exit code, and what it prints."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_nan_ends_with_exit_code_4(tmp_path, capsys):
    spec = runs.SPEC.replace("  - relu\n", "").replace(", activation: softmax", "").replace("  - batch_norm\n", "")
    run = runs.RUN.replace("adam: 0.01", "sgd: 1000")
    code, out, err = here(capsys, "train", runs.write(tmp_path, run, spec), "--logdir", tmp_path / "run")
    assert (code, out) == (4, "")
    assert "training went to NaN in epoch 1" in err
    assert "Traceback" not in err
