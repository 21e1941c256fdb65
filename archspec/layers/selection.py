"""Rows that are drawn, or the hardest, as flags or gathered. Ranks are exact: where rows draw equal numbers, the first
comes first."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.suppression import rows_of
from archspec.layers.tensor import Tensor

register = keras.saving.register_keras_serializable("archspec")


class _Drawn(keras.Layer):
    def __init__(self, count: int, positive: float, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.count, self.positive = count, positive
        self.seed_generator = keras.random.SeedGenerator()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count, "positive": self.positive}

    def _ranks(self, positive: Tensor, counted: Tensor, training: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The rows that are positive and their ranks among the drawn, and the same of the background; a row that is
        not drawn has a rank beyond the count."""
        positive = ops.logical_and(positive, counted)
        negative = ops.logical_and(counted, ops.logical_not(positive))
        most = int(self.count * self.positive)
        taken = ops.minimum(ops.sum(ops.cast(positive, "int32"), axis=1, keepdims=True), most)
        if training:
            first = then = keras.random.uniform(ops.shape(positive), seed=self.seed_generator)
        else:
            first, then = spread_order(positive, taken), spread_order(negative, self.count - taken)
        of_positive = ops.where(positive, rank(first, positive), self.count)
        of_positive = ops.where(of_positive < most, of_positive, self.count)
        of_negative = ops.where(negative, rank(then, negative) + taken, self.count)
        return of_positive, of_negative, positive, negative


@register
class SampledRows(_Drawn):
    """Two flags (batch, rows) to two flags of the same shape."""

    def call(self, positive: Tensor, counted: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        of_positive, of_negative, _, _ = self._ranks(positive, counted, training)
        drawn = of_positive < self.count
        return drawn, ops.logical_or(drawn, of_negative < self.count)


@register
class SampledRegions(_Drawn):
    """Boxes (batch, rows, 4) and what was matched of them to ``count`` rows of each."""

    def call(
        self,
        boxes: Tensor,
        classes: Tensor,
        box: Tensor,
        positive: Tensor,
        counted: Tensor,
        owner: Tensor,
        training: bool = False,
    ) -> tuple[Tensor, ...]:
        of_positive, of_negative, _, _ = self._ranks(positive, counted, training)
        ranks = ops.minimum(of_positive, of_negative)
        found = min(self.count, ranks.shape[1])
        chosen = ops.argsort(ranks, axis=1)[:, :found]
        drawn = ops.take_along_axis(ranks, chosen, axis=1) < self.count

        def gathered(x: Tensor) -> Tensor:
            x = rows_of(x, chosen) if len(x.shape) > 2 else ops.take_along_axis(x, chosen, axis=1)
            if rest := self.count - found:
                dtype, pad = x.dtype, ((0, 0), (0, rest), *((0, 0),) * (len(x.shape) - 2))
                x = ops.cast(ops.pad(ops.cast(x, "int32") if dtype == "bool" else x, pad), dtype)
            return x

        boxes, classes, box, owner = (gathered(ops.stop_gradient(x)) for x in (boxes, classes, box, owner))
        drawn_positive = ops.logical_and(ops.take_along_axis(positive, chosen, axis=1), drawn)
        if rest := self.count - found:
            drawn, drawn_positive = (
                ops.cast(ops.pad(ops.cast(x, "int32"), ((0, 0), (0, rest))), "bool") for x in (drawn, drawn_positive)
            )
        return boxes, classes, box, drawn_positive, drawn, owner


@register
class HardestNegatives(keras.Layer):
    """Numbers and two flags (batch, rows) to a flag of the same shape."""

    def __init__(self, ratio: float, least: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.ratio, self.least = ratio, least

    def call(self, hardness: Tensor, positive: Tensor, counted: Tensor) -> Tensor:
        positive = ops.logical_and(positive, counted)
        negative = ops.logical_and(counted, ops.logical_not(positive))
        count = self.ratio * ops.sum(ops.cast(positive, "float32"), axis=1, keepdims=True)
        most = ops.maximum(ops.cast(ops.floor(count), "int32"), self.least)
        hard = rank(-ops.stop_gradient(hardness), negative) < most
        return ops.logical_or(positive, ops.logical_and(negative, hard))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "ratio": self.ratio, "least": self.least}


def spread_order(among: Tensor, count: Tensor) -> Tensor:
    """0 for ``count`` (batch, 1) of the chosen ones of each row, whose places among them are spread evenly, 1 for the
    others. All are spread where there are no more."""
    number = ops.cumsum(ops.cast(among, "int32"), axis=1)
    whole = ops.maximum(number[:, -1:], 1)
    count = ops.minimum(count, whole)
    # The share of the count that is due, rounded, grows by one at each that is taken. The rank among them settles how
    # many they are, even where a product does not fit into 32 bits.
    due, before = ((n * count + whole // 2) // whole for n in (number, number - 1))
    return ops.cast(due == before, "float32")


def rank(numbers: Tensor, among: Tensor) -> Tensor:
    """The place of each among the chosen ones of its row, from the smallest up; those that are not chosen come last."""
    order = ops.argsort(ops.where(among, numbers, 3e38), axis=1)
    return ops.cast(ops.argsort(order, axis=1), "int32")
