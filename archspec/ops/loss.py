"""Losses: Keras's, as declarations, with the rule of what target a prediction wants.

A loss is arguments and rules, in this order: fields, ``target``, ``gets_logits``, ``lower``. Whether it gets logits is
no argument: it follows from the last op of the head (``last_activation``), and a head that contradicts its loss is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ir.declaration import Declaration
from archspec.ir.graph import Node, Tensor
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import Op, OpError

if TYPE_CHECKING:
    import keras

Labels = Literal["index", "one_hot", "binary", "numbers"]
"""What a target holds: the number of a class; a share for each class; yes or no for each channel; any numbers."""

Share = Annotated[float, Field(ge=0, le=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]


class Loss(Declaration, package="archspec.ops"):
    """What training minimises, of a prediction and its target; the mean over the batch and all positions."""

    labels: ClassVar[Labels] = "numbers"
    """What its target holds."""

    def target(self, spec: TensorSpec) -> TensorSpec:
        """Shape and dtype of the target of a prediction. Raises OpError where it cannot be applied to such a one."""
        raise NotImplementedError

    def gets_logits(self, last: str | None) -> bool:
        """Whether a prediction is logits for this loss, if ``last`` is the activation it comes from. Raises OpError."""
        return False

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        """The Keras loss, for predictions that are logits or not."""
        raise NotImplementedError


SOFTMAX, SIGMOID = ("softmax",), ("sigmoid", "hard_sigmoid")
MEANS = frozenset(("avg_pool", "global_avg_pool", "adaptive_avg_pool", "resize", "upsample"))
"""Ops whose outputs are weighted means of their inputs: those of probabilities are probabilities."""


def last_activation(nodes: Mapping[str, Node], tensor: Tensor) -> str | None:
    """Name of the activation that a tensor's numbers come from; None where they come from something else.

    Looks through what does not change the kind of number: reshaping, and means. What is concatenated must agree.
    """
    while (node := nodes.get(tensor.node)) is not None:
        op: Any = node.op
        inner = getattr(op, "activation", None) or getattr(op, "function", None)
        if isinstance(inner, Op):
            op = inner
        if op.is_activation and op.name != "linear":
            return str(op.name)
        if op.name == "concat":
            found = {last_activation(nodes, t) for t in node.inputs}
            return found.pop() if len(found) == 1 else None
        if not (op.is_view or op.name in MEANS or op.name == "permute"):
            return None
        tensor = node.inputs[0]
    return None


def check_operands(loss: Loss, prediction: TensorSpec, target: TensorSpec | float) -> None:
    """Refuse a loss between two results, or a result and a constant (``mse: [score, 1]``). Raises OpError."""
    wanted = loss.target(prediction)
    if not isinstance(target, TensorSpec):
        if wanted.shape != prediction.shape or loss.labels == "one_hot":
            raise OpError(f"{loss.name} wants a target {wanted} {wanted.dtype}, a constant cannot be one")
        return
    fits = len(wanted.shape) == len(target.shape) and all(
        None in (w, t) or w == t for w, t in zip(wanted.shape, target.shape, strict=True)
    )
    if not fits:
        raise OpError(f"{loss.name} of {prediction} wants a target {wanted}, got {target}")


# The rules that several losses share.


def shared(rule: Any) -> Any:
    """A function that several losses take as a rule of theirs. (Type checkers refuse it otherwise.)"""
    return rule


def _scored(loss: Loss, spec: TensorSpec) -> TensorSpec:
    """The prediction, if it has channels of floats."""
    if spec.rank < 1:
        raise OpError(f"{loss.name} needs predictions with channels, got {spec}")
    if "float" not in spec.dtype:
        raise OpError(f"{loss.name} needs floating-point predictions, got {spec.dtype}")
    return spec


@shared
def alike(self: Loss, spec: TensorSpec) -> TensorSpec:
    """A number for each number of the prediction."""
    return TensorSpec(_scored(self, spec).shape)


@shared
def share_of_each_class(self: Loss, spec: TensorSpec) -> TensorSpec:
    """A share for each class: channels are classes."""
    if _scored(self, spec).channels == 1:
        raise OpError(f"{self.name} needs two classes or more, got {spec}", help="for one score, binary_crossentropy")
    return TensorSpec(spec.shape)


@shared
def class_index(self: Loss, spec: TensorSpec) -> TensorSpec:
    """The number of a class at each position: channels are classes."""
    share_of_each_class(self, spec)
    return TensorSpec(spec.spatial, "int32")


def _refuse_head(loss: Loss, last: str, wanted: str) -> OpError:
    return OpError(f"{loss.name} takes {wanted}, this comes out of {last}")


def logits_unless(*own: str) -> Any:
    """Logits, unless the prediction comes out of one of these; another's probabilities are refused."""

    def gets_logits(self: Loss, last: str | None) -> bool:
        """Whether a prediction is logits for this loss, if ``last`` is the activation it comes from. Raises OpError."""
        if last in own:
            return False
        if last in (*SOFTMAX, *SIGMOID):
            raise _refuse_head(self, str(last), f"what {own[0]} gives, or logits")
        return True

    return gets_logits


