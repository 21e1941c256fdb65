"""Activations: elementwise, or over channels. Each may stand as an ``activation`` argument unless it has weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

if TYPE_CHECKING:
    import keras


class Relu(Op, name="relu"):
    """max(x, 0)."""

    is_activation = True

    def infer(self, x: TensorSpec) -> TensorSpec:
        return x

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        return "relu"

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.ReLU()
