"""Fully connected layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.affine import Affine
from archspec.ops.arguments import (
    Constraint,
    Width,
)
from archspec.ops.base import Op
from archspec.ops.reach import Axes, activated, each_position
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace


class Dense(Affine, name="dense", main="units"):
    """Fully connected layer on the last axis; all other axes are positions that share the kernel."""

    is_equivariant = True
    kernel_writes = (-1,)

    units: Width
    """Output features."""
    kernel_constraint: Constraint = None
    """What the kernel is brought to after every step in training."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        known_channels(x, "dense")
        return self._activated(TensorSpec((*x.spatial, self.units)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return (activated(each_position(self, x)[0], self.activation, x),)

    def at_every_place(self, x: TensorSpec) -> Op | None:
        from archspec.ops.conv import Conv

        same: dict[str, Any] = {
            name: given for name in Conv.model_fields if (given := getattr(self, name, None)) is not None
        }
        return Conv(filters=self.units, kernel=tuple(n or 1 for n in x.spatial), padding="valid", **same)

    def factors(self, rank: int) -> tuple[Op, Op] | None:
        own = {"activation": self.activation, "bias_initializer": self.bias_initializer}
        return Dense(units=rank, bias=False), Dense(units=self.units, bias=self.bias).model_copy(update=own)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        kernel = WeightSpec("kernel", (known_channels(x, "dense"), self.units), reads=0, writes=1)
        return self._with_bias(kernel, bias=WeightSpec("bias", (self.units,), writes=0))

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        return elements(x.shape) * self.units

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        """A vector is written in whatever order its reader needs; tensors have their channels last, in PyTorch too."""
        from archspec.ir.counterpart import SAME

        if out.rank == 1:
            return trace.known(out, "last", trace.free() if out.channels == self.units else SAME)
        if out.rank == 2:
            x.axes.pin("last")
        return trace.known(out, "last") if x.axes.side == "last" else trace.undecided(out)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Dense(self.units, **self._keras_output())


class Rbf(Op, name="rbf", main="units"):
    """Squared Euclidean distance of the last axis to fixed points, one per unit (LeCun et al. 1998, LeNet-5's output).

    The points are not trained. They start as random ±1, which the paper names as an alternative to its drawn bitmaps.
    """

    convention = "channelwise"
    is_equivariant = True

    units: Width
    """Points, and so output features."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "rbf")
        known_channels(x, "rbf")
        return TensorSpec((*x.spatial, self.units))

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("centers", (known_channels(x, "rbf"), self.units), trainable=False),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """(3 · channels - 1) · out.size"""
        return (3 * known_channels(x, "rbf") - 1) * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.distance import Rbf

        return Rbf(self.units)
