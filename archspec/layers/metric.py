"""Metrics for labels and predictions that Keras's own do not take."""

from __future__ import annotations

import keras

from archspec.layers.tensor import Tensor


def converted(kind: type, classes: int | None, activation: str | None) -> type:
    """``kind`` with labels made one-hot over ``classes``, and predictions passed through ``activation``, if given."""

    class Converted(kind):
        def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
            if classes is not None:
                y_true = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), classes)
            if activation is not None:
                y_pred = keras.activations.get(activation)(y_pred)
            return super().update_state(y_true, y_pred, sample_weight)

    Converted.__name__ = kind.__name__
    return Converted
