"""What is reported of updates that Keras makes itself: norms of gradients."""

from __future__ import annotations

from typing import Any

import keras

from archspec.training.updates.simultaneous_updates import SimultaneousUpdates


class GradientNorms(keras.callbacks.Callback):
    """Adds the norm of every network's gradient, in the last round of an epoch, to what the epoch reports."""

    model: SimultaneousUpdates

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            for step, shares in zip(self.model.plan.steps, self.model.optimizer.shares, strict=True):
                logs.update({f"{step.name}.gradient_norm.{share.network}": float(share.norm) for share in shares})
