"""A network's outputs for examples that it does not train on. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def forward(model: keras.Model, head: str) -> Callable[[Any], np.ndarray]:
    """What a head of the model gives for a batch of inputs, as in inference; the model may have several heads, or that
    one alone."""

    def call(inputs: Any) -> Any:
        found = model(inputs, training=False)
        return found[head] if isinstance(found, dict) else found

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Layers of Keras one by one take several times as long; batches of other sizes are the same function.
        call = tf.function(call, reduce_retracing=True)
    return lambda inputs: np.asarray(keras.ops.convert_to_numpy(call(inputs)))
