"""Darknet's .weights: a short header, then the numbers of all layers in their order, as float32."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.importing.formats.darknet.layers import StoredSection
from archspec.importing.maps import Reading, rows_moved, turned
from archspec.importing.network import refused, whole

if TYPE_CHECKING:
    import numpy as np

NORM = ("beta", "gamma", "moving_mean", "moving_variance")
"""Arrays of a normalisation, in the order in which they stand."""


Arrays = dict[str, dict[str, Reading]]
"""Of each step by its name, its arrays as Keras has them."""


def assign(layers: Sequence[StoredSection], arrays: Arrays, path: Path) -> None:
    """Give steps their arrays. Raises SpecError (I05), OSError."""
    from archspec.storage.regular import opened

    with opened(path) as file:
        data = file.read()
    if len(data) < 20:
        raise refused("I05", "this is no .weights file, or a truncated one", whole(path))
    major, minor = (int.from_bytes(data[k : k + 4], "little", signed=True) for k in (0, 4))
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise refused("I05", "this is no .weights file: its version is none of Darknet's", whole(path))
    at = 20 if major * 10 + minor >= 2 else 16
    needed = sum(prod(layer.axes) + layer.axes[0] * (4 if layer.norm else 1) for layer in layers)
    if len(data) != at + 4 * needed:
        held = (len(data) - at) / 4
        raise refused("I05", f"it holds {held:,.10g} numbers, the network has {needed:,}", whole(path))
    for layer in layers:
        at = _assign(arrays, layer, data, at)


def _assign(arrays: Arrays, layer: StoredSection, data: bytes, at: int) -> int:
    out = layer.axes[0]
    is_dense = len(layer.axes) == 2

    def vectors(step: str, names: tuple[str, ...]) -> None:
        nonlocal at
        for name in names:
            arrays.setdefault(step, {})[name] = _numbers(data, at, (out,))
            at += 4 * out

    def kernel() -> None:
        nonlocal at
        arrays.setdefault(layer.kernel, {})["kernel"] = (
            rows_moved(_numbers(data, at, layer.axes), layer.places)
            if is_dense
            else turned(_numbers(data, at, layer.axes), layer.groups)
        )
        at += 4 * prod(layer.axes)

    if layer.norm is None:
        vectors(layer.kernel, ("bias",))
        kernel()
    elif is_dense:
        vectors(layer.norm, NORM[:1])
        kernel()
        vectors(layer.norm, NORM[1:])
    else:
        vectors(layer.norm, NORM)
        kernel()
    return at


def _numbers(data: bytes, at: int, shape: tuple[int, ...]) -> Reading:
    def read() -> np.ndarray:
        import numpy as np

        return np.frombuffer(data, "<f4", prod(shape), at).reshape(shape)

    return read
