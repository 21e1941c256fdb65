"""Every row of every op under a mask: it is refused, or what the mask leaves out changes nothing.

Masked steps are filled with numbers of two kinds, and cut off where the steps may be open: outputs, and gradients of
the steps that count, are the same. The mask goes on exactly where the op says so.
"""

import keras
import numpy as np
import pytest

import archspec
from archspec.frontend import loads
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from tests.ops.test_conformance import ROWS, arrays, as_tuple, call, declared, draw, each_kind, fill, its_name

PADDED = 2


class Masked(keras.layers.Layer):
    """Hands its input on, with a mask that leaves the last steps out."""

    def __init__(self, left_out):
        super().__init__()
        self.left_out = left_out

    def call(self, x):
        return x

    def compute_mask(self, x, mask=None):
        there = keras.ops.arange(x.shape[1]) < x.shape[1] - self.left_out
        there = keras.ops.reshape(there, (1, -1, *(1,) * (len(x.shape) - 3)))
        return keras.ops.broadcast_to(there, x.shape[:-1])


def lengthened(op, specs):
    """The inputs with further steps, all of one number of steps; None where the op takes no other number."""
    longer = [TensorSpec((s.shape[0] + PADDED, *s.shape[1:]), s.dtype) if s.rank > 1 else s for s in specs]
    try:
        op.infer(*longer)
    except OpError:
        return None
    return longer if op.weights(*longer) == op.weights(*specs) else None


ROWS_WITH_STEPS = [row for row in ROWS if len(row.inputs[0]) > 1 and "float" in row.dtype]


@pytest.mark.tensorflow
@pytest.mark.parametrize("row", each_kind(ROWS_WITH_STEPS, its_name))
def test_padding_is_refused_or_changes_nothing(row):
    import tensorflow as tf

    op, specs = declared(row)
    covered = tuple(max(s.rank - 1, 0) for s in specs)
    try:
        left = op.masked(covered, *specs)
    except OpError:
        return
    longer = lengthened(op, specs)
    if longer is None:
        # As many steps as there are: the last of them are left out, whatever they hold.
        pytest.skip("has weights, or a number, for each step")
    layer, short = op.lower(*longer), draw(row)
    call(layer, op, short)
    fill(layer, row)
    rng = np.random.default_rng(0)

    def counted(y):
        mask = getattr(y, "_keras_mask", None)
        return y if mask is None or y.shape.rank < mask.shape.rank else tf.boolean_mask(y, mask)

    def gives(inputs, left_out):
        inputs = [tf.convert_to_tensor(x) for x in inputs]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            masked = [Masked(left_out)(x) if c else x for x, c in zip(inputs, covered, strict=True)]
            outputs = as_tuple(call(layer, op, masked))
            mask = getattr(outputs[0], "_keras_mask", None)
            assert (mask is not None) == bool(left)
            seen = [counted(y) for y in outputs]
            loss = sum(tf.reduce_sum(tf.sin(tf.cast(y, "float32"))) for y in seen)
        steps = [
            g[:, : g.shape[1] - left_out] if c and g is not None else g
            for g, c in zip(tape.gradient(loss, inputs), covered, strict=True)
        ]
        return [*arrays(seen), *(g.numpy() for g in steps if g is not None)]

    alone = gives(short, 0)
    # Twice in one batch: filled up with small numbers, and with large ones.
    padding = [
        np.concatenate([filler + rng.normal(size=(len(x), PADDED, *x.shape[2:])) for filler in (0.0, 7.0)])
        for x in short
    ]
    padded = [
        np.concatenate([np.tile(x, (2, *(1,) * (x.ndim - 1))), *([p.astype(x.dtype)] if c else [])], 1)
        for x, p, c in zip(short, padding, covered, strict=True)
    ]
    for a, b in zip(alone, gives(padded, PADDED), strict=True):
        np.testing.assert_allclose(
            np.concatenate([a, a]), b, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(a).max(initial=0.0)))
        )


WORDS = """archspec: 1
name: net
inputs: {t: {shape: [8], dtype: int32}, v: {shape: [8, 4]}}
body:
  - {embedding: {vocab: 9, dim: 4, mask_zero: true}, from: t, as: e}
"""
REFUSED = {
    "conv": "conv: {filters: 4, kernel: 3}",
    "conv of one step": "conv: 4",
    "max_pool": "max_pool: 2",
    "avg_pool": "avg_pool: 2",
    "flatten": "flatten",
    "permute": "permute: [1, 0]",
    "resize": "resize: 4",
    "upsample": "upsample: 2",
    "adaptive": "adaptive_avg_pool: 2",
    "the last step": "slice: {range: [-1, null], axis: 0}",
    "softmax as an activation": "dense: {units: 1, activation: {softmax: 0}}",
    "a sum with what has no mask": "add: [e, v]",
    "channels of what has no mask": "concat: [e, v]",
    "another mask": "mask",
    "behind others": "do: [dense: 3, relu, layer_norm, {lstm: {units: 3, sequences: true}}, flatten]",
}
TAKEN = {
    "lstm": "lstm: 3",
    "attention": "do: [{attention: 2}, global_avg_pool]",
    "k_max_pool": "do: [{k_max_pool: 2}, flatten]",
    "pool, then anything": "do: [{global_max_pool: {keep: true}}, {conv: {filters: 4, kernel: 3}}]",
    "steps one after the other": "concat: {axis: 0}",
}


@pytest.mark.parametrize("step", REFUSED.values(), ids=REFUSED)
def test_what_would_read_padding_is_refused_at_its_place(step):
    with pytest.raises(archspec.SpecError) as refusal:
        loads(WORDS + (f"  - {{{step}}}\n" if ":" in step else f"  - {step}\n"))
    (diagnostic,) = refusal.value.diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("H14", 6)


@pytest.mark.parametrize("step", TAKEN.values(), ids=TAKEN)
def test_what_skips_it_is_taken(step):
    body = f"  - {{{step}, from: [e, e]}}\n" if step.startswith("concat") else f"  - {{{step}}}\n"
    assert loads(WORDS + body).nodes
    assert loads((WORDS + "  - {conv: {filters: 4, kernel: 3}}\n").replace(", mask_zero: true", "")).nodes


def test_an_op_that_says_nothing_of_its_reach_refuses_masks():
    with pytest.raises(OpError):
        Op().masked((1,), TensorSpec((4, 3)))
