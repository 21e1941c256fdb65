"""All that is wrong with a run file before TensorFlow is there, each in its place: what ``archspec check RUN`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.cli.train import flags
from archspec.ir.diagnostics import Diagnostic, SpecError, amount, in_order
from archspec.runs.request import RunRequest, changed, reported

if TYPE_CHECKING:
    from archspec.frontend.yaml_source import Map
    from archspec.ir.diagnostics import Source, Span
    from archspec.training.document import RunSpec

MAX_FAULTS = 20
"""Faults of one plan, each found by leaving out what was at fault before."""


def source_of(path: str) -> Source | None:
    """The text of a file that is a run file by its header, or without one by its sections; None of any other."""
    from archspec.frontend.reading import read_source

    if not (path.endswith((".yaml", ".yml")) and Path(path).is_file()):
        return None
    try:
        source = read_source(Path(path), reported(Path(path)))
    except (SpecError, OSError):
        return None
    return source if is_run(source) else None


def is_run(source: Source) -> bool:
    """Whether a text is a run file's."""
    from archspec.frontend.yaml_source import read
    from archspec.runs.request import is_run

    try:
        return is_run(read(source))
    except SpecError:
        return False


def faults(
    source: Source, folder: Path, *, variant: str | None = None, settings: Mapping[str, Any] | None = None
) -> list[Diagnostic]:
    """Errors and warnings of a run file whose paths count from ``folder``, with a variant and values of parameters in
    place of its own, in the order of the text. Raises OSError."""
    from archspec.training.document import salvaged

    try:
        run, tree, found = salvaged(source, folder)
    except SpecError as error:
        return list(error.diagnostics)
    if run is not None:
        request = RunRequest(Path(source.name).stem, run, tree, folder)
        request = changed(request, {"variant": variant, "set": settings or None}, flags)
        found += _of_plan(request) if not found else _of_parts(request)
        found += _of_callbacks(request)
    return list(in_order(dict.fromkeys(found)))


def recipe(path: Path, *, variant: str | None, settings: Mapping[str, Any]) -> tuple[list[Diagnostic], bool]:
    """What is wrong with a run of the catalogue, and whether its data are here; where they are not, which is no fault
    of a recipe, what can be said without them."""
    from archspec.frontend.reading import read_source
    from archspec.training.document import place, salvaged

    source = read_source(path, reported(path))
    found = faults(source, path.parent, variant=variant, settings=settings)
    run, tree, _ = salvaged(source, path.parent)
    if run is not None and run.data is not None and not _of_data(RunRequest(path.stem, run, tree, path.parent)):
        return found, True
    places = [place(tree, ("data",)), *(place(tree, at) for at in _missing(tree, path.parent))]
    rest = [d for d in found if all(d.span.order != at.order for at in places)]
    return rest, len(rest) == len(found)


def _missing(tree: Map, folder: Path) -> list[tuple[str, ...]]:
    """Arguments of a run's source that are paths of what does not exist."""
    from archspec.data.source import DataSource
    from archspec.runs.other_data import is_path

    data = tree.get("data")
    if not (isinstance(data, dict) and len(data) == 1):
        return []
    ((name, said),) = data.items()
    kind = DataSource.find(str(name))
    if kind is None:
        return []
    args = said if isinstance(said, dict) else {kind.main: said}
    paths = [key for key, field in kind.model_fields.items() if is_path(field.annotation) and key in args]
    return [("data", name, key) for key in paths if not (folder / str(args[key])).exists()]


def _of_parts(request: RunRequest) -> list[Diagnostic]:
    """What the spec and the data say by themselves, where the rest of the file cannot be read."""
    out: list[Diagnostic] = []
    assert request.tree is not None
    if "spec" in request.tree and request.run.spec:
        try:
            request.graph()
        except SpecError as error:
            out += error.diagnostics
    return out + _of_data(request)


def _of_callbacks(request: RunRequest) -> list[Diagnostic]:
    """Callbacks that no package here brings, which training refuses before its first step."""
    if not request.run.log.callbacks or request.tree is None:
        return []
    from archspec.training import trackers
    from archspec.training.document import place

    wrong = trackers.faults(request.run.log.callbacks)
    at = {name: place(request.tree, ("log", "callbacks", name)) for name in wrong}
    help = "'archspec reference callbacks' lists those that installed packages bring"
    return [Diagnostic("R05", message, at[name], help) for name, message in wrong.items()]


def _of_data(request: RunRequest) -> list[Diagnostic]:
    """What is wrong with the data by themselves, as far as headers and a few files say."""
    from archspec.data.check import glance
    from archspec.data.errors import DataError
    from archspec.training.document import place

    if request.run.data is None or request.tree is None:
        return []
    at = place(request.tree, ("data",))
    try:
        request.run.data.features()
        found = glance(request.run.data)
    except DataError as error:
        return [Diagnostic("R05", error.message, at, error.help)]
    out = []
    for level, code, what in (("error", "R05", "cannot be read"), ("note", "W25", "may be broken")):
        bad = [f"{one.where} {one.message}" for one in found if one.severity == level]
        if bad:
            count = f"{amount(len(bad), 'image')} of those looked at"
            more = f" (and {len(bad) - 3} more)" if len(bad) > 3 else ""
            message = f"{count} {what}: {'; '.join(bad[:3])}{more}"
            help = "'archspec data check' decodes them all; on_bad: skip, beside the path, leaves out what is broken"
            out.append(Diagnostic(code, message, at, help, severity="error" if level == "error" else "warning"))
    return out


def _of_plan(request: RunRequest) -> list[Diagnostic]:
    """Every fault of a plan: what is at fault is left out, and the rest is planned again."""
    out: list[Diagnostic] = []
    try:
        request.graph()
    except SpecError as error:
        return [*error.diagnostics, *_of_data(request)]
    while len(out) < MAX_FAULTS:
        try:
            plan = request.plan(starts=True)
            return out + _of_data(request) + request.doubts(plan)
        except SpecError as error:
            new = [d for d in error.diagnostics if not any(d.span == known.span for known in out)]
            out += new
            run = request.run
            for found in new:
                run = _without(run, _path(request, found.span)) or run
            if run is request.run:
                return out
            request = replace(request, run=run)
    return out


def _path(request: RunRequest, at: Span) -> tuple[str, ...]:
    """Section and key of a setting whose value stands at a place."""
    from archspec.training.document import place

    assert request.tree is not None
    for section in ("train", "evaluate", "log"):
        held: Any = request.tree.get(section)
        for key in held if isinstance(held, dict) else ():
            if place(request.tree, (section, key)) == at:
                return (section, key)
    return ()


def _without(run: RunSpec, path: tuple[str, ...]) -> RunSpec | None:
    """The run as if a setting were not said; None if what is at fault is none."""
    if len(path) != 2 or path[1] in ("task", "transforms"):
        return None
    section = getattr(run, path[0])
    fields = type(section).model_fields
    # What waits for something goes with it.
    left_out = (path[1], *({"monitor": ("patience",), "freeze": ("cache_features",)}.get(path[1], ())))
    return run.model_copy(update={path[0]: section.model_copy(update={key: fields[key].default for key in left_out})})
