"""The one step of a spec that is one network: a loss of its results, which Keras takes the derivative of as of any."""

from __future__ import annotations

from typing import Any

import keras

from archspec.training.updates.simultaneous_updates import SimultaneousUpdates


class SingleUpdate(SimultaneousUpdates):
    """A network that is updated as a whole, by a run's own optimizer."""

    def optimizer_of(self, given: object) -> Any:
        return keras.optimizers.get(given)
