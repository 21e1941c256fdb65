"""Anchors: the boxes that a detector starts from, the same for every image of a size.

A box is ``[x1, y1, x2, y2]``: x to the right, y down, in pixels of the input.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from archspec.ir.meaning import Meaning, Meanings
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refuse
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.parameter import reads_nothing

if TYPE_CHECKING:
    import keras


def is_length(value: object) -> bool:
    """Whether a value is a number of pixels above zero."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9


def _lengths(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if 0 < len(values) <= 1024 and all(map(is_length, values)):
        return tuple(float(v) for v in values)
    raise refuse("must be a positive number, or a list of them")


def _shapes(value: Any) -> tuple[float | tuple[float, float], ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if 0 < len(values) <= 1024 and all(is_length(v) or _is_shape(v) for v in values):
        return tuple(tuple(map(float, v)) if isinstance(v, (list, tuple)) else float(v) for v in values)  # type: ignore[misc]
    raise refuse(
        "must be a list of positive numbers (sides of squares), or of [width, height], in pixels",
        "a list of one: [[10, 13]]" if _is_shape(value) else None,
    )


def _is_shape(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(map(is_length, value))


def _strides(value: Any) -> tuple[float, float]:
    values = value if isinstance(value, (list, tuple)) else [value] * 2
    if len(values) == 2 and all(map(is_length, values)):
        return float(values[0]), float(values[1])
    raise refuse("must be a positive number of pixels, or a list of two: down and to the right")


_LENGTH: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}


def _list_of(item: dict[str, Any], **bounds: int) -> dict[str, Any]:
    return {"type": "array", "items": item, **bounds}


_PAIR = _list_of(_LENGTH, minItems=2, maxItems=2)
Lengths = Annotated[
    tuple[float, ...],
    PlainValidator(_lengths),
    WithJsonSchema({"anyOf": [_LENGTH, _list_of(_LENGTH, minItems=1)]}),
]
"""Positive numbers, or one."""
Shapes = Annotated[
    tuple[float | tuple[float, float], ...],
    PlainValidator(_shapes),
    WithJsonSchema({"anyOf": [_LENGTH, _list_of({"anyOf": [_LENGTH, _PAIR]}, minItems=1)]}),
]
"""Sides of squares, or [width, height], in pixels."""
Stride = Annotated[tuple[float, float], PlainValidator(_strides), WithJsonSchema({"anyOf": [_LENGTH, _PAIR]})]
"""Pixels of the input from one position of a map to the next, down and to the right, or one number for both."""


class _AtPositions(Op):
    """The same boxes at every position of a map."""

    moves_data = True
    stops_gradient = True

    stride: Stride
    """Pixels of the input from one position of the map to the next; one number, or two: down and to the right."""

    masked, reach = refused, reads_nothing

    def infer(self, x: TensorSpec) -> TensorSpec:
        if x.rank != 3:
            raise OpError(f"{self.name} stand at the positions of a map (height, width, channels), got {x}")
        count, (height, width) = len(self.shapes()), x.shape[:2]
        return TensorSpec((None if height is None or width is None else height * width * count, 4))

    def check_image(self, image: TensorSpec, *inputs: TensorSpec) -> None:
        for side, count, stride in zip(image.shape[:2], inputs[0].shape[:2], self.stride, strict=True):
            if side is not None and count is not None and (count - 1) * stride >= side:
                places = f"{count} positions {stride:g} pixels apart"
                raise OpError(
                    f"{self.name}: {places} lie outside of an image of {side} pixels",
                    help=f"the stride of the map: about {side / count:.3g} pixels",
                )

    def is_positional(self) -> bool:
        return True

    def shapes(self) -> list[tuple[float, float]]:
        """Width and height of the boxes of a position, in their order. Raises OpError."""
        raise NotImplementedError


class Cells(_AtPositions, name="cells", main="stride"):
    """The part of the image that each position of a map stands for, as a box, once for each anchor that stands there:
    (height · width · count, 4), in the order of ``anchors``. YOLO tells the centre of a box within its cell (Redmon et
    al. 2015): ``encode_boxes``, ``decode_boxes`` and ``match_cells`` take them. Of the map only its height and width
    count.
    """

    count: Annotated[int, Field(ge=1, le=1024)] = 1
    """How many anchors a position has."""

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        return (Meaning("cells"),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.anchors import Anchors

        return Anchors(self.shapes(), self.stride, 0.5, round=False)

    def shapes(self) -> list[tuple[float, float]]:
        """Width and height of the cell, for each anchor."""
        return [(self.stride[1], self.stride[0])] * self.count


class Anchors(_AtPositions, name="anchors", main="sizes"):
    """Boxes of given sizes and shapes at every position of a map: (height · width · shapes, 4), row by row, then
    position by position, then shape by shape, as ``reshape: [-1, 4]`` reads a map of 4 · shapes channels. They may
    reach over the border.

    ``{anchors: {sizes: 32, octaves: 3, ratios: [0.5, 1, 2], stride: 8}}`` are RetinaNet's of its finest map (Lin et al.
    2017), ``{anchors: {sizes: 60, next_size: 111, ratios: [1, 0.5, 2, 0.3333, 3], stride: 16}}`` SSD's of its second
    (Liu et al. 2016), ``{anchors: {sizes: [[10, 13], [16, 30], [33, 23]], stride: 8}}`` YOLO v3's. Of the map only its
    height and width count.
    """

    rows_are = "anchors"

    sizes: Shapes
    """Sides of a square, whose area the anchors of all ratios have, in pixels of the input; or shapes, [width, height]
    each, which are taken as they are."""
    ratios: Lengths = (1.0,)
    """Height over width of the anchors of each size."""
    octaves: Annotated[int, Field(ge=1, le=64)] = 1
    """How many sizes there are from each to its double: size · 2^(k / octaves) for k = 0 … octaves - 1."""
    next_size: Annotated[float, Field(gt=0, lt=1e9)] | None = None
    """Adds a square whose side is the geometric mean of the size and this one, behind the first shape, as in SSD."""
    group_by: Literal["ratios", "sizes"] = "ratios"
    """What the anchors of a position are grouped by: all sizes of the first ratio come first, as in torchvision, or all
    ratios of the first size, as in Detectron2."""
    offset: Annotated[float, Field(ge=0, le=1000)] = 0.5
    """Where the middle of an anchor lies, in strides from the position's place: 0.5 in the middle of the pixels that
    the position stands for; 0 in their first corner, as in torchvision and Detectron2; more where convolutions without
    padding have looked further to the right and down (half of what they look at)."""
    round: bool = False
    """Round corners to whole pixels around a middle at 0, halves to the even one, as torchvision does."""

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        return (Meaning("anchors"),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.anchors import Anchors

        return Anchors(self.shapes(), self.stride, self.offset, round=self.round)

    def shapes(self) -> list[tuple[float, float]]:
        """Width and height of the anchors of a position, in their order. Raises OpError."""
        squares = [s for s in self.sizes if not isinstance(s, tuple)]
        if len(squares) < len(self.sizes):
            if squares:
                raise OpError("anchors: sizes are all numbers, or all [width, height]", argument="sizes")
            for argument, usual in (("ratios", (1.0,)), ("octaves", 1), ("next_size", None)):
                if getattr(self, argument) != usual:
                    message = f"anchors: {argument} are of squares, and sizes are shapes [width, height]"
                    raise OpError(message, argument=argument, help=f"leave {argument} out, or give sides of squares")
            return [s for s in self.sizes if isinstance(s, tuple)]
        sides = [s * 2 ** (k / self.octaves) for s in squares for k in range(self.octaves)]
        if self.group_by == "ratios":
            pairs = [(side, ratio) for ratio in self.ratios for side in sides]
        else:
            pairs = [(side, ratio) for side in sides for ratio in self.ratios]
        made = [(side / sqrt(ratio), side * sqrt(ratio)) for side, ratio in pairs]
        if self.next_size is not None:
            if len(squares) > 1:
                raise OpError("anchors: next_size is that of one size", argument="next_size", help="one map, one size")
            made.insert(1, (sqrt(squares[0] * self.next_size),) * 2)
        return made
