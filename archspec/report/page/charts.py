"""Small charts as SVG in a page: what every node has, in the order of the network, the roofline, and ranks.

Charts have no styles of their own, which the page's policy forbids: colours are those of ``page.css``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from math import ceil, floor, log10
from typing import NamedTuple

from archspec.report.axes import ticks
from archspec.report.format import quantity

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 150, 72, 8, 8, 22
"""Units of a chart, and of its margins for what is written beside the axes."""
LETTER = 6.5
"""Units that a letter takes."""

Values = Sequence[float | None]
Write = Callable[[int | None], str]


@dataclass(frozen=True)
class Axis:
    """Positions of all nodes of a network along its depth, and where its outermost blocks begin."""

    count: int
    blocks: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Axis:
        """The axis of nodes that are called so."""
        blocks, at = [], 0
        for name, group in groupby(names, lambda name: name.partition(".")[0]):
            size = len(list(group))
            blocks.append((name, at, at + size))
            at += size
        return cls(len(names), tuple(blocks))

    def x(self, position: float) -> float:
        """Where a node's place begins."""
        return LEFT + position / max(1, self.count) * (WIDTH - LEFT - RIGHT)

    def drawn(self) -> Iterator[str]:
        """Every second block shaded, and as many names as there is room for."""
        free = 0.0
        for i, (name, first, last) in enumerate(self.blocks):
            left, right = self.x(first), self.x(last)
            if i % 2:
                yield f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{_depth()}"/>'
            half = LETTER * len(name) / 2
            middle = min((left + right) / 2, WIDTH - half)
            if middle - half >= free and last - first > self.count / 30:
                free = middle + half + LETTER
                yield f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>'


def bars(title: str, values: Values, axis: Axis, write: Write, *, unit: float = 1.0) -> str:
    """A bar for every node; ``unit`` is what round numbers of the scale are of."""
    path = []
    thick = max(0.7, (axis.x(1) - axis.x(0)) * 0.85)
    top = max((v for v in values if v), default=0)
    if not top:
        return ""
    y, scale = _scale(top, write, unit)
    for i, value in enumerate(values):
        if value:
            path.append(f"M{axis.x(i):.1f} {_base()}V{y(value):.1f}h{thick:.1f}V{_base()}z")
    return _figure(title, [*axis.drawn(), *scale, f'<path class="bar" d="{"".join(path)}"/>'], axis)


def steps(title: str, values: Values, axis: Axis, write: Write) -> str:
    """A line from node to node, broken where there is no value."""
    top = max((v for v in values if v), default=0)
    if not top:
        return ""
    y, scale = _scale(top, write, 1.0)
    path, is_open = [], False
    for i, value in enumerate(values):
        if value is not None:
            path.append(f"{'L' if is_open else 'M'}{axis.x(i):.1f} {y(value):.1f}H{axis.x(i + 1):.1f}")
        is_open = value is not None
    return _figure(title, [*axis.drawn(), *scale, f'<path class="line" d="{"".join(path)}"/>'], axis)


class Point(NamedTuple):
    """A node below the roof: FLOPs a byte, its share of the time, and its position among the nodes."""

    intensity: float
    share: float
    position: int
    name: str


def roofline(title: str, points: Sequence[Point], peak: float, bandwidth: float) -> str:
    """FLOPs a second that the machine allows at most, over FLOPs a byte. A circle for each node, on the roof that
    limits it, as large as its share of the time."""
    points = [point for point in points if point.intensity > 0]
    if not points:
        return ""
    ridge, tall, bottom = peak / bandwidth, 240, 40
    low = floor(log10(min(ridge / 10, *(p.intensity for p in points))))
    high = ceil(log10(max(ridge * 10, *(p.intensity for p in points))))

    def roof(intensity: float) -> float:
        return min(peak, intensity * bandwidth)

    least, most = log10(roof(10.0**low)), log10(peak) + 0.3

    def x(intensity: float) -> float:
        return LEFT + (log10(intensity) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(flops: float) -> float:
        return TOP + (most - log10(flops)) / (most - least) * (tall - TOP - bottom)

    out = []
    for power in range(low, high + 1):
        at = x(10.0**power)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{tall - bottom}"/>')
        out.append(f'<text x="{at:.1f}" y="{tall - bottom + 14}" text-anchor="middle">{10.0**power:g}</text>')
    for power in range(ceil(least), floor(most) + 1):
        at = y(10.0**power)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{quantity(10**power)}FLOP/s</text>')
    out.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{tall - 6}" text-anchor="middle">FLOPs for each byte</text>')
    left, right = x(10.0**low), x(10.0**high)
    corner = f"{x(ridge):.1f} {y(peak):.1f}"
    out.append(f'<path class="line" d="M{left:.1f} {y(roof(10.0**low)):.1f}L{corner}H{right:.1f}"/>')
    for point in sorted(points, key=lambda point: -point.share):
        where = (
            f'cx="{x(point.intensity):.1f}" cy="{y(roof(point.intensity)):.1f}" r="{1.5 + 22 * point.share**0.5:.1f}"'
        )
        told = f"<title>{escape(point.name)}: {100 * point.share:.1f} % of the time</title>"
        out.append(f'<circle class="point" data-node="{point.position}" {where}>{told}</circle>')
    return _figure(title, out, None, tall)


def ranks(title: str, names: Sequence[str], values: Values, write: Write) -> str:
    """A bar to the right for every network."""
    top, line = max((v for v in values if v), default=0), 22
    if not top:
        return ""
    left = 12 + LETTER * min(28, max(map(len, names)))
    room = WIDTH - left - 90
    out = []
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        at, long = i * line, room * (value or 0) / top
        said = name if len(name) <= 28 else f"{name[:27]}…"
        out.append(f'<text x="{left - 8:.1f}" y="{at + 15}" text-anchor="end">{escape(said)}</text>')
        out.append(f'<rect class="bar" x="{left:.1f}" y="{at + 4}" width="{long:.1f}" height="{line - 8}"/>')
        text = write(None if value is None else int(value))
        out.append(f'<text x="{left + long + 6:.1f}" y="{at + 15}">{escape(text)}</text>')
    return _figure(title, out, None, line * len(names) + 4)


def _base() -> int:
    return HEIGHT - BOTTOM


def _depth() -> int:
    return HEIGHT - BOTTOM - TOP


def _scale(top: float, write: Write, unit: float) -> tuple[Callable[[float], float], list[str]]:
    """Where a value lies, and lines at round numbers with what they are."""
    marks = [mark * unit for mark in ticks(0, top / unit, 3)]
    high = max(marks[-1], top)

    def y(value: float) -> float:
        return _base() - value / high * _depth()

    out = []
    for mark in marks:
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{escape(write(round(mark)))}</text>')
    return y, out


def _figure(title: str, parts: Sequence[str], axis: Axis | None, height: int = HEIGHT) -> str:
    """A chart along the depth carries what the script needs to tell which node is below the pointer."""
    depth = ""
    if axis is not None:
        depth = f' data-depth="{axis.count}" data-left="{LEFT}" data-right="{WIDTH - RIGHT}"'
        width = max(1.0, axis.x(1) - axis.x(0))
        mark = f'<rect class="mark" x="-99" y="{TOP}" width="{width:.1f}" height="{_depth()}"/>'
        parts = [*parts, mark]
    drawn = "".join(parts)
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg class="chart" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}"{depth}>{drawn}</svg></figure>'
    )
