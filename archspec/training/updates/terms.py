"""What a term comes to on a batch: a loss, or those of its entries that count, over what they are divided by. Imports
Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from archspec.backend.seams.models import mask_of
from archspec.ir.training import EXAMPLES, Term


def value(term: Term, loss: keras.losses.Loss, prediction: Any, target: Any, where: Any = None, per: Any = None) -> Any:
    """The value of a term: the mean of its loss, or the sum of the entries that count by ``where``, which has their
    shape or their first axes, over the count of the mask ``per``."""
    if term.coding == "classes":
        target = ops.one_hot(ops.cast(target, "int32"), prediction.shape[-1], dtype="float32")
    elif term.coding == "channel":
        target = ops.expand_dims(target, -1)
    if term.where is None and term.per is None:
        return loss(target, prediction)
    counts = None if where is None else ops.stop_gradient(ops.cast(where, "float32"))
    if counts is not None:
        # What does not count may be no number: a gradient times 0 would be none either.
        # A distribution is divided by its sum, so that predictions are ones there.
        prediction, target = _blanked(prediction, counts, ops.ones_like), _blanked(target, counts, ops.zeros_like)
    prediction = ops.cast(prediction, "float32")
    if "float" in keras.backend.standardize_dtype(target.dtype) or target.dtype == "bool":
        target = ops.cast(target, "float32")
    if term.loss.entries == "numbers":
        # Keras's own take the mean over the last axis.
        prediction, target = ops.expand_dims(prediction, -1), ops.expand_dims(target, -1)
    entries = loss.call(target, prediction)
    weights = ops.ones_like(entries)
    if (kept := mask_of(entries)) is not None:
        weights = weights * ops.cast(kept, weights.dtype)
    if counts is not None:
        weights = weights * _along(counts, len(entries.shape))
    total = ops.sum(entries * weights)
    if term.per == EXAMPLES:
        return total / ops.cast(ops.shape(prediction)[0], total.dtype)
    if per is not None:
        return total / ops.maximum(ops.sum(ops.stop_gradient(ops.cast(per, "float32"))), 1.0)
    weight = ops.sum(weights)
    return total / ops.where(weight > 0, weight, 1.0)


def _along(counts: Any, rank: int) -> Any:
    """The same with axes of one at its end, until it has so many."""
    return ops.reshape(counts, (*ops.shape(counts), *(1,) * (rank - len(counts.shape))))


def _blanked(values: Any, counts: Any, filled: Callable[[Any], Any]) -> Any:
    """Zeros or ones in the place of what does not count."""
    rank = len(values.shape)
    if rank < len(counts.shape):
        return values
    return ops.where(_along(counts, rank) != 0, values, filled(values))
