"""Hardware as YAML: peaks by type of number, bandwidth, and who says so. The files of this folder are the profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from archspec.frontend.reading import read_source
from archspec.frontend.yaml_source import Map, read
from archspec.ir.diagnostics import Diagnostic, Span, SpecError, did_you_mean, shown
from archspec.ir.quantities import byte_size, count
from archspec.ir.validation import refuse, translate_errors

FOLDER = Path(__file__).parent


def _quantity(unit: Any) -> BeforeValidator:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return unit(value)
        except ValueError as error:
            raise refuse(str(error).partition(", got ")[0]) from None

    return BeforeValidator(read)


class Hardware(BaseModel):
    """What a machine does at most."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    """What it is."""
    source: str
    """Who says so."""
    note: str = ""
    """What a person should know of the figures."""
    peak: dict[str, Annotated[int, _quantity(count), Field(gt=0)]]
    """FLOPs a second, by type of number; a multiply-accumulate is two."""
    bandwidth: Annotated[int, _quantity(byte_size), Field(gt=0)]
    """Bytes a second from and to memory."""

    def ridge(self, dtype: str) -> float:
        """FLOPs a byte from which on the peak is what limits."""
        return self.peak[dtype] / self.bandwidth


def profiles() -> tuple[str, ...]:
    """Names of all profiles, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def hardware(name: str) -> Hardware:
    """A profile by its name, or the path of a file. Raises SpecError for a file that is wrong, ValueError for a name
    that there is not, OSError."""
    path = FOLDER / f"{name}.yaml" if name in profiles() else Path(name)
    if not path.is_file():
        hint = did_you_mean(name, profiles()) or f"there are {', '.join(profiles())}, or the path of a file"
        raise ValueError(f"there is no hardware {shown(name)}; {hint}")
    source = read_source(path, str(path))
    tree = read(source)
    if not isinstance(tree, Map):
        raise SpecError([Diagnostic("R01", "a hardware profile is a map", Span(source, 1, 1))])
    try:
        return Hardware.model_validate(dict(tree))
    except ValidationError as error:
        raise SpecError([_diagnostic(e, tree) for e in translate_errors(error, Hardware, "hardware")]) from None


def _diagnostic(error: Any, tree: Map) -> Diagnostic:
    type_, path = error["type"], error["loc"][1:]
    key = path[0] if path and path[0] in tree else None
    if key is None:
        span = Span(tree.source, tree.mark[0] + 1, tree.mark[1] + 1)
    elif type_.type == "unknown_key":
        span = tree.key_span(key)
    else:
        held = tree[key]
        inner = isinstance(held, Map) and len(path) > 1 and path[1] in held
        span = held.value_span(path[1]) if inner else tree.value_span(key)
    context = type_.context or {}
    return Diagnostic("R01", str(context.get("message", "")), span, context.get("help"))
