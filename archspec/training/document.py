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

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from archspec.data.arguments import Items
from archspec.data.source import DataPath, DataSource
from archspec.data.transform import Transform
from archspec.frontend.yaml_source import Map, Seq, read, value_span
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean, plain
from archspec.ir.reading import declared
from archspec.ir.validation import refuse, restated, told
from archspec.ops.arguments import PositiveInt
from archspec.ops.loss import Loss
from archspec.training.class_weights import ClassWeight
from archspec.training.distribution import Sharding
from archspec.training.freezing import Freeze
from archspec.training.optimizers import Adam, LearningRate, Optimizer
from archspec.training.schedules import Cosine, Epochs, Schedule
from archspec.training.task import Task

MAX_SEED = 2**31 - 1
Section = TypeVar("Section", bound=BaseModel)
STRICT = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)


def _settings(value: Any) -> Any:
    if not isinstance(value, dict):
        pairs = re.findall(r"(\w+)\s*[=:]\s*([^\s,=]+)", value[:200]) if isinstance(value, str) else []
        hint = f"set: {{{', '.join(f'{name}: {given}' for name, given in pairs)}}}" if pairs else None
        raise refuse("must be a map of names and values", hint)
    return dict(value)


def _draws(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, int) and value > 0):
        return value
    raise refuse("must be true, false, or a number of draws")


Draws = Annotated[bool | int, BeforeValidator(_draws), WithJsonSchema({"type": ["boolean", "integer"]})]
Momentum = Annotated[float, Field(gt=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=1e6)]


def _origins(value: Any, info: ValidationInfo) -> Any:
    """One file, or files by the name that their layers stand below."""
    if not isinstance(value, Mapping):
        return TypeAdapter(DataPath).validate_python(value, context=info.context)
    if not value:
        raise refuse("must be a file, or a map of names of layers and files")
    return {str(k): TypeAdapter(DataPath).validate_python(v, context=info.context) for k, v in value.items()}


Weights = Annotated[
    Path | dict[str, Path] | None,
    BeforeValidator(lambda v, i: v if v is None else _origins(v, i)),
    WithJsonSchema({"type": ["string", "object", "null"]}),
]


class Clip(BaseModel):
    """Limits of gradients; one of the three."""

    model_config = STRICT

    value: LearningRate | None = None
    """Largest magnitude of an element."""
    norm: LearningRate | None = None
    """Largest length of a weight's gradient."""
    global_norm: LearningRate | None = None
    """Largest length of all gradients together."""

    @model_validator(mode="after")
    def _one(self) -> Clip:
        if sum(v is not None for v in (self.value, self.norm, self.global_norm)) != 1:
            raise told("value", "clip takes one of value, norm, global_norm")
        return self


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
    clip: Clip | None = None
    """Limits of gradients."""
    accumulate: PositiveInt = 1
    """Steps whose gradients are averaged before the weights change."""
    ema: Momentum | None = None
    """Evaluate and save running averages of the weights, that keep this share of their value in each step."""
    average_last: PositiveInt | None = None
    """Evaluate and save the mean of the weights after each step of so many last epochs (Polyak averaging), with
    statistics of batch normalisation estimated anew."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """What layers compute in; weights stay float32. With ``mixed_float16`` the loss is scaled."""
    jit_compile: bool = False
    """Compile a step with XLA: for GPUs, on CPUs it makes a step 1.6 to 2 times slower."""
    steps_per_execution: PositiveInt | None = None
    """Steps between two looks of Python at the run; where nothing is said, more where a step is short."""
    class_weight: ClassWeight = ()
    """Weight of each class's examples in the loss: a list, a map by names of classes (others weigh 1), or ``balanced``,
    which makes all classes weigh the same: n / (classes · n of the class)."""
    weights: Weights = None
    """A file of weights to start from (``weights.npz`` of another run, or what ``archspec weights`` wrote). Layers of
    equal name and shape take theirs; a head for other classes starts anew. Or several files, each for the layers below
    a name, which the file's own names may leave out: ``{G: runs/srresnet/1/weights.npz, V.features: squeezenet.npz}``.
    """
    vectors: DataPath | None = None
    """A file of word vectors to start embeddings from, a word and its numbers a line (GloVe's and word2vec's text).
    Words that it does not have start as they would without it."""
    freeze: Freeze = ()
    """Layers that stay as they are, statistics of normalisation included: names, parts of a path, or ``*`` patterns; or
    ``{layers: …, until: 3}`` for those that are trained after so many epochs. One or a list."""
    cache_features: Draws = False
    """Run the layers that are frozen for good once for each example, keep on disk what they give, and train the rest on
    that. Where augmentation is random, a number: so many draws of every example are kept, and taken in turn."""
    rates: Annotated[dict[str, Factor], BeforeValidator(_settings)] = {}
    """Factors of the learning rate by layer, named as in ``freeze``; of several that match, the last counts."""
    devices: PositiveInt = 1
    """Devices of each process among which every batch is divided; where there are no others, parts of the CPU."""
    sharding: Sharding | None = None
    """Weights that are divided among devices, in place of each device having all; on JAX."""
    checkpoint_steps: PositiveInt | None = None
    """Steps between checkpoints, besides the end of each epoch. Where nothing is said: ends of epochs, but no oftener
    than costs a fiftieth of the time."""
    monitor: Annotated[str, Field(min_length=1)] | None = None
    """What the best checkpoint is best in, on the evaluated split: ``loss``, ``accuracy``, or that of one of several
    heads, ``HEAD_accuracy``. Where nothing is said, none is kept but the last."""
    patience: PositiveInt | None = None
    """Stop after so many epochs without a better value of what is monitored."""


class Evaluate(BaseModel):
    """What to evaluate on, after each epoch and at the end. Nothing is selected by it."""

    model_config = STRICT

    split: Annotated[str, Field(min_length=1)] | None = None
    """A split of the data; ``val`` or else ``test`` where nothing is said."""
    batch: PositiveInt | None = None
    """Examples of one step; as in training where nothing is said."""
    transforms: Items[declared(Transform, "a transform")] | None = None  # type: ignore[valid-type]
    """In place of ``augment`` without what is random."""


class Log(BaseModel):
    """What TensorBoard gets besides scalars, texts, the graph and a contact sheet of the data."""

    model_config = STRICT

    histograms: PositiveInt | None = None
    """Epochs between histograms of weights and gradients; where nothing is said, there are none."""
    pictures: Annotated[int, Field(ge=0)] | None = None
    """Epochs between what the task draws of held-out examples; 0 for never. Where nothing is said, as often as takes a
    fiftieth of the time, and after the last epoch."""
    embedding: Annotated[str, Field(min_length=1)] | None = None
    """A layer whose outputs for up to 1000 held-out examples go to the projector after the last epoch."""


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
