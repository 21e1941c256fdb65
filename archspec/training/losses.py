"""The loss of a head, which the run or the spec may name, and what its rules refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archspec.ir.graph import Graph, Output
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, last_activation
from archspec.training.errors import TaskError


def chosen(head: Output, given: Loss | None, usual: str) -> Loss:
    """The loss that a run gives, else that of the spec, else the one with the name ``usual``."""
    if found := given or head.loss:
        return found
    kind = Loss.find(usual)
    assert kind is not None
    return kind()


def place(given: Loss | None) -> tuple[str, ...]:
    """Where a run file says the loss of a head that ``chosen`` gives."""
    return ("train", "loss") if given else ("spec",)


def gets_logits(graph: Graph, head: Output, loss: Loss) -> bool:
    """Whether what a head gives is logits for a loss. Raises OpError."""
    return loss.gets_logits(last_activation(graph.by_name, head.tensor))


@contextmanager
def rules_of(head: Output, at: tuple[str, ...]) -> Iterator[None]:
    """Within it, what rules of losses and metrics refuse of a head is a fault of the run. Raises TaskError."""
    try:
        yield
    except OpError as error:
        raise TaskError(f"head '{head.name}': {error.message}", at=at, help=error.help) from None
