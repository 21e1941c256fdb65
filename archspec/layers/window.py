"""Windows of a map (batch, height, width, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.attention import kept
from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


def partitioned(x: Tensor, size: Sequence[int], grid: bool) -> Tensor:
    """(batch, windows, positions, channels)"""
    shape = ops.shape(x)
    (height, width), channels = x.shape[1:3], x.shape[3]
    rows, columns = height // size[0], width // size[1]
    if grid:
        x = ops.reshape(x, (shape[0], size[0], rows, size[1], columns, channels))
        x = ops.transpose(x, (0, 2, 4, 1, 3, 5))
    else:
        x = ops.reshape(x, (shape[0], rows, size[0], columns, size[1], channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (shape[0], rows * columns, size[0] * size[1], channels))


def put_back(x: Tensor, size: Sequence[int], shape: Sequence[int], grid: bool) -> Tensor:
    """The inverse, to a map of height and width ``shape``."""
    batch, channels = ops.shape(x)[0], x.shape[-1]
    rows, columns = shape[0] // size[0], shape[1] // size[1]
    x = ops.reshape(x, (batch, rows, columns, *size, channels))
    x = ops.transpose(x, (0, 3, 1, 4, 2, 5) if grid else (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (batch, *shape, channels))


def distances(window: Sequence[int]) -> Tensor:
    """(positions, positions): the number of the distance from key to query, as in the tables of Swin."""
    places = np.array(list(product(*map(range, window))))
    apart = places[:, None] - places[None] + (np.array(window) - 1)
    return np.ravel_multi_index(np.moveaxis(apart, -1, 0), [2 * n - 1 for n in window]).astype("int32")


@register
class WindowPartition(keras.Layer):
    """A map cut into windows, neighbours or (``grid``) positions that lie far apart."""

    def __init__(self, size: Sequence[int], grid: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.grid = tuple(size), grid

    def call(self, inputs: Tensor) -> Tensor:
        return partitioned(inputs, self.size, self.grid)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": list(self.size), "grid": self.grid}


@register
class WindowReverse(keras.Layer):
    """Windows put together to a map of height and width ``shape``."""

    def __init__(self, size: Sequence[int], shape: Sequence[int], grid: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.shape, self.grid = tuple(size), tuple(shape), grid

    def call(self, inputs: Tensor) -> Tensor:
        return put_back(inputs, self.size, self.shape, self.grid)

    def get_config(self) -> dict[str, Any]:
        config = {"size": list(self.size), "shape": list(self.shape), "grid": self.grid}
        return {**super().get_config(), **config}


@register
class RelativePositionBias(keras.Layer):
    """Adds a bias for each head and distance within a window to (…, heads, queries, keys)."""

    def __init__(self, window: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.window = tuple(window)
        self.supports_masking = True

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.table = _table(self, self.window, input_shape[-3])

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + _biases(self.table, self.window)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "window": list(self.window)}


@register
class WindowAttention(keras.Layer):
    """Attention within windows of a map (Liu et al. 2021). ``stretches`` numbers, for the rows and columns of the map
    that is filled up and shifted, those that may read each other; None where all of a window may."""

    def __init__(
        self,
        heads: int,
        window: Sequence[int],
        shift: Sequence[int] = (0, 0),
        stretches: Sequence[Sequence[int]] | None = None,
        grid: bool = False,
        bias: bool = True,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.heads, self.window, self.shift, self.grid = heads, tuple(window), tuple(shift), grid
        self.stretches, self.bias, self.dropout = stretches, bias, dropout

    def build(self, input_shape: tuple[int, ...]) -> None:
        channels = input_shape[-1]
        self.filled = [-(-n // w) * w for n, w in zip(input_shape[1:3], self.window, strict=True)]
        self.table = _table(self, self.window, self.heads)
        self.qkv = keras.layers.Dense(3 * channels, use_bias=self.bias, name="qkv", dtype=self.dtype_policy)
        self.qkv.build(input_shape)
        self.proj = keras.layers.Dense(channels, use_bias=self.bias, name="proj", dtype=self.dtype_policy)
        self.proj.build(input_shape)
        self.dropout_layer = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        height, width = inputs.shape[1:3]
        below, right = self.filled[0] - height, self.filled[1] - width
        x = ops.pad(inputs, ((0, 0), (0, below), (0, right), (0, 0))) if below or right else inputs
        if any(self.shift):
            x = ops.roll(x, [-n for n in self.shift], axis=(1, 2))
        y = put_back(
            self._attended(partitioned(x, self.window, self.grid), training), self.window, self.filled, self.grid
        )
        if any(self.shift):
            y = ops.roll(y, self.shift, axis=(1, 2))
        return y[:, :height, :width]

    def _attended(self, x: Tensor, training: bool) -> Tensor:
        """(batch, windows, positions, channels), each position reading its window."""
        (batch, *_), (windows, positions, channels) = ops.shape(x), x.shape[1:]
        qkv = ops.reshape(self.qkv(x), (batch, windows, positions, 3, self.heads, channels // self.heads))
        q, k, v = (qkv[:, :, :, i] for i in range(3))
        scores = ops.einsum("bnqhd,bnkhd->bnhqk", q * (channels // self.heads) ** -0.5, k)
        scores = scores + _biases(self.table, self.window)
        if self.stretches is not None:
            scores = kept(scores, ops.convert_to_tensor(self._visible(*map(np.array, self.stretches))))
        weights = self.dropout_layer(ops.softmax(scores, axis=-1), training=training)
        y = ops.einsum("bnhqk,bnkhd->bnqhd", weights, v)
        return self.proj(ops.reshape(y, (batch, windows, positions, channels)))

    def _visible(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(windows, 1, queries, keys): whether two positions lie in one stretch of the map."""
        (height, width), (down, across) = self.window, (len(rows), len(columns))
        number = rows[:, None] * (columns.max() + 1) + columns[None]
        cut = number.reshape(down // height, height, across // width, width).transpose(0, 2, 1, 3)
        cut = cut.reshape(-1, height * width)
        return cut[:, None, :, None] == cut[:, None, None, :]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {"window": list(self.window), "shift": list(self.shift)}
        config |= {name: getattr(self, name) for name in ("heads", "stretches", "grid", "bias", "dropout")}
        return {**super().get_config(), **config}


def _table(layer: keras.Layer, window: Sequence[int], heads: int) -> Tensor:
    """The weight of a bias for each distance and head."""
    count = int(np.prod([2 * n - 1 for n in window]))
    start = keras.initializers.TruncatedNormal(stddev=0.02)
    return layer.add_weight(name="table", shape=(count, heads), initializer=start)


def _biases(table: Tensor, window: Sequence[int]) -> Tensor:
    """(heads, queries, keys)"""
    index = distances(window)
    taken = ops.take(table, ops.convert_to_tensor(index.reshape(-1)), axis=0)
    return ops.transpose(ops.reshape(taken, (*index.shape, -1)), (2, 0, 1))
