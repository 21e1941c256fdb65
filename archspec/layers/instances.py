"""Parts of classes, and masks between their boxes and others."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.regions import OfSize, places
from archspec.layers.suppression import rows_of
from archspec.layers.tensor import Tensor

register = keras.saving.register_keras_serializable("archspec")


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
    """Masks (batch, objects, h, w), regions and the boxes of their owners (batch, rows, 4), and owners (batch, rows),
    to (batch, rows, *size)."""

    def call(self, masks: Tensor, boxes: Tensor, box: Tensor, owner: Tensor) -> Tensor:
        mine = rows_of(masks, ops.maximum(ops.cast(owner, "int32"), 0))
        height, width = masks.shape[2:]
        x = _within(boxes[..., 0], boxes[..., 2], box[..., 0], box[..., 2], self.size[1], width)
        y = _within(boxes[..., 1], boxes[..., 3], box[..., 1], box[..., 3], self.size[0], height)
        found = _read(mine, _inner(y, height), _inner(x, width))
        return ops.stop_gradient(ops.cast(found >= 0.5, "float32"))


@register
class PastedMasks(OfSize):
    """Masks (batch, rows, h, w) and boxes (batch, rows, 4) to (batch, rows, *size)."""

    def call(self, masks: Tensor, boxes: Tensor) -> Tensor:
        height, width = masks.shape[2:]
        x = _of_pixels(boxes[..., 0], boxes[..., 2], self.size[1], width)
        y = _of_pixels(boxes[..., 1], boxes[..., 3], self.size[0], height)
        return _read(masks, _inner(y, height), _inner(x, width))


def _within(start: Tensor, end: Tensor, low: Tensor, high: Tensor, count: int, length: int) -> Tensor:
    """Where ``count`` pixels of regions lie in the masks of other boxes, in pixels of the mask from its edge."""
    side = ops.maximum(high - low, 1e-7)[..., None]
    return (places(start, end - start, count) - low[..., None]) / side * length


def _of_pixels(start: Tensor, end: Tensor, count: int, length: int) -> Tensor:
    """Where the middles of an image's pixels lie in the masks of boxes, in pixels of the mask from its edge."""
    middle = np.arange(count, dtype="float32") + 0.5
    return (middle - start[..., None]) / ops.maximum(end - start, 1e-7)[..., None] * length


def _inner(place: Tensor, length: int) -> Tensor:
    """What each pixel of masks counts at places from their edge: (…, places, length). Between the edge and the middle
    of the first pixel it is that pixel; outside nothing is."""
    inside = ops.logical_and(place >= 0.0, place <= length)
    near = ops.clip(place - 0.5, 0.0, length - 1.0)[..., None]
    found = ops.maximum(1.0 - ops.abs(near - np.arange(length, dtype="float32")), 0.0)
    return ops.where(inside[..., None], found, 0.0)


def _read(masks: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return ops.einsum("brpw,brqw->brpq", ops.einsum("brph,brhw->brpw", y, masks), x)
