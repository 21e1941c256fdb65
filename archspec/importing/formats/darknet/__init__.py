"""Darknet: ``net.cfg``, and ``net.weights`` with its numbers.

The rules are those of AlexeyAB's Darknet. A layer is known by its number, and others take it by that.
"""

from __future__ import annotations

from pathlib import Path

from archspec.importing.formats.darknet.graphs import stored
from archspec.importing.formats.darknet.layers import NetReader
from archspec.importing.formats.darknet.sections import sections
from archspec.importing.formats.darknet.weights import Arrays, assign
from archspec.importing.network import ReadNetwork, text_of
from archspec.ir.graph import Graph

SUFFIXES = (".cfg",)
WEIGHTS = (".weights",)


def read(path: Path, weights: Path | None) -> ReadNetwork:
    """The network of a file. Raises SpecError, OSError."""
    found, twice = sections(text_of(path))
    reader = NetReader(path.stem, found)
    for key, at in twice:
        reader.network.left_out(f"{key} occurs twice; the first is used", at)
    reader.run()
    if weights is not None:
        assign(reader.stored, reader.network.arrays, weights)
    return reader.network


def ordered(path: Path, graph: Graph) -> Arrays:
    """The arrays of a graph's layers out of a .weights file alone, which says neither names nor shapes: they are taken
    in the order of the graph. Raises SpecError (I05), OSError."""
    arrays: Arrays = {}
    assign(stored(graph), arrays, path)
    return arrays
