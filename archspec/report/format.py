"""How numbers and shapes are written in every table, and the columns of those that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.analysis.cost import Totals
from archspec.ir.diagnostics import listed
from archspec.ir.tensors import Size

HEADERS = ("layer", "op", "output", "params", "%", "MACs", "%")
LEFT = 3
"""The first so many columns are aligned to the left, the numbers to the right."""


def cells(
    label: str, op: str, shape: tuple[Size, ...] | None, part: Totals, whole: Totals, shared_params: int = 0
) -> tuple[str, ...]:
    """One row below ``HEADERS``; parameters that are counted in another row stand in brackets."""
    params = f"({exact(shared_params)})" if shared_params and not part.params else exact(part.params)
    output = "" if shape is None else dimensions(shape)
    shares = share(part.params, whole.params), share(part.macs, whole.macs)
    return label, op, output, params, shares[0], quantity(part.macs), shares[1]


def exact(count: int | None) -> str:
    """A whole number with thousands separators; ``?`` where it is unknown."""
    return "?" if count is None else f"{count:,}"


def quantity(count: int | None) -> str:
    """Four significant digits with k, M, G or T (powers of 1000); whole below 1000; ``?`` where it is unknown."""
    if count is None:
        return "?"
    if count < 1000:
        return str(count)
    power = 1
    while count >= 999.95 * 1000**power and power < 6:
        power += 1
    scaled, prefix = count / 1000**power, " kMGTPE"[power]
    return f"{scaled:.{3 if scaled < 9.9995 else 2 if scaled < 99.995 else 1}f} {prefix}"


def share(part: int | None, whole: int | None) -> str:
    """Percentage with one decimal; empty where it is 0 or unknown."""
    return f"{100 * part / whole:.1f}" if part and whole else ""


def dimensions(shape: tuple[Size, ...], times: str = "×") -> str:
    """``112×112×64``; open sizes are ``?``, a scalar is ``1``."""
    return times.join(["?" if size is None else str(size) for size in shape]) or "1"


def shapes(value: tuple[Size, ...] | Mapping[str, tuple[Size, ...]] | None, times: str = "×") -> str:
    """``112×112×64``; of several heads ``a 1, b 5``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {dimensions(shape, times)}" for name, shape in value.items())
    return "" if value is None else dimensions(value, times)


def binary(count: int | None) -> str:
    """Bytes with three to four digits and KiB, MiB or GiB (powers of 1024); ``?`` where they are unknown."""
    if count is None:
        return "?"
    if count < 1024:
        return f"{count} B"
    power = 1
    while count >= 1024 ** (power + 1) and power < 4:
        power += 1
    scaled = count / 1024**power
    return f"{scaled:.{2 if scaled < 99.95 else 1}f} {' KMGT'[power]}iB"


def duration(seconds: float | None) -> str:
    """Three digits and s, ms or µs; ``?`` where it is unknown."""
    if seconds is None:
        return "?"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds / size < 999.5 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 1e-9:.3g} ns" if seconds else "0"


def plain_number(value: float | None) -> str:
    """Three digits; empty where there is none."""
    return "" if value is None else f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns of one width, the first so many to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def lower_bound(uncounted: Sequence[str]) -> str:
    """Why totals are lower bounds: what they leave out."""
    does, it, is_ = ("does", "it costs", "is") if len(uncounted) == 1 else ("do", "they cost", "are")
    return f"≥ {listed(uncounted)} {does} not say what {it}, and {is_} not counted"
