"""Blocks of a graph, read from the dotted names of its nodes: ``c.3.0.conv`` stands in ``c``, ``c.3`` and ``c.3.0``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Block:
    """A run of neighbours with a common path. ``children`` are blocks and positions in the list of names, in order."""

    path: str
    label: str
    children: list[Block | int] = field(default_factory=list)

    def positions(self) -> list[int]:
        """Positions of all names inside, in order."""
        out: list[int] = []
        for child in self.children:
            if isinstance(child, int):
                out.append(child)
            else:
                out += child.positions()
        return out


def tree(names: Sequence[str]) -> Block:
    """The blocks of ``names``, in their order. A block with a single child gives way to it, under both labels.

    A path that is left and entered again makes two blocks: the order of the nodes is kept, not gathered.
    """
    root = Block("", "")
    open_blocks = [root]
    for position, name in enumerate(names):
        parts = name.split(".")[:-1]
        shared = 1
        while shared < len(open_blocks) and shared <= len(parts) and open_blocks[shared].label == parts[shared - 1]:
            shared += 1
        del open_blocks[shared:]
        for level in range(shared - 1, len(parts)):
            block = Block(".".join(parts[: level + 1]), parts[level])
            open_blocks[-1].children.append(block)
            open_blocks.append(block)
        open_blocks[-1].children.append(position)
    _join_single_children(root)
    return root


def _join_single_children(block: Block) -> None:
    for i, child in enumerate(block.children):
        while isinstance(child, Block) and len(child.children) == 1:
            (only,) = child.children
            if isinstance(only, Block):
                only.label = f"{child.label}.{only.label}"
            child = only
        block.children[i] = child
        if isinstance(child, Block):
            _join_single_children(child)


def folded(names: Sequence[str], depth: int) -> dict[str, list[int]]:
    """Names cut to ``depth`` parts → positions of the names that fall together, in order of the first.

    A name that falls together with no other is kept whole.
    """
    groups: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        groups.setdefault(".".join(name.split(".", depth)[:depth]), []).append(position)
    return {(names[p[0]] if len(p) == 1 else path): p for path, p in groups.items()}


def readable_depth(names: Sequence[str], lines: int) -> int | None:
    """The greatest depth at which names and blocks take at most ``lines`` lines; None if all do, 1 if no depth does."""

    def fits(names: Sequence[str]) -> bool:
        return len(names) <= lines and len(names) + _count(tree(names)) <= lines

    if fits(names):
        return None
    depth = 1
    while fits(list(folded(names, depth + 1))):
        depth += 1
    return depth


def _count(block: Block) -> int:
    """Blocks below."""
    return sum(1 + _count(child) for child in block.children if isinstance(child, Block))
