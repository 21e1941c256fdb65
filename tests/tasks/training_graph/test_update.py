"""One update of a network with a training graph is the one that TensorFlow's gradient of the losses, written by hand,
gives: weights, statistics of batch normalisation, what is reported."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.frontend import load

pytestmark = pytest.mark.tensorflow

SPEC = """
archspec: 1
name: two_stages
inputs: {image: [8, 8, 3]}
networks:
  second: {body: [{dense: {units: 4, activation: relu}}, dense: 2]}
body:
  - {conv: {filters: 6, kernel: 3, stride: 4}}
  - {batch_norm, as: map}
  - {reshape: [4, 6], as: rows}
  - {dense: 5, from: rows, as: deltas}
  - {second, from: rows, as: refined}
heads:
  class: {from: map, body: [global_avg_pool, dense: 3], loss: sparse_categorical_crossentropy, weight: 0.5}
  boxes: {from: deltas}
  second: {from: refined}
  rough: {from: rows, body: [dense: {units: 1, bias: false, kernel_regularizer: {l2: 0.1}}], train_only: true}
train:
  inputs: {wanted: [4, 5], there: {shape: [4], dtype: bool}}
  body:
    - {add: [rows, rows]}
    - {second, as: again}
    - {split: 2, from: again, as: score}
  minimize:
    - {smooth_l1: [deltas, wanted], where: there, per: there}
    - {binary_crossentropy: ["score[1]", there], weight: 2, per: examples}
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    path = tmp_path_factory.mktemp("two") / "two.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return load(str(path))


def batch(rng, n=6):
    return {
        "image": rng.normal(size=(n, 8, 8, 3)).astype("float32"),
        "wanted": rng.normal(size=(n, 4, 5)).astype("float32"),
        "there": rng.random((n, 4)) < 0.5,
        "class.target": rng.integers(0, 3, n).astype("int32"),
    }


def by_hand(model, given, training):
    """The losses as anybody would write them in a loop of their own."""
    import keras
    import tensorflow as tf

    n, there = len(given["image"]), given["there"]
    said = model(given["image"], training=training)
    rows = model.get_layer("rows").output
    inner = keras.Model(model.inputs, rows)
    again = inner(given["image"], training=training) * 2
    for name in ("second.dense", "second.dense_2"):
        again = model.get_layer(name)(again)
    distance = tf.abs(said["boxes"] - given["wanted"])
    smooth = tf.where(distance < 1, distance**2 / 2, distance - 0.5)
    count = max(1, there.sum())
    boxes = tf.reduce_sum(tf.where(there[..., None], smooth, 0)) / count
    logits = again[..., 1]
    yes = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(there, "float32"), logits=logits)
    score = tf.reduce_sum(yes) / n
    head = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(given["class.target"], said["class"])
    return head, boxes, score, 0.5 * head + boxes + 2 * score


def test_an_update_by_hand(graph):
    import keras
    import tensorflow as tf

    from archspec.backend.build import compile
    from archspec.training.updates.single_update import SingleUpdate

    keras.utils.set_random_seed(3)
    own, other = compile(graph, training=True), compile(graph, training=True)
    other.set_weights(own.get_weights())
    start = {"conv": own.get_layer("conv").get_weights()}
    step = SingleUpdate(graph, own)
    step.compile(keras.optimizers.SGD(0.1))
    given = batch(np.random.default_rng(4))
    told = step.train_on_batch(given, given["image"], return_dict=True)
    with tf.GradientTape() as tape:
        *terms, total = by_hand(other, given, training=True)
        total = total + sum(other.losses)
    names = ["sparse_categorical_crossentropy.class", "smooth_l1.deltas", "binary_crossentropy.score[1]"]
    assert set(told) == {"loss", *names}
    assert [told[name] for name in names] == pytest.approx([float(t) for t in terms], rel=1e-5)
    assert told["loss"] == pytest.approx(float(total), rel=1e-5)
    gradients = tape.gradient(total, [v.value for v in other.trainable_variables])
    for variable, gradient in zip(other.trainable_variables, gradients, strict=True):
        if gradient is not None:
            variable.assign_sub(0.1 * gradient)
    for a, b in zip(own.weights, other.weights, strict=True):
        # The hand's second pass moved the statistics twice.
        if "moving" not in a.path:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-4, atol=2e-6, err_msg=a.path)
    maps = keras.Model(own.inputs, own.get_layer("conv").output)
    maps.get_layer("conv").set_weights(start["conv"])
    seen = maps(given["image"]).numpy().reshape(-1, 6).mean(0)
    np.testing.assert_allclose(own.get_layer("map").moving_mean.numpy(), 0.01 * seen, rtol=1e-4, atol=1e-6)


def test_an_evaluation_is_without_train_only_heads_and_their_terms(graph):
    from archspec.backend.build import compile
    from archspec.training.updates.single_update import SingleUpdate

    inference = graph.inference()
    assert [t.name for t in inference.training.steps[0].minimize] == [t.name for t in graph.training.steps[0].minimize]
    model = compile(inference)
    step = SingleUpdate(inference, model)
    step.compile()
    given = batch(np.random.default_rng(5))
    told = step.test_on_batch(given, given["image"], return_dict=True)
    *_, total = by_hand(model, given, training=False)
    assert told["loss"] == pytest.approx(float(total), rel=1e-5)
