"""Cross-entropy per token in its units. Imports Keras."""

from __future__ import annotations

from math import log
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor


class _PerToken(keras.metrics.Mean):
    """The mean of -ln p over tokens, those of number ``ignored`` left out."""

    def __init__(
        self, ignored: int | None = None, *, from_logits: bool = False, name: str | None = None, **config: Any
    ):
        super().__init__(name=name or type(self).__name__.lower(), **config)
        self.ignored, self.from_logits = ignored, from_logits

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        nats = ops.sparse_categorical_crossentropy(
            ops.cast(y_true, "int32"), ops.cast(y_pred, "float32"), from_logits=self.from_logits
        )
        counts = ops.ones_like(nats)
        if self.ignored is not None:
            counts = ops.cast(ops.not_equal(ops.cast(y_true, "int32"), self.ignored), "float32")
        # Of a matrix Keras would take the mean of every row: tokens of shorter batches would count for more.
        super().update_state(ops.reshape(nats, (-1,)), sample_weight=ops.reshape(counts, (-1,)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ignored": self.ignored, "from_logits": self.from_logits}


class Nats(_PerToken):
    """-ln p of the right token, the mean over tokens."""


class Bits(_PerToken):
    """-log₂ p of the right token, the mean over tokens."""

    def result(self) -> Any:
        return super().result() / log(2)


class Perplexity(_PerToken):
    """e to the power of the nats: among so many equally probable tokens the network is as much in doubt."""

    def result(self) -> Any:
        return ops.exp(super().result())
