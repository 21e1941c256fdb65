"""archspec: neural network architectures as text.

``load`` reads a spec into a ``Graph``; ``table`` says what it costs; ``compile`` makes the Keras model. Importing this
imports none of what they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from archspec.backend import compile
    from archspec.ir.diagnostics import Diagnostic, SpecError
    from archspec.ir.graph import Graph, Node
    from archspec.ir.tensors import TensorSpec, WeightSpec
    from archspec.ops.base import Op, OpError
    from archspec.report.table import Row, Table, table

__version__ = "0.1.0"

_HOMES = {
    "Diagnostic": "archspec.ir.diagnostics",
    "Graph": "archspec.ir.graph",
    "Node": "archspec.ir.graph",
    "Op": "archspec.ops.base",
    "OpError": "archspec.ops.base",
    "Row": "archspec.report.table",
    "SpecError": "archspec.ir.diagnostics",
    "Table": "archspec.report.table",
    "TensorSpec": "archspec.ir.tensors",
    "WeightSpec": "archspec.ir.tensors",
    "compile": "archspec.backend",
    "table": "archspec.report.table",
}

__all__ = [
    "Diagnostic",
    "Graph",
    "Node",
    "Op",
    "OpError",
    "Row",
    "SpecError",
    "Table",
    "TensorSpec",
    "WeightSpec",
    "compile",
    "load",
    "table",
]


def load(spec: str | os.PathLike[str], /, *, variant: str | None = None, **params: Any) -> Graph:
    """The graph of a spec: the path of a file, or the name of a spec or variant of the catalogue.

    ``params`` give the spec's parameters values. Raises SpecError, which holds every independent mistake.
    """
    from os import fspath

    from archspec.frontend import load

    return load(fspath(spec), variant=variant, set=params)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
