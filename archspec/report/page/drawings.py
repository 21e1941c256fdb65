"""The picture of a network for a page: laid out once for each depth that it may be folded to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple
from xml.etree import ElementTree

from archspec.ir.graph import Graph
from archspec.report.drawing import diagram
from archspec.report.picture import Box, Diagram, Group
from archspec.report.pictures import svg

MOST_BOXES = 600
"""A picture of more boxes is left out where there is one that is folded further."""
_ATTRIBUTES = {
    "g": ("transform",),
    "polygon": ("points",),
    "path": ("d",),
    "polyline": ("points",),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "text": ("x", "y", "text-anchor", "font-size"),
}
"""What is taken over of Graphviz's elements; all else is left out, colours too, which are the page's."""
_SHAPES = ("polygon", "ellipse", "path")


class Level(NamedTuple):
    """A picture folded to one depth: ``svg`` is HTML; ``boxes`` and ``groups`` are the positions of the nodes that
    each stands for, in the order of the numbers that the elements carry; ``folded`` are the boxes of whole blocks."""

    svg: str
    boxes: list[list[int]]
    groups: list[list[int]]
    folded: list[int]

    def record(self) -> dict[str, Any]:
        """What the script knows of it."""
        return {"boxes": self.boxes, "groups": self.groups, "folded": self.folded}


def levels(graph: Graph, chosen: Diagram | None = None) -> tuple[list[Level], int]:
    """The pictures of a graph from the most folded to all nodes, and which of them is ``chosen``, or readable at once.
    Raises LayoutError."""
    chosen = diagram(graph, training=True) if chosen is None else chosen
    deepest = max((node.name.count(".") for node in graph.nodes), default=0)
    drawn: list[Diagram] = []
    for depth in (*range(1, deepest + 1), 0):
        found = diagram(graph, depth=depth, training=True)
        if found not in drawn and not (drawn and _count(found) > MOST_BOXES):
            drawn.append(found)
    if chosen not in drawn:
        drawn = sorted([*drawn, chosen], key=_count)
    return [_level(one, graph) for one in drawn], drawn.index(chosen)


def section(drawn: list[Level], chosen: int, missing: str = "") -> str:
    """The part of a page that shows them, one at a time; what is ``missing`` where there are none."""
    if not drawn:
        return f'<section id="picture" aria-label="picture"><p class="missing">{escape(missing)}</p></section>'
    tools = "".join(
        f'<button type="button" data-do="{do}" title="{told}">{mark}</button>'
        for do, mark, told in (
            ("fold", "fold", "[ : fold blocks"),
            ("unfold", "unfold", "] : open blocks"),
            ("smaller", "−", "- : smaller"),
            ("larger", "+", "+ : larger"),
            ("fit", "fit", "0 : as wide as there is room"),
        )
    )
    pictures = "".join(
        f'<div class="level" data-level="{i}"{"" if i == chosen else " hidden"}>{level.svg}</div>'
        for i, level in enumerate(drawn)
    )
    return (
        f'<section id="picture" aria-label="picture"><div class="buttons">{tools}<output id="level"></output></div>'
        f'<div class="canvas" tabindex="0">{pictures}</div></section>'
    )


def _count(drawn: Diagram) -> int:
    return sum(1 for _ in drawn.root.boxes())


def _level(drawn: Diagram, graph: Graph) -> Level:
    held: dict[str, list[int]] = defaultdict(list)
    for i, node in enumerate(graph.nodes):
        held[drawn.box_of[node.name]].append(i)
    boxes, groups = list(drawn.root.boxes()), list(drawn.root.groups())
    numbered = {box.id: (i, box) for i, box in enumerate(boxes)}
    root = ElementTree.fromstring(svg.straight(drawn))
    return Level(
        "".join(_written(root, numbered)),
        [held[box.id] for box in boxes],
        [_nodes(group, held) for group in groups],
        [i for i, box in enumerate(boxes) if box.kind == "block"],
    )


def _nodes(group: Group, held: dict[str, list[int]]) -> list[int]:
    return sorted(i for box in group.boxes() for i in held[box.id])


def _written(element: ElementTree.Element, boxes: Mapping[str, tuple[int, Box]], heat: float = 0.0) -> Iterator[str]:
    """HTML of one of Graphviz's elements: boxes and groups get their numbers, and colours are the page's."""
    tag, kind = element.tag.rpartition("}")[2], element.get("class", "")
    if tag == "svg":
        width, height = (element.get(side, "").removesuffix("pt") for side in ("width", "height"))
        mark = f' viewBox="{escape(element.get("viewBox", ""))}" data-width="{width}" data-height="{height}" role="img"'
    elif tag in _ATTRIBUTES:
        mark = "".join(f' {name}="{escape(value)}"' for name in _ATTRIBUTES[tag] if (value := element.get(name)))
    else:
        return
    if kind in ("node", "cluster"):
        title = next((child.text or "" for child in element if child.tag.endswith("title")), "")
        if kind == "node":
            number, box = boxes[title]
            # The square root keeps small shares apart.
            heat = box.heat**0.5
            mark += f' class="node" data-box="{number}"'
        else:
            # Graphviz is told of groups as cluster_1, cluster_2, … in the order of their beginnings.
            mark += f' class="cluster" data-group="{int(title.removeprefix("cluster_")) - 1}"'
    elif kind:
        mark += f' class="{escape(kind)}"'
    elif tag in _SHAPES and heat:
        mark += f' fill-opacity="{heat:.2f}" class="hot"'
    yield f"<{tag}{mark}>"
    if tag == "text":
        yield escape(element.text or "")
    for child in element:
        yield from _written(child, boxes, heat)
    yield f"</{tag}>"
