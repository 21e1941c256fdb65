"""Suppression of boxes that overlap better ones, and merging of those that are near, in float32 under every policy.

What greedy suppression keeps is the one fixed point of "kept is what no kept box of a higher score overlaps". It is
reached from "all are kept" in as many turns as the longest chain of boxes each of which makes the next one go, a few in
practice, and each turn is one reduction of a matrix: no step for every box. So the same graph runs compiled, and in
every exported form. Candidates go through it in tiles, so that memory grows with their number and not with its square.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.boxes import area, share
from archspec.layers.tensor import Tensor

TILE = 1024
"""Candidates whose overlaps with all others are held at a time."""

LEAST = -3e38
"""The score of what is no candidate. It is finite, since some exported forms choose by multiplying with 0 and 1."""


@keras.saving.register_keras_serializable("archspec")
class NonMaximumSuppression(keras.Layer):
    """Boxes (batch, rows, 4) or (batch, rows, classes, 4) and scores (batch, rows[, classes]) to boxes (batch, keep,
    4), scores, classes (batch, keep) and counts (batch,)."""

    def __init__(
        self,
        *,
        iou: float,
        score: float | None,
        before: int,
        keep: int,
        apart: str,
        overlap: str,
        background: str,
        indices: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.iou, self.score, self.before, self.keep = iou, score, before, keep
        self.apart, self.overlap, self.background, self.indices = apart, overlap, background, indices

    def call(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        boxes, scores, kind, row = candidates(boxes, scores, self.score, self.before, self.background)
        kept = self._kept(ops.stop_gradient(boxes), kind, scores > LEAST)
        *made, row = best(boxes, ops.where(kept, scores, LEAST), kind, row, self.keep)
        return (*made, row) if self.indices else tuple(made)

    def _kept(self, boxes: Tensor, kind: Tensor, alive: Tensor) -> Tensor:
        """Which of the candidates stay, which are in the order of their scores: (batch, candidates)."""
        most, count, out = below(self.iou), alive.shape[1], []
        for start in range(0, count, TILE):
            size = min(TILE, count - start)
            over = self._overlaps(boxes[:, start : start + size], boxes[:, start:]) > most
            if self.apart == "class":
                same = ops.expand_dims(kind[:, start : start + size], 2) == ops.expand_dims(kind[:, start:], 1)
                over = ops.logical_and(over, same)
            own = ops.logical_and(over[:, :, :size], np.triu(np.ones((size, size), bool), 1))
            kept = _fixed_point(own, alive[:, :size])
            out.append(kept)
            alive = ops.logical_and(alive[:, size:], ops.logical_not(_gone(over[:, :, size:], kept)))
        return ops.concatenate(out, axis=1) if len(out) > 1 else out[0]

    def _overlaps(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = ops.expand_dims(a, 2), ops.expand_dims(b, 1)
        inner = area(ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:]))
        of_a, of_b = area(a[..., :2], a[..., 2:]), area(b[..., :2], b[..., 2:])
        if self.overlap == "smaller":
            return share(inner, ops.minimum(of_a, of_b))
        iou = share(inner, of_a + of_b - inner)
        if self.overlap == "plain":
            return iou
        around = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
        apart = ops.sum(ops.square((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2), axis=-1)
        return iou - share(apart, ops.sum(ops.square(around), axis=-1))

    def get_config(self) -> dict[str, Any]:
        names = ("iou", "score", "before", "keep", "apart", "overlap", "background", "indices")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("archspec")
class BoxMerging(keras.Layer):
    """Boxes and scores as those of ``NonMaximumSuppression`` to the same without rows."""

    def __init__(self, *, distance: float, score: float | None, before: int, keep: int, background: str, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.distance, self.score, self.before, self.keep = distance, score, before, keep
        self.background = background

    def call(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        boxes, scores, kind, row = candidates(boxes, scores, self.score, self.before, self.background)
        boxes, scores = ops.stop_gradient(boxes), ops.stop_gradient(scores)
        count, most = boxes.shape[1], below(self.distance)
        pair = np.triu(np.ones((count, count), bool), 1)
        pair = ops.logical_and(ops.expand_dims(kind, 2) == ops.expand_dims(kind, 1), pair)

        def is_near(boxes: Tensor, scores: Tensor, nearest: Tensor, apart: Tensor) -> Tensor:
            return ops.any(apart <= most)

        def nearest(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            alive = scores > LEAST
            both = ops.logical_and(ops.expand_dims(alive, 2), ops.expand_dims(alive, 1))
            near = ops.where(ops.logical_and(both, pair), -_apart(boxes), LEAST)
            # Not argmin, which is made of bits of numbers that ONNX does not know.
            apart, place = ops.top_k(ops.reshape(near, (-1, count * count)), 1)
            return boxes, scores, ops.cast(place, "int32"), -apart

        def merged(boxes: Tensor, scores: Tensor, place: Tensor, apart: Tensor) -> tuple[Tensor, ...]:
            numbers, is_one = np.arange(count, dtype="int32"), apart <= most
            first = ops.logical_and(place // count == numbers, is_one)
            second = ops.logical_and(place % count == numbers, is_one)
            mean = (_one_of(boxes, first) + _one_of(boxes, second)) / 2
            whole = _one_of(scores, first) + _one_of(scores, second)
            boxes = ops.where(ops.expand_dims(first, -1), mean, boxes)
            return nearest(boxes, ops.where(second, LEAST, ops.where(first, whole, scores)))

        boxes, scores, _, _ = ops.while_loop(is_near, merged, nearest(boxes, scores), maximum_iterations=count)
        return best(boxes, scores, kind, row, self.keep)[:4]

    def get_config(self) -> dict[str, Any]:
        names = ("distance", "score", "before", "keep", "background")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _apart(boxes: Tensor) -> Tensor:
    """How far boxes (batch, n, 4) are from each other: (batch, n, n)."""
    a, b = ops.expand_dims(boxes, 2), ops.expand_dims(boxes, 1)
    inner = area(ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:]))
    both = area(a[..., :2], a[..., 2:]) + area(b[..., :2], b[..., 2:])
    apart = ops.sum(ops.square((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2), axis=-1)
    return ops.sqrt(apart / ops.maximum(both / 2, 1e-7)) + 1.0 - share(inner, both - inner)


def _one_of(x: Tensor, chosen: Tensor) -> Tensor:
    """The row of (batch, n, …) that is chosen, (batch, n), with an axis of 1 in its place; 0 where none is."""
    chosen = ops.reshape(chosen, (-1, chosen.shape[1], *(1,) * (len(x.shape) - 2)))
    return ops.sum(ops.where(chosen, x, 0.0), axis=1, keepdims=True)


def candidates(
    boxes: Tensor, scores: Tensor, least: float | None, before: int, background: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Boxes (batch, rows, 4) or (batch, rows, classes, 4) and scores (batch, rows[, classes]) to those that score most,
    by their scores: boxes (batch, n, 4), scores, classes without a background, and rows (batch, n). What scores no more
    than ``least`` has the score LEAST."""
    of_class = len(boxes.shape) == 4
    if len(scores.shape) == 2:
        scores = ops.expand_dims(scores, -1)
    if background != "none":
        objects = slice(1, None) if background == "first" else slice(None, -1)
        scores = scores[..., objects]
        boxes = boxes[:, :, objects] if of_class else boxes
    rows, classes = scores.shape[1:]
    scores = ops.reshape(scores, (-1, rows * classes))
    if least is not None:
        scores = ops.where(scores > least, scores, LEAST)
    scores, index = ops.top_k(scores, min(before, rows * classes))
    index, kind = ops.cast(index, "int32"), ops.cast(index % classes, "int32")
    if of_class:
        boxes = ops.reshape(boxes, (-1, rows * classes, 4))
    return rows_of(boxes, index if of_class else index // classes), scores, kind, index // classes


def best(boxes: Tensor, scores: Tensor, kind: Tensor, row: Tensor, keep: int) -> tuple[Tensor, ...]:
    """The ``keep`` that score most, where scores are above LEAST: boxes (batch, keep, 4), scores and classes (batch,
    keep), counts (batch,) and rows (batch, keep)."""
    count = min(keep, scores.shape[1])
    scores, index = ops.top_k(scores, count)
    found, index = scores > LEAST, ops.cast(index, "int32")
    boxes = ops.where(ops.expand_dims(found, -1), rows_of(boxes, index), 0.0)
    scores = ops.where(found, scores, 0.0)
    kind = ops.where(found, ops.take_along_axis(kind, index, axis=1), -1)
    row = ops.where(found, ops.take_along_axis(row, index, axis=1), 0)
    if rest := keep - count:
        boxes = ops.pad(boxes, ((0, 0), (0, rest), (0, 0)))
        scores = ops.pad(scores, ((0, 0), (0, rest)))
        kind = ops.pad(kind, ((0, 0), (0, rest)), constant_values=-1)
        row = ops.pad(row, ((0, 0), (0, rest)))
    return boxes, scores, kind, ops.sum(ops.cast(found, "int32"), axis=1), row


def rows_of(x: Tensor, index: Tensor) -> Tensor:
    """Rows (batch, n, …) of (batch, rows, …) by their numbers (batch, n)."""
    index = ops.reshape(index, (-1, index.shape[1], *(1,) * (len(x.shape) - 2)))
    return ops.take_along_axis(x, index, axis=1)


def below(number: float) -> float:
    """The largest float32 that is not above a number: what is above the one is above the other."""
    nearest = np.float32(number)
    return float(nearest if float(nearest) <= number else np.nextafter(nearest, np.float32(-np.inf)))


def _gone(over: Tensor, kept: Tensor) -> Tensor:
    """Whether any that is kept overlaps: (batch, a, b) and (batch, a) to (batch, b)."""
    return ops.any(ops.logical_and(over, ops.expand_dims(kept, 2)), axis=1)


def _fixed_point(over: Tensor, alive: Tensor) -> Tensor:
    def turn(kept: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        return ops.logical_and(alive, ops.logical_not(_gone(over, kept))), kept

    def is_moving(kept: Tensor, before: Tensor) -> Tensor:
        return ops.any(kept != before)

    kept, _ = ops.while_loop(is_moving, turn, turn(alive, alive))
    return kept
