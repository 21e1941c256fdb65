"""Ops on sequences: costs counted by hand, refusals, published sizes, and what holds of them beyond single outputs."""

import json
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.ir.tensors import TensorSpec, UnknownSize
from archspec.ops.base import Op, OpError
from tests.wording import refuses

VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_sequence.json").read_text())


def declared(op, args, *shapes):
    specs = [TensorSpec(s, "int32") if len(s) == 1 and op in TOKENS else TensorSpec(s) for s in shapes]
    return Op.find(op).model_validate(args), specs


TOKENS = ("embedding", "one_hot", "reversible_embedding")

# 20 steps of 10 channels, 16 units, unless it says otherwise.
COSTS = [
    ("rnn", {"units": 16}, [(20, 10)], (16 * 27, 20 * 16 * 26, 2 * 20 * 16, 20 * 16)),
    ("lstm", {"units": 16}, [(20, 10)], (64 * 27, 20 * 64 * 26, 21 * 20 * 16, 5 * 20 * 16)),
    ("lstm", {"units": 16, "sequences": True, "states": True}, [(20, 10)], (1728, 33_280, 6_720, 1_600)),
    ("gru", {"units": 16}, [(20, 10)], (48 * 28, 20 * 48 * 26, 20 * 20 * 16, 3 * 20 * 16)),
    # One bias per gate less, and so many additions.
    ("gru", {"units": 16, "reset_after": False}, [(20, 10)], (48 * 27, 20 * 48 * 26, 17 * 20 * 16, 3 * 20 * 16)),
    ("lstm", {"units": 16, "bias": False}, [(20, 10)], (64 * 26, 20 * 64 * 26, 17 * 20 * 16, 5 * 20 * 16)),
    ("bidirectional", {"layer": {"lstm": {"units": 16}}}, [(20, 10)], (3_456, 66_560, 13_440, 3_200)),
    ("bidirectional", {"layer": {"rnn": {"units": 16}}, "merge": "add"}, [(20, 10)], (864, 16_640, 1_280 + 16, 640)),
    # Self-attention, 6 steps of 8 channels, 2 heads of 4: projections 4·6·8·8, products 2·6·6·(4 + 4). Softmax over 72
    # in 12 rows, scale 48, biases 4·48.
    (
        "attention",
        {"heads": 2, "key_dim": 4},
        [(6, 8)],
        (4 * 72, 4 * 384 + 576, 4 * 72 - 24 + 48 + 4 * 48, 72),
    ),
    ("attention", {"heads": 2, "key_dim": 4, "causal": True}, [(6, 8)], (288, 2_112, 504, 72)),
    # 5 steps of 6 ask 7 of 9 (keys of 3): h 4, key_dim 2, value_dim 3, 2 heads of keys and values, 10 out.
    (
        "attention",
        {"heads": 4, "key_dim": 2, "value_dim": 3, "kv_heads": 2, "dim_out": 10, "bias": False},
        [(5, 6), (7, 9), (7, 3)],
        (
            6 * 8 + 3 * 4 + 9 * 6 + 12 * 10,
            5 * 6 * 8 + 7 * 2 * (3 * 2 + 9 * 3) + 5 * 12 * 10 + 4 * 5 * 7 * (2 + 3),
            4 * 140 - 2 * 20 + 40,
            140,
        ),
    ),
    ("attention", {"heads": 2, "key_dim": 4, "rotary": 10000.0}, [(6, 8)], (288, 2_112, 504 + 3 * 96, 72)),
    ("additive_attention", {}, [(5, 4), (3, 4)], (4, 15 * 8, 15 * 4 + 4 * 15 - 10, 15 * 5)),
    ("embedding", {"vocab": 100, "dim": 8}, [(20,)], (800, 0, 0, 0)),
    ("one_hot", {"vocab": 100}, [(20,)], (0, 0, 0, 0)),
    ("reversible_embedding", {"vocab": 100, "dim": 8}, [(20,)], (800, 0, 0, 0)),
    ("reversible_embedding", {"vocab": 100, "dim": 8}, [(20, 8)], (800, 16_000, 0, 0)),
    ("position_embedding", {"length": 50}, [(20, 8)], (400, 0, 160, 0)),
    ("sinusoidal_position", {}, [(20, 8)], (0, 0, 160, 0)),
    ("rotary_position", {}, [(20, 8)], (0, 0, 480, 0)),
    ("class_token", {}, [(196, 8)], (8, 0, 0, 0)),
    ("k_max_pool", {"k": 1}, [(20, 8)], (0, 0, 8 * 19, 0)),
    ("k_max_pool", {"k": 3}, [(20, 8)], (0, 0, 8 * (19 + 18 + 17), 0)),
    ("folding", {}, [(20, 8)], (0, 0, 80, 0)),
    ("mask", {}, [(20, 8)], (0, 0, 320, 0)),
]


