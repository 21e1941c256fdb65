"""ptflops's MACs by its ``pytorch`` backend: multiplications and biases of convolutions and dense layers, two for each
element of normalisation, and every ReLU and every element that a pool reads **twice**: the layer is counted, and the
function that it calls, too (sovrasov/flops-counter.pytorch#139)."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import CONVOLUTIONS, KERNELS, NORMS, POOLS, RECURRENT
from archspec.ir.tensors import elements

CALLS = "MAC"
SOURCE = "https://github.com/sovrasov/flops-counter.pytorch/blob/master/ptflops/pytorch_ops.py"
TWICE = ("relu", "elu", "prelu", "gelu")
STEPS = {"rnn": 1, "gru": 7, "lstm": 10}
"""What a step counts for each unit beside its kernels."""


def terms(piece: Piece) -> Terms:
    """MACs and biases + 2 · elements of normalisation + 2 · elements of activations + 2 · elements that pools read."""
    kind, op = piece.kind, piece.op
    if kind in (*CONVOLUTIONS, "conv_transpose"):
        return [(KERNELS, piece.macs), ("biases of convolutions", piece.out.size * piece.bias)]
    if kind == "dense":
        return [(KERNELS, piece.macs), ("biases of dense layers", op.units * piece.bias)]
    if kind in NORMS:
        each = 2 if piece.is_affine else 1
        return [(f"{each} · elements of {kind}", each * piece.taken)]
    if kind in POOLS:
        return [("2 · elements that pools read", 2 * piece.taken)]
    if kind in TWICE:
        return [(f"2 · elements of {kind}", 2 * piece.taken)]
    if kind in ("relu6", "leaky_relu", "silu", "softmax"):
        return [(f"elements of {kind}", piece.taken)]
    if kind in ("matmul", "attention"):
        return [(KERNELS, piece.macs)] if kind == "matmul" else _attention(piece)
    if kind in RECURRENT:
        return _recurrent(piece)
    return None if kind in ("upsample", "resize", "additive_attention", "reversible_embedding") else ()


def _recurrent(piece: Piece) -> Terms:
    """Kernels, two biases for each gate, and the sums and products of a step, for every step."""
    layer = piece.op.layer if piece.kind == "bidirectional" else piece.op
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[layer.name]
    steps, units = elements(piece.inputs[0].shape[:1]), layer.units
    rest = steps * units * (STEPS[layer.name] + 2 * gates * layer.bias)
    directions = 2 if piece.kind == "bidirectional" else 1
    return [("kernels of recurrent layers", piece.macs), ("sums of recurrent layers", rest * directions)]


def _attention(piece: Piece) -> Terms:
    """The products, the scale of the queries, the biases and the softmax, of as many channels throughout."""
    query, *rest = piece.inputs
    read = rest[0] if rest else query
    (asked, channels), steps = (elements(query.shape[:1]), elements(query.shape[-1:])), elements(read.shape[:1])
    biases = (asked + 2 * steps) * channels * piece.bias + asked * channels
    return [
        ("products of attention", piece.macs),
        ("scales, biases and softmax of attention", asked * channels + biases + piece.op.heads * asked * steps),
    ]
