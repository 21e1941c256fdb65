"""Noise that exists in training only: at inference these ops pass their input on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import Rate
from archspec.ops.base import Op
from archspec.ops.reach import each_element
from archspec.ops.shapes import floating, spatial_rank

if TYPE_CHECKING:
    import keras


class _Noise(Op):
    """What changes elements at random in training, and nothing outside of it."""

    convention = "elementwise"
    is_view = True
    is_equivariant = True

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, self.name)
        return TensorSpec(x.shape)


class _Dropped(_Noise):
    """Noise of a rate."""

    rate: Rate

    def is_random(self) -> bool:
        return self.rate > 0


class Dropout(_Dropped, name="dropout", main="rate"):
    """Drops elements in training and scales the rest by 1 / (1 - rate) (Srivastava et al. 2014)."""

    rate: Rate
    """Probability that an element is dropped."""

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """what was kept"""
        return (TensorSpec(out.shape, "bool"),) if self.is_random() else ()

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Dropout(self.rate)


class SpatialDropout(_Dropped, name="spatial_dropout", main="rate"):
    """Drops whole feature maps in training and scales the rest by 1 / (1 - rate) (Tompson et al. 2015)."""

    rate: Rate
    """Probability that a channel of a sample is dropped."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        spatial_rank(x, "spatial_dropout")
        return super().infer(x)

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """what was kept, by channel"""
        return (TensorSpec(out.shape[-1:], "bool"),) if self.is_random() else ()

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        if x.rank == 2:
            return keras.layers.SpatialDropout1D(self.rate)
        layer = keras.layers.SpatialDropout2D if x.rank == 3 else keras.layers.SpatialDropout3D
        return layer(self.rate, data_format="channels_last")


class DropPath(_Dropped, name="drop_path", main="rate"):
    """Stochastic depth: drops whole samples in training and scales the rest by 1 / (1 - rate) (Huang et al. 2016)."""

    rate: Rate
    """Probability that a sample is dropped."""

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Dropout(self.rate, noise_shape=(None, *(1,) * x.rank))


class GaussianNoise(_Noise, name="gaussian_noise", main="stddev"):
    """Adds noise of a normal distribution around 0 in training."""

    stddev: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Standard deviation of the noise."""

    def is_random(self) -> bool:
        return self.stddev > 0

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.GaussianNoise(self.stddev)


class GaussianDropout(_Dropped, name="gaussian_dropout", main="rate"):
    """Multiplies, in training, by noise around 1 with the variance that dropout of the same rate has, rate / (1 - rate)
    (Srivastava et al. 2014, §10)."""

    rate: Rate
    """Probability of the dropout that has the same variance."""

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """the factors"""
        return (out,) if self.is_random() else ()

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.GaussianDropout(self.rate)


class AlphaDropout(_Dropped, name="alpha_dropout", main="rate"):
    """Dropout for ``selu``: in training, elements become what selu gives at -∞, and all are scaled and shifted so that
    mean and variance stay (Klambauer et al. 2017)."""

    rate: Rate
    """Probability that an element is dropped."""

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """what was kept"""
        return (TensorSpec(out.shape, "bool"),) if self.is_random() else ()

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.AlphaDropout(self.rate)
