"""What an autoencoder makes of examples, and of draws in the place of its code. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from archspec.data.example import Example, input_of
from archspec.evaluators.base import Batch
from archspec.evaluators.reconstruction import GIVEN, MADE
from archspec.training.forward import forward
from archspec.training.latents import along


class Reconstructor:
    """Reconstructions; ``spoilt`` is what is done to a batch before it is read, ``is_logits`` whether the head gives
    logits of shares."""

    together = 1
    cuts = True

    def __init__(self, model: keras.Model, head: str, spoilt: Callable[[Batch], Batch], is_logits: bool):
        self.outputs, self.head, self.spoilt, self.is_logits = forward(model, (head,)), head, spoilt, is_logits

    def __call__(self, batch: Batch) -> dict[str, Any]:
        part = input_of(batch)
        given = np.asarray(self.spoilt(batch)[part])
        made = _shares(self.outputs(given)[self.head], self.is_logits)
        own = tuple(range(1, made.ndim))
        return {GIVEN: given, MADE: made, "mse": ((made - np.asarray(batch[part], np.float64)) ** 2).mean(own)}

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        return [{"mse": float(f"{value:.6g}")} for value in said["mse"]]

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        return f"{example}: mse {record['mse']:g}"


def decoded(
    model: keras.Model, layer: str, count: int, seed: int, *, is_logits: bool, steps: int | None = None
) -> np.ndarray:
    """What follows of draws of the standard normal distribution in the place of a layer's outputs; with ``steps``, of
    rows of so many from one draw to another."""
    code = model.get_layer(layer).output
    decoder = keras.Model(code, model.output)
    amount = count if steps is None else 2 * count // steps
    draws = np.random.default_rng(seed).normal(size=(amount, *code.shape[1:])).astype(np.float32)
    if steps is not None:
        first, last = np.split(draws, 2)
        draws = along(first, last, steps)
    found = decoder.predict(draws, verbose=0)
    return _shares(next(iter(found.values())) if isinstance(found, dict) else found, is_logits)


def _shares(values: object, is_logits: bool) -> np.ndarray:
    values = np.asarray(values, np.float64)
    out: np.ndarray = 1 / (1 + np.exp(-values)) if is_logits else values
    return out
