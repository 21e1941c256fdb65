"""Features of images from their gradients, in float32 under every policy."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor

EPSILON = 1e-5
"""Added to the length of a block, as scikit-image does."""
MOST = 0.2
"""No number of a block of length 1 stays above this (Lowe 2004)."""


@keras.saving.register_keras_serializable("archspec")
class HistogramsOfGradients(keras.Layer):
    """Images (batch, height, width, channels) to (batch, rows, columns, block · block · orientations)."""

    def __init__(self, *, cell: int, block: int, orientations: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.cell, self.block, self.orientations = cell, block, orientations

    def call(self, x: Tensor) -> Tensor:
        x = ops.stop_gradient(x)
        height, width = (n // self.cell for n in x.shape[1:3])
        down, right = _differences(x)
        length = ops.sqrt(ops.square(down) + ops.square(right))
        # The first of the channels whose gradient is longest. Keras makes argmax of bits that ONNX does not know.
        longest = ops.one_hot(ops.squeeze(ops.top_k(length, 1)[1], axis=-1), x.shape[-1], dtype=length.dtype)
        down, right, length = (ops.sum(longest * each, axis=-1) for each in (down, right, length))
        # A direction and its opposite are one, from 0 to below 180 degrees.
        turned = ops.logical_or(down < 0, ops.logical_and(down == 0, right < 0))
        down, right = (ops.where(turned, -each, each) for each in (down, right))
        bin = ops.cast(ops.floor(ops.arctan2(down, right) * (self.orientations / math.pi)), "int32")
        bin = ops.clip(bin, 0, self.orientations - 1)
        shares = ops.one_hot(bin, self.orientations, dtype=length.dtype) * ops.expand_dims(length, -1)
        shares = shares[:, : height * self.cell, : width * self.cell]
        cells = ops.average_pool(shares, self.cell, self.cell, data_format="channels_last")
        rows, columns = height - self.block + 1, width - self.block + 1
        blocks = ops.concatenate(
            [cells[:, i : i + rows, j : j + columns] for i in range(self.block) for j in range(self.block)], axis=-1
        )
        return _of_length_1(ops.minimum(_of_length_1(blocks), MOST))

    def get_config(self) -> dict[str, Any]:
        names = ("cell", "block", "orientations")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences (batch, height, width, channels) downwards and to the right, 0 in the first and last."""
    down = ops.pad(x[:, 2:] - x[:, :-2], ((0, 0), (1, 1), (0, 0), (0, 0)))
    right = ops.pad(x[:, :, 2:] - x[:, :, :-2], ((0, 0), (0, 0), (1, 1), (0, 0)))
    return down, right


def _of_length_1(x: Tensor) -> Tensor:
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + EPSILON**2)
