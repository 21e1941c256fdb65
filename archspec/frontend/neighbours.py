"""Which input sizes work, found by elaborating at the sizes around one that does not."""

from __future__ import annotations

from dataclasses import replace

from archspec.frontend.arguments import Arguments
from archspec.frontend.assemble import assemble
from archspec.frontend.document import Document
from archspec.frontend.files import Library
from archspec.ir.diagnostics import SpecError

REACH = 64
"""How far to look in either direction."""
LAYERS = 2_000
"""Networks of more layers are not tried: each try must take milliseconds."""


def with_sizes(error: SpecError, found: Document, library: Library, variant: str | None, args: Arguments) -> SpecError:
    """The error with a help that names the nearest sizes that work, where an input is an image of equal sides."""
    size = _Side.of(found, variant, args)
    if size is None or any(d.help for d in error.diagnostics[:1]):
        return error
    works: dict[int, bool] = {size.value: False}

    def fits(n: int) -> bool:
        if n not in works:
            try:
                assemble(found, library, variant=variant, args=size.args(n), shapes=size.shapes(n), max_layers=LAYERS)
                works[n] = True
            except SpecError:
                works[n] = False
        return works[n]

    low = next((n for n in range(size.value - 1, max(0, size.value - REACH - 1), -1) if fits(n)), None)
    high = next((n for n in range(size.value + 1, size.value + REACH + 1) if fits(n)), None)
    near = [str(n) for n in (low, high) if n is not None]
    if not near:
        return error
    help = (
        f"nearest sizes that work are {' and '.join(near)}"
        if len(near) > 1
        else f"the nearest size that works is {near[0]}"
    )
    if low is not None and high is not None:
        step = high - low
        multiple = (
            low % step == 0 and step > 1 and all(fits(n) == (n % step == 0) for n in (high + step, high + step - 1))
        )
        if multiple:
            help = (
                f"with this architecture the input side must be a multiple of {step}: "
                f"nearest sizes are {low} and {high}"
            )
    first, *rest = error.diagnostics
    return SpecError([replace(first, help=help), *rest])


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
        from archspec.ir.diagnostics import Source, Span

        return {**self._given, self._parameter: (side, span or Span(Source("size", ""), 1, 1))}

    def shapes(self, side: int) -> dict[str, tuple[int | None, ...]]:
        if self._parameter is not None:
            return {}
        return {self._name: (*(side,) * (len(self._shape) - 1), self._shape[-1])}
