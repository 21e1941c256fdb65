"""Batches without TensorFlow, for Keras on another backend: arrays in memory, by NumPy.

The order is that of the pipeline, to the example: TensorFlow's index_shuffle is a block cipher of four rounds (Simon,
eprint.iacr.org/2013/404, at a word size that fits), done again until it is within the range; so it is here, in NumPy
(after tensorflow/core/kernels/random_index_shuffle.cc). Transforms are those that have ``on_arrays``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from math import ceil, log2
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.sampler import FIRST_KEY
from archspec.data.source import TRAIN, DataSource, Pairs
from archspec.data.transform import Transform, TransformError, valued

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.feature import Feature

ROUND = 0xFFFFFFFC ^ 1
"""Constant of Simon's key schedule, with the first bit of its sequence."""

SMALL = 2**16
"""What the smallest block holds."""


def check(source: DataSource, raw: Example, *stages: Sequence[Transform]) -> None:
    """Refuse what only TensorFlow can do. Raises TransformError, DataError."""
    if not source.in_memory or raw.padded or raw.has_open_sizes:
        raise DataError(
            f"{source.name}: without TensorFlow, data must be arrays of one size, in memory",
            help="npz, digits and shapes are, for example; or pip install tensorflow",
        )
    for transforms in stages:
        for position, transform in enumerate(transforms):
            if not _is_plain(transform):
                known = ", ".join(kind.name for kind in Transform.all() if _has_arrays(kind))
                refused = TransformError(
                    f"{_called(transform)} needs TensorFlow, which cannot be imported",
                    help=f"without it there are {known}; resizing is bilinear or nearest",
                )
                refused.position = position
                raise refused


def _has_arrays(kind: type[Transform]) -> bool:
    return kind.on_arrays is not Transform.on_arrays


def _is_plain(transform: Transform) -> bool:
    return _has_arrays(type(transform)) and getattr(transform, "method", "bilinear") in ("bilinear", "nearest")


def _called(transform: Transform) -> str:
    method = getattr(transform, "method", None)
    return f"{transform.name}: {{method: {method}}}" if method else transform.name


