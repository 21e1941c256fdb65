"""Accuracy of steps. Imports Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class StepAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """Share of the steps whose class has the highest score; those of the label ``ignored`` do not count."""

    def __init__(self, ignored: int, **config: Any):
        super().__init__(**config)
        self.ignored = ignored

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        # One by one: Keras would first take the mean over each sentence, in which steps of long batches count for less.
        y_true, y_pred = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        super().update_state(y_true, y_pred, sample_weight=ops.cast(ops.not_equal(y_true, self.ignored), "float32"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ignored": self.ignored}
