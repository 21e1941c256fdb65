"""calflops, the number that it calls FLOPs (DeepSpeed's profiler prints the same): two for each multiply-accumulate,
two for each element that is normalised, one for each that ReLU makes or a pool reads. Biases and sums of branches count
0."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms
from archspec.analysis.conventions._kinds import ATTENTION, CONVOLUTIONS, KERNELS, RECURRENT

CALLS = "FLOPs"
SOURCE = "https://github.com/MrYxJ/calculate-flops.pytorch/blob/main/calflops/pytorch_ops.py"


def terms(piece: Piece) -> Terms:
    """2 · MACs + 2 · elements normalised + elements of ReLU + elements that pools read."""
    kind = piece.kind
    if kind in (*CONVOLUTIONS, "dense"):
        return [(f"2 · {KERNELS}", 2 * piece.macs)]
    if kind == "batch_norm":
        return [("2 · elements of batch_norm", 2 * piece.taken)]
    if kind == "relu":
        return [("elements of relu", piece.taken)]
    if kind in ("max_pool", "avg_pool", "global_avg_pool", "adaptive_avg_pool", "adaptive_max_pool"):
        return [("elements that pools read", piece.taken)]
    known = ("add", "concat", "flatten", "dropout", "linear", "pad", "softmax", *RECURRENT)
    return None if kind in ATTENTION or kind not in known else ()
