"""The state of one elaboration: the nodes so far, the mistakes so far, the calls that it is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from archspec.frontend.document import BlockSection, Document
from archspec.frontend.files import Library, prelude
from archspec.frontend.naming import Names
from archspec.frontend.refusal import ADD_FROM, LimitExceeded, Poisoned, Refusal
from archspec.frontend.scope import NOTHING, POISON, Bundle, Constants, Frame, Scope, StepResult, Values
from archspec.frontend.steps import Step, chains_in, given_names
from archspec.frontend.trace import Trace
from archspec.frontend.yaml_source import Map, Seq, written_at
from archspec.ir.diagnostics import Diagnostic, Note, Source, Span, did_you_mean
from archspec.ir.graph import Node
from archspec.ir.tensors import TensorSpec

MAX_STEPS = 200_000
MAX_LAYERS = 20_000
MAX_CALLS = 64
MAX_DEPTH = 150
MAX_LISTED = 4
TRAVELLING = frozenset(("T01", "T02", "T03", "P01", "V01", "N00", "H01", "B01", "B02"))
"""Codes of mistakes that belong to a value, wherever it is read."""
MANY_TURNS = 100
"""Loops of more turns are named where a limit is passed within them."""
MANY = "loops within loops multiply"
BY_NAME = "arguments go by name"
VALUES = frozenset(("T01", "T03", "P04", "X06"))
"""Codes of mistakes that are one value's, whose text may show what was meant."""


class FileContext:
    """A file with its parameters given, as its steps see it. ``path`` is the prefix of its networks' layers."""

    def __init__(self, document: Document, params: Constants, path: str = "", depth: int = 0):
        self.document, self.params, self.path, self.depth = document, params, path, depth
        spec = document.spec
        self.callees: dict[str, Any] = {
            **{name: Callee(name, block, self) for name, block in spec.blocks.items()},
            **{name: Callee(name, block, self, network=f"{path}{name}") for name, block in spec.networks.items()},
        }
        self.defaults: Mapping[str, Map] = spec.defaults


class Callee:
    """A block (or, with ``network``, the layer path of its one set of weights) and the file that it sees."""

    __slots__ = ("block", "file", "name", "network")

    def __init__(self, name: str, block: BlockSection, file: FileContext, network: str | None = None):
        self.name, self.block, self.file, self.network = name, block, file, network

    def __repr__(self) -> str:
        """As messages show a parameter that holds one."""
        return f"the {'network' if self.network is not None else 'block'} '{self.name}'"


class Place:
    """Where in a body the walk stands: what is visible, the previous step's result, the names given so far."""

    __slots__ = ("names", "prev", "scope")

    def __init__(self, scope: Scope, prev: Any, names: Names):
        self.scope, self.prev, self.names = scope, prev, names


def constants(file: FileContext) -> Place:
    """Where only a file's parameters are visible."""
    return Place(Scope(Frame(file, Values(), {}, file.params)), None, Names("", frozenset()))


class Loop(NamedTuple):
    """A loop that the walk is in: its turns, where their number is given, and where its variables' values are."""

    turns: int
    span: Span
    places: Mapping[str, Span]


def _declares(source: Source, name: str) -> bool:
    """Whether a text has a name as a key, so that it may mean something where a value was given."""
    return re.search(rf"(?<!\w){re.escape(name)}\s*:", source.text) is not None


class Failed(Exception):
    """The first mistake of a walk that only asks whether there is one."""


