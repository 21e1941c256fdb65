"""torchprofile's MACs: multiplications of convolutions and matrix products, one for each element of batch
normalisation and one for each output of a mean. Transposed convolutions count their kernel at each output position."""

from __future__ import annotations

from math import prod

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import CONVOLUTIONS, KERNELS
from archspec.ir.tensors import elements

CALLS = "MACs"
SOURCE = "https://github.com/zhijian-liu/torchprofile/blob/master/torchprofile/handlers.py"


def terms(piece: Piece) -> Terms:
    """MACs + elements of batch normalisation + outputs of means."""
    kind = piece.kind
    if kind in (*CONVOLUTIONS, "dense", "matmul"):
        return [(KERNELS, piece.macs)]
    if kind == "conv_transpose":
        kernel = prod(piece.op.weights(*piece.inputs)[0].shape)
        return [("kernels of transposed convolutions × output positions", kernel * elements(piece.out.spatial))]
    if kind == "batch_norm":
        return [("elements of batch_norm", piece.taken)]
    if kind in ("global_avg_pool", "adaptive_avg_pool", "avg_pool"):
        return [("outputs of means", piece.out.size)]
    free = ("relu", "add", "concat", "max_pool", "flatten", "dropout", "linear", "pad", "slice", "split", "reshape")
    return () if kind in free else None
