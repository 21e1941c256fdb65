"""Owners of boxes by the cell in which an object's centre lies, object by object."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
from keras import ops

from archspec.layers.boxes import area, share
from archspec.layers.matching import compiled, numbered, overlaps_with, owned, winners
from archspec.layers.tensor import Tensor

ELSEWHERE = -2.0
"""How alike a box of another cell is: less than any of the own cell."""


@keras.saving.register_keras_serializable("archspec")
class MatchedCells(keras.Layer):
    """Anchors and cells (batch, A, 4) and objects (batch, N, 4), (batch, N), (batch, N) to classes, boxes, whether
    positive and counted, and owners, each (batch, A, …)."""

    def __init__(self, by: str, above: float | None, ties: str, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.by, self.above, self.ties = by, above, ties

    def call(self, anchors: Tensor, cells: Tensor, boxes: Tensor, classes: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        anchors, boxes = ops.stop_gradient(anchors), ops.stop_gradient(boxes)
        best, likest, chosen = self._matched(anchors, cells, boxes, valid)
        owner = -ops.ones_like(likest) if self.above is None else ops.where(best >= self.above, likest, -1)
        return owned(ops.where(chosen >= 0, chosen, owner), anchors, boxes, classes)

    @cached_property
    def _matched(self) -> Callable[..., Any]:
        """Compiled once for all calls of the layer."""
        return compiled(self._owners)

    def _owners(self, anchors: Tensor, cells: Tensor, boxes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How alike the likest object in the cell of each anchor is, which, and the object that chose it, or -1."""
        likeness = _shapes(anchors, boxes) if self.by == "shape" else _places(anchors, boxes, valid)
        within = _within(cells, boxes, valid)
        zeros, number, place = numbered(anchors)

        def turn(i: Tensor, held: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            best, likest, chosen = held
            found = ops.where(within(i), likeness(i), ELSEWHERE)
            wins = winners(found, ELSEWHERE, place if self.ties == "first" else None)
            chosen = ops.where(wins, ops.cast(i, "int32"), chosen)
            likest = ops.where(found > best, ops.cast(i, "int32"), likest)
            return ops.maximum(found, best), likest, chosen

        start = zeros + ELSEWHERE, number - 1, number - 1
        return ops.fori_loop(0, boxes.shape[1], turn, start)  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "by": self.by, "above": self.above, "ties": self.ties}


def _within(cells: Tensor, boxes: Tensor, valid: Tensor) -> Callable[[Tensor], Tensor]:
    """Whether each cell holds the centre of an object, by its number."""
    x1, y1, x2, y2 = (cells[..., i] for i in range(4))

    def of(number: Tensor) -> Tensor:
        box = ops.take(boxes, number, axis=1)
        x, y = (box[:, 0:1] + box[:, 2:3]) / 2, (box[:, 1:2] + box[:, 3:4]) / 2
        across = ops.logical_and(x1 <= x, x < x2)
        down = ops.logical_and(y1 <= y, y < y2)
        is_object = ops.expand_dims(ops.take(valid, number, axis=1), 1)
        return ops.logical_and(is_object, ops.logical_and(across, down))

    return of


def _shapes(anchors: Tensor, boxes: Tensor) -> Callable[[Tensor], Tensor]:
    """Intersection over union of all anchors with one object, as if they had one centre."""
    own, wide, high = _sides(anchors)

    def of(number: Tensor) -> Tensor:
        whole, width, height = _sides(ops.expand_dims(ops.take(boxes, number, axis=1), 1))
        inner = ops.minimum(wide, width) * ops.minimum(high, height)
        return share(inner, own + whole - inner)

    return of


def _places(anchors: Tensor, boxes: Tensor, valid: Tensor) -> Callable[[Tensor], Tensor]:
    """Intersection over union of all anchors with one object; below 0 where it is 0, the lower the farther."""
    overlaps = overlaps_with(anchors, boxes, valid)
    x, y = (anchors[..., 0] + anchors[..., 2]) / 2, (anchors[..., 1] + anchors[..., 3]) / 2
    _, wide, high = _sides(anchors)

    def of(number: Tensor) -> Tensor:
        box = ops.expand_dims(ops.take(boxes, number, axis=1), 1)
        _, width, height = _sides(box)
        apart = ops.square(x - (box[..., 0] + box[..., 2]) / 2) + ops.square(y - (box[..., 1] + box[..., 3]) / 2)
        apart = ops.sqrt(apart + ops.square(wide - width) + ops.square(high - height))
        found = overlaps(number)
        return ops.where(found > 0, found, -apart / (1 + apart))

    return of


def _sides(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas, widths and heights."""
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return area(boxes[..., :2], boxes[..., 2:]), sides[..., 0], sides[..., 1]