class Walk:
    """What every part of the elaboration shares. ``chain`` and ``apply`` are the elaborator's.

    ``trace``, where one is given, keeps which steps made which nodes; with ``fails_fast`` the first mistake raises
    Failed.
    """

    def __init__(
        self,
        library: Library,
        *,
        max_layers: int = MAX_LAYERS,
        max_steps: int = MAX_STEPS,
        fails_fast: bool = False,
        trace: Trace | None = None,
    ):
        self.library, self.max_layers, self.max_steps = library, max_layers, max_steps
        self.fails_fast, self.trace = fails_fast, trace
        self.sizes: Mapping[str, int] = {}
        self.inputs: dict[str, TensorSpec] = {}
        self.nodes: list[Node] = []
        self.by_name: set[str] = set()
        self.layers: dict[str, Node] = {}
        self.problems: dict[Any, Diagnostic] = {}
        self.called: set[int] = set()
        self.steps = 0
        self.calls: list[tuple[Callee | FileContext, Note]] = []
        self.depth = self.deepest = self.most_calls = 0
        self.network: tuple[int, str] | None = None
        self.made: dict[Any, Any] = {}
        self.entangled = self.foreign = 0
        self.told = 0
        """How often a mistake was met, if it was known or not."""
        self._given: dict[int, frozenset[str]] = {}
        self.prelude = FileContext(prelude(), Constants())
        self.here: Place | None = None
        self.end: Place | None = None
        """Where the body of the file ended."""
        self.loops: list[Loop] = []

    def knows(self, name: str) -> bool:
        """Whether a name means something where the walk stands."""
        return self.here is not None and (name in ("prev", "input") or self.here.scope.get(name) is not NOTHING)

    def report(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """Keep a mistake; of several with one code at one place, the first. Raises Failed where one ends the walk."""
        self.told += 1
        if self.fails_fast:
            raise Failed
        notes, known = tuple(note for _, note in reversed(self.calls)), self.knows
        if code in TRAVELLING:
            # The value is wrong, wherever it is read: where it was given stands first.
            while span.given is not None:
                if (variable := self._element_of(span.given)) is not None:
                    # What is wrong is that the whole list is read, in a loop over its elements.
                    at = Span(span.source, span.line, span.column, span.length)
                    self.keep(Diagnostic(code, message, at, f"={variable} is the element of this turn", notes))
                    return
                used, span = span, span.given
                known = partial(_declares, span.source)
                notes = (Note(f"used as {written_at(used) or 'this'}", replace(used, given=None)), *notes)
        prelude = self.prelude.document.source
        if span.source is prelude and (outside := next((n for n in notes if n.span.source is not prelude), None)):
            # Nobody edits the prelude: what a person wrote stands first.
            notes = tuple(n for n in notes if n is not outside)
            span, notes = outside.span, (Note(outside.message.removesuffix(", called"), span), *notes)
        if (code, span.order) in self.problems:
            return
        if help == ADD_FROM and self.here is not None and (inputs := self.here.scope.frame.inputs):
            help = f"{ADD_FROM} {' or '.join(list(inputs)[:MAX_LISTED])}, or the name of a step"
        if code in VALUES or (code == "N00" and message.startswith("there is no")):
            # Of words of the command line, the value alone.
            text = written_at(span).partition("=")[2] if span.source.is_typed else written_at(span)
            from archspec.frontend.intended import intended

            if self.here is not None and isinstance(self.here.scope.get(text), (StepResult, Bundle)):
                help = help or f"'{text}' is a result: from: {text} takes it, and ={text}.channels is a size of it"
                self.keep(Diagnostic(code, message, span, help, notes))
                return
            meant = intended(text, message, known) or self._misspelt(text, message)
            # Where no value is taken, an expression is not either; and what is said of all arguments says more.
            is_more = help and ((code == "P04" and "starts with '='" in str(meant)) or help.startswith(BY_NAME))
            help = help if is_more else meant or help
        self.keep(Diagnostic(code, message, span, help, notes))

    def _element_of(self, given: Span) -> str | None:
        """The variable of a loop that the walk is in whose values are those at a place."""
        for loop in reversed(self.loops):
            for name, at in loop.places.items():
                if at.given is not None and at.given.order == given.order:
                    return name
        return None

    def _misspelt(self, text: str, message: str) -> str | None:
        """The parameter that is near to a word where a number is wanted, whose ``=`` is forgotten, too."""
        if self.here is None or not text.isidentifier() or not re.search(r"must be (an integer|a number)", message):
            return None
        near = did_you_mean(text, [*self.here.scope.frame.params, *self.here.scope.frame.constants])
        return None if near is None else near.replace("'", "=", 1).replace("'", "")

    def keep(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic that is complete. Raises Failed where the first one ends the walk."""
        self.told += 1
        if self.fails_fast:
            raise Failed
        self.problems.setdefault((diagnostic.code, diagnostic.span.order), diagnostic)

    def give_up(self, limit: LimitExceeded) -> None:
        """Keep a limit that is passed, once, with the calls that it was met in."""
        if limit.is_told:
            return
        limit.is_told = True
        longest = max(self.loops, key=lambda loop: loop.turns, default=None)
        span, message = limit.span, limit.message
        if longest is not None and longest.turns > MANY_TURNS:
            # What makes so many is the number of turns, wherever it is given.
            span, message = longest.span, f"{message}: a loop takes {longest.turns:,} turns"
        self.report(limit.code, message, span, limit.help)

    def attempt(self, action: Callable[..., Any], *args: Any) -> Any:
        """What ``action`` gives; POISON, and the mistake kept, where it is refused."""
        try:
            return action(*args)
        except Poisoned:
            return POISON
        except LimitExceeded as limit:
            # Told here: further out, who was called is no longer known.
            self.give_up(limit)
            raise
        except Refusal as r:
            self.report(r.code, r.message, r.span, r.help)
            return POISON

    def tick(self, step: Step) -> None:
        """Count a step or a turn. Raises LimitExceeded."""
        self.steps += 1
        if self.steps > self.max_steps:
            raise LimitExceeded("B01", f"more than {self.max_steps:,} steps and turns", step.span, MANY)

    def enter(self, called: Callee | FileContext, name: str, at: Span) -> None:
        """Note a call; whoever enters pops it. Raises LimitExceeded."""
        if len(self.calls) >= MAX_CALLS:
            raise LimitExceeded("B03", f"calls nest deeper than {MAX_CALLS}", at)
        self.calls.append((called, Note(f"in {name}, called", at)))
        self.most_calls = max(self.most_calls, len(self.calls))

    def within(self, depth: int, calls: int) -> bool:
        """Whether chains and calls may nest so deep."""
        return depth <= MAX_DEPTH and calls <= MAX_CALLS

    def network_call(self) -> tuple[str, Span | None]:
        """Name and place of the innermost call of a network."""
        for called, note in reversed(self.calls):
            if isinstance(called, Callee) and called.network is not None:
                return called.name, note.span
        return "", None

    def names_given(self, chain: Seq) -> frozenset[str]:
        """Names that ``as`` gives anywhere in a chain."""
        found = self._given.get(id(chain))
        if found is None:
            found = self._given[id(chain)] = given_names(chain)
        return found

    def given_in(self, step: Step) -> frozenset[str]:
        """The same for the chains that a structural step is written of."""
        return frozenset[str]().union(*(self.names_given(chain) for chain in chains_in(step)))

    def chain(self, chain: Seq, place: Place) -> None:
        """All steps of a chain; ``place.prev`` is its result afterwards."""
        raise NotImplementedError

    def apply(self, step: Step, place: Place, given: object, path: str | None, names: Names | None) -> Any:
        """A step without its modifiers. ``path`` is its own, or ``names`` are those of the steps around it."""
        raise NotImplementedError
