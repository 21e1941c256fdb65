"""What a term computes of results where it names them: ``{mae: [{subtract: [real, fake]}, 0]}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from archspec.frontend.elaborate import Elaborator
from archspec.frontend.walk import Place
from archspec.frontend.yaml_source import Map, Seq

BESIDE = ("weight", "when", "where", "per")
"""Keys of a term that are neither its loss nor arguments of it."""


def computed(inner: Elaborator, terms: Iterable[Any], end: Place) -> dict[int, tuple[str, Any]]:
    """The steps, or chains, that stand as operands of terms, each done behind the body, by the identity of what is
    written: the result's name, and the result. They see what the body's steps see, and each other by ``as``."""
    found: dict[int, tuple[str, Any]] = {}
    names = set[str]()
    for chain, operand in _written(terms):
        place = Place(end.scope, end.prev, end.names)
        inner.chain(chain, place)
        name = called = _name(chain[-1])
        count = 1
        while name in names:
            count += 1
            name = f"{called}_{count}"
        names.add(name)
        found[id(operand)] = (name, place.prev)
    return found


def _written(terms: Iterable[Any]) -> Iterator[tuple[Seq, Any]]:
    """Each operand that is no word and no number, as a chain."""
    for term in terms:
        for key, operands in term.items() if isinstance(term, Map) else ():
            if key in BESIDE or not isinstance(operands, Seq):
                continue
            for i, operand in enumerate(operands):
                if isinstance(operand, Seq) and operand:
                    yield operand, operand
                elif isinstance(operand, Map) and operand:
                    yield _alone(operands, i), operand


def _alone(operands: Seq, i: int) -> Seq:
    """One item of a list, in its place."""
    out = Seq(operands.source, operands.value_marks[i])
    out.append(operands[i])
    out.value_marks.append(operands.value_marks[i])
    return out


def _name(step: object) -> str:
    """What a step's result is called: by its ``as``, or its op."""
    if isinstance(step, Map):
        return str(step["as"] if isinstance(step.get("as"), str) else next(iter(step)))
    return str(step)
