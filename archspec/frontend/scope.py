"""What a name means where it is written: results, families of results, loop variables, parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archspec.frontend.arithmetic import ExpressionError
from archspec.frontend.document import SHAPE_WORDS
from archspec.frontend.expressions import Indexable, UnknownName, missing_element
from archspec.frontend.refusal import ADD_FROM, Poisoned
from archspec.ir.diagnostics import Span, did_you_mean, known_are, shown
from archspec.ir.graph import Tensor
from archspec.ir.tensors import TensorSpec


class _Poison(Indexable):
    def item(self, index: object) -> Any:
        raise Poisoned

    def attribute(self, name: str) -> Any:
        raise Poisoned

    def __repr__(self) -> str:
        return "POISON"


POISON = _Poison()
"""Stands for a result or argument that could not be had."""


NOTHING: Any = object()
"""What a name means that nothing defines."""


class StepResult(Indexable):
    """One tensor, with the named steps of the block it came from as ports."""

    __slots__ = ("family", "ports", "spec", "tensor")

    def __init__(self, tensor: Tensor, spec: TensorSpec, ports: Mapping[str, Any] | None = None):
        self.tensor, self.spec, self.ports = tensor, spec, ports or {}
        self.family: Bundle | None = None

    def attribute(self, name: str) -> Any:
        """A size of the shape, or a port."""
        if name in self.ports:
            return self.ports[name]
        return shape_word(self.spec, name, list(self.ports))

    def depended(self, words: frozenset[str]) -> Any:
        """The shape, where no port is among them."""
        if self.ports and any(word in self.ports for word in words):
            raise TypeError
        return self.spec

    def item(self, index: object) -> Any:
        """Another member of the family that this result belongs to."""
        if self.family is None:
            raise ExpressionError(
                "N04",
                f"a single result has no elements, so no [{shown(index)}]",
                'names get an index from the loop they are defined in, or where one is given: as: "NAME[3]"; '
                "some ops give several results, such as split, or {lstm: {units: 8, states: true}}",
            )
        return self.family.item(index)

    def __str__(self) -> str:
        return f"a tensor {self.spec}"


class Bundle(Indexable):
    """Results by index: a bundle (of ``each``, ``branches``, ``split``), or what a loop gave one name. Those of an op
    that names them go by name."""

    __slots__ = ("elements", "origin", "ports")

    def __init__(
        self,
        elements: dict[Any, Any] | None = None,
        ports: Mapping[str, Any] | None = None,
        origin: tuple[str, Span] | None = None,
    ):
        self.elements, self.ports = elements if elements is not None else {}, ports or {}
        self.origin = origin
        """The structure that made a bundle, and where it stands."""

    def attribute(self, name: str) -> Any:
        """A port of the block that the bundle came from, or a member that is called by a word."""
        if name in self.ports:
            return self.ports[name]
        if name in self.elements:
            return self.elements[name]
        index = f"name[0].{name}" if name in SHAPE_WORDS else f"name[{name}]"
        message = f"a bundle of {len(self.elements)} has no '{name}'"
        words = [key for key in self.elements if isinstance(key, str)]
        hint = did_you_mean(name, words) or known_are(words) if words else f"take one element by its index: {index}"
        raise ExpressionError("N04", message, hint)

    def item(self, index: object) -> Any:
        """The member under ``index``, a loop value."""
        if isinstance(index, float) and index.is_integer():
            index = int(index)
        if isinstance(index, (list, Indexable)) or index not in self.elements:
            raise missing_element(index, list(self.elements))
        return self.elements[index]

    def holds(self, other: Bundle) -> bool:
        """Whether another is this one, or among its members, or theirs. What a block gives back has the members too."""
        return other.elements is self.elements or any(
            isinstance(e, Bundle) and e.holds(other) for e in self.elements.values()
        )

    def flat(self) -> Iterator[Any]:
        """All members in order, families within unrolled."""
        for element in self.elements.values():
            if isinstance(element, Bundle):
                yield from element.flat()
            else:
                yield element

    def __str__(self) -> str:
        return f"a bundle of {len(self.elements)}"


_SIZES = {
    **dict.fromkeys(("filters", "units", "features", "dim", "out_channels", "num_channels", "c", "ch"), "channels"),
    **dict.fromkeys(("h", "rows"), "height"),
    **dict.fromkeys(("w", "columns", "cols"), "width"),
    **dict.fromkeys(("time", "steps", "tokens", "seq_len", "len"), "length"),
    **dict.fromkeys(("ndim", "dims"), "rank"),
}
"""What sizes are called elsewhere."""


def shape_word(spec: TensorSpec, word: str, ports: list[str]) -> Any:
    """``channels``, ``height``, ``width``, ``length`` or ``rank`` of a shape. Raises ExpressionError."""
    shape = spec.shape
    match word:
        case "rank":
            return len(shape)
        case "channels":
            size = shape[-1] if shape else None
        case "height" if len(shape) >= 3:
            size = shape[-3]
        case "width" if len(shape) >= 3:
            size = shape[-2]
        case "length" if len(shape) == 2:
            size = shape[0]
        case "length" if len(shape) == 1:
            size = shape[0]
        case "height" | "width" | "length":
            raise ExpressionError("N04", f"{spec} has no {word}")
        case _:
            known = [*SHAPE_WORDS, *ports]
            if word in ("shape", "size", "sizes", "dims") and word not in ports:
                each = "height, =….width" if len(shape) >= 3 else "length"
                raise ExpressionError(
                    "N04", f"a result has no '{word}'", f"its sizes go by name, one by one: [=….{each}]"
                )
            meant = next((k for k in known if k.lower() == word.lower()), _SIZES.get(word.lower()))
            hint = f"did you mean '{meant}'?" if meant else did_you_mean(word, known) or known_are(known, word)
            raise ExpressionError("N04", f"a result has no '{word}'", hint)
    if size is None:
        raise ExpressionError("X05", f"the {word} of {spec} is open", "give the size with --set, or in inputs")
    return size


Where = Span | Callable[[], Span]
"""A place, or what finds it out: it is asked for where something is wrong."""


def place_of(where: Where) -> Span:
    """The place itself."""
    return where if isinstance(where, Span) else where()


class Values(dict[str, Any]):
    """Parameters of a file or call, with the places where their values were given: what ``places`` gives, once somebody
    asks for one."""

    def __init__(self, values: Mapping[str, Any] | None = None, places: Callable[[], Mapping[str, Where]] = dict):
        super().__init__(values or {})
        self.places = places
        self._known: Mapping[str, Where] | None = None

    def place(self, name: str) -> Span | None:
        """Where a value was given; None where that is unknown."""
        if self._known is None:
            self._known = self.places()
        where = self._known.get(name)
        return None if where is None else place_of(where)


class Constants(Values):
    """Parameters of a file, which remember the names of those that were read."""

    def __init__(self, values: Mapping[str, Any] | None = None):
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def peek(self, name: str) -> Any:
        """A value that nobody is told to have read; None where there is none."""
        return super().get(name)


class Frame:
    """One running body: of a file, a block or a network. ``constants`` are its file's parameters."""

    __slots__ = ("constants", "file", "inputs", "params")

    def __init__(self, file: Any, params: Values, inputs: dict[str, Any], constants: Constants):
        self.file, self.params, self.inputs, self.constants = file, params, inputs, constants