@pytest.mark.parametrize(("op", "args", "shapes", "expected"), COSTS, ids=[f"{c[0]}-{c[1]}" for c in COSTS])
def test_params_macs_other_flops_and_transcendentals(op, args, shapes, expected):
    op, specs = declared(op, args, *shapes)
    out = op.infer(*specs)
    macs = op.macs(out, *specs)
    counts = sum(w.size for w in op.weights(*specs)), macs, op.flops(out, *specs) - 2 * macs
    assert (*counts, op.transcendentals(out, *specs)) == expected


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("rnn", {"units": 4}),
        ("lstm", {"units": 4}),
        ("gru", {"units": 4}),
        ("bidirectional", {"layer": {"gru": {"units": 4}}}),
        ("attention", {"heads": 2}),
        ("k_max_pool", {"k": 2}),
    ],
)
def test_an_open_time_has_a_shape_and_weights_and_no_count(op, args):
    op, specs = declared(op, args, (None, 8))
    out = op.infer(*specs)
    assert out.shape[-1] is not None
    op.weights(*specs)
    with pytest.raises(UnknownSize):
        op.flops(out, *specs)


REFUSED = [
    ("lstm", {"units": 4}, [(8,)], None, "time, channels"),
    ("lstm", {"units": 4}, [(4, 4, 8)], None, "time, channels"),
    ("lstm", {"units": 4}, [(4, None)], None, "channels"),
    ("lstm", {"units": 4}, [(4, 8), (4,)], None, "a state and a cell"),
    ("gru", {"units": 4}, [(4, 8), (5,)], None, r"a state must be \(4,\)"),
    ("attention", {"heads": 3}, [(4, 8)], "heads", "3 heads do not divide 8"),
    ("attention", {"heads": 4, "kv_heads": 3}, [(4, 8)], "kv_heads", "3 kv_heads"),
    ("attention", {"heads": 2, "key_dim": 3, "rotary": 10000.0}, [(4, 8)], "rotary", "pairs"),
    ("attention", {"heads": 2}, [(4, 8), (7, 7, 8)], None, "value"),
    ("attention", {"heads": 2}, [(4, 8), (7, 8), (6, 8)], None, "same steps"),
    ("additive_attention", {}, [(4, 8), (7, 9)], None, "same channels"),
    ("embedding", {"vocab": 9, "dim": 4}, [(4, 8)], None, "integers"),
    ("reversible_embedding", {"vocab": 9, "dim": 4}, [(4, 8)], "dim", "8 channels"),
    ("position_embedding", {}, [(None, 8)], "length", "needs a length"),
    ("position_embedding", {"length": 4}, [(5, 8)], "length", "only 4 positions"),
    ("rotary_position", {"heads": 2}, [(5, 6)], "heads", "no pairs"),
    ("class_token", {}, [(8,)], None, "time, channels"),
    ("k_max_pool", {"k": 5}, [(4, 8)], "k", "5 of 4"),
    ("k_max_pool", {"k": 2, "layer": 3, "layers": 2}, [(4, 8), (4,)], "layer", "no layer 3"),
    ("k_max_pool", {"k": 2, "layer": 1, "layers": 2}, [(4, 8)], "layers", "depends on the sentence"),
    ("folding", {"maps": 3}, [(4, 9)], "maps", "no pairs"),
]


