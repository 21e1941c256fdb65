"""A tall picture in columns: the chain is cut where one edge alone goes on, which a numbered circle ends and another
begins."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from itertools import pairwise

from archspec.report.picture import Box, Diagram, Edge, Group

PAGE = (540.0, 780.0)
"""Width and height of what an A4 page shows, in points."""
MOST = 6
"""Columns of a picture."""
LINE, GAP, FRAME = 13.0, 34.0, 40.0
"""Heights in points: of a line of text, between boxes, and of the frame of a group."""
_COUNTED = re.compile(r" ×\d+\Z")


def scale(size: tuple[float, float]) -> float:
    """By how much a picture of a size is made smaller to fit on a page; 1 for one that fits."""
    return min(1.0, PAGE[0] / size[0], PAGE[1] / size[1])


def columns_for(size: tuple[float, float]) -> int:
    """How many columns would make a picture of this size, were it cut into equal ones, largest on a page."""
    return max(range(1, MOST + 1), key=lambda n: (scale((size[0] * n, size[1] / n)), -n))


def in_columns(picture: Diagram, count: int) -> Diagram | None:
    """The picture in so many columns of about the same height; None where it has not as many places to be cut at."""
    boxes = list(picture.root.boxes())
    heights = _heights(picture.root)
    places = _bridges(picture, boxes)
    apart = _taken_apart(picture.root, boxes)
    whole, below, cuts = sum(heights.values()), 0.0, list[int]()
    reached = {0: 0.0}
    for i, box in enumerate(boxes):
        below += heights[box.id]
        reached[i + 1] = below
    for n in range(1, count):
        free = [place for place in places if place > (cuts[-1] if cuts else 0)]
        if not free:
            return None
        cuts.append(min(free, key=lambda place: abs(reached[place] - whole * n / count) + FRAME * apart[place]))
    return _cut(picture, boxes, cuts)


def tallest(picture: Diagram) -> float:
    """About how tall the tallest part of a picture is that cannot be cut, in points."""
    boxes = list(picture.root.boxes())
    heights = _heights(picture.root)
    order = {box.id: i for i, box in enumerate(boxes)}
    before: dict[int, list[int]] = {}
    for edge in picture.edges:
        first, last = sorted((order[edge.source], order[edge.target]))
        before.setdefault(last, []).append(first)
    below: list[float] = []
    for i, box in enumerate(boxes):
        below.append(heights[box.id] + max((below[j] for j in before.get(i, [])), default=0.0))
    ends = [0, *_bridges(picture, boxes), len(boxes)]
    reached = [0.0, *(max(below[:end]) for end in ends[1:])]
    return max(b - a for a, b in pairwise(reached))


def _heights(group: Group) -> dict[str, float]:
    """What each box adds to the height of a chain, with the frames that begin at it."""
    out: dict[str, float] = {}
    for child in group.children:
        if isinstance(child, Box):
            out[child.id] = len(child.lines) * LINE + GAP
        elif inner := _heights(child):
            inner[next(iter(inner))] += FRAME
            out |= inner
    return out


def _bridges(picture: Diagram, boxes: list[Box]) -> list[int]:
    """Numbers of boxes before which the picture may be cut: one edge goes on, and no repeat is taken apart."""
    order = {box.id: i for i, box in enumerate(boxes)}
    crossing = [0] * (len(boxes) + 1)
    for edge in picture.edges:
        first, last = sorted((order[edge.source], order[edge.target]))
        for place in range(first + 1, last + 1):
            crossing[place] += 1
    within = {
        order[box.id]
        for group in picture.root.groups()
        if _COUNTED.search(group.label)
        for box in list(group.boxes())[1:]
    }
    return [place for place in range(1, len(boxes)) if crossing[place] == 1 and place not in within]


def _taken_apart(root: Group, boxes: list[Box]) -> list[int]:
    """How many groups would begin above each box and go on below."""
    order = {box.id: i for i, box in enumerate(boxes)}
    out = [0] * len(boxes)
    for group in root.groups():
        for box in list(group.boxes())[1:]:
            out[order[box.id]] += 1
    return out


def _cut(picture: Diagram, boxes: list[Box], cuts: list[int]) -> Diagram:
    order = {box.id: i for i, box in enumerate(boxes)}
    ends = [0, *cuts, len(boxes)]
    seen: set[str] = set()
    root = Group("", picture.root.label)
    for number, (start, end) in enumerate(pairwise(ends)):
        if number:
            root.children.append(_joint(number, "begin"))
        part = _part(picture.root, {box.id for box in boxes[start:end]}, seen)
        root.children += part.children
        if end < len(boxes):
            root.children.append(_joint(number + 1, "end"))
    edges = []
    for edge in picture.edges:
        number = next((n for n, cut in enumerate(cuts, 1) if order[edge.source] < cut <= order[edge.target]), 0)
        if not number:
            edges.append(edge)
            continue
        edges.append(Edge(edge.source, _joint(number, "end").id, edge.labels, is_skip=False))
        edges.append(Edge(_joint(number, "begin").id, edge.target, edge.labels, is_skip=False))
    return replace(picture, root=root, edges=tuple(edges))


def _joint(number: int, which: str) -> Box:
    return Box(f"joint {number} {which}", [str(number)], "joint")


def _part(group: Group, wanted: Collection[str], seen: set[str]) -> Group:
    """The group with some of its boxes; one that was begun in an earlier column says so."""
    continued = ", continued" if group.id in seen else ""
    out = Group(group.id, f"{group.label}{continued}")
    for child in group.children:
        if isinstance(child, Box):
            out.children += [child] if child.id in wanted else []
        elif (part := _part(child, wanted, seen)).children:
            out.children.append(part)
    if out.children and group.id:
        seen.add(group.id)
    return out
