"""Ops of training steps over several networks: where gradients stop, what is kept, what lies between two results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.reach import Axes, each_element
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras


class Detach(Op, name="detach"):
    """The input, as a constant: no gradient goes through it."""

    convention = "elementwise"
    is_view = True
    stops_gradient = True

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        return x

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.update import StopGradient

        return StopGradient()


class Hold(Op, name="hold"):
    """The input as it was when the round began, as a constant: later steps of the round see what earlier ones saw.

    Outside of ``train`` it is ``detach``.
    """

    convention = "elementwise"
    is_view = True
    stops_gradient = True
    is_held = True

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        return x

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.update import StopGradient

        return StopGradient()


class ImagePool(Op, name="image_pool", main="size"):
    """The input when the round began, or in its place an earlier one (Shrivastava et al. 2017).

    Examples fill the pool first; then each is, with probability 1/2, put in the place of a random member, which is
    given instead of it. The result is held and a constant, as with ``hold``. Outside of ``train`` it is ``detach``.
    """

    convention = "elementwise"
    is_view = True
    stops_gradient = True
    is_held = True
    remembers = "size"

    size: PositiveInt = 50
    """Examples that the pool keeps."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        if None in x.shape:
            raise OpError(f"image_pool needs examples of one size, got {x}")
        return x

    def is_random(self) -> bool:
        return True

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.update import StopGradient

        return StopGradient()


class Interpolate(Op, name="interpolate"):
    """``b + at · (a - b)``: a point between two tensors, for ``at`` of 0 … 1.

    Each example has its own place if ``at`` is drawn (``uniform: [1]``): what the gradient penalty looks at (Gulrajani
    et al. 2017).
    """

    convention = "elementwise"

    def infer(self, a: TensorSpec, b: TensorSpec, at: TensorSpec) -> TensorSpec:
        for x in (a, b, at):
            floating(x, "interpolate")
        if a.rank != b.rank or any(None not in (m, n) and m != n for m, n in zip(a.shape, b.shape, strict=True)):
            help = f"both need one shape: {list(b.shape)} for the first, or {list(a.shape)} for the second"
            raise OpError(f"cannot interpolate between {a} and {b}: the shapes must match", help=help)
        if at.rank != 1 or at.shape != (1,):
            raise OpError(f"interpolate needs one number for each example as 'at', a tensor (1,), got {at}")
        return TensorSpec(tuple(n if m is None else m for m, n in zip(a.shape, b.shape, strict=True)), a.dtype)

    def reach(self, a: TensorSpec, b: TensorSpec, at: TensorSpec) -> tuple[Axes, ...]:
        return (*each_element(self, a, b), None)

    def flops(self, out: TensorSpec, a: TensorSpec, b: TensorSpec, at: TensorSpec) -> int:
        return 3 * out.size

    def lower(self, a: TensorSpec, b: TensorSpec, at: TensorSpec) -> keras.Layer:
        from archspec.layers.update import Interpolation

        return Interpolation()
