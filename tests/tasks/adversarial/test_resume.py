"""A run of several networks that is killed ends, resumed, to the bit where an uninterrupted one ends: weights, both
optimisers, the count of turns, the pool, the average, what is drawn."""

from __future__ import annotations

import shutil
from random import Random

import numpy as np
import pytest

from tests.shares import few
from tests.tasks.adversarial.runs import write
from tests.training import runs
from tests.training.test_resume import SLEEPING

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
PARTS = {
    "the pool": lambda name: "pool_" in name,
    "the average": lambda name: "average_" in name,
    "the rounds": lambda name: name == "optimizer/0",
    "an optimizer": lambda name: name.startswith("optimizer/") and int(name[10:]) > 1,
    "dropout": lambda name: name.startswith("seed/"),
}
"""What a checkpoint of such a run must have, by the names of its arrays."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    runs.finished("train", write(folder), "--logdir", folder / "run", "--quiet")
    return folder / "run"


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A run that was killed within a save, somewhere in its middle."""
    folder = tmp_path_factory.mktemp("half")
    logdir = folder / "run"
    process = runs.start("train", write(folder), "--logdir", logdir, "--quiet", code=SLEEPING)
    saving = lambda: runs.reached(logdir) >= 30 and any((logdir / "checkpoints").glob(".*/state.npz"))  # noqa: E731
    assert runs.kill_when(process, saving, 0.1)
    runs.finish(process)
    assert 30 <= runs.reached(logdir) < 80
    assert any((logdir / "checkpoints").glob(".*"))
    return logdir


def test_a_run_killed_anywhere_ends_where_an_uninterrupted_one_ends(tmp_path, reference):
    assert runs.killed_and_resumed(write(tmp_path), tmp_path / "run", Random(1)) >= 2
    runs.assert_same(tmp_path / "run", reference)


def resumed(half, folder):
    from archspec.cli import main

    shutil.copytree(half, folder / "run")
    assert main(["resume", str(folder / "run"), "--quiet"]) == 0
    return folder / "run"


@pytest.mark.long
def test_a_run_killed_in_a_save_ends_there_too(tmp_path, half, reference):
    runs.assert_same(resumed(half, tmp_path), reference)


@pytest.mark.parametrize("part", few(PARTS, "the pool", "an optimizer"))
def test_without_a_part_of_the_checkpoint_it_would_end_elsewhere(tmp_path, half, reference, monkeypatch, part):
    from archspec.training import checkpoint

    there, struck = checkpoint.arrays, []
    restore = checkpoint.Checkpoints.restore

    def restored(self, model, step, prefix=""):
        before = {name: np.array(v.numpy()) for name, v in there(model).items() if PARTS[part](name)}
        restore(self, model, step, prefix)
        for name, variable in there(model).items():
            if name in before:
                struck.append(name)
                variable.assign(before[name])

    monkeypatch.setattr(checkpoint.Checkpoints, "restore", restored)
    one, other = runs.state(resumed(half, tmp_path)), runs.state(reference)
    assert struck
    assert any((one[name] != other[name]).any() for name in one)
