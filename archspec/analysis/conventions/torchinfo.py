"""torchinfo's "mult-adds": the scalars of every layer's ``weight`` and ``bias``, times the output's positions for
convolutions and the steps for recurrent layers, and once for all others. So a dense layer over a sequence counts one
step, and batch normalisation its parameters."""

from __future__ import annotations

from math import prod

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import ATTENTION, CONVOLUTIONS
from archspec.ir.tensors import elements

CALLS = "mult-adds"
SOURCE = "https://github.com/TylerYep/torchinfo/blob/main/torchinfo/layer_info.py (calculate_macs)"
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def terms(piece: Piece) -> Terms:
    """Parameters × positions for convolutions, × steps for recurrent layers, × 1 for others; attention's are named
    otherwise than ``weight``, and what becomes of them is not known."""
    kind = piece.kind
    if kind in (*CONVOLUTIONS, "conv_transpose"):
        kernel, bias = _parameters(piece)
        positions = elements(piece.out.spatial)
        return [("kernels × positions", kernel * positions), ("biases × positions", bias * positions)]
    if kind in GATES:
        scalars = sum(w.size for w in piece.op.weights(*piece.inputs))
        # PyTorch adds two biases to each gate.
        again = 0 if not piece.bias or getattr(piece.op, "reset_after", False) else GATES[kind] * piece.op.units
        return [("parameters of recurrent layers × steps", elements(piece.inputs[0].shape[:1]) * (scalars + again))]
    if kind in (*ATTENTION, "bidirectional", "reversible_embedding", "bias", "scale", "layer_scale", "rbf"):
        return None
    words = {"dense": "kernels and biases of dense layers", "embedding": "tables of embeddings"}
    scalars = sum(w.size for w in piece.op.weights(*piece.inputs) if w.trainable)
    return [(words.get(kind, f"parameters of {kind}"), scalars)] if scalars else ()


def _parameters(piece: Piece) -> tuple[int, int]:
    """Scalars of the kernel and of the bias, be they shared or not."""
    weights = piece.op.weights(*piece.inputs)
    return prod(weights[0].shape), sum(w.size for w in weights[1:])
