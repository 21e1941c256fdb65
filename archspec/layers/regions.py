"""Parts of maps under boxes, in float32 under every policy.

Bilinear reading is separable: a bin's mean of places is a row of weights along y times the map times a row of weights
along x, for any number of places. That serves every backend, and boxes of which each wants its own number of places;
TensorFlow reads the few positions that a box needs instead, from a map with its border doubled, so that what lies up to
one position over the border is the border's.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


class OfSize(keras.Layer):
    """Makes pictures of ``size`` (height, width) of boxes, in float32 under every policy."""

    def __init__(self, size: Sequence[int], **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.size = tuple(size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@register
class AlignedRegions(OfSize):
    """Maps (batch, height, width, channels), then boxes (batch, R, 4), to (batch, R, *size, channels)."""

    def __init__(
        self,
        size: Sequence[int],
        stride: Sequence[float],
        samples: int,
        *,
        aligned: bool,
        canonical: Sequence[float],
        **kwargs: Any,
    ):
        super().__init__(size, **kwargs)
        self.stride, self.samples, self.aligned, self.canonical = tuple(stride), samples, aligned, tuple(canonical)
        # TensorFlow's reading of positions is not among what XLA compiles.
        self.supports_jit = not self._is_read()

    def call(self, inputs: Tensor) -> Tensor:
        *maps, boxes = inputs
        boxes = ops.stop_gradient(boxes)
        if len(maps) == 1:
            return self._regions(maps[0], self.stride[0], boxes)
        levels = self._levels(boxes)
        if self._is_read():
            return self._read_by_level(maps, boxes, levels)
        made = [self._regions(x, stride, boxes) for x, stride in zip(maps, self.stride, strict=True)]
        chosen = [ops.cast(levels == i, "float32")[..., None, None, None] for i in range(len(maps))]
        return sum(x * y for x, y in zip(made, chosen, strict=True))

    def _is_read(self) -> bool:
        return bool(self.samples) and keras.backend.backend() == "tensorflow"

    def _levels(self, boxes: Tensor) -> Tensor:
        """Which map each box is looked at on: (batch, R)."""
        side = ops.sqrt(ops.maximum((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), 0.0))
        size, stride = self.canonical
        first = log2(stride / self.stride[0])
        # As torchvision: a box just as large as a limit must not fall below it by rounding.
        level = ops.floor(first + ops.log2(ops.maximum(side, 1e-6) / size) + 1e-6)
        return ops.cast(ops.clip(level, 0, len(self.stride) - 1), "int32")

    def _placed(self, boxes: Tensor, stride: float) -> tuple[Tensor, Tensor]:
        """Starts and extents of boxes in positions, x then y."""
        start, end = boxes[..., :2] / stride, boxes[..., 2:] / stride
        if self.aligned:
            return start - 0.5, end - start
        return start, ops.maximum(end - start, 1.0)

    def _regions(self, x: Tensor, stride: float, boxes: Tensor) -> Tensor:
        start, extent = self._placed(boxes, stride)
        if self._is_read():
            return self._read(x, start, extent)
        y = weights(start[..., 1], extent[..., 1], self.size[0], self.samples, x.shape[1])
        across = weights(start[..., 0], extent[..., 0], self.size[1], self.samples, x.shape[2])
        return weighted(x, y, across)

    def _read(self, x: Tensor, start: Tensor, extent: Tensor) -> Tensor:
        batch, rows = ops.shape(start)[0], start.shape[1]
        of = ops.repeat(ops.arange(batch), rows)
        made = self._means(x, ops.reshape(start, (-1, 2)), ops.reshape(extent, (-1, 2)), of)
        return ops.reshape(made, (-1, rows, *self.size, x.shape[-1]))

    def _means(self, x: Tensor, start: Tensor, extent: Tensor, of: Tensor) -> Tensor:
        down, right = self.size
        taken = read(x, start, extent, of, (down * self.samples, right * self.samples))
        bins = ops.reshape(taken, (-1, down, self.samples, right, self.samples, x.shape[-1]))
        return ops.mean(bins, axis=(2, 4))

    def _read_by_level(self, maps: Sequence[Tensor], boxes: Tensor, levels: Tensor) -> Tensor:
        """Each box on its own map alone; what was found is put back in the order of the boxes."""
        import tensorflow as tf

        batch, rows = ops.shape(boxes)[0], boxes.shape[1]
        of, flat = ops.repeat(ops.arange(batch), rows), ops.reshape(boxes, (-1, 4))
        levels, places, made = ops.reshape(levels, (-1,)), [], []
        for i, (x, stride) in enumerate(zip(maps, self.stride, strict=True)):
            mine = tf.cast(tf.where(levels == i)[:, 0], "int32")
            start, extent = self._placed(tf.gather(flat, mine), stride)
            places.append(mine)
            made.append(self._means(x, start, extent, tf.gather(of, mine)))
        return ops.reshape(tf.dynamic_stitch(places, made), (-1, rows, *self.size, maps[0].shape[-1]))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        *maps, boxes = input_shape
        return (*boxes[:2], *self.size, maps[0][-1])

    def get_config(self) -> dict[str, Any]:
        own = {"stride": self.stride, "samples": self.samples, "aligned": self.aligned, "canonical": self.canonical}
        return {**super().get_config(), **own}


@register
class CroppedRegions(OfSize):
    """A map (batch, height, width, channels) and boxes (batch, R, 4) to (batch, R, *size, channels)."""

    def __init__(self, size: Sequence[int], stride: float, fill: float, mode: str = "bilinear", **kwargs: Any):
        super().__init__(size, **kwargs)
        self.stride, self.fill, self.mode = stride, fill, mode
        self.supports_jit = mode != "bilinear" or keras.backend.backend() != "tensorflow"

    def call(self, x: Tensor, boxes: Tensor) -> Tensor:
        boxes = ops.stop_gradient(boxes) / self.stride
        if self.mode == "torch_area":
            return self._means(x, boxes)
        start, extent = boxes[..., :2] - 0.5, boxes[..., 2:] - boxes[..., :2]
        rows = boxes.shape[1]
        if keras.backend.backend() == "tensorflow":
            of = ops.repeat(ops.arange(ops.shape(boxes)[0]), rows)
            made = read(x, ops.reshape(start, (-1, 2)), ops.reshape(extent, (-1, 2)), of, self.size)
            made = ops.reshape(made, (-1, rows, *self.size, x.shape[-1]))
        else:
            y = weights(start[..., 1], extent[..., 1], self.size[0], 1, x.shape[1])
            made = weighted(x, y, weights(start[..., 0], extent[..., 0], self.size[1], 1, x.shape[2]))
        inside = []
        for axis, count, length in ((1, self.size[0], x.shape[1]), (0, self.size[1], x.shape[2])):
            place = places(start[..., axis], extent[..., axis], count)
            inside.append(ops.logical_and(place >= -0.5, place <= length - 0.5))
        within = ops.logical_and(inside[0][..., :, None], inside[1][..., None, :])
        return ops.where(within[..., None], made, self.fill)

    def _means(self, x: Any, boxes: Any) -> Any:
        limits = np.array([x.shape[2], x.shape[1]] * 2, "float32")
        corners = ops.cast(ops.clip(ops.floor(boxes), 0.0, limits), "int32")
        made, sound = [], []
        for axis, count, length in ((1, self.size[0], x.shape[1]), (0, self.size[1], x.shape[2])):
            first, extent = corners[..., axis], corners[..., axis + 2] - corners[..., axis]
            made.append(touched(first, extent, count, length))
            sound.append(extent > 0)
        return ops.where(ops.logical_and(*sound)[..., None, None, None], weighted(x, *made), self.fill)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stride": self.stride, "fill": self.fill, "mode": self.mode}


@register
class PooledRegions(OfSize):
    """A map (batch, height, width, channels) and boxes (batch, R, 4) to (batch, R, *size, channels).

    The largest number of any bin is the largest of four, out of maps of the largest in windows of every power of two,
    which are made once: none is read for each position of a bin.
    """

    def __init__(self, size: Sequence[int], stride: float, **kwargs: Any):
        super().__init__(size, **kwargs)
        self.stride = stride

    def call(self, x: Tensor, boxes: Tensor) -> Tensor:
        boxes = ops.stop_gradient(boxes) / self.stride
        height, width, channels = x.shape[1:]
        # Halves are rounded away from 0, as C does.
        corners = ops.cast(ops.sign(boxes) * ops.floor(ops.abs(boxes) + 0.5), "int32")
        y, x_axis = self._bins(corners, 1, self.size[0], height), self._bins(corners, 0, self.size[1], width)
        down, right = len(_powers(height)), len(_powers(width))
        table = ops.stack([_windows(_windows(x, 1, i), 2, k) for i in range(down) for k in range(right)], axis=1)
        table = ops.reshape(table, (-1, channels))
        rows = ops.arange(ops.shape(boxes)[0], dtype="int32")[:, None, None, None]
        found = None
        for at_y in y[1:]:
            for at_x in x_axis[1:]:
                level = (rows * down + y[0][..., None]) * right + x_axis[0][:, :, None]
                index = (level * height + at_y[..., None]) * width + at_x[:, :, None]
                taken = ops.take(table, index, axis=0)
                found = taken if found is None else ops.maximum(found, taken)
        empty = ops.logical_or((y[0] < 0)[..., None], (x_axis[0] < 0)[:, :, None])
        return ops.where(empty[..., None], 0.0, found)

    def _bins(self, corners: Tensor, axis: int, count: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """For each bin the power of two below its extent, -1 for an empty one, and where the first and the last window
        of that extent begin: (batch, R, count) each."""
        first, last = corners[..., axis], corners[..., axis + 2]
        extent = ops.cast(ops.maximum(last - first + 1, 1), "float32")[..., None] / count
        number = np.arange(count, dtype="float32")
        begin = ops.cast(ops.floor(number * extent), "int32") + first[..., None]
        end = ops.cast(ops.ceil((number + 1) * extent), "int32") + first[..., None]
        begin, end = ops.clip(begin, 0, length), ops.clip(end, 0, length)
        power = ops.sum(ops.cast((end - begin)[..., None] >= np.array(_powers(length)), "int32"), axis=-1) - 1
        window = ops.take(ops.convert_to_tensor(_powers(length), "int32"), ops.maximum(power, 0), axis=0)
        return power, ops.minimum(begin, length - 1), ops.maximum(end - window, 0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stride": self.stride}


def _powers(length: int) -> list[int]:
    return [2**k for k in range(length.bit_length())]


def _windows(x: Tensor, axis: int, power: int) -> Tensor:
    """At each position the largest of the 2^power from there on, as far as the map goes."""
    for k in range(power):
        later = ops.take(x, np.minimum(np.arange(x.shape[axis]) + 2**k, x.shape[axis] - 1), axis=axis)
        x = ops.maximum(x, later)
    return x


def places(start: Tensor, extent: Tensor, count: int) -> Tensor:
    """``count`` places spread evenly over extents: (…, count)."""
    share = (np.arange(count, dtype="float32") + 0.5) / count
    return start[..., None] + extent[..., None] * share


def read(x: Tensor, start: Tensor, extent: Tensor, of: Tensor, grid: Sequence[int]) -> Tensor:
    """A map at a grid of places in boxes (n, 2), each of the example ``of`` (n,): (n, *grid, channels); 0 beyond one
    position over the border. TensorFlow only."""
    import tensorflow as tf

    height, width = x.shape[1:3]
    padded = tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    share = extent / np.array([grid[1], grid[0]], "float32") / 2
    lengths = np.array([width + 1, height + 1], "float32")
    low, high = (start + share + 1) / lengths, (start + extent - share + 1) / lengths
    boxes = tf.concat([low[:, ::-1], high[:, ::-1]], axis=1)
    return tf.image.crop_and_resize(padded, boxes, tf.cast(of, "int32"), tuple(grid))


def weights(start: Tensor, extent: Tensor, bins: int, samples: int, length: int) -> Tensor:
    """What each position of an axis counts in each bin of boxes (…): (…, bins, length). ``samples`` places in each bin;
    0 for as many as it has positions."""
    if samples:
        at = places(start, extent, bins * samples)
        return ops.mean(ops.reshape(_hat(at, length), (-1, at.shape[-2], bins, samples, length)), axis=-2)
    count = ops.ceil(ops.maximum(extent, 0.0) / bins)
    step, number = extent / bins, np.arange(bins, dtype="float32")
    begin = start[..., None] + step[..., None] * number

    def turn(i: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        share = (ops.cast(i, "float32") + 0.5) / ops.maximum(count, 1.0)
        added = _hat(begin + (step * share)[..., None], length)
        return i + 1, total + ops.where((ops.cast(i, "float32") < count)[..., None, None], added, 0.0)

    most = ops.cast(ops.max(count), "int32")
    zeros = ops.zeros_like(begin[..., None] + np.zeros(length, "float32"))
    _, total = ops.while_loop(lambda i, _: i < most, turn, (ops.cast(most * 0, "int32"), zeros))
    return total / ops.maximum(count, 1.0)[..., None, None]


def touched(first: Tensor, extent: Tensor, count: int, length: int) -> Tensor:
    """What each position of an axis counts in the mean of those that each of ``count`` cells touches, of stretches
    (…) of positions: (…, count, length)."""
    number = ops.arange(count, dtype="int32")
    first, extent = first[..., None], extent[..., None]
    begin, end = first + number * extent // count, first - (-(number + 1) * extent // count)
    at = ops.arange(length, dtype="int32")
    within = ops.logical_and(at >= begin[..., None], at < end[..., None])
    return ops.cast(within, "float32") / ops.maximum(ops.cast(end - begin, "float32"), 1.0)[..., None]


def _hat(at: Tensor, length: int) -> Tensor:
    """What each position counts at places: (…, length). Up to one position over the border it is the border's."""
    within = ops.logical_and(at >= -1.0, at <= length)
    near = ops.clip(at, 0.0, length - 1.0)[..., None]
    found = ops.maximum(1.0 - ops.abs(near - np.arange(length, dtype="float32")), 0.0)
    return ops.where(within[..., None], found, 0.0)


def weighted(x: Tensor, y: Tensor, across: Tensor) -> Tensor:
    """A map (batch, height, width, channels) by weights (batch, R, bins, height) and (batch, R, bins, width)."""
    return ops.einsum("brqw,brpwc->brpqc", across, ops.einsum("brph,bhwc->brpwc", y, x))
