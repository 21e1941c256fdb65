"""What brings together tensors that do not meet, and numbers that do not divide, in words that can be acted on."""

from __future__ import annotations

from archspec.ir.tensors import TensorSpec

MAX_LISTED = 8


def divisors_of(size: int, what: str) -> str:
    """``1, 2, 5, 10 divide 10 channels``: of many the least and the greatest."""
    low = [n for n in range(1, min(int(size**0.5), 4096) + 1) if size % n == 0]
    found = sorted({*low, *(size // n for n in low)})
    if len(found) > MAX_LISTED:
        half = MAX_LISTED // 2
        return f"{_listed(found[:half])}, …, {_listed(found[-half:])} divide {size} {what}"
    return f"{_listed(found)} divide{'s' * (len(found) == 1)} {size} {what}"


def brought_together(a: TensorSpec, b: TensorSpec, *, are_channels_free: bool) -> str | None:
    """What a person may do with two tensors whose sizes differ; ``are_channels_free`` where theirs may."""
    if a.rank != b.rank:
        if 1 in (a.rank, b.rank):
            large = a if a.rank > 1 else b
            pooled = "global_avg_pool" if large.rank > 2 else "global_max_pool, or flatten,"
            return f"{pooled} makes {large} a vector"
        return f"one has {a.rank} axes, the other {b.rank}: reshape or a pool makes them alike"
    spatial = [(m, n) for m, n in zip(a.spatial, b.spatial, strict=True) if None not in (m, n) and m != n]
    sizes = [(int(m or 0), int(n or 0)) for m, n in spatial]
    if sizes:
        return _spatial(a, b, sizes)
    if are_channels_free or None in (a.channels, b.channels):
        return None
    layer = f"dense: {a.channels}" if a.rank == 1 else f"conv: {{filters: {a.channels}, kernel: 1}}"
    return f"channels differ: {layer} gives the second {a.channels}"


def _spatial(a: TensorSpec, b: TensorSpec, sizes: list[tuple[int, int]]) -> str:
    ratios = {max(pair) // min(pair) for pair in sizes if max(pair) % min(pair) == 0}
    if len(ratios) == 1 and all(max(pair) % min(pair) == 0 for pair in sizes) and len({m > n for m, n in sizes}) == 1:
        (ratio,) = ratios
        large, small = ("first", "second") if sizes[0][0] > sizes[0][1] else ("second", "first")
        up = f", or upsample: {ratio} enlarges the {small}" if a.rank > 2 else ""
        return f"the {large} is {ratio} times as large: a stride or pool of {ratio} makes it fit{up}"
    if a.rank == 2:
        return "lengths differ: padding: same keeps them, global_max_pool makes vectors, attention reads another length"
    return f"sizes differ on the way: padding: same keeps them, {{resize: {list(b.spatial)}}} mends the first"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
