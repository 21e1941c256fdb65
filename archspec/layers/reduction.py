"""Sums, extremes and their places, which Keras has as functions only. All axes count the batch axis. Masks go on where
the axis of steps stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


def argmax(x: Tensor, axis: int) -> Tensor:
    """Where the largest number of an axis stands, the first of several: int32.

    Of floats, Keras tells -0 from 0 by their bits, for which neither ONNX nor LiteRT has operations."""
    return ops.argmax(ops.cast(x == ops.max(x, axis=axis, keepdims=True), "int32"), axis=axis)


REDUCTIONS = {"sum": ops.sum, "mean": ops.mean, "max": ops.max, "min": ops.min, "var": ops.var, "std": ops.std}


@register
class Reduce(keras.Layer):
    """One of ``REDUCTIONS`` over axes."""

    def __init__(self, kind: str, axis: Sequence[int], keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if kind not in REDUCTIONS:
            raise ValueError(f"no such reduction: {kind}")
        self.kind, self.axis, self.keepdims = kind, tuple(axis), keepdims
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return REDUCTIONS[self.kind](inputs, axis=self.axis, keepdims=self.keepdims)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kind": self.kind,
            "axis": list(self.axis),
            "keepdims": self.keepdims,
        }


@register
class Argmax(keras.Layer):
    """Where the largest number of an axis stands."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        # Numbers that differ are not to become equal first, nor integers floating.
        self.autocast = False
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return argmax(inputs, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@register
class CumulativeSum(keras.Layer):
    """Each element of an axis and all before it."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.cumsum(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
