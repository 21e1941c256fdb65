"""What the evaluators of a head's task find, under the head's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.evaluators.base import Accumulator, Assessment, Batch, Evaluator

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example


def part_of(batch: Batch, head: str) -> dict[str, Any]:
    """What a batch, of the truth or of what a network says, holds of a head: that is called ``HEAD/name`` in it."""
    return {name.removeprefix(f"{head}/"): value for name, value in batch.items() if name.startswith(f"{head}/")}


def of_part(batch: Batch, head: str) -> dict[str, Any]:
    """The reverse."""
    return {f"{head}/{name}": value for name, value in batch.items()}


class OfHead(Evaluator):
    """An evaluator of a head's task, whose figures are called ``HEAD_figure``; of the only head of a network
    (``alone``) they are what they are. ``seen`` gives an example as the head's task sees it."""

    def __init__(self, head: str, evaluator: Evaluator, seen: Callable[[Example], Example], *, alone: bool):
        self.head, self.evaluator, self.seen, self.alone = head, evaluator, seen, alone
        self.figures = evaluator.figures if alone else {f"{head}_{n}": b for n, b in evaluator.figures.items()}
        self.is_logged, self.most = evaluator.is_logged, evaluator.most

    def begin(self, features: Example) -> Accumulator:
        return _HeadAccumulator(self.head, self.evaluator.begin(self.seen(features)), self.alone)


@dataclass(frozen=True, slots=True)
class _HeadAccumulator:
    head: str
    inner: Accumulator
    alone: bool

    def update(self, truth: Batch, said: Batch) -> None:
        self.inner.update(part_of(truth, self.head), part_of(said, self.head))

    def result(self) -> Assessment:
        return HeadAssessment(self.head, self.inner.result(), self.alone)


@dataclass(frozen=True, slots=True)
class HeadAssessment:
    """An assessment of one of several heads, or of the only one."""

    head: str
    inner: Assessment
    alone: bool

    @property
    def examples(self) -> int:
        return self.inner.examples

    @property
    def figures(self) -> Mapping[str, float]:
        return self.inner.figures if self.alone else {f"{self.head}_{n}": v for n, v in self.inner.figures.items()}

    def text(self) -> str:
        return self.inner.text() if self.alone else f"{self.head}\n{self.inner.text()}"

    def record(self) -> dict[str, Any]:
        return self.inner.record() if self.alone else {self.head: self.inner.record()}

    def panels(self) -> Mapping[str, np.ndarray]:
        return self._named(self.inner.panels())

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return self._named(self.inner.curves())

    def _named(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        return found if self.alone else of_part(found, self.head)


def own(assessments: Sequence[Assessment], head: str) -> tuple[Assessment, ...]:
    """Those of a head, as its task's evaluators gave them."""
    return tuple(one.inner for one in assessments if isinstance(one, HeadAssessment) and one.head == head)
