"""One description of a network's picture, which every format of ``archspec.report.pictures`` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph
from archspec.report.table import formats


class LayoutError(Exception):
    """Graphviz is missing, or failed."""


@dataclass(slots=True)
class Box:
    """A node, a folded block, an input or an output. ``lines`` are its text; ``heat`` its share of the cost, 0 to 1."""

    id: str
    lines: list[str]
    kind: str = "op"
    heat: float = 0.0


@dataclass(slots=True)
class Group:
    """A block that is drawn open. ``children`` are in the order of the network."""

    id: str
    label: str
    children: list[Group | Box] = field(default_factory=list)

    def groups(self) -> Iterator[Group]:
        """All groups inside, each before those within it."""
        for child in self.children:
            if isinstance(child, Group):
                yield child
                yield from child.groups()

    def boxes(self) -> Iterator[Box]:
        """All boxes inside."""
        for child in self.children:
            if isinstance(child, Box):
                yield child
            else:
                yield from child.boxes()


@dataclass(frozen=True, slots=True)
class Edge:
    """What goes from a box to another, by the tensors' shapes; ``is_skip`` where it passes by boxes in between."""

    source: str
    target: str
    labels: tuple[str, ...]
    is_skip: bool

    @property
    def label(self) -> str:
        """All shapes on a line."""
        return ", ".join(self.labels)


@dataclass(frozen=True, slots=True, repr=False)
class Diagram:
    """A network as it is drawn. It shows itself in a notebook, where the extra ``diagram`` is installed.

    The boxes' colour says their share of ``colored_by``: MACs, or parameters where MACs are open. ``box_of`` names the
    box that each node of ``graph`` is drawn in.
    """

    title: str
    root: Group
    edges: tuple[Edge, ...]
    colored_by: str
    box_of: Mapping[str, str] = field(default_factory=dict, compare=False)
    graph: Graph | None = field(default=None, compare=False)

    def render(self, format: str = "svg") -> str:
        """The diagram as ``svg``, ``html``, ``mmd`` (Mermaid) or ``dot`` (Graphviz). Raises ValueError for another, and
        LayoutError where SVG or HTML cannot be laid out."""
        if format not in formats("pictures"):
            raise ValueError(f"there is no format {shown(format)}; the formats are {', '.join(formats('pictures'))}")
        # The formats know diagrams: a diagram knows them by name alone, and imports the one that is asked for.
        written: str = import_module(f"archspec.report.pictures.{format}").render(self)
        return written

    def __repr__(self) -> str:
        boxes = sum(1 for _ in self.root.boxes())
        return f"<Diagram {self.title}: {boxes} boxes, {len(self.edges)} edges>"

    def _repr_svg_(self) -> str | None:
        """For notebooks; None, and so the text, where nothing can lay it out."""
        try:
            return self.render("svg")
        except LayoutError:
            return None
