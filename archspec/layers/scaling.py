"""Learnt factors."""

from __future__ import annotations

from typing import Any

import keras

from archspec.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("archspec")
class LayerScale(keras.Layer):
    """x · gamma, one gamma per channel, all ``init`` at the start (Touvron et al. 2021)."""

    def __init__(self, init: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.init = init
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        initializer = keras.initializers.Constant(self.init)
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer=initializer)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self.gamma

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "init": self.init}
