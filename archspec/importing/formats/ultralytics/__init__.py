"""Ultralytics: ``model.yaml``, in which every row of ``backbone`` and ``head`` is ``[from, number, module, args]``.

The rules are those of Ultralytics 8 and, where a file has ``anchors``, of its YOLOv5. A row is known by its number, and
others take it by that. Letters behind the name of a file choose among its ``scales``, as in ``yolov8n.yaml``.
"""

from __future__ import annotations

from pathlib import Path

from archspec.importing.formats.ultralytics.modules import MODULES
from archspec.importing.formats.ultralytics.rows import RowReader
from archspec.importing.network import ReadNetwork, text_of

SUFFIXES = (".yaml", ".yml")
WEIGHTS = ()


def read(path: Path, weights: Path | None) -> ReadNetwork:
    """The network of a file. Raises SpecError, OSError."""
    reader = RowReader(path.stem, text_of(path))
    reader.run(MODULES)
    return reader.network
