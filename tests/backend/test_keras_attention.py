"""Attention out of Keras's files, of one sequence or two, grouped or not: a spec computes what Keras did."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.backend.weights import assign, imported
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.tensorflow
ONE = "archspec: 1\nname: net\ninputs: {a: [5, 8]}\nbody: [attention: {ARGUMENTS}]\n"
TWO = (
    "archspec: 1\nname: net\ninputs: {a: [5, 8], b: [6, 4]}\n"
    "body: [{attention: {ARGUMENTS}, from: {query: a, value: b}}]\n"
)
BLOCKS = """
archspec: 1
name: net
inputs: {a: [5, 8]}
defaults: {layer_norm: {epsilon: 1.0e-6}}
body:
  - do:
      - residual: [layer_norm, attention: {heads: 2, key_dim: 4}]
      - residual: [layer_norm, {dense: {units: 16, activation: gelu}}, dense: 8]
    repeat: 2
    as: layer
"""
LAYERS = keras.layers


def blocks(a, _):
    x = a
    for _ in range(2):
        y = LAYERS.LayerNormalization(epsilon=1e-6)(x)
        x = LAYERS.Add()([x, LAYERS.MultiHeadAttention(2, 4)(y, y)])
        y = LAYERS.LayerNormalization(epsilon=1e-6)(x)
        x = LAYERS.Add()([x, LAYERS.Dense(8)(LAYERS.Dense(16, activation="gelu")(y))])
    return x


NETS = {
    "to itself": (lambda a, b: LAYERS.MultiHeadAttention(2, 4)(a, a), ONE, "heads: 2, key_dim: 4"),
    "causal": (
        lambda a, b: LAYERS.MultiHeadAttention(2, 4, name="mha")(a, a, use_causal_mask=True),
        ONE,
        "heads: 2, key_dim: 4, causal: true",
    ),
    "to another": (
        lambda a, b: LAYERS.MultiHeadAttention(2, 3, value_dim=5)(a, b),
        TWO,
        "heads: 2, key_dim: 3, value_dim: 5",
    ),
    "without biases": (
        lambda a, b: LAYERS.MultiHeadAttention(2, 3, use_bias=False, output_shape=7)(a, b),
        TWO,
        "heads: 2, key_dim: 3, bias: false, dim_out: 7",
    ),
    "grouped": (
        lambda a, b: LAYERS.GroupQueryAttention(4, 4, 2)(a, a),
        ONE,
        "heads: 4, kv_heads: 2, key_dim: 4",
    ),
    "blocks": (blocks, BLOCKS, ""),
}


def saved(name, path):
    draw = np.random.default_rng(0)
    keras.utils.clear_session()  # layers are named anew
    make, spec, arguments = NETS[name]
    a, b = keras.Input((5, 8), name="a"), keras.Input((6, 4), name="b")
    given = [a, b] if spec == TWO else [a]
    model = keras.Model(given, make(a, b))
    model.set_weights([draw.normal(size=w.shape) * 0.3 for w in model.get_weights()])
    model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    x = [draw.normal(size=(2, *i.shape[1:])).astype("float32") for i in given]
    return spec.replace("ARGUMENTS", arguments), x, np.asarray(model(x))


@pytest.mark.fast(2)
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
@pytest.mark.parametrize("name", NETS)
def test_a_spec_computes_what_keras_did(name, suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    spec, x, expected = saved(name, path)
    graph = archspec.loads(spec)
    if (name, suffix) == ("blocks", ".weights.h5"):
        # Arrays alone, under names of classes: which dense is whose cannot be told.
        with refuses(WeightsError):
            imported(path, graph)
        return
    model = archspec.compile(graph)
    assign(model, imported(path, graph).values)
    found = model(dict(zip(("a", "b"), x, strict=True)) if len(x) > 1 else x[0])
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-6)


def test_one_that_reads_what_is_to_come_is_no_causal_one(tmp_path):
    spec, *_ = saved("causal", tmp_path / "net.keras")
    with refuses(WeightsError):
        imported(tmp_path / "net.keras", archspec.loads(spec.replace(", causal: true", "")))
