"""What a spec expects of its figures, read and validated: for ``check``, which compares; a table has no need of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainValidator, ValidationError

from archspec.frontend.document import STRICT, Document, Text, place
from archspec.frontend.yaml_source import Map
from archspec.ir import graph
from archspec.ir.diagnostics import Diagnostic, Span, did_you_mean, known_are, shown
from archspec.ir.patterns import Pattern
from archspec.ir.validation import refuse, refused

FIGURES = ("params", "trainable_params", "macs", "flops", "memory", "receptive_field", "anchors", "output_shape")
Count = Annotated[int, Field(ge=0)]

_BOUND = Pattern(r"\s*(<=?|>=?|≤|≥|=<|=>)\s*([\d.,]+\s*[A-Za-z]*)\s*")
_RANGE = Pattern(r"\s*([\d.,]+?\s*[A-Za-z]*)\s*(?:-|–|…|\.{2,3}|:|to)\s*([\d.,]+\s*[A-Za-z]*)\s*")

_ABOUT = Pattern(
    r"\s*[~≈]?\s*(?:about|approx\.?|ca\.?)?\s*(\d[\d.,]*\s*[kKMGT]?)\s*(?:params|parameters|macs|flops|mac|flop)?\s*",
    re.I,
)
"""A figure with what says that it is not exact, or what it counts."""


def _bounded(text: str) -> str | None:
    """Bounds of a figure that are written as a comparison, or as a range."""
    if (found := _BOUND.fullmatch(text[:64])) is not None:
        if (figure := _figured(found[2])) is None:
            return None
        bound = "max" if found[1] in ("<", "<=", "=<", "≤") else "min"
        return f"a bound is a map: {{{bound}: {figure}}}"
    if (found := _RANGE.fullmatch(text[:64])) is not None:
        least, most = _figured(found[1]), _figured(found[2])
        return f"bounds are a map: {{min: {least}, max: {most}}}" if least and most else None
    if (found := _ABOUT.fullmatch(text[:64])) is not None and (figure := _figured(found[1].replace(" ", ""))):
        return f"a figure is what it must be: {figure}; about as much is {{min: …, max: …}}"
    return None


def _figured(text: str) -> str | None:
    """A figure with its unit in the right case; None if it has another."""
    from archspec.ir.quantities import BYTES, PREFIXES

    number = text.strip().rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(number) :]
    units = (*PREFIXES, *BYTES)
    ours = unit if unit in units else next((known for known in units if known.lower() == unit.lower()), None)
    return None if ours is None else f"{number}{ours}"


def _figure(*, is_size: bool = False) -> Callable[[Any], Any]:
    """A count, or a size in bytes, as a number or with a unit; or the bounds of one."""

    def scalar(value: object) -> Any:
        if isinstance(value, str):
            from archspec.ir.quantities import byte_size, count

            try:
                return byte_size(value) if is_size else count(value)
            except ValueError as error:
                raise refuse(str(error).rpartition(", got ")[0], _bounded(value)) from None
        if type(value) is not int or value < 0:
            raise refuse("must be an integer, a number with a unit such as 5M, or {min: …, max: …}")
        return value

    def read(value: object) -> Any:
        if not isinstance(value, Map):
            return value if value is None else scalar(value)
        if not value or set(value) - {"min", "max"}:
            raise refuse("must have min, max or both, and nothing else")
        bounds = {key: scalar(given) for key, given in value.items()}
        if bounds.get("min", 0) > bounds.get("max", bounds.get("min", 0)):
            raise refuse("must have a min that is not above its max")
        return bounds

    return read


Figure = Annotated[Any, PlainValidator(_figure())]
Size = Annotated[Any, PlainValidator(_figure(is_size=True))]


class FigureBounds(BaseModel):
    """Numbers that a graph must have, or bounds of them."""

    model_config = STRICT

    params: Figure = None
    trainable_params: Figure = None
    macs: Figure = None
    flops: Figure = None
    memory: Size = None
    receptive_field: Figure = None
    anchors: Figure = None
    output_shape: list[Count | None] | None = None


class ExpectSection(FigureBounds):
    """Figures of the inference graph, those with train-only heads, and who says so."""

    training: FigureBounds | None = None
    networks: dict[str, FigureBounds] = {}
    source: Text


_CALLED = {
    **dict.fromkeys(("parameters", "weights", "num_params", "n_params", "total_params"), "params"),
    **dict.fromkeys(("mac", "madds", "multiply_adds", "mult_adds", "gmacs"), "macs"),
    **dict.fromkeys(("flop", "gflops"), "flops"),
    **dict.fromkeys(("output", "shape", "out_shape"), "output_shape"),
    **dict.fromkeys(("ref", "paper", "reference", "by", "from"), "source"),
}
"""What people call the figures."""


def is_direct(expect: Mapping[str, Any]) -> bool:
    """Whether ``expect`` states the file's own figures, rather than those of named variants."""
    return any(key in expect for key in (*FIGURES, "source", "training", "networks"))


