"""Padding changes nothing in whole networks: neither what they give nor any gradient."""

from pathlib import Path

import keras
import numpy as np
import pytest

import archspec

pytestmark = pytest.mark.tensorflow
SPECS = sorted((Path(__file__).parent / "masks").glob("*.yaml"))
HEAD = "archspec: 1\nname: net\ninputs: {t: {shape: [T], dtype: int32}}\nbody:\n"
WORDS = "  - {embedding: {vocab: 9, dim: 4, mask_zero: true}, as: e}\n"
BODIES = {
    "log_softmax": "  - {log_softmax: {axis: 0}}\n  - global_max_pool\n",
    "softmax, read by an LSTM": "  - {softmax: {axis: 0}}\n  - lstm: 3\n",
    "as an activation": "  - activation: {function: {softmax: {axis: 0}}}\n  - global_avg_pool\n",
    "group_norm, read by attention": "  - {group_norm: {groups: 2}}\n  - attention: {heads: 2}\n  - global_avg_pool\n",
    "one group": "  - {group_norm: {groups: 1, scale: false}}\n  - lstm: 3\n",
    "batch_norm": "  - batch_norm\n  - global_max_pool\n",
}


def made(path):
    model = archspec.compile(archspec.load(str(path)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.5, 1.0, w.shape) ** (2 if "variance" in w.path else 1) for w in model.weights])
    return model


def gives(model, rows, training):
    """The outputs of a batch, and the gradients of a loss that weighs each of them differently."""
    import tensorflow as tf

    state = model.get_weights()
    with tf.GradientTape() as tape:
        y = model(np.array(rows, "int32"), training=training)
        loss = tf.reduce_sum(tf.sin(y) * np.linspace(1.0, 2.0, y.shape[-1]))
    gradients = tape.gradient(loss, model.trainable_weights)
    after = model.get_weights()
    model.set_weights(state)
    return [keras.ops.convert_to_numpy(v) for v in (y, *map(tf.convert_to_tensor, gradients), *after)]


def assert_padding_changes_nothing(model):
    for training in (False, True):
        alone = gives(model, [[3, 1, 2]], training)
        for rows in ([[3, 1, 2, 0, 0]], [[3, 1, 2, 0, 0, 0, 0, 0]]):
            (y, *others), (found, *gradients) = alone, gives(model, rows, training)
            np.testing.assert_allclose(y, found, rtol=1e-6, atol=1e-6)
            # Sums in another order, over a small variance: what is compared is the gradient as a whole.
            scale = max(np.abs(a).max() for a in others)
            for a, b in zip(others, gradients, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(1.0, scale))


@pytest.mark.fast(2)
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_padding_changes_nothing_that_people_met(path):
    assert_padding_changes_nothing(made(path))


@pytest.mark.fast(2)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_padding_changes_nothing(tmp_path, body):
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + WORDS + body)
    assert_padding_changes_nothing(made(path))


def test_a_batch_is_its_items(tmp_path):
    """Items of several lengths beside each other, one of them of padding alone, give what each gives alone."""
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + WORDS + "  - {softmax: {axis: 0}}\n  - {group_norm: {groups: 2}}\n  - global_avg_pool\n")
    model = made(path)
    items = [[3, 1, 2], [8], [5, 5, 7, 1, 2], []]
    together = model(np.array([item + [0] * (6 - len(item)) for item in items], "int32"))
    for item, row in zip(items[:3], together, strict=False):
        np.testing.assert_allclose(model(np.array([item], "int32"))[0], row, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(together[3], np.zeros(4))
