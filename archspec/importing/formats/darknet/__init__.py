"""Darknet: ``net.cfg``, and ``net.weights`` with its numbers.

The rules are those of AlexeyAB's Darknet. A layer is known by its number, and others take it by that.
"""

from __future__ import annotations

from pathlib import Path

from archspec.importing.formats.darknet.layers import NetReader
from archspec.importing.formats.darknet.sections import sections
from archspec.importing.formats.darknet.weights import assign
from archspec.importing.network import ReadNetwork, text_of

SUFFIXES = (".cfg",)
WEIGHTS = (".weights",)


def read(path: Path, weights: Path | None) -> ReadNetwork:
    """The network of a file. Raises SpecError, OSError."""
    found, twice = sections(text_of(path))
    reader = NetReader(path.stem, found)
    for key, at in twice:
        reader.network.left_out(f"{key} stands twice; the first counts", at)
    reader.run()
    if weights is not None:
        assign(reader, weights)
    return reader.network
