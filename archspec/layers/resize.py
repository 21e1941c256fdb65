"""Resampling to a fixed size, in every rank and mode."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("archspec")
class Resize(keras.Layer):
    """Spatial axes brought to ``size`` by ``nearest``, ``bilinear``, ``bicubic`` (2D) or ``area``, half-pixel centres.

    What Keras's image functions lack (other ranks than 2D; ``area`` with a gradient) is a product along each axis.
    """

    def __init__(self, size: Sequence[int], mode: str = "bilinear", **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.mode = tuple(size), mode

    def call(self, inputs: Any) -> Any:
        if len(self.size) == 2 and self.mode != "area":
            return ops.image.resize(inputs, self.size, interpolation=self.mode, data_format="channels_last")
        x = inputs
        for axis, after in enumerate(self.size, start=1):
            before = x.shape[axis]
            if before == after:
                continue
            if self.mode == "nearest":
                cells = [(2 * o + 1) * before // (2 * after) for o in range(after)]
                x = ops.take(x, ops.convert_to_tensor(cells, dtype="int32"), axis=axis)
            else:
                rows = linear_rows(before, after) if self.mode == "bilinear" else area_rows(before, after)
                matrix = ops.convert_to_tensor(rows, dtype=x.dtype)
                x = ops.moveaxis(ops.tensordot(x, matrix, axes=[[axis], [1]]), -1, axis)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self.size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "mode": self.mode}


@keras.saving.register_keras_serializable("archspec")
class LinearUpsampling(keras.Layer):
    """Spatial axes made ``factors[i]`` times as large by linear interpolation, in every rank and for open sizes."""

    def __init__(self, factors: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.factors = tuple(factors)

    def call(self, inputs: Any) -> Any:
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


def linear_rows(before: int, after: int) -> list[list[float]]:
    """Weights (after, before) of linear interpolation; outside the input its edge goes on."""
    rows = []
    for o in range(after):
        place = min(max((o + 0.5) * before / after - 0.5, 0.0), before - 1.0)
        left = min(floor(place), max(before - 2, 0))
        row = [0.0] * before
        row[left] = 1.0 - (place - left)
        if before > 1:
            row[left + 1] = place - left
        rows.append(row)
    return rows


def area_rows(before: int, after: int) -> list[list[float]]:
    """Weights (after, before) of the mean over the stretch of the input that each output covers."""
    rows = []
    for o in range(after):
        # In units of 1 / after of an input, so that the overlaps are whole numbers.
        start, stop = o * before, (o + 1) * before
        rows.append([max(0, min(stop, (i + 1) * after) - max(start, i * after)) / before for i in range(before)])
    return rows
