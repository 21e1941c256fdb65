"""Batch normalisation with another momentum in each step: a property in the place of the number that Keras reads."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from archspec.layers.tensor import Tensor


def forget_start(layer: keras.layers.BatchNormalization) -> None:
    """Let a layer that is built keep at most (1 + t) / (10 + t) of its averages in the step after ``t`` others, which
    it counts from now on."""
    layer.__class__ = _forgetting()
    layer.count_updates()


def updates_of(layer: keras.layers.Layer) -> keras.Variable | None:
    """How many updates the averages of a layer that forgets its start have seen; None of any other layer."""
    return layer.updates if isinstance(layer, _forgetting()) else None


def stated_momentum(layer: keras.layers.BatchNormalization) -> float:
    """The share that a layer keeps by its spec, or as it was last set, whether or not it forgets its start."""
    return float(vars(layer)["momentum"])


@cache
def _forgetting() -> Any:
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

        def call(self, inputs: Tensor, training: object = None, mask: object = None) -> Any:
            if not (training and self.trainable):
                return super().call(inputs, training=training, mask=mask)
            out = super().call(inputs, training=training, mask=mask)
            self.updates.assign_add(1.0)
            return out

    return ForgettingBatchNormalization