@shared
def probabilities(self: Loss, last: str | None) -> bool:
    """False: it takes no logits. Raises OpError where ``last``, which the prediction comes from, does not suit."""
    if last not in (*SOFTMAX, *SIGMOID):
        raise OpError(
            f"{self.name} takes probabilities, this comes out of {last or 'no activation'}",
            help="end the head in softmax or sigmoid",
        )
    return False


@shared
def scores(self: Loss, last: str | None) -> bool:
    """False: it takes no logits. Raises OpError where ``last``, which the prediction comes from, does not suit."""
    if last in (*SOFTMAX, *SIGMOID):
        raise _refuse_head(self, str(last), "scores, not probabilities")
    return False


def keras_loss(name: str, **renamed: str) -> Any:
    """``lower`` of a loss that Keras has under ``name``; ``renamed`` are Keras's words for fields that have others."""

    def lower(self: Loss, from_logits: bool = False) -> keras.losses.Loss:
        """The Keras loss, for predictions that are logits or not."""
        import keras

        arguments = {renamed.get(f, f): getattr(self, f) for f in type(self).model_fields}
        if from_logits:
            arguments["from_logits"] = True
        loss: keras.losses.Loss = getattr(keras.losses, name)(**arguments)
        return loss

    return lower


# Classes.


class CategoricalCrossentropy(Loss, name="categorical_crossentropy", main="label_smoothing"):
    """-Σ target · log(prediction) over the classes; labels that are numbers of classes are made one-hot."""

    labels = "one_hot"

    label_smoothing: Smoothing = 0.0
    """Share of the target that is spread evenly over all classes (Szegedy et al. 2015 take 0.1)."""

    target, gets_logits = share_of_each_class, logits_unless(*SOFTMAX)
    lower = keras_loss("CategoricalCrossentropy")


class SparseCategoricalCrossentropy(Loss, name="sparse_categorical_crossentropy", main="ignore_class"):
    """-log(prediction) of the target's class: categorical cross-entropy on the numbers of classes."""

    labels = "index"

    ignore_class: int | None = None
    """Label of positions that do not count (255 in Pascal VOC)."""

    target, gets_logits = class_index, logits_unless(*SOFTMAX)
    lower = keras_loss("SparseCategoricalCrossentropy")


class BinaryCrossentropy(Loss, name="binary_crossentropy", main="label_smoothing"):
    """-target · log(prediction) - (1 - target) · log(1 - prediction): each channel a question of its own."""

    labels = "binary"

    label_smoothing: Smoothing = 0.0
    """Draws targets towards 0.5 by this share."""

    target, gets_logits, lower = alike, logits_unless(*SIGMOID), keras_loss("BinaryCrossentropy")


