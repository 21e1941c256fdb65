"""Mermaid, which GitHub and many wikis draw."""

from __future__ import annotations

from archspec.report.picture import Box, Diagram, Group
from archspec.report.pictures.dot import color


def render(picture: Diagram) -> str:
    """``flowchart TD``: blocks as subgraphs."""
    lines = ["flowchart TD"]
    ids: dict[str, str] = {}
    _write(picture.root, lines, "  ", ids, [0])
    for edge in picture.edges:
        lines.append(f'  {ids[edge.source]} -->|"{_escaped(edge.label)}"| {ids[edge.target]}')
    lines += [f"  style {ids[box.id]} fill:{color(box)},stroke:#555,color:#000" for box in picture.root.boxes()]
    return "\n".join(lines)


def _write(group: Group, lines: list[str], indent: str, ids: dict[str, str], count: list[int]) -> None:
    for child in group.children:
        if isinstance(child, Box):
            ids[child.id] = f"n{len(ids)}"
            text = "<br/>".join(_escaped(line) for line in child.lines)
            left, right = ("[[", "]]") if child.kind == "block" else ("[", "]") if child.kind == "op" else ("([", "])")
            lines.append(f'{indent}{ids[child.id]}{left}"{text}"{right}')
            continue
        count[0] += 1
        lines.append(f'{indent}subgraph g{count[0]}["{_escaped(child.label)}"]')
        _write(child, lines, indent + "  ", ids, count)
        lines.append(f"{indent}end")


def _escaped(text: str) -> str:
    """Mermaid's entities by number for what its grammar or HTML would read."""
    return "".join(f"#{ord(c)};" if c in "#&<>\"'`|\\\n;" else c for c in text)
