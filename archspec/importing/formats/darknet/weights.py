"""Darknet's .weights: a short header, then the numbers of all layers in their order, as float32."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.importing.formats.darknet.layers import NetReader, StoredSection
from archspec.importing.network import refused, whole

if TYPE_CHECKING:
    import numpy as np

NORM = ("beta", "gamma", "moving_mean", "moving_variance")
"""Arrays of a normalisation, in the order in which they stand."""


def assign(reader: NetReader, path: Path) -> None:
    """Give the network its arrays. Raises SpecError (I05), OSError."""
    from archspec.storage.regular import opened

    with opened(path) as file:
        data = file.read()
    if len(data) < 20:
        raise refused("I05", "this is no .weights file, or a truncated one", whole(path))
    major, minor = (int.from_bytes(data[k : k + 4], "little", signed=True) for k in (0, 4))
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise refused("I05", "this is no .weights file: its version is none of Darknet's", whole(path))
    at = 20 if major * 10 + minor >= 2 else 16
    needed = sum(prod(layer.axes) + layer.axes[0] * (4 if layer.norm else 1) for layer in reader.stored)
    if len(data) != at + 4 * needed:
        held = (len(data) - at) / 4
        raise refused("I05", f"it holds {held:,.10g} numbers, the network has {needed:,}", whole(path))
    for layer in reader.stored:
        at = _assign(reader, layer, data, at)


def _assign(reader: NetReader, layer: StoredSection, data: bytes, at: int) -> int:
    arrays = reader.network.arrays
    out = layer.axes[0]
    is_dense = len(layer.axes) == 2

    def vectors(step: str, names: tuple[str, ...]) -> None:
        nonlocal at
        for name in names:
            arrays.setdefault(step, {})[name] = _numbers(data, at, (out,))
            at += 4 * out

    def kernel() -> None:
        nonlocal at
        arrays.setdefault(layer.kernel, {})["kernel"] = _kernel(layer, _numbers(data, at, layer.axes))
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


def _numbers(data: bytes, at: int, shape: tuple[int, ...]) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        import numpy as np

        return np.frombuffer(data, "<f4", prod(shape), at).reshape(shape)

    return read


def _kernel(layer: StoredSection, read: Callable[[], np.ndarray]) -> Callable[[], np.ndarray]:
    """A kernel as Keras has it, in last but one and out last; of a depthwise one both, in first."""

    def turned() -> np.ndarray:
        array = read()
        if len(layer.axes) == 2:
            if layer.places is not None:
                height, width, channels = layer.places
                array = array.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(array.shape)
            return array.T
        if layer.groups is not None:
            return array.reshape(layer.groups, -1, *layer.axes[2:]).transpose(2, 3, 0, 1)
        return array.transpose(2, 3, 1, 0)

    return turned
