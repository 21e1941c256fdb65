"""Taking an entry out of a text: a key with its value or an item of a list, with the comma or the lines that it has."""

from __future__ import annotations

from archspec.frontend.layout import Place, Written, tree


def without(text: str, at: Place, kind: str) -> str | None:
    """The text without the entry of a ``map`` whose key begins at a place, or the item of a ``list`` that begins there
    or is a map with a key there; None where there is none, or it is the only one.

    An entry of a block goes with all its lines, and with comments on them; one within braces or brackets goes with the
    comma beside it.
    """
    found = _entry(tree(text), at, kind)
    if found is None:
        return None
    entry, container = found
    entries = _entries(container)
    if len(entries) == 1:
        return None
    lines = text.split("\n")
    index = entries.index(entry)
    (first, start), (last, end) = entry
    if container.is_flow:
        if index + 1 < len(entries):
            (last, end), _ = entries[index + 1]
        else:
            _, (first, start) = entries[index - 1]
        return "\n".join([*lines[:first], lines[first][:start] + lines[last][end:], *lines[last + 1 :]])
    if lines[first][:start].strip(" -"):
        return None
    behind = entries[index + 1][0][0] if index + 1 < len(entries) else last + (end > 0)
    return "\n".join([*lines[:first], *lines[max(behind, first + 1) :]]) if _is_alone(lines, entry, container) else None


Entry = tuple[Place, Place]
"""From where to where."""


def _entries(container: Written) -> list[Entry]:
    if container.kind == "map":
        return [(key.start, max(key.end, value.end)) for key, value in container.pairs()]
    return [(item.start, item.end) for item in container.children]


def _entry(root: Written, at: Place, kind: str) -> tuple[Entry, Written] | None:
    """The entry that is meant by a place, and what it is one of."""
    for node in root.within():
        if node.kind != kind:
            continue
        for entry, first in zip(_entries(node), node.children[:: 2 if kind == "map" else 1], strict=True):
            keys = [key.start for key, _ in first.pairs()] if first.kind == "map" else []
            if at == entry[0] or at in keys:
                return entry, node
    return None


def _is_alone(lines: list[str], entry: Entry, container: Written) -> bool:
    """Whether nothing but an entry stands on its first line: of a list its dash, of a map nothing."""
    (line, column), _ = entry
    before = lines[line][:column]
    return before.count("-") == 1 if container.kind == "list" else not before.strip()
