"""Initialisers: Keras's, as declarations; what a weight is before training. They stand as arguments of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from archspec.ir.declaration import Declaration
from archspec.ops.arguments import Number

if TYPE_CHECKING:
    import keras

Positive = Annotated[float, Field(gt=0, le=1e6)]


class Initializer(Declaration, package="archspec.ops"):
    """Values of a weight at the start; what is drawn follows from the seed of the run."""

    def is_zero(self) -> bool:
        """Whether every value is 0."""
        return False

    def lower(self) -> keras.initializers.Initializer:
        """The Keras initialiser."""
        raise NotImplementedError


def keras_initializer(name: str, **renamed: str) -> Any:
    """``lower`` of an initialiser that Keras has under ``name``; ``renamed`` are Keras's words for fields."""

    def lower(self: Initializer) -> keras.initializers.Initializer:
        """The Keras initialiser."""
        import keras

        arguments = {renamed.get(f, f): getattr(self, f) for f in type(self).model_fields}
        made: keras.initializers.Initializer = getattr(keras.initializers, name)(**arguments)
        return made

    return lower


class Zeros(Initializer, name="zeros"):
    """0."""

    def is_zero(self) -> bool:
        return True

    lower = keras_initializer("Zeros")


class Ones(Initializer, name="ones"):
    """1."""

    lower = keras_initializer("Ones")


class Constant(Initializer, name="constant", main="value"):
    """One value everywhere (RetinaNet starts its class bias at -4.595: a probability of 0.01)."""

    value: Number
    """The value."""

    def is_zero(self) -> bool:
        return self.value == 0

    lower = keras_initializer("Constant")


class Prior(Initializer, name="prior", main="probability"):
    """-log((1 - p) / p), of which a sigmoid makes the probability p: a bias with which rare classes are rare from the
    start (Lin et al. 2017, RetinaNet: 0.01)."""

    probability: Annotated[float, Field(gt=0, lt=1)]
    """What a sigmoid gives at the start."""

    def is_zero(self) -> bool:
        return self.probability == 0.5

    def lower(self) -> keras.initializers.Initializer:
        import math

        import keras

        return keras.initializers.Constant(-math.log((1 - self.probability) / self.probability))


class Normal(Initializer, name="normal", main="std"):
    """A normal distribution (AlexNet: std 0.01)."""

    std: Positive = 0.05
    """Standard deviation."""
    mean: Number = 0.0
    """Mean."""

    lower = keras_initializer("RandomNormal", std="stddev")


class TruncatedNormal(Initializer, name="truncated_normal", main="std"):
    """A normal distribution without what lies beyond two standard deviations."""

    std: Positive = 0.05
    """Standard deviation before truncation."""
    mean: Number = 0.0
    """Mean."""

    lower = keras_initializer("TruncatedNormal", std="stddev")


class Uniform(Initializer, name="uniform", main="limit"):
    """Evenly between -limit and limit."""

    limit: Positive = 0.05
    """Largest magnitude."""

    def lower(self) -> keras.initializers.Initializer:
        import keras

        return keras.initializers.RandomUniform(-self.limit, self.limit)


class GlorotUniform(Initializer, name="glorot_uniform"):
    """Evenly up to √(6 / (inputs + outputs)) (Glorot and Bengio 2010): Keras's default for kernels."""

    lower = keras_initializer("GlorotUniform")


class GlorotNormal(Initializer, name="glorot_normal"):
    """Truncated normal of variance 2 / (inputs + outputs) (Glorot and Bengio 2010)."""

    lower = keras_initializer("GlorotNormal")


class HeUniform(Initializer, name="he_uniform"):
    """Evenly up to √(6 / inputs) (He et al. 2015)."""

    lower = keras_initializer("HeUniform")


class HeNormal(Initializer, name="he_normal"):
    """Truncated normal of variance 2 / inputs, for ReLU (He et al. 2015)."""

    lower = keras_initializer("HeNormal")


class LecunUniform(Initializer, name="lecun_uniform"):
    """Evenly up to √(3 / inputs) (LeCun et al. 1998)."""

    lower = keras_initializer("LecunUniform")


class LecunNormal(Initializer, name="lecun_normal"):
    """Truncated normal of variance 1 / inputs, for SELU (LeCun et al. 1998)."""

    lower = keras_initializer("LecunNormal")


class VarianceScaling(Initializer, name="variance_scaling", main="scale"):
    """Variance scale / n, n being the inputs, the outputs, or the mean of both."""

    scale: Positive = 1.0
    """The factor."""
    fan: Literal["in", "out", "average"] = "in"
    """What n is: inputs, outputs (He et al. 2015 for the backward pass), or their mean."""
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform"] = "truncated_normal"
    """What is drawn from."""

    def lower(self) -> keras.initializers.Initializer:
        import keras

        mode = "fan_avg" if self.fan == "average" else f"fan_{self.fan}"
        return keras.initializers.VarianceScaling(self.scale, mode, self.distribution)


class Orthogonal(Initializer, name="orthogonal", main="gain"):
    """An orthogonal matrix (Saxe et al. 2013)."""

    gain: Positive = 1.0
    """Its factor."""

    lower = keras_initializer("Orthogonal")


class Bilinear(Initializer, name="bilinear"):
    """The kernel with which a transposed convolution interpolates linearly (Long et al. 2015, FCN): along each axis
    1 - |t - centre| / factor with factor = ⌈size / 2⌉, from each channel to the one of its number, and to or from all
    where there is but one. For a stride s, FCN has a kernel of 2·s."""

    def lower(self) -> keras.initializers.Initializer:
        from archspec.layers.initializer import Bilinear

        return Bilinear()
