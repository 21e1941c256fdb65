"""Owners of candidate boxes, object by object: what is held is one number for each candidate. Pairs that are one to one
need all overlaps at once.

Candidates are taken in tiles that stay in a processor's cache while all objects pass by: otherwise every object would
read and write some ten numbers of each candidate from memory, which takes ten times as long as the arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.boxes import area
from archspec.layers.suppression import rows_of
from archspec.layers.tensor import Tensor

register = keras.saving.register_keras_serializable("archspec")

TILE = 1024
"""Candidates of each image that are compared at a time."""


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
        owner = self._matched(anchors, boxes, valid, ignored)
        return owned(owner, anchors, boxes, classes, first=self.background == "first")

    @cached_property
    def _matched(self) -> Callable[..., Any]:
        """Compiled once for all calls of the layer."""
        return compiled(self._decided)

    def _decided(self, anchors: Tensor, boxes: Tensor, valid: Tensor, ignored: Tensor | None) -> Tensor:
        """The object of each anchor, -1 for background, -2 for what counts as neither."""
        best, owner, forced = self._owners(anchors, boxes, valid)
        between = ops.logical_and(best >= self.low, best < self.high)
        owner = ops.where(best >= self.high, owner, ops.where(between, -2, -1))
        is_box = area(anchors[..., :2], anchors[..., 2:]) > 0
        owner = ops.where(ops.logical_and(owner == -1, ops.logical_not(is_box)), -2, owner)
        if ignored is not None:
            within = _largest(anchors, boxes, ignored, of_candidates=True) > self.ignored_share
            owner = ops.where(ops.logical_and(owner == -1, within), -2, owner)
        return ops.where(forced >= 0, forced, owner)

    def _owners(self, anchors: Tensor, boxes: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The largest overlap of each anchor, with which object, and the object that forces it, or -1."""
        tiles, count = Tiles(anchors), boxes.shape[1]
        forces = self.force in ("ties", "best") and count > 0

        def look(t: Tensor, held: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
            best, owner, most = held
            overlaps = overlaps_with(tiles.parts[t], boxes, valid)

            def turn(i: Tensor, held: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
                best, owner, most = held
                found = overlaps(i)
                better = found > best
                best, owner = ops.maximum(found, best), ops.where(better, ops.cast(i, "int32"), owner)
                if forces:
                    most = ops.slice_update(most, (t, i, 0), ops.max(found, axis=1)[None, None])
                return best, owner, most

            start = (tiles.zeros[0] - 1, ops.cast(tiles.zeros[0], "int32") - 1, most)
            one, whose, most = ops.fori_loop(0, count, turn, start)
            return tiles.put(best, t, one), tiles.put(owner, t, whose), most

        number = ops.cast(tiles.zeros, "int32") - 1
        # Of each tile, object and image, the largest overlap.
        most = ops.repeat(ops.transpose(ops.zeros_like(boxes[..., 0]))[None] - 1, tiles.count, axis=0)
        best, owner, most = tiles.each(look, (tiles.zeros, number, most))
        best, owner, forced = tiles.joined(best), tiles.joined(owner), tiles.joined(number)
        if forces:
            forced = tiles.joined(self._forced(tiles, most, boxes, valid))
        if self.force == "ties":
            forced = ops.where(forced >= 0, owner, -1)
        if self.force == "one_to_one":
            overlaps = overlaps_with(anchors, boxes, valid)
            forced = self._pairs(ops.stack([overlaps(i) for i in range(count)], axis=1), numbered(anchors)[2], forced)
        return best, owner, forced

    def _forced(self, tiles: Tiles, most: Tensor, boxes: Tensor, valid: Tensor) -> Tensor:
        """The object that forces each anchor, or -1, tile by tile. Only the few tiles are looked at again that have
        the largest overlap of an object, and there it is the tile's own largest that counts: a second computation may
        round otherwise."""
        top = ops.max(most, axis=0)
        if self.force == "best":
            number = ops.cast(ops.convert_to_tensor(np.arange(tiles.count)), "int32")[:, None, None]
            has = number == ops.cast(ops.argmax(most, axis=0), "int32")[None]
        else:
            has = most == top[None]
        has = ops.logical_and(has, top[None] > 0)
        place = numbered(tiles.parts[0])[2] if self.force == "best" else None
        # The objects of each tile that are looked at, the first first, for those of all images together.
        objects = ops.cast(ops.convert_to_tensor(np.arange(boxes.shape[1])), "int32")
        asked = ops.any(has, axis=2)
        order = ops.sort(ops.where(asked, objects, boxes.shape[1]), axis=1)
        counts = ops.sum(ops.cast(asked, "int32"), axis=1)

        def look(t: Tensor, forced: Tensor) -> Tensor:
            overlaps = overlaps_with(tiles.parts[t], boxes, valid)

            def turn(k: Tensor, held: Tensor) -> Tensor:
                i = order[t, k]
                wins = ops.logical_and(winners(overlaps(i), 0, place), ops.expand_dims(has[t, i], 1))
                return ops.where(wins, i, held)

            start = ops.cast(tiles.zeros[0], "int32") - 1
            return tiles.put(forced, t, ops.fori_loop(0, counts[t], turn, start))

        return tiles.each(look, ops.cast(tiles.zeros, "int32") - 1)

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
        return _largest(predicted, boxes, valid)

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


class Tiles:
    """Candidates (batch, A, 4) as ``parts`` (tiles, batch, ``TILE``, 4), the last filled up with boxes of no size. One
    tile of all, where their number is not known, and on PyTorch, which would do each step of each by itself."""

    def __init__(self, candidates: Tensor):
        self.rows = candidates.shape[1]
        is_whole = self.rows is None or self.rows <= TILE or keras.backend.backend() == "torch"
        self.count = 1 if is_whole else -(-self.rows // TILE)
        if self.count == 1:
            self.parts = candidates[None]
        else:
            filled = ops.pad(candidates, ((0, 0), (0, self.count * TILE - self.rows), (0, 0)))
            self.parts = ops.transpose(ops.reshape(filled, (-1, self.count, TILE, 4)), (1, 0, 2, 3))
        self.zeros = ops.zeros_like(self.parts[..., 0])

    def each(self, look: Callable[[Tensor, Any], Any], held: Any) -> Any:
        """What is held after ``look(tile, held)`` of each tile."""
        return look(0, held) if self.count == 1 else ops.fori_loop(0, self.count, look, held)

    def put(self, held: Tensor, t: Tensor, one: Tensor) -> Tensor:
        """``held`` (tiles, batch, T) with those of one tile."""
        return one[None] if self.count == 1 else ops.slice_update(held, (t, 0, 0), one[None])

    def joined(self, held: Tensor) -> Tensor:
        """(tiles, batch, T) as (batch, A)."""
        if self.count == 1:
            return held[0]
        return ops.reshape(ops.transpose(held, (1, 0, 2)), (-1, self.count * TILE))[:, : self.rows]


def _largest(candidates: Tensor, boxes: Tensor, valid: Tensor, *, of_candidates: bool = False) -> Tensor:
    """The largest overlap of each candidate with any object; 0 for none."""
    tiles = Tiles(candidates)

    def look(t: Tensor, held: Tensor) -> Tensor:
        overlaps = overlaps_with(tiles.parts[t], boxes, valid, of_candidates=of_candidates)
        one = ops.fori_loop(0, boxes.shape[1], lambda i, best: ops.maximum(best, overlaps(i)), tiles.zeros[0])
        return tiles.put(held, t, one)

    return tiles.joined(tiles.each(look, tiles.zeros))


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
    known = ops.zeros_like(boxes[..., 0]) if of_candidates else area(boxes[..., :2], boxes[..., 2:])
    # What is no object has no area that any overlap could be a share of.
    nothing = ops.where(valid, 0.0, -1.0)
    known = ops.where(valid, known, -np.inf)
    columns = ops.concatenate([boxes, known[..., None], nothing[..., None]], axis=-1)
    # (objects, 6, batch, 1)
    columns = ops.expand_dims(ops.transpose(columns, (1, 2, 0)), -1)

    def of(number: Tensor) -> Tensor:
        column = columns[number]
        left, top, right, bottom, size, least = (column[i] for i in range(6))
        wide = ops.maximum(ops.minimum(x2, right) - ops.maximum(x1, left), 0.0)
        high = ops.maximum(ops.minimum(y2, bottom) - ops.maximum(y1, top), 0.0)
        inner = wide * high
        whole = own + size if of_candidates else own + size - inner
        return ops.where(whole > 0, inner / whole, least)

    return of
