"""Losses of scores and embeddings: by how much the right one is to lead."""

from __future__ import annotations

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import Share
from archspec.ops.base import OpError
from archspec.ops.loss import (
    Loss,
    Positive,
    channels_of,
    keras_loss,
    requires_raw_scores,
    same_shape,
    share_of_each_class,
)


class Hinge(Loss, name="hinge"):
    """max(1 - target · prediction, 0); targets are -1 and 1, and 0 counts as -1."""

    labels = "binary"
    entries = "numbers"
    target, gets_logits, lower = same_shape, requires_raw_scores, keras_loss("Hinge")


class SquaredHinge(Loss, name="squared_hinge"):
    """max(1 - target · prediction, 0)²; targets are -1 and 1, and 0 counts as -1."""

    labels = "binary"
    entries = "numbers"
    target, gets_logits, lower = same_shape, requires_raw_scores, keras_loss("SquaredHinge")


class CategoricalHinge(Loss, name="categorical_hinge"):
    """max(1 + the best score of a wrong class - the score of the right one, 0)."""

    labels = "one_hot"
    entries = "positions"
    target, gets_logits, lower = share_of_each_class, requires_raw_scores, keras_loss("CategoricalHinge")


class Circle(Loss, name="circle", main="margin"):
    """Circle loss between embeddings of length 1 (Sun et al. 2020); examples of one class are drawn together."""

    labels = "index"

    margin: Share = 0.4
    """How far similarities are to be from 0 and 1."""
    gamma: Positive = 80.0
    """Factor of the similarities."""

    gets_logits, lower = requires_raw_scores, keras_loss("Circle")

    def target(self, spec: TensorSpec) -> TensorSpec:
        if channels_of(self, spec).rank != 1:
            raise OpError(f"circle needs an embedding of each example, got {spec}")
        return TensorSpec((), "int32")
