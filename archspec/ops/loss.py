"""Losses: Keras's, as declarations, with the rule of what target a prediction wants.

A loss is arguments and rules, in this order: fields, ``target``, ``gets_logits``, ``lower``. Whether it gets logits is
no argument: it follows from the last op of the head (``last_activation``), and a head that contradicts its loss is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ir.declaration import Declaration, shared
from archspec.ir.graph import Node, Tensor
from archspec.ir.tensors import Size, TensorSpec
from archspec.ops.base import Number, Op, OpError

if TYPE_CHECKING:
    import keras

Labels = Literal["index", "one_hot", "binary", "numbers"]
"""What a target holds: the number of a class; a share for each class; yes or no for each channel; any numbers."""

Entries = Literal["numbers", "positions", "examples"]
"""What a loss has a value of before values are averaged: each number of a prediction, each position, each example."""
Coding = Literal["given", "classes", "channel"]
"""What a target is: as the loss takes it; numbers of classes, which are made one-hot; one channel without its axis."""

Smoothing = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]


class Loss(Declaration, package="archspec.ops"):
    """What training minimises, of a prediction and its target; the mean over the batch and all positions."""

    labels: ClassVar[Labels] = "numbers"
    """What its target holds."""
    entries: ClassVar[Entries | None] = None
    """What it has a value of; None where it has one of the whole batch alone."""
    leaves_out: ClassVar[str | None] = None
    """The argument that says which label does not count, where there is one."""

    def target(self, spec: TensorSpec) -> TensorSpec:
        """Shape and dtype of the target of a prediction. Raises OpError where it cannot be applied to such a one."""
        raise NotImplementedError

    def second(self, spec: TensorSpec) -> TensorSpec:
        """The same of another result, which stands in the place of a target in a term of a ``train`` section."""
        return self.target(spec)

    def gets_logits(self, last: Op | None) -> bool:
        """Whether a prediction is logits for this loss, if ``last`` is the activation it comes from. Raises OpError."""
        return False

    def lower(self, from_logits: bool = False) -> keras.losses.Loss:
        """The Keras loss, for predictions that are logits or not."""
        raise NotImplementedError


PROBABILITIES: tuple[Number, ...] = ("distribution", "probability")


def number(last: Op | None) -> Number:
    """What a prediction's numbers are to its loss, if ``last`` is the activation that they come from."""
    return "score" if last is None else last.number


def gives_probabilities(last: Op | None) -> bool:
    """Whether a prediction is probabilities, if ``last`` is the activation it comes from."""
    return number(last) in PROBABILITIES


def last_activation(nodes: Mapping[str, Node], tensor: Tensor) -> Op | None:
    """The activation that a tensor's numbers come from; None where they come from something else.

    Looks through what does not change the kind of number: reshaping, and means. What is joined must agree.
    """
    node = activated(nodes, tensor)
    return None if node is None else activation_of(node)


def activation_of(node: Node) -> Op | None:
    """The activation that a node is, or ends in; None for none."""
    op: Any = node.op
    inner = vars(op).get("activation")
    op = inner if isinstance(inner, Op) else op.computed
    return op if op.is_activation and not op.is_view else None


def activated(
    nodes: Mapping[str, Node],
    tensor: Tensor,
    *,
    through_means: bool = True,
    through_scales: bool = False,
    through_draws: bool = True,
) -> Node | None:
    """The node whose activation a tensor's numbers come from, as ``last_activation`` finds it; with ``through_scales``
    also behind given factors and offsets, which leave numbers as limited as they were; without ``through_draws`` not
    behind what training changes, be it dropout or noise."""
    while (node := nodes.get(tensor.node)) is not None:
        if activation_of(node) is not None:
            return node
        op: Any = node.op
        is_same = op.is_view or op.hands_on == "elements" or (through_means and op.hands_on == "means")
        if not is_same and not (through_scales and op.hands_on == "scaled"):
            return None
        if not through_draws and op.is_random():
            return None
        if op.is_merge:
            ways = {
                "through_means": through_means,
                "through_scales": through_scales,
                "through_draws": through_draws,
            }
            found = [activated(nodes, t, **ways) for t in node.inputs]
            names = {None if n is None else getattr(activation_of(n), "name", None) for n in found}
            return found[0] if len(names) == 1 else None
        tensor = node.inputs[0]
    return None


def probabilities_by(loss: Loss, last: Op | None) -> Op | None:
    """What makes probabilities of predictions under a loss, which come out of the activation ``last``; None where they
    are such. Raises OpError where ``last`` does not suit the loss."""
    from archspec.ops.activation import Sigmoid
    from archspec.ops.channel_activation import Softmax

    if loss.gets_logits(last):
        return Sigmoid() if loss.labels == "binary" else Softmax()
    return None if gives_probabilities(last) else Softmax()


