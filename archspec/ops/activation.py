"""Activations, element by element. Each may stand as an ``activation`` argument unless it has weights.

Each has ``function``, what Keras takes as an ``activation`` argument, unless it has weights: then it can only
be a step of its own. The counts are those of the usual formula, one a compare, product or sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.arguments import AnyActivation
from archspec.ops.base import Op
from archspec.ops.reach import Axes, each_element
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace


@shared
def same_shape(self: Op, x: TensorSpec) -> TensorSpec:
    """The shape of the input."""
    floating(x, self.name)
    return x


def per_element(count: int) -> Any:
    """The cost rule of ``count`` operations for each element of the output."""

    def rule(self: Op, out: TensorSpec, x: TensorSpec) -> int:
        return count * out.size

    rule.__doc__ = "out.size" if count == 1 else f"{count} · out.size"
    return rule


def keras_function(name: str) -> Callable[[Op], str]:
    """``function`` of an activation that Keras has under ``name``."""

    def function(self: Op) -> str:
        """What Keras takes as an ``activation`` argument."""
        return name

    return function


@shared
def activation_layer(self: Any, x: TensorSpec) -> keras.Layer:
    """The function as a layer."""
    import keras

    return keras.layers.Activation(self.function())


class Linear(Op, name="linear"):
    """x: no activation."""

    convention = "elementwise"
    is_view = True
    is_activation = True
    number = "score"
    reach = each_element
    infer, lower, function = same_shape, activation_layer, keras_function("linear")


class Relu(Op, name="relu"):
    """max(x, 0) (Nair and Hinton 2010)."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    is_rectifying = True
    keeps_zero = True
    reach = each_element
    infer, flops, function = same_shape, per_element(1), keras_function("relu")

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.ReLU()


class Relu6(Op, name="relu6"):
    """min(max(x, 0), 6) (MobileNet)."""

    convention = "elementwise"
    is_activation = True
    is_rectifying = True
    keeps_zero = True
    reach = each_element
    infer, flops, lower, function = same_shape, per_element(2), activation_layer, keras_function("relu6")


class Silu(Op, name="silu"):
    """x · sigmoid(x), also called swish (Elfwing et al. 2017; Ramachandran et al. 2017)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, lower, function = same_shape, activation_layer, keras_function("silu")
    flops, transcendentals = per_element(4), per_element(1)


class HardSwish(Op, name="hard_swish"):
    """x · min(max(x + 3, 0), 6) / 6 (MobileNetV3, Howard et al. 2019)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, flops, lower, function = same_shape, per_element(5), activation_layer, keras_function("hard_silu")


class HardSigmoid(Op, name="hard_sigmoid"):
    """min(max(x + 3, 0), 6) / 6, as in MobileNetV3 and PyTorch."""

    convention = "elementwise"
    is_activation = True
    number = "probability"
    reach = each_element
    infer, flops, lower, function = same_shape, per_element(4), activation_layer, keras_function("hard_sigmoid")


class Sigmoid(Op, name="sigmoid"):
    """1 / (1 + exp(-x))."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    number = "probability"
    reach = each_element
    infer, lower, function = same_shape, activation_layer, keras_function("sigmoid")
    flops, transcendentals = per_element(3), per_element(1)


class Tanh(Op, name="tanh"):
    """Hyperbolic tangent."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, transcendentals, lower, function = same_shape, per_element(1), activation_layer, keras_function("tanh")


class ScaledTanh(Op, name="scaled_tanh"):
    """1.7159 · tanh(2x / 3): maps ±1 to ±1 (LeCun et al. 1998, LeNet-5)."""

    saves = "output"
    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, lower = same_shape, activation_layer
    flops, transcendentals = per_element(2), per_element(1)

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        from archspec.layers.activation import scaled_tanh

        return scaled_tanh


class Softplus(Op, name="softplus"):
    """log(1 + exp(x))."""

    convention = "elementwise"
    is_activation = True
    reach = each_element
    infer, lower, function = same_shape, activation_layer, keras_function("softplus")
    flops, transcendentals = per_element(1), per_element(2)


class Softsign(Op, name="softsign"):
    """x / (1 + |x|)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, flops, lower, function = same_shape, per_element(2), activation_layer, keras_function("softsign")


class Mish(Op, name="mish"):
    """x · tanh(softplus(x)) (Misra 2019)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, lower, function = same_shape, activation_layer, keras_function("mish")
    flops, transcendentals = per_element(2), per_element(3)


class HardTanh(Op, name="hard_tanh"):
    """min(max(x, -1), 1) (Collobert 2004)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, flops, lower, function = same_shape, per_element(2), activation_layer, keras_function("hard_tanh")


class Activation(Op, name="activation", main="function"):
    """Any activation, given as an argument: ``activation: =act``."""

    function: AnyActivation
    """The activation: its name, or a one-op map."""

    @property
    def computed(self) -> Op:
        found: Op = self.function
        return found

    def infer(self, x: TensorSpec) -> TensorSpec:
        out: TensorSpec = self.function.infer(x)
        return out

    def is_positional(self) -> bool:
        return bool(self.function.is_positional())

    def masked(self, covered: tuple[int, ...], x: TensorSpec) -> int:
        return int(self.function.masked(covered, x))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        found: tuple[Axes, ...] = self.function.reach(x)
        return found

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        weights: tuple[WeightSpec, ...] = self.function.weights(x)
        return weights

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        count: int = self.function.macs(out, x)
        return count

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        count: int = self.function.flops(out, x)
        return count

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        count: int = self.function.transcendentals(out, x)
        return count

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Any:
        return self.function.elsewhere(trace, out, x)

    def lower(self, x: TensorSpec) -> keras.Layer:
        return self.function.lower(x)
