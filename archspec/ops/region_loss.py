"""Losses of regions, sequences and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import Share
from archspec.ops.base import OpError
from archspec.ops.boxes import Variant
from archspec.ops.loss import (
    Loss,
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


class Iou(Loss, name="iou", main="variant"):
    """1 less the overlap of each box with the one in its row of the target (Zheng et al. 2020)."""

    entries = "positions"

    variant: Variant = "plain"
    """As of the op ``iou``: ``complete`` is CIoU, ``distance`` DIoU, ``generalized`` GIoU (Rezatofighi et al. 2019)."""

    def target(self, spec: TensorSpec) -> TensorSpec:
        if channels_of(self, spec).channels != 4:
            raise OpError(
                f"iou compares boxes, four numbers each, got {spec}", help="decode_boxes makes boxes of what is said"
            )
        return TensorSpec(spec.shape)

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        from archspec.layers.boxes import BoxOverlapLoss

        return BoxOverlapLoss(self.variant)
