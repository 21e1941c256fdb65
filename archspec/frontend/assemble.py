"""A file with its parameters → Graph: its inputs, then its body with heads or its networks."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from archspec.frontend.arguments import Arguments, check_names, meant
from archspec.frontend.calls import body, call, file_of
from archspec.frontend.document import Document
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.heads import heads_of, outputs_of
from archspec.frontend.inputs import inputs_of
from archspec.frontend.masks import check_masks
from archspec.frontend.meanings import meanings
from archspec.frontend.references import evaluated
from archspec.frontend.refusal import LimitExceeded, Poisoned, Refusal
from archspec.frontend.scope import POISON, StepResult
from archspec.frontend.steps import STRUCTURAL
from archspec.frontend.walk import Callee, FileContext, Place, Walk, constants
from archspec.frontend.yaml_source import Map
from archspec.ir.aliases import suggested
from archspec.ir.diagnostics import Source, Span, shown
from archspec.ir.graph import Graph, Node, Output, Tensor, Training, call_of, called, calls, reachable
from archspec.ir.tensors import Size, TensorSpec
from archspec.ir.validation import refused
from archspec.ops.base import Op

Shapes = dict[str, tuple[Size, ...]]


def elaborated(
    walk: Elaborator,
    document: Document,
    *,
    variant: str | None = None,
    args: Arguments | None = None,
    shapes: Shapes | None = None,
    thorough: bool = False,
) -> Graph | None:
    """The graph of a file, or None where ``walk`` has kept mistakes: every independent one.

    ``shapes`` replaces the shapes of inputs; ``thorough`` also looks at blocks that nothing calls.
    """
    graph: Graph | None = None
    with _uncollected():
        try:
            graph = walk.attempt(_graph, walk, document, variant, args or {}, shapes or {}, thorough)
            if walk.problems or thorough:
                walk.uncalled(document)
        except LimitExceeded as limit:
            walk.give_up(limit)
    if walk.problems:
        return None
    assert isinstance(graph, Graph)
    return graph


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles in the meantime: nearly all that is made here stays, or goes by itself."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _graph(
    walk: Walk, document: Document, variant: str | None, args: Arguments, shapes: Shapes, thorough: bool
) -> Graph:
    spec = document.spec
    file = file_of(walk, document, args, document.span("name"), variant=variant)
    common: dict[str, Any] = {
        "name": spec.name,
        "variant": variant,
        "doc": spec.title,
        "params": {k: v for k, v in file.params.items() if isinstance(v, (str, int, float, bool, list, dict))},
    }
    _defaults(walk, file, thorough)
    walk.here = constants(file)
    if spec.body is None:
        return _networks(walk, file, common)
    outside = constants(file)
    inputs = inputs_of(walk, spec.inputs, outside)
    for name, shape in shapes.items():
        given = inputs[name]
        inputs[name] = given and TensorSpec(shape, given.dtype)
    walk.inputs = {n: s for n, s in inputs.items() if s is not None}
    results: dict[str, Any] = {n: POISON if s is None else StepResult(Tensor(n), s) for n, s in inputs.items()}
    walk.by_name |= set(inputs)
    end = walk.end = body(walk, file, results, "")
    outputs = heads_of(walk, document, end)
    if walk.problems:
        raise Poisoned
    nodes = reachable(tuple(walk.nodes), [o.tensor for o in outputs])
    check_masks(walk, nodes)
    if spec.train is None:
        meanings(walk, nodes, {})
    if walk.problems:
        raise Poisoned
    training = _beside(walk, file, end, outputs, nodes)
    return Graph(
        inputs=walk.inputs,
        nodes=nodes,
        outputs=outputs,
        training=training,
        sources=_sources(walk),
        **common,
    )


def _sources(walk: Walk) -> tuple[Source, ...]:
    """Every file that was read, those that calls of it opened too."""
    return tuple(d.source for d in walk.library.documents.values())


def _defaults(walk: Walk, file: FileContext, thorough: bool) -> None:
    """Report what is wrong with the sections of ``defaults``: those for nothing, names of arguments that there are not,
    and, if ``thorough``, values that no call will look at, for what they are for is not called."""
    spec = file.document.spec
    called = {p for block in (*spec.blocks.values(), *spec.networks.values()) for p in block.params or ()}
    for name, defaults in spec.defaults.items():
        callee = file.callees.get(name) or (None if name in spec.use else walk.prelude.callees.get(name))
        op = None if callee or name in STRUCTURAL or name in spec.use else Op.find(name)
        if isinstance(callee, Callee):
            check_names(walk, name, defaults, callee.block.params or {}, ())
        elif op is not None:
            is_known = check_names(walk, name, defaults, op.parameters(defaults), ())
            if thorough and is_known:
                _default_values(walk, op, defaults, constants(file))
        elif name not in (*STRUCTURAL, *spec.use, *called, *(spec.params or ())):
            known = {*STRUCTURAL, *file.callees, *spec.use, *walk.prelude.callees, *Op.names()}
            at = file.document.key_span("defaults", name)
            walk.report(
                "N00", f"defaults for an unknown op or block {shown(name)}", at, suggested("op or block", name, known)
            )


def _default_values(walk: Walk, op: type[Op], defaults: Map, outside: Place) -> None:
    written = {meant(name, op.parameters(defaults)): name for name in defaults}
    values = {
        taken: walk.attempt(evaluated, defaults[name], defaults, name, outside) for taken, name in written.items()
    }
    try:
        op.model_validate({name: value for name, value in values.items() if value is not POISON})
    except ValidationError as error:
        for e in refused(error):
            if e.kind == "value" and e.path and e.path[0] in written:
                name = str(e.path[0])
                walk.report("T01", f"{op.name}.{name} {e.message}", defaults.value_span(written[name]), e.help)


def _networks(walk: Walk, file: FileContext, common: dict[str, Any]) -> Graph:
    """A spec of networks without a body: each on its own inputs, side by side."""
    document = file.document
    ends: dict[str, tuple[dict[str, TensorSpec], tuple[Output, ...]]] = {}
    for name, block in document.spec.networks.items():
        made = walk.attempt(_network, walk, file, name, block)
        if made is not POISON:
            ends[name] = made
    if walk.problems:
        raise Poisoned
    every = tuple(walk.nodes)
    training = _training(walk, file)
    if walk.problems:
        raise Poisoned
    taken = _taken(training) if training is not None else {}
    networks: dict[str, Graph] = {}
    for name, (inputs, outputs) in ends.items():
        own = tuple(node for node in every if node.name.startswith(f"{name}."))
        at = document.key_span("networks", name)
        ports = _ports(name, own, outputs, taken.get(name, ()), at)
        nodes = reachable(own, [o.tensor for o in (*outputs, *ports)])
        check_masks(walk, nodes)
        networks[name] = Graph(
            **{**common, "name": name, "variant": None, "expect": None},
            inputs=inputs,
            nodes=nodes,
            outputs=(*outputs, *ports),
            sources=_sources(walk),
        )
    if walk.problems:
        raise Poisoned
    return Graph(
        inputs={i: s for g in networks.values() for i, s in g.inputs.items()},
        nodes=tuple(node for g in networks.values() for node in g.nodes),
        outputs=tuple(
            Output(f"{n}.{o.name}", o.tensor, None, span=o.span) for n, g in networks.items() for o in g.outputs
        ),
        networks=networks,
        training=training,
        sources=_sources(walk),
        **common,
    )


def _network(walk: Walk, file: FileContext, name: str, block: Any) -> tuple[dict[str, TensorSpec], tuple[Output, ...]]:
    """The inputs of a network and its result, its nodes being those of the walk below its name."""
    at = file.document.key_span("networks", name)
    if not isinstance(block.inputs, Map):
        hint = "inputs: {x: [64, 64, 3]}"
        raise Refusal("S02", f"network '{name}' needs inputs with shapes: the file has no body that calls it", at, hint)
    specs = inputs_of(walk, block.inputs, constants(file))
    inputs = {f"{name}.{n}": s for n, s in specs.items() if s is not None}
    walk.inputs |= inputs
    given = {n: POISON if s is None else StepResult(Tensor(f"{name}.{n}"), s) for n, s in specs.items()}
    end = call(walk, file.callees[name], dict, given, name, at)
    if end is POISON:
        raise Poisoned
    if block.results is None:
        return inputs, outputs_of("output", None, end, at)
    return inputs, tuple(o for n, value in end.elements.items() for o in outputs_of(n, None, value, at))


def _taken(training: Training) -> dict[str, list[Tensor]]:
    """What a training step takes of each network: results and ports, as the network's own graph has them."""
    known, body = calls(training.body), training.body
    taken = dict.fromkeys(training.results.values())
    for node in body.nodes:
        call = call_of(node.name, known)
        taken |= dict.fromkeys(t for t in node.inputs if call is None or call_of(t.node, known) != call)
    out: dict[str, list[Tensor]] = {}
    for tensor in taken:
        network, name = called(tensor.node, known)
        if network is not None:
            out.setdefault(network, []).append(Tensor(name, tensor.port))
    return out


