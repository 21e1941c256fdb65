"""The walk through a file that finds its symbols, and where each is used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archspec.frontend.document import BlockSection, Document
from archspec.frontend.parameters import parameters
from archspec.frontend.steps import Step, chains_in, steps_of
from archspec.frontend.symbols import Symbol, Symbols
from archspec.frontend.yaml_source import Map, Seq, written_at
from archspec.ir.diagnostics import Span
from archspec.ir.graph import Node
from archspec.ir.tensors import TensorSpec

_WORD = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\[[^\]]*\])?(?:\.[A-Za-z_]\w*)*)", re.ASCII)
"""A name in an expression, and the index and attributes that are asked of it."""


_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)
"""A name in an expression, also in an index."""
_ATTRIBUTE = re.compile(r"(?:\[[^\]]*\])*\.([A-Za-z_]\w*)", re.ASCII)


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def symbols_of(document: Document, nodes: Sequence[Node] = (), inputs: Mapping[str, TensorSpec] = {}) -> Symbols:
    """The symbols of a file; ``nodes`` and ``inputs`` are what an analysis could make of it."""
    nodes = [node for node in nodes if node.span is not None and node.span.source is document.source]
    reader = _Reader(document, nodes, inputs)
    reader.file()
    return Symbols(reader.found, nodes)


class _Names:
    """What names mean at a place: those of its own, then those around."""

    def __init__(self, around: _Names | None = None):
        self.around, self.own = around, dict[str, Symbol]()

    def get(self, name: str) -> Symbol | None:
        found = self.own.get(name)
        return found if found is not None or self.around is None else self.around.get(name)


class _Reader:
    def __init__(self, document: Document, nodes: Sequence[Node], inputs: Mapping[str, TensorSpec]):
        self.document, self.nodes, self.inputs = document, nodes, inputs
        self.found: list[Symbol] = []
        self.constants = _Names()
        self.callees: dict[str, Symbol] = {}
        self.blocks: dict[str, BlockSection] = {}
        self.of_block: dict[str, _Names] = {}
        """Parameters of each block."""
        self.inputs_of: dict[str, dict[str, Symbol]] = {}
        """Inputs of each block."""
        self.ports: dict[str, dict[str, Symbol]] = {}
        """Named steps of each block, which are ports of its result."""
        self.calls: dict[int, list[str]] = {}
        """Blocks whose results a step's name stands for."""
        self.passed: set[str] = set()
        """Blocks that are arguments."""
        self.callable: set[int] = set()
        """Parameters that hold a block."""
        self.asked: list[tuple[Symbol, str, Span]] = []
        """Attributes of steps, which are resolved when all blocks are known."""

    def new(self, name: str, kind: str, span: Span, names: dict[str, Symbol]) -> Symbol:
        symbol = names[name] = Symbol(name, kind, replace(span, length=len(name)))
        self.found.append(symbol)
        return symbol

    def file(self) -> None:
        spec, tree = self.document.spec, self.document.tree
        for name in spec.use:
            self.new(name, "file", tree["use"].key_span(name), self.callees)
        for section in ("blocks", "networks"):
            for name, block in getattr(spec, section).items():
                symbol = self.new(name, section.removesuffix("s"), tree[section].key_span(name), self.callees)
                symbol.takes = tuple(block.params) if isinstance(block.params, Map) else ()
                self.blocks[name] = block
        self.parameters(spec.params, self.constants, self.constants)
        bodies = {}
        for name, block in self.blocks.items():
            self.of_block[name] = _Names(self.constants)
            self.parameters(block.params, self.of_block[name], self.constants)
            bodies[name] = _Names(self.of_block[name])
            self.given_inputs(block.inputs, bodies[name])
            self.inputs_of[name] = dict(bodies[name].own)
        for name, block in self.blocks.items():
            names = bodies[name]
            self.body(block.body, names)
            if isinstance(block.results, Seq):
                for i, result in enumerate(block.results):
                    self.references(result, block.results, i, names)
            self.ports[name] = {n: s for n, s in names.own.items() if s.kind == "step"}
        for name, given in spec.defaults.items():
            self.called(name, tree["defaults"].key_span(name), self.constants)
            self.arguments(name, given, self.constants)
        for given in spec.variants.values():
            self.settings(given)
        main = _Names(self.constants)
        self.given_inputs(spec.inputs, main)
        for name, symbol in main.own.items():
            symbol.spec = self.inputs.get(name)
        if spec.body is not None:
            self.body(spec.body, main, is_main=True)
        self.heads(spec.heads, main)
        if spec.train is not None:
            self.training(spec.train, tree["train"], main if spec.body is not None else self.constants)
        for symbol, attribute, span in self.asked:
            for called in self.calls.get(id(symbol), ()):
                if (port := self.ports.get(called, {}).get(attribute)) is not None:
                    port.references.append(span)
                    break
        for name in self.passed & self.blocks.keys():
            for symbol in (
                *self.of_block[name].own.values(),
                *self.inputs_of[name].values(),
                *self.ports[name].values(),
            ):
                symbol.is_shared = True
        for symbol in self.found:
            symbol.references = sorted(dict.fromkeys(symbol.references), key=lambda s: (s.line, s.column))

    def parameters(self, section: object, names: _Names, around: _Names) -> None:
        """Those that a file or block declares; defaults see what comes before, and the file's."""
        if not isinstance(section, Map):
            return
        kinds = {name: one.type for name, one in parameters(section)[0].items()}
        for name in section:
            self.values(section[name], section, name, names if names is not around else around)
            value, container, key = section[name], section, name
            if isinstance(value, Map) and "default" in value:
                value, container, key = value["default"], value, "default"
            if kinds.get(name) == "block" or isinstance(value, Seq):
                self.word(value, container, key)
            symbol = self.new(name, "parameter", section.key_span(name), names.own)
            if kinds.get(name) == "block":
                self.callable.add(id(symbol))

    def given_inputs(self, section: object, names: _Names) -> None:
        if isinstance(section, Map):
            for name in section:
                self.values(section[name], section, name, names)
                self.new(name, "input", section.key_span(name), names.own)
        elif isinstance(section, Seq):
            for i, name in enumerate(section):
                self.new(name, "input", _inner(section.value_span(i), name), names.own)

    def settings(self, given: object) -> None:
        """What a variant gives the file's parameters."""
        if not isinstance(given, Map):
            return
        for name in given:
            if (symbol := self.constants.get(name)) is not None:
                symbol.references.append(replace(given.key_span(name), length=len(name)))
                self.values(given[name], given, name, self.constants)
                if id(symbol) in self.callable or isinstance(given[name], Seq):
                    self.word(given[name], given, name)

    def body(self, chain: Seq, names: _Names, *, is_main: bool = False) -> None:
        """A chain and all chains within it; names that steps give are the whole body's."""
        for step in _all_steps(chain):
            if isinstance(step.name, str) and step.given is not None:
                name = step.name.partition("[")[0]
                span = _inner(step.given.value_span("as"), name)
                symbol = names.own.get(name)
                if symbol is None or symbol.kind != "step":
                    symbol = self.new(name, "step", span, names.own)
                    self.calls[id(symbol)] = []
                else:
                    symbol.references.append(span)
                if step.op is not None:
                    self.calls[id(symbol)].append(step.op)
                made = [node for node in self.nodes if node.span == step.span]
                if not made and is_main:
                    # Those of a call are below the name.
                    made = [node for node in self.nodes if node.name.startswith(f"{name}.")]
                symbol.nodes += [node for node in made if node not in symbol.nodes]
                if made:
                    symbol.spec = made[-1].outputs[0]
        self.chain(chain, names)

    def chain(self, chain: Seq, names: _Names) -> None:
        for step in steps_of(chain)[0]:
            if step is not None:
                self.step(step, names)

    def step(self, step: Step, names: _Names) -> None:
        given, inner = step.given, names
        for modifier in ("repeat", "each"):
            raw = getattr(step, modifier)
            if raw is None or given is None:
                continue
            self.values(raw, given, modifier, names)
            if isinstance(raw, Map):
                inner = _Names(names)
                for variable in raw:
                    if isinstance(raw[variable], Seq):
                        self.word(raw[variable], raw, variable, names)
                    self.new(variable, "variable", raw.key_span(variable), inner.own)
        if given is not None:
            for modifier in ("when", "merge"):
                if modifier in given:
                    self.values(given[modifier], given, modifier, inner)
            if "from" in given:
                self.references(given["from"], given, "from", inner)
                ports = self.inputs_of.get(step.op or "", {})
                for port in given["from"] if isinstance(given["from"], Map) else ():
                    if port in ports:
                        ports[port].references.append(replace(given["from"].key_span(port), length=len(port)))
            if isinstance(step.name, str) and "[" in step.name:
                self.expression(given.value_span("as"), names, after=step.name.index("["))
        chains = list(chains_in(step))
        for chain in chains:
            self.chain(chain, inner)
        if step.op is None:
            return
        self.called(step.op, step.span, inner)
        if step.args is not None and not any(step.args is chain for chain in chains):
            self.arguments(step.op, step.args, inner, step, chains)

    def called(self, op: str, span: Span, names: _Names) -> None:
        """An op position: a parameter that holds a block, a block, a network or a used file."""
        symbol = names.get(op)
        symbol = symbol if symbol is not None and id(symbol) in self.callable else self.callees.get(op)
        if symbol is not None:
            symbol.references.append(_inner(span, op))

    def arguments(
        self, op: str, args: object, names: _Names, step: Step | None = None, chains: Sequence[Seq] = ()
    ) -> None:
        own = self.of_block.get(op)
        kinds = parameters(self.blocks[op].params)[0] if own is not None else {}
        if not isinstance(args, Map):
            if step is not None and step.given is not None and step.op is not None:
                if isinstance(args, Seq) and own is None:
                    # Merging ops may take their operands so.
                    for i, item in enumerate(args):
                        if isinstance(item, str) and item[:1] != "=":
                            self.references(item, args, i, names)
                self.values(args, step.given, step.op, names)
                if self.is_file(op) or (kinds and next(iter(kinds.values())).type == "block"):
                    self.word(args, step.given, step.op, names)
            return
        for key, value in args.items():
            if own is not None and (symbol := own.own.get(key)) is not None:
                symbol.references.append(replace(args.key_span(key), length=len(key)))
            if any(value is chain for chain in chains):
                continue
            self.values(value, args, key, names)
            if self.is_file(op) or (key in kinds and kinds[key].type == "block"):
                self.word(value, args, key, names)

    def is_file(self, op: str) -> bool:
        """Whether a name in an op's position is a used file's."""
        return op in self.callees and self.callees[op].kind == "file"

    def word(self, value: Any, container: Any, key: Any, names: _Names | None = None) -> None:
        """The blocks that a value names, by itself or in lists."""
        if isinstance(value, Seq):
            for i, item in enumerate(value):
                self.word(item, value, i, names)
        if not isinstance(value, str) or not value.isidentifier():
            return
        held = names.get(value) if names is not None else None
        symbol = held if held is not None and id(held) in self.callable else self.callees.get(value)
        if symbol is not None:
            symbol.references.append(_inner(container.value_span(key), value))
            self.passed.add(symbol.name)

    def heads(self, section: object, names: _Names) -> None:
        if not isinstance(section, Map):
            return
        for name in section:
            head = section[name]
            chain = head if isinstance(head, Seq) else head.get("body") if isinstance(head, Map) else None
            inner = _Names(names)
            if isinstance(chain, Seq):
                self.body(chain, inner)
            if not isinstance(head, Map):
                continue
            for key in head:
                if key == "from":
                    self.references(head[key], head, key, names)
                elif key != "body":
                    self.values(head[key], head, key, names)

    def training(self, train: Any, tree: Map, around: _Names) -> None:
        names = _Names(around)
        self.given_inputs(train.inputs, names)
        if train.body is not None:
            self.body(train.body, names)
        for container, key, value in (*_strings(train.steps), *_strings(train.minimize)):
            for match in _WORD.finditer(value):
                symbol = names.get(match[1]) or self.callees.get(match[1])
                if symbol is not None and (value[:1] == "=" or symbol.kind != "parameter"):
                    self.used(symbol, container.value_span(key))
        self.values(tree.get("together"), tree, "together", names)
        for key in train.average or ():
            self.values(train.average[key], train.average, key, names)
            if (symbol := self.callees.get(key)) is not None:
                symbol.references.append(replace(train.average.key_span(key), length=len(key)))

    def values(self, value: Any, container: Any, key: Any, names: _Names, *, mark: str = "=") -> None:
        """The expressions in a value, which begin with the mark."""
        if isinstance(value, str):
            if value.startswith(mark):
                self.expression(container.value_span(key), names)
        elif isinstance(value, (Map, Seq)):
            for k, inner in value.items() if isinstance(value, Map) else enumerate(value):
                self.values(inner, value, k, names, mark=mark)

    def references(self, value: object, container: object, key: object, names: _Names) -> None:
        """The results that ``from`` names."""
        self.values(value, container, key, names, mark="")

    def expression(self, span: Span, names: _Names, after: int = 0) -> None:
        """The names in an expression, and those in its indices."""
        text = written_at(span)
        start = text.index("[") if after and "[" in text else 0
        quotes = 1 if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0] else 0
        inner = text[quotes : len(text) - quotes]
        bare = " " * quotes + _QUOTED.sub(lambda m: " " * len(m[0]), inner)
        for match in _NAME.finditer(bare):
            if match.start() < start:
                continue
            symbol = names.get(match[0])
            if symbol is None:
                continue
            self.named(symbol, bare, match, span)

    def used(self, symbol: Symbol, span: Span) -> None:
        """A name in a string that is no expression, at its places."""
        text = written_at(span)
        for found in re.finditer(rf"(?<![\w.]){symbol.name}\b", text):
            self.named(symbol, text, found, span)

    def named(self, symbol: Symbol, text: str, found: re.Match[str], span: Span) -> None:
        """A name in the text of a place, and the attribute that is asked of it."""
        at = replace(span, column=span.column + found.start(), length=len(found[0]), given=None)
        symbol.references.append(at)
        rest = _ATTRIBUTE.match(text, found.end())
        if rest is not None:
            column = span.column + rest.start(1)
            self.asked.append((symbol, rest[1], replace(span, column=column, length=len(rest[1]), given=None)))


def _inner(span: Span, name: str) -> Span:
    """The place of a name within a value, which may have quotes."""
    text = span.source.line(span.line)[span.column - 1 :]
    start = text.find(name)
    return replace(span, column=span.column + max(0, start), length=len(name), given=None)


def _all_steps(chain: Seq) -> Iterator[Step]:
    todo = [chain]
    while todo:
        for step in steps_of(todo.pop(0))[0]:
            if step is not None:
                yield step
                todo.extend(chains_in(step))


def _strings(value: Any) -> Iterator[tuple[Any, Any, str]]:
    for key, inner in value.items() if isinstance(value, Map) else enumerate(value or ()):
        if isinstance(inner, str):
            yield value, key, inner
        elif isinstance(inner, (Map, Seq)):
            yield from _strings(inner)
