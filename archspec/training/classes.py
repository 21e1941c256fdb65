"""A network of classes as a predictor: probabilities out of scores. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from archspec.data.example import Example
from archspec.evaluators.accuracy import PROBABILITIES
from archspec.evaluators.base import Batch
from archspec.ops.base import Op
from archspec.training.forward import HeadPredictor
from archspec.training.probabilities import probabilities


class ClassPredictor(HeadPredictor):
    """Probabilities of an example's class, or of those of its steps; ``activation`` turns scores into such, None where
    they are already."""

    def __init__(
        self, model: keras.Model, head: str, inputs: Callable[[Mapping[str, Any]], Any], activation: Op | None
    ):
        super().__init__(model, head, inputs)
        self.activation = activation

    def said(self, given: np.ndarray) -> dict[str, Any]:
        found = probabilities(given, self.activation)
        # One score is that of the second of two classes.
        return {PROBABILITIES: np.concatenate([1 - found, found], -1) if found.shape[-1] == 1 else found}

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        names = tuple(features.class_names) or tuple(str(i) for i in range(features.classes or 0))
        shares = said[PROBABILITIES]
        if shares.ndim == 2:
            return [{"classes": _most(row, names, top)} for row in shares]
        # A class for each step; those after an example's end are padding.
        ends = [shares.shape[1]] * len(shares) if lengths is None else lengths
        pairs = zip(shares, ends, strict=True)
        return [{"classes": [names[int(i)] for i in row[:end].argmax(-1)]} for row, end in pairs]

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        said = (c if isinstance(c, str) else f"{c['class']} {c['probability']:.4f}" for c in record["classes"])
        return f"{example}: {'  '.join(said)}"


def _most(shares: np.ndarray, names: tuple[str, ...], top: int) -> list[dict[str, Any]]:
    order = sorted(range(len(shares)), key=lambda i: -shares[i])[:top]
    return [{"class": names[i], "probability": round(float(shares[i]), 6)} for i in order]
