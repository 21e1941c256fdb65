"""Which steps made which nodes: what an elaboration leaves behind for those who judge the text by its graph."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archspec.frontend.scope import NOTHING, Bundle, Scope, StepResult
from archspec.frontend.steps import Step
from archspec.ir.graph import Graph, Node, Tensor


class Execution:
    """One execution of a step: the nodes ``first`` … ``last`` - 1, and the number of the execution it is within."""

    __slots__ = ("first", "last", "parent", "step")

    def __init__(self, step: Step, first: int, parent: int | None):
        self.step, self.first, self.last, self.parent = step, first, first, parent


Executed = tuple[Step, int, int, int | None]
"""An execution, its nodes and the one that it is within counted from where a call begins."""


class Trace:
    """All executions of steps, in their order, and the results that steps which are not there would have taken."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []
        self.nodes: list[Node] = []
        self.outputs: list[Tensor] = []
        self.is_whole = False
        """Whether the outputs depend on all nodes."""
        self.spared: list[Tensor] = []
        self._open: list[int] = []

    def close(self, nodes: list[Node], graph: Graph) -> None:
        """The elaboration has ended in a graph; ``nodes`` are all that were made."""
        self.nodes, self.outputs = nodes, [o.tensor for o in graph.outputs]
        self.is_whole = len(nodes) == len(graph.nodes)

    def mark(self) -> tuple[int, int]:
        """How much there is so far, for ``between``."""
        return len(self.executions), len(self.spared)

    def between(self, first: tuple[int, int], last: tuple[int, int], nodes: int) -> tuple[list[Executed], list[Tensor]]:
        """What came between two marks: executions, counted from the first and from so many ``nodes``; and what was
        spared."""
        (start, spared), (end, spared_end) = first, last
        found = [
            (
                e.step,
                e.first - nodes,
                e.last - nodes,
                None if e.parent is None or e.parent < start else e.parent - start,
            )
            for e in self.executions[start:end]
        ]
        return found, self.spared[spared:spared_end]

    def add(self, executed: list[Executed], spared: list[Tensor], nodes: int) -> None:
        """What ``between`` gave, once more, behind so many nodes."""
        start, outer = len(self.executions), self._open[-1] if self._open else None
        for step, first, last, parent in executed:
            execution = Execution(step, nodes + first, outer if parent is None else start + parent)
            execution.last = nodes + last
            self.executions.append(execution)
        self.spared += spared

    def begin(self, step: Step, nodes: int) -> None:
        """A step starts behind so many nodes."""
        self.executions.append(Execution(step, nodes, self._open[-1] if self._open else None))
        self._open.append(len(self.executions) - 1)

    def end(self, nodes: int, scope: Scope) -> None:
        """The step that began last has ended.

        One that made nothing, as a parameter or a loop says, spares what it names: it is taken under other values.
        """
        execution = self.executions[self._open.pop()]
        execution.last = nodes
        step = execution.step
        if execution.first == nodes and step.op is not None and step.when is not False:
            if step.words is None:
                step.words = frozenset((*words(step.args), *words(step.from_)))
            for word in step.words:
                held = scope.get(word)
                if held is not NOTHING:
                    self.spared += _tensors(held)


_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)


def words(value: object) -> Iterator[str]:
    """Every word of the texts in a value, keys not counted: what its references and expressions may name."""
    if isinstance(value, str):
        yield from _WORD.findall(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from words(item)
    elif isinstance(value, list):
        for item in value:
            yield from words(item)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, StepResult):
        yield value.tensor
    elif isinstance(value, Bundle):
        for element in value.elements.values():
            yield from _tensors(element)
