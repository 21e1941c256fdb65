"""HTML: a page by itself, whose picture can be zoomed, searched, and folded to each depth that the network has."""

from __future__ import annotations

from archspec.report.page.document import document, header
from archspec.report.page.drawings import levels, section
from archspec.report.picture import Diagram


def render(picture: Diagram) -> str:
    """A page that shows the picture first, and others folded less and more. Raises LayoutError."""
    if picture.graph is None:
        raise ValueError("a page is of a diagram that archspec.diagram made")
    drawn, chosen = levels(picture.graph, picture)
    body = f'{header(picture.title, picture.graph.doc)}<main class="alone">{section(drawn, chosen)}</main>'
    data = {"nodes": list(picture.box_of), "lines": [], "sort": [], "levels": [level.record() for level in drawn]}
    return document(picture.title, body, data)
