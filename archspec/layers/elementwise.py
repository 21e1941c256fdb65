"""Functions of each element that Keras has as functions only. Masks go on."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")

FUNCTIONS = {
    "abs": ops.abs,
    "log": ops.log,
    "power": ops.power,
    "sign": ops.sign,
    "sqrt": ops.sqrt,
    "square": ops.square,
}


@register
class Elementwise(keras.Layer):
    """One of ``FUNCTIONS``; ``x2`` is the second operand of those that take two."""

    def __init__(self, function: str, x2: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if function not in FUNCTIONS:
            raise ValueError(f"no such function: {function}")
        self.function, self.x2 = function, x2
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        function = FUNCTIONS[self.function]
        return function(inputs) if self.x2 is None else function(inputs, self.x2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function, "x2": self.x2}


@register
class ClipValues(keras.Layer):
    """The nearest number between two bounds, either of which may be None."""

    def __init__(self, least: float | None, most: float | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.least, self.most = least, most
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs if self.least is None else ops.maximum(inputs, ops.cast(self.least, inputs.dtype))
        return x if self.most is None else ops.minimum(x, ops.cast(self.most, inputs.dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "least": self.least, "most": self.most}


@register
class Cast(keras.Layer):
    """The same numbers in the layer's own type."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        # What comes in stays what it is until it is cast here.
        self.autocast = False
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.cast(inputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
