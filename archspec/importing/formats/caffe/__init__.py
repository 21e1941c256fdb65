"""Caffe: ``net.prototxt``, as a network is deployed, and ``net.caffemodel`` with its numbers."""

from __future__ import annotations

from pathlib import Path

from archspec.importing.formats.caffe.layers import RULES
from archspec.importing.formats.caffe.reader import LayerReader
from archspec.importing.formats.caffe.text import message_of
from archspec.importing.formats.caffe.weights import assign
from archspec.importing.network import ReadNetwork, text_of

SUFFIXES = (".prototxt",)
WEIGHTS = (".caffemodel",)


def read(path: Path, weights: Path | None) -> ReadNetwork:
    """The network of a file. Raises SpecError, OSError."""
    reader = LayerReader(path.stem, message_of(text_of(path)), RULES)
    reader.run()
    if weights is not None:
        assign(reader, weights)
    return reader.network
