"""Draws whose distribution a network says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from archspec.ops.reach import each_element
from archspec.ops.shapes import floating

if TYPE_CHECKING:
    import keras


class SampleNormal(Op, name="sample_normal", main="inference"):
    """A draw from the normal distribution of a mean and a log-variance: mean + exp(log_variance / 2) · ε, where ε has
    mean 0 and deviation 1, so that gradients reach both (Kingma and Welling 2014).
    """

    convention = "elementwise"

    inference: Literal["mean", "draw"] = "mean"
    """What it gives outside of training: the mean, or a draw as in training."""

    reach = each_element

    def infer(self, mean: TensorSpec, log_variance: TensorSpec) -> TensorSpec:
        for x in (mean, log_variance):
            floating(x, "sample_normal")
        sizes = zip(mean.shape, log_variance.shape, strict=False)
        if mean.rank != log_variance.rank or any(None not in (m, n) and m != n for m, n in sizes):
            raise OpError(
                f"sample_normal needs a log-variance for each mean, got {mean} and {log_variance}",
                help="two layers of as many units, on the same features",
            )
        return TensorSpec(tuple(n if m is None else m for m, n in zip(mean.shape, log_variance.shape, strict=True)))

    def is_random(self) -> bool:
        return True

    def flops(self, out: TensorSpec, mean: TensorSpec, log_variance: TensorSpec) -> int:
        """half the log-variance, a product, a sum, if it draws at inference"""
        return 3 * out.size if self.inference == "draw" else 0

    def transcendentals(self, out: TensorSpec, mean: TensorSpec, log_variance: TensorSpec) -> int:
        return out.size if self.inference == "draw" else 0

    def saved_within(self, out: TensorSpec, mean: TensorSpec, log_variance: TensorSpec) -> tuple[TensorSpec, ...]:
        """what was drawn"""
        return (TensorSpec(out.shape),)

    def lower(self, mean: TensorSpec, log_variance: TensorSpec) -> keras.Layer:
        from archspec.layers.sampling import SampleNormal

        return SampleNormal(self.inference)
