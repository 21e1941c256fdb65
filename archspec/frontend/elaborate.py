"""Steps → nodes: one walk through the text, calling blocks and inferring shapes as it goes.

Every independent mistake is collected: what is wrong becomes POISON, and nothing is said about what depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from archspec.frontend.arguments import Arguments, arguments_of, evaluated
from archspec.frontend.document import NAME, SHAPE_WORDS, Block, Document
from archspec.frontend.expressions import ExpressionError, evaluate
from archspec.frontend.files import MAX_NESTING, Library, prelude
from archspec.frontend.naming import Names, key_texts
from archspec.frontend.parameters import REQUIRED, Mismatch, Parameter, parameters
from archspec.frontend.refusal import Exhausted, Poisoned, Refusal
from archspec.frontend.scope import NOTHING, POISON, Family, Frame, Result, Scope, described
from archspec.frontend.steps import MODIFIERS, STRUCTURAL, Step, given_names, steps_of
from archspec.frontend.yaml_source import Map, Seq, value_span
from archspec.ir.diagnostics import Diagnostic, Note, Span, SpecError, did_you_mean, shown
from archspec.ir.graph import Node, Tensor
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refused
from archspec.ops.base import Op, OpError, ports

MAX_STEPS = 200_000
MAX_LAYERS = 20_000
MAX_CALLS = 64
MAX_DEPTH = 150
PROBE = 840
"""Stands for an open size while it is decided whether a skip fits: divisible by every stride up to 8."""

_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(.+)\])?\Z", re.ASCII)


class File:
    """A file with its parameters given: what its steps and blocks see. ``path`` is the prefix of its networks' layers."""

    def __init__(self, document: Document, params: dict[str, Any], path: str = "", depth: int = 0):
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

    def __init__(self, name: str, block: Block, file: File, network: str | None = None):
        self.name, self.block, self.file, self.network = name, block, file, network


class Place:
    """Where in a body the walk stands: what is visible, the previous step's result, the names given so far."""

    __slots__ = ("names", "prev", "scope")

    def __init__(self, scope: Scope, prev: Any, names: Names):
        self.scope, self.prev, self.names = scope, prev, names


