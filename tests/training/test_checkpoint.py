"""Checkpoints under faults, within one process: full disks, damage, and what a generation must hold."""

import errno
import json
import random
import shutil

import keras
import numpy as np
import pytest

from archspec.runs import Run
from archspec.training import checkpoint
from archspec.training.checkpoint import Checkpoints
from archspec.training.errors import CheckpointError, InUse
from archspec.training.identity import RunIdentity, identity
from archspec.training.run import _locked, run
from tests.shares import few
from tests.training import runs
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The small run, uninterrupted."""
    folder = tmp_path_factory.mktemp("reference")
    run(Run.open(str(runs.write(folder))).plan(), folder / "run", progress=None)
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
@pytest.mark.processors
@pytest.mark.parametrize("k", few([1, 2, 3, 6], 2))
def test_a_full_disk_leaves_what_was_there_and_the_run_goes_on_from_it(tmp_path, monkeypatch, reference, k):
    plan = Run.open(str(runs.write(tmp_path))).plan()
    with monkeypatch.context() as patched:
        fail_at_write(patched, k)
        with pytest.raises(OSError) as full:
            run(plan, tmp_path / "run", progress=None)
    assert full.value.errno == errno.ENOSPC
    kept = Checkpoints(tmp_path / "run", identity(plan))
    assert len(kept.steps()) == min(k - 1, 2)
    assert not kept.passed_over
    run(Run.open(tmp_path / "run").plan(), tmp_path / "run", resume=True, progress=None)
    runs.assert_same(tmp_path / "run", reference)


@pytest.mark.slow
def test_without_the_states_of_generators_a_resumed_run_ends_elsewhere(tmp_path, monkeypatch, reference):
    plan = Run.open(str(runs.write(tmp_path))).plan()
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
    run(Run.open(tmp_path / "run").plan(), tmp_path / "run", resume=True, progress=None)
    with pytest.raises(AssertionError):
        runs.assert_same(tmp_path / "run", reference)


@pytest.fixture
def copy(tmp_path, reference):
    """A copy of the reference's directory, to damage."""
    shutil.copytree(reference, tmp_path / "copy")
    return tmp_path / "copy"


def damaged(copy, reference):
    """What is found in the copy: the position of the generation that is used, and what is said of others."""
    found = Checkpoints(copy, identity(Run.open(reference).plan()))
    return found.position(), found.passed_over


@pytest.mark.parametrize("name", ["state.npz", "manifest.json"])
@pytest.mark.slow
def test_no_flipped_bit_and_no_truncation_goes_unseen(copy, reference, name):
    path, draw = sorted((copy / "checkpoints").glob("[0-9]*"))[-1] / name, random.Random(0)
    whole, network = path.read_bytes(), identity(Run.open(reference).plan())

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
@pytest.mark.processors
def test_a_damaged_generation_is_passed_over_and_the_run_ends_the_same(copy, reference):
    last = sorted((copy / "checkpoints").glob("[0-9]*"))[-1] / "state.npz"
    last.write_bytes(last.read_bytes()[:-1])
    (copy / "model.keras").unlink()
    run(Run.open(copy).plan(), copy, resume=True, progress=None)
    runs.assert_same(copy, reference)


def changed(copy, old, new, name="run.yaml"):
    """Change a run directory's text."""
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new))


def files(folder):
    """Every file's content."""
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"}


CHANGES = [
    ("seed: 5", "seed: 6", "train.seed was 5 and is 6"),
    ("batch: 32\n  seed", "batch: 16\n  seed", "train.batch was 32 and is 16"),
    ("shift: 0.1", "shift: 0.2", 'augment was [{"shift": {"share": 0.1}}, '),
    ("schedule: cosine", "schedule: constant", 'train.schedule was {"cosine": {}} and is {"constant": {}}'),
    ("adam: 0.01", "adam: 0.02", "train.optimizer was"),
    ("ema: 0.99", "ema: 0.98", "train.ema was 0.99 and is 0.98"),
    ("data: digits", "data: {digits: {fold: 1}}", 'data was {"digits": {}} and is {"digits": {"fold": 1}}'),
]


@pytest.mark.parametrize(("old", "new", "message"), CHANGES, ids=[new for _, new, _ in CHANGES])
@pytest.mark.slow
def test_a_run_file_that_was_changed_is_refused_with_what_was(copy, old, new, message):
    changed(copy, old, new)
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(copy, identity(Run.open(copy).plan())).position()
    assert f"is of another run: {message}" in str(caught.value)


