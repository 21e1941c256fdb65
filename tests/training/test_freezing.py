"""Layers that are frozen for a while: what changes when, against runs of Keras put together by hand."""

import shutil

import keras
import numpy as np
import pytest

from archspec.ir.diagnostics import SpecError
from archspec.training.freezing import frozen_until, next_unfreeze
from archspec.training.run import run
from tests.training import runs

# Without a bias before batch normalisation: its gradient is rounding, which Adam would make steps of.
SPEC = """
archspec: 1
name: small
inputs: {image: [8, 8, 1]}
body: [{conv: {filters: 4, kernel: 3, bias: false}, as: first}, {batch_norm, as: norm}, relu,
  {conv: {filters: 6, kernel: 3}, as: second}, relu, flatten, dropout: 0.2, {dense: 16, as: hidden}, relu]
heads:
  main: {body: [dense: {units: 10, activation: softmax}], loss: categorical_crossentropy}
"""
STAGES = "freeze: [{layers: [first, norm], until: 2}, {layers: second, until: 1}]"


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("freeze: [{layers: [firts], until: 2}]", "'firts' matches no layer"),
        ("freeze: [{layers: [first], until: 0}]", "freeze.until must be greater than 0"),
        ("freeze: [{layers: [first]}]", "freeze needs 'until'"),
        ("freeze: [{layer: [first], until: 2}]", "freeze has no parameter 'layer'"),
        ("freeze: [{layers: [], until: 2}]", "layers"),
        ("freeze: 3", "must be"),
        ("freeze: {layers: ['*'], until: 2}", "every layer is frozen"),
    ],
)
def test_what_is_no_stage_is_refused(plan, train, message):
    with pytest.raises(SpecError) as error:
        plan(f"{{{train}}}", spec=SPEC)
    assert message in str(error.value)


def test_one_name_one_stage_and_lists_of_both(plan):
    for text, ends in {
        "first": (float("inf"), 0),
        "{layers: first, until: 2}": (2, 0),
        "[{layers: [first], until: 2}, second]": (2, float("inf")),
        "[first, {layers: ['*first', second], until: 2}]": (float("inf"), 2),
    }.items():
        made = plan(f"{{freeze: {text}, epochs: 3}}", spec=SPEC)
        freeze = made.spec.train.freeze
        assert (frozen_until(freeze, "first"), frozen_until(freeze, "second")) == ends, text
        written = made.document("small.yaml")["train"]["freeze"]
        again = plan(f"{{freeze: {written}, epochs: 3}}", spec=SPEC)
        assert again.spec.train.freeze == freeze
    assert [next_unfreeze(made.spec.train.freeze, epoch) for epoch in (0, 1, 2)] == [2, 2, float("inf")]


def by_hand(made, ends, optimizers):
    """The same batches through Keras; a layer joins in its epoch, with an optimiser of its own."""
    from archspec import compile
    from archspec.training.batch_norm import forget_starts

    keras.utils.set_random_seed(made.spec.train.seed)
    model = compile(made.graph)
    forget_starts(model)
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    own = {layer.name: optimizers() for layer in model.layers if layer.weights}
    import tensorflow as tf

    history, total = [], made.spec.train.epochs * made.steps
    for step, (x, y) in zip(range(total), made.pipeline.training(objective.pairs), strict=False):
        if step % made.steps == 0:
            for name in own:
                model.get_layer(name).trainable = ends.get(name, 0) <= step // made.steps
            history.append({name: model.get_layer(name).get_weights() for name in own})
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, model(x, training=True)))
        taken = [(name, v) for name in own for v in model.get_layer(name).trainable_variables]
        gradients = tape.gradient(loss, [v for _, v in taken])
        for name, optimizer in own.items():
            mine = [(g, v) for (n, v), g in zip(taken, gradients, strict=True) if n == name]
            if mine:
                optimizer.apply_gradients(mine)
    return [*history, {name: model.get_layer(name).get_weights() for name in own}]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "optimizers"),
    [
        pytest.param(
            "{sgd: {learning_rate: 0.05, momentum: 0.9}}",
            lambda: keras.optimizers.SGD(0.05, 0.9),
            marks=pytest.mark.long,
        ),
        ("{adam: 0.003}", lambda: keras.optimizers.Adam(0.003)),
        ("{adamw: {learning_rate: 0.003, weight_decay: 0.1}}", None),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_a_layer_that_is_thawed_trains_as_one_with_a_new_optimizer(plan, tmp_path, text, optimizers):
    def decayed():
        out = keras.optimizers.AdamW(0.003, 0.1)
        out.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return out

    made = plan(f"{{optimizer: {text}, schedule: constant, epochs: 3, {STAGES}, seed: 2}}", spec=SPEC)
    run(made, tmp_path / "run", progress=None)
    expected = by_hand(made, {"first": 2, "norm": 2, "second": 1}, optimizers or decayed)
    for a, b in zip(
        expected[0]["first"] + expected[0]["norm"], expected[2]["first"] + expected[2]["norm"], strict=True
    ):
        np.testing.assert_array_equal(a, b)
    with np.load(tmp_path / "run" / "weights.npz") as file:
        for layer, values in expected[-1].items():
            names = [name for name in file.files if name.startswith(f"{layer}/")]
            for name, value in zip(names, values, strict=True):
                np.testing.assert_allclose(file[name], value, atol=2e-4, err_msg=name)
    assert not np.allclose(expected[2]["first"][0], expected[3]["first"][0])


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_stopped_on_either_side_of_a_border_ends_to_the_bit_the_same(plan, tmp_path):
    settings = "optimizer: {adam: 0.01}, ema: 0.99, clip: {global_norm: 1.0}, accumulate: 2, epochs: 3, seed: 5"
    every = f"{settings}, checkpoint_steps: 15, steps_per_execution: 1, {STAGES}"
    made = plan(f"{{{every}}}", spec=SPEC, augment="[shift: 0.1, rescale]")
    kept = tmp_path / "kept"
    from archspec.training.checkpoint import Checkpoints

    prune = Checkpoints._prune
    Checkpoints._prune = lambda self, position: None
    try:
        run(made, tmp_path / "whole", progress=None)
    finally:
        Checkpoints._prune = prune
    steps = sorted(int(p.name) for p in (tmp_path / "whole" / "checkpoints").iterdir())
    border = 2 * made.steps
    assert border in steps
    for step in (max(s for s in steps if s < border), border, min(s for s in steps if s > border)):
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", kept)
        for later in steps:
            if later > step:
                shutil.rmtree(kept / "checkpoints" / f"{later:09d}")
        run(made, kept, progress=None, resume=True)
        runs.assert_same(tmp_path / "whole", kept)
        assert (kept / "weights.npz").read_bytes() == (tmp_path / "whole" / "weights.npz").read_bytes()