def expectations(found: Document) -> list[Diagnostic]:
    """What is wrong with what a file expects of itself."""
    out: list[Diagnostic] = []
    expect: Any = found.spec.expect
    if expect is None:
        return out
    entries = {(): expect} if is_direct(expect) else {(name,): value for name, value in expect.items()}
    known = [*found.spec.variants, found.spec.name]
    for path, value in entries.items():
        if path and path[0] not in known:
            at = expect.key_span(path[0])
            ours = _CALLED.get(path[0].lower()) or did_you_mean(path[0], (*FIGURES, "source"))
            hint = f"did you mean '{ours}'?" if path[0].lower() in _CALLED else did_you_mean(path[0], known) or ours
            out.append(Diagnostic("V01", f"expect: there is no variant {shown(path[0])}", at, hint))
            continue
        known_networks = list(found.spec.networks)
        for name in (value.get("networks") or ()) if isinstance(value, Map) else ():
            if name not in known_networks:
                at = place(found.tree, ("expect", *path, "networks", name), key=True)
                hint = did_you_mean(name, known_networks) or known_are(known_networks)
                out.append(Diagnostic("N00", f"expect: there is no network {shown(name)}", at, hint))
        try:
            ExpectSection.model_validate(value)
        except ValidationError as error:
            for e in refused(error):
                where = ("expect", *path, *e.path)
                keys = (*FIGURES, "training", "networks", "source")
                if e.kind == "unknown_key":
                    word = str(e.path[-1])
                    from archspec.frontend.intended_words import intended_word

                    hint = intended_word(word, keys.__contains__) or did_you_mean(word, keys) or known_are(keys)
                    message = f"expect has no key {shown(e.path[-1])}"
                    out.append(Diagnostic("S01", message, place(found.tree, where, key=True), hint))
                elif e.kind == "missing_key":
                    message = f"expect needs {shown(e.path[-1])}: who says so"
                    at = place(found.tree, where[:-1], key=True)
                    out.append(Diagnostic("S02", message, at, "source: budget, or the paper that has the figures"))
                else:
                    message = f"expect: {'.'.join(map(str, e.path)) or 'an entry'} {e.message}"
                    out.append(Diagnostic("S02", message, place(found.tree, where), e.help))
    return out


def expected(document: Document, variant: str | None) -> graph.Expectations | None:
    """What the file says of this variant, or of itself; it is valid, as ``expectations`` has found."""
    expect = document.spec.expect
    if expect is None:
        return None
    path: tuple[str, ...] = ("expect",)
    if not is_direct(expect):
        name = variant or document.spec.name
        if name not in expect:
            return None
        path, expect = ("expect", name), expect[name]
    elif variant is not None:
        return None
    training = expect.get("training") or {}
    spans: dict[tuple[str, ...], Span] = {(k,): document.span(*path, k) for k in expect if k in FIGURES}
    spans |= {("training", k): document.span(*path, "training", k) for k in training}
    networks = expect.get("networks") or {}
    for name, given in networks.items():
        spans |= {("networks", name, k): document.span(*path, "networks", name, k) for k in given}
    read = ExpectSection.model_validate(expect)
    by_network = {name: _given(read.networks[name], given) for name, given in networks.items()}
    own, at = _given(read, expect), document.key_span(*path)
    return graph.Expectations(own, _given(read.training, training), read.source, at, spans, by_network)


def _given(read: FigureBounds | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that the text gives: numbers, maps of ``min`` and ``max``, and shapes."""
    return {name: getattr(read, name) for name in FIGURES if name in given}
