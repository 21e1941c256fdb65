"""One head of several, as its task sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from archspec.data.example import Example
from archspec.data.target import Target
from archspec.evaluators.base import Batch
from archspec.ir.graph import Graph, Output, reachable
from archspec.training.task import Task


@dataclass(frozen=True, slots=True)
class HeadTask:
    """One head of a network, how it is learnt, and what it tells."""

    head: Output
    task: Task
    target: Target
    whole: Graph

    @property
    def graph(self) -> Graph:
        """The network with this head alone."""
        head = replace(self.head, train_only=False)
        return replace(self.whole, outputs=(head,), nodes=reachable(self.whole.nodes, [head.tensor]))

    def example(self, features: Example) -> Example:
        """An example whose label the target is."""
        return self.target.example(features)

    def batch(self, batch: Batch) -> dict[str, Any]:
        """The same of a batch."""
        return self.target.batch(batch)
