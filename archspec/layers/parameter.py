"""Tensors that no input gives, as often as there are examples in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class ParameterTensor(keras.Layer):
    """A weight for each example; of the input the batch axis is read."""

    def __init__(self, shape: Sequence[int], initializer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.initializer = keras.initializers.get(initializer or keras.initializers.RandomNormal(stddev=0.02))
        # The input is not used, so it need not be converted; nor is its mask.
        self.autocast = False
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.value = self.add_weight(name="value", shape=self.shape, initializer=self.initializer)

    def call(self, inputs: Tensor) -> Tensor:
        value = ops.cast(self.value, self.compute_dtype)
        return ops.broadcast_to(value, (ops.shape(inputs)[0], *self.shape))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        config = {"shape": list(self.shape), "initializer": keras.initializers.serialize(self.initializer)}
        return {**super().get_config(), **config}


@register
class ConstantTensor(keras.Layer):
    """Given numbers for each example; of the input the batch axis is read."""

    def __init__(self, value: Tensor, shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.value, self.shape = value, tuple(shape)
        self.autocast = False
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        value = ops.convert_to_tensor(self.value, self.compute_dtype)
        return ops.broadcast_to(value, (ops.shape(inputs)[0], *self.shape))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value": self.value, "shape": list(self.shape)}
