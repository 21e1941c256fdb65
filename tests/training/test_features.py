"""Features of frozen layers, kept: the same run as without, and what cannot be kept."""

import json
import sys

import numpy as np
import pytest

from archspec.training.features import split_frozen
from archspec.training.run import run
from tests.training.runs import assert_same, state
from tests.training.test_board import held
from tests.wording import refuses

SPEC = """
archspec: 1
name: small
inputs: {image: [8, 8, 1]}
body:
  - {conv: {filters: 8, kernel: 3}, as: first}
  - {batch_norm, as: norm}
  - relu
  - branches:
      - [{conv: {filters: 8, kernel: 3}, as: left}, relu]
      - [{conv: 8, as: right}]
    merge: concat
  - max_pool
  - dropout: 0.3
  - {conv: {filters: 12, kernel: 3, activation: relu}, as: second}
  - flatten
  - {dense: {units: 10, activation: softmax}, as: last}
heads:
  main: {body: [identity], loss: categorical_crossentropy}
""".replace("  main: {body: [identity]", "  main: {body: [linear]")
FROZEN = "freeze: [first, norm, branches]"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.mark.parametrize(
    ("train", "augment"),
    [
        ("freeze: [second], cache_features: true", "[rescale]"),
        ("freeze: [first, norm, branches, last], cache_features: true", "[rescale]"),
        ("freeze: {layers: [first], until: 1}, cache_features: true", "[rescale]"),
        ("cache_features: true", "[rescale]"),
        (f"{FROZEN}, cache_features: 0", "[rescale]"),
        (f"{FROZEN}, cache_features: true", "[shift: 0.1, rescale]"),
        (f"{FROZEN}, cache_features: 2", "[rescale, mixup]"),
        (f"{FROZEN}, cache_features: true, precision: mixed_bfloat16", "[rescale]"),
        (f"{FROZEN}, cache_features: true, devices: 2", "[rescale]"),
    ],
)
def test_what_cannot_be_kept_is_refused(plan, train, augment):
    from archspec.ir.diagnostics import SpecError

    with refuses(SpecError) as error:
        plan(f"{{{train}}}", spec=SPEC, augment=augment)
    assert error.value.diagnostics[0].span.line > 1


def test_the_frozen_part_ends_before_what_is_random(plan):
    found = split_frozen(plan(f"{{{FROZEN}, cache_features: true}}", spec=SPEC))
    assert [tensor.node for tensor in found.cut] == ["max_pool"]


@pytest.mark.parametrize("drawn", ["drop_path: 0.1", "spatial_dropout: 0.2", "dropout: 0.3"])
def test_all_that_is_drawn_ends_it(plan, drawn):
    found = split_frozen(plan(f"{{{FROZEN}, cache_features: true}}", spec=SPEC.replace("dropout: 0.3", drawn)))
    assert [tensor.node for tensor in found.cut] == ["max_pool"]


def test_what_would_drop_nothing_does_not(plan):
    found = split_frozen(plan(f"{{{FROZEN}, cache_features: true}}", spec=SPEC.replace("dropout: 0.3", "drop_path: 0")))
    assert [tensor.node for tensor in found.cut] == ["drop_path"]


def test_two_tensors_may_go_from_the_frozen_part_to_the_rest(plan):
    found = split_frozen(plan("{freeze: [first, norm, branches.0], cache_features: true}", spec=SPEC))
    assert len(found.cut) == 2 and all(tensor.node for tensor in found.cut)


def trained(plan, folder, train, augment="[rescale]", progress=None, **rest):
    made = plan(f"{{optimizer: {{adam: 0.005}}, epochs: 3, seed: 4, {train}}}", spec=SPEC, augment=augment, **rest)
    return run(made, folder, progress=progress)


def assert_equal(one, other):
    """The trained weights of a run on features are those of the other."""
    with np.load(one / "weights.npz") as a, np.load(other / "weights.npz") as b:
        assert sorted(a.files) == sorted(b.files)
        for name in a.files:
            np.testing.assert_allclose(a[name], b[name], atol=1e-6, err_msg=name)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("frozen", "augment", "kept"),
    [
        (FROZEN, "[rescale]", "true"),
        pytest.param("freeze: [first, norm, branches.0]", "[rescale]", "true", marks=pytest.mark.long),
        (FROZEN, "[shift: 0.2, rescale]", "3"),
    ],
    ids=["one tensor", "two tensors", "a draw for each epoch"],
)
def test_a_run_on_kept_features_ends_where_one_without_ends(plan, tmp_path, frozen, augment, kept):
    without = trained(plan, tmp_path / "without", frozen, augment)
    with_ = trained(plan, tmp_path / "with", f"{frozen}, cache_features: {kept}", augment)
    assert_equal(tmp_path / "with", tmp_path / "without")
    assert with_.params == without.params
    assert with_.metrics == pytest.approx(without.metrics, abs=1e-5)
    assert without.metrics["accuracy"] > 0.3