class Scope:
    """Names of a body, or of one turn of a loop within it. ``items`` are what results are that are taken one by one."""

    __slots__ = ("frame", "items", "names", "parent", "places", "variables")

    def __init__(self, frame: Frame, parent: Scope | None = None, variables: dict[str, Any] | None = None):
        self.frame, self.parent = frame, parent
        self.items: Mapping[Tensor, StepResult] = {} if parent is None else parent.items
        self.names: dict[str, Any] = {}
        self.places: dict[str, Span] = {}
        self.variables = variables or {}

    def base(self) -> Scope:
        """The scope of the whole body."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def get(self, name: str) -> Any:
        """What a name means here, or NOTHING."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.parent
        frame = self.frame
        for values in (frame.params, frame.inputs, frame.constants):
            if name in values:
                return values[name]
        return NOTHING

    def given_at(self, name: str) -> Span | None:
        """Where the value of a parameter, or the name of a result, was given."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names or name in scope.variables:
                return scope.places.get(name)
            scope = scope.parent
        for values in (self.frame.params, self.frame.constants):
            if name in values:
                return values.place(name)
        return None

    def known(self) -> list[str]:
        """Every name that means something here."""
        out = ["prev", "input"]
        scope: Scope | None = self
        while scope is not None:
            out += [*scope.names, *scope.variables]
            scope = scope.parent
        return [*out, *self.frame.params, *self.frame.inputs, *self.frame.constants]

    def lookup(self, name: str, prev: object) -> Any:
        """The meaning of a name in an expression or reference. Raises ExpressionError, Poisoned."""
        if name == "prev":
            value = prev
            if value is None:
                raise ExpressionError("N01", "there is no previous step here", ADD_FROM)
        else:
            value = self.get(name)
            if value is NOTHING and name == "input":
                value = self._input()
            if value is NOTHING:
                raise UnknownName(name, self.known())
        if value is POISON:
            raise Poisoned
        return value

    def _input(self) -> Any:
        inputs = self.frame.inputs
        if len(inputs) == 1:
            return next(iter(inputs.values()))
        if "input" in inputs:
            return inputs["input"]
        raise ExpressionError("N01", f"there are several inputs: {', '.join(inputs)}", "name the one that is meant")

    def visible_family(self, name: str) -> Bundle | None:
        """The family of that name, of this scope or one around it."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if isinstance(found, Bundle):
                return found
            scope = scope.parent
        return None

    def conflict(self, name: str) -> str | None:
        """Why a step cannot take a name: what has it already."""
        frame = self.frame
        if name in self.names and self.names[name] is POISON:
            return None
        if name in frame.params or name in frame.constants:
            return f"'{name}' is a parameter"
        if name in frame.inputs:
            return f"'{name}' is an input"
        scope: Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return f"'{name}' is a loop variable"
            if name in scope.names and (scope is self or not isinstance(scope.names[name], Bundle)):
                return f"'{name}' is already the name of a step"
            scope = scope.parent
        return None

    def export(self, key: object) -> list[tuple[str, Span, bool]]:
        """Put the names of a finished turn into the scope around it, each under ``key`` of a family.

        Returns those for which that cannot be, with where they are given, and whether what is given holds the family
        itself; if not, there is a result under that key already.
        """
        assert self.parent is not None
        wrong = []
        for name, value in self.names.items():
            outer = self.parent.names.setdefault(name, Bundle())
            if not isinstance(outer, Bundle):
                continue
            is_within = isinstance(value, Bundle) and value.holds(outer)
            is_told = is_within and POISON in outer.elements.values()
            if (is_within or key in outer.elements) and name in self.places and not is_told:
                wrong.append((name, self.places[name], is_within))
            elif is_within:
                # Told before: of a member, or by the loop within that gave the name.
                outer.elements[key] = POISON
            else:
                outer.elements[key] = value
                if name in self.places:
                    self.parent.places.setdefault(name, self.places[name])
        return wrong


def described(value: object) -> str:
    """A value as a message names it."""
    return str(value) if isinstance(value, (StepResult, Bundle)) else shown(value)
