"""Losses and metrics of classes at pixels, of which some are void. Imports Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor


def _labels(mask: Any, classes: int) -> tuple[Any, Any]:
    """Numbers of classes (batch, height, width), and 1.0 where there is one; 0 in both at a void pixel. Behind the
    numbers a mask may have weights."""
    labels = ops.cast(mask[..., 0] if len(mask.shape) == 4 else mask, "int32")
    valid = labels < classes
    return ops.where(valid, labels, 0), ops.cast(valid, "float32")


class PixelLoss(keras.losses.Loss):
    """The mean over pixels that have a class of a loss of each, weighted by its class: Σ w·l / Σ w, as PyTorch's
    cross_entropy has it. ``spread`` where the loss takes a share of each class; ``hardest`` is the share of the batch's
    pixels with a class that count, those whose loss is largest. What stands behind the class of a pixel is added to the
    weight of its class."""

    def __init__(
        self, loss: Any, classes: int, weights: Sequence[float] | None, *, spread: bool, hardest: float | None = None
    ):
        super().__init__(name=loss.name, reduction=None)
        self.loss, self.classes, self.weights, self.spread, self.hardest = loss, classes, weights, spread, hardest

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        labels, valid = _labels(y_true, self.classes)
        target = ops.one_hot(labels, self.classes, dtype=y_pred.dtype) if self.spread else labels
        single = ops.cast(self.loss.call(target, y_pred), "float32")
        weight = valid
        if self.weights is not None:
            weight = weight * ops.take(ops.convert_to_tensor(self.weights, "float32"), labels)
        if len(y_true.shape) == 4 and y_true.shape[-1] == 2:
            weight = weight + valid * ops.cast(y_true[..., 1], "float32")
        if self.hardest is not None:
            weight = weight * self._hard(ops.stop_gradient(single), valid)
        return ops.sum(weight * single) / ops.maximum(ops.sum(weight), 1e-7)

    def _hard(self, single: Any, valid: Any) -> Any:
        """1.0 at the pixels that count. Of equal losses at the edge all do."""
        ranked = ops.flip(ops.sort(ops.reshape(ops.where(valid > 0, single, -1.0), (-1,))))
        count = ops.cast(ops.ceil(self.hardest * ops.sum(valid)), "int32")
        least = ops.take(ranked, ops.maximum(count - 1, 0))
        return ops.cast(single >= least, "float32")


class RegionLoss(keras.losses.Loss):
    """A loss of whole regions, in which void pixels belong to none, in truth and in prediction."""

    def __init__(self, loss: Any, classes: int):
        super().__init__(name=loss.name, reduction=None)
        self.loss, self.classes = loss, classes

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        labels, valid = _labels(y_true, self.classes)
        valid = ops.cast(valid, y_pred.dtype)[..., None]
        return self.loss.call(ops.one_hot(labels, self.classes, dtype=y_pred.dtype) * valid, y_pred * valid)


class _Confusion(keras.metrics.Metric):
    """Counts of pixels by true class and by the one of the highest score; void does not count."""

    def __init__(self, classes: int, name: str):
        super().__init__(name=name, dtype="float32")
        self.classes = classes
        # float32 counts to 2^24 alone: an epoch has more pixels than that. Millions are counted apart.
        self.ones = self.add_weight(shape=(classes, classes), initializer="zeros", name="ones")
        self.millions = self.add_weight(shape=(classes, classes), initializer="zeros", name="millions")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        labels, valid = _labels(y_true, self.classes)
        said = ops.cast(ops.argmax(y_pred, -1), "int32")
        flat = ops.reshape(ops.where(valid > 0, labels * self.classes + said, self.classes**2), (-1,))
        found = ops.bincount(flat, minlength=self.classes**2 + 1)[: self.classes**2]
        ones = self.ones + ops.cast(ops.reshape(found, (self.classes, self.classes)), "float32")
        over = ops.floor(ones / 1e6)
        self.millions.assign(self.millions + over)
        self.ones.assign(ones - over * 1e6)

    def counts(self) -> Any:
        return self.ones + self.millions * 1e6


class PixelAccuracy(_Confusion):
    """Share of pixels whose class is right."""

    def __init__(self, classes: int):
        super().__init__(classes, "accuracy")

    def result(self) -> Any:
        counts = self.counts()
        return ops.sum(ops.diagonal(counts)) / ops.maximum(ops.sum(counts), 1.0)


class MeanIoU(_Confusion):
    """Mean over the classes that occur, in truth or in prediction, of intersection over union."""

    def __init__(self, classes: int):
        super().__init__(classes, "mean_iou")

    def result(self) -> Any:
        counts = self.counts()
        hits = ops.diagonal(counts)
        union = ops.sum(counts, 0) + ops.sum(counts, 1) - hits
        occurs = ops.cast(union > 0, "float32")
        return ops.sum(hits / ops.maximum(union, 1.0)) / ops.maximum(ops.sum(occurs), 1.0)
