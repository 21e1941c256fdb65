"""Overlap and coding of boxes ``[x1, y1, x2, y2]``. They compute in float32 under every policy: half precision knows
pixels above 2048 to no more than two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor

_LEAST = 1e-7
"""What counts as the length of an empty side where it divides, and is added to divisors that may be zero."""


class _OfBoxes(keras.Layer):
    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})


@keras.saving.register_keras_serializable("archspec")
class BoxOverlap(_OfBoxes):
    """(batch, A, 4) and (batch, B, 4) to (batch, A, B), or row by row to (batch, A)."""

    def __init__(self, variant: str, pairs: str = "all", **kwargs: Any):
        super().__init__(**kwargs)
        self.variant, self.pairs = variant, pairs

    def call(self, a: Tensor, b: Tensor) -> Tensor:
        if self.pairs == "all":
            a, b = ops.expand_dims(a, -2), ops.expand_dims(b, -3)
        return overlap(a, b, self.variant)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variant": self.variant, "pairs": self.pairs}


@keras.saving.register_keras_serializable("archspec")
class BoxArea(_OfBoxes):
    """(batch, …, 4) to (batch, …)."""

    def call(self, boxes: Tensor) -> Tensor:
        return area(boxes[..., :2], boxes[..., 2:])


@keras.saving.register_keras_serializable("archspec")
class BoxOverlapLoss(keras.losses.Loss):
    """1 less the overlap of each box with the one in its row."""

    def __init__(self, variant: str = "plain", name: str = "iou", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.variant = variant

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for each box (…, 4)."""
        return 1.0 - overlap(ops.cast(y_pred, "float32"), ops.cast(y_true, "float32"), self.variant)

    def get_config(self) -> dict[str, Any]:
        return {"variant": self.variant, **super().get_config()}


def overlap(a: Tensor, b: Tensor, variant: str) -> Tensor:
    """Of boxes (…, 4) that meet by broadcasting: (…)."""
    inner = area(ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:]))
    union = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:]) - inner
    iou = share(inner, union)
    if variant == "plain":
        return iou
    low, high = ops.minimum(a[..., :2], b[..., :2]), ops.maximum(a[..., 2:], b[..., 2:])
    if variant == "generalized":
        hull = area(low, high)
        return iou - share(hull - union, hull)
    apart = ops.sum(ops.square((a[..., :2] + a[..., 2:]) / 2 - (b[..., :2] + b[..., 2:]) / 2), axis=-1)
    closer = iou - apart / (ops.sum(ops.square(high - low), axis=-1) + _LEAST)
    if variant == "distance":
        return closer
    unlike = 4 / math.pi**2 * ops.square(_angle(a) - _angle(b))
    return closer - ops.stop_gradient(unlike / (1 - iou + unlike + _LEAST)) * unlike


@keras.saving.register_keras_serializable("archspec")
class BoxEncoding(_OfBoxes):
    """Boxes and anchors (batch, …, 4) to goals of the same shape."""

    def __init__(self, delta: Sequence[float], sides: str = "log", code: str = "center", **kwargs: Any):
        super().__init__(**kwargs)
        self.delta, self.sides, self.code = tuple(delta), sides, code

    def call(self, boxes: Tensor, anchors: Tensor, cells: Tensor | None = None) -> Tensor:
        if self.code == "corners":
            moved = (boxes - anchors) / ops.maximum(_sides_twice(anchors), _LEAST)
            return moved * ops.convert_to_tensor(self.delta, "float32")
        (centre, size), (at, side) = _centred(boxes), _centred(anchors)
        size, side = ops.maximum(size, _LEAST), ops.maximum(side, _LEAST)
        at, unit = (at, side) if cells is None else (cells[..., :2], cells[..., 2:] - cells[..., :2])
        moved = (centre - at) / ops.maximum(unit, _LEAST) * ops.convert_to_tensor(self.delta[:2], "float32")
        told = ops.log if self.sides == "log" else ops.sqrt
        grown = told(size / side) * ops.convert_to_tensor(self.delta[2:], "float32")
        return ops.concatenate([moved, grown], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta, "sides": self.sides, "code": self.code}


@keras.saving.register_keras_serializable("archspec")
class BoxDecoding(_OfBoxes):
    """Goals and anchors (batch, …, 4) to boxes of the same shape."""

    def __init__(
        self, delta: Sequence[float], max_scale: float, sides: str = "log", code: str = "center", **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.delta, self.max_scale, self.sides, self.code = tuple(delta), max_scale, sides, code

    def call(self, deltas: Tensor, anchors: Tensor, cells: Tensor | None = None) -> Tensor:
        at, side = _centred(anchors)
        deltas = deltas / ops.convert_to_tensor(self.delta, "float32")
        if self.code == "corners":
            return anchors + deltas * _sides_twice(anchors)
        at, unit = (at, side) if cells is None else (cells[..., :2], cells[..., 2:] - cells[..., :2])
        centre = deltas[..., :2] * unit + at
        if self.sides == "log":
            grown = ops.exp(ops.minimum(deltas[..., 2:], math.log(self.max_scale)))
        else:
            grown = ops.minimum(ops.square(deltas[..., 2:]), self.max_scale)
        half = grown * side / 2
        return ops.concatenate([centre - half, centre + half], axis=-1)

    def get_config(self) -> dict[str, Any]:
        own = {"delta": self.delta, "max_scale": self.max_scale, "sides": self.sides, "code": self.code}
        return {**super().get_config(), **own}


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + size / 2, size


def _sides_twice(boxes: Tensor) -> Tensor:
    """Width, height, width, height: (…, 4)."""
    size = boxes[..., 2:] - boxes[..., :2]
    return ops.concatenate([size, size], axis=-1)


def area(low: Tensor, high: Tensor) -> Tensor:
    """Of boxes by two corners; 0 where the second is not beyond the first."""
    sides = ops.maximum(high - low, 0.0)
    return sides[..., 0] * sides[..., 1]


def share(part: Tensor, whole: Tensor) -> Tensor:
    """One over the other; zero of nothing. The divisor is replaced before it divides, since a gradient passes what
    ``where`` leaves out."""
    return ops.where(whole > 0, part / ops.where(whole > 0, whole, 1.0), 0.0)


def _angle(boxes: Tensor) -> Tensor:
    sides = boxes[..., 2:] - boxes[..., :2]
    return ops.arctan(sides[..., 0] / ops.maximum(sides[..., 1], _LEAST))