@pytest.mark.slow
def test_a_changed_spec_refuses_to_resume_and_nothing_is_overwritten(copy):
    changed(copy, "filters: 8", "filters: 9", "spec/small.yaml")
    (copy / "model.keras").unlink()
    before = files(copy)
    with refuses(CheckpointError):
        run(Run.open(copy).plan(), copy, resume=True, progress=None)
    assert files(copy) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("epochs: 4", "epochs: 9"),
        ("checkpoint_steps: 17", "checkpoint_steps: 5"),
        ("evaluate:\n", "log: {pictures: 0}\nevaluate:\n"),
    ],
)
@pytest.mark.slow
def test_what_changes_no_step_may_change(copy, old, new):
    changed(copy, old, new)
    assert Checkpoints(copy, identity(Run.open(copy).plan())).position().step == 176


def rewritten(copy, change):
    """The manifests, changed, with checksums that fit."""
    for path in (copy / "checkpoints").glob("[0-9]*/manifest.json"):
        manifest = json.loads(path.read_text())
        del manifest["checksum"]
        change(manifest)
        path.write_bytes(checkpoint.sealed(json.dumps(manifest).encode()))


@pytest.mark.slow
def test_checkpoints_of_the_version_before_are_taken(copy):
    found = identity(Run.open(copy).plan())

    def older(manifest):
        manifest["network"] = found.older[-1]
        del manifest["settings"], manifest["unjudged"]

    rewritten(copy, older)
    position = Checkpoints(copy, found).position()
    assert (position.step, len(position.history), position.unjudged) == (176, 4, None)


@pytest.mark.slow
def test_a_manifest_that_lacks_what_is_needed_is_refused_in_words(copy):
    rewritten(copy, lambda manifest: manifest.pop("history"))
    with refuses(CheckpointError):
        Checkpoints(copy, identity(Run.open(copy).plan())).position()


def test_a_new_field_of_an_op_leaves_networks_the_same(plan, monkeypatch):
    from pydantic.fields import FieldInfo

    from archspec.training.identity import fingerprint

    made = plan()
    before = fingerprint(made.graph)
    op = next(n.op for n in made.graph.nodes if n.op.name == "conv")
    wider = {**type(op).model_fields, "later": FieldInfo(annotation=int, default=0)}
    monkeypatch.setattr(type(op), "__pydantic_fields__", wider)
    monkeypatch.setitem(op.__dict__, "later", 0)
    other = next(n.op for n in made.graph.nodes if n.name == "second")
    monkeypatch.setitem(other.__dict__, "later", 0)
    assert "later=0" in repr(op) and fingerprint(made.graph) == before
    monkeypatch.setitem(op.__dict__, "later", 1)
    assert fingerprint(made.graph) != before


def test_the_order_in_which_an_op_declares_its_arguments_leaves_networks_the_same(plan, monkeypatch):
    from archspec.training.identity import fingerprint

    graph = plan().graph
    before = fingerprint(graph)
    kind = type(next(n.op for n in graph.nodes if n.op.name == "conv"))
    monkeypatch.setattr(kind, "__pydantic_fields__", dict(reversed(kind.model_fields.items())))
    assert fingerprint(graph) == before


def test_a_setting_that_did_not_exist_is_as_its_default(plan):
    made = plan()
    then = dict(identity(made).settings)
    del then["train.ema"]
    assert identity(made).changes(then) == []
    assert identity(plan("{ema: 0.5}")).changes(then) == ["train.ema was not given and is 0.5"]


def test_the_steps_of_several_networks_belong_to_what_is_compared():
    from archspec.frontend import loads
    from archspec.training.identity import fingerprint
    from tests.tasks.adversarial.runs import POINTS

    graph, same = loads(POINTS), loads(POINTS)
    other = loads(POINTS.replace("weight: 0.1", "weight: 0.2"))
    assert fingerprint(graph) == fingerprint(same) != fingerprint(other)


