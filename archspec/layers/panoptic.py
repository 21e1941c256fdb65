"""Objects and what is around them as one picture of segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.reduction import argmax
from archspec.layers.tensor import Tensor

SURE = 0.5
"""From which a pixel is a mask's."""


@keras.saving.register_keras_serializable("archspec")
class MergedSegments(keras.Layer):
    """Masks (batch, rows, height, width), scores (batch, rows) and semantic scores (batch, height, width, classes) to
    the numbers of segments (batch, height, width), one object after the other."""

    def __init__(self, overlap: float, score: float, area: int, stuff: Sequence[int], **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.overlap, self.score, self.area, self.stuff = overlap, score, area, tuple(stuff)

    def call(self, masks: Tensor, scores: Tensor, semantic: Tensor) -> Tensor:
        rows, batch = masks.shape[1], ops.shape(masks)[0]
        order = ops.cast(ops.argsort(-scores, axis=1), "int32")
        first = ops.arange(batch, dtype="int32") * rows
        flat = ops.reshape(masks, (-1, *masks.shape[2:]))
        sure = ops.reshape(scores, (-1,))

        def turn(i: Tensor, segments: Tensor) -> Tensor:
            row = ops.take(order, i, axis=1)
            mine = ops.take(flat, first + row, axis=0) >= SURE
            taken = ops.logical_and(mine, segments > 0)
            count, common = (ops.sum(ops.cast(one, "float32"), axis=(1, 2)) for one in (mine, taken))
            fits = ops.logical_and(ops.take(sure, first + row, axis=0) >= self.score, count > 0)
            fits = ops.logical_and(fits, common <= self.overlap * count)
            free = ops.logical_and(ops.logical_and(mine, segments == 0), fits[:, None, None])
            # What is taken by a number has no known length, and a loop holds tensors of one shape.
            return ops.reshape(ops.where(free, (row + 1)[:, None, None], segments), ops.shape(segments))

        nothing = ops.zeros_like(semantic[..., 0], dtype="int32")
        segments = ops.fori_loop(0, rows, turn, nothing)
        kinds = ops.cast(argmax(semantic, -1), "int32")
        left = ops.where(segments > 0, -1, kinds)
        kept = nothing
        for kind in range(*self.stuff):
            own = left == kind
            enough = ops.sum(ops.cast(own, "float32"), axis=(1, 2)) >= np.float32(self.area)
            there = ops.logical_and(own, enough[:, None, None])
            kept = ops.where(there, rows + 1 + kind, kept)
        return ops.stop_gradient(ops.where(segments > 0, segments, kept))

    def get_config(self) -> dict[str, Any]:
        own = {"overlap": self.overlap, "score": self.score, "area": self.area, "stuff": self.stuff}
        return {**super().get_config(), **own}
