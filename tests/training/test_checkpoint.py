"""Checkpoints under faults, within one process: full disks, damage, and what a generation must hold."""

import errno
import json
import random
import shutil

import numpy as np
import pytest

from archspec.cli._runs import asked, planned, recorded
from archspec.training import checkpoint
from archspec.training.checkpoint import CheckpointError, Checkpoints
from archspec.training.plan import fingerprint
from archspec.training.run import InUse, _locked, run
from tests.training import runs

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The small run, uninterrupted."""
    folder = tmp_path_factory.mktemp("reference")
    run(planned(asked(str(runs.write(folder)))), folder / "run", progress=None)
    return folder / "run"


def fail_at_write(monkeypatch, k):
    """The k-th write of a checkpoint finds the disk full, half-way."""
    write, count = checkpoint._write_arrays, []

    def full(path, values):
        count.append(path)
        if len(count) == k:
            path.write_bytes(b"PK\3\4 half of it")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, values)

    monkeypatch.setattr(checkpoint, "_write_arrays", full)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_a_full_disk_leaves_what_was_there_and_the_run_goes_on_from_it(tmp_path, monkeypatch, reference, k):
    plan = planned(asked(str(runs.write(tmp_path))))
    with monkeypatch.context() as patched:
        fail_at_write(patched, k)
        with pytest.raises(OSError, match="No space left"):
            run(plan, tmp_path / "run", progress=None)
    kept = Checkpoints(tmp_path / "run", fingerprint(plan.graph))
    assert len(kept.steps()) == min(k - 1, 2)
    assert not kept.passed_over
    run(recorded(tmp_path / "run"), tmp_path / "run", resume=True, progress=None)
    runs.assert_same(tmp_path / "run", reference)


@pytest.mark.slow
def test_without_the_states_of_generators_a_resumed_run_ends_elsewhere(tmp_path, monkeypatch, reference):
    plan = planned(asked(str(runs.write(tmp_path))))
    with monkeypatch.context() as patched:
        fail_at_write(patched, 3)
        with pytest.raises(OSError):
            run(plan, tmp_path / "run", progress=None)
    restore = Checkpoints.restore

    def forgetful(self, model, step, prefix=""):
        kept = {n: v.numpy() for n, v in checkpoint.arrays(model).items() if n.startswith("seed/")}
        assert kept
        restore(self, model, step, prefix)
        for name, variable in checkpoint.arrays(model).items():
            if name in kept:
                variable.assign(kept[name])

    monkeypatch.setattr(Checkpoints, "restore", forgetful)
    run(recorded(tmp_path / "run"), tmp_path / "run", resume=True, progress=None)
    with pytest.raises(AssertionError):
        runs.assert_same(tmp_path / "run", reference)


@pytest.fixture
def copy(tmp_path, reference):
    """A copy of the reference's directory, to damage."""
    shutil.copytree(reference, tmp_path / "copy")
    return tmp_path / "copy"


def damaged(copy, reference):
    """What is found in the copy: the position of the generation that is used, and what is said of others."""
    found = Checkpoints(copy, fingerprint(recorded(reference).graph))
    return found.position(), found.passed_over


@pytest.mark.parametrize("name", ["state.npz", "manifest.json"])
def test_no_flipped_bit_and_no_truncation_goes_unseen(copy, reference, name):
    path, draw = sorted((copy / "checkpoints").glob("[0-9]*"))[-1] / name, random.Random(0)
    whole, network = path.read_bytes(), fingerprint(recorded(reference).graph)

    def used(content):
        path.write_bytes(content)
        kept = Checkpoints(copy, network)
        step = kept.position().step
        assert (step == 176) == (not kept.passed_over)
        assert all(f"{path.parent} is damaged" in said for said in kept.passed_over)
        return step

    for _ in range(runs.SOAK * (500 if name == "state.npz" else 2_000)):
        spoilt = bytearray(whole)
        spoilt[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        assert used(spoilt) == 170
    for _ in range(200 * runs.SOAK):
        assert used(whole[: draw.randrange(len(whole))]) == 170
    path.unlink()
    assert damaged(copy, reference)[0].step == 170
    assert used(whole) == 176


@pytest.mark.slow
def test_a_damaged_generation_is_passed_over_and_the_run_ends_the_same(copy, reference):
    last = sorted((copy / "checkpoints").glob("[0-9]*"))[-1] / "state.npz"
    last.write_bytes(last.read_bytes()[:-1])
    (copy / "model.keras").unlink()
    run(recorded(copy), copy, resume=True, progress=None)
    runs.assert_same(copy, reference)


def test_a_checkpoint_of_another_network_is_refused(copy):
    spec = copy / "spec" / "small.yaml"
    spec.write_text(spec.read_text().replace("filters: 8", "filters: 9"))
    found = Checkpoints(copy, fingerprint(recorded(copy).graph))
    assert found.position() is None
    assert all("is of another network: the spec has changed since" in text for text in found.passed_over)


def test_arrays_of_other_shapes_are_refused_before_they_are_read(copy, reference):
    from archspec.backend.build import compile
    from archspec.training.compiling import compiled

    plan = recorded(copy)
    last = sorted((copy / "checkpoints").glob("[0-9]*"))[-1]
    manifest = json.loads((last / "manifest.json").read_text())
    name = next(n for n in manifest["arrays"] if n.endswith("main.dense/kernel"))
    manifest["arrays"][name][0] = [10**6, 10**6]
    del manifest["checksum"]
    (last / "manifest.json").write_bytes(checkpoint.sealed(json.dumps(manifest).encode()))
    model = compile(plan.graph)
    compiled(model, plan.task.trainer(plan.graph, model, plan.spec.train), plan)
    with pytest.raises(CheckpointError, match=r"float32 \(1000000, 1000000\), the network has float32 \(128, 10\)"):
        Checkpoints(copy, fingerprint(plan.graph)).restore(model, int(last.name))


def test_only_the_last_generations_and_the_best_stay(plan, tmp_path):
    made = plan("{optimizer: {sgd: 0.1}, epochs: 6, monitor: accuracy, checkpoint_steps: 44}")
    result = run(made, tmp_path / "run", progress=None)
    steps = Checkpoints(tmp_path / "run", "").steps()
    assert steps == sorted({5 * made.steps, 6 * made.steps, int(result.best["step"])})


def test_two_processes_do_not_share_a_directory(tmp_path):
    with _locked(tmp_path), pytest.raises(InUse, match="another process is training in"), _locked(tmp_path):
        pass


def test_a_generation_holds_the_averages_the_statistics_and_the_generators(reference):
    kept = runs.state(reference)
    assert sum(name.startswith("seed/") for name in kept) == 2
    assert any(name.endswith("batch_norm/moving_mean") for name in kept)
    trainable = sum(v.size for n, v in kept.items() if n.startswith("weight/") and "moving" not in n)
    optimizer = sum(v.size for n, v in kept.items() if n.startswith("optimizer/"))
    assert optimizer >= 3 * trainable
    assert all(np.isfinite(value).all() for value in kept.values())
