"""Batch normalisation whose moving averages forget their start.

Keras's averages start at mean 0 and variance 1 and keep a share ``momentum`` of that in each step: 0.99 ** 100 is a
third, so that what a short run evaluates is mostly the start, and a network that has learned answers at chance. Here
the share is at most (1 + t) / (10 + t) in the step after ``t`` others, as that of TensorFlow's
``ExponentialMovingAverage`` with ``num_updates``: ten steps leave a hundred-thousandth of the start, and the average is
over about the last ninth of the steps, until the momentum that the spec says is the smaller (0.9 after 80 steps, 0.99
after 890). From there on it is as ever.

What a layer does in training, where a batch is normalised by its own mean, is untouched. ``t`` is a layer's own: it
stands while the layer is frozen, and a layer whose averages come from a file has none to forget.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import layers_within

if TYPE_CHECKING:
    import keras

BEGUN = 1e9
"""Updates after which nothing of a start can be left."""


def forget_starts(model: keras.Model) -> float:
    """Let the layers of a network that is to be trained forget the start of their averages. Returns the largest share
    that one of them keeps by its spec, 0 where there is none."""
    import keras

    largest = 0.0
    for layer in model.layers:
        # An average that keeps all of itself never changes: that is meant.
        if type(layer) is keras.layers.BatchNormalization and layer.momentum < 1:
            largest = max(largest, layer.momentum)
            layer.__class__ = _kind()
            layer.count_updates()
    return largest


def updates_until(momentum: float) -> float:
    """Updates after which a layer keeps the share that its spec says: 80 for 0.9, 890 for 0.99."""
    return (10 * momentum - 1) / (1 - momentum)


def stated_momentum(layer: keras.layers.BatchNormalization) -> float:
    """The share that a layer keeps by its spec, or as it was last set, whether or not it forgets its start."""
    return float(vars(layer)["momentum"])


def counts(model: keras.Model) -> dict[str, keras.Variable]:
    """How many updates the averages of each layer have seen, by its name."""
    return {layer.name: layer.updates for layer in layers_within(model) if isinstance(layer, _kind())}


def have_begun(model: keras.Model, layers: Iterable[str]) -> None:
    """Averages of these layers are worth keeping: they are changed with the spec's momentum from now on."""
    held = counts(model)
    for name in layers:
        if name in held:
            held[name].assign(BEGUN)


@cache
def _kind() -> Any:
    import keras
    from keras import ops

    class ForgettingBatchNormalization(keras.layers.BatchNormalization):
        """The same layer, with a count that belongs to its state but not to its weights."""

        updates: Any

        @property
        def momentum(self) -> Any:
            """The share that the next update keeps. It is computed where Keras reads it: several devices call one
            layer at a time, each in a thread, so that a call must leave nothing on the layer."""
            done = ops.convert_to_tensor(self.updates)
            return ops.cast(ops.minimum((1.0 + done) / (10.0 + done), stated_momentum(self)), self.variable_dtype)

        @momentum.setter
        def momentum(self, share: float) -> None:
            self.__dict__["momentum"] = share

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "momentum": stated_momentum(self)}

        def count_updates(self) -> None:
            with keras.name_scope(self.name):
                # Half a number would not count: no casts. Each device of several makes the same step.
                variable = keras.Variable(
                    0.0,
                    dtype="float32",
                    trainable=False,
                    autocast=False,
                    aggregation="only_first_replica",
                    name="updates",
                )
            # Past Keras, which takes no state for a layer that is built.
            object.__setattr__(self, "updates", variable)

        @property
        def variables(self) -> list[Any]:
            return [*super().variables, self.updates]

        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            if not (training and self.trainable):
                return super().call(inputs, training=training, mask=mask)
            out = super().call(inputs, training=training, mask=mask)
            self.updates.assign_add(1.0)
            return out

    return ForgettingBatchNormalization
