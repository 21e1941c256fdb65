"""Whether a spec computes what a Keras file's model computes, tried out with random numbers.

Layers with weights are known to correspond. Each is given the same random weights on both sides, and what it gives is
compared, without its activation; then random numbers take its place on both sides. So what lies between two layers with
weights is compared by itself, however it is written: a pool, a merge, padding, an activation before or behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.backend.archive import StoredLayer
from archspec.ir.graph import Graph

if TYPE_CHECKING:
    from archspec.backend.importers.keras_calls import Calls
    from archspec.backend.rules import Rules


def compare(graph: Graph, pairs: Mapping[str, StoredLayer], file: Calls, rules: Rules | None = None) -> None:
    """Raises WeightsError, with the place in the spec, unless the file's model computes what the graph does. ``pairs``
    are the file's layers by those of the graph."""
    from archspec.backend.installation import quiet_start

    quiet_start()
    from archspec.backend.comparison.file import FileSide
    from archspec.backend.comparison.spec import SpecSide

    FileSide(graph, pairs, file, SpecSide.of(graph, pairs, file), rules).run()
