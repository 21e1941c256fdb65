"""Numbers as they lie in files → float32 arrays."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from archspec.backend.archive import Stored, WeightsError

if TYPE_CHECKING:
    import numpy as np

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""Bytes of one number, by the names that safetensors gives to types."""

CODES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}


def stored(name: str, kind: str, shape: tuple[int, ...], read: Callable[[], bytes | memoryview]) -> Stored:
    """An array of little-endian numbers, the last axis running fastest. Raises WeightsError for an unknown type."""
    if kind not in WIDTHS:
        raise WeightsError(f"{name!r} is of type {kind}, which is not read")

    def array() -> np.ndarray:
        return numbers(name, kind, read(), prod(shape)).reshape(shape)

    return Stored(shape, array)


def numbers(name: str, kind: str, data: bytes | memoryview, count: int) -> np.ndarray:
    """``count`` numbers. Raises WeightsError unless ``data`` is just those."""
    import numpy as np

    if len(data) != count * WIDTHS[kind]:
        raise WeightsError(f"{name!r} holds {len(data)} bytes; its shape needs {count * WIDTHS[kind]}")
    if kind == "BF16":
        # The upper half of a float32.
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, CODES.get(kind, "u1"))
