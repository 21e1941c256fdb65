"""Losses that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras

from archspec.layers.tensor import Tensor


@keras.saving.register_keras_serializable("archspec")
class SmoothL1(keras.losses.Loss):
    """Huber's loss over ``beta``: slope 1 where it is a line (Girshick 2015)."""

    def __init__(self, beta: float = 1.0, name: str = "smooth_l1", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.beta = beta

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for each vector of channels."""
        return keras.losses.huber(y_true, y_pred, self.beta) / self.beta

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"beta": self.beta, **super().get_config()}


@keras.saving.register_keras_serializable("archspec")
class Wasserstein(keras.losses.Loss):
    """Minus the product of target and prediction (Arjovsky et al. 2017)."""

    def __init__(self, name: str = "wasserstein", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for each vector of channels."""
        return -keras.ops.mean(keras.ops.cast(y_true, y_pred.dtype) * y_pred, axis=-1)


@keras.saving.register_keras_serializable("archspec")
class NormalKl(keras.losses.Loss):
    """How far normal distributions, given by means and log-variances, are from that of mean 0 and deviation 1."""

    def __init__(self, name: str = "normal_kl", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for each vector of channels: their sum. ``y_true`` are log-variances, ``y_pred`` means."""
        terms = keras.ops.square(y_pred) + keras.ops.exp(y_true) - y_true - 1
        return keras.ops.sum(terms, axis=-1) / 2