@pytest.mark.parametrize(
    ("op", "args", "shapes", "argument", "message"), REFUSED, ids=[f"{r[0]}-{r[4]}" for r in REFUSED]
)
def test_refusals_say_what_and_name_the_argument(op, args, shapes, argument, message):
    op, specs = declared(op, args, *shapes)
    with pytest.raises(OpError, match=message) as refusal:
        op.infer(*specs)
    assert refusal.value.argument == argument


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"conv": {"filters": 3}}, "must be rnn, lstm or gru"),
        ({"lstm": {"unit": 3}}, "lstm has no parameter 'unit'"),
        ({"lstm": {"units": 3, "reverse": True}}, "without reverse"),
        ({"lstm": {"units": 3, "states": True}}, "without states"),
        (3, "name of a recurrent op"),
    ],
)
def test_bidirectional_takes_a_recurrent_op_only(layer, message):
    with pytest.raises(ValueError, match=message):
        Op.find("bidirectional").model_validate({"layer": layer})


def test_an_activation_with_weights_cannot_be_a_gate():
    with refuses(ValueError):
        Op.find("lstm").model_validate({"units": 3, "gate_activation": "prelu"})


def test_dynamic_k_is_the_papers():
    for layer, expected in ((1, VECTORS["dynamic_k"]["k1"]), (2, VECTORS["dynamic_k"]["k2"])):
        op = Op.find("k_max_pool").model_validate({"k": 4, "layer": layer, "layers": 2})
        found = [op.infer(TensorSpec((s + 6, 3)), TensorSpec((s, 5))).shape for s in VECTORS["dynamic_k"]["s"]]
        assert found == [(k, 3) for k in expected]


def load(tmp_path, text, **params):
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return archspec.load(path, **params)


LANGUAGE_MODEL = """
archspec: 1
name: words
params: {vocab: 10000, units: 200, layers: 2}
inputs: {tokens: {shape: [T], dtype: int32}}
body:
  - embedding: {vocab: =vocab, dim: =units}
  - {lstm: {units: =units, sequences: true}, repeat: =layers}
heads:
  next: [dense: {units: =vocab, activation: softmax}]
"""


@pytest.mark.parametrize(("units", "params"), [(200, 4_651_600), (650, 19_775_200), (1500, 66_022_000)])
def test_word_models_have_the_sizes_of_zaremba_2014(tmp_path, units, params):
    assert archspec.table(load(tmp_path, LANGUAGE_MODEL, units=units)).totals.params == params


def test_a_character_model_on_one_hot_vectors_has_its_size(tmp_path):
    text = LANGUAGE_MODEL.replace("embedding: {vocab: =vocab, dim: =units}", "one_hot: =vocab")
    assert archspec.table(load(tmp_path, text, vocab=65, units=128)).totals.params == 239_297


SENTENCE_MODEL = """
archspec: 1
name: sentences
params: {vocab: 15448, dim: 48, length: 18, kernel: 7, kernel2: 5, maps: 6, maps2: 14, k: 4, classes: 2}
inputs: {tokens: {shape: [=length], dtype: int32}}
body:
  - {embedding: {vocab: =vocab, dim: =dim}, as: words}
  - conv: {filters: =dim * maps, kernel: =kernel, padding: =kernel - 1, groups: =dim}
  - {k_max_pool: {k: =k, layer: 1, layers: 2}, from: {x: prev, sentence: words}}
  - tanh
  - conv: {filters: =dim * maps2, kernel: =kernel2, padding: =kernel2 - 1, groups: =dim}
  - folding: =maps2
  - k_max_pool: =k
  - tanh
  - flatten
heads:
  label: [dense: {units: =classes, activation: softmax}]
"""


@pytest.mark.parametrize(("length", "k"), zip(VECTORS["dynamic_k"]["s"], VECTORS["dynamic_k"]["k1"], strict=True))
def test_the_sentence_model_has_the_reference_table_s_size(tmp_path, length, k):
    """tests/reference/classification.csv, row dcnn."""
    totals = archspec.table(load(tmp_path, SENTENCE_MODEL, length=length)).totals
    assert totals.params == 767_330
    assert totals.macs == (length + 6) * 2016 + (k + 4) * 20160 + 2688


def test_the_fine_grained_sentence_model_too(tmp_path):
    fine = {"kernel": 10, "kernel2": 7, "maps2": 12, "k": 5, "classes": 5}
    totals = archspec.table(load(tmp_path, SENTENCE_MODEL, **fine)).totals
    assert totals.params - 15448 * 48 == 35_141


