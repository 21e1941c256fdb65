"""Padding changes nothing: a padded batch and its unpadded items give the same outputs, op by op.

Each op stands behind an embedding that masks zeros. Ops that keep the time axis must hand the mask on, so they are
followed by an op that must respect it. (That no op is left out, and which refuse a mask: test_masks.)
"""

import keras
import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from tests.ops.test_conformance import as_tuple

pytestmark = pytest.mark.tensorflow

VOCAB, DIM, PADDED = 20, 6, 5
ITEMS = [[3, 7, 12], [5, 2], [9], [4, 8, 15, 16, 1]]
EMBEDDING = ("embedding", {"vocab": VOCAB, "dim": DIM, "mask_zero": True})
RECURRENT = [
    *((op, {"units": 4, **args}) for op in ("rnn", "lstm", "gru") for args in ({}, {"sequences": True})),
    *(
        (op, {"units": 4, "reverse": True, "sequences": sequences})
        for op in ("rnn", "lstm", "gru")
        for sequences in (False, True)
    ),
    ("lstm", {"units": 4, "sequences": True, "states": True}),
    ("gru", {"units": 4, "reset_after": False}),
    *(
        ("bidirectional", {"layer": {op: {"units": 4, "sequences": sequences}}, "merge": merge})
        for op, merge in (("rnn", "add"), ("lstm", "concat"), ("gru", "average"))
        for sequences in (False, True)
    ),
]
ATTENTION = [
    ("attention", {"heads": 2, "key_dim": 4}),
    ("attention", {"heads": 2, "key_dim": 4, "causal": True}),
    ("attention", {"heads": 4, "key_dim": 4, "kv_heads": 2, "rotary": 10000.0}),
]
POOLING = [
    ("global_avg_pool", {}),
    ("global_max_pool", {}),
    ("global_max_pool", {"keep": True}),
    ("k_max_pool", {"k": 1}),
]
KEEPS = [
    *ATTENTION,
    *(r for r in RECURRENT if r[1].get("sequences") and not r[1].get("states")),
    *((op, {}) for op in ("batch_norm", "layer_norm", "rms_norm", "bias", "layer_scale", "lrn", "normalize")),
    *((op, {}) for op in ("sinusoidal_position", "rotary_position", "class_token")),
    ("activation", {"function": "relu"}),
    ("activation", {"function": "prelu"}),
    ("dense", {"units": 4}),
    ("rbf", {"units": 4}),
    ("dropout", {"rate": 0.5}),
    ("spatial_dropout", {"rate": 0.5}),
    ("drop_path", {"rate": 0.5}),
    ("scale", {"factor": 2.0}),
    ("maxout", {"pieces": 2}),
    ("pad_channels", {"after": 2}),
    ("channel_shuffle", {"groups": 2}),
    ("folding", {}),
    ("slice", {"range": [0, 2]}),
    ("slice", {"range": [1, None], "axis": 0}),
    ("subsample", {"stride": 2}),
    ("position_embedding", {"length": PADDED}),
    ("reversible_embedding", {"vocab": 5, "dim": DIM}),
]
ACTIVATIONS = {op.name for op in Op.all() if op.is_activation}
MERGES = {op.name for op in Op.all() if op.is_merge}


def chain(*steps):
    """A model of tokens → the steps, each on the result before it, in a list of all results."""
    tokens = keras.Input((None,), dtype="int32")
    x, spec, made = tokens, TensorSpec((None,), "int32"), []
    for name, args in steps:
        op = Op.find(name).model_validate(args)
        x, spec = as_tuple(op.lower(spec)(x))[0], as_tuple(op.infer(spec))[0]
        made.append(x)
    return randomized(keras.Model(tokens, made))


def randomized(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0.5, 1.0, w.shape) ** (2 if "variance" in w.path else 1) for w in model.weights])
    return model


def padded(items, side="post"):
    rows = np.zeros((len(items), PADDED), "int32")
    for row, item in zip(rows, items, strict=True):
        row[slice(len(item)) if side == "post" else slice(PADDED - len(item), None)] = item
    return rows


