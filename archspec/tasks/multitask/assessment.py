"""What the evaluators of a head's task find, under the head's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.evaluators.base import Accumulator, Assessment, Batch, Evaluator, Mistake, Ranking

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example


def part_of(batch: Batch, head: str) -> dict[str, Any]:
    """What a batch, of the truth or of what a network says, holds of a head: that is called ``HEAD/name`` in it."""
    return {name.removeprefix(f"{head}/"): value for name, value in batch.items() if name.startswith(f"{head}/")}


def of_part(batch: Batch, head: str) -> dict[str, Any]:
    """The reverse."""
    return {f"{head}/{name}": value for name, value in batch.items()}


def figures_of(figures: Mapping[str, Any], head: str) -> dict[str, Any]:
    """Figures of a head's task as those of one of several."""
    return {f"{head}_{name}": value for name, value in figures.items()}


class OfHead(Evaluator):
    """An evaluator of a head's task, whose figures are called ``HEAD_figure``; of the only head of a network
    (``alone``) they are what they are. ``seen`` gives an example as the head's task sees it."""

    def __init__(self, head: str, evaluator: Evaluator, seen: Callable[[Example], Example], *, alone: bool):
        self.head, self.evaluator, self.seen, self.alone = head, evaluator, seen, alone
        self.figures = evaluator.figures if alone else figures_of(evaluator.figures, head)
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
        found = self.inner.result()
        return found if self.alone else HeadAssessment(self.head, found)


@dataclass(frozen=True, slots=True)
class HeadAssessment:
    """An assessment of one of several heads."""

    head: str
    inner: Assessment

    @property
    def examples(self) -> int:
        return self.inner.examples

    @property
    def figures(self) -> Mapping[str, float]:
        return figures_of(self.inner.figures, self.head)

    def text(self) -> str:
        return f"{self.head}\n{self.inner.text()}"

    def record(self) -> dict[str, Any]:
        return {self.head: self.inner.record()}

    def panels(self) -> Mapping[str, np.ndarray]:
        return of_part(self.inner.panels(), self.head)

    def worst(self, count: int) -> Sequence[Mistake]:
        return self.inner.worst(count) if isinstance(self.inner, Ranking) else ()

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return of_part(self.inner.curves(), self.head)


def own(assessments: Sequence[Assessment], head: str) -> tuple[Assessment, ...]:
    """Those of one of several heads, as its task's evaluators gave them."""
    return tuple(one.inner for one in assessments if isinstance(one, HeadAssessment) and one.head == head)
