"""Losses of critics, whose scores have no limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ops.loss import Loss, requires_raw_scores, same_shape

if TYPE_CHECKING:
    import keras


class Wasserstein(Loss, name="wasserstein"):
    """-target · prediction: with target 1 a score is to rise, with -1 to fall (Arjovsky et al. 2017)."""

    entries = "numbers"
    target, gets_logits = same_shape, requires_raw_scores

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        from archspec.layers.loss import Wasserstein

        return Wasserstein()
