"""archspec: neural network architectures as text.

``load`` reads a spec into a ``Graph``; ``table`` says what it costs, ``diagram`` draws it, ``diff`` compares two,
``sweep`` the members of a family;
``compile`` makes the Keras model; a ``Run`` is trained, evaluated and exported. Importing this imports none of what
they need.
"""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from archspec.backend import compile
    from archspec.backend.conformance import ConformanceError, check_op
    from archspec.data.errors import DataError
    from archspec.ir.diagnostics import Diagnostic, SpecError
    from archspec.ir.graph import Graph, Node
    from archspec.ir.tensors import TensorSpec, WeightSpec
    from archspec.ops.base import Op, OpError
    from archspec.report.difference import Diff, diff
    from archspec.report.drawing import diagram
    from archspec.report.picture import Diagram
    from archspec.report.sweep import Sweep, sweep
    from archspec.report.table import Row, Table, table
    from archspec.runs.evaluation import Evaluation
    from archspec.runs.export import Exported
    from archspec.runs.prediction import Predictions
    from archspec.runs.run import Run
    from archspec.training.errors import RunError
    from archspec.training.outcome import Result

__version__ = "0.1.0"

_HOMES = {
    "ConformanceError": "archspec.backend.conformance",
    "DataError": "archspec.data.errors",
    "Diagnostic": "archspec.ir.diagnostics",
    "Diagram": "archspec.report.picture",
    "Diff": "archspec.report.difference",
    "Evaluation": "archspec.runs.evaluation",
    "Exported": "archspec.runs.export",
    "Graph": "archspec.ir.graph",
    "Node": "archspec.ir.graph",
    "Op": "archspec.ops.base",
    "OpError": "archspec.ops.base",
    "Predictions": "archspec.runs.prediction",
    "Result": "archspec.training.outcome",
    "Row": "archspec.report.table",
    "Run": "archspec.runs.run",
    "RunError": "archspec.training.errors",
    "SpecError": "archspec.ir.diagnostics",
    "Sweep": "archspec.report.sweep",
    "Table": "archspec.report.table",
    "TensorSpec": "archspec.ir.tensors",
    "WeightSpec": "archspec.ir.tensors",
    "check_op": "archspec.backend.conformance",
    "compile": "archspec.backend",
    "diagram": "archspec.report.drawing",
    "diff": "archspec.report.difference",
    "sweep": "archspec.report.sweep",
    "table": "archspec.report.table",
}

__all__ = [
    "ConformanceError",
    "DataError",
    "Diagnostic",
    "Diagram",
    "Diff",
    "Evaluation",
    "Exported",
    "Graph",
    "Node",
    "Op",
    "OpError",
    "Predictions",
    "Result",
    "Row",
    "Run",
    "RunError",
    "SpecError",
    "Sweep",
    "Table",
    "TensorSpec",
    "WeightSpec",
    "check_op",
    "compile",
    "diagram",
    "diff",
    "load",
    "loads",
    "sweep",
    "table",
]


def load(spec: str | os.PathLike[str] | Mapping[str, Any], /, *, variant: str | None = None, **params: Any) -> Graph:
    """The graph of a spec: the path of a file, the name of a spec or variant of the catalogue, or a mapping of what a
    file would say. A string is never looked at as text: that is ``loads``.

    ``params`` give the spec's parameters values. Raises SpecError, which holds every independent mistake (of a mapping,
    with its place in the YAML that it is written as), OSError for a file that is not there or cannot be read, and
    TypeError for a mapping of values that YAML has no form of, or what is none of these.
    """
    from collections.abc import Mapping
    from os import PathLike, fspath

    from archspec.frontend import load, load_mapping

    with _keywords(variant, params):
        if isinstance(spec, Mapping):
            return load_mapping(spec, variant=variant, set=params)
        if not isinstance(spec, (str, PathLike)) or not isinstance(name := fspath(spec), str):
            raise TypeError(f"archspec.load takes a path, a name or a mapping; got {type(spec).__name__}")
        return load(name, variant=variant, set=params)


def loads(text: str, /, *, variant: str | None = None, **params: Any) -> Graph:
    """The graph of a spec that is given as its text, as ``load`` of a file that holds it; files that it uses are looked
    for in the working folder. Raises SpecError, and TypeError for what is no text."""
    from archspec.frontend import loads

    if not isinstance(text, str):
        raise TypeError(f"archspec.loads takes the text of a spec, a str; got {type(text).__name__}")
    with _keywords(variant, params):
        return loads(text, "<text>", variant=variant, set=params)


@contextmanager
def _keywords(variant: str | None, params: Mapping[str, Any]) -> Iterator[None]:
    """Mistakes in what was given by keyword are told at the keyword."""
    from archspec.frontend.open import must_be_bounded
    from archspec.ir.diagnostics import SpecError, retyped, typed

    if variant is not None and not isinstance(variant, str):
        raise TypeError(f"variant is the name of a variant, a str, or None; got {type(variant).__name__}")
    must_be_bounded(params)
    try:
        yield
    except SpecError as error:
        words = {name: typed(f"{name} =", repr(value)) for name, value in params.items()}
        raise retyped(error, {"--variant": typed("variant =", repr(variant)), **words}) from None


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
