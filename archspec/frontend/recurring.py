"""Arguments that recur: what a step's come to follows from its text and from what its expressions read.

A step of a loop, of a block or of a family is executed again and again, mostly with values that it has had. What its
arguments came to is kept with the step, under those values: the op of a node, or the parameters of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archspec.frontend.arguments import meant
from archspec.frontend.arithmetic import ExpressionError
from archspec.frontend.expressions import Reads, depended, reads
from archspec.frontend.parameters import Parameter
from archspec.frontend.refusal import Poisoned
from archspec.frontend.steps import Step
from archspec.frontend.walk import FileContext, Place, Walk
from archspec.frontend.yaml_source import Map, Seq

MOST_VALUES = 256
"""Values under which the arguments of a step are kept; beyond, all are forgotten."""
MOST_CALLED = 8
"""Ops and blocks of which that is so: a parameter may hold what a step calls."""


class Recurring:
    """One execution of a step: ``value`` is what its arguments came to before, None where that is not known."""

    __slots__ = ("_kept", "_key", "_told", "_walk", "value")

    def __init__(self, walk: Walk, place: Place, reads: ArgumentReads | None, file: FileContext):
        self._walk, self._told = walk, walk.told
        self.value: Any = None
        self._key: Any = None
        if reads is not None and (key := reads.key(place, file)) is not None:
            self._key, self._kept = key, reads.kept
            self.value = reads.kept.get(key)

    def keep(self, value: object) -> None:
        """Remember what the arguments came to, if nothing was said of them."""
        if self._key is not None and self._walk.told == self._told:
            if len(self._kept) >= MOST_VALUES:
                self._kept.clear()
            self._kept[self._key] = value


class ArgumentReads:
    """What the arguments of a step read, where it calls one op or block; and what they came to."""

    __slots__ = ("_constants", "_names", "_own", "called", "kept")

    def __init__(self, called: object, names: Reads, constants: Iterable[str], own: Iterable[str]):
        self.called = called
        """The op or block, kept since it is known by its identity."""
        self._names, self._constants, self._own = names, tuple(constants), tuple(own)
        self.kept: dict[Any, Any] = {}

    def key(self, place: Place, file: FileContext) -> Any:
        """The values that are read; None where they are more than numbers, words, lists of them and shapes."""
        scope, prev = place.scope, place.prev
        lookup, constants, own = scope.lookup, scope.frame.constants, file.params
        try:
            return (
                *[depended(lookup(name, prev), words) for name, words in self._names],
                *[depended(constants[name], None) for name in self._constants],
                *[depended(own[name], None) for name in self._own],
            )
        except (ExpressionError, Poisoned, TypeError, KeyError):
            return None


def recurring(
    walk: Walk, step: Step, place: Place, called: object, file: FileContext, declared: Mapping[str, Parameter] | None
) -> Recurring:
    """An execution of a step that calls an op, or a block of ``file`` with parameters that are ``declared``."""
    known = step.reads
    reads = known.get(id(called))
    if reads is None and id(called) not in known:
        if len(known) >= MOST_CALLED:
            known.clear()
        reads = known[id(called)] = _arguments(step, place, called, declared)
    return Recurring(walk, place, reads, file)


def _arguments(step: Step, place: Place, called: Any, declared: Mapping[str, Parameter] | None) -> ArgumentReads | None:
    """What the arguments of a step read; None where one cannot be read, or holds a block."""
    names: dict[str, frozenset[str] | None] = {}
    constants: dict[str, frozenset[str] | None] = {}
    own: dict[str, frozenset[str] | None] = {}
    if any(parameter.type == "block" for parameter in (declared or {}).values()):
        return None
    defaults = place.scope.frame.file.defaults.get(step.op or "")
    try:
        _collect(step.args, names)
        _collect(defaults, constants)
        for parameter in _left_out(step.args, defaults, declared or {}):
            _collect(parameter.default, own)
    except ExpressionError:
        return None
    outside = [name for name in own if name not in (declared or {})]
    return ArgumentReads(called, tuple(names.items()), constants, outside)


def _left_out(args: object, defaults: Map | None, declared: Mapping[str, Parameter]) -> Iterable[Parameter]:
    """The parameters of a block that a step does not give."""
    given = {meant(name, declared) for name in (*(args if type(args) is Map else ()), *(defaults or ()))}
    if args is not None and type(args) is not Map:
        given.add(next(iter(declared), ""))
    return [parameter for name, parameter in declared.items() if name not in given]


def _collect(value: object, into: dict[str, frozenset[str] | None]) -> None:
    """What the expressions of a raw value read. Raises ExpressionError."""
    if type(value) is str:
        if value[:1] == "=":
            for name, words in reads(value[1:].strip()):
                known = into.get(name, frozenset())
                into[name] = None if words is None or known is None else known | words
    elif isinstance(value, Map):
        for item in value.values():
            _collect(item, into)
    elif isinstance(value, Seq):
        for item in value:
            _collect(item, into)
