"""Everything that is known of a run before TensorFlow is imported."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from archspec.backend.installation import backend
from archspec.data.arguments import written
from archspec.data.example import Example
from archspec.data.pipeline import Pipeline
from archspec.data.preprocessing import kept_files, with_files
from archspec.data.source import TRAIN, DataSource
from archspec.evaluators.base import Batch, Better
from archspec.ir.declaration import Declaration
from archspec.ir.graph import Graph
from archspec.training.document import RunSpec, Train
from archspec.training.settings import Log
from archspec.training.task import Task

BUSY = 4e9
"""Multiply-accumulates, forward and back, beside which what Keras does around each step does not count."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that can start. ``graph`` has the heads that only training needs; ``features`` are the data as they lie;
    ``split`` is evaluated after every epoch, None for none."""

    name: str
    spec: RunSpec
    graph: Graph
    source: DataSource
    task: Task
    features: Example
    split: str | None
    pipeline: Pipeline

    @property
    def train(self) -> Train:
        """How to train."""
        return self.spec.train

    @property
    def log(self) -> Log:
        """What TensorBoard gets."""
        return self.spec.log

    def fitted(self) -> Plan:
        """The same, its transforms and its task told what they need to know of the training examples. Raises
        DataError."""
        made = self
        if not self.task.is_fitted:
            made = replace(made, task=self.task.fitted(self._targets, self.features))
        if not all(step.is_fitted for step in (*self.pipeline.augment, *self.pipeline.eval_transforms)):
            made = replace(made, pipeline=self.pipeline.fitted())
        return made

    def _targets(self) -> Iterator[Batch]:
        """The targets of the training examples that can be read, as arrays, batch by batch."""
        import numpy as np

        names = self.features.targets
        if self.source.in_memory:
            arrays = self.source.arrays(TRAIN)
            yield {name: arrays[name] for name in names}
            return
        plain = Pipeline(self.source, self.features, (), (), 1 if self.features.has_open_sizes else 64, 0)
        for batch, _ in plain.evaluation(TRAIN, lambda batch: ({name: batch[name] for name in names}, ())):
            yield {name: np.asarray(value) for name, value in batch.items()}

    @property
    def preprocessing(self) -> dict[Path, Path]:
        """Files that transforms read (a mean image), and where a run keeps them, from the run directory."""
        return kept_files((*self.pipeline.augment, *self.pipeline.eval_transforms))

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return self.pipeline.steps_per_epoch()

    def figures(self) -> Mapping[str, Better]:
        """Figures of evaluations, as logs name them, and which values are better."""
        return self.task.figures(self.graph, self.features)

    def is_deterministic(self, has_gpu: bool) -> bool:
        """Whether only operations may be used that give the same result each time."""
        said = self.spec.train.deterministic
        return not has_gpu if said is None else said

    def steps_per_execution(self) -> int:
        """How many steps are done before Python is asked again: many where a step is short.

        A divisor of the steps of an epoch, for Keras would run over an epoch's end.
        """
        given = self.spec.train.steps_per_execution
        if given is not None:
            return given
        if backend() == "torch" or (self.spec.train.devices > 1 and backend() == "tensorflow"):
            # With more, PyTorch and MirroredStrategy fail.
            return 1
        macs = sum(node.cost().macs or 0 for node in self.graph.nodes)
        most = min(32, self.steps, int(BUSY / max(1, 3 * macs * self.pipeline.batch_size())))
        return next(n for n in range(max(1, most), 0, -1) if self.steps % n == 0)

    def document(self, spec: str) -> dict[str, Any]:
        """The run file with every default spelt out, as plain values; ``spec`` is where the spec lies from there, and
        vocabularies are those that the run keeps beside it."""
        run = self.spec
        source = self.source.with_vocabularies({part: vocabulary_file(part) for part in self.features.vocabularies})
        given = {"variant": self.graph.variant, "set": _values(run.set)}
        kept = self.preprocessing
        return {
            "archspec_run": 1,
            "doc": run.doc,
            "spec": spec,
            **{key: value for key, value in given.items() if value},
            "data": written(source),
            "augment": [written(with_files(step, kept)) for step in self.pipeline.augment],
            # The task as it was fitted, whatever the run file says of it.
            "train": {"task": written(self.task), **{k: v for k, v in _section(run.train).items() if k != "task"}},
            "evaluate": {
                "split": self.split,
                "batch": self.pipeline.batch if run.evaluate.batch is None else run.evaluate.batch,
                "transforms": [written(with_files(step, kept)) for step in self.pipeline.eval_transforms],
            },
            **({"log": log} if (log := _section(run.log)) else {}),
        }


def vocabulary_file(part: str) -> Path:
    """Where a run keeps the vocabulary of a part of its examples, from the run directory."""
    return Path("vocabulary", f"{part}.json")


def _section(section: Train | Log) -> dict[str, Any]:
    held = {name: getattr(section, name) for name in type(section).model_fields}
    return {name: _value(value) for name, value in held.items() if value is not None}


def _value(value: object) -> Any:
    if isinstance(value, Declaration):
        return written(value)
    if hasattr(value, "model_dump"):
        return {k: v for k, v in value.model_dump().items() if v is not None}
    return _values(value)


def _values(value: object) -> Any:
    """Plain lists and dicts, as YAML writes them."""
    if isinstance(value, Declaration):
        return written(value)
    if isinstance(value, Path):
        return os.path.abspath(value)
    if isinstance(value, BaseModel):
        return {k: _values(v) for k, v in value.model_dump().items()}
    if isinstance(value, dict):
        return {k: _values(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_values(v) for v in value]
    return value
