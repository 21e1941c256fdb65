"""Tokens and positions that Keras lacks. Masks go on."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class OneHot(keras.Layer):
    """1 in the channel that the integer names, 0 in all others; with ``mask_zero`` zeros are padding."""

    def __init__(self, vocab: int, mask_zero: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.vocab, self.mask_zero = vocab, mask_zero
        # The inputs are integers whatever the layer computes in.
        self.autocast = False

    def call(self, inputs: Tensor) -> Tensor:
        return ops.one_hot(ops.cast(inputs, "int32"), self.vocab, dtype=self.compute_dtype)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.vocab)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocab": self.vocab, "mask_zero": self.mask_zero}


@register
class ReversibleEmbedding(keras.Layer):
    """Integers to vectors of a table; vectors to their products with all of its rows."""

    def __init__(self, vocab: int, dim: int, mask_zero: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.vocab, self.dim, self.mask_zero = vocab, dim, mask_zero
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(name="embeddings", shape=(self.vocab, self.dim), initializer="uniform")

    def call(self, inputs: Tensor) -> Tensor:
        if _integers(inputs):
            return ops.take(self.embeddings, ops.cast(inputs, "int32"), axis=0)
        return ops.matmul(inputs, ops.transpose(self.embeddings))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return ops.not_equal(inputs, 0) if _integers(inputs) and self.mask_zero else mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocab": self.vocab, "dim": self.dim, "mask_zero": self.mask_zero}


@register
class PositionEmbedding(keras.Layer):
    """Adds a learnt vector per position, of which there are ``length``."""

    def __init__(self, length: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.length = length
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.embeddings = self.add_weight(name="embeddings", shape=(self.length, input_shape[-1]), initializer=start)

    def call(self, inputs: Tensor) -> Tensor:
        # Steps beyond the last position make this sum fail, as they should.
        return ops.add(inputs, self.embeddings[: ops.shape(inputs)[1]])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "length": self.length}


@register
class SinusoidalPosition(keras.Layer):
    """Adds the waves of Vaswani et al. 2017: sines in even channels, cosines in odd ones."""

    def __init__(self, base: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.base = base
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        channels = ops.arange(inputs.shape[-1])
        even = ops.cast(channels // 2 * 2, "float32")
        angle = _angles(ops.shape(inputs)[1], even / inputs.shape[-1], self.base)
        waves = ops.where(channels % 2 == 0, ops.sin(angle), ops.cos(angle))
        return ops.add(inputs, ops.cast(waves, inputs.dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "base": self.base}


@register
class RotaryPosition(keras.Layer):
    """Turns each pair of neighbouring channels by an angle that grows with the step, in each of ``heads`` heads."""

    def __init__(self, heads: int = 1, base: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.heads, self.base = heads, base
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        x = ops.reshape(inputs, (*shape[:2], self.heads, inputs.shape[-1] // self.heads))
        return ops.reshape(rotated(x, self.base), shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads, "base": self.base}


@register
class ClassToken(keras.Layer):
    """``count`` learnt steps in front of a sequence."""

    def __init__(self, count: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.count = count
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.token = self.add_weight(name="token", shape=(self.count, input_shape[-1]), initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        token = ops.broadcast_to(self.token, (ops.shape(inputs)[0], self.count, inputs.shape[-1]))
        return ops.concatenate([ops.cast(token, inputs.dtype), inputs], axis=1)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None if mask is None else ops.pad(mask, ((0, 0), (self.count, 0)), constant_values=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, channels = input_shape
        return (batch, None if steps is None else steps + self.count, channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


def _integers(x: Tensor) -> bool:
    return "int" in keras.backend.standardize_dtype(x.dtype)


def rotated(x: Tensor, base: float) -> Tensor:
    """(batch, time, heads, channels) with each pair of neighbouring channels turned (Su et al. 2021, eq. 34)."""
    shape = ops.shape(x)
    half = x.shape[-1] // 2
    angle = _angles(shape[1], ops.arange(half, dtype="float32") / half, base)[:, None, :]
    cos, sin = ops.cast(ops.cos(angle), x.dtype), ops.cast(ops.sin(angle), x.dtype)
    pairs = ops.reshape(x, (*shape[:-1], half, 2))
    a, b = pairs[..., 0], pairs[..., 1]
    return ops.reshape(ops.stack([a * cos - b * sin, a * sin + b * cos], axis=-1), shape)


def _angles(steps: Tensor, exponents: Tensor, base: float) -> Tensor:
    """(time, channels): t / base ** exponent, in float32 whatever the layer computes in."""
    time = ops.cast(ops.arange(steps), "float32")
    return time[:, None] / ops.power(base, ops.cast(exponents, "float32"))[None, :]
