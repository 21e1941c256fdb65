"""Loss and accuracy of tokens; padding does not count. Imports Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.backend.seams.models import mean_by_weights
from archspec.layers.tensor import Tensor


class MaskedLoss(keras.losses.Loss):
    """The mean of another loss over the tokens that are not padding; ``classes`` where it takes one-hot targets."""

    def __init__(self, loss: keras.losses.Loss, classes: int | None = None):
        super().__init__(name=loss.name)
        mean_by_weights(loss)
        self.loss, self.classes = loss, classes

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Any:
        target = ops.one_hot(ops.cast(y_true, "int32"), self.classes) if self.classes else y_true
        return self.loss(target, y_pred, sample_weight=_counts(y_true))


class TokenAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """Share of the tokens, those that are not padding, that have the highest score."""

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        # Of a matrix Keras would take the mean of every row: tokens of shorter batches would count for more.
        tokens, scores = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1, ops.shape(y_pred)[-1]))
        super().update_state(tokens, scores, sample_weight=_counts(tokens))


def _counts(tokens: Tensor) -> Any:
    return ops.cast(ops.not_equal(tokens, 0), "float32")
