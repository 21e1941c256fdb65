"""Layers whose kernel is computed from the weights that are learnt: spectral and weight normalisation, standardisation.

Each is written around its layer: ``- spectral_norm: {conv: {filters: 64, kernel: 3}}``. What of it depends on the
weights alone is done once for a batch, and not counted.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.ir.reading import made, named, unknown
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import refuse
from archspec.ops.arguments import Epsilon, PositiveInt
from archspec.ops.base import Op
from archspec.ops.peers import Form, lengths
from archspec.ops.reach import Axes

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace


def _with_kernel(value: object) -> Any:
    if isinstance(value, Op):
        return value
    name, args = named(value, "an op with a kernel")
    op = Op.find(name)
    if op is None:
        raise unknown(name, "an op", [o.name for o in Op.all() if o.kernel_writes])
    if not op.kernel_writes:
        names = ", ".join(o.name for o in Op.all() if o.kernel_writes)
        raise refuse(f"must be an op with one kernel ({names}), got {name}")
    return made(op, args)


KernelOp = Annotated[
    Any, BeforeValidator(_with_kernel), WithJsonSchema({"type": "object", "minProperties": 1, "maxProperties": 1})
]


class _AroundKernel(Op):
    """What such an op has of the layer that it is written around: all but the weights of its own."""

    layer: KernelOp
    """The layer, as a one-op map: ``{conv: {filters: 64, kernel: 3}}``."""

    @property
    def applied(self) -> Op | None:
        found: Op | None = self.layer.applied
        return found

    def infer(self, x: TensorSpec) -> TensorSpec:
        out: TensorSpec = self.layer.infer(x)
        return out

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        found: tuple[Axes, ...] = self.layer.reach(x)
        return found

    def masked(self, covered: tuple[int, ...], x: TensorSpec) -> int:
        return int(self.layer.masked(covered, x))

    def own_weights(self, kernel: WeightSpec) -> tuple[WeightSpec, ...]:
        """Weights beside the layer's."""
        return ()

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        inner: tuple[WeightSpec, ...] = self.layer.weights(x)
        kernel = next(weight for weight in inner if weight.name == "kernel")
        of_layer = (replace(w, name=f"{self.layer.name}/{w.name}") for w in inner)
        return (*self.own_weights(kernel), *of_layer)

    def written(self, kernel: WeightSpec) -> tuple[int, ...]:
        """Sizes of the kernel's axes that run over what it writes."""
        return tuple(kernel.shape[axis] for axis in self.layer.kernel_writes)

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """the layer's"""
        return int(self.layer.macs(out, x))

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        return int(self.layer.macs_in_bounds(out, x))

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec) -> int:
        return int(self.layer.backward_macs(needed, out, x))

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """the layer's"""
        return int(self.layer.flops(out, x))

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """the layer's"""
        return int(self.layer.transcendentals(out, x))

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Any:
        return self.layer.elsewhere(trace, out, x)

    def torch(self, weight: WeightSpec) -> Form:
        form: Form = self.layer.torch(weight)
        return form

    def inner(self, x: TensorSpec) -> keras.Layer:
        """The layer itself, under its op's name."""
        layer: keras.Layer = self.layer.lower(x)
        layer.name = self.layer.name
        return layer


def _following(kernel: WeightSpec) -> int | None:
    """The axis of a weight with a number for each output, where another library's follows what is written."""
    return None if kernel.writes is None else 0


def _renamed(form: Form, kernel: str) -> Form:
    """The same, with the kernel under another role."""
    return form._replace(roles=tuple(kernel if role == "weight" else role for role in form.roles))


class SpectralNorm(_AroundKernel, name="spectral_norm", main="layer"):
    """A layer whose kernel is divided by its largest singular value, which bounds how fast the output changes
    (Miyato et al. 2018). Gradients go through the quotient, as in PyTorch.

    The singular value is found by power iteration, which goes on from batch to batch in training. (Keras's own layer
    writes the quotient over the kernel.)
    """

    iterations: PositiveInt = 1
    """Steps of the power iteration for each batch."""

    def own_weights(self, kernel: WeightSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("u", (prod(self.written(kernel)),), trainable=False, writes=_following(kernel)),)

    def torch(self, weight: WeightSpec) -> Form:
        if weight.name == "u":
            return super().torch(weight)._replace(roles=("weight_u",))
        return _renamed(super().torch(weight), "weight_orig")

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reparametrization import SpectralNorm

        return SpectralNorm(self.inner(x), self.layer.kernel_writes, self.iterations)


class WeightNorm(_AroundKernel, name="weight_norm", main="layer"):
    """A layer whose kernel is learnt as a direction and, for every output, a length: g · v / ‖v‖ (Salimans and Kingma
    2016). The lengths start as they are."""

    def own_weights(self, kernel: WeightSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("g", self.written(kernel), writes=_following(kernel)),)

    def torch(self, weight: WeightSpec) -> Form:
        form = super().torch(weight)
        if weight.name != "g":
            return _renamed(form, "weight_v")
        # Kernels have what is written first there, and transposed ones behind what is read.
        role = lengths(0 if -1 in self.layer.kernel_writes else 1)
        return form._replace(roles=(role,), shapes=((prod(weight.shape),),), convert=lambda g: g.reshape(weight.shape))

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reparametrization import WeightNorm

        return WeightNorm(self.inner(x), self.layer.kernel_writes)


class WeightStandardization(_AroundKernel, name="weight_standardization", main="layer"):
    """A layer whose kernel has mean 0 and variance 1 for every output (Qiao et al. 2019); goes with ``group_norm``."""

    epsilon: Epsilon = 1e-6
    """Added to the variance."""

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reparametrization import WeightStandardization

        return WeightStandardization(self.inner(x), self.layer.kernel_writes, self.epsilon)
