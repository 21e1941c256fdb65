"""Draws of Keras's that follow from two whole numbers, and from no state. Imports Keras."""

from __future__ import annotations

from typing import Any

import keras


class Seed(keras.random.SeedGenerator):
    """Two whole numbers that a draw follows from: the same draw, whenever it is made."""

    def __init__(self, first: object, second: object):
        # Not the parent's: there is no state.
        kind = "uint32" if keras.backend.backend() == "jax" else "int32"
        self.pair = keras.ops.stack([keras.ops.cast(n, kind) for n in (first, second)])

    def next(self, ordered: bool = True) -> Any:
        """The two numbers."""
        return self.pair