class Elaborator:
    """One elaboration: the nodes so far, the mistakes so far, the calls that it is in."""

    def __init__(self, library: Library, *, max_layers: int = MAX_LAYERS):
        self.library, self.max_layers = library, max_layers
        self.nodes: list[Node] = []
        self.by_name: set[str] = set()
        self.layers: dict[str, Node] = {}
        self.problems: dict[Any, Diagnostic] = {}
        self.called: set[int] = set()
        self.steps = 0
        self._calls: list[tuple[Callee | File, Note]] = []
        self._depth = 0
        self._network: tuple[int, str] | None = None
        self._instances: dict[tuple[type[Op], str], Op] = {}
        self._given: dict[int, frozenset[str]] = {}
        self._prelude = File(prelude(), {})

    # -- mistakes ------------------------------------------------------------------------------------------------------

    def report(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """Keep a mistake; of several with one code at one place, the first."""
        notes = tuple(note for _, note in reversed(self._calls))
        self.keep(Diagnostic(code, message, span, help, notes))

    def keep(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic that is complete."""
        self.problems.setdefault((diagnostic.code, diagnostic.span.order), diagnostic)

    def attempt(self, action: Callable[[], Any]) -> Any:
        """What ``action`` gives; POISON, and the mistake kept, where it is refused."""
        try:
            return action()
        except Poisoned:
            return POISON
        except Exhausted:
            raise
        except Refusal as r:
            self.report(r.code, r.message, r.span, r.help)
            return POISON

    def _tick(self, span: Callable[[], Span]) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted("B01", f"more than {MAX_STEPS:,} steps and turns", span(), "loops within loops multiply")

    # -- chains and steps ----------------------------------------------------------------------------------------------

    def chain(self, chain: Seq, place: Place) -> None:
        """All steps of a chain; ``place.prev`` is its result afterwards."""
        steps, diagnostics = steps_of(chain)
        for diagnostic in diagnostics:
            self.keep(diagnostic)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Exhausted("B03", f"nested deeper than {MAX_DEPTH} levels", chain.value_span(0))
        for step in steps:
            if step is None:
                place.prev = POISON
                continue
            self._tick(lambda step=step: step.span)  # type: ignore[misc]
            value = self.attempt(lambda step=step: self._step(step, place))
            if step.name is not None:
                self._define(step, value, place)
            place.prev = value
        self._depth -= 1

    def _step(self, step: Step, place: Place) -> Any:
        if step.when is not None and not self._flag(step, place):
            return self._given_to(step, place)
        if step.op is None:
            return self._given_to(step, place)
        if step.merge is not None and step.each is None and step.op not in ("branches", "residual"):
            raise Refusal("S05", f"merge belongs to branches, residual and each, not to {step.op}", step.modifier_span("merge"))
        if step.repeat is not None:
            return self._repeat(step, place)
        if step.each is not None:
            return self._each(step, place)
        anchor = self._anchor(step, place, looped=False)
        return self._apply(step, place, self._given_to(step, place), anchor, place.names if anchor is None else None)

    def _flag(self, step: Step, place: Place) -> bool:
        try:
            value = self.value(step.when, step.given, "when", place)
        except Poisoned:
            return True
        if type(value) is not bool:
            hint = "archspec uses YAML 1.2 booleans: true/false" if value in ("yes", "no", "on", "off") else None
            raise Refusal("T01", f"when: must be true or false, got {shown(value)}", step.modifier_span("when"), hint)
        return value

    def _given_to(self, step: Step, place: Place) -> Any:
        """What a step is applied to: a value, a list of values, or values by port."""
        raw = step.from_
        if raw is None:
            if step.given is not None and "from" in step.given:
                raise Refusal("S04", "from: names a result", step.modifier_span("from"))
            return place.prev
        at = step.given
        assert at is not None
        if type(raw) is Seq:
            return [self.reference(r, raw, i, place) for i, r in enumerate(raw)]
        if type(raw) is Map:
            return {port: self.reference(r, raw, port, place) for port, r in raw.items()}
        return self.reference(raw, at, "from", place)

    def _anchor(self, step: Step, place: Place, *, looped: bool) -> str | None:
        """The path of a step; None for one without a component of its own."""
        if step.name is not None:
            name, index = self._name(step, place)
            return place.names.named(name, None if index is None else key_texts([index])[0])
        if step.op == "do" or (step.op == "residual" and not looped):
            return None
        assert step.op is not None
        return place.names.auto(step.op)

    # -- loops ---------------------------------------------------------------------------------------------------------

    def _turns(self, step: Step, modifier: str, place: Place) -> list[tuple[Any, str, dict[str, Any]]]:
        """Key, path text and variables of every turn."""
        raw = getattr(step, modifier)
        at = step.modifier_span(modifier)
        variables: dict[str, list[Any]] = {}
        try:
            if type(raw) is Map:
                for name in raw:
                    if why := (None if NAME.match(name) else f"'{name}' is not a name") or place.scope.conflict(name):
                        raise Refusal("N02", f"a loop variable: {why}", raw.key_span(name))
                    values = self.value(raw[name], raw, name, place)
                    variables[name] = self._loop_values(values, raw.value_span(name))
            else:
                values = self._loop_values(self.value(raw, step.given, modifier, place), at)
                return [(k, text, {}) for k, text in zip(values, key_texts(values), strict=True)]
        except Poisoned:
            names = list(raw) if type(raw) is Map else []
            return [(0, "0", dict.fromkeys(names, POISON))]
        if not variables:
            raise Refusal("T03", f"{modifier}: needs a count or variables", at)
        lengths = {name: len(values) for name, values in variables.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {n}" for name, n in lengths.items())
            raise Refusal("T05", f"loop variables advance together, but their lengths differ: {said}", at)
        first = next(iter(variables.values()))
        try:
            keys = first if len(set(first)) == len(first) else list(range(len(first)))
        except TypeError:
            keys = list(range(len(first)))
        texts = key_texts(keys)
        return [
            (key, texts[i], {name: values[i] for name, values in variables.items()}) for i, key in enumerate(keys)
        ]

    def _loop_values(self, value: Any, at: Span) -> list[Any]:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is int:
            if value < 0:
                raise Refusal("T02", f"repeat count is negative: {value}", at)
            if value > MAX_STEPS:
                raise Exhausted("B01", f"more than {MAX_STEPS:,} steps and turns", at, "loops within loops multiply")
            return list(range(value))
        if isinstance(value, list):
            return value
        raise Refusal("T03", f"a loop takes a count, a list or variables, got {shown(value)}", at)

    def _run_turns(
        self, step: Step, modifier: str, place: Place, *, sequential: bool
    ) -> Iterator[tuple[Any, Any]]:
        """Key and result of every turn; names given within are visible from outside under the key."""
        turns = self._turns(step, modifier, place)
        anchor = self._anchor(step, place, looped=True)
        given = self._given_to(step, place) if sequential else None
        value, started = given, []
        for n, (key, text, variables) in enumerate(turns):
            self._tick(lambda: step.span)
            scope = Scope(place.scope.frame, place.scope, variables)
            prev = place.prev if not sequential or n == 0 and step.from_ is None else value
            names = place.names.turn(text) if anchor is None else None
            if names is not None:
                started.append(names)
            turn = Place(scope, prev, place.names)

            def run(
                turn: Place = turn, text: str = text, names: Names | None = names, before: Any = value
            ) -> Any:
                taken = before if sequential else self._given_to(step, turn)
                return self._apply(step, turn, taken, None if anchor is None else f"{anchor}.{text}", names)

            value = self.attempt(run)
            scope.export(key)
            yield key, value
        place.names.after(started)
        if not turns:
            yield None, given

    def _repeat(self, step: Step, place: Place) -> Any:
        value = None
        for _, value in self._run_turns(step, "repeat", place, sequential=True):
            pass
        return value

    def _each(self, step: Step, place: Place) -> Any:
        elements = {k: v for k, v in self._run_turns(step, "each", place, sequential=False) if k is not None}
        if step.op in ("branches", "residual") or step.merge is None:
            return Family(elements)
        return self._merge(step, place, step.merge, list(elements.values()), self._merge_path(step, place))

    def _merge_path(self, step: Step, place: Place) -> Callable[[str], str]:
        """Where the merge of a step's turns or branches stands: below its name, else beside it."""
        if step.name is not None and (anchor := self._anchor(step, place, looped=True)):
            return lambda base: f"{anchor}.{base}"
        return place.names.auto

    # -- structure -----------------------------------------------------------------------------------------------------

    def _apply(self, step: Step, place: Place, given: Any, path: str | None, names: Names | None) -> Any:
        """A step without its modifiers. ``path`` is its own, or ``names`` are those of the steps around it."""
        op = step.op
        assert op is not None
        if op in STRUCTURAL:
            if names is None:
                assert path is not None
                names = Names(f"{path}.", self._given_in(step))
            return getattr(self, f"_{op}")(step, Place(place.scope, self._one(given, step), names), path)
        assert path is not None
        callee = self._callee(op, step, place)
        if isinstance(callee, Callee):
            args = arguments_of(self, step, place, op, parameters(callee.block.params)[0])
            return self.call(callee, args, given, path, step.span)
        if isinstance(callee, Document):
            return self._call_file(callee, step, place, given, path)
        return self._node(callee, step, place, given, path)

    def _do(self, step: Step, place: Place, path: str | None) -> Any:
        if type(step.args) is not Seq:
            raise Refusal("S04", f"do takes a list of steps, got {shown(step.args)}", step.args_span())
        self.chain(step.args, place)
        return place.prev

    def _branches(self, step: Step, place: Place, path: str | None) -> Any:
        chains = step.args
        if type(chains) is not Seq or not chains:
            raise Refusal("S04", f"branches takes a list of chains, got {shown(chains)}", step.args_span())
        elements = {}
        for i, chain in enumerate(chains):
            if type(chain) is not Seq:
                self.report("S04", f"a branch is a list of steps, got {shown(chain)}", chains.value_span(i))
                elements[i] = POISON
                continue
            branch = Place(place.scope, place.prev, Names(f"{path}.{i}.", self._names_given(chain)))
            self.chain(chain, branch)
            elements[i] = branch.prev
        if step.merge is None or step.each is not None and step.repeat is None and False:
            return Family(elements)
        return self._merge(step, place, step.merge, list(elements.values()), lambda base: f"{path}.{base}")

    def _residual(self, step: Step, place: Place, path: str | None) -> Any:
        body, project, at = step.args, None, step.given
        if type(body) is Map:
            for key in body:
                if key not in ("body", "project"):
                    hint = did_you_mean(key, ("body", "project"))
                    raise Refusal("P01", f"residual has no parameter '{key}'", body.key_span(key), hint)
            project, at, body = body.get("project"), body, body.get("body")
        if type(body) is not Seq:
            raise Refusal("S04", f"residual takes a list of steps, got {shown(body)}", step.args_span())
        if project is None:
            at = place.scope.frame.file.defaults.get("residual")
            project = at.get("project", "auto") if at is not None else "auto"
        if not (project in ("auto", "none") or type(project) is Seq):
            hint = did_you_mean(project, ("auto", "none"))
            raise Refusal("T01", f"residual.project must be auto, none or a list of steps, got {shown(project)}",
                          value_span(at, "project"), hint)  # type: ignore[arg-type]
        skip, scope = place.prev, place.scope
        inner = Place(scope, skip, place.names)
        self.chain(body, inner)
        out = inner.prev
        if skip is POISON or out is POISON:
            raise Poisoned
        merge = "add" if step.merge is None else step.merge
        op = self._merge_op(step, place, merge)
        if op.is_projectable and isinstance(skip, Result) and isinstance(out, Result):
            skip = self._projected(step, Place(scope, skip, place.names), body, project, skip, out, op)
        return self._merge(step, place, merge, [skip, out], place.names.auto)

    def _projected(
        self, step: Step, place: Place, body: Seq, project: Any, skip: Result, out: Result, op: Op
    ) -> Result:
        """The skip as it meets the body's result: itself where it fits."""
        before, after = skip.spec, out.spec
        if None in before.shape[:-1] or None in after.shape[:-1]:
            before, after = self._probed(step, place, body, skip, out)
        try:
            op.infer(before, after)
            return skip
        except OpError as error:
            if project == "none":
                raise Refusal("H01", error.message, step.span, "project: auto inserts a 1x1 convolution where a skip does not fit") from None
        path = place.names.auto("projection")
        if type(project) is Seq:
            inner = Place(place.scope, skip, Names(f"{path}.", self._names_given(project)))
            self.chain(project, inner)
            if inner.prev is POISON:
                raise Poisoned
            if not isinstance(inner.prev, Result):
                raise Refusal("H04", "project: needs one tensor", step.span)
            return inner.prev
        stride = _stride(before, after)
        if stride is None or after.channels is None:
            message = f"no 1x1 convolution brings the skip {skip.spec} to {out.spec}"
            raise Refusal("H02", message, step.span, "project: takes a list of steps")
        callee = self._prelude.callees["projection"]
        given: Arguments = {"channels": (after.channels, step.span), "stride": (stride, step.span)}
        defaults = place.scope.frame.file.defaults.get("projection")
        for name in defaults or ():
            given[name] = (self.file_value(defaults[name], defaults, name, place), value_span(defaults, name))  # type: ignore[index, arg-type]
        projected: Result = self.call(callee, given, skip, path, step.span)
        return projected

    def _probed(self, step: Step, place: Place, body: Seq, skip: Result, out: Result) -> tuple[TensorSpec, TensorSpec]:
        """Shapes of skip and result, had the open sizes been PROBE: what the body does to a size shows in them."""
        sizes = tuple(PROBE if n is None else n for n in skip.spec.shape[:-1])
        before = TensorSpec((*sizes, skip.spec.shape[-1]), skip.spec.dtype)
        kept = len(self.nodes), dict(self.layers), dict(self.problems), set(self.by_name)
        inner = Place(Scope(place.scope.frame, place.scope), Result(skip.tensor, before), Names("probe.", self._names_given(body)))
        # Names of the body are defined already, around this scope: none may count as taken here.
        inner.scope.parent = None
        inner.scope.variables = _Visible(place.scope)  # type: ignore[assignment]
        try:
            self.chain(body, inner)
            after = inner.prev.spec if isinstance(inner.prev, Result) and len(self.problems) == len(kept[2]) else None
        finally:
            del self.nodes[kept[0] :]
            self.layers, self.problems, self.by_name = kept[1], kept[2], kept[3]
        if after is None or None in after.shape:
            raise Refusal("H02", f"whether the skip {skip.spec} fits {out.spec} depends on an open size", step.span,
                          "give the size with --set, or say project:")
        return before, after

    def _merge_op(self, step: Step, place: Place, raw: Any) -> Op:
        """The op of a ``merge:`` modifier: a name, or a one-op map."""
        at = step.modifier_span("merge") if step.merge is not None else step.span
        name, args = (next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, None))
        merges = [n for n in ("concat", "add", "multiply", "average", "maximum", "minimum", "subtract")]
        op = Op.find(name) if isinstance(name, str) else None
        if op is None or not op.is_merge:
            raise Refusal("T01", f"merge must be one of {', '.join(merges)}, got {shown(name)}", at, did_you_mean(name, merges))
        given: Arguments = {}
        if type(args) is Map:
            given = {key: (self.value(args[key], args, key, place), args.value_span(key)) for key in args}
        elif args is not None:
            raise Refusal("T01", f"merge: {name} takes arguments by name, got {shown(args)}", at)
        return self._instance(op, given, at)

    def _merge(self, step: Step, place: Place, raw: Any, values: list[Any], path: Callable[[str], str]) -> Result:
        op = self._merge_op(step, place, raw)
        results = self._tensors(values)
        if not results:
            raise Refusal("H04", f"{op.name} needs at least one tensor", step.span)
        at = step.modifier_span("merge") if step.merge is not None else step.span
        made = self._add(op, results, path(op.name), at, at, {})
        assert isinstance(made, Result)
        return made

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _callee(self, name: str, step: Step, place: Place) -> Any:
        """What an op position names: a block, a network, a used file or an op."""
        frame = place.scope.frame
        held = place.scope.get(name)
        if isinstance(held, Callee):
            return held
        if held is POISON:
            raise Poisoned
        if isinstance(held, type):
            return held
        file: File = frame.file
        if name in file.callees:
            found = file.callees[name]
            if isinstance(found, type):
                return found
            return found
        if name in file.document.spec.use:
            return file.document
        found = self._prelude.callees.get(name) or Op.find(name)
        if found is None:
            known = {*Op.names(), *self._prelude.callees, *file.callees, *file.document.spec.use, *STRUCTURAL}
            hint = did_you_mean(name, known)
            near = did_you_mean(name, MODIFIERS) if hint is None else None
            if name in frame.params or name in frame.constants:
                hint = f"'{name}' is a parameter; declare it as a block ({name}: block) to call it"
            raise Refusal("N00", f"unknown op or block {shown(name)}", step.span, hint or near)
        file.callees[name] = found
        return found

    def call(self, callee: Callee, args: Arguments, given: Any, path: str, at: Span) -> Any:
        """A block's or network's result on ``given``, its named steps as ports."""
        block, file = callee.block, callee.file
        self.called.add(id(block))
        declared, problems = parameters(block.params)
        for problem in problems:
            self.keep(problem)
        if any(c is callee or (isinstance(c, Callee) and c.block is block) for c, _ in self._calls):
            raise Refusal("N05", f"block '{callee.name}' calls itself", at)
        params = self.bind(callee.name, declared, args, at, place=None, file=file)
        self._enter(callee, callee.name, at)
        outer = self._network
        if callee.network is not None:
            self._network = (len(path) + 1, f"{callee.network}.")
        try:
            inputs = self._inputs_of(callee, given, at)
            frame = Frame(file, params, inputs, file.params)
            first = next(iter(inputs.values())) if len(inputs) == 1 else None
            inner = Place(Scope(frame), first, Names(f"{path}.", self._names_given(block.body)))
            self.chain(block.body, inner)
        finally:
            self._network = outer
            self._calls.pop()
        return _with_ports(inner.prev, inner.scope.names)

    def _enter(self, called: Callee | File, name: str, at: Span) -> None:
        if len(self._calls) >= MAX_CALLS:
            raise Exhausted("B03", f"calls nest deeper than {MAX_CALLS}", at)
        self._calls.append((called, Note(f"in {name}, called", at)))

    def _inputs_of(self, callee: Callee, given: Any, at: Span) -> dict[str, Any]:
        """The inputs of a block by name."""
        declared = callee.block.inputs
        if declared is None:
            if isinstance(given, dict):
                name = next(iter(given))
                raise Refusal("H04", f"{callee.name} has no input '{name}': it takes one, without a name", at)
            if isinstance(given, list):
                return {"input": Family(dict(enumerate(given)))}
            if given is None:
                raise Refusal("N01", "there is no previous step here", at, "say from:")
            return {"input": given}
        return self._by_input(callee.name, list(declared), given, at)

    def _by_input(self, called: str, names: list[str], given: Any, at: Span) -> dict[str, Any]:
        if isinstance(given, dict):
            for name in given:
                if name not in names:
                    hint = did_you_mean(name, names) or f"it has {', '.join(names)}"
                    raise Refusal("H04", f"{called} has no input '{name}'", at, hint)
            values = dict(given)
        else:
            if given is None:
                raise Refusal("N01", "there is no previous step here", at, "say from:")
            listed = given if isinstance(given, list) else [given]
            if len(listed) == 1 and len(names) > 1 and isinstance(listed[0], Family):
                listed = list(listed[0].elements.values())
            if len(listed) > len(names):
                raise Refusal("H04", f"{called} takes {len(names)} inputs ({', '.join(names)}), got {len(listed)}", at)
            values = dict(zip(names, listed, strict=False))
        if missing := [n for n in names if n not in values]:
            hint = f"from: {{{', '.join(f'{n}: …' for n in names)}}}"
            raise Refusal("H04", f"{called} needs input '{missing[0]}'", at, hint)
        return {n: values[n] for n in names}

    def _call_file(self, by: Document, step: Step, place: Place, given: Any, path: str) -> Any:
        """The body of a used file on ``given``."""
        assert step.op is not None
        here: File = place.scope.frame.file
        at = step.span
        try:
            document, variant = self.library.used(by, step.op)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                self.keep(diagnostic)
            raise Poisoned from None
        if here.depth >= MAX_NESTING:
            raise Exhausted("F03", f"files use each other deeper than {MAX_NESTING} levels", at)
        if any(isinstance(c, File) and c.document is document for c, _ in self._calls):
            raise Refusal("N05", f"file '{step.op}' uses itself", at)
        if document.spec.body is None:
            raise Refusal("N00", f"'{step.op}' has no body to call: it describes {', '.join(document.spec.networks) or 'blocks'}", at)
        declared = parameters(document.spec.params)[0]
        args = arguments_of(self, step, place, step.op, declared, extra=("variant",))
        if "variant" in args:
            variant, span = args.pop("variant")
            if variant is POISON:
                raise Poisoned
            if variant is not None and variant not in document.spec.variants:
                known = list(document.spec.variants)
                hint = did_you_mean(variant, known) or f"known are {', '.join(known)}"
                raise Refusal("V01", f"{step.op} has no variant {shown(variant)}", span, hint)
        file = self.file(document, args, at, variant=variant, path=f"{path}.", depth=here.depth + 1, name=step.op)
        names = list(document.spec.inputs or {})
        inputs = self._by_input(step.op, names, given, at)
        self._enter(file, step.op, at)
        try:
            inner = self.body(file, inputs, path)
        finally:
            self._calls.pop()
        return _with_ports(inner.prev, inner.scope.names)

    def body(self, file: File, inputs: dict[str, Any], path: str) -> Place:
        """The place behind a file's body. ``path`` is the prefix of its nodes' names; ``""`` at the top."""
        body = file.document.spec.body
        frame = Frame(file, {}, inputs, file.params)
        first = next(iter(inputs.values())) if len(inputs) == 1 else None
        heads = frozenset(file.document.spec.heads or ()) if not path else frozenset()
        names = Names(f"{path}." if path else "", self._names_given(body) | heads)
        place = Place(Scope(frame), first, names)
        self.chain(body, place)
        return place

    def file(
        self,
        document: Document,
        args: Arguments,
        at: Span,
        *,
        variant: str | None = None,
        path: str = "",
        depth: int = 0,
        name: str | None = None,
    ) -> File:
        """A file with its parameters given: by ``args``, else by the variant, else by default."""
        declared, problems = parameters(document.spec.params)
        for problem in problems:
            self.keep(problem)
        file = File(document, {}, path, depth)
        given: Arguments = {}
        if variant is not None:
            section = document.spec.variants[variant]
            for key in section:
                if key not in declared:
                    hint = did_you_mean(key, declared) or (f"known are {', '.join(declared)}" if declared else None)
                    self.report("P01", f"{document.spec.name} has no parameter '{key}'", section.key_span(key), hint)
                else:
                    value = self.attempt(lambda key=key: self.value(section[key], section, key, self._constants(file)))  # type: ignore[misc]
                    given[key] = (value, section.value_span(key))
        given |= args
        self.bind(name or document.spec.name, declared, given, at, place=self._constants(file), file=file, into=file.params)
        return file

    def _constants(self, file: File) -> Place:
        """Where only a file's parameters are visible."""
        return Place(Scope(Frame(file, {}, {}, file.params)), None, Names("", frozenset()))

    # -- arguments -----------------------------------------------------------------------------------------------------

    def bind(
        self,
        called: str,
        declared: dict[str, Parameter],
        args: Arguments,
        at: Span,
        *,
        place: Place | None,
        file: File,
        into: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Values of all parameters; every mistake is reported, and what it concerns is POISON. ``file`` is the callee's."""
        params = {} if into is None else into
        missing = False
        if place is None:
            place = Place(Scope(Frame(file, params, {}, file.params)), None, Names("", frozenset()))
        for name, parameter in declared.items():
            if name in args:
                value, span = args[name]
            elif parameter.default is REQUIRED:
                hint = None
                if variants := list(file.document.spec.variants) if called == file.document.spec.name else []:
                    hint = f"or name a variant: {', '.join(variants[:12])}{', …' if len(variants) > 12 else ''}"
                self.report("P02", f"{called} needs parameter '{name}' ({parameter.type})", at, hint)
                params[name], missing = POISON, True
                continue
            else:
                span = None
                value = parameter.default
                if type(value) in (str, Map, Seq):
                    section = self._section_of(declared, file, name, parameter)
                    value = self.attempt(lambda: evaluated(value, section, name, place))  # noqa: B023
            if value is not POISON and parameter.type == "block":
                value = self.attempt(lambda: self.block_value(value, place, span or at))  # noqa: B023
            if value is not POISON:
                try:
                    value = parameter.accept(value)
                except Mismatch as mismatch:
                    self.report("T01", f"{called}.{name} {mismatch.message}", span or at, mismatch.help)
                    value = POISON
            params[name] = value
        if missing and into is None:
            raise Poisoned
        return params

    def _section_of(self, declared: Any, file: File, name: str, parameter: Parameter) -> Map:
        """The ``params`` section that holds a default."""
        for section in (file.document.spec.params, *(c.block.params for c in file.callees.values() if isinstance(c, Callee))):
            if section is not None and section.memo is not None and section.memo[0] is declared:
                return section
        return file.document.tree

    def block_value(self, value: Any, place: Place, at: Span) -> Any:
        """A block-typed argument: the block or op that its name means where it is written. Raises Refusal."""
        if isinstance(value, (Callee, type)):
            return value
        if not isinstance(value, str):
            raise Refusal("T01", f"must be the name of a block or op, got {shown(value)}", at)
        held = place.scope.get(value)
        if isinstance(held, (Callee, type)):
            return held
        file: File = place.scope.frame.file
        found = file.callees.get(value) or self._prelude.callees.get(value) or Op.find(value)
        if not found:
            known = {*file.callees, *self._prelude.callees, *Op.names()}
            raise Refusal("N00", f"unknown op or block {shown(value)}", at, did_you_mean(value, known))
        return found

    def value(self, raw: Any, container: Any, key: Any, place: Place) -> Any:
        """A raw value with its expressions evaluated. Raises Refusal, Poisoned."""
        return evaluated(raw, container, key, place)

    def file_value(self, raw: Any, container: Any, key: Any, place: Place) -> Any:
        """A value of a ``defaults`` section: it sees only the file's parameters."""
        return evaluated(raw, container, key, self._constants(place.scope.frame.file))

    def reference(self, raw: Any, container: Map | Seq, key: Any, place: Place) -> Any:
        """The result that a reference names. Raises Refusal, Poisoned."""
        at = value_span(container, key)
        if not isinstance(raw, str) or raw[:1] == "=":
            hint = "a reference has no =" if isinstance(raw, str) else None
            raise Refusal("S04", f"a reference is a name, name[index] or name.port, got {shown(raw)}", at, hint)
        try:
            value = evaluate(raw, lambda name: place.scope.lookup(name, place.prev))
        except ExpressionError as error:
            raise Refusal(error.code, error.message, at, error.help) from None
        if value is POISON:
            raise Poisoned
        if not isinstance(value, (Result, Family)):
            raise Refusal("N01", f"'{raw}' is {shown(value)}, not a step's result", at)
        return value

    def _define(self, step: Step, value: Any, place: Place) -> None:
        """Give a result its name."""
        assert step.given is not None
        at = step.given.value_span("as")
        try:
            name, index = self._name(step, place)
        except (Refusal, Poisoned):
            return  # Said already, when the step took its path.
        scope = place.scope if index is None else place.scope.base()
        if index is not None:
            family = scope.names.get(name)
            if family is None and not (why := place.scope.conflict(name)):
                family = scope.names[name] = Family()
            if not isinstance(family, Family):
                self.report("N02", why if family is None else f"'{name}' is already the name of a step", at)  # type: ignore[arg-type]
            elif index in family.elements:
                self.report("N02", f"'{name}[{index}]' is already defined", at)
            else:
                family.elements[index] = value
            return
        if why := scope.conflict(name):
            self.report("N02", why, at, "every name is given once")
            return
        family = scope.parent.visible_family(name) if scope.parent is not None else None
        if family is not None and isinstance(value, Result):
            value = Result(value.tensor, value.spec, value.ports)
            value.family = family
        scope.names[name] = value

    def _name(self, step: Step, place: Place) -> tuple[str, Any]:
        """Name and index that ``as`` gives. Raises Refusal."""
        assert step.given is not None and step.name is not None
        at = step.given.value_span("as")
        match = _NAMED.match(step.name)
        if not match:
            raise Refusal("S03", f"as: must be a name, or name[index], got {shown(step.name)}", at)
        name, index = match.groups()
        if name in ("prev", "input") or name in SHAPE_WORDS:
            raise Refusal("S03", f"as: cannot be '{name}': the word is reserved", at)
        if index is None:
            return name, None
        try:
            value = evaluate(index, lambda word: place.scope.lookup(word, place.prev))
        except ExpressionError as error:
            raise Refusal(error.code, error.message, at, error.help) from None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, (int, str)):
            raise Refusal("T01", f"an index is an integer or a word, got {described(value)}", at)
        return name, value

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _node(self, op: type[Op], step: Step, place: Place, given: Any, path: str) -> Any:
        if op.is_merge and type(step.args) is Seq:
            operands = step.args
            given = [self.attempt(lambda i=i: self.reference(operands[i], operands, i, place)) for i in range(len(operands))]  # type: ignore[misc]
            args: Arguments = {}
        else:
            args = arguments_of(self, step, place, op.name, op.model_fields, main=op.main)
        instance = self._instance(op, args, step.span)
        results = self._operands(op, given, step)
        return self._add(instance, results, path, step.span, step.args_span(), args)

    def _instance(self, op: type[Op], args: Arguments, at: Span) -> Op:
        """The op with its arguments, validated; equal ones are one object. Raises Poisoned after reporting."""
        values = {name: value for name, (value, _) in args.items() if value is not POISON}
        key = (op, repr(values))
        found = self._instances.get(key)
        if found is None or len(values) != len(args):
            try:
                found = op.model_validate(values)
            except ValidationError as error:
                for e in refused(error):
                    name = str(e.path[0]) if e.path else ""
                    span = args[name][1] if name in args else at
                    if e.kind == "missing":
                        if name not in args:
                            self.report("P02", f"{op.name} needs parameter '{name}'", at)
                    else:
                        self.report("T01", f"{op.name}.{name} {e.message}", span, e.help)
                raise Poisoned from None
            if len(values) != len(args):
                raise Poisoned
            self._instances[key] = found
        return found

    def _tensors(self, values: list[Any]) -> list[Result]:
        """Single results out of results and bundles. Raises Poisoned."""
        out: list[Result] = []
        for value in values:
            out.extend(value.flat() if isinstance(value, Family) else (value,))
        if any(v is POISON for v in out):
            raise Poisoned
        return out

    def _one(self, given: Any, step: Step) -> Any:
        """A single value for a structural step."""
        if given is None:
            raise Refusal("N01", "there is no previous step here", step.span, "say from:")
        if isinstance(given, list):
            return Family(dict(enumerate(given)))
        if isinstance(given, dict):
            raise Refusal("H04", f"{step.op} takes no ports", step.span)
        return given

    def _operands(self, op: type[Op], given: Any, step: Step) -> list[Result]:
        """The tensors of an op in the order of its ports. Raises Refusal, Poisoned."""
        names, required, variadic = ports(op)
        at = step.span
        if given is POISON:
            raise Poisoned
        if given is None:
            raise Refusal("N01", "there is no previous step here", at, "say from:")
        if isinstance(given, dict):
            if variadic:
                raise Refusal("H04", f"{op.name} takes any number of tensors, not ports", at)
            for name in given:
                if name not in names:
                    hint = did_you_mean(name, names) or f"it has {', '.join(names)}"
                    raise Refusal("H04", f"{op.name} has no input '{name}'", at, hint)
            found = [given[n] for n in names if n in given]
            if missing := [n for n in names[:required] if n not in given]:
                raise Refusal("H04", f"{op.name} needs input '{missing[0]}'", at)
            for value in found:
                if isinstance(value, Family):
                    raise Refusal("H04", f"{op.name} needs one tensor for each input, got {described(value)}", at)
            return self._tensors(found)
        results = self._tensors(given if isinstance(given, list) else [given])
        if variadic:
            return results
        if required <= len(results) <= len(names):
            return results
        if len(names) == 1:
            whence = " (from each/branches)" if isinstance(given, Family) else ""
            raise Refusal("H04", f"{op.name} needs one tensor but gets {len(results)}{whence}", at, "add a merge, or give from:")
        needs = f"{required}" if required == len(names) else f"{required} to {len(names)}"
        hint = f"from: {{{', '.join(f'{n}: …' for n in names[:required])}}}"
        raise Refusal("H04", f"{op.name} needs {needs} tensors ({', '.join(names)}) but gets {len(results)}", at, hint)

    def _add(self, op: Op, results: list[Result], path: str, at: Span, args_at: Span, args: Arguments) -> Result | Family:
        """A node of ``op``; its result, or a bundle of its results."""
        specs = tuple([r.spec for r in results])
        try:
            inferred = op.infer(*specs)
            outputs = inferred if isinstance(inferred, tuple) else (inferred,)
            weights = op.weights(*specs)
            check_limits(op.name, outputs, weights)
        except OpError as error:
            span = args[error.argument][1] if error.argument in args else at
            raise Refusal("H01", error.message, span, error.help) from None
        layer = path
        if self._network is not None and weights:
            cut, prefix = self._network
            layer = prefix + path[cut:]
            if (first := self.layers.get(layer)) is not None and first.weights != weights:
                old, new = (", ".join(f"{w.name} {list(w.shape)}" for w in ws) for ws in (first.weights, weights))
                network, at_call = self._network_call()
                message = f"a network has one set of weights: {layer} has {old} from its first call, this call needs {new}"
                raise Refusal("H05", message, at_call or at, f"call '{network}' with as many channels each time")
        if path in self.by_name:
            raise Refusal("N02", f"two layers would be named '{path}'", at, "give one of them a name with as:")
        if len(self.nodes) >= self.max_layers:
            raise Exhausted("B02", f"more than {self.max_layers:,} layers", at)
        node = Node(path, op, tuple([r.tensor for r in results]), specs, outputs, weights, layer, at)
        self.nodes.append(node)
        self.by_name.add(path)
        if weights:
            self.layers.setdefault(layer, node)
        if len(outputs) == 1 and not isinstance(inferred, tuple):
            return Result(Tensor(path), outputs[0])
        return Family({i: Result(Tensor(path, i), spec) for i, spec in enumerate(outputs)})

    def _network_call(self) -> tuple[str, Span | None]:
        for called, note in reversed(self._calls):
            if isinstance(called, Callee) and called.network is not None:
                return called.name, note.span
        return "", None

    def _names_given(self, chain: Seq) -> frozenset[str]:
        found = self._given.get(id(chain))
        if found is None:
            found = self._given[id(chain)] = given_names(chain)
        return found

    def _given_in(self, step: Step) -> frozenset[str]:
        from archspec.frontend.steps import chains_in

        return frozenset[str]().union(*(self._names_given(chain) for chain in chains_in(step)))

    # -- what is never called ------------------------------------------------------------------------------------------

    def uncalled(self, document: Document) -> None:
        """Look for mistakes in blocks of a file that nothing called, as far as they can be told without arguments."""
        file = File(document, {name: POISON for name in parameters(document.spec.params)[0]})
        for callee in list(file.callees.values()):
            if isinstance(callee, Callee) and id(callee.block) not in self.called:
                at = document.key_span("networks" if callee.network else "blocks", callee.name)
                declared = parameters(callee.block.params)[0]
                given: Arguments = {name: (POISON, at) for name in declared}
                inputs = {name: POISON for name in callee.block.inputs or ("input",)}
                self.attempt(lambda: self.call(callee, given, inputs if callee.block.inputs else POISON, "unused", at))  # noqa: B023
        for problem in list(self.problems):
            # A call from nowhere is no place to tell a person.
            found = self.problems[problem]
            notes = tuple(n for n in found.notes if n.span.source is not document.source or n.message.split(",")[0][3:] not in file.callees or True)
            self.problems[problem] = Diagnostic(found.code, found.message, found.span, found.help, notes)


class _Visible(dict[str, Any]):
    """What another scope sees, as the variables of one that may define the same names again."""

    def __init__(self, scope: Scope):
        super().__init__()
        self._scope = scope

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._scope.get(name) is not NOTHING

    def __getitem__(self, name: str) -> Any:
        return self._scope.get(name)


def _with_ports(value: Any, names: Mapping[str, Any]) -> Any:
    """A body's result with its named steps as ports."""
    if isinstance(value, Result):
        return Result(value.tensor, value.spec, names)
    if isinstance(value, Family):
        return Family(value.elements, names)
    return value


def _stride(before: TensorSpec, after: TensorSpec) -> int | None:
    """The integer s with ⌈in / s⌉ = out on every spatial axis, if there is one."""
    if before.rank != after.rank or before.rank < 2:
        return None
    pairs = [(n, m) for n, m in zip(before.spatial, after.spatial, strict=True)]
    if any(n is None or m is None or m > n for n, m in pairs):
        return None
    if all(n == m for n, m in pairs):
        return 1
    n, m = max(pairs)  # type: ignore[type-var]
    for stride in range(max(1, n // m - 1), n // m + 2):  # type: ignore[operator]
        if all(-(-a // stride) == b for a, b in pairs):  # type: ignore[operator]
            return stride
    return None


def check_limits(name: str, outputs: tuple[TensorSpec, ...], weights: tuple[Any, ...]) -> None:
    """Raises OpError for sizes beyond what any machine holds (a limit against typing errors and hostile files)."""
    for spec in outputs:
        size = 1
        for n in spec.shape:
            if n is not None:
                if n <= 0:
                    raise OpError(f"{name} leaves nothing: its output would be {spec}")
                size *= n
        if size > 2**40:
            raise OpError(f"{name}: an output of {spec} has more than 2^40 elements")
    if sum(w.size for w in weights) > 2 * 10**10:
        raise OpError(f"{name} would have more than 2·10^10 parameters")
