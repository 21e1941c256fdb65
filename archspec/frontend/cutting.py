"""Taking an entry out of a text: a key with its value or an item of a list, with the comma or the lines that it has."""

from __future__ import annotations

from archspec.frontend.layout import Place, Written, tree


def without(text: str, at: Place, kind: str) -> str | None:
    """The text without the entry of a ``map`` whose key begins at a place, or the item of a ``list`` that begins there
    or is a map with a key there; None where there is none, or it is the only one.

    An entry of a block goes with all its lines, and with comments on them or below, further in; one within braces or
    brackets goes with the comma beside it, and where it fills its lines with comments on them. Other comments stay.
    """
    found = _entry(tree(text), at, kind)
    if found is None:
        return None
    entry, container = found
    entries = _entries(container)
    if len(entries) == 1:
        return None
    lines, index = text.split("\n"), entries.index(entry)
    if container.is_flow:
        return _out_of_brackets(lines, entries, index)
    (first, start), (last, end) = entry
    if lines[first][:start].strip(" -") or not _is_alone(lines, entry, container):
        return None
    behind = entries[index + 1][0][0] if index + 1 < len(entries) else last + (end > 0)
    return "\n".join([*lines[:first], *lines[_end_of(lines, first, max(behind, first + 1)) :]])


def _end_of(lines: list[str], first: int, behind: int) -> int:
    """The line before ``behind`` where what belongs to an entry ends: comments below it that are no further in than the
    entry are about what follows."""
    column, end = _column(lines[first]), behind
    while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    about = (n for n in range(end, behind) if lines[n].strip() and _column(lines[n]) <= column)
    found = next(about, behind)
    while found < behind and found > end and not lines[found - 1].strip():
        found -= 1
    return found


def _column(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _out_of_brackets(lines: list[str], entries: list[Entry], index: int) -> str:
    """The lines without one of the entries that stand in braces or brackets. A comma may be left before the end."""
    (first, start), (last, end) = entries[index]
    gap = _column(lines[last][end:])
    if index + 1 < len(entries) and entries[index + 1][0][0] == last:
        end = entries[index + 1][0][1]
    elif lines[last][end + gap :].startswith(","):
        end += gap + 1
    elif index and entries[index - 1][1][0] == first:
        start = entries[index - 1][1][1]
    before, after = lines[first][:start], lines[last][end:]
    is_empty = not before.strip() and after.lstrip()[:1] in ("", "#")
    return "\n".join([*lines[:first], *([] if is_empty else [before + after]), *lines[last + 1 :]])


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