TRANSFORMER = """
archspec: 1
name: translator
params: {vocab: 37000, dim: 512, heads: 8, hidden: 2048, layers: 6, heard: 30, said: 40}
inputs: {source: {shape: [=heard], dtype: int32}, target: {shape: [=said], dtype: int32}}
blocks:
  feed_forward:
    params: {hidden: int}
    body:
      - residual: [dense: {units: =hidden, activation: relu}, dense: =input.channels]
      - layer_norm
networks:
  words: {body: [reversible_embedding: {vocab: =vocab, dim: =dim, mask_zero: true}]}
body:
  - {words: {}, from: source}
  - {scale: =dim ** 0.5}
  - sinusoidal_position
  - do:
      - residual: [attention: =heads]
      - layer_norm
      - feed_forward: =hidden
    repeat: =layers
    as: memory
  - {words: {}, from: target}
  - {scale: =dim ** 0.5}
  - sinusoidal_position
  - do:
      - residual: [attention: {heads: =heads, causal: true}]
      - {layer_norm: {}, as: asked}
      - {attention: {heads: =heads}, from: {query: asked, value: memory}}
      - add: [prev, asked]
      - layer_norm
      - feed_forward: =hidden
    repeat: =layers
  - words
heads:
  next: [softmax]
"""


def test_the_transformer_has_the_papers_size_with_one_tied_vocabulary(tmp_path):
    """Vaswani et al. 2017, base model: 44,138,496 and 37,000 · 512; the products are counted layer by layer."""
    graph = load(tmp_path, TRANSFORMER)
    totals = archspec.table(graph).totals
    assert totals.params == 44_138_496 + 37_000 * 512 == 63_082_496
    s, t, d, h = 30, 40, 512, 2048
    encoder = 4 * s * d * d + 2 * s * s * d + 2 * s * d * h
    decoder = 4 * t * d * d + 2 * t * t * d + 2 * t * d * d + 2 * s * d * d + 2 * s * t * d + 2 * t * d * h
    assert totals.macs == 6 * (encoder + decoder) + t * d * 37_000


SMALL = {"vocab": 11, "dim": 8, "heads": 2, "hidden": 16, "layers": 2, "heard": 7, "said": 6}


@pytest.mark.slow
@pytest.mark.tensorflow
def test_the_transformer_compiles_with_one_table_and_is_deaf_to_padding_and_to_the_future(tmp_path):
    graph = load(tmp_path, TRANSFORMER, **SMALL)
    model = archspec.compile(graph)
    assert [w.shape for w in model.weights].count((11, 8)) == 1
    assert model.count_params() == archspec.table(graph).totals.params
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.0, 0.5, w.shape) for w in model.weights])
    source, target = rng.integers(1, 11, (1, 7)), rng.integers(1, 11, (1, 6))
    source[:, 4:] = 0
    full = np.asarray(model({"source": source, "target": target}))
    # A later word of the target changes nothing before it, an earlier one does.
    for place in (3, 5):
        other = target.copy()
        other[0, place] = other[0, place] % 10 + 1
        changed = np.abs(np.asarray(model({"source": source, "target": other})) - full).max(-1)[0]
        assert changed[:place].max() < 1e-6
        assert changed[place] > 1e-4
    # Shorter by its padding, the source says the same.
    short = archspec.compile(load(tmp_path, TRANSFORMER, **{**SMALL, "heard": 4}))
    short.set_weights(model.get_weights())
    np.testing.assert_allclose(np.asarray(short({"source": source[:, :4], "target": target})), full, atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("op", "states"), [("rnn", 1), ("lstm", 2), ("gru", 1)])
def test_states_carried_on_make_one_sequence_of_two(op, states):
    declaration = Op.find(op).model_validate({"units": 4, "sequences": True, "states": True})
    x, state = TensorSpec((None, 3)), [TensorSpec((4,))] * states
    layer = declaration.lower(x, *state)
    values = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    zeros = [np.zeros((2, 4), "float32")] * states
    whole = layer(values, *zeros)
    first = layer(values[:, :4], *zeros)
    second = layer(values[:, 4:], *first[1:])
    np.testing.assert_allclose(np.concatenate([first[0], second[0]], 1), whole[0], rtol=1e-5, atol=1e-6)
    for carried, at_once in zip(second[1:], whole[1:], strict=True):
        np.testing.assert_allclose(carried, at_once, rtol=1e-5, atol=1e-6)


