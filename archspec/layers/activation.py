"""Activations that Keras lacks, or takes only as a layer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor


@keras.saving.register_keras_serializable("archspec")
class ActivationFunction:
    """``keras.activations.<name>`` with arguments bound: what can stand as an ``activation`` argument and be saved."""

    def __init__(self, name: str, **arguments: Any):
        self.name, self.arguments = name, arguments
        self.function = getattr(keras.activations, name)

    @property
    def __name__(self) -> str:
        # Keras and TensorBoard name an activation by its __name__.
        return self.name

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ActivationFunction:
        return cls(**config)


@keras.saving.register_keras_serializable("archspec")  # type: ignore[untyped-decorator]
def scaled_tanh(x: Tensor) -> Tensor:
    """1.7159 · tanh(2x / 3) (LeCun et al. 1998, appendix A)."""
    return 1.7159 * ops.tanh(x * (2 / 3))


@keras.saving.register_keras_serializable("archspec")
class Maxout(keras.Layer):
    """Maximum over each run of ``pieces`` consecutive channels."""

    def __init__(self, pieces: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.pieces = pieces
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        return ops.max(ops.reshape(inputs, (*shape[:-1], shape[-1] // self.pieces, self.pieces)), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pieces": self.pieces}


@keras.saving.register_keras_serializable("archspec")
class GatedLinearUnit(keras.Layer):
    """The first half of the channels, times the second half through an activation. (As ``Activation("glu")`` Keras says
    that all channels stay: Keras 3.15.)"""

    def __init__(self, gate: Tensor, **kwargs: Any):
        super().__init__(**kwargs)
        self.gate = keras.activations.get(gate)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        value, gate = ops.split(inputs, 2, axis=-1)
        return value * self.gate(gate)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> Shape:
        return (*input_shape[:-1], input_shape[-1] // 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gate": keras.activations.serialize(self.gate)}


@keras.saving.register_keras_serializable("archspec")
class SoftmaxOverSteps(keras.Layer):
    """``softmax`` or ``log_softmax`` over an axis of steps; those that a mask leaves out have no share, and are 0."""

    def __init__(self, axis: int, log: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis, self.log = axis, log
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        function = ops.log_softmax if self.log else ops.softmax
        if mask is None:
            return function(inputs, axis=self.axis)
        there = over_positions(mask, inputs)
        lowest = ops.cast(-3e4 if inputs.dtype == "float16" else -1e9, inputs.dtype)
        shares = function(ops.where(there, inputs, lowest), axis=self.axis)
        return ops.where(there, shares, ops.zeros_like(shares))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "log": self.log}


def over_positions(mask: Tensor | None, inputs: Tensor) -> Tensor:
    """A mask (batch, steps, …) of truth values with as many axes as ``inputs``."""
    there = ops.cast(mask, "bool")
    return ops.reshape(there, (*ops.shape(there), *(1,) * (len(inputs.shape) - len(there.shape))))
