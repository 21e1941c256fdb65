"""Quotients, stacks and products of tensors that Keras has as functions only."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor


@keras.saving.register_keras_serializable("archspec")
class Divide(keras.layers.Subtract):
    """The first operand by the second; they broadcast, and masks meet, as in Keras's other merges."""

    def _merge_function(self, inputs: Tensor) -> Tensor:
        return ops.divide(inputs[0], inputs[1])


@keras.saving.register_keras_serializable("archspec")
class Stack(keras.Layer):
    """Tensors of one shape along a new axis, the batch axis counted."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.stack(inputs, axis=self.axis)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """A step counts where it does in all that has a mask."""
        there = None
        for one in mask or ():
            if one is not None:
                there = one if there is None else ops.logical_and(there, one)
        return there

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@keras.saving.register_keras_serializable("archspec")
class MatrixProduct(keras.Layer):
    """Matrix product over the last two axes; the axes before them broadcast."""

    def __init__(self, transpose_a: bool = False, transpose_b: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.transpose_a, self.transpose_b = transpose_a, transpose_b
        self.supports_masking = True

    def call(self, a: Tensor, b: Tensor) -> Tensor:
        a = ops.swapaxes(a, -1, -2) if self.transpose_a else a
        b = ops.swapaxes(b, -1, -2) if self.transpose_b else b
        return ops.matmul(a, b)

    def compute_mask(self, a: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """The mask of ``a``, whose steps are rows unless they are summed over."""
        return None if self.transpose_a else mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "transpose_a": self.transpose_a, "transpose_b": self.transpose_b}
