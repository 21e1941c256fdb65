"""torch.utils.flop_counter.FlopCounterMode: two for each multiply-accumulate of convolutions and matrix products, and
nothing else. LSTMs are one fused operator that it does not know, so they count 0."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import ATTENTION, KERNELS, PRODUCTS

CALLS = "FLOP"
SOURCE = "https://github.com/pytorch/pytorch/blob/main/torch/utils/flop_counter.py"


def terms(piece: Piece) -> Terms:
    """2 · MACs; attention depends on the path that PyTorch takes (0 in its fast path), so it is not known."""
    if piece.kind in PRODUCTS or piece.kind == "gru":
        return [(f"2 · {KERNELS}", 2 * piece.macs)]
    return None if piece.kind in (*ATTENTION, "rnn", "bidirectional", "reversible_embedding") else ()
