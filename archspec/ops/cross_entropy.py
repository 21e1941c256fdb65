"""Losses of probabilities: cross-entropies and their kin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ops.loss import (
    Loss,
    Smoothing,
    class_index,
    keras_loss,
    logits_unless,
    same_shape,
    share_of_each_class,
)

if TYPE_CHECKING:
    pass


class CategoricalCrossentropy(Loss, name="categorical_crossentropy", main="label_smoothing"):
    """-Σ target · log(prediction) over the classes; labels that are numbers of classes are made one-hot."""

    labels = "one_hot"
    entries = "positions"

    label_smoothing: Smoothing = 0.0
    """Share of the target that is spread evenly over all classes (Szegedy et al. 2015 take 0.1)."""

    target, gets_logits = share_of_each_class, logits_unless("distribution", "softmax")
    lower = keras_loss("CategoricalCrossentropy")


class SparseCategoricalCrossentropy(Loss, name="sparse_categorical_crossentropy", main="ignore_class"):
    """-log(prediction) of the target's class: categorical cross-entropy on the numbers of classes."""

    labels = "index"
    entries = "positions"
    leaves_out = "ignore_class"

    ignore_class: int | None = None
    """Label of positions that do not count (255 in Pascal VOC)."""

    target, gets_logits = class_index, logits_unless("distribution", "softmax")
    lower = keras_loss("SparseCategoricalCrossentropy")


class BinaryCrossentropy(Loss, name="binary_crossentropy", main="label_smoothing"):
    """-target · log(prediction) - (1 - target) · log(1 - prediction): each channel a question of its own."""

    labels = "binary"
    entries = "numbers"

    label_smoothing: Smoothing = 0.0
    """Draws targets towards 0.5 by this share."""

    target, gets_logits, lower = same_shape, logits_unless("probability", "sigmoid"), keras_loss("BinaryCrossentropy")
