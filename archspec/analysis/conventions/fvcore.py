"""fvcore's "flops", which are multiply-accumulates: those of convolutions, dense layers and matrix products, two for
each element of batch normalisation, five of other normalisations, one for each element that a global or adaptive mean
reads, one or four for each that is enlarged. All other operators are passed over, recurrent layers among them."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import ATTENTION, KERNELS, NORMS, PRODUCTS

CALLS = "flops"
SOURCE = "https://github.com/facebookresearch/fvcore/blob/main/fvcore/nn/flop_count.py"


def terms(piece: Piece) -> Terms:
    """MACs + 2 · elements of batch_norm + 5 · of other normalisations + elements that means read; attention depends on
    how it is written, so it is not known."""
    kind = piece.kind
    if kind in PRODUCTS:
        return [(KERNELS, piece.macs)]
    if kind == "batch_norm":
        each = 2 if piece.is_affine else 1
        return [(f"{each} · elements of batch_norm", each * piece.taken)]
    if kind in NORMS:
        each = 5 if piece.is_affine else 4
        return [(f"{each} · elements of {kind}", each * piece.taken)]
    if kind in ("global_avg_pool", "adaptive_avg_pool"):
        return [("elements that global means read", piece.taken)]
    if kind in ("upsample", "resize"):
        each = {"nearest": 1, "bilinear": 4}.get(piece.op.mode, 0)
        return [(f"{each} · elements that are enlarged", each * piece.out.size)]
    return None if kind in (*ATTENTION, "reversible_embedding") else ()
