"""Members of a family as points over two figures: a picture of its own, to be put in a page or a paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from archspec.report.axes import ticks
from archspec.report.columns import Column
from archspec.report.format import exact, quantity

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 480, 84, 40, 20, 56
"""Units of the picture, and of its margins for what is written beside the axes."""
LETTER = 6.2
"""Units that a letter of a label takes."""
STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#222;paint-order:stroke;stroke:#fff;stroke-width:3px}"
    ".grid{stroke:#ddd}.other{fill:#9aa4b2;fill-opacity:.6}.front{fill:#c2410c}.line{fill:none;stroke:#c2410c;stroke-width:1.5;stroke-opacity:.5}"
)


class Marker(NamedTuple):
    """A member and its two figures."""

    name: str
    x: float
    y: float
    is_kept: bool


def scatter(points: Sequence[Marker], x: Column, y: Column) -> str:
    """An SVG document: members that are kept in colour, joined by a line and named where there is room; each says its
    name and figures to whoever points at it. Axes are linear and hold round numbers."""
    across = _Scale.of([point.x for point in points], LEFT, WIDTH - RIGHT)
    upwards = _Scale.of([point.y for point in points], HEIGHT - BOTTOM, TOP)
    out = []
    for mark in across.marks:
        at = across.at(mark)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(_text(at, HEIGHT - BOTTOM + 18, _mark(x, mark), "middle"))
    for mark in upwards.marks:
        at = upwards.at(mark)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(_text(LEFT - 8, at + 4, _mark(y, mark), "end"))
    out.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x.header, "middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out.append(_text(16, middle, y.header, "middle", f' transform="rotate(-90 16 {middle})"'))
    kept = sorted((point for point in points if point.is_kept), key=lambda point: (point.x, point.y))
    if len(kept) > 1:
        joined = "L".join(f"{across.at(point.x):.1f} {upwards.at(point.y):.1f}" for point in kept)
        out.append(f'<path class="line" d="M{joined}"/>')
    for point in sorted(points, key=lambda point: point.is_kept):
        told = f"<title>{escape(point.name)}: {x.write(_whole(point.x))}, {y.write(_whole(point.y))}</title>"
        place = f'cx="{across.at(point.x):.1f}" cy="{upwards.at(point.y):.1f}"'
        out.append(f'<circle class="{"front" if point.is_kept else "other"}" {place} r="4">{told}</circle>')
    out += _labels(kept, across, upwards)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{"".join(out)}</svg>'
    )


class _Scale(NamedTuple):
    """Round numbers of an axis, and where they lie."""

    marks: list[float]
    first: float
    last: float

    @classmethod
    def of(cls, values: Sequence[float], first: float, last: float) -> _Scale:
        return cls(ticks(min(values, default=0), max(values, default=1)), first, last)

    def at(self, value: float) -> float:
        low, high = self.marks[0], self.marks[-1]
        return self.first + (value - low) / (high - low) * (self.last - self.first)


def _labels(points: Sequence[Marker], across: _Scale, upwards: _Scale) -> list[str]:
    """Names beside their points, but for those that would cover another."""
    out: list[str] = []
    taken: list[tuple[float, float, float, float]] = []
    for point in points:
        wide, at, base = LETTER * len(point.name), across.at(point.x), upwards.at(point.y)
        is_right = at + 8 + wide < WIDTH - RIGHT
        left = at + 8 if is_right else at - 8 - wide
        box = (left, base - 14, left + wide, base + 2)
        if left > LEFT and all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in taken):
            taken.append(box)
            out.append(_text(at + 8 if is_right else at - 8, base - 4, point.name, "start" if is_right else "end"))
    return out


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _mark(column: Column, value: float) -> str:
    """What stands beside an axis: a count is shortened there, which a table writes out."""
    return quantity(int(value)) if column.write is exact and value >= 1e5 else column.write(_whole(value))


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value
