"""Exponential linear units: what lies below zero bends towards a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.ir.tensors import TensorSpec
from archspec.ops.activation import activation_layer, keras_function, per_element, same_shape
from archspec.ops.arguments import Number
from archspec.ops.base import Op
from archspec.ops.reach import each_element

if TYPE_CHECKING:
    import keras


class Elu(Op, name="elu", main="alpha"):
    """x where x > 0, else alpha · (exp(x) - 1) (Clevert et al. 2015)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True

    alpha: Number = 1.0
    """Minus the value at -∞."""

    reach = each_element
    infer, transcendentals = same_shape, per_element(1)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return (2 if self.alpha == 1 else 3) * out.size

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        from archspec.layers.activation import ActivationFunction

        return "elu" if self.alpha == 1 else ActivationFunction("elu", alpha=self.alpha)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Activation("elu") if self.alpha == 1 else keras.layers.ELU(self.alpha)


class Selu(Op, name="selu"):
    """1.0507 · elu(x) with alpha 1.67326: keeps zero mean and unit variance (Klambauer et al. 2017)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True
    reach = each_element
    infer, lower, function = same_shape, activation_layer, keras_function("selu")
    flops, transcendentals = per_element(3), per_element(1)


class Celu(Op, name="celu", main="alpha"):
    """x where x > 0, else alpha · (exp(x / alpha) - 1): an elu whose slope is continuous for every alpha (Barron
    2017)."""

    convention = "elementwise"
    is_activation = True
    keeps_zero = True

    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Minus the value at -∞."""

    reach = each_element
    infer, flops, transcendentals, lower = same_shape, per_element(3), per_element(1), activation_layer

    def function(self) -> Any:
        """What Keras takes as an ``activation`` argument."""
        from archspec.layers.activation import ActivationFunction

        return "celu" if self.alpha == 1 else ActivationFunction("celu", alpha=self.alpha)
