"""A network's outputs for examples that it does not train on, and what they say. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from archspec.evaluators.base import Batch
from archspec.layers.tensor import Tensor
from archspec.training.task import Predictor


def forward(model: keras.Model, heads: Sequence[str]) -> Callable[[Any], dict[str, np.ndarray]]:
    """What heads of the model give for a batch of inputs, by name, as in inference; the model may have others beside
    them, or one alone."""

    def call(inputs: Tensor) -> Any:
        found = model(inputs, training=False)
        return {head: found[head] for head in heads} if isinstance(found, dict) else {heads[0]: found}

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Layers of Keras one by one take several times as long; batches of other sizes are the same function.
        call = tf.function(call, reduce_retracing=True)
    return lambda inputs: {head: np.asarray(keras.ops.convert_to_numpy(value)) for head, value in call(inputs).items()}


class HeadPredictor(Predictor):
    """Says what it says by what a head gives alone; ``inputs`` takes what the model reads out of a batch. Order of
    rules: ``said``, ``records``, ``line``."""

    # Not every network tells padding from what it reads.
    together = 1
    cuts = True

    def __init__(self, model: keras.Model, head: str, inputs: Callable[[Mapping[str, Any]], Any]):
        self.head, self.inputs, self.outputs = head, inputs, forward(model, (head,))

    def __call__(self, batch: Batch) -> dict[str, Any]:
        return self.said(self.outputs(self.inputs(batch))[self.head])

    def said(self, given: np.ndarray) -> dict[str, Any]:
        """Arrays by name, of what the head gives for a batch."""
        raise NotImplementedError