@pytest.mark.tensorflow
@pytest.mark.long
def test_fewer_draws_than_epochs_are_taken_in_turn(plan, tmp_path, cache):
    trained(plan, tmp_path / "two", f"{FROZEN}, cache_features: 2", "[shift: 0.2, rescale]")
    assert len(list(cache.iterdir())) == 3
    trained(plan, tmp_path / "three", f"{FROZEN}, cache_features: 3", "[shift: 0.2, rescale]")
    assert len(list(cache.iterdir())) == 4
    with pytest.raises(AssertionError):
        assert_equal(tmp_path / "two", tmp_path / "three")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_features_are_reused_and_damaged_ones_computed_anew(plan, tmp_path, cache, capsys):
    trained(plan, tmp_path / "one", f"{FROZEN}, cache_features: true")
    folders = sorted(cache.iterdir())
    assert len(folders) == 2 and not [f for f in folders if f.name.startswith(".")]
    times = {file: file.stat().st_mtime_ns for folder in folders for file in folder.iterdir()}
    trained(plan, tmp_path / "two", f"{FROZEN}, cache_features: true")
    assert times == {file: file.stat().st_mtime_ns for file in times}
    assert_same(tmp_path / "one", tmp_path / "two")
    # One bit of an array is flipped.
    file = folders[0] / "x0.npy"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    trained(plan, tmp_path / "three", f"{FROZEN}, cache_features: true")
    assert file.stat().st_mtime_ns != times[file]
    assert_same(tmp_path / "one", tmp_path / "three")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_other_weights_or_transforms_have_features_of_their_own(plan, tmp_path, cache):
    trained(plan, tmp_path / "one", f"{FROZEN}, cache_features: true")
    assert len(list(cache.iterdir())) == 2
    made = plan(f"{{epochs: 1, seed: 5, {FROZEN}, cache_features: true}}", spec=SPEC)
    run(made, tmp_path / "two", progress=None)
    assert len(list(cache.iterdir())) == 4
    trained(plan, tmp_path / "three", f"{FROZEN}, cache_features: true", "[rescale: {low: -1}]")
    assert len(list(cache.iterdir())) == 6


@pytest.mark.tensorflow
@pytest.mark.slow
def test_gradients_are_those_of_the_part_that_trains(plan, tmp_path):
    trained(plan, tmp_path / "run", f"{FROZEN}, cache_features: true", rest="log: {pictures: 0, histograms: 2}")
    drawn = held(tmp_path / "run" / "train").Tags()["tensors"]
    assert "gradients/second/kernel" in drawn and "gradients/first/kernel" not in drawn


@pytest.mark.tensorflow
@pytest.mark.slow
def test_another_loss_in_the_spec_has_targets_of_its_own(plan, tmp_path, cache):
    trained(plan, tmp_path / "one", f"{FROZEN}, cache_features: true")
    made = plan(
        f"{{epochs: 1, seed: 4, {FROZEN}, cache_features: true}}", spec=SPEC.replace("loss: cat", "loss: sparse_cat")
    )
    run(made, tmp_path / "two", progress=None)
    assert len(list(cache.iterdir())) == 4


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_on_kept_features_that_was_stopped_ends_the_same(plan, tmp_path):
    """Stopped in the middle of an epoch by taking away the last checkpoint; the optimiser's states are in another."""
    import shutil

    every = f"{FROZEN}, cache_features: true, checkpoint_steps: 20, steps_per_execution: 1"
    trained(plan, tmp_path / "whole", every)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    for done in sorted((tmp_path / "stopped" / "checkpoints").iterdir())[1:]:
        shutil.rmtree(done)
    made = plan(f"{{optimizer: {{adam: 0.005}}, epochs: 3, seed: 4, {every}}}", spec=SPEC)
    run(made, tmp_path / "stopped", progress=None, resume=True)
    assert_same(tmp_path / "whole", tmp_path / "stopped")
    assert json.loads((tmp_path / "stopped" / "features.json").read_text())["weights"]
    assert any(name.startswith("weight/second") for name in state(tmp_path / "whole"))


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_time_and_not_the_run(plan, tmp_path, cache, monkeypatch, capsys):
    """And pictures are of examples as without features kept: of images, by the whole network."""
    from tests.training.test_board import held

    trained(plan, tmp_path / "kept", f"{FROZEN}, cache_features: true")
    shown = held(tmp_path / "kept" / "pictures").Tags()["tensors"]
    assert {"examples", "confusion", "all classes/pr_curves"} <= set(shown)
    (tmp_path / "file").write_text("where a folder is to be")
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "file"))
    capsys.readouterr()
    trained(plan, tmp_path / "not", f"{FROZEN}, cache_features: true", progress=sys.stderr)
    assert_same(tmp_path / "kept", tmp_path / "not")
    told = capsys.readouterr().err.splitlines()
    place = tmp_path / "file" / "features"
    line = f"archspec: features cannot be kept in {place}: Not a directory; they are in memory for this run"
    assert told.count(line) == 1, "not one for each split"
