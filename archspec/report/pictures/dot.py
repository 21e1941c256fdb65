"""Graphviz's language."""

from __future__ import annotations

from collections import Counter

from archspec.report.picture import Box, Diagram, Group

SHAPES = {"op": "box", "block": "box3d", "input": "oval", "output": "oval", "joint": "circle"}


def render(picture: Diagram) -> str:
    """``digraph { … }``: blocks as clusters, the chain held straight by weights."""
    lines = [
        f"digraph {_quoted(picture.title)} {{",
        '  graph [fontname="Helvetica", fontsize=12, labeljust=l, nodesep=0.25, ranksep=0.2, pad=0.2, bgcolor=white]',
        '  node [fontname="Helvetica", fontsize=11, style=filled, color="#555555", margin="0.2,0.06"]',
        '  edge [fontname="Helvetica", fontsize=9, color="#555555", fontcolor="#333333", arrowsize=0.6]',
        f"  label={_quoted(f'{picture.title}: colour by share of {picture.colored_by}')}",
    ]
    _write(picture.root, lines, "  ", [0])
    leaving, entering = Counter(e.source for e in picture.edges), Counter(e.target for e in picture.edges)
    for edge in picture.edges:
        # Where a path parts or meets, all ways weigh the same, or the heaviest would pull the picture aside.
        weight = 8 if leaving[edge.source] == entering[edge.target] == 1 else 1 if edge.is_skip else 2
        ends = f"{_quoted(edge.source)} -> {_quoted(edge.target)}"
        text = r"\n".join(f"  {_escaped(label)} " for label in edge.labels)
        lines.append(f'  {ends} [label="{text}", weight={weight}]')
    return "\n".join([*lines, "}"])


def _write(group: Group, lines: list[str], indent: str, count: list[int]) -> None:
    for child in group.children:
        if isinstance(child, Box):
            text = r"\n".join(_escaped(line) for line in child.lines)
            shape, fill = SHAPES[child.kind], color(child)
            lines.append(f'{indent}{_quoted(child.id)} [label="{text}", shape={shape}, fillcolor="{fill}"]')
            continue
        count[0] += 1
        lines.append(f"{indent}subgraph cluster_{count[0]} {{")
        lines.append(f'{indent}  label={_quoted(child.label)}; style="rounded"; color="#999999"')
        _write(child, lines, indent + "  ", count)
        lines.append(f"{indent}}}")


def color(box: Box) -> str:
    """White to orange; the square root keeps small shares apart."""
    part = box.heat**0.5
    return f"#{255:02x}{round(255 - 105 * part):02x}{round(255 - 205 * part):02x}"


def _escaped(text: str) -> str:
    # Graphviz reads entities of HTML in every text.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("&", "&amp;")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'
