"""Losses of regions that Keras lacks: of each class by what it covers in the whole batch."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor


class _ByClass(keras.losses.Loss):
    """The mean of a loss of each class over those that occur in the target; 0 where none does."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for the whole batch. Channels are classes."""
        said = ops.reshape(ops.cast(y_pred, "float32"), (-1, y_pred.shape[-1]))
        true = ops.reshape(ops.cast(y_true, "float32"), (-1, y_pred.shape[-1]))
        occurs = ops.cast(ops.sum(true, axis=0) > 0, "float32")
        return ops.sum(occurs * self.of_each(true, said)) / ops.maximum(ops.sum(occurs), 1.0)

    def of_each(self, true: Tensor, said: Tensor) -> Tensor:
        """The loss of each class, of (positions, classes)."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("archspec")
class Jaccard(_ByClass):
    """1 - soft intersection over union."""

    def __init__(self, name: str = "jaccard", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def of_each(self, true: Tensor, said: Tensor) -> Tensor:
        both = ops.sum(true * said, axis=0)
        return 1.0 - both / ops.maximum(ops.sum(true + said, axis=0) - both, 1e-7)


@keras.saving.register_keras_serializable("archspec")
class LovaszSoftmax(_ByClass):
    """Errors from the largest to the smallest, each by how much it adds to 1 - intersection over union."""

    def __init__(self, name: str = "lovasz_softmax", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def of_each(self, true: Tensor, said: Tensor) -> Tensor:
        errors = ops.abs(true - said)
        order = ops.argsort(-ops.stop_gradient(errors), axis=0)
        errors, true = (ops.take_along_axis(x, order, axis=0) for x in (errors, true))
        both = ops.sum(true, axis=0) - ops.cumsum(true, axis=0)
        either = ops.sum(true, axis=0) + ops.cumsum(1.0 - true, axis=0)
        lost = 1.0 - both / ops.maximum(either, 1e-7)
        added = ops.concatenate([lost[:1], lost[1:] - lost[:-1]], axis=0)
        return ops.sum(errors * ops.stop_gradient(added), axis=0)
