"""Runs of several networks: their optimisers, what is saved and shown of them, how they end."""

from __future__ import annotations

import re

import numpy as np
import pytest

from archspec.ir.diagnostics import SpecError
from tests.shares import few
from tests.tasks.adversarial import runs

ADAM = "{learning_rate: 0.02, beta_1: 0.0}"
TWO = (
    f"{{task: {{adversarial: {{optimizers: {{G: {{adam: {ADAM}}}}}}}}}, optimizer: {{sgd: 0.5}}, epochs: 2, batch: 32}}"
)


def refusal(folder, train, spec=runs.POINTS):
    with pytest.raises(SpecError) as caught:
        runs.plan(folder, spec, runs.of(train))
    (found,) = caught.value.diagnostics
    return found.message, found.help, found.span.line, found.span.column


@pytest.mark.parametrize(
    ("train", "message", "help"),
    [
        ("{ema: 0.99}", "averages of networks are the spec's", "in its train section: 'average: {NETWORK: 0.999}'"),
        (
            "{average_last: 2}",
            "averages of networks are the spec's",
            "in its train section: 'average: {NETWORK: 0.999}'",
        ),
        (
            "{cache_features: true}",
            "networks that are trained in turn have no part that is computed once for all",
            None,
        ),
        ("{freeze: {layers: D, until: 2}}", "layers of several networks are frozen for good", None),
        ("{accumulate: 2}", "updates of several networks are not put off", "a larger batch"),
        ("{monitor: loss}", "no figure says which of several networks that compete are best", None),
        ("{patience: 3}", "no figure says which of several networks that compete are best", None),
        (
            "{class_weight: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]}",
            "examples have no weights where networks are trained in turn",
            None,
        ),
        ("{loss: mse}", "the losses of several networks are the spec's", "leave loss out"),
        (
            "{precision: mixed_float16}",
            "the losses of several networks are not scaled, as float16 needs it",
            "precision: mixed_bfloat16",
        ),
        (
            "{schedule: plateau}",
            "plateau watches a loss that falls; those of networks that compete do not",
            "constant, cosine, polynomial, step, milestones and others go by time",
        ),
        ("{jit_compile: true}", "XLA cannot compile turns and weights that change with the rounds", None),
        ("{freeze: ['G.*']}", "step 'G' updates 'G', which is frozen", None),
    ],
)
def test_what_has_no_meaning_here_is_refused_with_its_place(tmp_path, train, message, help):
    key = re.match(r"\{(\w+): ", train)
    assert refusal(tmp_path, train) == (message, help, 4, len("train: ") + len(key[0]) + 1)


def test_another_backend_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("archspec.tasks.adversarial.backend", lambda: "jax")
    assert refusal(tmp_path, "{task: adversarial}") == (
        "updates in turn need the TensorFlow backend, KERAS_BACKEND is jax",
        "KERAS_BACKEND=tensorflow, or 'together: true' in the spec's train section: all steps at once",
        4,
        15,
    )


def test_an_optimizer_of_a_step_that_is_not_there_is_refused(tmp_path):
    spec = runs.POINTS.replace("D", "critic")
    found = refusal(tmp_path, "{task: {adversarial: {optimizers: {G: adam, crtic: adam}}}}", spec)
    assert found == ("there is no step 'crtic'", "did you mean 'critic'?", 4, 59)
    assert refusal(tmp_path, "{task: {adversarial: {optimizers: {critic: adam}}}}")[1] == "the steps are D, G"
    assert refusal(tmp_path, "{task: {adversarial: {optimizers: {G: adamm}}}}")[:2] == (
        "there is no optimizer 'adamm'",
        "did you mean 'adam'?",
    )
    assert refusal(tmp_path, "{task: {adversarial: {optimizers: adam}}}")[0] == (
        "adversarial.optimizers must be a map of steps and optimizers, got 'adam'"
    )


@pytest.mark.tensorflow
def test_each_step_has_its_optimizer_with_the_schedule_of_the_run(tmp_path):
    from archspec.backend.build import compile
    from archspec.training.compiling import compiled

    plan = runs.plan(tmp_path, run=runs.of(TWO))
    train = plan.spec.train
    objective = plan.task.trainer(plan.graph, compile(plan.graph, training=True), train, plan.features)
    compiled(objective.model, objective, plan)
    of_d, of_g = objective.model.optimizer.steps
    assert [type(x).__name__ for x in (of_d, of_g)] == ["SGD", "Adam"]
    assert (of_g.beta_1, of_g.beta_2) == (0.0, 0.999)
    # Two epochs of two rounds: half a cosine over four.
    for done, factor in enumerate([1, (1 + np.sqrt(0.5)) / 2, 0.5, (1 - np.sqrt(0.5)) / 2]):
        objective.model.optimizer.iterations.assign(done)
        assert float(of_d.learning_rate) == pytest.approx(0.5 * factor)
        assert float(of_g.learning_rate) == pytest.approx(0.02 * factor)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_rates_of_layers_hold_for_every_optimizer(tmp_path):
    from archspec.backend.build import compile
    from archspec.training.compiling import compiled

    plan = runs.plan(tmp_path, run=runs.of(TWO.replace("epochs: 2", "epochs: 2, rates: {G.dense: 0.0, D.dense: 0.0}")))
    objective = plan.task.trainer(plan.graph, compile(plan.graph, training=True), plan.spec.train, plan.features)
    compiled(objective.model, objective, plan)
    layers = [objective.model.get_layer(f"{n}.{layer}") for n in "GD" for layer in ("dense", "dense_2")]
    before = [layer.get_weights() for layer in layers]
    objective.model.train_on_batch(*next(iter(plan.pipeline.training(objective.pairs))))
    moved = [(a[0] != layer.get_weights()[0]).any() for a, layer in zip(before, layers, strict=True)]
    assert moved == [False, True, False, True]


