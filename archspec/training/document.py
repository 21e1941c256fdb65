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

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from archspec.data.arguments import Items
from archspec.data.source import DataSource
from archspec.data.transform import Transform
from archspec.frontend.yaml_source import Map, Seq, read, value_span
from archspec.ir.aliases import same
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError, meant_by
from archspec.ir.patterns import Pattern
from archspec.ir.reading import declared
from archspec.ir.validation import refuse, translate_errors
from archspec.training.fields import STRICT, Clip, parameter_values
from archspec.training.hints import Hints
from archspec.training.settings import Evaluate, Log, TrainSettings
from archspec.training.task import Task

Section = TypeVar("Section", bound=BaseModel)


class Train(TrainSettings):
    """How to train."""

    task: declared(Task, "a task") | None = None  # type: ignore[valid-type]
    """What the outputs mean; ``classification`` where nothing is said."""


def _version(value: object) -> Any:
    """The version of the format as it is written; ``true`` is equal to 1, and none."""
    if isinstance(value, bool):
        raise refuse("must be 1", "archspec_run: 1")
    return value


class RunSpec(BaseModel):
    """A run file's content."""

    model_config = STRICT

    archspec_run: Annotated[Literal[1], BeforeValidator(_version)]
    """Version of the format."""
    doc: str = ""
    """What a person should know of it."""
    spec: Annotated[str, Field(min_length=1)]
    """A spec's name, or its path from the run file's folder."""
    variant: str | None = None
    """A variant of the spec."""
    set: Annotated[dict[str, Any], BeforeValidator(parameter_values)] = {}
    """Values for the spec's parameters."""
    data: declared(DataSource, "a data source") | None = None  # type: ignore[valid-type]
    """Where examples come from."""
    augment: Items[declared(Transform, "a transform")] | None = None  # type: ignore[valid-type]
    """What happens to examples, in order."""
    train: Train = Train()
    """How to train."""
    evaluate: Evaluate = Evaluate()
    """What to evaluate on."""
    log: Log = Log()
    """What TensorBoard gets."""


def read_run(source: Source, folder: Path) -> tuple[RunSpec, Map]:
    """The run file and its text's values; paths in it count from ``folder``. Raises SpecError."""
    run, tree, problems = salvaged(source, folder)
    if problems or run is None:
        raise SpecError(problems)
    return run, tree


def salvaged(source: Source, folder: Path) -> tuple[RunSpec | None, Map, list[Diagnostic]]:
    """The run file as far as it can be read (without the sections that are wrong, or None), its text's values, and what
    is wrong. Raises SpecError for what is no map."""
    tree = read(source)
    if not isinstance(tree, Map):
        raise SpecError([Diagnostic("R01", "a run file is a map", Span(source, 1, 1), "it starts 'archspec_run: 1'")])
    if "archspec_run" not in tree and "archspec" in tree:
        message = "'archspec: 1' is the header of a spec, and this is a run: it names a spec"
        raise SpecError([Diagnostic("R01", message, tree.key_span("archspec"), "write 'archspec_run: 1'")])
    context = {"folder": folder}
    try:
        return RunSpec.model_validate(tree, context=context), tree, []
    except ValidationError as error:
        wrong = translate_errors(error, RunSpec)
    hints = Hints(tree, SECTIONS, folder)
    # What a key of another name says is not missing.
    unknown = [e["loc"][0] for e in wrong if _kind(e) == "unknown_key" and len(e["loc"]) == 1]
    is_said = "spec" in (same("run key", key, RunSpec.model_fields) for key in unknown)
    wrong = [e for e in wrong if not (is_said and _kind(e) == "missing_key" and _message(e).endswith("'spec'"))]
    problems = [_diagnostic(e, tree, hints) for e in _without_doubles(wrong)]
    broken = {e["loc"][0] for e in wrong if e["loc"]}
    if broken & {"variant", "set"}:
        # Of the spec without them nothing follows.
        broken.add("spec")
    rest: dict[str, Any] = {key: value for key, value in tree.items() if key not in broken}
    try:
        return RunSpec.model_validate({"archspec_run": 1, "spec": "", **rest}, context=context), tree, problems
    except ValidationError:
        return None, tree, problems


def _without_doubles(wrong: list[Any]) -> list[Any]:
    """The errors without those of an argument that is missing because it stands there under another name."""
    meant = {
        (e["loc"][:-1], found)
        for e in wrong
        if _kind(e) == "unknown_key" and (found := meant_by((e["type"].context or {}).get("help")))
    }
    return [
        e
        for e in wrong
        if _kind(e) != "missing_key" or not any((e["loc"], name) in meant for name in _QUOTED.findall(_message(e))[-1:])
    ]


_QUOTED = Pattern(r"'(\w+)'", re.ASCII)


def place(tree: Map, path: Iterable[str | int]) -> Span:
    """Where the value at a path is written; of a path that goes on below what is written, the innermost value."""
    at: Any = tree
    span = Span(tree.source, tree.mark[0] + 1, tree.mark[1] + 1, tree.mark[2])
    for part in path:
        held = range(len(at)) if isinstance(at, Seq) else at if isinstance(at, Map) else ()
        if part not in held:
            break
        span, at = value_span(at, part), at[part]
    return span


SECTIONS: Mapping[str, type[BaseModel]] = {
    "": RunSpec,
    "train": Train,
    "evaluate": Evaluate,
    "log": Log,
    "train.clip": Clip,
}
"""The models of a run file's sections by name."""

CODES = {"unknown_key": "R01", "missing_key": "R02", "value": "R03", "unknown_name": "R04"}


def _kind(error: Any) -> str:
    return str(error["type"].type)


def _message(error: Any) -> str:
    return str(error["type"].context["message"])


def _diagnostic(error: Any, tree: Map, hints: Hints) -> Diagnostic:
    said: PydanticCustomError = error["type"]
    context = said.context or {}
    span = place(tree, error["loc"])
    if said.type == "unknown_key":
        at: Any = tree
        for part in error["loc"][:-1]:
            # A map alone may stand for a list of one.
            at = at if isinstance(part, int) and isinstance(at, Map) else at[part]
        span = at.key_span(error["loc"][-1])
    help = None
    if said.type == "unknown_key":
        help = hints.for_key(error["loc"])
    elif said.type != "missing_key":
        help = hints.for_value(error["loc"], error["input"])
    return Diagnostic(CODES[said.type], context["message"], span, help or context.get("help"))


def read_section(model: type[Section], values: Mapping[str, Any], words: Span | Mapping[str, Span]) -> Section:
    """A section of a run file out of values that were typed: ``words`` are what a person is shown, all or of each key.
    Raises SpecError."""
    try:
        return model.model_validate(values if model is not RunSpec else {"archspec_run": 1, "spec": "…", **values})
    except ValidationError as error:
        problems = []
        for wrong in translate_errors(error, model):
            said = wrong["type"].context or {}  # type: ignore[union-attr]
            at = words if isinstance(words, Span) else words[str(wrong["loc"][0])]
            problems.append(Diagnostic(CODES["value"], said["message"], at, said.get("help")))
        raise SpecError(problems) from None
