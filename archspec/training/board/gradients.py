"""Histograms of gradients. (Those of weights are Keras's.)"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import has_own_step
from archspec.training.board.events import Events
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras

    from archspec.training.task import Objective


def gradients(plan: Plan, logdir: Path, objective: Objective, every: int) -> keras.callbacks.Callback:
    """After every so many epochs, the gradients of the loss on the run's first batch, as training computes them.

    Variables that a training step would change besides weights (statistics of normalisation, states of generators)
    stay as they are. A model that has a training step of its own has no loss to differentiate.
    """
    import keras

    class Gradients(keras.callbacks.Callback):
        batch: Any = None
        events = Events(logdir / "gradients")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            import tensorflow as tf

            if epoch % every or has_own_step(self.model):
                return
            if self.batch is None:
                self.batch = next(iter(plan.pipeline.training(objective.pairs)))
            weights = self.model.trainable_variables
            found = _gradients(self.model, weights, *self.batch)
            with self.events.at(epoch):
                for weight, gradient in zip(weights, found, strict=True):
                    if gradient is not None:
                        tf.summary.histogram(weight.path, tf.convert_to_tensor(gradient))

    return Gradients()


def _gradients(model: keras.Model, weights: list[Any], x: Any, y: Any) -> list[Any]:
    import keras
    import tensorflow as tf

    # What is assigned within the scope is dropped with it.
    with tf.GradientTape() as tape, keras.StatelessScope():
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
    return list(tape.gradient(loss, [weight.value for weight in weights]))
