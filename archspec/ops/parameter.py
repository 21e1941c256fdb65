"""Tensors that no input gives: learnt ones, and constants. Each example of a batch has the same.

Their one input says how many examples there are, and nothing else of it is read.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import refuse
from archspec.ops.arguments import ONE_OR_MORE, Initializer, integers
from archspec.ops.base import Op, OpError
from archspec.ops.reach import NOTHING, Axes
from archspec.ops.shapes import LIMIT_SIZE

if TYPE_CHECKING:
    import keras

LIMIT_VALUES = 2**16
"""Numbers that a constant may list: what is larger is data, or a weight."""


def _array(value: object) -> Any:
    """A number, or lists within lists of equal lengths, as tuples."""
    if isinstance(value, (list, tuple)):
        made = tuple(_array(v) for v in value)
        if made and len({extents(v) for v in made}) == 1 and prod(extents(made)) <= LIMIT_VALUES:
            return made
    elif isinstance(value, (int, float)) and abs(value) < 1e30:
        return value
    raise refuse("must be a number, or lists of numbers of equal lengths")


def extents(value: object) -> tuple[int, ...]:
    """The shape of a number, or of lists within lists."""
    return (len(value), *extents(value[0])) if isinstance(value, tuple) else ()


TensorShape = Annotated[
    tuple[int, ...], integers(1, LIMIT_SIZE, 8, "must be a list of sizes, the batch axis not counted"), ONE_OR_MORE
]
Numbers = Annotated[
    Any, PlainValidator(_array), WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "minItems": 1}]})
]


@shared
def reads_nothing(self: Any, x: TensorSpec) -> tuple[Axes, ...]:
    """Nothing of the input but how many examples it has."""
    return ((NOTHING,) * x.rank,)


@shared
def unmasked(self: Any, covered: tuple[int, ...], x: TensorSpec) -> int:
    """Whatever the input's mask leaves out is not read."""
    return 0


class ParameterTensor(Op, name="parameter", main="shape"):
    """A learnt tensor, the same for every example: queries that are asked of any sequence, prototypes, the constant
    that a generator starts from.

    ``- {parameter: [8, 64], from: words, as: queries}`` makes 8 queries for ``attention: {heads: 4}``, ``from: {query:
    queries, value: words}``. Of its input only the number of examples counts.
    """

    moves_data = True

    shape: TensorShape
    """Sizes, the batch axis not counted."""
    initializer: Initializer = None
    """What it is before training; ``{normal: 0.02}``, if not given."""
    trainable: bool = True
    """Learn it; else it stays as it starts or is loaded."""

    masked, reach = unmasked, reads_nothing

    def infer(self, x: TensorSpec) -> TensorSpec:
        return TensorSpec(self.shape)

    def is_positional(self) -> bool:
        return True

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("value", self.shape, self.trainable),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.parameter import ParameterTensor

        start = self.initializer.lower() if self.initializer else None
        return ParameterTensor(self.shape, start, trainable=self.trainable)


class ConstantTensor(Op, name="constant", main="value"):
    """Given numbers, the same for every example: ``- constant: [0.5, 1, 2]``, or one number in a shape, ``{constant:
    {value: 1, shape: [4, 4, 1]}}``. Of its input only the number of examples counts."""

    moves_data = True
    stops_gradient = True

    value: Numbers
    """A number, or lists of numbers of equal lengths within each other."""
    shape: TensorShape | None = None
    """Sizes, the batch axis not counted, that one number fills; those of the lists, or (1,), if not given."""
    dtype: Literal["float32", "int32", "bool"] = "float32"
    """The type of the numbers; int32 for places (``gather``) and tokens."""

    masked, reach = unmasked, reads_nothing

    def infer(self, x: TensorSpec) -> TensorSpec:
        found = extents(self.value)
        if self.shape is not None and found and found != self.shape:
            message = f"constant: the value is {TensorSpec(found)}, not {TensorSpec(self.shape)}"
            raise OpError(message, argument="shape", help="leave shape out: it follows from the value")
        if self.dtype == "int32" and not _are_whole(self.value):
            raise OpError("constant: int32 holds whole numbers from -2147483648 to 2147483647", argument="value")
        return TensorSpec(self._shape(), self.dtype)

    def is_positional(self) -> bool:
        return True

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.parameter import ConstantTensor

        return ConstantTensor(self.value, self._shape(), dtype=self.dtype)

    def _shape(self) -> tuple[int, ...]:
        return self.shape or extents(self.value) or (1,)


def _are_whole(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_are_whole, value))
    return bool(value == int(value) and -(2**31) <= value < 2**31)