@pytest.mark.tensorflow
def test_rotary_products_depend_on_the_distance_only():
    x = TensorSpec((12, 8))
    layer = Op.find("rotary_position").model_validate({}).lower(x)
    rng = np.random.default_rng(0)
    q, k = (np.broadcast_to(rng.normal(size=8).astype("float32"), (1, 12, 8)) for _ in range(2))
    products = (np.asarray(layer(q)) @ np.asarray(layer(k)).swapaxes(1, 2))[0]
    for distance in range(-11, 12):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-4, atol=1e-5)
    assert np.ptp(products) > 0.5


@pytest.mark.tensorflow
def test_a_wide_convolution_is_conv_with_integer_padding():
    reference = VECTORS["wide_conv1d"]
    length, taps = len(reference["x"]), len(reference["w"])
    x = TensorSpec((length, 1))
    op = Op.find("conv").model_validate({"filters": 1, "kernel": taps, "padding": taps - 1, "bias": False})
    layer = op.lower(x)
    layer.build((None, length, 1))
    layer.set_weights([np.array(reference["w"], "float32").reshape(taps, 1, 1)])
    y = np.asarray(layer(np.array(reference["x"], "float32").reshape(1, length, 1)))
    assert y.reshape(-1).tolist() == reference["cross_correlation_full"]


@pytest.mark.tensorflow
def test_embeddings_that_are_not_trained_stay():
    import keras

    tokens = keras.Input((3,), dtype="int32")
    op = Op.find("embedding").model_validate({"vocab": 5, "dim": 2, "trainable": False})
    embedded = op.lower(TensorSpec((3,), "int32"))(tokens)
    model = keras.Model(tokens, keras.layers.Dense(1)(keras.layers.Flatten()(embedded)))
    before = [np.array(w) for w in model.get_weights()]
    model.compile("sgd", "mse")
    model.fit(np.array([[1, 2, 3]]), np.array([[1.0]]), verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert np.abs(before[1] - after[1]).max() > 0


@pytest.mark.tensorflow
@pytest.mark.parametrize("op", ["rnn", "lstm", "gru"])
def test_recurrent_dropout_is_for_training_only(op):
    x = TensorSpec((6, 5))
    layer = Op.find(op).model_validate({"units": 4, "dropout": 0.5, "recurrent_dropout": 0.3}).lower(x)
    values = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    np.testing.assert_array_equal(layer(values), layer(values))
    assert np.abs(np.asarray(layer(values, training=True)) - np.asarray(layer(values))).max() > 1e-3


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("op", "args", "shapes"),
    [
        ("lstm", {"units": 4, "reverse": True, "sequences": True}, [(5, 3)]),
        ("attention", {"heads": 2, "key_dim": 2, "kv_heads": 1, "causal": True, "rotary": 10000.0}, [(5, 4)]),
        ("additive_attention", {}, [(5, 4), (3, 4)]),
        ("position_embedding", {}, [(5, 4)]),
        ("class_token", {}, [(5, 4)]),
        ("k_max_pool", {"k": 3}, [(5, 4)]),
        ("folding", {}, [(5, 4)]),
        ("reversible_embedding", {"vocab": 9, "dim": 4}, [(5, 4)]),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_gradients_are_those_of_finite_differences(op, args, shapes):
    import tensorflow as tf

    op, specs = declared(op, args, *shapes)
    layer = op.lower(*specs)
    rng = np.random.default_rng(3)
    inputs = [tf.constant(rng.normal(size=(2, *s)).astype("float32")) for s in shapes]
    along = rng.normal(size=(2, *shapes[0])).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(inputs[0])
        loss = tf.reduce_sum(tf.square(layer(*inputs)))
    slope = float(tf.reduce_sum(tape.gradient(loss, inputs[0]) * along))
    step = 1e-3
    up, down = (float(tf.reduce_sum(tf.square(layer(inputs[0] + s * along, *inputs[1:])))) for s in (step, -step))
    assert slope == pytest.approx((up - down) / (2 * step), rel=2e-2, abs=1e-2)