def training(
    source: DataSource,
    steps: Sequence[Transform],
    pairs: Pairs,
    *,
    size: int,
    count: int,
    seed: int,
    first_step: int,
    shard: tuple[int, int],
) -> Any:
    """Batches of ``size`` of the ``count`` training examples from a step on, endless: a ``keras.utils.PyDataset``."""
    import numpy as np

    per_epoch = count // size
    part, parts = shard
    slice = np.arange(size // parts * part, size // parts * (part + 1))

    def at(position: int) -> tuple[np.ndarray, int]:
        epoch, within = divmod(first_step + position, per_epoch)
        return shuffled(within * size + slice, seed, epoch, count), epoch

    return _batches(source.arrays(TRAIN), source.features().features, steps, pairs, at, None)


def evaluation(
    source: DataSource,
    split: str,
    steps: Sequence[Transform],
    pairs: Pairs,
    *,
    size: int,
    count: int,
    shard: tuple[int, int],
) -> Any:
    """The ``count`` examples of a split once, in order, as ``keras.utils.PyDataset``."""
    import numpy as np

    part, parts = shard

    def at(position: int) -> tuple[np.ndarray, int]:
        return np.split(np.arange(position * size, min((position + 1) * size, count)), parts)[part], 0

    return _batches(source.arrays(split), source.features().features, steps, pairs, at, ceil(count / size))


def _batches(
    arrays: Mapping[str, np.ndarray],
    features: Mapping[str, Feature],
    steps: Sequence[Transform],
    pairs: Pairs,
    at: Callable[[int], tuple[np.ndarray, int]],
    count: int | None,
) -> Any:
    import keras
    import numpy as np

    part = valued(features)

    class Batches(keras.utils.PyDataset):
        """Batch by batch, each as its position says."""

        num_batches = count

        def __getitem__(self, position: int) -> Any:
            index, epoch = at(position)
            batch = {name: array[index] for name, array in arrays.items()}
            if part is not None:
                for step in steps:
                    batch[part] = step.on_arrays(batch[part])
            return pairs({**batch, "epoch": np.full_like(index, epoch), "index": index})

    return Batches()


def shuffled(position: np.ndarray, seed: int, number: int, size: int) -> np.ndarray:
    """Where positions below ``size`` stand in the permutation of (seed, number): ``tf.random.experimental.
    index_shuffle(position, [seed, number], size - 1)``, as int64."""
    if size <= SMALL:
        order: np.ndarray = _permutation(seed, number, size)[position]
        return order
    return _walked(position.astype("uint64"), partial(_encrypted, _width(size), seed, number), size)


@lru_cache(4)
def _permutation(seed: int, number: int, size: int) -> np.ndarray:
    """All of a permutation that is much smaller than what the cipher permutes, so that most steps lead outside."""
    import numpy as np

    if size == 1:
        return np.zeros(1, np.int64)
    table = _encrypted(_width(size), seed, number, np.arange(SMALL, dtype=np.uint64))
    return _walked(np.arange(size, dtype=np.uint64), table.__getitem__, size)


def _walked(out: np.ndarray, step: Callable[[Any], Any], size: int) -> np.ndarray:
    """Where steps lead that are taken until they lead below ``size``."""
    import numpy as np

    out = step(out)
    outside = np.flatnonzero(out >= size)
    while len(outside):
        out[outside] = step(out[outside])
        outside = outside[out[outside] >= size]
    return out.astype(np.int64)


def _width(size: int) -> int:
    """Bits of half a block."""
    bits = ceil(log2(size - 1))
    return max(bits + bits % 2, 16) // 2


def _encrypted(width: int, seed: int, number: int, x: np.ndarray) -> np.ndarray:
    """Four rounds of the cipher."""
    import numpy as np

    mask = 2**width - 1

    def turned(x: Any, by: int) -> Any:
        return (x << np.uint64(by) | x >> np.uint64(width - by)) & np.uint64(mask)

    def mixed(x: object) -> Any:
        return turned(x, 1) & turned(x, 8) ^ turned(x, 2)

    keys = [np.uint64(key % 2**32 & mask) for key in (FIRST_KEY, seed, number)]
    keys.append(np.uint64(ROUND & mask) ^ keys[0] ^ turned(keys[2], width - 3) ^ turned(keys[2], width - 4))
    left, right = x >> np.uint64(width), x & np.uint64(mask)
    for one, other in (keys[:2], keys[2:]):
        left = left ^ mixed(right) ^ one
        right = right ^ mixed(left) ^ other
    return left << np.uint64(width) | right


def resized(image: np.ndarray, size: tuple[int, int], method: str, antialias: bool) -> np.ndarray:
    """Images (batch, height, width, channels) scaled as ``tf.image.resize`` does, float32."""
    import numpy as np

    out = image.astype(np.float32)
    for axis, (have, want) in enumerate(zip(image.shape[1:3], size, strict=True), start=1):
        weights = _weights(have, want, method, antialias).astype(np.float32)
        out = np.moveaxis(np.tensordot(weights, out, (1, axis)), 0, axis)
    return out


def _weights(have: int, want: int, method: str, antialias: bool) -> np.ndarray:
    """Share of each pixel of a line in each pixel of the scaled one, (want, have)."""
    import numpy as np

    scale = have / want
    centre = (np.arange(want) + 0.5) * scale
    pixels = np.arange(have)
    if method == "nearest":
        nearest: np.ndarray = pixels[None] == np.minimum(centre.astype(int), have - 1)[:, None]
        return nearest.astype(np.float64)
    reach = max(scale, 1.0) if antialias else 1.0
    found: np.ndarray = np.maximum(0, 1 - abs(pixels[None] + 0.5 - centre[:, None]) / reach)
    found /= found.sum(1, keepdims=True)
    return found
