"""Recurrent classifiers, TextCNN and DCNN: published and computed sizes, and what holds of them in training."""

import csv
from pathlib import Path

import numpy as np
import pytest

import archspec

REFERENCE = Path(__file__).parents[1] / "reference" / "classification.csv"
with REFERENCE.open(newline="") as file:
    ROWS = {row["name"]: row for row in csv.DictReader(file)}


def totals(name, **params):
    found = archspec.table(archspec.load(name, **params)).totals
    return found.params, found.trainable_params, found.macs


@pytest.mark.parametrize("name", ["textcnn", "textcnn_static", "textcnn_multichannel"])
def test_textcnn_equals_the_reference(name):
    assert totals(name) == tuple(int(ROWS[name][key]) for key in ("params_total", "params_trainable", "macs"))


@pytest.mark.parametrize("name", ["textcnn_rand", "textcnn_nonstatic"])
def test_variants_that_learn_all_vectors_have_the_same_sizes(name):
    assert totals(name) == totals("textcnn")


def test_textcnn_without_its_embedding():
    assert totals("textcnn")[0] - 18765 * 300 == 360_902


@pytest.mark.parametrize("steps", [7, 18, 37, 64])
def test_dcnn_has_the_macs_of_its_formula(steps):
    # The reference: (s + 6) · 2016 + (k1 + 4) · 20160 + 2688, k1 = max(4, ⌈s / 2⌉).
    k1 = max(4, -(-steps // 2))
    params = int(ROWS["dcnn"]["params_total"])
    assert totals("dcnn", length=steps) == (params, params, (steps + 6) * 2016 + (k1 + 4) * 20160 + 2688)


def test_dcnn_of_the_fine_grained_task():
    # The reference's note: filters of 10 and 7, 6 and 12 maps, k = 5, 5 classes.
    found = totals("dcnn", kernels=[10, 7], maps=[6, 12], top=5, classes=5)[0]
    assert found - 15448 * 48 == 35_141


RECURRENT = {"rnn": 1, "lstm": 4, "gru": 3}


@pytest.mark.parametrize(("name", "gates"), RECURRENT.items())
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrent_classifiers_have_the_sizes_of_keras_formulas(name, gates, layers):
    widths, units = [8, *[64] * (layers - 1)], 64
    biases = 2 if name == "gru" else 1
    params = sum(gates * units * (width + units + biases) for width in widths) + 65 * 10
    macs = sum(8 * gates * units * (width + units) for width in widths) + 64 * 10
    assert totals(name, layers=layers) == (params, params, macs)


# --- in Keras -----------------------------------------------------------------------------------------------------


@pytest.mark.tensorflow
@pytest.mark.parametrize("steps", [1, 3, 7, 18])
def test_dcnn_equals_numpy(steps):
    """The whole network, row by row and map by map, from the paper's definitions."""
    graph = archspec.load("dcnn", vocab=30, length=None, dim=4, maps=[2, 3], kernels=[3, 2], top=2)
    model = archspec.compile(graph)
    draw = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([draw.normal(size=w.shape).astype("float32") for w in layer.get_weights()])
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    tokens = draw.integers(0, 30, (1, steps))
    matrix = weights["words"][0][tokens[0]]
    one = kmax(wide(matrix, *weights["conv"], rows=4), max(2, -(-steps // 2)))
    two = wide(np.tanh(one), *weights["conv_2"], rows=4)
    folded = np.concatenate([two[:, 0:3] + two[:, 3:6], two[:, 6:9] + two[:, 9:12]], 1)
    kernel, bias = weights["label.dense"]
    scores = np.tanh(kmax(folded, 2)).reshape(-1) @ kernel + bias
    expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    np.testing.assert_allclose(np.asarray(model(tokens))[0], expected, atol=1e-5)


def wide(x, kernel, bias, rows):
    """Every row of the sentence matrix (some channels, each a map) with filters of its own, at all overlaps."""
    taps, maps_in, filters = kernel.shape
    maps = filters // rows
    padded = np.pad(x, ((taps - 1, taps - 1), (0, 0)))
    out = np.zeros((len(x) + taps - 1, filters))
    for row in range(rows):
        inputs = padded[:, row * maps_in : (row + 1) * maps_in]
        for m in range(maps):
            weight = kernel[:, :, row * maps + m]
            out[:, row * maps + m] = [(inputs[t : t + taps] * weight).sum() for t in range(len(out))]
    return out + bias


def kmax(x, k):
    """The k largest values of each column, in their order; zeros at the end where there are fewer."""
    out = np.zeros((k, x.shape[1]))
    for c, column in enumerate(x.T):
        kept = sorted(sorted(range(len(column)), key=lambda t: -column[t])[:k])
        out[: len(kept), c] = column[kept]
    return out


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_longest_vector_of_textcnn_is_three_after_every_step():
    """From longer ones, and at a learning rate that would make them so again."""
    import keras

    graph = archspec.load("textcnn_multichannel", vocab=20, dim=6, length=9, filters=5)
    model = archspec.compile(graph, training=True)
    fixed, learnt = (layer for layer in model.layers if layer.name.startswith("embedding"))
    before = [layer.get_weights()[0].copy() for layer in (fixed, learnt)]
    classifier = model.get_layer("label.dense")
    classifier.set_weights([5 * w + 1 for w in classifier.get_weights()])
    model.compile(keras.optimizers.Adam(0.5), "sparse_categorical_crossentropy")
    draw, longest = np.random.default_rng(0), []
    for _ in range(12):
        tokens = draw.integers(0, 20, (16, 9))
        model.train_on_batch(tokens, (tokens.sum(1) % 2).astype("int32"))
        longest.append(np.linalg.norm(classifier.get_weights()[0], axis=0).max())
    assert max(longest) <= 3 + 1e-5 and max(longest) > 2.99
    np.testing.assert_array_equal(fixed.get_weights()[0], before[0])
    assert np.abs(learnt.get_weights()[0] - before[1]).max() > 0.1


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize("cell", RECURRENT)
def test_a_padded_batch_and_its_items_give_the_same(cell, tmp_path):
    """A stacked, bidirectional classifier of tokens."""
    (tmp_path / "net.yaml").write_text(
        f"""
archspec: 1
name: net
inputs: {{tokens: {{shape: [T], dtype: int32}}}}
body:
  - embedding: {{vocab: 20, dim: 6, mask_zero: true}}
  - bidirectional: {{layer: {{{cell}: {{units: 5, sequences: true}}}}}}
  - bidirectional: {{layer: {{{cell}: 5}}}}
heads: {{main: [dense: {{units: 3, activation: softmax}}]}}
"""
    )
    model = archspec.compile(archspec.load(str(tmp_path / "net.yaml")))
    items = [[3, 7, 7, 1, 12], [5, 2], [9], [4, 4, 8, 15, 16, 19, 3, 1]]
    batch = np.zeros((4, 11), "int32")
    for row, item in zip(batch, items, strict=True):
        row[: len(item)] = item
    alone = np.concatenate([np.asarray(model(np.array([item]))) for item in items])
    np.testing.assert_allclose(np.asarray(model(batch)), alone, atol=1e-5)
