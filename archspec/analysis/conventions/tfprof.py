"""TensorFlow's profiler (``tf.compat.v1.profiler``) on a Keras model with its weights frozen: two for each
multiply-accumulate, biases and sums, two for each element of batch normalisation and six for each of its channels,
the window for each output of a pool, and five for each element of softmax. ReLU, sigmoid and tanh count 0.

Of grouped convolutions it sees the bias alone (Keras calls a function compiled by XLA), and of recurrent layers one
step; what it then prints is not worked out here."""

from __future__ import annotations

from math import prod

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import KERNELS
from archspec.ir.tensors import elements
from archspec.ops.shapes import per_axis

CALLS = "float_ops"
SOURCE = "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/python/ops/nn_ops.py (RegisterStatistics)"
COUNTS_LAST = True
EACH = {"add": 1, "multiply": 1, "gelu": 4, "silu": 2, "hard_swish": 3, "softmax": 5}
"""What an element of the output counts."""
FREE = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "linear", "concat", "dropout", "pad", "flatten", "reshape")


def terms(piece: Piece) -> Terms:
    """2 · MACs + biases + 2 · elements and 6 · channels of batch_norm + windows of pools + elements of sums, products
    and some activations."""
    kind, out = piece.kind, piece.out
    if kind in ("conv", "conv_transpose", "depthwise_conv", "dense"):
        biases = ("biases", out.size * piece.bias)
        if getattr(piece.op, "groups", 1) > 1:
            return [biases]
        return [(f"2 · {KERNELS}", 2 * piece.macs), biases]
    if kind == "batch_norm":
        return [
            ("2 · elements of batch_norm", 2 * piece.taken),
            ("6 · channels of batch_norm", 6 * elements(out.shape[-1:])),
        ]
    if kind in ("max_pool", "avg_pool"):
        window = prod(per_axis(piece.op.size, out.rank - 1, "size"))
        return [("windows of pools × outputs", window * out.size)]
    if kind == "global_avg_pool":
        return [("elements that global means read", piece.taken)]
    if kind in EACH:
        times = len(piece.inputs) - 1 if kind in ("add", "multiply") else EACH[kind]
        return [(f"elements of {kind}" if times == 1 else f"{times} · elements of {kind}", times * out.size)]
    return () if kind in (*FREE, "global_max_pool") else None
