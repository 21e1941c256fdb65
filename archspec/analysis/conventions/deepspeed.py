"""DeepSpeed's flops profiler, the number that it calls MACs: multiplications of convolutions and dense layers.
Recurrent layers count 0."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import ATTENTION, KERNELS, PRODUCTS

CALLS = "MACs"
SOURCE = "https://github.com/deepspeedai/DeepSpeed/blob/master/deepspeed/profiling/flops_profiler/profiler.py"


def terms(piece: Piece) -> Terms:
    """MACs; attention depends on how it is written, so it is not known."""
    if piece.kind in PRODUCTS:
        return [(KERNELS, piece.macs)]
    return None if piece.kind in (*ATTENTION, "reversible_embedding") else ()
