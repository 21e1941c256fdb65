"""Overlap and coding of boxes ``[x1, y1, x2, y2]``. They compute in float32 under every policy: half precision knows
pixels above 2048 to no more than two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

_LEAST = 1e-7
"""What counts as the length of an empty side where it divides, and is added to divisors that may be zero."""


class _OfBoxes(keras.Layer):
    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})


@keras.saving.register_keras_serializable("archspec")
class BoxOverlap(_OfBoxes):
    """(batch, A, 4) and (batch, B, 4) to (batch, A, B)."""

    def __init__(self, variant: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.variant = variant

    def call(self, a: Any, b: Any) -> Any:
        a, b = ops.expand_dims(a, -2), ops.expand_dims(b, -3)
        inner = area(ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:]))
        union = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:]) - inner
        iou = share(inner, union)
        if self.variant == "plain":
            return iou
        low, high = ops.minimum(a[..., :2], b[..., :2]), ops.maximum(a[..., 2:], b[..., 2:])
        if self.variant == "generalized":
            hull = area(low, high)
            return iou - share(hull - union, hull)
        apart = ops.sum(ops.square((a[..., :2] + a[..., 2:]) / 2 - (b[..., :2] + b[..., 2:]) / 2), axis=-1)
        closer = iou - apart / (ops.sum(ops.square(high - low), axis=-1) + _LEAST)
        if self.variant == "distance":
            return closer
        unlike = 4 / math.pi**2 * ops.square(_angle(a) - _angle(b))
        return closer - ops.stop_gradient(unlike / (1 - iou + unlike + _LEAST)) * unlike

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "variant": self.variant}


@keras.saving.register_keras_serializable("archspec")
class BoxEncoding(_OfBoxes):
    """Boxes and anchors (batch, …, 4) to goals of the same shape."""

    def __init__(self, delta: Sequence[float], **kwargs: Any):
        super().__init__(**kwargs)
        self.delta = tuple(delta)

    def call(self, boxes: Any, anchors: Any) -> Any:
        (centre, size), (at, side) = _centred(boxes), _centred(anchors)
        size, side = ops.maximum(size, _LEAST), ops.maximum(side, _LEAST)
        moved = (centre - at) / side * ops.convert_to_tensor(self.delta[:2], "float32")
        grown = ops.log(size / side) * ops.convert_to_tensor(self.delta[2:], "float32")
        return ops.concatenate([moved, grown], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


@keras.saving.register_keras_serializable("archspec")
class BoxDecoding(_OfBoxes):
    """Goals and anchors (batch, …, 4) to boxes of the same shape."""

    def __init__(self, delta: Sequence[float], max_scale: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.delta, self.max_scale = tuple(delta), max_scale

    def call(self, deltas: Any, anchors: Any) -> Any:
        at, side = _centred(anchors)
        deltas = deltas / ops.convert_to_tensor(self.delta, "float32")
        centre = deltas[..., :2] * side + at
        half = ops.exp(ops.minimum(deltas[..., 2:], math.log(self.max_scale))) * side / 2
        return ops.concatenate([centre - half, centre + half], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta, "max_scale": self.max_scale}


def _centred(boxes: Any) -> tuple[Any, Any]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + size / 2, size


def area(low: Any, high: Any) -> Any:
    """Of boxes by two corners; 0 where the second is not beyond the first."""
    sides = ops.maximum(high - low, 0.0)
    return sides[..., 0] * sides[..., 1]


def share(part: Any, whole: Any) -> Any:
    """One over the other; zero of nothing. The divisor is replaced before it divides, since a gradient passes what
    ``where`` leaves out."""
    return ops.where(whole > 0, part / ops.where(whole > 0, whole, 1.0), 0.0)


def _angle(boxes: Any) -> Any:
    sides = boxes[..., 2:] - boxes[..., :2]
    return ops.arctan(sides[..., 0] / ops.maximum(sides[..., 1], _LEAST))
