"""YAML text → Graph. The only door in: text → values with places → validated document → graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archspec.frontend.findings import Analysis
    from archspec.ir.graph import Graph


def load(name: str, *, variant: str | None = None, set: dict[str, Any] | None = None) -> Graph:
    """The graph of a spec: a path, or a name of the catalogue. ``set`` gives parameters values.

    Raises SpecError with every independent mistake, OSError where a file cannot be read.
    """
    from archspec.frontend.files import find
    from archspec.frontend.open import load_graph

    path, reported, named = find(name)
    return load_graph(path, reported, variant or named, set or {})


def analyse(
    name: str,
    *,
    variant: str | None = None,
    set: dict[str, Any] | None = None,
    data: bytes | None = None,
    folder: Path | None = None,
) -> Analysis:
    """All that can be said of a spec in all its variants (or the one that is named): the graphs that there are, errors
    and warnings. A file that cannot be read, too, is an error of what comes back; nothing is raised. With ``data``, a
    spec's text as bytes, no file is read but those that it uses, whose paths count from ``folder``, or
    from the working folder."""
    from archspec.frontend.findings import analysis

    return analysis(name, variant, set or {}, data, folder)


def check(name: str, *, variant: str | None = None, set: dict[str, Any] | None = None) -> list[Graph]:
    """The graphs of a spec in all its variants (or the one that is named); also looks at blocks that nothing calls.

    Raises SpecError.
    """
    return analyse(name, variant=variant, set=set).accepted()


def load_mapping(values: Mapping[str, Any], *, variant: str | None = None, set: dict[str, Any] | None = None) -> Graph:
    """The graph of what a spec's file would say. Raises SpecError, with places in the text that it is written as, and
    TypeError for values that YAML has no form of."""
    import yaml

    from archspec.frontend.open import Unbounded, plain
    from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError

    try:
        text = yaml.safe_dump(plain(values), sort_keys=False, allow_unicode=True, width=120)
    except Unbounded as error:
        raise SpecError([Diagnostic("Y07", str(error), Span(Source("<mapping>", ""), 1, 1))]) from None
    except yaml.representer.RepresenterError as error:
        raise TypeError(f"a spec holds maps, lists, strings and numbers, got {error.args[-1]!r}") from None
    return loads(text, "<mapping>", variant=variant, set=set)


def loads(
    text: str,
    name: str = "spec.yaml",
    *,
    variant: str | None = None,
    set: dict[str, Any] | None = None,
    max_layers: int | None = None,
    neighbours: bool = True,
) -> Graph:
    """The graph of a spec given as text. Raises SpecError."""
    from archspec.frontend.open import from_text
    from archspec.frontend.walk import MAX_LAYERS

    most = MAX_LAYERS if max_layers is None else max_layers
    return from_text(text, name, variant, set or {}, max_layers=most, neighbours=neighbours)


def parse_setting(text: str) -> tuple[str, Any]:
    """Name and value out of ``NAME=VALUE``, the value written as in a spec. Raises SpecError, ValueError."""
    from archspec.frontend.yaml_source import read
    from archspec.ir.diagnostics import Source

    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ValueError(f"write NAME=VALUE, got {text!r}")
    return name.strip(), read(Source("--set", value or "null", is_typed=True))


def prelude() -> Any:
    """The values of the prelude's file."""
    from archspec.frontend.files import prelude

    return prelude().tree


def tree(name: str) -> tuple[Any, Path]:
    """The values of a spec file, not validated, and where it is. Raises SpecError, OSError."""
    from archspec.frontend.files import find
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read

    path, reported, _ = find(name)
    return read(read_source(path, reported)), path


def used_trees(values: object, path: Path) -> dict[str, Any]:
    """The values of the files that a spec file uses, by the name it gives them; what cannot be read is left out."""
    from archspec.frontend.files import find
    from archspec.ir.diagnostics import SpecError

    out = {}
    use = values.get("use") if isinstance(values, dict) else None
    for alias, target in use.items() if isinstance(use, dict) else ():
        try:
            is_path = str(target).endswith((".yaml", ".yml"))
            out[alias] = tree(str(path.parent / target) if is_path else str(find(str(target))[0]))[0]
        except (SpecError, OSError):
            continue
    return out
