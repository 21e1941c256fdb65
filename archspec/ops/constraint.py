"""Constraints: Keras's, as declarations; what a weight is brought to after every step. They are arguments of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.declaration import Declaration

if TYPE_CHECKING:
    import keras

Length = Annotated[float, Field(gt=0, le=1e6)]


class Constraint(Declaration, package="archspec.ops"):
    """What holds of a kernel of (inputs, units) after every step; a unit's vector is a column."""

    def lower(self) -> keras.constraints.Constraint:
        """The Keras constraint."""
        raise NotImplementedError


class MaxNorm(Constraint, name="max_norm", main="length"):
    """No unit's vector is longer than ``length``; longer ones are scaled down (Hinton et al. 2012; Kim 2014: 3)."""

    length: Length = 2.0
    """Largest length."""

    def lower(self) -> keras.constraints.Constraint:
        import keras

        return keras.constraints.MaxNorm(self.length, axis=0)


class UnitNorm(Constraint, name="unit_norm"):
    """Every unit's vector has length 1."""

    def lower(self) -> keras.constraints.Constraint:
        import keras

        return keras.constraints.UnitNorm(axis=0)


class NonNegative(Constraint, name="non_negative"):
    """No weight is below 0; those that would be are 0."""

    def lower(self) -> keras.constraints.Constraint:
        import keras

        return keras.constraints.NonNeg()
