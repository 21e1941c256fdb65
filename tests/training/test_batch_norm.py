"""Averages of batch normalisation that forget their start: by hand, frozen, from a file, over a stop; and a README's
network that works after eight epochs of 480 images."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

from archspec import compile
from archspec.backend.seams.normalization import stated_momentum
from archspec.frontend import loads
from archspec.runs import Run
from archspec.training.averaging import estimate
from archspec.training.batch_norm import counts, forget_starts, have_begun, updates_until
from archspec.training.run import run
from tests.shares import few
from tests.training import runs

pytestmark = pytest.mark.tensorflow

SPEC = """
archspec: 1
name: one
inputs: {x: [3]}
body: [{batch_norm: {momentum: %s, epsilon: 0.001}, as: norm}]
"""


def made(momentum=0.9):
    """The network of one normalisation, trained and as Keras has it."""
    graph = loads(SPEC % momentum)
    model = compile(graph, training=True)
    forget_starts(model)
    return model, compile(graph, training=True)


def batches(count, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.normal(draw.normal(size=3), 2.0, (16, 3)).astype("float32") for _ in range(count)]


def averaged(values, momentum, start):
    """By hand, in double precision."""
    out = np.full(3, start, float)
    for t, value in enumerate(values):
        share = min(momentum, (1 + t) / (10 + t))
        out = share * out + (1 - share) * value.astype(float)
    return out


@pytest.mark.slow
def test_averages_are_those_of_num_updates():
    import tensorflow as tf

    model, _ = made()
    given, layer = batches(120), model.get_layer("norm")
    for batch in given:
        model(batch, training=True)
    np.testing.assert_allclose(layer.moving_mean, averaged([b.mean(0) for b in given], 0.9, 0), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, averaged([b.var(0) for b in given], 0.9, 1), rtol=1e-5)
    steps, value = tf.Variable(0.0), tf.Variable(np.zeros(3, "float32"))
    peer = tf.train.ExponentialMovingAverage(0.9, num_updates=steps)
    peer.apply([value])
    peer.average(value).assign(np.zeros(3))
    for t, batch in enumerate(given):
        steps.assign(t)
        value.assign(batch.mean(0))
        peer.apply([value])
    np.testing.assert_allclose(layer.moving_mean, peer.average(value), atol=1e-5)


@pytest.mark.slow
def test_a_long_run_ends_where_keras_ends():
    one, other = made()
    for batch in batches(400):
        one(batch, training=True)
        other(batch, training=True)
    for name in ("moving_mean", "moving_variance"):
        a, b = (getattr(model.get_layer("norm"), name).numpy() for model in (one, other))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_when_the_momentum_of_the_spec_is_the_smaller():
    assert (updates_until(0.9), updates_until(0.99)) == (pytest.approx(80), pytest.approx(890)) and updates_until(0) < 0
    assert forget_starts(compile(loads(SPEC % 0.9), training=True)) == 0.9


def test_training_is_untouched_and_the_count_is_no_weight():
    one, other = made()
    for batch in batches(3):
        np.testing.assert_array_equal(one(batch, training=True), other(batch, training=True))
    layer = one.get_layer("norm")
    assert [w.name for w in layer.weights] == [w.name for w in other.get_layer("norm").weights]
    assert one.count_params() == other.count_params()
    assert [v.path for v in layer.variables][-1] == "norm/updates" == [v.path for v in one.variables][-1]
    assert float(layer.updates) == 3 and stated_momentum(layer) == layer.get_config()["momentum"] == 0.9


def test_what_is_frozen_or_evaluated_is_not_counted():
    model, _ = made()
    (batch,) = batches(1)
    model(batch, training=False)
    model.get_layer("norm").trainable = False
    model(batch, training=True)
    assert float(counts(model)["norm"]) == 0
    np.testing.assert_array_equal(model.get_layer("norm").moving_mean, 0)


def test_averages_out_of_a_file_are_kept_as_keras_keeps_them():
    one, other = made()
    for model in (one, other):
        model.get_layer("norm").moving_mean.assign([5.0, 6.0, 7.0])
    have_begun(one, ["norm"])
    for batch in batches(3):
        one(batch, training=True)
        other(batch, training=True)
    a, b = (model.get_layer("norm").moving_mean for model in (one, other))
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_an_average_that_keeps_all_of_itself_never_changes():
    model, _ = made(1.0)
    model(batches(1)[0], training=True)
    np.testing.assert_array_equal(model.get_layer("norm").moving_mean, 0)


def test_an_estimate_is_a_plain_mean_and_gives_the_count_back():
    model, _ = made()
    given = batches(7)
    model(given[0], training=True)
    kept = estimate(model, lambda: iter(given), 7)
    layer = model.get_layer("norm")
    np.testing.assert_allclose(layer.moving_mean, np.mean([b.mean(0) for b in given], 0), atol=1e-6)
    for variable, value in kept:
        variable.assign(value)
    assert float(layer.updates) == 1


@pytest.mark.slow
def test_the_count_is_in_checkpoints_and_a_resumed_run_ends_the_same(plan, tmp_path):
    settings = "{optimizer: {adam: 0.01}, epochs: 2, checkpoint_steps: 30, steps_per_execution: 1}"
    run(plan(settings), tmp_path / "run", progress=None)
    whole = runs.state(tmp_path / "run")
    assert whole["updates/batch_norm"] == 88
    last = sorted((tmp_path / "run" / "checkpoints").glob("[0-9]*"))[-1]
    for name in ("state.npz", "manifest.json"):
        (last / name).unlink()
    run(Run.open(tmp_path / "run").plan(), tmp_path / "run", resume=True, progress=None)
    for name, value in runs.state(tmp_path / "run").items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("more", few(["", ", precision: mixed_bfloat16"], ""))
def test_the_network_of_the_readme_works_after_eight_epochs_of_480_images(tmp_path, more):
    from sklearn.datasets import load_digits

    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    spec = re.search(r"```yaml tiny.yaml\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "tiny.yaml").write_text(spec.replace("[32, 32, 3]", "[16, 16, 1]"))
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = (images.reshape(-1, 8, 8, 1)[order] * 15.9).astype("uint8"), labels[order].astype("int64")
    np.savez(
        tmp_path / "images.npz",
        **{"x_train": images[:480], "y_train": labels[:480], "x_test": images[480:780], "y_test": labels[480:780]},
    )
    (tmp_path / "run.yaml").write_text(
        "archspec_run: 1\nspec: tiny.yaml\ndata: {npz: images.npz}\naugment: [resize: 16, rescale]\n"
        f"train: {{epochs: 8{more}}}\nlog: {{pictures: 0}}\n"
    )
    told = io.StringIO()
    result = run(Run.open(str(tmp_path / "run.yaml")).plan(), tmp_path / "run", progress=told)
    assert "batch normalisation: a momentum of 0.99 is too slow for 120 steps" in told.getvalue()
    assert result.training["accuracy"] > 0.8
    assert abs(result.training["accuracy"] - result.metrics["accuracy"]) < 0.15
