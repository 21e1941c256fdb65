"""ONNX: ``net.onnx`` with its initialisers. Needs the package onnx, which reads the file and infers its shapes."""

from __future__ import annotations

from pathlib import Path

from archspec.importing.formats.onnx import arithmetic, axes, shaping, windows
from archspec.importing.formats.onnx.model import read_model
from archspec.importing.formats.onnx.patterns import joined
from archspec.importing.formats.onnx.reader import GraphReader
from archspec.importing.network import ReadNetwork, whole

SUFFIXES = (".onnx",)
WEIGHTS: tuple[str, ...] = ()


def read(path: Path, weights: Path | None) -> ReadNetwork:
    """The network of a file. Raises SpecError, OSError."""
    graph = joined(read_model(path))
    reader = GraphReader(path.stem, graph, {**arithmetic.RULES, **axes.RULES, **shaping.RULES, **windows.RULES})
    reader.run(whole(path))
    return reader.network