class Focal(Loss, name="focal", main="gamma"):
    """Binary cross-entropy, times (1 - p)^gamma for the probability p of the target (Lin et al. 2017, RetinaNet)."""

    labels = "binary"

    gamma: Annotated[float, Field(ge=0, le=16)] = 2.0
    """How much less the easy cases count."""
    alpha: Share | None = 0.25
    """Weight of targets that are 1; those that are 0 have 1 - alpha. Null leaves both at 1."""
    label_smoothing: Smoothing = 0.0
    """Draws targets towards 0.5 by this share."""

    target, gets_logits = alike, logits_unless(*SIGMOID)

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        import keras

        return keras.losses.BinaryFocalCrossentropy(
            # Without this Keras takes alpha and does nothing with it.
            apply_class_balancing=self.alpha is not None,
            alpha=0.25 if self.alpha is None else self.alpha,
            gamma=self.gamma,
            label_smoothing=self.label_smoothing,
            from_logits=from_logits,
        )


class CategoricalFocal(Loss, name="categorical_focal", main="gamma"):
    """Categorical cross-entropy, times alpha · (1 - p)^gamma for the probability p of each class."""

    labels = "one_hot"

    gamma: Annotated[float, Field(ge=0, le=16)] = 2.0
    """How much less the easy cases count."""
    alpha: Share = 0.25
    """Weight of the whole."""
    label_smoothing: Smoothing = 0.0
    """Share of the target that is spread evenly over all classes."""

    target, gets_logits = share_of_each_class, logits_unless(*SOFTMAX)
    lower = keras_loss("CategoricalFocalCrossentropy")


