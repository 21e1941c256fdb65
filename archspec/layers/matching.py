"""Owners of candidate boxes, object by object: what a turn holds is one number for each candidate. Pairs that are one
to one need all overlaps at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.boxes import area, share
from archspec.layers.suppression import rows_of
from archspec.layers.tensor import Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class MatchedAnchors(keras.Layer):
    """Anchors (batch, A, 4) and objects (batch, N, 4), (batch, N), (batch, N), and perhaps which are ignored (batch,
    N), to classes, boxes, whether positive and counted, and owners, each (batch, A, …)."""

    def __init__(self, low: float, high: float, force: str, background: str, ignored_share: float = 0.5, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.low, self.high, self.force, self.background = low, high, force, background
        self.ignored_share = ignored_share

    def call(
        self, anchors: Tensor, boxes: Tensor, classes: Tensor, valid: Tensor, ignored: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        anchors, boxes = ops.stop_gradient(anchors), ops.stop_gradient(boxes)
        best, owner, forced = self._matched(anchors, boxes, valid)
        between = ops.logical_and(best >= self.low, best < self.high)
        owner = ops.where(best >= self.high, owner, ops.where(between, -2, -1))
        is_box = area(anchors[..., :2], anchors[..., 2:]) > 0
        owner = ops.where(ops.logical_and(owner == -1, ops.logical_not(is_box)), -2, owner)
        if ignored is not None:
            within = self._within(anchors, boxes, ignored) > self.ignored_share
            owner = ops.where(ops.logical_and(owner == -1, within), -2, owner)
        owner = ops.where(forced >= 0, forced, owner)
        return owned(owner, anchors, boxes, classes, first=self.background == "first")

    @cached_property
    def _matched(self) -> Callable[..., Any]:
        """Compiled once for all calls of the layer."""
        return compiled(self._owners)

    @cached_property
    def _within(self) -> Callable[..., Any]:
        """Compiled once for all calls of the layer."""
        return compiled(self._ignored_shares)

    def _owners(self, anchors: Tensor, boxes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The largest overlap of each anchor, with which object, and the object that forces it, or -1."""
        overlaps = overlaps_with(anchors, boxes, valid)
        zeros, number, place = numbered(anchors)

        def turn(i: Tensor, held: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            best, owner, forced = held
            found = overlaps(i)
            better = found > best
            best, owner = ops.maximum(found, best), ops.where(better, ops.cast(i, "int32"), owner)
            if self.force in ("ties", "best"):
                wins = winners(found, 0, place if self.force == "best" else None)
                forced = ops.where(wins, ops.cast(i, "int32"), forced)
            return best, owner, forced

        count = boxes.shape[1]
        best, owner, forced = ops.fori_loop(0, count, turn, (zeros - 1, number - 1, number - 1))
        if self.force == "ties":
            forced = ops.where(forced >= 0, owner, -1)
        if self.force == "one_to_one":
            forced = self._pairs(ops.stack([overlaps(i) for i in range(count)], axis=1), place, forced)
        return best, owner, forced

    def _ignored_shares(self, anchors: Tensor, boxes: Tensor, ignored: Tensor) -> Tensor:
        """The largest share of each anchor that lies in an ignored object."""
        return _largest(overlaps_with(anchors, boxes, ignored, of_candidates=True), anchors, boxes)

    def _pairs(self, overlaps: Tensor, place: Tensor, forced: Tensor) -> Tensor:
        """Pairs from the largest overlap down, of (batch, N, A)."""
        count, rows = overlaps.shape[1:]
        number = ops.expand_dims(ops.convert_to_tensor(np.arange(count), "int32"), 0)

        def turn(i: Tensor, held: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            left, forced = held
            at = ops.cast(ops.argmax(ops.reshape(left, (-1, count * rows)), axis=1), "int32")[:, None]
            mine, its = number == at // rows, place == at % rows
            found = ops.max(left, axis=(1, 2))[:, None] > 0
            forced = ops.where(ops.logical_and(its, found), at // rows, forced)
            taken = ops.logical_or(ops.expand_dims(mine, 2), ops.expand_dims(its, 1))
            return ops.where(taken, -1.0, left), forced

        return ops.fori_loop(0, count, turn, (overlaps, forced))[1]

    def get_config(self) -> dict[str, Any]:
        own = {"low": self.low, "high": self.high, "force": self.force, "background": self.background}
        return {**super().get_config(), **own, "ignored_share": self.ignored_share}


@register
class IgnoredOverlaps(keras.Layer):
    """Predicted boxes (batch, A, 4), two flags (batch, A) and objects (batch, N, 4), (batch, N), and perhaps which are
    ignored (batch, N), to one flag (batch, A)."""

    def __init__(self, iou: float, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.iou = iou

    def call(
        self,
        predicted: Tensor,
        positive: Tensor,
        counted: Tensor,
        boxes: Tensor,
        valid: Tensor,
        ignored: Tensor | None = None,
    ) -> Tensor:
        if ignored is not None:
            valid = ops.logical_or(valid, ignored)
        best = self._largest(ops.stop_gradient(predicted), ops.stop_gradient(boxes), valid)
        return ops.logical_and(counted, ops.logical_or(positive, best <= self.iou))

    @cached_property
    def _largest(self) -> Callable[..., Any]:
        """Compiled once for all calls of the layer."""
        return compiled(self._best)

    def _best(self, predicted: Tensor, boxes: Tensor, valid: Tensor) -> Tensor:
        return _largest(overlaps_with(predicted, boxes, valid), predicted, boxes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "iou": self.iou}


def owned(owner: Tensor, anchors: Tensor, boxes: Tensor, classes: Tensor, *, first: bool = False) -> tuple[Tensor, ...]:
    """What anchors are taught whose owners are known: classes, boxes, whether positive and counted, and the owners."""
    positive, row = owner >= 0, ops.maximum(owner, 0)
    kinds = ops.take_along_axis(ops.cast(classes, "int32"), row, axis=1)
    kinds = ops.where(positive, kinds + int(first), 0 if first else -1)
    box = ops.where(ops.expand_dims(positive, -1), rows_of(boxes, row), anchors)
    return kinds, box, positive, owner != -2, owner


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors that TensorFlow compiles as one: operation by operation, each turn would write and read
    all its numbers some twenty times. Other backends compile whole steps."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)  # type: ignore[no-any-return]


def _largest(overlaps: Callable[[Tensor], Tensor], candidates: Tensor, boxes: Tensor) -> Tensor:
    """The largest overlap of each candidate with any object; 0 for none."""
    start = ops.zeros_like(candidates[..., 0])
    return ops.fori_loop(0, boxes.shape[1], lambda i, best: ops.maximum(best, overlaps(i)), start)


def numbered(anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each anchor: 0.0, 0, and its place among them; (batch, A)."""
    zeros = ops.zeros_like(anchors[..., 0])
    number = ops.cast(zeros, "int32")
    return zeros, number, ops.cumsum(number + 1, axis=1) - 1


def winners(found: Tensor, least: float, place: Tensor | None = None) -> Tensor:
    """Which anchors (batch, A) have the most of ``found``, if that is more than ``least``: all that do, or, where the
    ``place`` of each is given, the first."""
    top = ops.max(found, axis=1, keepdims=True)
    wins = ops.logical_and(found == top, top > least)
    if place is None:
        return wins
    return ops.logical_and(wins, place == ops.cast(ops.argmax(found, axis=1), "int32")[:, None])


def overlaps_with(
    candidates: Tensor, boxes: Tensor, valid: Tensor, *, of_candidates: bool = False
) -> Callable[[Tensor], Tensor]:
    """Intersection over union of all candidates with one object, by its number; -1 with what is no object. The share of
    the candidates instead, where they say so."""
    x1, y1, x2, y2 = (candidates[..., i] for i in range(4))
    own = area(candidates[..., :2], candidates[..., 2:])

    def of(number: Tensor) -> Tensor:
        box = ops.take(boxes, number, axis=1)
        left, top, right, bottom = (box[:, i : i + 1] for i in range(4))
        wide = ops.maximum(ops.minimum(x2, right) - ops.maximum(x1, left), 0.0)
        high = ops.maximum(ops.minimum(y2, bottom) - ops.maximum(y1, top), 0.0)
        inner = wide * high
        whole = own if of_candidates else own + area(box[:, :2], box[:, 2:])[:, None] - inner
        is_object = ops.expand_dims(ops.take(valid, number, axis=1), 1)
        return ops.where(is_object, share(inner, whole), -1.0)

    return of
