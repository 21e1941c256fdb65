"""Cross-entropies in which easy cases, or labels that may be wrong, count for less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ops.arguments import Share
from archspec.ops.loss import (
    Loss,
    Smoothing,
    class_index,
    keras_loss,
    logits_unless,
    probabilities,
    same_shape,
    share_of_each_class,
)

if TYPE_CHECKING:
    import keras


class Focal(Loss, name="focal", main="gamma"):
    """Binary cross-entropy, times (1 - p)^gamma for the probability p of the target (Lin et al. 2017, RetinaNet)."""

    labels = "binary"
    entries = "numbers"

    gamma: Annotated[float, Field(ge=0, le=16)] = 2.0
    """How much less the easy cases count."""
    alpha: Share | None = 0.25
    """Weight of targets that are 1; those that are 0 have 1 - alpha. Null leaves both at 1."""
    label_smoothing: Smoothing = 0.0
    """Draws targets towards 0.5 by this share."""

    target, gets_logits = same_shape, logits_unless("probability", "sigmoid")

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        import keras

        return keras.losses.BinaryFocalCrossentropy(
            # Without this Keras takes alpha and does nothing with it.
            apply_class_balancing=self.alpha is not None,
            alpha=0.25 if self.alpha is None else self.alpha,
            gamma=self.gamma,
            label_smoothing=self.label_smoothing,
            from_logits=from_logits,
        )


class CategoricalFocal(Loss, name="categorical_focal", main="gamma"):
    """Categorical cross-entropy, times alpha · (1 - p)^gamma for the probability p of each class."""

    labels = "one_hot"
    entries = "positions"

    gamma: Annotated[float, Field(ge=0, le=16)] = 2.0
    """How much less the easy cases count."""
    alpha: Share = 0.25
    """Weight of the whole."""
    label_smoothing: Smoothing = 0.0
    """Share of the target that is spread evenly over all classes."""

    target, gets_logits = share_of_each_class, logits_unless("distribution", "softmax")
    lower = keras_loss("CategoricalFocalCrossentropy")


class GeneralizedCrossentropy(Loss, name="generalized_crossentropy", main="q"):
    """(1 - p^q) / q for the probability p of the target's class: for labels partly wrong (Zhang and Sabuncu 2018)."""

    labels = "index"
    entries = "positions"

    q: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Towards 0 it is cross-entropy, towards 1 the mean absolute error."""

    target, gets_logits, lower = class_index, probabilities, keras_loss("CategoricalGeneralizedCrossEntropy")
