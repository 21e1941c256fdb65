"""Margins of the spatial axes and of the channels: put around, cut off, left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from archspec.ir.tensors import Size, TensorSpec
from archspec.ir.validation import refuse
from archspec.ops.arguments import Sizes
from archspec.ops.base import Op, OpError
from archspec.ops.masks import of_first, refused
from archspec.ops.reach import EVERYTHING, POINT, Axes, Reach, each_position
from archspec.ops.shapes import exact, known_channels, per_axis, spatial_rank

if TYPE_CHECKING:
    import keras


def _is_width(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**20


def _margins(value: Any) -> int | tuple[tuple[int, int], ...]:
    if _is_width(value):
        return int(value)
    if isinstance(value, (list, tuple)) and 1 <= len(value) <= 3:
        pairs = [v if isinstance(v, (list, tuple)) else (v, v) for v in value]
        if all(len(p) == 2 and all(map(_is_width, p)) for p in pairs):
            return tuple((p[0], p[1]) for p in pairs)
    raise refuse("must be an integer, or a list of one integer or [before, after] pair per axis")


_PAIR = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
_SIDES = {"type": "array", "items": {"anyOf": [{"type": "integer", "minimum": 0}, _PAIR]}, "minItems": 1, "maxItems": 3}

Margins = Annotated[
    int | tuple[tuple[int, int], ...],
    PlainValidator(_margins),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, _SIDES]}),
]
"""``n`` on every side, or per spatial axis ``n`` or ``[before, after]``."""


class Pad(Op, name="pad", main="padding"):
    """A margin around the spatial axes."""

    moves_data = True
    convention = "image"
    is_equivariant = True

    padding: Margins
    """Width of the margin: ``n`` on every side, or per axis ``n`` or ``[before, after]``."""
    mode: Literal["zero", "reflect", "replicate"] = "zero"
    """What fills it: zeros, the input mirrored at its edge (which is not repeated), or its edge."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        sides = _sides(self.padding, x, "pad")
        if self.mode == "reflect":
            for size, pair in zip(x.spatial, sides, strict=True):
                if size is not None and max(pair) >= size:
                    raise OpError(f"pad: cannot reflect {max(pair)} of {size} (input {x})", argument="padding")
        sizes = (None if n is None else n + before + after for n, (before, after) in zip(x.spatial, sides, strict=True))
        return TensorSpec((*sizes, x.shape[-1]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        if self.mode != "zero":
            return ((*(EVERYTHING,) * (x.rank - 1), POINT),)
        return ((*(Reach(before, -before) for before, _ in _sides(self.padding, x, "pad")), POINT),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        sides = _sides(self.padding, x, "pad")
        if self.mode != "zero":
            from archspec.layers.reshape import Pad

            return Pad(sides, self.mode)
        layer = getattr(keras.layers, f"ZeroPadding{len(sides)}D")
        return layer(sides if len(sides) > 1 else sides[0], **exact(x))


class Crop(Op, name="crop", main="margins"):
    """Cuts a margin off the spatial axes."""

    moves_data = True
    convention = "image"
    is_equivariant = True

    margins: Margins
    """Width of the margin: ``n`` on every side, or per axis ``n`` or ``[before, after]``."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        sizes: list[Size] = []
        for size, pair in zip(x.spatial, _sides(self.margins, x, "crop"), strict=True):
            if size is not None and sum(pair) >= size:
                raise OpError(f"crop: nothing is left of {size} without {sum(pair)} (input {x})", argument="margins")
            sizes.append(None if size is None else size - sum(pair))
        return TensorSpec((*sizes, x.shape[-1]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((*(Reach(-before, before) for before, _ in _sides(self.margins, x, "crop")), POINT),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        return _cropping(_sides(self.margins, x, "crop"), x)


class CenterCrop(Op, name="center_crop", main="size"):
    """The middle of the spatial axes; of an odd rest the smaller half is cut before (U-Net's skips)."""

    moves_data = True
    convention = "image"

    size: Sizes
    """What is left, for every axis or one per axis."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        self._margins(x)
        return TensorSpec((*per_axis(self.size, x.rank - 1, "size"), x.shape[-1]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((*(Reach(-before, before) for before, _ in self._margins(x)), POINT),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        return _cropping(self._margins(x), x)

    def _margins(self, x: TensorSpec) -> tuple[tuple[int, int], ...]:
        margins = []
        for size, kept in zip(x.spatial, per_axis(self.size, spatial_rank(x, "center_crop"), "size"), strict=True):
            if size is None:
                raise OpError(f"center_crop needs known sizes, got {x}")
            if kept > size:
                raise OpError(f"center_crop: {kept} is more than the {size} there are (input {x})", argument="size")
            margins.append(((size - kept) // 2, size - kept - (size - kept) // 2))
        return tuple(margins)


class PadChannels(Op, name="pad_channels", main="after"):
    """Channels of zeros before and after the input's (the parameter-free shortcut of He et al. 2015, option A)."""

    moves_data = True
    convention = "channelwise"
    is_equivariant = True

    after: Annotated[int, Field(ge=0, le=2**24)] = 0
    """Channels to append."""
    before: Annotated[int, Field(ge=0, le=2**24)] = 0
    """Channels to prepend."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        channels = known_channels(x, "pad_channels")
        return TensorSpec((*x.spatial, self.before + channels + self.after), x.dtype)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import PadChannels

        return PadChannels(self.before, self.after)


class Subsample(Op, name="subsample", main="stride"):
    """Every ``stride``-th position of the spatial axes, from the first."""

    moves_data = True
    convention = "image"
    is_equivariant = True

    stride: Sizes
    """Step, for every axis or one per axis."""

    masked = of_first

    def infer(self, x: TensorSpec) -> TensorSpec:
        strides = per_axis(self.stride, spatial_rank(x, "subsample"), "stride")
        sizes = (None if n is None else -(-n // s) for n, s in zip(x.spatial, strides, strict=True))
        return TensorSpec((*sizes, x.shape[-1]), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((*(Reach(0, 0, stride) for stride in per_axis(self.stride, x.rank - 1, "stride")), POINT),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import Subsample

        return Subsample(per_axis(self.stride, x.rank - 1, "stride"))

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        """Pooling over windows of one position."""
        if "float" not in x.dtype:
            return None
        from archspec.layers.pooling import pooling

        rank = x.rank - 1
        return pooling("max", (1,) * rank, per_axis(self.stride, rank, "stride"), "valid", ceil=False)


def _sides(margins: int | tuple[tuple[int, int], ...], x: TensorSpec, op: str) -> tuple[tuple[int, int], ...]:
    """(before, after) for every spatial axis of ``x``."""
    rank = spatial_rank(x, op)
    if isinstance(margins, int):
        return ((margins, margins),) * rank
    return per_axis(margins, rank, "padding" if op == "pad" else "margins")


def _cropping(sides: tuple[tuple[int, int], ...], x: TensorSpec) -> keras.Layer:
    import keras

    layer = getattr(keras.layers, f"Cropping{len(sides)}D")
    return layer(sides if len(sides) > 1 else sides[0], **exact(x))
