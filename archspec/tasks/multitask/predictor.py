"""What several heads of a network say of examples, each by its task. Imports Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from archspec.data.example import Example
from archspec.evaluators.base import Batch
from archspec.tasks.multitask.assessment import of_part, part_of
from archspec.tasks.multitask.head import HeadTask
from archspec.training.forward import HeadPredictor, forward


class HeadsPredictor:
    """What each head says, by its name; of the only head what its task says. The network is computed once for all."""

    def __init__(self, model: keras.Model, heads: Mapping[str, tuple[HeadTask, HeadPredictor]]):
        self.heads, self.outputs = heads, forward(model, tuple(heads))
        self.together = min(predictor.together for _, predictor in heads.values())
        self.cuts = all(predictor.cuts for _, predictor in heads.values())

    def __call__(self, batch: Batch) -> dict[str, Any]:
        # All read the same.
        part, predictor = next(iter(self.heads.values()))
        given = self.outputs(predictor.inputs(part.batch(batch)))
        out: dict[str, Any] = {}
        for name, (_, predictor) in self.heads.items():
            out |= of_part(predictor.said(given[name]), name)
        return out

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        found = {
            name: predictor.records(part_of(said, name), part.example(features), top, lengths)
            for name, (part, predictor) in self.heads.items()
        }
        if not self._is_among:
            return next(iter(found.values()))
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        if not self._is_among:
            return next(iter(self.heads.values()))[1].line(example, record)
        said = [predictor.line(name, record[name]) for name, (_, predictor) in self.heads.items()]
        return f"{example}: {'; '.join(said)}"

    @property
    def _is_among(self) -> bool:
        return len(self.heads) > 1
