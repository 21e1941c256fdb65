"""Draws from a trained network: images and other arrays, or text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.runs.notation import FLAGS, KEYWORDS, Notation, integer
from archspec.runs.request import RunRequest

if TYPE_CHECKING:
    from archspec.data.example import Example
    from archspec.ir.graph import Graph
    from archspec.ir.tensors import TensorSpec
    from archspec.training.task import Samples, Task, Wanted


@dataclass(frozen=True, slots=True)
class SampleSource:
    """A network that can be drawn from, and the directory of its run, if it has one."""

    found: RunRequest
    logdir: Path | None
    graph: Graph
    task: Task

    @classmethod
    def of(cls, found: RunRequest, logdir: Path | None) -> SampleSource:
        """That of a run. Raises TaskError where nothing can be drawn from it, SpecError, OSError."""
        from archspec.training.errors import TaskError
        from archspec.training.planning import task_of

        graph = found.graph()
        task = task_of(found.run, graph)
        if not task.sample_options:
            raise TaskError(f"networks of {task.name} cannot be sampled", at=())
        return cls(found, logdir, graph, task)

    def drawing(
        self,
        weights: Path | None,
        count: int | None,
        seed: int,
        options: Mapping[str, Any],
        notation: Notation = FLAGS,
    ) -> Drawing:
        """Refuse what cannot be drawn, before TensorFlow is imported; without ``weights`` those of the run are taken.
        ``notation`` is how errors call the options.

        Raises TaskError, DataError, NotTrained, SpecError, OSError.
        """
        from archspec.training.errors import TaskError
        from archspec.training.task import Wanted
        from archspec.training.trained import weights_file

        for name in options:
            if name not in self.task.sample_options:
                known = ", ".join(map(notation.name, self.task.sample_options))
                raise TaskError(f"{self.task.name} takes no {notation.name(name)}", at=(), help=f"it takes {known}")
        if weights is None and self.logdir is None:
            said = self.found.spec if self.found.tree is None else self.found.tree.source.name
            raise TaskError(f"--weights is needed: {said} is no run directory", at=())
        if weights is None and self.logdir is not None:
            weights = weights_file(self.logdir, best=False)
        assert weights is not None
        wanted = Wanted(count, seed, options, self.features, self.found.run.train)
        return Drawing(self, weights, wanted, self.task.check_sample(self.graph, wanted))

    def features(self) -> Example:
        """What the data are, or were. Raises SpecError, DataError, OSError."""
        from archspec.training.record import recorded_features

        return self.found.plan().features if self.logdir is None else recorded_features(self.logdir)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: ``spec`` is a sample's, None for text."""

    source: SampleSource
    weights: Path
    wanted: Wanted
    spec: TensorSpec | None

    def draw(self) -> Samples | str:
        """The samples; equal where the seed is. Raises WeightsError, DataError, OSError."""
        from archspec.backend.installation import quiet_start
        from archspec.training.trained import trained

        quiet_start()
        graph, task = self.source.graph, self.source.task
        return task.sample(graph, trained(graph, self.weights), self.wanted)


def checked_options(task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as keyword arguments give them, with ``decoding`` read as a run file has it. Raises TypeError,
    ValueError, SpecError."""
    from archspec.training.document import read_section

    out: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name, value in out.items():
        if name in ("prompt", "result"):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a str, got {value!r}")
        elif name == "decoding" and name in task.sample_options:
            section: Any = read_section(type(task), {name: value}, KEYWORDS.at(name, value))
            out[name] = section.decoding
        elif name in task.sample_options:
            out[name] = integer(name, value, 0 if name == "label" else 1)
    return out
