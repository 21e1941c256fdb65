"""thop's MACs: multiplications of convolutions and dense layers, without biases; four for each element of batch
normalisation (two for the mean and the variance, twice for the factor and the offset); of a global mean one more than
the positions for each output. Transposed convolutions count their kernel at each output position; activations 0."""

from __future__ import annotations

from math import prod

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import ATTENTION, CONVOLUTIONS, KERNELS, RECURRENT
from archspec.ir.tensors import elements

CALLS = "MACs"
SOURCE = "https://github.com/Lyken17/pytorch-OpCounter/blob/master/thop/vision/calc_func.py"


def terms(piece: Piece) -> Terms:
    """MACs + 4 · elements of normalisation + (positions + 1) · outputs of means; recurrent layers and attention are not
    known."""
    kind, out = piece.kind, piece.out
    if kind in (*CONVOLUTIONS, "dense"):
        return [(KERNELS, piece.macs)]
    if kind == "conv_transpose":
        kernel = prod(piece.op.weights(*piece.inputs)[0].shape)
        return [("kernels of transposed convolutions × output positions", kernel * elements(out.spatial))]
    if kind in ("batch_norm", "layer_norm", "instance_norm"):
        each = 4 if piece.is_affine else 2
        return [(f"{each} · elements of {kind}", each * piece.taken)]
    if kind in ("global_avg_pool", "adaptive_avg_pool"):
        positions = elements(piece.inputs[0].spatial) // (elements(out.spatial) if kind == "adaptive_avg_pool" else 1)
        return [("means: positions + 1 for each output", (positions + 1) * out.size)]
    if kind == "avg_pool":
        return [("outputs of means", out.size)]
    if kind == "softmax":
        return [("3 · elements of softmax − rows", 3 * out.size - out.size // elements(out.shape[-1:]))]
    if kind in ("upsample", "resize"):
        each = {"nearest": 1, "bilinear": 11, "bicubic": 259}.get(piece.op.mode, 0)
        return [(f"{each} · elements that are enlarged", each * out.size)]
    return None if kind in (*ATTENTION, *RECURRENT, "reversible_embedding") else ()