def assert_padding_changes_nothing(model, sides=("post",), items=ITEMS):
    together = {side: [keras.ops.convert_to_numpy(y) for y in as_tuple(model(padded(items, side)))] for side in sides}
    for i, item in enumerate(items):
        alone = [keras.ops.convert_to_numpy(y) for y in as_tuple(model(np.array([item], "int32")))]
        for side in sides:
            for a, t in zip(alone, together[side], strict=True):
                t = t[i]
                if a[0].shape != t.shape:
                    t = t[: len(a[0])] if side == "post" else t[-len(a[0]) :]
                np.testing.assert_allclose(a[0], t, rtol=1e-5, atol=1e-5)


@pytest.mark.fast(5)
@pytest.mark.parametrize("step", [*RECURRENT, *ATTENTION, *POOLING], ids=str)
def test_what_sums_over_time_leaves_padding_out(step):
    """Recurrent ops do so on either side. An item of nothing but padding gives numbers."""
    model = chain(EMBEDDING, step)
    assert_padding_changes_nothing(model, ("post", "pre") if step in RECURRENT else ("post",))
    for y in as_tuple(model(padded([[], [3, 1]]))):
        assert np.isfinite(keras.ops.convert_to_numpy(y)).all()


POOL, LSTM = ("global_max_pool", {}), ("lstm", {"units": 3})
ALSO_BEFORE_LSTM = ("attention", "lstm", "batch_norm", "class_token", "slice", "subsample")
"""Ops of each kind, and those that change how many steps there are; before a pool, all are."""


@pytest.mark.fast(6)
@pytest.mark.parametrize(
    ("step", "last"),
    [
        pytest.param(step, last, marks=[pytest.mark.long] if last is LSTM and step[0] not in ALSO_BEFORE_LSTM else [])
        for last in (POOL, LSTM)
        for step in KEEPS
    ],
    ids=str,
)
def test_what_keeps_the_time_hands_the_mask_on(step, last):
    # An item must outlast the slice.
    model = chain(EMBEDDING, step, last)
    final = keras.Model(model.input, model.outputs[-1])
    assert_padding_changes_nothing(final, items=[item for item in ITEMS if len(item) > 1])


@pytest.mark.fast(6)
@pytest.mark.parametrize("name", sorted(ACTIVATIONS - {"maxout"}))
def test_activations_hand_the_mask_on(name):
    model = chain(EMBEDDING, (name, {}), ("global_avg_pool", {}))
    assert_padding_changes_nothing(model)


@pytest.mark.fast(1)
@pytest.mark.parametrize("merge", sorted(MERGES - {"subtract", "stack"}))
def test_a_block_with_a_skip_hands_the_mask_on(merge):
    """Tokens → attention beside its input → the next block, as in an encoder."""
    tokens, spec = keras.Input((None,), dtype="int32"), TensorSpec((None, DIM))
    embedded = Op.find("embedding").model_validate(EMBEDDING[1]).lower(TensorSpec((None,), "int32"))(tokens)
    x = embedded
    for _ in range(2):
        attended = Op.find("attention").model_validate({"heads": 2, "key_dim": 4}).lower(spec, spec)(x, x)
        x = Op.find(merge).model_validate({}).lower(spec, spec)([x, attended])
        spec = TensorSpec((None, x.shape[-1]))
        x = Op.find("layer_norm").model_validate({}).lower(spec)(x)
    pooled = Op.find("global_avg_pool").model_validate({}).lower(spec)(x)
    assert_padding_changes_nothing(randomized(keras.Model(tokens, [x, pooled])))


@pytest.mark.fast(2)
@pytest.mark.parametrize("op", ["attention", "additive_attention"])
@pytest.mark.parametrize("own_key", [False, True])
def test_what_is_attended_to_may_be_padded_alone(op, own_key):
    """The query has no mask and no padding; the steps it reads have both."""
    tokens, query = keras.Input((None,), dtype="int32"), keras.Input((3, DIM))
    value = Op.find("embedding").model_validate(EMBEDDING[1]).lower(TensorSpec((None,), "int32"))(tokens)
    specs = [TensorSpec((3, DIM)), *[TensorSpec((None, DIM))] * (1 + own_key)]
    key = [keras.layers.Dense(DIM)(value)] * own_key
    args = {"heads": 2, "key_dim": 4} if op == "attention" else {}
    out = Op.find(op).model_validate(args).lower(*specs)(query, value, *key)
    model = randomized(keras.Model([tokens, query], out))
    asked = np.random.default_rng(1).normal(size=(len(ITEMS), 3, DIM)).astype("float32")
    together = model([padded(ITEMS), asked])
    for i, item in enumerate(ITEMS):
        alone = model([np.array([item], "int32"), asked[i : i + 1]])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-5, atol=1e-5)


