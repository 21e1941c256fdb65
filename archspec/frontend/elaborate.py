"""Steps → nodes: one walk through the text, calling blocks and inferring shapes as it goes.

Every independent mistake is collected: what is wrong becomes POISON, and nothing is said about what depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from archspec.frontend.arguments import Arguments, arguments_of
from archspec.frontend.calls import call, call_file, callee_of, completed
from archspec.frontend.document import Document
from archspec.frontend.loops import each, repeat
from archspec.frontend.naming import Names
from archspec.frontend.nodes import node
from archspec.frontend.parameters import blocks_among, parameters
from archspec.frontend.recurring import recurring
from archspec.frontend.references import anchor_of, define, flag, given_to
from archspec.frontend.refusal import LimitExceeded, Refusal
from archspec.frontend.scope import NOTHING, POISON, Bundle, Constants
from archspec.frontend.steps import ITEMS, Step, steps_of, words_in
from archspec.frontend.structure import STRUCTURES, one
from archspec.frontend.walk import MAX_DEPTH, Callee, FileContext, Place, Walk
from archspec.frontend.yaml_source import Seq


class Elaborator(Walk):
    """The walk itself."""

    def chain(self, chain: Seq, place: Place) -> None:
        """All steps of a chain; ``place.prev`` is its result afterwards."""
        steps, diagnostics = steps_of(chain)
        for diagnostic in diagnostics:
            self.keep(completed(self, diagnostic, place))
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > MAX_DEPTH:
            raise LimitExceeded("B03", f"nested deeper than {MAX_DEPTH} levels", chain.value_span(0))
        outer, self.here = self.here, place
        for i, step in enumerate(steps):
            if step is None:
                self._lose(words_in(chain[i]), place)
                place.prev = POISON
                continue
            self.tick(step)
            if self.trace is None:
                value = self.attempt(self._step, step, place)
            else:
                self.trace.begin(step, len(self.nodes))
                value = self.attempt(self._step, step, place)
                self.trace.end(len(self.nodes), place.scope)
            if value is POISON:
                self._lose(self.given_in(step), place)
                if step.op is not None and "," in step.op:
                    self._lose(words_in(step.given), place)
            if step.name is not None:
                define(self, step, value, place)
            place.prev = value
        self.depth -= 1
        self.here = outer

    def _lose(self, names: Iterable[str], place: Place) -> None:
        """Names that a wrong step might have given: nothing is said about those who use them."""
        for name in names:
            held = place.scope.get(name)
            if held is NOTHING or (isinstance(held, Bundle) and name not in place.scope.names):
                place.scope.names[name] = POISON

    def _step(self, step: Step, place: Place) -> Any:
        if step.when is not None and not flag(step, place):
            return given_to(step, place)
        if step.op is None:
            return given_to(step, place)
        if step.merge is not None and step.each is None and step.op not in ("branches", "residual"):
            if step.op not in STRUCTURES:
                callee_of(self, step.op, step, place)
            hint = "an op of several inputs names what it does: concat: [a, b]; leave merge out"
            raise Refusal(
                "S05",
                f"merge belongs to branches, residual and each, not to {step.op}",
                step.modifier_span("merge"),
                hint,
            )
        if step.repeat is not None:
            return repeat(self, step, place)
        if step.each == ITEMS:
            from archspec.frontend.items import each_item

            return each_item(self, step, place)
        if step.each is not None:
            return each(self, step, place)
        anchor = anchor_of(step, place, looped=False)
        return self.apply(step, place, given_to(step, place), anchor, place.names if anchor is None else None)

    def apply(self, step: Step, place: Place, given: object, path: str | None, names: Names | None) -> Any:
        """A step without its modifiers. ``path`` is its own, or ``names`` are those of the steps around it."""
        op = step.op
        assert op is not None
        if (structure := STRUCTURES.get(op)) is not None:
            if names is None:
                assert path is not None
                names = Names(f"{path}.", self.given_in(step))
            return structure(self, step, Place(place.scope, one(given, step), names), path)
        assert path is not None
        callee = callee_of(self, op, step, place)
        if isinstance(callee, Callee):
            declared = parameters(callee.block.params)[0]
            main = next(iter(declared), None)

            def arguments() -> Arguments:
                return arguments_of(self, step, place, op, declared, main, blocks=blocks_among(declared))

            known = recurring(self, step, place, callee.block, callee.file, declared)
            return call(self, callee, arguments, given, path, step.span, step.from_, known)
        if isinstance(callee, Document):
            return call_file(self, callee, step, place, given, path)
        return node(self, callee, step, place, given, path)

    def uncalled(self, document: Document) -> None:
        """Look for mistakes in blocks of a file that nothing called, as far as they can be told without arguments."""
        file = FileContext(document, Constants(dict.fromkeys(parameters(document.spec.params)[0], POISON)))
        known = set(self.problems)
        for callee in list(file.callees.values()):
            if isinstance(callee, Callee) and id(callee.block) not in self.called:
                self.attempt(self._on_nothing, callee, document)
        for key in self.problems.keys() - known:
            # The outermost call is this one, of which a person has not heard.
            self.problems[key] = replace(self.problems[key], notes=self.problems[key].notes[:-1])

    def _on_nothing(self, callee: Callee, document: Document) -> None:
        at = document.key_span("networks" if callee.network else "blocks", callee.name)
        given: Arguments = dict.fromkeys(parameters(callee.block.params)[0], (POISON, at))
        call(
            self,
            callee,
            lambda: given,
            dict.fromkeys(callee.block.inputs, POISON) if callee.block.inputs else POISON,
            "",
            at,
        )
