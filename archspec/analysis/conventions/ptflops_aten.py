"""ptflops's MACs by its ``aten`` backend: multiplications and biases of convolutions and dense layers.
LSTMs count 0."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import CONVOLUTIONS, KERNELS

CALLS = "MAC"
SOURCE = "https://github.com/sovrasov/flops-counter.pytorch/blob/master/ptflops/aten_ops.py"


def terms(piece: Piece) -> Terms:
    """MACs and biases."""
    kind = piece.kind
    if kind in (*CONVOLUTIONS, "conv_transpose"):
        return [(KERNELS, piece.macs), ("biases of convolutions", piece.out.size * piece.bias)]
    if kind == "matmul":
        return [(KERNELS, piece.macs)]
    if kind == "dense":
        return [(KERNELS, piece.macs), ("biases of dense layers", piece.op.units * piece.bias)]
    free = ("batch_norm", "relu", "add", "concat", "max_pool", "avg_pool", "global_avg_pool", "flatten", "dropout")
    return () if kind in (*free, "adaptive_avg_pool", "linear", "lstm") else None
