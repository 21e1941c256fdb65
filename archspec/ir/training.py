"""The updates that a ``train`` section describes, of several networks or of the one that a body is, and what they are
made of (``Training`` in ir.graph)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from archspec.ir.diagnostics import Span
from archspec.ir.meaning import Meaning
from archspec.ir.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class ValueSchedule:
    """A number that changes: ``at(n)`` is its value in the round that ``n`` rounds came before."""

    text: str
    at: Callable[[int], float] = field(compare=False)


Scheduled = float | ValueSchedule


class Drawn(NamedTuple):
    """How an input of a step comes about other than as an array of the data.

    ``normal`` numbers have mean 0 and deviation 1; ``uniform`` ones lie in ``low`` … ``high``; a ``label`` is the
    number of one of ``classes`` classes, which the data give in training and a person, or an even draw, in sampling.
    """

    kind: Literal["normal", "uniform", "label"]
    low: float = 0.0
    high: float = 1.0
    classes: int | None = None


class ObjectsInput(NamedTuple):
    """The objects of a picture as an input: up to ``most``, each of one of ``classes``."""

    classes: int
    most: int
    parameter: str | None = None
    """The parameter of the file that says how many classes."""
    masks: tuple[int, int] | None = None
    """Height and width of the image, whose pixels each object is told to have or not; None where there are no masks."""

    def ports(self) -> dict[str, TensorSpec]:
        """Their tensors by name: boxes x1, y1, x2, y2 in pixels of the image, classes, which rows are objects that
        count, and which are ignored; masks, a bit of each pixel for each, and which of these is that of a row."""
        found = {
            "boxes": TensorSpec((self.most, 4)),
            "classes": TensorSpec((self.most,), "int32"),
            "valid": TensorSpec((self.most,), "bool"),
            "ignored": TensorSpec((self.most,), "bool"),
        }
        if self.masks is not None:
            found["masks"] = TensorSpec((*self.masks, -(-self.most // 8)), "uint8")
            found["places"] = TensorSpec((self.most,), "int32")
        return found

    def meanings(self) -> dict[str, Meaning]:
        """What these are, by name."""
        return {"boxes": Meaning("objects"), "classes": Meaning("classes", self.classes)}


@dataclass(frozen=True, slots=True)
class GradientPenalty:
    """(‖∂result/∂point‖ - norm)², the mean over the batch (Gulrajani et al. 2017): a term's loss.

    The term's operands are the result and the point, both names.
    """

    norm: float = 1.0
    name = "gradient_penalty"


EXAMPLES = "examples"
"""What the sum of a term is divided by where it is the number of examples."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One summand of what a training step minimises: a loss between operands (names of results, or constants).

    ``where`` names the result that says which of the loss's entries count, or their weights; ``per`` the mask by whose
    count, at least 1, their sum is divided, or is ``examples``. Without ``per`` it is the mean of those that count.
    ``coding`` says what the target is (``Coding`` in ops.loss).
    """

    loss: Any
    operands: tuple[str | float, ...]
    weight: Scheduled = 1.0
    name: str = ""
    from_logits: bool = False
    span: Span | None = None
    where: str | None = None
    per: str | None = None
    coding: str = "given"

    @property
    def results(self) -> tuple[str, ...]:
        """Names of all results that it is computed from."""
        per = None if self.per == EXAMPLES else self.per
        return tuple(name for name in (*self.operands, self.where, per) if isinstance(name, str))


@dataclass(frozen=True, slots=True)
class WeightConstraint:
    """What weights are brought to after every update: at most ``clip`` in size, or vectors no longer than ``max_norm``.

    A vector is what one unit sums over: all axes of a kernel but the last. Weights of one axis have no such vectors.
    """

    clip: float | None = None
    max_norm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainStep:
    """Which networks one update changes, what it minimises, how often it is done in a round."""

    name: str
    update: tuple[str, ...]
    minimize: tuple[Term, ...]
    turns: int | ValueSchedule = 1
    constraint: WeightConstraint | None = None
    span: Span | None = None
