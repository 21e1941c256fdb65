"""Parts of classes, and masks between their boxes and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.regions import OfSize, places
from archspec.layers.tensor import Tensor

register = keras.saving.register_keras_serializable("archspec")

Lines = tuple[Tensor, Tensor]
"""Numbers of rows or columns, and shares of each."""


@register
class OfClass(keras.Layer):
    """(batch, rows, …) with the classes along ``axis``, and classes (batch, rows), to the same without that axis."""

    def __init__(self, axis: int, first: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis, self.first = axis, first
        self.autocast = False

    def call(self, x: Tensor, classes: Tensor) -> Tensor:
        index = ops.maximum(ops.cast(classes, "int32"), 0) + self.first
        index = ops.reshape(index, (-1, classes.shape[1], *(1,) * (len(x.shape) - 2)))
        return ops.squeeze(ops.take_along_axis(x, index, axis=self.axis), axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "first": self.first}


@register
class CroppedMasks(OfSize):
    """Masks as bits (batch, height, width, channels), the place of that of each object (batch, objects), regions
    (batch, rows, 4) and their owners (batch, rows), to (batch, rows, *size). They are read where regions look, and
    never unpacked."""

    def __init__(self, size: Sequence[int], samples: int, **kwargs: Any):
        super().__init__(size, **kwargs)
        self.samples = samples
        self.autocast = False

    def call(self, masks: Tensor, places: Tensor, boxes: Tensor, owner: Tensor) -> Tensor:
        boxes = ops.cast(ops.stop_gradient(boxes), "float32")
        height, width, channels = masks.shape[1:]
        place = ops.take_along_axis(ops.cast(places, "int32"), ops.maximum(ops.cast(owner, "int32"), 0), axis=1)
        top, down = self._lines(boxes[..., 1], boxes[..., 3], self.size[0], height)
        left, right = self._lines(boxes[..., 0], boxes[..., 2], self.size[1], width)
        known = ops.maximum(place, 0)[..., None, None]
        image = ops.reshape(ops.arange(ops.shape(masks)[0], dtype="int32"), (-1, 1, 1, 1))
        flat = ops.reshape(masks, (-1,))

        def at(y: Tensor, x: Tensor) -> Tensor:
            index = ((image * height + y[..., :, None]) * width + x[..., None, :]) * channels + known // 8
            taken = ops.cast(ops.take(flat, index, axis=0), "int32")
            return ops.cast(ops.bitwise_and(ops.right_shift(taken, known % 8), 1), "float32")

        total = 0.0
        for y, share in top, down:
            for x, beside in left, right:
                total = total + at(y, x) * share[..., :, None] * beside[..., None, :]
        rows = (-1, boxes.shape[1], self.size[0], self.samples, self.size[1], self.samples)
        found = ops.mean(ops.reshape(total, rows), axis=(3, 5)) >= 0.5
        there = (place >= 0)[..., None, None]
        return ops.stop_gradient(ops.cast(ops.logical_and(found, there), "float32"))

    def _lines(self, start: Tensor, end: Tensor, count: int, length: int) -> tuple[Lines, Lines]:
        """The two lines of pixels that each place lies between, and their shares: (batch, rows, places) each. Up to one
        pixel over the border is the border's; beyond it is nothing."""
        at = places(start, end - start, count * self.samples) - 0.5
        within = ops.cast(ops.logical_and(at >= -1.0, at <= length), "float32")
        at = ops.clip(at, 0.0, length - 1.0)
        first = ops.floor(at)
        number = ops.cast(first, "int32")
        second = ops.minimum(number + 1, length - 1)
        return (number, (1.0 - (at - first)) * within), (second, (at - first) * within)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "samples": self.samples}


@register
class PastedMasks(OfSize):
    """Masks (batch, rows, h, w) and boxes (batch, rows, 4) to (batch, rows, *size)."""

    def call(self, masks: Tensor, boxes: Tensor) -> Tensor:
        height, width = masks.shape[2:]
        y = _shares(boxes[..., 1], boxes[..., 3], self.size[0], height)
        x = _shares(boxes[..., 0], boxes[..., 2], self.size[1], width)
        return ops.einsum("brpw,brqw->brpq", ops.einsum("brph,brhw->brpw", y, masks), x)


def _shares(start: Tensor, end: Tensor, count: int, length: int) -> Tensor:
    """What each pixel of masks of boxes counts at the middles of an image's pixels: (…, count, length)."""
    middle = np.arange(count, dtype="float32") + 0.5
    place = (middle - start[..., None]) / ops.maximum(end - start, 1e-7)[..., None] * length
    return ops.maximum(1.0 - ops.abs(place[..., None] - 0.5 - np.arange(length, dtype="float32")), 0.0)
