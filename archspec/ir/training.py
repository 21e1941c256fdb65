"""How several networks are trained together: the forward graph of a step, and the updates made of its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archspec.ir.diagnostics import Span

if TYPE_CHECKING:
    from archspec.ir.graph import Graph, Tensor


@dataclass(frozen=True, slots=True)
class Schedule:
    """A number that changes: ``at(n)`` is its value in the round that ``n`` rounds came before."""

    text: str
    at: Callable[[int], float] = field(compare=False)


Scheduled = float | Schedule


class Drawn(NamedTuple):
    """How an input of a step comes about other than as an array of the data.

    ``normal`` numbers have mean 0 and deviation 1; ``uniform`` ones lie in ``low`` … ``high``; a ``label`` is the
    number of one of ``classes`` classes, which the data give in training and a person, or an even draw, in sampling.
    """

    kind: Literal["normal", "uniform", "label"]
    low: float = 0.0
    high: float = 1.0
    classes: int | None = None


@dataclass(frozen=True, slots=True)
class GradientPenalty:
    """(‖∂result/∂point‖ - norm)², the mean over the batch (Gulrajani et al. 2017): a term's loss.

    The term's operands are the result and the point, both names.
    """

    norm: float = 1.0
    name = "gradient_penalty"


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One summand of what a training step minimises: a loss between operands (names of results, or constants)."""

    loss: Any
    operands: tuple[str | float, ...]
    weight: Scheduled = 1.0
    name: str = ""
    from_logits: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
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
    turns: int | Schedule = 1
    constraint: Constraint | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A spec's ``train:`` section: the forward graph of one step over the networks, its named results, the updates.

    The steps of a round run in order and each sees the weights that earlier ones left; ``together`` says that all see
    those of the round's beginning. ``drawn`` are the inputs that are not arrays of the data. ``averages`` are the
    shares of their value that running averages of networks keep in a round.
    """

    body: Graph
    results: Mapping[str, Tensor]
    steps: tuple[TrainStep, ...]
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    together: bool = False
    averages: Mapping[str, float] = field(default_factory=dict)


def drawable(training: Training) -> list[str]:
    """Named results that need only what is drawn, in their order: what can be sampled."""
    out = []
    for name, tensor in training.results.items():
        needed = {tensor.node}
        for node in reversed(training.body.nodes):
            if node.name in needed:
                needed.update(t.node for t in node.inputs)
        if tensor.node not in training.body.inputs and needed & set(training.body.inputs) <= set(training.drawn):
            out.append(name)
    return out
