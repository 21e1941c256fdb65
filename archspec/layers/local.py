"""Windows whose weights are given, or differ from place to place."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class LocallyConnected(keras.Layer):
    """A kernel (places, taps · channels, filters) and a bias for every place; ``sides`` are zeros around each axis."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int],
        sides: Sequence[Sequence[int]],
        use_bias: bool = True,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, tuple(kernel_size), tuple(strides)
        self.sides, self.use_bias = tuple((b, a) for b, a in sides), use_bias
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        sizes, taps, places = self._sizes(input_shape), input_shape[-1], 1
        for k, n in zip(self.kernel_size, sizes, strict=True):
            taps, places = taps * k, places * n
        self.kernel = self.add_weight(
            name="kernel",
            shape=(places, taps, self.filters),
            initializer=self._drawn,
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            shape = (*sizes, self.filters)
            self.bias = self.add_weight(name="bias", shape=shape, initializer=self.bias_initializer)

    def _drawn(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        """Kernels as large as if there were one: Keras takes the places for taps, and scales by their number, too."""
        value = self.kernel_initializer(shape, dtype=dtype)
        scales = isinstance(self.kernel_initializer, keras.initializers.VarianceScaling)
        return value * shape[0] ** 0.5 if scales else value

    def call(self, inputs: Tensor) -> Tensor:
        sizes = self._sizes(inputs.shape)
        x = ops.pad(inputs, ((0, 0), *self.sides, (0, 0)))
        read = []
        for offsets in product(*map(range, self.kernel_size)):
            axes = zip(offsets, sizes, self.strides, strict=True)
            read.append(x[(slice(None), *(slice(o, o + (n - 1) * s + 1, s) for o, n, s in axes))])
        patches = ops.concatenate(read, axis=-1)
        patches = ops.reshape(patches, (-1, self.kernel.shape[0], self.kernel.shape[1]))
        y = ops.reshape(ops.einsum("bpc,pcf->bpf", patches, self.kernel), (-1, *sizes, self.filters))
        return self.activation(y if self.bias is None else ops.add(y, self.bias))

    def _sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        axes = zip(shape[1:-1], self.kernel_size, self.strides, self.sides, strict=True)
        return tuple((n + b + a - k) // s + 1 for n, k, s, (b, a) in axes)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> Shape:
        return (input_shape[0], *self._sizes(input_shape), self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "sides": [list(side) for side in self.sides],
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@register
class BlurPool(keras.Layer):
    """The same filter along each axis, and every n-th position of what it gives (Zhang 2019)."""

    def __init__(self, taps: Sequence[float], strides: Sequence[int], mode: str = "reflect", **kwargs: Any):
        super().__init__(**kwargs)
        self.taps, self.strides, self.mode = list(taps), tuple(strides), mode

    def call(self, inputs: Tensor) -> Tensor:
        count = len(self.taps)
        sides = ((count - 1) // 2, count // 2)
        x = ops.pad(inputs, ((0, 0), *(sides,) * len(self.strides), (0, 0)), mode=self.mode)
        for axis, stride in enumerate(self.strides, start=1):
            lead, last = (slice(None),) * axis, ops.shape(x)[axis] - count + 1
            parts = [tap * x[(*lead, slice(i, i + last, stride))] for i, tap in enumerate(self.taps)]
            x = sum(parts[1:], start=parts[0])
        return x

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> Shape:
        batch, *sizes, channels = input_shape
        return (batch, *(None if n is None else -(-n // s) for n, s in zip(sizes, self.strides, strict=True)), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "taps": self.taps, "strides": list(self.strides), "mode": self.mode}
