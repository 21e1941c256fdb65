"""Losses of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, Positive, keras_loss, probabilities, same_shape, share_of_each_class

if TYPE_CHECKING:
    import keras


class Mse(Loss, name="mse"):
    """(target - prediction)²."""

    entries = "numbers"
    target, lower = same_shape, keras_loss("MeanSquaredError")


class Mae(Loss, name="mae"):
    """|target - prediction|."""

    entries = "numbers"
    target, lower = same_shape, keras_loss("MeanAbsoluteError")


class Mape(Loss, name="mape"):
    """100 · |target - prediction| / |target|."""

    entries = "numbers"
    target, lower = same_shape, keras_loss("MeanAbsolutePercentageError")


class Msle(Loss, name="msle"):
    """(log(1 + target) - log(1 + prediction))²."""

    entries = "numbers"
    target, lower = same_shape, keras_loss("MeanSquaredLogarithmicError")


class Huber(Loss, name="huber", main="delta"):
    """d² / 2 where the distance d is at most delta, else delta · (d - delta / 2) (Huber 1964)."""

    entries = "numbers"

    delta: Positive = 1.0
    """Distance at which the square becomes a line."""

    target, lower = same_shape, keras_loss("Huber")


class SmoothL1(Loss, name="smooth_l1", main="beta"):
    """d² / (2 · beta) where the distance d is at most beta, else d - beta / 2 (Girshick 2015): huber / beta."""

    entries = "numbers"

    beta: Positive = 1.0
    """Distance at which the square becomes a line of slope 1."""

    target = same_shape

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        import keras

        if self.beta == 1:
            return keras.losses.Huber(1.0, name="smooth_l1")
        from archspec.layers.loss import SmoothL1

        return SmoothL1(self.beta)


class LogCosh(Loss, name="log_cosh"):
    """log(cosh(prediction - target)): a smooth mae."""

    entries = "numbers"
    target, lower = same_shape, keras_loss("LogCosh")


class Poisson(Loss, name="poisson"):
    """prediction - target · log(prediction): the prediction is a rate, above 0."""

    entries = "numbers"
    target, lower = same_shape, keras_loss("Poisson")


class KlDivergence(Loss, name="kl_divergence"):
    """Σ target · log(target / prediction) over the classes."""

    labels = "one_hot"
    entries = "positions"
    target, gets_logits, lower = share_of_each_class, probabilities, keras_loss("KLDivergence")


class NormalKl(Loss, name="normal_kl"):
    """(mean² + exp(log_variance) - log_variance - 1) / 2, summed over channels: the KL divergence of a normal
    distribution from that of mean 0 and deviation 1, of two results, in nats (Kingma and Welling 2014, appendix B).
    """

    entries = "positions"
    second = same_shape

    def target(self, spec: TensorSpec) -> TensorSpec:
        raise OpError(
            "normal_kl is of two results, means and log-variances: no data have them",
            help="a term of a train section: {normal_kl: [mean, log_variance]}",
        )

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        from archspec.layers.loss import NormalKl

        return NormalKl()


class CosineSimilarity(Loss, name="cosine_similarity"):
    """Minus the cosine of the angle between prediction and target, over channels."""

    entries = "positions"
    target, lower = same_shape, keras_loss("CosineSimilarity")
