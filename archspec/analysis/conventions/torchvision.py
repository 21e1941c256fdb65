"""torchvision's documentation of its weights (``_ops``), under the name of GFLOPS: thousand million
multiply-accumulates, since "only multiplication is counted"."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import KERNELS, PRODUCTS

CALLS = "GFLOPS"
SOURCE = "https://github.com/pytorch/vision/blob/main/test/common_extended_utils.py"
SCALE = 1e9
"""What the number is divided by before it is printed, with three decimals."""


def terms(piece: Piece) -> Terms:
    """MACs."""
    if piece.kind in (*PRODUCTS, "attention"):
        return [(KERNELS, piece.macs)]
    return None if piece.kind in ("additive_attention", "reversible_embedding") else ()
