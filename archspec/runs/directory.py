"""The run of a directory: its own copies of the run file and the spec, on its data or others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from archspec.ir.diagnostics import SpecError
from archspec.runs.notation import FLAGS, Notation
from archspec.runs.request import RunRequest, changed, requested

if TYPE_CHECKING:
    from archspec.data.feature import Feature
    from archspec.data.source import DataSource
    from archspec.data.transform import Transform
    from archspec.ir.diagnostics import Span
    from archspec.runs.other_data import Data
    from archspec.training.plan import Plan

STARTING = ("weights", "vectors", "steps_per_execution")
"""What only a training needs to know."""


def recorded(
    logdir: Path,
    *,
    data: Data | None = None,
    split: str | None = None,
    batch: int | None = None,
    epochs: int | None = None,
    notation: Notation = FLAGS,
) -> RunRequest:
    """The run of a directory, for more epochs, or on other data; ``notation`` is how errors call these. Raises
    SpecError, OSError."""
    from archspec.runs.other_data import given
    from archspec.training.record import recorded_name, with_recorded_columns

    found = without_data(logdir) if data else _with_data(logdir)
    if data and not all(step.is_fitted for step in found.run.evaluate.transforms or ()):
        kept = found.run.evaluate.model_copy(update={"transforms": preparation(logdir, found)})
        found = replace(found, run=found.run.model_copy(update={"evaluate": kept}))
    if found.run.data is not None:
        own = with_recorded_columns(found.run.data, logdir)
        found = replace(found, run=found.run.model_copy(update={"data": own}))
    found = changed(found, {"batch": batch, "epochs": epochs}, words=notation.at)
    if data or split:
        source, split = given(logdir, found.run.data, data, split, notation)
        found = replace(found, run=found.run.model_copy(update={"data": source}))
        if data and source is not None:
            found = _at_recorded_size(found, source, logdir)
    if split or data or batch:
        changes: dict[str, Any] = {"split": split} if split or data else {}
        evaluate = found.run.evaluate.model_copy(update={**changes, **({"batch": batch} if batch else {})})
        said: dict[tuple[str, ...], Span] = {("evaluate", "split"): notation.at("split", split)} if split else {}
        found = replace(found, run=found.run.model_copy(update={"evaluate": evaluate}), words={**found.words, **said})
    return replace(found, name=recorded_name(logdir))


def _at_recorded_size(found: RunRequest, source: DataSource, logdir: Path) -> RunRequest:
    """The run with images of any size brought to the one that its own data had, on which its transforms count."""
    from archspec.data.features.image import Image
    from archspec.training.prediction import sized
    from archspec.training.record import recorded_features

    def is_open(kind: Feature | None) -> bool:
        return isinstance(kind, Image) and None in kind.spec.spatial

    features = source.features().features
    kinds = {n: k for n, k in recorded_features(logdir).features.items() if is_open(features.get(n)) and not is_open(k)}
    if not kinds:
        return found
    run, transforms = found.run, found.run.evaluate.transforms
    evaluate = run.evaluate.model_copy(update={"transforms": transforms and sized(kinds, transforms)})
    return replace(found, run=run.model_copy(update={"evaluate": evaluate, "augment": sized(kinds, run.augment or ())}))


def preparation(logdir: Path, found: RunRequest) -> tuple[Transform, ...]:
    """How a run prepares examples that it does not train on, with what was fitted to its training data. Raises
    SpecError where a run of before that was kept has lost its data."""
    from archspec.backend.installation import quiet_start

    steps: tuple[Transform, ...] = tuple(found.run.evaluate.transforms or ())
    if all(step.is_fitted for step in steps):
        return steps
    plan = recorded(logdir).plan()
    quiet_start()
    return plan.fitted().pipeline.eval_transforms


def without_data(logdir: Path) -> RunRequest:
    """The run of a directory, whose data may be gone, and the files that it started from. Raises SpecError, OSError."""
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import Map, read
    from archspec.training.document import RunSpec, read_run

    path = logdir / "run.yaml"
    tree = read(read_source(path, str(path)))
    if not (isinstance(tree, Map) and isinstance(tree.get("train", {}), dict)):
        read_run(read_source(path, str(path)), logdir)
    values = {key: value for key, value in tree.items() if key != "data"}
    values["train"] = {key: value for key, value in values.get("train", {}).items() if key not in STARTING}
    try:
        return RunRequest(path.stem, RunSpec.model_validate(values, context={"folder": logdir}), None, logdir)
    except ValidationError:
        read_run(read_source(path, str(path)), logdir)
        raise


def extend(plan: Plan, logdir: Path) -> None:
    """Let a run directory say that its run has the plan's epochs, if that is more than were done.

    Raises Misused where it is not, CheckpointError, OSError.
    """
    from archspec.training.callbacks import is_exhausted
    from archspec.training.checkpoint import Checkpoints
    from archspec.training.errors import Misused
    from archspec.training.identity import identity
    from archspec.training.record import rewrite_run

    epochs = plan.train.epochs
    position = Checkpoints(logdir, identity(plan)).position()
    if position is not None and position.step >= epochs * plan.steps:
        done = position.step // plan.steps
        raise Misused(f"{logdir} has had {done} epochs; --epochs is how many there are to be in all")
    if position is not None and is_exhausted(plan, position):
        raise Misused(
            f"{logdir} ended by its patience of {plan.train.patience} epochs; change 'patience' in its run.yaml"
        )
    rewrite_run(plan, logdir)


def _with_data(logdir: Path) -> RunRequest:
    """The run of a directory. Raises SpecError, where its data are gone with what the run knows of them."""
    from archspec.runs.other_data import lost

    try:
        return requested(str(logdir / "run.yaml"))
    except SpecError as error:
        if problem := lost(logdir, error):
            raise SpecError([problem]) from None
        raise
