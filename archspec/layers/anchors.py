"""Boxes at the positions of a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("archspec")
class Anchors(keras.Layer):
    """(batch, height, width, channels) to (batch, height · width · shapes, 4) in float32; only sizes are read. A shape
    is a width and a height."""

    def __init__(
        self, shapes: Sequence[Sequence[float]], stride: Sequence[float], offset: float, *, round: bool, **kwargs: Any
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.shapes, self.stride = [tuple(s) for s in shapes], tuple(stride)
        self.offset, self.round = offset, round
        # The input is not used, so it need not be converted; nor is its mask.
        self.autocast = False
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        batch, height, width = ops.shape(inputs)[:3]
        half = np.array(self.shapes, "float64") / 2
        corners = np.concatenate([-half, half], axis=1)
        if self.round:
            corners = np.round(corners)
        y = (ops.cast(ops.arange(height), "float32") + self.offset) * self.stride[0]
        x = (ops.cast(ops.arange(width), "float32") + self.offset) * self.stride[1]
        x, y = ops.meshgrid(x, y)
        middles = ops.reshape(ops.stack([x, y, x, y], axis=-1), (-1, 1, 4))
        boxes = ops.reshape(middles + ops.convert_to_tensor(corners, "float32"), (-1, 4))
        return ops.broadcast_to(boxes, (batch, *ops.shape(boxes)))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width = input_shape[:3]
        rows = None if height is None or width is None else height * width * len(self.shapes)
        return (batch, rows, 4)

    def get_config(self) -> dict[str, Any]:
        own = {"shapes": self.shapes, "stride": self.stride, "offset": self.offset, "round": self.round}
        return {**super().get_config(), **own}
