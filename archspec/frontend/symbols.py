"""Names of a spec's text: where each is given and where it is used, for editors: go-to-definition, rename, hover.

Names are resolved by the text alone, so that a spec with mistakes has symbols, too. What a name comes to (shapes,
costs) is looked up among the nodes that an analysis could make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.ir.cost import Cost
from archspec.ir.diagnostics import Span
from archspec.ir.graph import Node
from archspec.ir.tensors import TensorSpec


@dataclass(slots=True)
class Symbol:
    """One name: ``kind`` is parameter, variable (of a loop), input, step, block, network or file (of ``use``).

    ``definition`` is where it is given (of a step whose name is given several times, by index, the first), and
    ``references`` are all other places, in the order of the text. ``nodes`` are those that the steps of that name made.
    """

    name: str
    kind: str
    definition: Span
    references: list[Span] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    spec: TensorSpec | None = None
    """What it is a tensor of: of a step, its last node's output; of an input, its own."""
    takes: tuple[str, ...] = ()
    """Of a block or network, the names of its parameters."""
    is_shared: bool = False
    """True where calls that this text does not tell apart go by the name, too: those of a block that is an argument."""

    @property
    def places(self) -> tuple[Span, ...]:
        """The definition and the references."""
        return (self.definition, *self.references)

    @property
    def cost(self) -> tuple[Cost, ...]:
        """What each of its nodes costs."""
        return tuple(node.cost() for node in self.nodes)


class Symbols(Sequence[Symbol]):
    """All names of a text, by where they are given."""

    def __init__(self, symbols: Iterable[Symbol] = (), nodes: Iterable[Node] = ()):
        self._all = sorted(symbols, key=lambda s: (s.definition.line, s.definition.column))
        self._nodes = list(nodes)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: Any) -> Any:
        return self._all[index]

    def at(self, line: int, column: int) -> Symbol | None:
        """The symbol whose name stands at a place (1-based), given or used there."""
        return next((s for s in self._all for span in s.places if _covers(span, line, column)), None)

    def nodes_at(self, line: int, column: int) -> list[Node]:
        """The nodes that the step whose op is written at a place made, as far as they could be made."""
        return [node for node in self._nodes if _covers(node.span, line, column)]

    def rename(self, symbol: Symbol, name: str) -> str:
        """The text with another name in all places of a symbol. Raises ValueError for one that is shared."""
        refuse_shared(symbol)
        lines = symbol.definition.source.text.split("\n")
        for span in sorted(symbol.places, key=lambda s: (s.line, -s.column)):
            text = lines[span.line - 1]
            lines[span.line - 1] = text[: span.column - 1] + name + text[span.column - 1 + span.length :]
        return "\n".join(lines)


def refuse_shared(symbol: Symbol) -> None:
    """Raises ValueError for a symbol whose name cannot be another in its file alone."""
    if symbol.is_shared:
        raise ValueError(f"'{symbol.name}' is of a block that is an argument: calls elsewhere go by the name")


def _covers(span: Span | None, line: int, column: int) -> bool:
    return span is not None and span.line == line and span.column <= column < span.column + span.length
