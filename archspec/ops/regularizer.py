"""Regularisers: Keras's, as declarations; what of a weight is added to the loss. They stand as arguments of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.declaration import Declaration

if TYPE_CHECKING:
    import keras

Factor = Annotated[float, Field(gt=0, le=1e6)]


class Regularizer(Declaration, package="archspec.ops"):
    """A penalty on a weight's values."""

    def lower(self) -> keras.regularizers.Regularizer:
        """The Keras regulariser."""
        raise NotImplementedError


class L1(Regularizer, name="l1", main="factor"):
    """factor · Σ |w|."""

    factor: Factor = 0.01
    """The factor."""

    def lower(self) -> keras.regularizers.Regularizer:
        import keras

        return keras.regularizers.L1(self.factor)


class L2(Regularizer, name="l2", main="factor"):
    """factor · Σ w². (Caffe and PyTorch add half of it: their weight decay of 0.0005 is 0.00025 here.)"""

    factor: Factor = 0.01
    """The factor."""

    def lower(self) -> keras.regularizers.Regularizer:
        import keras

        return keras.regularizers.L2(self.factor)


class L1L2(Regularizer, name="l1_l2"):
    """l1 · Σ |w| + l2 · Σ w² (the elastic net)."""

    l1: Factor = 0.01
    """Factor of the magnitudes."""
    l2: Factor = 0.01
    """Factor of the squares."""

    def lower(self) -> keras.regularizers.Regularizer:
        import keras

        return keras.regularizers.L1L2(self.l1, self.l2)


class Orthogonality(Regularizer, name="orthogonality", main="factor"):
    """factor · the mean of the products of different columns of a matrix, each brought to length 1."""

    factor: Factor = 0.01
    """The factor."""

    def lower(self) -> keras.regularizers.Regularizer:
        import keras

        return keras.regularizers.OrthogonalRegularizer(self.factor, mode="columns")