def _ports(
    name: str, nodes: tuple[Node, ...], outputs: tuple[Output, ...], taken: Iterable[Tensor], at: Span
) -> tuple[Output, ...]:
    """Further outputs of a network: what a training step takes of it that its result does not depend on."""
    out: dict[Tensor, Output] = {}
    for tensor in taken:
        kept = {node.name for node in reachable(nodes, [o.tensor for o in (*outputs, *out.values())])}
        if tensor.node not in kept and any(node.name == tensor.node for node in nodes):
            port = tensor.node.removeprefix(f"{name}.")
            out[tensor] = Output(f"{port}.{tensor.port}" if tensor.port else port, tensor, span=at)
    return tuple(out.values())


def _training(walk: Walk, file: FileContext) -> Training | None:
    """What a file says of its training, if it does; most do not, and need no more than that."""
    if file.document.spec.train is None:
        return None
    from archspec.frontend.updates import training_of

    return training_of(walk, file)


def _beside(
    walk: Walk, file: FileContext, end: Place, outputs: tuple[Output, ...], nodes: tuple[Node, ...]
) -> Training | None:
    """The same of a file with a body."""
    if file.document.spec.train is None:
        return None
    from archspec.frontend.minimize import training_beside

    return training_beside(walk, file, end, outputs, nodes)
