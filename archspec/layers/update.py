"""Layers of training steps over several networks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor


@keras.saving.register_keras_serializable("archspec")
class StopGradient(keras.Layer):
    """The input, as a constant."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        return ops.stop_gradient(x)


@keras.saving.register_keras_serializable("archspec")
class Interpolation(keras.Layer):
    """``b + at * (a - b)``, ``at`` one number for each example."""

    def call(self, a: Tensor, b: Tensor, at: Tensor) -> Tensor:
        at = ops.reshape(at, (-1, *(1,) * (len(a.shape) - 1)))
        return b + at * (a - b)
