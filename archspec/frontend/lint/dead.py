"""Text that does nothing: what nobody reads, calls or takes, and what is wrong where no step ever comes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archspec.frontend.arguments import meant
from archspec.frontend.document import BlockSection, Document
from archspec.frontend.files import prelude
from archspec.frontend.lint.rule import Rule, Subject, warning
from archspec.frontend.lint.shapes import input_span
from archspec.frontend.parameters import parameters
from archspec.frontend.steps import STRUCTURAL, Step, chains_in, steps_of
from archspec.frontend.trace import Execution, Trace, words
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.diagnostics import Diagnostic, did_you_mean, shown
from archspec.ir.graph import reachable
from archspec.ops.base import Op


def unread_parameters(subject: Subject) -> Iterator[Diagnostic]:
    """W10: a parameter that nothing reads."""
    document = subject.document
    spec = document.spec
    read = {word for key, value in document.tree.items() if key not in ("doc", "params") for word in words(value)}
    read |= {step.op for _, step in _steps(document) if step.op is not None}
    sections: list[tuple[str, Map | None, set[str]]] = [("", spec.params, read | _defaults(spec.params))]
    for kind, blocks in (("block", spec.blocks), ("network", spec.networks)):
        for name, block in blocks.items():
            own = {*words(block.body), *_defaults(block.params), *words(block.inputs)}
            own |= {step.op for step in _within(block.body) if step.op is not None}
            sections.append((f" of {kind} '{name}'", block.params, own))
    for owner, params, known in sections:
        for name in params or ():
            if name not in known:
                help = f"an expression reads it: ={name}; else leave it out"
                yield warning("W10", f"parameter '{name}'{owner} is read by nothing", params.key_span(name), help)  # type: ignore[union-attr]


def hidden_ops(subject: Subject) -> Iterator[Diagnostic]:
    """W13: a block that has the name of an op, which can then not be called."""
    spec, ops = subject.document.spec, set(Op.names())
    for section, names in (("blocks", spec.blocks), ("networks", spec.networks), ("use", spec.use)):
        for name in names:
            if name in ops:
                what = f"'{name}' hides the op of that name in this file"
                yield warning("W13", what, subject.document.key_span(section, name), "give it a name of its own")


def uncalled(subject: Subject) -> Iterator[Diagnostic]:
    """W14: a block, network or file that nothing calls."""
    document = subject.document
    spec = document.spec
    takes_blocks = any(p.type == "block" for p in parameters(spec.params)[0].values())
    called = {word for key, value in document.tree.items() if key != "doc" for word in words(value)}
    called |= {step.op for _, step in _steps(document) if step.op is not None}
    for section, names, what in (
        ("blocks", spec.blocks if not takes_blocks and (spec.body or spec.networks) else (), "block"),
        ("networks", spec.networks if spec.body is not None else (), "network"),
        ("use", spec.use, "file"),
    ):
        for name in names:
            if name not in called:
                at = document.key_span(section, name)
                yield warning("W14", f"{what} '{name}' is called by nothing", at, "call it as a step, or leave it out")


def never_there(subject: Subject) -> Iterator[Diagnostic]:
    """W12: a step that comes in no variant, of an op or with arguments that there are not."""
    document = subject.document
    spec = document.spec
    blocks: dict[str, Any] = {**prelude().spec.blocks, **spec.blocks, **spec.networks}
    params = set(spec.params or ())
    for owner, step in _steps(document):
        op = step.op
        if op is None or op in STRUCTURAL or op in spec.use or op in params or op in ((owner and owner.params) or ()):
            continue
        callee = blocks.get(op) or Op.find(op)
        if callee is None:
            known = {*Op.names(), *blocks, *spec.use, *STRUCTURAL}
            what = f"unknown op or block {shown(op)}, in a step that never comes"
            yield warning("W12", what, step.span, did_you_mean(op, known))
            continue
        names = list(callee.params or ()) if isinstance(callee, BlockSection) else list(callee.parameters(step.args))
        for name in step.args if isinstance(step.args, Map) else ():
            if name in names or meant(name, dict.fromkeys(names)) in names:
                continue
            # Asked last: a name that no op has is looked for among the plug-ins.
            if len(step.args) > 1 or Op.find(name) is None:
                what = f"{op} has no parameter '{name}', in a step that never comes"
                yield warning("W12", what, step.args.key_span(name), did_you_mean(name, names))


def without_turns(subject: Subject) -> Iterator[Diagnostic]:
    """W30: a loop that is written to have no turns, or a step of no steps."""
    for _, step in _steps(subject.document):
        for modifier in ("repeat", "each"):
            if (raw := getattr(step, modifier)) is None:
                continue
            at = step.modifier_span(modifier)
            if isinstance(raw, Map):
                empty = next((name for name in raw if _is_empty(raw[name])), None)
                raw, at = (None, at) if empty is None else (raw[empty], raw.value_span(empty))
            if _is_empty(raw):
                what = f"{modifier} of {shown(raw)} has no turn: this {step.op} never comes"
                yield warning("W30", what, at, "give it a turn, or leave the step out")
        if step.op == "do" and step.args == [] and step.from_ is None:
            yield warning("W30", "do has no steps, and gives what it is given", step.args_span(), "leave it out")
        elif step.op == "residual" and _body_of(step) == []:
            what = "residual has no steps, and adds what it is given to itself"
            yield warning("W30", what, step.args_span(), "residual: [conv: 64], or another body")


def _body_of(step: Step) -> object:
    return step.args.get("body") if isinstance(step.args, Map) else step.args


_NO_TURN = re.compile(r"=\s*(?:0|\[\s*\])\s*")


def _is_empty(raw: object) -> bool:
    """Whether the value of a loop is written as nothing, and not the outcome of a parameter."""
    if isinstance(raw, str):
        return _NO_TURN.fullmatch(raw[:80]) is not None
    return not isinstance(raw, bool) and raw in (0, [])


def untaken(subject: Subject) -> Iterator[Diagnostic]:
    """W11: a step whose result no output depends on, in no variant."""
    fates: dict[Step, bool] = {}
    last: dict[Step, bool] = {}
    for trace in subject.traces:
        if trace.is_whole:
            fates.update(dict.fromkeys([e.step for e in trace.executions if e.last > e.first], False))
            continue
        for execution, is_dead, is_end in _fates(trace):
            step = execution.step
            fates[step] = fates.get(step, True) and is_dead
            last[step] = last.get(step, False) or is_end
    for step, is_dead in fates.items():
        if is_dead and last.get(step) and step.container.source is subject.document.source:
            named = f"'{step.name}'" if step.name is not None else f"this {step.op}"
            help = "take it with from:, or leave the step out"
            yield warning("W11", f"no output depends on {named}: the step is left out", step.span, help)


def _fates(trace: Trace) -> Iterator[tuple[Execution, bool, bool]]:
    """Every execution that made nodes: whether no output depends on any of them, and whether it is the end of what is
    lost, no later step takes it and it is within no lost step."""
    kept = {node.name for node in reachable(tuple(trace.nodes), [*trace.outputs, *trace.spared])}
    alive = [0]
    for node in trace.nodes:
        alive.append(alive[-1] + (node.name in kept))
    index = {node.name: i for i, node in enumerate(trace.nodes)}
    taken = [-1] * len(trace.nodes)
    for i, node in enumerate(trace.nodes):
        for tensor in node.inputs:
            if tensor.node in index:
                taken[index[tensor.node]] = i
    dead = [e.last > e.first and alive[e.last] == alive[e.first] for e in trace.executions]
    for execution, is_dead in zip(trace.executions, dead, strict=True):
        if execution.last == execution.first:
            continue
        is_end = is_dead and not (execution.parent is not None and dead[execution.parent])
        is_end = is_end and max(taken[execution.first : execution.last]) < execution.last
        yield execution, is_dead, is_end


def unread_inputs(subject: Subject) -> Iterator[Diagnostic]:
    """W15: an input that no output depends on."""
    read: dict[str, bool] = {}
    for graph in subject.graphs:
        taken = {tensor.node for node in graph.nodes for tensor in node.inputs} | {o.tensor.node for o in graph.outputs}
        for name in graph.inputs:
            read[name] = read.get(name, False) or name in taken
    for name, is_read in read.items():
        if not is_read:
            what = f"no output depends on input '{name.rpartition('.')[2]}'"
            yield warning("W15", what, input_span(subject, name), "take it with from:, or leave it out")


def _steps(document: Document) -> Iterator[tuple[BlockSection | None, Step]]:
    """Every step that a file writes, with the block or network that it is in."""
    spec = document.spec
    heads = (raw.get("body") if isinstance(raw, Map) else raw for raw in (spec.heads or {}).values())
    for chain in (spec.body, *heads, spec.train and spec.train.body):
        for step in _within(chain):
            yield None, step
    for block in (*spec.blocks.values(), *spec.networks.values()):
        for step in _within(block.body):
            yield block, step


def _within(chain: object) -> Iterator[Step]:
    if isinstance(chain, Seq):
        for step in steps_of(chain)[0]:
            if step is not None:
                yield step
                for inner in chains_in(step):
                    yield from _within(inner)


def _defaults(params: Map | None) -> set[str]:
    """The words of what parameters are if they are not given: one may be made of others."""
    values = [raw.get("default") if isinstance(raw, Map) else raw for raw in (params or {}).values()]
    return {word for value in values if not isinstance(value, str) or value[:1] == "=" for word in words(value)}


DECLARED: tuple[Rule, ...] = (hidden_ops,)
BUILT: tuple[Rule, ...] = (unread_parameters, uncalled, never_there, without_turns, untaken, unread_inputs)