def check_operands(loss: Loss, prediction: TensorSpec, target: TensorSpec | float) -> Coding:
    """Refuse a loss that does not fit two results, or a result and a constant (``mse: [score, 1]``). Returns what the
    target is. Raises OpError."""
    wanted = loss.second(prediction)
    if not isinstance(target, TensorSpec):
        if wanted.shape != prediction.shape or loss.labels == "one_hot":
            raise OpError(f"{loss.name} wants a target {wanted} {wanted.dtype}, a constant cannot be one")
        return "given"
    if _meet(wanted.shape, target.shape):
        return "given"
    if _meet(wanted.shape, prediction.shape) and _meet(prediction.spatial, target.shape):
        if loss.labels in ("binary", "one_hot") and "int" in target.dtype:
            return "classes"
        if loss.labels != "one_hot" and prediction.channels == 1:
            return "channel"
    raise OpError(f"{loss.name} of {prediction} wants a target {wanted}, got {target}")


def entry_shape(loss: Loss, prediction: TensorSpec, word: str) -> tuple[Size, ...]:
    """The shape of what ``loss`` is of a prediction before values are averaged, of which a term's ``word`` says which
    count. Raises OpError."""
    match loss.entries:
        case "numbers":
            return prediction.shape
        case "positions":
            return prediction.spatial
        case "examples":
            return ()
    raise OpError(f"{loss.name} is one number of a whole batch: '{word}' has nothing to choose from")


def _meet(one: tuple[Size, ...], other: tuple[Size, ...]) -> bool:
    """Whether shapes can be equal, where sizes may be open."""
    return len(one) == len(other) and all(None in (a, b) or a == b for a, b in zip(one, other, strict=True))


# The rules that several losses share.


def channels_of(loss: Loss, spec: TensorSpec) -> TensorSpec:
    """The prediction, if it has channels of floats."""
    if spec.rank < 1:
        raise OpError(f"{loss.name} needs predictions with channels, got {spec}")
    if "float" not in spec.dtype:
        raise OpError(f"{loss.name} needs floating-point predictions, got {spec.dtype}")
    return spec


@shared
def same_shape(self: Loss, spec: TensorSpec) -> TensorSpec:
    """A number for each number of the prediction."""
    return TensorSpec(channels_of(self, spec).shape)


@shared
def share_of_each_class(self: Loss, spec: TensorSpec) -> TensorSpec:
    """A share for each class: channels are classes."""
    if channels_of(self, spec).channels == 1:
        raise OpError(f"{self.name} needs two classes or more, got {spec}", help="for one score, binary_crossentropy")
    return TensorSpec(spec.shape)


@shared
def class_index(self: Loss, spec: TensorSpec) -> TensorSpec:
    """The number of a class at each position: channels are classes."""
    share_of_each_class(self, spec)
    return TensorSpec(spec.spatial, "int32")


def _refuse_head(loss: Loss, last: Op, wanted: str) -> OpError:
    other = {"softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy"}.get(last.name)
    own = next((word for word in ("softmax", "sigmoid") if word in wanted), None)
    mends = [f"activation: {own}" if own else "activation: linear", *([f"loss: {other}"] if other and own else [])]
    return OpError(f"{loss.name} takes {wanted}, this comes out of {last.name}", help=f"{', or '.join(mends)}")


def logits_unless(own: Number, wanted: str) -> Any:
    """Logits, unless the prediction is such numbers, as ``wanted`` gives; other probabilities are refused."""

    def gets_logits(self: Loss, last: Op | None) -> bool:
        """Whether a prediction is logits for this loss, if ``last`` is the activation it comes from. Raises OpError."""
        if number(last) == own:
            return False
        if last is not None and gives_probabilities(last):
            raise _refuse_head(self, last, f"what {wanted} gives, or logits")
        return True

    return gets_logits


@shared
def probabilities(self: Loss, last: Op | None) -> bool:
    """False: it takes no logits. Raises OpError where ``last``, which the prediction comes from, does not suit."""
    if not gives_probabilities(last):
        raise OpError(
            f"{self.name} takes probabilities, this comes out of {last.name if last else 'no activation'}",
            help="end the head in softmax or sigmoid",
        )
    return False


@shared
def requires_raw_scores(self: Loss, last: Op | None) -> bool:
    """False: it takes no logits. Raises OpError where ``last``, which the prediction comes from, does not suit."""
    if last is not None and gives_probabilities(last):
        raise _refuse_head(self, last, "scores, not probabilities")
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
