"""Targets in the units that are learnt, and predictions in those of the data. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.data.example import Example
from archspec.evaluators.base import Batch
from archspec.evaluators.regression import NUMBERS
from archspec.training.forward import HeadPredictor


def standardized(target: Any, mean: Sequence[float] | None, deviation: Sequence[float] | None) -> Any:
    """Targets of shape (batch, outputs) less their mean, in deviations; as they are where there are none."""
    if mean is None or deviation is None:
        return target
    return (target - np.asarray(mean, np.float32)) / np.asarray(deviation, np.float32)


class WeightedOutputLoss(keras.losses.Loss):
    """The mean over outputs of a loss of each, times its weight: with weights of 1, the loss itself."""

    def __init__(self, loss: keras.losses.Loss, weights: Sequence[float]):
        super().__init__(name=loss.name)
        self.loss, self.weights = loss, tuple(weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        parts = [
            weight * self.loss.call(y_true[:, k : k + 1], y_pred[:, k : k + 1]) for k, weight in enumerate(self.weights)
        ]
        return ops.mean(ops.stack(parts, -1), -1)


class NumberPredictor(HeadPredictor):
    """Numbers in the units of the data."""

    def __init__(
        self,
        model: keras.Model,
        head: str,
        inputs: Callable[[Mapping[str, Any]], Any],
        mean: Sequence[float] | None,
        deviation: Sequence[float] | None,
    ):
        super().__init__(model, head, inputs)
        self.mean, self.deviation = mean, deviation

    def said(self, given: np.ndarray) -> dict[str, Any]:
        said = np.asarray(given, np.float64)
        if self.mean is not None and self.deviation is not None:
            said = said * np.asarray(self.deviation) + np.asarray(self.mean)
        return {NUMBERS: said}

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        # What float32 cannot tell apart is not told.
        return [
            {"numbers": {name: float(f"{value:.6g}") for name, value in zip(features.numbers, row, strict=True)}}
            for row in said[NUMBERS]
        ]

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        return f"{example}: " + "  ".join(f"{name} {value:g}" for name, value in record["numbers"].items())
