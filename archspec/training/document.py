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

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from archspec.data.arguments import Items
from archspec.data.source import DataSource
from archspec.data.transform import Transform
from archspec.frontend.yaml_source import Map, Seq, read, value_span
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean, plain
from archspec.ir.reading import declared
from archspec.ir.validation import restated
from archspec.training.fields import STRICT, Clip, named_values
from archspec.training.optimizers import Optimizer
from archspec.training.settings import Evaluate, Log, TrainSettings
from archspec.training.task import Task

Section = TypeVar("Section", bound=BaseModel)


class Train(TrainSettings):
    """How to train."""

    task: declared(Task, "a task") | None = None  # type: ignore[valid-type]
    """What the outputs mean; ``classification`` where nothing is said."""


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
    set: Annotated[dict[str, Any], BeforeValidator(named_values)] = {}
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
        wrong = restated(error, RunSpec)
    problems = [_diagnostic(e, tree) for e in wrong]
    broken = {e["loc"][0] for e in wrong if e["loc"]}
    rest: dict[str, Any] = {key: value for key, value in tree.items() if key not in broken}
    try:
        return RunSpec.model_validate({"archspec_run": 1, "spec": "", **rest}, context=context), tree, problems
    except ValidationError:
        return None, tree, problems


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
    help = _belongs(error["loc"], tree) if said.type == "unknown_key" else _form(error["loc"], error["input"])
    return Diagnostic(CODES[said.type], context["message"], span, help or context.get("help"))


def _belongs(path: tuple[Any, ...], tree: Map) -> str | None:
    """Where a key belongs that stands in the wrong section, as text that can be copied."""
    from archspec.ir.aliases import alias

    key = str(path[-1])
    at: Any = tree
    for part in path[:-1]:
        at = at[part]
    value = plain(at[path[-1]])
    first, _, rest = key.partition(" ")
    sections: dict[Any, Any] = {"train": Train, "evaluate": Evaluate, "log": Log, "clip": Clip}
    model = RunSpec if len(path) == 1 else sections.get(path[-2])
    if at[path[-1]] is None and rest and model is not None and first in model.model_fields:
        return f"a colon stands between key and value: {first}: {rest.strip()}"
    if len(path) == 1:
        for section, model in (("train", Train), ("evaluate", Evaluate), ("log", Log)):
            if key in model.model_fields:
                return f"it belongs in {section}: {section}: {{{key}: {value}}}"
        if near := did_you_mean(key, RunSpec.model_fields):
            return near
        said = alias("train key", key)
        return f"within train: {said}" if said else None
    if path[:-1] == ("train",):
        if key in RunSpec.model_fields:
            return f"it stands beside train, at the left margin: {key}: {value}"
        if key in Evaluate.model_fields:
            return f"it belongs in evaluate: evaluate: {{{key}: {value}}}"
        written = tree["train"].get("optimizer", "adam")
        name = written if isinstance(written, str) else next(iter(written), "adam") if isinstance(written, dict) else ""
        kind = Optimizer.find(str(name))
        argument = {"lr": "learning_rate", "wd": "weight_decay"}.get(key, key)
        if kind is not None and argument in kind.model_fields:
            held = written[name] if isinstance(written, dict) else None
            others = held if isinstance(held, dict) else {kind.main: held} if held is not None else {}
            inner = ", ".join(f"{k}: {plain(v)}" for k, v in {**others, argument: at[path[-1]]}.items())
            return f"it belongs to the optimizer: optimizer: {{{name}: {{{inner}}}}}"
        if near := did_you_mean(key, Train.model_fields):
            return near
        return alias("train key", key)
    return None


def _form(path: tuple[Any, ...], value: Any) -> str | None:
    """How a section or setting is written whose value is of another form."""
    if path == ("evaluate",) and isinstance(value, str):
        return f"evaluate: {{split: {value}}}"
    if path == ("train",) and isinstance(value, list):
        return "its settings are keys without dashes: train: {optimizer: adam, epochs: 20}"
    if path == ("train", "clip") and isinstance(value, (int, float)):
        return f"clip: {{global_norm: {value}}} or {{norm: {value}}}, {{value: {value}}}"
    if path == ("train", "precision") and isinstance(value, str):
        return f"precision: {'mixed_bfloat16' if 'b' in value else 'mixed_float16'}: weights stay float32"
    return None


def read_section(model: type[Section], values: Mapping[str, Any], words: Span | Mapping[str, Span]) -> Section:
    """A section of a run file out of values that were typed: ``words`` are what a person is shown, all or of each key.
    Raises SpecError."""
    try:
        return model.model_validate(values if model is not RunSpec else {"archspec_run": 1, "spec": "…", **values})
    except ValidationError as error:
        problems = []
        for wrong in restated(error, model):
            said = wrong["type"].context or {}  # type: ignore[union-attr]
            at = words if isinstance(words, Span) else words[str(wrong["loc"][0])]
            problems.append(Diagnostic(CODES["value"], said["message"], at, said.get("help")))
        raise SpecError(problems) from None
