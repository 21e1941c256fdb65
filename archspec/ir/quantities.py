"""Counts and sizes as people write them: ``5M``, ``1.5 G``, ``24GiB``."""

from __future__ import annotations

import re

PREFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12, "P": 10**15}
"""Of counts: powers of 1000. A billion is ``G``, as everywhere here, or ``B``, as of parameters."""
BYTES = {"": 1, "B": 1, **{f"{p}B": 1000**i for i, p in enumerate("kMGT", 1)}}
BYTES |= {f"{p}iB": 1024**i for i, p in enumerate("KMGT", 1)} | {"KB": 1000}

_FORM = re.compile(r"\s*(\d[\d_,]*(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def count(text: str) -> int:
    """``600M`` is 600,000,000. Raises ValueError with what to write."""
    return _scaled(text, PREFIXES, "a number, which may end in k, M, G or T: 5M")


def byte_size(text: str) -> int:
    """``24GiB`` is 24 · 2³⁰ bytes, ``24GB`` 24 · 10⁹. Raises ValueError with what to write."""
    return _scaled(text, BYTES, "a size, such as 24GiB or 512MB")


def _scaled(text: str, units: dict[str, int], form: str) -> int:
    from fractions import Fraction

    match = _FORM.fullmatch(text[:64])
    if match is None or match[2] not in units:
        raise ValueError(f"must be {form}, got {text[:64]!r}")
    value = Fraction(match[1].replace(",", "").replace("_", "")) * units[match[2]]
    if value.denominator != 1:
        raise ValueError(f"must be a whole number, got {text[:64]!r}")
    return int(value)
