"""Averages of the weights in the place of the weights: evaluated and saved, while the training goes on without them.

Two kinds. A running one (``ema``) forgets: it keeps a share of its value in each step. A uniform one (``average_last``;
Polyak and Juditsky 1992, Izmailov et al. 2018) is the mean of the weights after every step of the last epochs. Either
is Keras's: of a uniform one the share that is kept is n / (n + 1) after n steps.

Means and variances of batch normalisation are no weights, and those that were gathered on the way are of other
weights. With ``ema``, whose weights are never far from the last, they are kept. For a uniform average they are
estimated anew by what the averaged weights give on training batches, as Izmailov et al. do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import layers_within
from archspec.backend.seams.normalization import stated_momentum
from archspec.training.batch_norm import have_begun

if TYPE_CHECKING:
    import keras

BATCHES = 100
"""Training batches, at most, of which statistics of batch normalisation are estimated."""

Inputs = Callable[[], Iterator[Any]]
"""Makes the inputs of training batches, the same in every call."""


def estimate(model: keras.Model, inputs: Inputs, count: int) -> list[tuple[Any, Any]]:
    """Let the statistics of batch normalisation be the means over training batches; what they were, by variable.

    Nothing else of the model changes, random generators included.
    """
    import keras

    from archspec.training.updates.steps import StepsModel

    layers = [n for n in layers_within(model) if isinstance(n, keras.layers.BatchNormalization) and n.trainable]
    if not layers:
        return []
    own = {id(v) for layer in layers for v in layer.non_trainable_variables}
    trained = {id(v) for v in model.trainable_variables}
    kept = [(v, keras.ops.convert_to_numpy(v)) for v in model.variables if id(v) not in trained]
    momenta = [stated_momentum(layer) for layer in layers]
    have_begun(model, [layer.name for layer in layers])
    try:
        for done, batch in enumerate(islice(inputs(), min(count, BATCHES))):
            for layer in layers:
                layer.momentum = done / (done + 1)
            if isinstance(model, StepsModel):
                model.compute_loss(x=batch, training=True)  # its networks are called for the terms of its steps
            else:
                model(batch, training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for variable, value in kept:
            if id(variable) not in own:
                variable.assign(value)
    return [(variable, value) for variable, value in kept if id(variable) in own]


def averages(inputs: Inputs | None = None, count: int = 0, is_due: Callable[[], bool] = bool) -> Any:
    """Evaluates averages in the place of the weights; with ``inputs``, and once they are due, with statistics of their
    own."""
    import keras

    class Averages(keras.callbacks.SwapEMAWeights):
        kept: list[tuple[Any, Any]] = []

        def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
            super().on_test_begin(logs)
            if inputs is not None and is_due():
                self.kept = estimate(self.model, inputs, count)

        def on_test_end(self, logs: dict[str, float] | None = None) -> None:
            super().on_test_end(logs)
            for variable, value in self.kept:
                variable.assign(value)
            self.kept = []

    return Averages(swap_on_epoch=False)
