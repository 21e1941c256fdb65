"""Random numbers for what is compared, and what is kept of the results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any
from zlib import crc32

from archspec.ir.graph import Node

if TYPE_CHECKING:
    import numpy as np

SCALES = (1.0, 8.0)
"""Spread of the random numbers, one for each example: the small show what differs near zero, the large what is cut
off."""
TOLERANCE = 5e-5
"""Largest difference of two numbers, in proportion to themselves and to all of their example."""
MAX_NUMBERS = 4096
"""How many numbers of an example are compared."""


class TensorSample:
    """What is kept of a tensor: its shape and some of its numbers; of steps that a mask leaves out, nothing."""

    def __init__(self, value: object, mask: object = None):
        import keras

        array = keras.ops.convert_to_numpy(value)
        if mask is not None:
            steps = keras.ops.convert_to_numpy(mask).astype(bool)
            array = array * steps.reshape(*steps.shape, *[1] * (array.ndim - steps.ndim))
        self.shape: tuple[int, ...] = array.shape
        rows = array.reshape(len(SCALES) if array.shape[:1] == (len(SCALES),) else 1, -1)
        self.numbers: np.ndarray = rows[:, _places(rows.shape[1])].astype("float32")

    def is_like(self, other: TensorSample) -> bool:
        """Whether both are the same to what rounding does."""
        import numpy as np

        if self.shape != other.shape:
            return False
        finite = np.where(np.isfinite(self.numbers), self.numbers, 0)
        scale = np.sqrt(np.mean(np.square(finite, dtype="float64"), axis=1, keepdims=True)) + 1e-12
        return bool(np.isclose(self.numbers / scale, other.numbers / scale, TOLERANCE, TOLERANCE, equal_nan=True).all())


class TensorSamples:
    """Samples by shape."""

    def __init__(self, samples: Iterable[TensorSample]):
        self._by_shape: dict[tuple[int, ...], list[TensorSample]] = defaultdict(list)
        for sample in samples:
            self._by_shape[sample.shape].append(sample)

    def __contains__(self, sample: object) -> bool:
        return isinstance(sample, TensorSample) and any(map(sample.is_like, self._by_shape.get(sample.shape, ())))


def of_all(value: object, masks: Sequence[Any] | None = None) -> tuple[TensorSample, ...]:
    """Samples of the tensors in a structure, each with its mask."""
    values = flat(value)
    return tuple(map(TensorSample, values, masks if masks and len(masks) == len(values) else [None] * len(values)))


def are_alike(ones: tuple[TensorSample, ...], others: tuple[TensorSample, ...]) -> bool:
    """Whether two rows of samples are the same."""
    return len(ones) == len(others) and all(map(TensorSample.is_like, ones, others))


def flat(value: object) -> list[Any]:
    """The tensors in a structure."""
    import keras

    found: list[Any] = keras.tree.flatten(value)
    return found


def weights(node: Node) -> list[np.ndarray]:
    """Random weights of a node, the same at every call."""
    import numpy as np

    draw = np.random.default_rng(crc32(node.layer.encode()))
    out = []
    for weight in node.weights:
        if weight.name.endswith("variance"):
            out.append(draw.uniform(0.5, 2.0, weight.shape).astype("float32"))
        else:
            spread = np.float32(prod(weight.shape[:-1]) ** -0.5)
            out.append(draw.standard_normal(weight.shape, "float32") * spread)
    return out


def stand_in(out: object, key: str, activation: Callable[[Any], Any] | None) -> Any:
    """Random numbers in place of what a layer gave, with its masks, and its activation applied. ``key`` is their
    seed."""
    import keras
    import numpy as np

    class Redrawn(keras.layers.Layer):
        """Other numbers in the same shape."""

        def __init__(self, value: object):
            super().__init__(dtype="float32")
            self.value, self.supports_masking = value, True

        def call(self, x: object) -> Any:
            """The other numbers."""
            value = keras.ops.convert_to_tensor(self.value)
            return activation(value) if activation else value

    made = []
    for port, value in enumerate(flat(out)):
        draw = np.random.default_rng(crc32(f"{key}:{port}".encode()))
        shape = tuple(value.shape)
        scale = np.array([SCALES[k % len(SCALES)] for k in range(shape[0])], "float32")
        numbers = draw.standard_normal(shape, "float32") * scale.reshape(-1, *[1] * (len(shape) - 1))
        made.append(Redrawn(numbers)(value))
    return made[0] if len(made) == 1 else made


def computed(
    function: Callable[..., Any], args: list[Any], kwargs: Mapping[str, Any], prepare: Callable[[Any], None]
) -> Any:
    """What a call gives. It is called without numbers first, which builds the layer; ``prepare`` is given what comes of
    that. Raises what it raises, and whatever Keras raises."""
    import keras

    def symbolic(value: Any) -> Any:
        return keras.KerasTensor(value.shape, value.dtype) if keras.ops.is_tensor(value) else value

    told = keras.tree.map_structure(symbolic, (args, dict(kwargs)))
    prepare(function(*told[0], **told[1]))
    return function(*args, **kwargs)


def without_activation(layer: Any) -> Callable[[Any], Any] | None:
    """Have a layer no longer apply its activation at its end, and return that."""
    import keras

    if isinstance(layer, keras.layers.TimeDistributed):
        layer = layer.layer
    function: Callable[[Any], Any] | None = getattr(layer, "activation", None)
    if function is None or hasattr(layer, "return_sequences"):
        return None
    layer.activation = keras.activations.linear
    return function


@cache
def _places(count: int) -> Any:
    import numpy as np

    return slice(None) if count <= MAX_NUMBERS else np.random.default_rng(count).integers(0, count, MAX_NUMBERS)
