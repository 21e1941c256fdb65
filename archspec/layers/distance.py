"""Distances to fixed points."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("archspec")
class Rbf(keras.Layer):
    """Squared Euclidean distance of the last axis to ``units`` points of ±1 that training leaves alone."""

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        shape = (input_shape[-1], self.units)
        self.centers = self.add_weight(name="centers", shape=shape, initializer=_signs, trainable=False)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.sum(ops.square(ops.expand_dims(inputs, -1) - self.centers), axis=-2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _signs(shape: Shape, dtype: Any = None) -> Tensor:
    """±1 with equal chances."""
    return ops.cast(2 * keras.random.randint(shape, 0, 2) - 1, dtype)