@pytest.mark.tensorflow
def test_the_record_of_a_run_keeps_the_optimizers(tmp_path):
    plan = runs.plan(tmp_path, run=runs.of(TWO))
    assert plan.document("networks.yaml")["train"]["task"] == {
        "adversarial": {"optimizers": {"G": {"adam": {"learning_rate": 0.02, "beta_1": 0.0}}}}
    }


def events(folder):
    """Images by tag and step in TensorBoard's files."""
    import tensorflow as tf

    out = {}
    for path in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                width, height, data = value.tensor.string_val
                out[value.tag, event.step] = tf.io.decode_png(data).numpy()
                assert out[value.tag, event.step].shape[:2] == (int(height), int(width))
    return out


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_draws_samples_reports_terms_and_saves_averages(tmp_path):
    import tensorflow as tf

    from archspec.cli import main
    from archspec.training.run import run
    from tests.training.runs import state

    logdir = tmp_path / "run"
    result = run(runs.plan(tmp_path), logdir, progress=None)
    assert set(result.training) > {
        "D.wasserstein.real_score",
        "D.gradient_penalty.between_score",
        "D.gradient_norm.D",
        "G.gradient_norm.G",
    }
    drawn = events(logdir / "pictures")
    assert set(drawn) == {("fake", epoch) for epoch in (1, 2, 3, 4)}
    assert (drawn["fake", 1] != drawn["fake", 4]).any()
    shown = tf.io.decode_png((logdir / "samples.png").read_bytes()).numpy()
    assert (shown == drawn["fake", 4][..., :1]).all()
    # White, the data, and points before them.
    assert set(np.unique(shown)) == {0, 190, 255}

    held, saved = state(logdir), np.load(logdir / "weights.npz")
    for name in ("kernel", "bias"):
        mean = held[f"weight/points_steps/average_G.dense_{name}".replace("//", "/")]
        np.testing.assert_array_equal(saved[f"G.dense/{name}"], mean)
        assert (mean != held[f"weight/G.dense/{name}"]).any()
        np.testing.assert_array_equal(saved[f"D.dense/{name}"], held[f"weight/D.dense/{name}"])

    assert main(["sample", str(logdir), "-n", "1000", "--seed", "5", "-o", str(tmp_path / "a.npy")]) == 0
    from archspec.data.grid import scatter

    assert (scatter(np.load(tmp_path / "a.npy"), np.ones((1, 2)))[..., 0] == 0).sum() > 50


@pytest.mark.tensorflow
@pytest.mark.slow
def test_what_is_made_of_the_data_stands_beside_them(tmp_path):
    from archspec.training.run import run

    train = "{epochs: 1, batch: 64, precision: mixed_bfloat16}"
    run(runs.plan(tmp_path, runs.IMAGES, runs.of(train, "digits")), tmp_path / "run", progress=None)
    ((key, image),) = events(tmp_path / "run" / "pictures").items()
    assert key == ("results", 1)
    # Eight rows of an image and what G makes of it.
    assert image.shape[:2] == (64, 16)
    from sklearn.datasets import load_digits

    first = image[:8, :8, 0].astype(float)
    distance = np.abs(load_digits().images * (255 / 16) - first).max((1, 2)).min()
    assert distance <= 1


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("together", few([1, 4], 4))
@pytest.mark.parametrize(
    ("spec", "term", "layer"),
    [
        # D does not see the example, but what G makes of it: the first term with NaN is D's.
        (runs.IMAGES, "D.wasserstein.score", "G.conv"),
        # D sees nothing of it.
        (
            runs.IMAGES.replace(
                "turns: 2, minimize: [{wasserstein: [score, -1]}]", "minimize: [{mse: [flat_score, 0]}]"
            )
            .replace("inputs: {real: [8, 8, 1]}", "inputs: {real: [8, 8, 1], z: {normal: [8, 8, 1]}}")
            .replace("    - {D, from: real, as: real_score}", "    - {D, from: z, as: flat_score}")
            .replace("{wasserstein: [score, 1]}, ", ""),
            "G.mae.made",
            "G.conv",
        ),
    ],
    ids=["first step", "second step"],
)
def test_nan_is_told_with_its_term_and_step(tmp_path, spec, term, layer, together):
    from archspec.training.outcome import NotFinite
    from archspec.training.run import run

    images = np.random.default_rng(0).random((64, 8, 8, 1), "float32")
    images[40] = np.nan
    np.savez(tmp_path / "data.npz", x_train=images, y_train=np.zeros(64, "int32"))
    text = f"{{epochs: 2, batch: 8, steps_per_execution: {together}, checkpoint_steps: {together}}}"
    plan = runs.plan(tmp_path, spec, runs.of(text, f"{{npz: {tmp_path / 'data.npz'}}}"))
    from itertools import islice

    order = [batch["index"].numpy() for batch, _ in islice(plan.pipeline.training(lambda batch: (batch, ())), 8)]
    struck = next(i for i, index in enumerate(order) if 40 in index) + 1
    with pytest.raises(NotFinite) as caught:
        run(plan, tmp_path / "run", progress=None)
    step = -(-struck // together) * together
    left = step - together
    kept = f"the last good checkpoint is that of step {left}" if left else "there was no checkpoint yet"
    assert caught.value.message.startswith(
        f"training went to NaN in epoch 1, by step {step}; the term '{term}' is not finite, "
    )
    assert caught.value.message.endswith(f"; {kept}")