@pytest.mark.slow
def test_where_no_checkpoint_is_whole_a_run_says_that_it_starts_anew(copy, reference, capsys):
    import sys

    for path in (copy / "checkpoints").glob("[0-9]*/state.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    run(Run.open(copy).plan(), copy, resume=True, progress=sys.stderr)
    assert "no checkpoint is whole: starts anew" in capsys.readouterr().err
    runs.assert_same(copy, reference)


@pytest.mark.slow
def test_what_is_stopped_before_its_first_checkpoint_starts_from_its_weights_again(plan, tmp_path, reference, capsys):
    import sys

    made = plan(f"{{weights: {reference / 'weights.npz'}, epochs: 1, optimizer: {{sgd: 0.001}}}}")
    run(made, tmp_path / "run", progress=None)
    whole = runs.state(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    run(Run.open(tmp_path / "run").plan(), tmp_path / "run", resume=True, progress=sys.stderr)
    assert "there is no checkpoint yet: starts anew" in capsys.readouterr().err
    for name, value in runs.state(tmp_path / "run").items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)


@pytest.mark.slow
def test_arrays_of_other_shapes_are_refused_before_they_are_read(copy, reference):
    from archspec.backend.build import compile
    from archspec.training.batch_norm import forget_starts
    from archspec.training.compiling import compiled

    plan = Run.open(copy).plan()
    last = sorted((copy / "checkpoints").glob("[0-9]*"))[-1]
    manifest = json.loads((last / "manifest.json").read_text())
    name = next(n for n in manifest["arrays"] if n.endswith("main.dense/kernel"))
    manifest["arrays"][name][0] = [10**6, 10**6]
    del manifest["checksum"]
    (last / "manifest.json").write_bytes(checkpoint.sealed(json.dumps(manifest).encode()))
    model = compile(plan.graph)
    forget_starts(model)
    compiled(model, plan.task.trainer(plan.graph, model, plan.spec.train, plan.features), plan)
    with refuses(CheckpointError):
        Checkpoints(copy, identity(plan)).restore(model, int(last.name))


@pytest.mark.slow
def test_only_the_last_generations_and_the_best_stay(plan, tmp_path):
    made = plan("{optimizer: {sgd: 0.1}, epochs: 6, monitor: accuracy, checkpoint_steps: 44}")
    result = run(made, tmp_path / "run", progress=None)
    steps = Checkpoints(tmp_path / "run", RunIdentity("")).steps()
    assert steps == sorted({5 * made.steps, 6 * made.steps, int(result.best["step"])})


def generations(tmp_path, best):
    """Checkpoints saved at 10, 20 …, where ``best`` says at each save which step is the best, and what is kept then."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    kept = Checkpoints(tmp_path, RunIdentity("network"))
    for step, which in zip(range(10, 1000, 10), best, strict=False):
        model.weights[0].assign([[float(step)]])
        judged = None if which is None else {"step": which, "value": 0.5}
        assert kept.save(model, checkpoint.Position(step, best=judged))
        yield model, kept


def test_the_best_generation_stays_however_old_it_is(tmp_path):
    for model, kept in generations(tmp_path, [10] * 6):  # noqa: B007
        pass
    assert kept.steps() == [10, 50, 60]
    assert kept.position().best == {"step": 10, "value": 0.5}
    (name,) = (n for n in checkpoint.arrays(model) if n.endswith("kernel"))
    kept.restore(model, 10, name)
    assert model.weights[0].numpy().item() == 10


def test_what_was_the_best_goes_when_another_is(tmp_path):
    seen = [kept.steps() for _, kept in generations(tmp_path, [10, 10, 10, 40, 40, 40, 40])]
    assert seen == [[10], [10, 20], [10, 20, 30], [30, 40], [40, 50], [40, 50, 60], [40, 60, 70]]


def test_where_nothing_is_judged_the_last_two_stay(tmp_path):
    assert [kept.steps() for _, kept in generations(tmp_path, [None] * 4)][-1] == [30, 40]


def test_two_processes_do_not_share_a_directory(tmp_path):
    with _locked(tmp_path), refuses(InUse), _locked(tmp_path):
        pass


def test_what_is_drawn_after_a_checkpoint_is_drawn_again_from_it(tmp_path):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0)])
    model.compile("sgd", "mse")
    kept, x = Checkpoints(tmp_path, RunIdentity("network")), np.ones((2, 64), "float32")
    model(x, training=True)
    assert kept.save(model, checkpoint.Position(1))
    first, second = (model(x, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    kept.restore(model, 1)
    np.testing.assert_array_equal(model(x, training=True), first)


@pytest.mark.slow
def test_a_generation_holds_the_averages_the_statistics_and_the_generators(reference):
    kept = runs.state(reference)
    assert sum(name.startswith("seed/") for name in kept) == 2
    assert any(name.endswith("batch_norm/moving_mean") for name in kept)
    trainable = sum(v.size for n, v in kept.items() if n.startswith("weight/") and "moving" not in n)
    optimizer = sum(v.size for n, v in kept.items() if n.startswith("optimizer/"))
    assert optimizer >= 3 * trainable
    assert all(np.isfinite(value).all() for value in kept.values())
