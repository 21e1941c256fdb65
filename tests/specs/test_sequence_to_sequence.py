"""Networks that read sequences and say sequences: published sizes, equations of the papers, what sees what."""

from __future__ import annotations

import numpy as np
import pytest

import archspec


def totals(name, **params):
    return archspec.table(archspec.load(name, **params)).totals


def test_the_transformer_has_the_papers_size_with_one_tied_vocabulary():
    """Vaswani et al. 2017, base model."""
    stacks, whole = totals("encoder_decoder"), totals("transformer_base")
    assert stacks.params == 44_138_496
    assert whole.params == 44_138_496 + 37_000 * 512 == 63_082_496
    assert whole.macs == stacks.macs + 40 * 512 * 37_000


@pytest.mark.parametrize(
    ("name", "layers", "dim", "params"),
    [
        # The sizes of the published weights of openai/gpt-2.
        ("gpt2_small", 12, 768, 124_439_808),
        ("gpt2_medium", 24, 1024, 354_823_168),
        ("gpt2_large", 36, 1280, 774_030_080),
        ("gpt2_xl", 48, 1600, 1_557_611_200),
    ],
)
def test_the_decoder_alone_has_the_published_sizes(name, layers, dim, params):
    found = totals(name)
    # A layer: four projections and the feed-forward sub-layer with their biases, two normalisations.
    each = 4 * dim * dim + 4 * dim + 8 * dim * dim + 5 * dim + 4 * dim
    assert found.params == (50_257 + 1024) * dim + layers * each + 2 * dim == params
    assert found.macs == 1024 * (layers * (12 * dim * dim + 2 * 1024 * dim) + dim * 50_257)


def test_attention_over_the_source_is_counted_by_its_formulas():
    """Luong et al. 2015: 4 layers of 1,000 cells, 50,000 words."""
    units, words, layers, steps = 1000, 50_000, 4, 50
    found = totals("seq2seq")
    lstm = 4 * (2 * units * units + units)
    attention = 2 * units * units + units + 2 * units * units
    assert found.params == 2 * words * units + 2 * layers * lstm + attention + (units + 1) * words == 218_083_000
    products = 2 * layers * 8 * units * units + 4 * units * units + words * units
    assert found.macs == steps * products + steps * steps * 2 * units


SMALL = {"source_length": 6, "target_length": 5, "depth": 2, "dropout": 0.0}
PAIRS = {
    "seq2seq": {**SMALL, "source_vocab": 11, "target_vocab": 9, "units": 6},
    "transformer": {**SMALL, "vocab": 11, "dim": 8, "attention_heads": 2, "hidden": 12},
}


def randomized(graph):
    model = archspec.compile(graph)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.0, 0.6, w.shape) for w in model.weights])
    return model


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.slow
def test_a_step_sees_the_source_and_the_target_before_it(name):
    model = randomized(archspec.load(name, **PAIRS[name]))
    rng = np.random.default_rng(2)
    source, target = rng.integers(1, 9, (1, 6)), rng.integers(1, 9, (1, 5))
    before = np.asarray(model({"source": source, "target": target}))[0]
    for place in range(5):
        other = target.copy()
        other[0, place] = other[0, place] % 8 + 1
        changed = np.abs(np.asarray(model({"source": source, "target": other}))[0] - before).max(-1)
        assert changed[:place].max(initial=0) < 1e-6 < 1e-4 < changed[place]
    for place in range(6):
        other = source.copy()
        other[0, place] = other[0, place] % 8 + 1
        changed = np.abs(np.asarray(model({"source": other, "target": target}))[0] - before).max(-1)
        assert changed.min() > 1e-5


@pytest.mark.tensorflow
def test_the_decoder_alone_sees_what_came_before():
    graph = archspec.load("gpt2", vocab=9, dim=8, depth=2, attention_heads=2, positions=7, length=6)
    model, tokens = randomized(graph), np.random.default_rng(2).integers(1, 9, (1, 6))
    before = np.asarray(model(tokens))[0]
    for place in range(6):
        other = tokens.copy()
        other[0, place] = other[0, place] % 8 + 1
        changed = np.abs(np.asarray(model(other))[0] - before).max(-1)
        assert changed[:place].max(initial=0) < 1e-6 < 1e-4 < changed[place]


@pytest.mark.tensorflow
def test_attention_over_the_source_is_equations_5_to_8_of_luong_2015():
    import keras

    model = randomized(archspec.load("seq2seq", **PAIRS["seq2seq"]))
    layers = ("encoder.1.lstm", "asked.1.lstm")
    inside = keras.Model(model.inputs, [*(model.get_layer(name).output for name in layers), model.output])
    source = np.array([[4, 2, 7, 3, 0, 0]])
    read, asked, scores = inside([source, np.array([[1, 5, 6, 2, 8]])])
    read, asked, scores = np.asarray(read[0])[0, :4], np.asarray(asked)[0], np.asarray(scores)[0]
    w = {v.path: np.asarray(v) for v in model.weights}
    keys, queries = read @ w["keys.dense/kernel"], asked @ w["queries.dense/kernel"]
    for state, query, score in zip(asked, queries, scores, strict=True):
        fit = np.tanh(query + keys) @ w["additive_attention/scale"]
        shares = np.exp(fit) / np.exp(fit).sum()
        attended = np.tanh(np.concatenate([shares @ read, state]) @ w["dense/kernel"])
        np.testing.assert_allclose(attended @ w["next.dense/kernel"] + w["next.dense/bias"], score, atol=1e-5)


@pytest.mark.tensorflow
def test_the_decoder_starts_where_the_encoder_ended():
    """In all layers, whatever stands behind the end."""
    import keras

    model = randomized(archspec.load("seq2seq", **PAIRS["seq2seq"]))
    inside = keras.Model(model.inputs, [t for i in range(2) for t in model.get_layer(f"encoder.{i}.lstm").output])
    said = np.ones((1, 5), int)
    found = [np.asarray(t)[0] for t in inside([np.array([[4, 2, 7, 0, 0, 0]]), said])]
    for outputs, state, _ in (found[:3], found[3:]):
        np.testing.assert_allclose(outputs[2], state, atol=1e-6)
    graph = archspec.load("seq2seq", **PAIRS["seq2seq"])
    for i in range(2):
        starts = graph.by_name[f"asked.{i}.lstm"].inputs[1:]
        assert [(t.node, t.port) for t in starts] == [(f"encoder.{i}.lstm", 1), (f"encoder.{i}.lstm", 2)]
