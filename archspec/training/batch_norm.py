"""Batch normalisation whose moving averages forget their start.

Keras's averages start at mean 0 and variance 1 and keep a share ``momentum`` of that in each step: 0.99 ** 100 is a
third, so that what a short run evaluates is mostly the start, and a network that has learned answers at chance. Here
the share is at most (1 + t) / (10 + t) in the step after ``t`` others, as that of TensorFlow's
``ExponentialMovingAverage`` with ``num_updates``: ten steps leave a hundred-thousandth of the start, and the average is
over about the last ninth of the steps, until the momentum that the spec says is the smaller (0.9 after 80 steps, 0.99
after 890). From there on it is as ever.

What a layer does in training, where a batch is normalised by its own mean, is untouched. ``t`` is a layer's own: it
stands while the layer is frozen, and a layer whose averages come from a file has none to forget.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from archspec.backend.seams.models import layers_within
from archspec.backend.seams.normalization import forget_start, updates_of

if TYPE_CHECKING:
    import keras

BEGUN = 1e9
"""Updates after which nothing of a start can be left."""


def forget_starts(model: keras.Model) -> float:
    """Let the layers of a network that is to be trained forget the start of their averages. Returns the largest share
    that one of them keeps by its spec, 0 where there is none."""
    import keras

    largest = 0.0
    for layer in model.layers:
        # An average that keeps all of itself never changes: that is meant.
        if type(layer) is keras.layers.BatchNormalization and layer.momentum < 1:
            largest = max(largest, layer.momentum)
            forget_start(layer)
    return largest


def updates_until(momentum: float) -> float:
    """Updates after which a layer keeps the share that its spec says: 80 for 0.9, 890 for 0.99."""
    return (10 * momentum - 1) / (1 - momentum)


def counts(model: keras.Model) -> dict[str, keras.Variable]:
    """How many updates the averages of each layer have seen, by its name."""
    found = ((layer.name, updates_of(layer)) for layer in layers_within(model))
    return {name: updates for name, updates in found if updates is not None}


def have_begun(model: keras.Model, layers: Iterable[str]) -> None:
    """Averages of these layers are worth keeping: they are changed with the spec's momentum from now on."""
    held = counts(model)
    for name in layers:
        if name in held:
            held[name].assign(BEGUN)
