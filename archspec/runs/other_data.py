"""Data of a run directory: those that it had, and others in their place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from archspec.ir.diagnostics import Diagnostic, SpecError, did_you_mean, shown
from archspec.runs.notation import Notation

if TYPE_CHECKING:
    from archspec.data.source import DataSource

Data = str | os.PathLike[str] | Mapping[str, Any]
"""Data in place of a run's: the name of a source, a path, or ``{NAME: {argument: value}}``."""


def given(
    logdir: Path, own: DataSource | None, data: Data | None, split: str | None, notation: Notation
) -> tuple[DataSource | None, str | None]:
    """The source to evaluate a run on, with the run's classes and vocabularies, and the split: of other data that have
    none of their own, all. Raises SpecError, OSError."""
    from archspec.data.errors import DataError
    from archspec.data.given import ALL, Given, class_names
    from archspec.training.record import recorded_features, with_recorded_vocabularies

    if data is None and (split != ALL or own is None):
        return own, split
    source = own if data is None else _other(logdir, data, notation, is_whole=split in (None, ALL))
    known = tuple(class_names(recorded_features(logdir)))
    made = Given(source=with_recorded_vocabularies(source, logdir), known=known)  # type: ignore[arg-type]
    try:
        features = made.features()
    except DataError as error:
        at = notation.at("data", data) if data is not None else notation.at("split", ALL)
        raise SpecError([Diagnostic("R05", error.message, at, error.help)]) from None
    if split is None and ALL in features.splits and (features.is_divided or features.held_out is None):
        split = ALL
    return made, split


def _other(logdir: Path, data: Data, notation: Notation, *, is_whole: bool) -> DataSource:
    """The data that were asked for, read as the run read its own: arguments that are no paths stay as they were, and
    images have the channels that they had. ``is_whole``: no share of them is held out."""
    from pydantic import ValidationError

    from archspec.data.errors import DataError
    from archspec.data.example import IMAGE
    from archspec.data.features.image import Image
    from archspec.data.source import DataSource
    from archspec.ir.validation import translate_errors
    from archspec.training.record import recorded_features

    name, args = recorded_source(logdir)
    own, at = DataSource.find(name), notation.at("data", data)
    try:
        found, said = _written(data) if isinstance(data, Mapping) else _named(os.fspath(data), own)
    except DataError as error:
        raise SpecError([Diagnostic("R05", error.message, at, error.help)]) from None
    kind = DataSource.find(found)
    assert kind is not None
    if own is not None:
        said = {**_kept(own, kind, args), **said}
    if is_whole and "holdout" in kind.model_fields:
        said = {**said, "holdout": 0}
    image = recorded_features(logdir).features.get(IMAGE)
    if "channels" in kind.model_fields and isinstance(image, Image):
        said = {"channels": image.spec.channels, **said}
    try:
        return kind.model_validate(said, context={"folder": logdir})
    except ValidationError as error:
        problems = [e["type"].context or {} for e in translate_errors(error, kind, found)]  # type: ignore[union-attr]
        raise SpecError(Diagnostic("R05", p["message"], at, p.get("help")) for p in problems) from None


def _named(text: str, own: type[DataSource] | None) -> tuple[str, dict[str, Any]]:
    """The source that a name or path means to a run with a source ``own``, and its arguments. Raises DataError."""
    from archspec.data.source import source_for

    path = Path(text).expanduser()
    if own is not None and own.main and path.exists() and _is_text(own):
        # A table, or a folder, may hold texts as well as images: the run says what it is.
        return own.name, {own.main: str(path.absolute())}
    found, said = source_for(text)
    return found, {key: str(path.absolute()) if path.exists() else value for key, value in said.items()}


def _written(data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A source as a run file has it: NAME: {argument: value}, or NAME: main. Raises DataError."""
    from archspec.data.errors import DataError
    from archspec.data.source import DataSource

    name = next(iter(data)) if len(data) == 1 else None
    kind = DataSource.find(name) if isinstance(name, str) else None
    if kind is None:
        known = f"the sources are {', '.join(DataSource.names())}"
        raise DataError(
            "data must be {SOURCE: {argument: value}}", help=did_you_mean(str(name), DataSource.names()) or known
        )
    value = data[kind.name]
    if not isinstance(value, Mapping):
        if kind.main is None:
            raise DataError(f"{kind.name} takes {{argument: value}}, got {shown(value)}")
        value = {kind.main: value}
    paths = {key for key, field in kind.model_fields.items() if is_path(field.annotation)}
    return kind.name, {
        key: os.path.abspath(one) if key in paths and isinstance(one, (str, os.PathLike)) else one
        for key, one in value.items()
    }


def _kept(own: type[DataSource], kind: type[DataSource], args: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the run's source that another one takes, too, and means the same by."""
    out = {}
    for name, value in args.items():
        field, other = own.model_fields.get(name), kind.model_fields.get(name)
        if field is None or other is None or is_path(field.annotation):
            continue
        # How many examples an epoch has says nothing of how many there are.
        if (own is kind or field.default == other.default) and name != "windows":
            out[name] = value
    return out


def is_path(annotation: object) -> bool:
    return annotation is Path or any(is_path(inner) for inner in get_args(annotation))


def _is_text(kind: type[DataSource]) -> bool:
    return "encoding" in kind.model_fields


def recorded_source(logdir: Path) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the run's source as they are written. Raises SpecError, OSError."""
    from archspec.data.source import DataSource
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read

    path = logdir / "run.yaml"
    values = read(read_source(path, str(path)))
    data = values.get("data") if isinstance(values, dict) else None
    if isinstance(data, str):
        return data, {}
    if not isinstance(data, dict) or len(data) != 1:
        return "", {}
    ((name, args),) = data.items()
    kind = DataSource.find(str(name))
    if isinstance(args, dict):
        return str(name), dict(args)
    return str(name), {kind.main: args} if kind is not None and kind.main else {}


def lost(logdir: Path, error: SpecError) -> Diagnostic | None:
    """What to say where a run's data are no longer where they were; None where something else is wrong."""
    from archspec.data.errors import DataError
    from archspec.data.source import DataSource
    from archspec.training.record import recorded_features

    try:
        name, args = recorded_source(logdir)
        features = recorded_features(logdir)
    except (SpecError, DataError, OSError, ValueError, KeyError):
        return None
    kind = DataSource.find(name)
    paths = [key for key, field in kind.model_fields.items() if is_path(field.annotation)] if kind else []
    gone = next((str(args[key]) for key in paths if args.get(key) and not (logdir / str(args[key])).exists()), None)
    first = next((d for d in error.diagnostics if gone and shown(gone) in d.message), None)
    if gone is None or first is None:
        return None
    parts = ", ".join(f"{part} {spec}" for part, spec in features.parts.items())
    classes = f", {features.classes} classes" if features.classes else ""
    return Diagnostic(
        first.code,
        f"the data of the run are gone: {shown(gone, 300)} does not exist (recorded were {name}: {parts}{classes})",
        first.span,
        "put them back, or write here where they are",
    )