@pytest.mark.fast(1)
@pytest.mark.parametrize(("op", "states"), [("rnn", 1), ("lstm", 2), ("gru", 1)])
def test_a_decoder_that_starts_from_given_states_skips_padding(op, states):
    tokens = keras.Input((None,), dtype="int32")
    given = [keras.Input((4,)) for _ in range(states)]
    x = Op.find("embedding").model_validate(EMBEDDING[1]).lower(TensorSpec((None,), "int32"))(tokens)
    specs = [TensorSpec((None, DIM)), *[TensorSpec((4,))] * states]
    declared = Op.find(op).model_validate({"units": 4, "sequences": True, "states": True})
    model = randomized(keras.Model([tokens, *given], declared.lower(*specs)(x, *given)))
    starts = [np.random.default_rng(1).normal(size=(len(ITEMS), 4)).astype("float32") for _ in given]
    together = model([padded(ITEMS), *starts])
    for i, item in enumerate(ITEMS):
        alone = model([np.array([item], "int32"), *(s[i : i + 1] for s in starts)])
        np.testing.assert_allclose(alone[0][0], together[0][i, : len(item)], rtol=1e-5, atol=1e-5)
        for a, t in zip(alone[1:], together[1:], strict=True):
            np.testing.assert_allclose(a[0], t[i], rtol=1e-5, atol=1e-5)


def test_split_cuts_the_mask_with_its_tensor():
    tokens = keras.Input((4,), dtype="int32")
    x = Op.find("embedding").model_validate(EMBEDDING[1]).lower(TensorSpec((4,), "int32"))(tokens)
    spec = TensorSpec((4, DIM))
    for args in ({"parts": 2, "axis": 0}, {"parts": 2}):
        parts = Op.find("split").model_validate(args).lower(spec)(x)
        pooled = [Op.find("global_max_pool").model_validate({}).lower(spec)(part) for part in parts]
        model = randomized(keras.Model(tokens, pooled))
        table = model.get_weights()[0]
        first, second = (np.asarray(y)[0] for y in model(np.array([[3, 7, 9, 0]], "int32")))
        if "axis" in args:
            np.testing.assert_allclose(first, table[[3, 7]].max(0), rtol=1e-6)
            np.testing.assert_allclose(second, table[9], rtol=1e-6)
        else:
            np.testing.assert_allclose(np.concatenate([first, second]), table[[3, 7, 9]].max(0), rtol=1e-6)


def test_values_that_consist_of_padding_are_masked_by_their_value():
    x, spec = keras.Input((None, 2)), TensorSpec((None, 2))
    masked = Op.find("mask").model_validate({"value": -1.0}).lower(spec)(x)
    model = randomized(keras.Model(x, Op.find("gru").model_validate({"units": 3}).lower(spec)(masked)))
    values = np.random.default_rng(2).normal(size=(1, 5, 2)).astype("float32")
    longer = np.concatenate([values, np.full((1, 4, 2), -1.0, "float32")], axis=1)
    np.testing.assert_allclose(model(values), model(longer), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["global_avg_pool", "global_max_pool"])
def test_pools_of_nothing_are_zero(name):
    np.testing.assert_array_equal(chain(EMBEDDING, (name, {}))(padded([[]]))[1], np.zeros((1, DIM)))


def test_too_few_steps_for_k_are_filled_with_zeros_at_the_end():
    y = np.asarray(chain(EMBEDDING, ("k_max_pool", {"k": 4}))(padded([[3, 7], [1, 2, 3, 4, 5]]))[1])
    assert np.all(y[0, 2:] == 0)
    assert np.all(y[0, :2] != 0)
    assert np.all(y[1] != 0)
