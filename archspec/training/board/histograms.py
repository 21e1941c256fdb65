"""Histograms of weights and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import has_own_step
from archspec.training.board.events import Board

if TYPE_CHECKING:
    import keras

    from archspec.data.pipeline import Pipeline
    from archspec.layers.tensor import Tensor
    from archspec.training.task import Objective


def histograms(board: Board, objective: Objective, pipeline: Pipeline, every: int) -> keras.callbacks.Callback:
    """After the first epoch and every so many, the weights as ``PATH/histogram``; and, on TensorFlow, as
    ``gradients/PATH`` those of the loss on the run's first batch, as training computes them.

    Variables that a training step would change besides weights (statistics of normalisation, states of generators)
    stay as they are. A model that has a training step of its own has no loss to differentiate.
    """
    import keras

    class Histograms(keras.callbacks.Callback):
        batch: Any = None

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            import tensorflow as tf

            if epoch % every:
                return
            with board.train.at(epoch + 1):
                for weight in self.model.weights:
                    tf.summary.histogram(f"{weight.path}/histogram", keras.ops.convert_to_numpy(weight))
                for path, gradient in self.gradients():
                    tf.summary.histogram(f"gradients/{path}", tf.convert_to_tensor(gradient))

        def gradients(self) -> list[tuple[str, Any]]:
            if keras.backend.backend() != "tensorflow" or has_own_step(self.model):
                return []
            if self.batch is None:
                self.batch = next(iter(pipeline.training(objective.pairs)))
            weights = self.model.trainable_variables
            found = _gradients(self.model, weights, *self.batch)
            return [(w.path, gradient) for w, gradient in zip(weights, found, strict=True) if gradient is not None]

    return Histograms()


def _gradients(model: keras.Model, weights: list[Any], x: Tensor, y: Tensor) -> list[Any]:
    import keras
    import tensorflow as tf

    # What is assigned within the scope is dropped with it.
    with tf.GradientTape() as tape, keras.StatelessScope():
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
    return list(tape.gradient(loss, [weight.value for weight in weights]))
