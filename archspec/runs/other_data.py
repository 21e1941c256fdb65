"""Data of a run directory: those that it had, and others in their place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from archspec.ir.diagnostics import Diagnostic, SpecError, shown, typed

if TYPE_CHECKING:
    from archspec.data.source import DataSource


def given(
    logdir: Path, own: DataSource | None, data: str | None, split: str | None
) -> tuple[DataSource | None, str | None]:
    """The source to evaluate a run on, with the run's classes and vocabularies, and the split: of other data that have
    none of their own, all. Raises SpecError, OSError."""
    from archspec.data.errors import DataError
    from archspec.data.given import ALL, Given
    from archspec.training.record import recorded_features, with_recorded_vocabularies

    if data is None and (split != ALL or own is None):
        return own, split
    source = own if data is None else _other(logdir, data)
    recorded = recorded_features(logdir)
    known = tuple((name, recorded.telling(name).class_names) for name in recorded.targets)
    made = Given(source=with_recorded_vocabularies(source, logdir), known=known)  # type: ignore[arg-type]
    try:
        features = made.features()
    except DataError as error:
        raise SpecError([_typed(data or "", error.message, error.help)]) from None
    if split is None and ALL in features.splits and (features.is_divided or features.held_out is None):
        split = ALL
    return made, split


def _other(logdir: Path, text: str) -> DataSource:
    """What was typed after ``--data``, read as the run read its own: arguments that are no paths stay as they were."""
    from pydantic import ValidationError

    from archspec.data.errors import DataError
    from archspec.data.source import DataSource, source_for
    from archspec.ir.validation import translate_errors

    name, args = recorded_source(logdir)
    own = DataSource.find(name)
    path = Path(text).expanduser()
    try:
        if own is not None and own.main and path.exists() and _is_text(own):
            # A table, or a folder, may hold texts as well as images: the run says what it is.
            found, said = own.name, {own.main: str(path.absolute())}
        else:
            found, said = source_for(text)
            said = {key: str(path.absolute()) if path.exists() else value for key, value in said.items()}
    except DataError as error:
        raise SpecError([_typed(text, error.message, error.help)]) from None
    kind = DataSource.find(found)
    assert kind is not None
    if own is not None:
        said = {**_kept(own, kind, args), **said}
    try:
        return kind.model_validate(said, context={"folder": logdir})
    except ValidationError as error:
        problems = [e["type"].context or {} for e in translate_errors(error, kind, found)]  # type: ignore[union-attr]
        raise SpecError(_typed(text, p["message"], p.get("help")) for p in problems) from None


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


def is_path(annotation: Any) -> bool:
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


def _typed(text: str, message: str, help: str | None) -> Diagnostic:
    return Diagnostic("R05", message, typed("--data", text) if text else typed("--split", "all"), help)
