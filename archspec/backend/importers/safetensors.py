"""safetensors: a header in JSON, then the arrays (https://github.com/huggingface/safetensors, README "Format").

The library sorts arrays by type and name, so their order is not a network's.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from archspec.backend.archive import Archive, WeightsError, grouped
from archspec.backend.importers.binary import WIDTHS, stored

MAX_HEADER = 100_000_000


def archive(path: Path) -> Archive:
    """The arrays of a file. Raises WeightsError, OSError."""
    size = os.path.getsize(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise WeightsError("this is no safetensors file: the length of its header is impossible")
        try:
            header = json.loads(file.read(length))
            entries = [(name, *_entry(value)) for name, value in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise WeightsError("this is no safetensors file: its header is not as it must be") from None
    start, end = 8 + length, 0
    for name, kind, shape, (first, last) in sorted(entries, key=lambda e: e[3]):
        if first != end or last < first:
            raise WeightsError(f"the bytes of {name!r} overlap others or leave a gap")
        count = 1
        for n in shape:
            count *= n
        if kind in WIDTHS and last - first != count * WIDTHS[kind]:
            raise WeightsError(f"{name!r} has {last - first} bytes; {kind} {shape} needs {count * WIDTHS[kind]}")
        end = last
    if start + end != size:
        raise WeightsError(f"the file has {size} bytes; its header describes {start + end}")

    def reader(first: int, last: int) -> Any:
        def read() -> bytes:
            with path.open("rb") as file:
                file.seek(start + first)
                return file.read(last - first)

        return read

    arrays = [(name, stored(name, kind, shape, reader(*place))) for name, kind, shape, place in entries]
    return grouped(arrays, is_ordered=False)


def _entry(value: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    shape, (first, last) = tuple(value["shape"]), value["data_offsets"]
    if not all(type(n) is int and n >= 0 for n in (*shape, first, last)):
        raise ValueError
    return str(value["dtype"]), shape, (first, last)
