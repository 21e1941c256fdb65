"""Run files: what to train, on what, how. A run file is a second document; it names its spec.

    archspec_run: 1
    spec: lenet5                      # a name of the catalogue, or a path from this file's folder
    data: digits                      # a source: NAME, {NAME: main} or {NAME: {argument: value}}
    augment: [resize: 32, shift: 0.1, rescale]   # in order; what is random is left out in evaluation
    train: {optimizer: {sgd: 0.05}, schedule: cosine, epochs: 40, batch: 32, seed: 0}
    evaluate: {split: test}

Everything but ``spec`` may be missing: the task then says what is usual.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from archspec.data.arguments import Items, declared, restated
from archspec.data.source import DataSource
from archspec.data.transform import Transform
from archspec.frontend.yaml_source import Map, Seq, read, value_span
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError
from archspec.ops.arguments import PositiveInt, refuse
from archspec.ops.loss import Loss
from archspec.training.optimizers import Adam, Optimizer
from archspec.training.schedules import Cosine, Epochs, Schedule
from archspec.training.task import Task

MAX_SEED = 2**31 - 1
STRICT = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)


def _settings(value: Any) -> Any:
    if not isinstance(value, dict):
        raise refuse("must be a map of the spec's parameters")
    return dict(value)


class Train(BaseModel):
    """How to train."""

    model_config = STRICT

    task: declared(Task, "a task") | None = None  # type: ignore[valid-type]
    """What the outputs mean; ``classification`` where nothing is said."""
    optimizer: declared(Optimizer, "an optimizer") = Adam()  # type: ignore[valid-type]
    """How weights change by gradients."""
    schedule: declared(Schedule, "a schedule") = Cosine()  # type: ignore[valid-type]
    """How the learning rate changes with time."""
    warmup: Epochs = 0.0
    """Epochs in which the learning rate rises to its value, before the schedule."""
    epochs: PositiveInt = 20
    """Passes over the training split."""
    batch: PositiveInt = 32
    """Examples of one step."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    """Of the weights at the start, the order of the data, augmentation and dropout."""
    loss: declared(Loss, "a loss") | None = None  # type: ignore[valid-type]
    """In place of the loss of the spec's first head."""
    deterministic: bool | None = None
    """Use only operations that give the same result each time; where nothing is said, on CPUs."""


class Evaluate(BaseModel):
    """What to evaluate on, after each epoch and at the end. Nothing is selected by it."""

    model_config = STRICT

    split: Annotated[str, Field(min_length=1)] | None = None
    """A split of the data; ``val`` or else ``test`` where nothing is said."""
    batch: PositiveInt | None = None
    """Examples of one step; as in training where nothing is said."""
    transforms: Items[declared(Transform, "a transform")] | None = None  # type: ignore[valid-type]
    """In place of ``augment`` without what is random."""


class RunSpec(BaseModel):
    """A run file's content."""

    model_config = STRICT

    archspec_run: Literal[1]
    """Version of the format."""
    doc: str = ""
    """What a person should know of it."""
    spec: Annotated[str, Field(min_length=1)]
    """A spec's name, or its path from the run file's folder."""
    variant: str | None = None
    """A variant of the spec."""
    set: Annotated[dict[str, Any], BeforeValidator(_settings)] = {}
    """Values for the spec's parameters."""
    data: declared(DataSource, "a data source") | None = None  # type: ignore[valid-type]
    """Where examples come from."""
    augment: Items[declared(Transform, "a transform")] | None = None  # type: ignore[valid-type]
    """What happens to examples, in order."""
    train: Train = Train()
    """How to train."""
    evaluate: Evaluate = Evaluate()
    """What to evaluate on."""


def read_run(source: Source, folder: Path) -> tuple[RunSpec, Map]:
    """The run file and its text's values; paths in it count from ``folder``. Raises SpecError."""
    tree = read(source)
    if not isinstance(tree, Map):
        raise SpecError([Diagnostic("R01", "a run file is a map", Span(source, 1, 1), "it starts 'archspec_run: 1'")])
    try:
        return RunSpec.model_validate(tree, context={"folder": folder}), tree
    except ValidationError as error:
        raise SpecError(_diagnostic(e, tree) for e in restated(error, RunSpec)) from None


def place(tree: Map, path: Iterable[str | int]) -> Span:
    """Where the value at a path is written; of a path that goes on below what is written, the innermost value."""
    at: Any = tree
    span = Span(tree.source, tree.mark[0] + 1, tree.mark[1] + 1, tree.mark[2])
    for part in path:
        if not (isinstance(at, Map) and part in at or isinstance(at, Seq) and isinstance(part, int) and part < len(at)):
            break
        span, at = value_span(at, part), at[part]
    return span


CODES = {"unknown_key": "R01", "missing_key": "R02", "value": "R03", "unknown_name": "R04"}


def _diagnostic(error: Any, tree: Map) -> Diagnostic:
    said: PydanticCustomError = error["type"]
    context = said.context or {}
    span = place(tree, error["loc"])
    if said.type == "unknown_key":
        at: Any = tree
        for part in error["loc"][:-1]:
            at = at[part]
        span = at.key_span(error["loc"][-1])
    return Diagnostic(CODES[said.type], context["message"], span, context.get("help"))
