"""Pooling that Keras lacks: integer padding, partial last windows, bins of any number."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.tensor import Shape, Tensor

Sides = tuple[tuple[int, int], ...]
"""(before, after) per spatial axis."""

register = keras.saving.register_keras_serializable("archspec")


def pooling(
    mode: str, size: tuple[int, ...], strides: tuple[int, ...], padding: str | Sides, ceil: bool
) -> keras.Layer:
    """Pooling by ``mode`` (max, average) over ``len(size)`` axes: Keras's own layer where that computes the same."""
    if not isinstance(padding, str) and not ceil:
        # What padding adds to a mean, words leave out; a maximum knows no difference.
        same = tuple(((k - 1) // 2, k // 2) for k in size)
        if not any(map(any, padding)):
            padding = "valid"
        elif mode == "max" and set(strides) == {1} and padding == same:
            padding = "same"
    if isinstance(padding, str) and not ceil:
        layer = getattr(keras.layers, f"{'Max' if mode == 'max' else 'Average'}Pooling{len(size)}D")
        return layer(size, strides=strides, padding=padding, data_format="channels_last")
    return WindowPooling(mode, size, strides, ((0, 0),) * len(size) if isinstance(padding, str) else padding, ceil)


def global_pooling(mode: str, rank: int, keep: bool, *, is_unmasked: bool = False) -> keras.Layer:
    """Pooling by ``mode`` (max, average) over all of ``rank`` axes; over a single one with respect for masks."""
    if rank == 1 and not is_unmasked:
        layer = MaskedGlobalMaxPooling1D if mode == "max" else MaskedGlobalAveragePooling1D
    else:
        layer = getattr(keras.layers, f"Global{'Max' if mode == 'max' else 'Average'}Pooling{rank}D")
    return layer(keepdims=keep, data_format="channels_last")


@register
class MaskedGlobalAveragePooling1D(keras.layers.GlobalAveragePooling1D):
    """GlobalAveragePooling1D where the mean of no step at all is 0; Keras's is NaN."""

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return super().call(inputs)
        there = ops.cast(mask, "bool")[:, :, None]
        total = ops.sum(ops.where(there, inputs, ops.zeros_like(inputs)), axis=1, keepdims=self.keepdims)
        count = ops.sum(ops.cast(there, inputs.dtype), axis=1, keepdims=self.keepdims)
        return total / ops.maximum(count, 1)


@register
class MaskedGlobalMaxPooling1D(keras.layers.GlobalMaxPooling1D):
    """GlobalMaxPooling1D where masked steps never win, as they do in Keras; the maximum of no step at all is 0."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return super().call(inputs)
        there = ops.cast(mask, "bool")[:, :, None]
        lowest = ops.cast(float("-inf"), inputs.dtype)
        largest = ops.max(ops.where(there, inputs, lowest), axis=1, keepdims=self.keepdims)
        return ops.where(ops.any(there, axis=1, keepdims=self.keepdims), largest, ops.zeros_like(largest))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return None


@register
class WindowPooling(keras.Layer):
    """``max`` or ``average`` pooling with (before, after) padding per axis, by PyTorch's rules.

    Padding never wins a maximum and counts in a mean. With ``ceil`` a last, partial window stays if it starts inside
    the input or its left padding; what of it lies beyond the padding is left out of the mean.
    """

    def __init__(self, mode: str, size: Tensor, strides: Any, padding: Any, ceil: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.mode, self.size, self.strides, self.ceil = mode, tuple(size), tuple(strides), ceil
        self.padding = tuple((int(b), int(a)) for b, a in padding)

    def call(self, inputs: Tensor) -> Tensor:
        sizes = ops.shape(inputs)[1:-1]
        sides = ((0, 0), *self.padding, (0, 0))
        tails = ((0, 0), *((0, self._tail(axis, n)) for axis, n in enumerate(sizes)), (0, 0))
        partial = any(map(any, tails))
        if self.mode == "max":
            whole = tuple((b, a + t) for (b, a), (_, t) in zip(sides, tails, strict=True))
            y = ops.max_pool(_pad(inputs, whole, float("-inf")), self.size, self.strides, "valid", "channels_last")
        else:
            x = _pad(_pad(inputs, sides, 0.0), tails, 0.0)
            y = ops.average_pool(x, self.size, self.strides, "valid", "channels_last")
        if not partial:
            return y
        # Where a size is open the tail may be too long: windows that start too late are dropped again.
        kept = (slice(None), *(slice(self._count(axis, n)) for axis, n in enumerate(sizes)))
        if self.mode == "max":
            return y[kept]
        counted = _pad(_pad(ops.ones_like(inputs[:1, ..., :1]), sides, 1.0), tails, 0.0)
        return ops.divide(y[kept], ops.average_pool(counted, self.size, self.strides, "valid", "channels_last")[kept])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        return (batch, *(None if n is None else self._count(axis, n) for axis, n in enumerate(sizes)), channels)

    def get_config(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in ("mode", "size", "strides", "padding", "ceil")}
        return {**super().get_config(), **own}

    def _count(self, axis: int, n: Tensor) -> Tensor:
        """Windows along an axis of ``n`` positions (a number or a scalar tensor)."""
        size, stride, (before, after) = self.size[axis], self.strides[axis], self.padding[axis]
        room = n + before + after - size
        if not self.ceil:
            return room // stride + 1
        count, starts = (room + stride - 1) // stride + 1, (n + before - 1) // stride + 1
        return min(count, starts) if isinstance(n, int) else ops.minimum(count, starts)

    def _tail(self, axis: int, n: Tensor) -> Tensor:
        """Rows behind the padding that complete the last window; the most that there can be where ``n`` is open."""
        if not self.ceil:
            return 0
        if not isinstance(n, int):
            return self.strides[axis] - 1
        end = (self._count(axis, n) - 1) * self.strides[axis] + self.size[axis]
        return max(0, end - n - sum(self.padding[axis]))


def adaptive_pooling(mode: str, size: tuple[int, ...], spatial: tuple[int | None, ...]) -> keras.Layer:
    """Pooling by ``mode`` (max, average) to ``size`` bins over ``spatial`` axes: Keras's own layer where it does the
    same."""
    if mode == "average" and None not in spatial:
        layer = getattr(keras.layers, f"AdaptiveAveragePooling{len(size)}D")
        return layer(size, data_format="channels_last")
    return AdaptivePooling(mode, size)


@register
class IndexedMaxPooling(keras.Layer):
    """Maxima and where each was, counted along the rows of its channel's plane; of equal ones the first, as in PyTorch.

    ``count`` is how many windows there are along each axis. Only the number that wins has a gradient.
    """

    def __init__(self, size: Tensor, strides: Any, padding: str | Sides, count: Tensor, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.strides, self.count = tuple(size), tuple(strides), tuple(count)
        self.padding = padding if isinstance(padding, str) else tuple((int(b), int(a)) for b, a in padding)

    def call(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        sizes, rank = inputs.shape[1:-1], len(self.size)
        spans = [(n - 1) * s + k for n, s, k in zip(self.count, self.strides, self.size, strict=True)]
        before = [
            max(span - n, 0) // 2 if self.padding == "same" else 0 if self.padding == "valid" else self.padding[axis][0]
            for axis, (span, n) in enumerate(zip(spans, sizes, strict=True))
        ]
        # What no window reads stays beside the padding's end, where no slice comes to.
        sides = [(b, max(span - n - b, 0)) for b, span, n in zip(before, spans, sizes, strict=True)]
        padded = _pad(inputs, ((0, 0), *sides, (0, 0)), float("-inf"))
        largest = where = None
        for taps in product(*map(range, self.size)):
            cuts = (slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(taps, self.count, self.strides, strict=True))
            tap, place = padded[(slice(None), *cuts)], self._places(taps, before, sizes, rank)
            if largest is None:
                largest, where = tap, ops.zeros_like(tap, dtype="int32") + place
            else:
                is_larger = tap > largest
                largest, where = ops.where(is_larger, tap, largest), ops.where(is_larger, place, where)
        return largest, where

    def _places(self, taps: Tensor, before: Tensor, sizes: Tensor, rank: int) -> Tensor:
        """Where in the plane this tap of every window lies, of shape (rows, …, 1); on padding, the place beside it."""
        flat = 0
        for axis, size in enumerate(sizes):
            along = np.arange(self.count[axis]) * self.strides[axis] + taps[axis] - before[axis]
            shape = [1] * (rank + 1)
            shape[axis] = -1
            flat = flat * size + np.clip(along, 0, size - 1).reshape(shape)
        return ops.convert_to_tensor(flat, "int32")

    def compute_output_spec(self, inputs: Tensor) -> tuple[keras.KerasTensor, ...]:
        shape = (inputs.shape[0], *self.count, inputs.shape[-1])
        return keras.KerasTensor(shape, self.compute_dtype), keras.KerasTensor(shape, "int32")

    def get_config(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in ("size", "strides", "padding", "count")}
        return {**super().get_config(), **own}


@register
class Unpooling(keras.Layer):
    """Numbers put at the places of planes of ``size`` that a second input says; what is at none is 0."""

    def __init__(self, size: Tensor, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, inputs: Tensor, indices: Tensor) -> Tensor:
        places, channels = math.prod(inputs.shape[1:-1]), inputs.shape[-1]
        count = ops.shape(inputs)[0]
        example = ops.broadcast_to(ops.arange(count, dtype="int32")[:, None, None], (count, places, channels))
        channel = ops.broadcast_to(ops.arange(channels, dtype="int32"), (count, places, channels))
        place = ops.reshape(ops.cast(indices, "int32"), (count, places, channels))
        # By three numbers and not by one: int32 would not count the elements of a large batch.
        at = ops.reshape(ops.stack([example, place, channel], axis=-1), (-1, 3))
        planes = ops.zeros((count, math.prod(self.size), channels), inputs.dtype)
        # Keras's scatter is a loop in Python on PyTorch.
        planes = ops.scatter_update(planes, at, ops.reshape(inputs, (-1,)), reduction="add")
        return ops.reshape(planes, (count, *self.size, channels))

    def compute_output_spec(self, inputs: Tensor, indices: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor((inputs.shape[0], *self.size, inputs.shape[-1]), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@register
class AdaptivePooling(keras.Layer):
    """``max`` or ``average`` over ``size[axis]`` bins per axis; bin i spans ⌊i·H/n⌋ to ⌈(i + 1)·H/n⌉, as in PyTorch.

    Keras has such layers, but they need known sizes; its maximum over one bin ends a process on the CPU by SIGFPE, and
    over an axis of length 1 has no gradient but what lies in memory (Keras 3.15, TensorFlow 2.21: it pools by a window
    one larger than the input).
    """

    def __init__(self, mode: str, size: Tensor, **kwargs: Any):
        super().__init__(**kwargs)
        self.mode, self.size = mode, tuple(size)

    def call(self, inputs: Tensor) -> Tensor:
        reduce = ops.max if self.mode == "max" else ops.mean
        y = inputs
        for axis, n in enumerate(self.size, start=1):
            length = ops.shape(y)[axis]
            ahead = (slice(None),) * axis
            bins = [y[(*ahead, slice(i * length // n, -(-(i + 1) * length // n)))] for i in range(n)]
            y = ops.concatenate([reduce(part, axis=axis, keepdims=True) for part in bins], axis=axis)
        return y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self.size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode, "size": self.size}


def _pad(x: Tensor, sides: Tensor, value: float) -> Tensor:
    return ops.pad(x, sides, constant_values=value) if any(map(any, sides)) else x
