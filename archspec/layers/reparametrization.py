"""Layers around a layer, whose kernel they compute anew for every call."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


class KernelWrapper(keras.layers.Wrapper):
    """Calls ``layer`` with another kernel than the one that it keeps. ``writes`` are the kernel's axes over what the
    layer writes, counted from the end."""

    def __init__(self, layer: Any, writes: Sequence[int], **kwargs: Any):
        super().__init__(layer, **kwargs)
        self.writes = tuple(writes)
        # The layer casts its own inputs; the kernel is computed in the type that it is kept in.
        self.autocast = False
        self.supports_masking = self.layer.supports_masking

    def build(self, input_shape: Shape | None = None) -> None:
        super().build(input_shape)
        rank = len(self.kept.shape)
        self.read = [axis for axis in range(rank) if axis - rank not in self.writes]
        self.prepare()

    @property
    def kept(self) -> Tensor:
        """The layer's own kernel. (As an attribute Keras would count it twice.)"""
        return next(weight for weight in self.layer.weights if weight.name == "kernel")

    def prepare(self) -> None:
        """Make the weights beside the layer's."""

    def computed(self, kernel: Tensor, training: bool) -> Tensor:
        """The kernel that the layer is called with."""
        raise NotImplementedError

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        kept = self.kept
        kernel = self.computed(kept.value, training)
        # All of the layer's variables, so that a scope around this one goes on to hold.
        values = [(v, kernel if v is kept else v.value) for v in self.layer.variables]
        with keras.StatelessScope(values):
            return self.layer(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(self.layer.compute_output_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "writes": list(self.writes)}


@register
class SpectralNorm(KernelWrapper):
    """The kernel by its largest singular value (Miyato et al. 2018, algorithm 1)."""

    def __init__(self, layer: Any, writes: Sequence[int], iterations: int = 1, **kwargs: Any):
        super().__init__(layer, writes, **kwargs)
        self.iterations = iterations

    def prepare(self) -> None:
        count = prod(self.kept.shape[axis] for axis in self.writes)
        self.u = self.add_weight(name="u", shape=(count,), initializer="random_normal", trainable=False)

    def computed(self, kernel: Tensor, training: bool) -> Tensor:
        order = [*self.read, *(axis + len(kernel.shape) for axis in self.writes)]
        matrix = ops.reshape(ops.transpose(kernel, order), (-1, self.u.shape[0]))
        constant, u = ops.stop_gradient(matrix), ops.cast(self.u.value, matrix.dtype)
        v = _unit(ops.matmul(constant, u))
        if training:
            for step in range(self.iterations):
                v = v if step == 0 else _unit(ops.matmul(constant, u))
                u = _unit(ops.matmul(v, constant))
            self.u.assign(u)
        else:
            u = _unit(ops.matmul(v, constant))
        return kernel / ops.sum(v * ops.matmul(matrix, u))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "iterations": self.iterations}


@register
class WeightNorm(KernelWrapper):
    """g · v / ‖v‖ for every output (Salimans and Kingma 2016)."""

    def prepare(self) -> None:
        def lengths(shape: Shape, dtype: Any = None) -> Tensor:
            return ops.reshape(ops.cast(self._length(self.kept.value), dtype or "float32"), shape)

        shape = tuple(self.kept.shape[axis] for axis in self.writes)
        self.g = self.add_weight(name="g", shape=shape, initializer=lengths)

    def computed(self, kernel: Tensor, training: bool) -> Tensor:
        length = self._length(kernel)
        return kernel * (ops.reshape(ops.cast(self.g.value, kernel.dtype), length.shape) / length)

    def _length(self, kernel: Tensor) -> Tensor:
        return ops.sqrt(ops.sum(ops.square(kernel), axis=self.read, keepdims=True))


@register
class WeightStandardization(KernelWrapper):
    """Mean 0 and variance 1 for every output (Qiao et al. 2019)."""

    def __init__(self, layer: Any, writes: Sequence[int], epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(layer, writes, **kwargs)
        self.epsilon = epsilon

    def computed(self, kernel: Tensor, training: bool) -> Tensor:
        mean = ops.mean(kernel, axis=self.read, keepdims=True)
        variance = ops.mean(ops.square(kernel - mean), axis=self.read, keepdims=True)
        return (kernel - mean) / ops.sqrt(variance + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def _unit(x: Tensor) -> Tensor:
    return x / ops.maximum(ops.sqrt(ops.sum(ops.square(x))), 1e-12)