class GeneralizedCrossentropy(Loss, name="generalized_crossentropy", main="q"):
    """(1 - p^q) / q for the probability p of the target's class: for labels partly wrong (Zhang and Sabuncu 2018)."""

    labels = "index"

    q: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Towards 0 it is cross-entropy, towards 1 the mean absolute error."""

    target, gets_logits, lower = class_index, probabilities, keras_loss("CategoricalGeneralizedCrossEntropy")


class Hinge(Loss, name="hinge"):
    """max(1 - target · prediction, 0); targets are -1 and 1, and 0 counts as -1."""

    labels = "binary"
    target, gets_logits, lower = alike, scores, keras_loss("Hinge")


class SquaredHinge(Loss, name="squared_hinge"):
    """max(1 - target · prediction, 0)²; targets are -1 and 1, and 0 counts as -1."""

    labels = "binary"
    target, gets_logits, lower = alike, scores, keras_loss("SquaredHinge")


class CategoricalHinge(Loss, name="categorical_hinge"):
    """max(1 + the best score of a wrong class - the score of the right one, 0)."""

    labels = "one_hot"
    target, gets_logits, lower = share_of_each_class, scores, keras_loss("CategoricalHinge")


# Numbers.


class Mse(Loss, name="mse"):
    """(target - prediction)²."""

    target, lower = alike, keras_loss("MeanSquaredError")


class Mae(Loss, name="mae"):
    """|target - prediction|."""

    target, lower = alike, keras_loss("MeanAbsoluteError")


class Mape(Loss, name="mape"):
    """100 · |target - prediction| / |target|."""

    target, lower = alike, keras_loss("MeanAbsolutePercentageError")


class Msle(Loss, name="msle"):
    """(log(1 + target) - log(1 + prediction))²."""

    target, lower = alike, keras_loss("MeanSquaredLogarithmicError")


class Huber(Loss, name="huber", main="delta"):
    """d² / 2 where the distance d is at most delta, else delta · (d - delta / 2) (Huber 1964)."""

    delta: Positive = 1.0
    """Distance at which the square becomes a line."""

    target, lower = alike, keras_loss("Huber")


class SmoothL1(Loss, name="smooth_l1", main="beta"):
    """d² / (2 · beta) where the distance d is at most beta, else d - beta / 2 (Girshick 2015): huber / beta."""

    beta: Positive = 1.0
    """Distance at which the square becomes a line of slope 1."""

    target = alike

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        import keras

        if self.beta == 1:
            return keras.losses.Huber(1.0, name="smooth_l1")
        from archspec.layers.loss import SmoothL1

        return SmoothL1(self.beta)


class LogCosh(Loss, name="log_cosh"):
    """log(cosh(prediction - target)): a smooth mae."""

    target, lower = alike, keras_loss("LogCosh")


class Poisson(Loss, name="poisson"):
    """prediction - target · log(prediction): the prediction is a rate, above 0."""

    target, lower = alike, keras_loss("Poisson")


class KlDivergence(Loss, name="kl_divergence"):
    """Σ target · log(target / prediction) over the classes."""

    labels = "one_hot"
    target, gets_logits, lower = share_of_each_class, probabilities, keras_loss("KLDivergence")


class CosineSimilarity(Loss, name="cosine_similarity"):
    """Minus the cosine of the angle between prediction and target, over channels."""

    target, lower = alike, keras_loss("CosineSimilarity")


# Regions, sequences, embeddings, boxes.


class Dice(Loss, name="dice"):
    """1 - 2 · Σ target · prediction / (Σ target + Σ prediction), over the whole batch (Milletari et al. 2016)."""

    labels = "binary"
    target, gets_logits, lower = alike, probabilities, keras_loss("Dice")


class Tversky(Loss, name="tversky"):
    """Dice with weights of its own for what is wrongly predicted and what is missed (Salehi et al. 2017)."""

    labels = "binary"

    alpha: Share = 0.5
    """Weight of what is wrongly predicted."""
    beta: Share = 0.5
    """Weight of what is missed."""

    target, gets_logits = alike, probabilities
    # Keras 3.15 takes prediction for target where it counts errors: its alpha weighs what is missed.
    lower = keras_loss("Tversky", alpha="beta", beta="alpha")


class Ctc(Loss, name="ctc"):
    """Connectionist temporal classification (Graves et al. 2006): labels without places; class 0 is the blank."""

    labels = "index"
    gets_logits, lower = scores, keras_loss("CTC")

    def target(self, spec: TensorSpec) -> TensorSpec:
        if _scored(self, spec).rank != 2:
            raise OpError(f"ctc needs scores of shape (time, classes), got {spec}")
        return TensorSpec((None,), "int32")


class Circle(Loss, name="circle", main="margin"):
    """Circle loss between embeddings of length 1 (Sun et al. 2020); examples of one class are drawn together."""

    labels = "index"

    margin: Share = 0.4
    """How far similarities are to be from 0 and 1."""
    gamma: Positive = 80.0
    """Factor of the similarities."""

    gets_logits, lower = scores, keras_loss("Circle")

    def target(self, spec: TensorSpec) -> TensorSpec:
        if _scored(self, spec).rank != 1:
            raise OpError(f"circle needs an embedding of each example, got {spec}")
        return TensorSpec((), "int32")


class Yolo(Loss, name="yolo", main="anchors"):
    """Boxes, objectness and classes on a grid (Redmon and Farhadi 2018): what it wants is the detection task's."""

    anchors: PositiveInt = 3
    """Boxes of each cell; a box is 4 numbers, its objectness, and a score for each class."""

    gets_logits = scores

    def target(self, spec: TensorSpec) -> TensorSpec:
        if _scored(self, spec).rank != 3:
            raise OpError(f"yolo needs predictions of shape (height, width, channels), got {spec}")
        channels = spec.channels
        if channels is not None and (channels % self.anchors or channels // self.anchors < 6):
            raise OpError(
                f"yolo with {self.anchors} anchors needs {self.anchors} · (5 + classes) channels, got {channels}",
                argument="anchors",
            )
        return TensorSpec(spec.shape)

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        raise OpError("yolo compares boxes, which only the detection task knows how to match")
