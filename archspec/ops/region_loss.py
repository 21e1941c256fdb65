"""Losses of regions, sequences and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import OpError
from archspec.ops.loss import (
    Loss,
    Share,
    channels_of,
    keras_loss,
    probabilities,
    requires_raw_scores,
    same_shape,
    share_of_each_class,
)

if TYPE_CHECKING:
    import keras


class Dice(Loss, name="dice"):
    """1 - 2 · Σ target · prediction / (Σ target + Σ prediction), over the whole batch (Milletari et al. 2016)."""

    labels = "binary"
    target, gets_logits, lower = same_shape, probabilities, keras_loss("Dice")


class Tversky(Loss, name="tversky"):
    """Dice with weights of its own for what is wrongly predicted and what is missed (Salehi et al. 2017)."""

    labels = "binary"

    alpha: Share = 0.5
    """Weight of what is wrongly predicted."""
    beta: Share = 0.5
    """Weight of what is missed."""

    target, gets_logits = same_shape, probabilities
    # Keras 3.15 takes prediction for target where it counts errors: its alpha weighs what is missed.
    lower = keras_loss("Tversky", alpha="beta", beta="alpha")


class Jaccard(Loss, name="jaccard"):
    """1 - Σ target · prediction / Σ (target + prediction - target · prediction) of each class over the whole batch, and
    the mean over those that occur in the target: soft intersection over union (Rahman and Wang 2016)."""

    labels = "binary"
    target, gets_logits = same_shape, probabilities

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        from archspec.layers.region_loss import Jaccard

        return Jaccard()


class LovaszSoftmax(Loss, name="lovasz_softmax"):
    """The convex surrogate of intersection over union of each class over the whole batch, and the mean over those that
    occur in the target (Berman, Rannen Triki and Blaschko 2018)."""

    labels = "one_hot"
    target, gets_logits = share_of_each_class, probabilities

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        from archspec.layers.region_loss import LovaszSoftmax

        return LovaszSoftmax()


class Ctc(Loss, name="ctc"):
    """Connectionist temporal classification (Graves et al. 2006): labels without places; class 0 is the blank."""

    labels = "index"
    entries = "examples"
    gets_logits, lower = requires_raw_scores, keras_loss("CTC")

    def target(self, spec: TensorSpec) -> TensorSpec:
        if channels_of(self, spec).rank != 2:
            raise OpError(f"ctc needs scores of shape (time, classes), got {spec}")
        return TensorSpec((None,), "int32")


class Yolo(Loss, name="yolo", main="anchors"):
    """Boxes, objectness and classes on a grid (Redmon and Farhadi 2018), as heads declare it: it says what the channels
    of a prediction are. Nothing computes it, as it does not say which box answers for which object: a ``train`` section
    with ``match`` and ``encode_boxes`` does, and has a term for each part."""

    anchors: PositiveInt = 3
    """Boxes of each cell; a box is 4 numbers, its objectness, and a score for each class."""

    gets_logits = requires_raw_scores

    def target(self, spec: TensorSpec) -> TensorSpec:
        if channels_of(self, spec).rank != 3:
            raise OpError(f"yolo needs predictions of shape (height, width, channels), got {spec}")
        channels = spec.channels
        if channels is not None and (channels % self.anchors or channels // self.anchors < 6):
            raise OpError(
                f"yolo with {self.anchors} anchors needs {self.anchors} · (5 + classes) channels, got {channels}",
                argument="anchors",
            )
        return TensorSpec(spec.shape)

    def check_computable(self) -> None:
        raise OpError(
            "yolo compares boxes with objects, and does not say which with which",
            help="in train: match and encode_boxes make targets, and terms compare boxes, objectness and classes",
        )

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        self.check_computable()
        raise NotImplementedError
