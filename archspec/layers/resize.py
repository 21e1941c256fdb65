"""Resampling to a fixed size where Keras has no layer that does the same: other ranks than 2D, ``area``, PyTorch's."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import floor
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("archspec")
class Resize(keras.Layer):
    """Spatial axes brought to ``size`` by ``mode``, a copy of elements or a product along each axis."""

    def __init__(self, size: Sequence[int], mode: str = "bilinear", align_corners: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.mode, self.align_corners = tuple(size), mode, align_corners

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs
        for axis, after in enumerate(self.size, start=1):
            before = x.shape[axis]
            if before == after:
                continue
            if self.mode in NEAREST:
                cells = NEAREST[self.mode](before, after)
                x = ops.take(x, ops.convert_to_tensor(cells, dtype="int32"), axis=axis)
            else:
                rows = self._rows(before, after)
                matrix = ops.convert_to_tensor(rows, dtype=x.dtype)
                x = ops.moveaxis(ops.tensordot(x, matrix, axes=[[axis], [1]]), -1, axis)
        return x

    def _rows(self, before: int, after: int) -> list[list[float]]:
        if self.mode in ("bilinear", "torch_bicubic"):
            rule = linear_rows if self.mode == "bilinear" else cubic_rows
            return rule(before, after, self.align_corners)
        return (area_rows if self.mode == "area" else touched_rows)(before, after)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        own = {"size": self.size, "mode": self.mode, "align_corners": self.align_corners}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("archspec")
class LinearUpsampling(keras.Layer):
    """Spatial axes made ``factors[i]`` times as large by linear interpolation, in every rank and for open sizes."""

    def __init__(self, factors: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.factors = tuple(factors)

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs
        for axis, factor in enumerate(self.factors, start=1):
            if factor == 1:
                continue
            lead = (slice(None),) * axis
            # The neighbours of every position; past the edge the edge goes on.
            left = ops.concatenate([x[(*lead, slice(None, 1))], x[(*lead, slice(None, -1))]], axis=axis)
            right = ops.concatenate([x[(*lead, slice(1, None))], x[(*lead, slice(-1, None))]], axis=axis)
            phases = []
            for j in range(factor):
                place = (j + 0.5) / factor - 0.5
                near = left if place < 0 else right
                phases.append((1 - abs(place)) * x + abs(place) * near)
            shape = list(ops.shape(x))
            shape[axis] = shape[axis] * factor
            x = ops.reshape(ops.stack(phases, axis=axis + 1), shape)
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factors": self.factors}


def nearest_cells(before: int, after: int) -> list[int]:
    """The inputs whose cells hold the centres of the outputs'."""
    return [(2 * o + 1) * before // (2 * after) for o in range(after)]


def torch_cells(before: int, after: int) -> list[int]:
    """⌊o · before / after⌋ as PyTorch computes it, in single precision."""

    def single(value: float) -> float:
        return float(struct.unpack("f", struct.pack("f", value))[0])

    scale = single(before / after)
    return [min(floor(single(o * scale)), before - 1) for o in range(after)]


NEAREST = {"nearest": nearest_cells, "torch_nearest": torch_cells}


def place_of(o: int, before: int, after: int, align_corners: bool) -> float:
    """Where among the inputs an output is."""
    if align_corners:
        return o * (before - 1) / (after - 1) if after > 1 else 0.0
    return (o + 0.5) * before / after - 0.5


def cubic_rows(before: int, after: int, align_corners: bool, a: float = -0.75) -> list[list[float]]:
    """Weights (after, before) of PyTorch's cubic interpolation; outside the input its edge goes on."""

    def kernel(t: float) -> float:
        t = abs(t)
        if t <= 1:
            return ((a + 2) * t - (a + 3)) * t * t + 1
        return (((t - 5) * t + 8) * t - 4) * a if t < 2 else 0.0

    rows = []
    for o in range(after):
        place = place_of(o, before, after, align_corners)
        row = [0.0] * before
        for tap in range(floor(place) - 1, floor(place) + 3):
            row[min(max(tap, 0), before - 1)] += kernel(place - tap)
        rows.append(row)
    return rows


def linear_rows(before: int, after: int, align_corners: bool = False) -> list[list[float]]:
    """Weights (after, before) of linear interpolation; outside the input its edge goes on."""
    rows = []
    for o in range(after):
        place = min(max(place_of(o, before, after, align_corners), 0.0), before - 1.0)
        left = min(floor(place), max(before - 2, 0))
        row = [0.0] * before
        row[left] = 1.0 - (place - left)
        if before > 1:
            row[left + 1] = place - left
        rows.append(row)
    return rows


def touched_rows(before: int, after: int) -> list[list[float]]:
    """Weights (after, before) of the mean over all inputs that each output's cell touches."""
    rows = []
    for o in range(after):
        start, stop = o * before // after, -(-(o + 1) * before // after)
        rows.append([1 / (stop - start) if start <= i < stop else 0.0 for i in range(before)])
    return rows


def area_rows(before: int, after: int) -> list[list[float]]:
    """Weights (after, before) of the mean over the stretch of the input that each output covers."""
    rows = []
    for o in range(after):
        # In units of 1 / after of an input, so that the overlaps are whole numbers.
        start, stop = o * before, (o + 1) * before
        rows.append([max(0, min(stop, (i + 1) * after) - max(start, i * after)) / before for i in range(before)])
    return rows
