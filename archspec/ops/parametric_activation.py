"""Activations that take arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import refuse
from archspec.ops.activation import activation_layer, per_element, same_shape
from archspec.ops.arguments import Number
from archspec.ops.base import Op, OpError
from archspec.ops.peers import for_each_element
from archspec.ops.reach import each_element
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras


class LeakyRelu(Op, name="leaky_relu", main="slope"):
    """x where x > 0, else slope · x (Maas et al. 2013)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True

    slope: Number = 0.2
    """Slope below zero. 0.2 is the default of Keras's function and DCGAN's value; Darknet writes 0.1, PyTorch's default
    is 0.01, that of Keras's layer 0.3."""

    reach = each_element
    infer, flops = same_shape, per_element(2)

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        from archspec.layers.activation import ActivationFunction

        return ActivationFunction("leaky_relu", negative_slope=self.slope)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        # The layer takes no slope below 0.
        return keras.layers.LeakyReLU(self.slope) if self.slope >= 0 else keras.layers.Activation(self.function())


class Prelu(Op, name="prelu", main="slope"):
    """Leaky ReLU with learnt slopes (He et al. 2015)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True

    slope: Number = 0.25
    """Slope at the start."""
    shared: Literal["spatial", "all", "none"] = "spatial"
    """Axes that share a slope: ``spatial`` has one per channel, ``all`` a single one, ``none`` one per element."""

    reach = each_element
    flops = per_element(2)

    torch = for_each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        self.weights(x)
        floating(x, self.name)
        return x

    def is_positional(self) -> bool:
        return self.shared == "none"

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        if self.shared == "all":
            shape: tuple[int, ...] = (1,) * x.rank
        elif self.shared == "spatial":
            shape = ((1,) * (x.rank - 1)) + (known_channels(x, "prelu"),)
        elif None in x.shape:
            raise OpError(f"prelu with a slope per element needs known sizes, got {x}", argument="shared")
        else:
            shape = x.shape  # type: ignore[assignment]
        return (WeightSpec("alpha", shape, reads=None if self.shared == "all" else -1),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        count = {"spatial": x.rank - 1, "all": x.rank, "none": 0}[self.shared]
        start = keras.initializers.Constant(self.slope)
        return keras.layers.PReLU(alpha_initializer=start, shared_axes=list(range(1, count + 1)) or None)


def _approximation(value: object) -> Any:
    """PyTorch's words for it are refused with what is meant."""
    if value in ("tanh", "none", "erf"):
        raise refuse("must be true or false", f"write {'true' if value == 'tanh' else 'false'}")
    return value


class Gelu(Op, name="gelu", main="approximate"):
    """x · Φ(x), Φ the normal distribution's (Hendrycks and Gimpel 2016)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True

    approximate: Annotated[bool, BeforeValidator(_approximation)] = False
    """Use the tanh approximation (as GPT-2 does) instead of erf."""

    reach = each_element
    infer, transcendentals, lower = same_shape, per_element(1), activation_layer

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return (8 if self.approximate else 4) * out.size

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        from archspec.layers.activation import ActivationFunction

        return ActivationFunction("gelu", approximate=True) if self.approximate else "gelu"


class Threshold(Op, name="threshold", main="threshold"):
    """x where x > threshold, else a given value."""

    convention = "elementwise"
    is_activation = True

    threshold: Number = 1.0
    """What x must be above; 1 is that of the thresholded ReLU (Konda et al. 2014)."""
    value: Number = 0.0
    """What stands in the place of other numbers."""

    reach = each_element
    infer, flops, lower = same_shape, per_element(1), activation_layer

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        from archspec.layers.activation import ActivationFunction

        return ActivationFunction("threshold", threshold=self.threshold, default_value=self.value)
