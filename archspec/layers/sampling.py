"""Draws whose distribution other layers say."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("archspec")
class SampleNormal(keras.Layer):
    """``mean + exp(log_variance / 2) * noise`` in training; at ``inference`` the mean, or a draw too."""

    def __init__(self, inference: str = "mean", seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.inference, self.seed = inference, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, mean: Tensor, log_variance: Tensor, training: bool = False) -> Tensor:
        if not training and self.inference == "mean":
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=self.compute_dtype, seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise

    def compute_output_shape(self, mean_shape: Shape, log_variance_shape: Shape) -> Shape:
        return mean_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "inference": self.inference, "seed": self.seed}
