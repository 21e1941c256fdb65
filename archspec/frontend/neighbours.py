"""Which input sizes work, found by elaborating at the sizes around one that does not.

The search is bounded by the work that it does, whatever the network and the machine: it says what it has found by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from archspec.frontend.arguments import Arguments
from archspec.frontend.assemble import elaborated
from archspec.frontend.document import Document
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.files import Library
from archspec.frontend.walk import Failed
from archspec.ir.diagnostics import Diagnostic, Source, Span
from archspec.ir.graph import Graph

REACH = 64
"""How far to look in either direction; never below half of the size that was given."""
WORK = 1_500
"""Steps and layers that are elaborated in all: about a tenth of a second."""


def size_hints(
    problems: Sequence[Diagnostic], found: Document, library: Library, variant: str | None, args: Arguments
) -> list[Diagnostic]:
    """The mistakes with a help for the first that names the nearest sizes that work, where an input is an image of
    equal sides and another size is all that is needed."""
    first, *rest = problems
    side = _Side.of(found, variant, args)
    if side is None or (first.help and not _SIZES.search(first.message)):
        return [*problems]
    search = _Search(found, library, variant, side, first)
    try:
        for n in _outwards(side.value):
            if (n < side.value and search.low is None) or (n > side.value and search.high is None):
                search.fits(n)
    except _Spent:
        pass
    help = search.said()
    return [replace(first, help=help), *rest] if help else [*problems]


_SIZES = re.compile(r"^cannot |window of")
"""What is said of a size, which may be mended where the sizes begin."""


def _outwards(size: int) -> Iterator[int]:
    for distance in range(1, REACH + 1):
        if 2 * (size - distance) >= size:
            yield size - distance
        yield size + distance


class _Spent(Exception):
    """The work that a search may do is done."""


class _Search:
    """What is known of the sizes around one that does not work: the nearest below and above that do."""

    def __init__(self, found: Document, library: Library, variant: str | None, side: _Side, mistake: Diagnostic):
        self._found, self._library, self._variant, self._side = found, library, variant, side
        self._mistake, self._left = mistake, WORK
        self.low: int | None = None
        self.high: int | None = None

    def fits(self, n: int) -> bool:
        """Whether the network can be made at a size. Raises _Spent."""
        walk = Elaborator(self._library, max_layers=self._left, max_steps=self._left, fails_fast=True)
        graph: Graph | None = None
        with suppress(Failed):
            graph = elaborated(
                walk, self._found, variant=self._variant, args=self._side.args(n), shapes=self._side.shapes(n)
            )
        self._left -= walk.steps + len(walk.nodes)
        if graph is None and self._left <= 0:
            raise _Spent
        fits = graph is not None and not self._by_accident(graph)
        if fits and n < self._side.value:
            self.low = max(n, self.low or n)
        elif fits:
            self.high = min(n, self.high or n)
        return fits

    def _by_accident(self, graph: Graph) -> bool:
        """Whether what did not meet before meets now only because a side has shrunk to 1, which fits any."""
        at = self._mistake.span.order
        merges = [node for node in graph.nodes if node.span.order == at and getattr(node.op, "is_merge", False)]
        return any(len({spec.spatial for spec in node.input_specs}) > 1 for node in merges)

    def said(self) -> str | None:
        """What a person is told."""
        low, high, own = self.low, self.high, self._mistake.help
        if low is None or high is None:
            near = high if low is None else low
            if near is None:
                return own
            return (
                f"{own}; else the nearest size that works is {near}"
                if own
                else f"the nearest size that works is {near}"
            )
        step = high - low
        try:
            is_multiple = step > 1 and low % step == 0 and self.fits(high + step) and not self.fits(high + step - 1)
        except _Spent:
            is_multiple = False
        if is_multiple:
            rule = f"with this architecture the input side must be a multiple of {step}"
            return f"{rule}: nearest sizes are {low} and {high}"
        sizes = f"nearest sizes that work are {low} and {high}"
        return f"{own}; else the {sizes}" if own else sizes


class _Side:
    """The side of the one square image input, and how to give it another value: by its parameter, or by its shape."""

    def __init__(self, value: int, parameter: str | None, name: str, shape: tuple[int | None, ...], given: Arguments):
        self.value, self._parameter, self._name, self._shape, self._given = value, parameter, name, shape, given

    @classmethod
    def of(cls, found: Document, variant: str | None, args: Arguments) -> _Side | None:
        inputs = found.spec.inputs or {}
        if len(inputs) != 1:
            return None
        ((name, raw),) = inputs.items()
        if not isinstance(raw, list) or len(raw) < 2:
            return None
        sides = raw[:-1]
        if any(s != sides[0] for s in sides):
            return None
        side = sides[0]
        if isinstance(side, int):
            return cls(side, None, name, tuple(raw), args) if all(isinstance(n, int) for n in raw) else None
        parameter = str(side)[1:].strip()
        section = found.spec.variants.get(variant or "", {})
        declared = found.spec.params or {}
        value = args[parameter][0] if parameter in args else section.get(parameter, declared.get(parameter))
        return cls(value, parameter, name, (), args) if type(value) is int else None

    def args(self, side: int) -> Arguments:
        if self._parameter is None:
            return self._given
        span = (
            self._given[self._parameter][1]
            if self._parameter in self._given
            else next((s for _, s in self._given.values()), None)
        )
        return {**self._given, self._parameter: (side, span or Span(Source("size", ""), 1, 1))}

    def shapes(self, side: int) -> dict[str, tuple[int | None, ...]]:
        if self._parameter is not None:
            return {}
        return {self._name: (*(side,) * (len(self._shape) - 1), self._shape[-1])}
