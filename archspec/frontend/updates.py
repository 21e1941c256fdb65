"""The ``train`` section: the forward graph of a training step over several networks, and its updates."""

from __future__ import annotations

from typing import Any

from archspec.frontend.document import Document
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.inputs import inputs_of
from archspec.frontend.naming import Names
from archspec.frontend.objectives import declared, number
from archspec.frontend.refusal import Poisoned, Refusal
from archspec.frontend.scope import POISON, Frame, Result, Scope, described
from archspec.frontend.walk import File, Place, Walk, constants
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph, Tensor, Term, Training, TrainStep
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, check_operands


def training_of(walk: Walk, file: File) -> Training | None:
    """The ``train`` section: the forward graph of a step and its updates."""
    document, train = file.document, file.document.spec.train
    assert train is not None
    outside = constants(file)
    specs = inputs_of(walk, train.inputs, outside)
    given = {n: POISON if s is None else Result(Tensor(n), s) for n, s in specs.items()}
    inner = Elaborator(walk.library, max_layers=walk.max_layers)
    inner.layers, inner.problems, inner.called = dict(walk.layers), walk.problems, walk.called
    inner.by_name = set(specs)
    first = next(iter(given.values())) if len(given) == 1 else None
    place = Place(Scope(Frame(file, {}, given, file.params)), first, Names("", walk.names_given(train.body)))
    inner.chain(train.body, place)
    for node in inner.nodes:
        if node.weights and node.layer.split(".")[0] not in document.spec.networks:
            walk.report("H07", f"train.body only calls networks: '{node.name}' would make weights", node.span)
    results = {n: v.tensor for n, v in place.scope.names.items() if isinstance(v, Result)}
    known = {**place.scope.names, **given}
    steps = []
    for i, raw in enumerate(train.steps):
        made = walk.attempt(_train_step, walk, document, train.steps, i, raw, known, outside)
        if made is not POISON:
            steps.append(made)
    inputs = {n: s for n, s in specs.items() if s is not None}
    body = Graph(f"{document.spec.name}_train", inputs, tuple(inner.nodes), ())
    return Training(body, {**{n: Tensor(n) for n in inputs}, **results}, tuple(steps))


def _train_step(
    walk: Walk, document: Document, steps: Seq, i: int, raw: Any, known: dict[str, Any], outside: Place
) -> TrainStep:
    at = steps.value_span(i)
    if not isinstance(raw, Map):
        raise Refusal("S04", f"a training step is a map of update and minimize, got {shown(raw)}", at)
    for key in raw:
        if key not in ("update", "minimize"):
            hint = did_you_mean(key, ("update", "minimize"))
            raise Refusal("S01", f"a training step has no key '{key}'", raw.key_span(key), hint)
    update, minimize = raw.get("update"), raw.get("minimize")
    if not isinstance(update, Seq) or not update:
        raise Refusal("S02", "a training step needs 'update': the networks that it changes", at)
    if not isinstance(minimize, Seq) or not minimize:
        raise Refusal("S02", "a training step needs 'minimize': a list of losses", at)
    networks = list(document.spec.networks)
    for n, name in enumerate(update):
        if name not in networks:
            hint = did_you_mean(name, networks) or f"known are {', '.join(networks)}"
            walk.report("N00", f"there is no network {shown(name)}", update.value_span(n), hint)
    terms = [walk.attempt(_term, walk, minimize, n, known, outside) for n in range(len(minimize))]
    if any(t is POISON for t in terms):
        raise Poisoned
    return TrainStep(tuple(update), tuple(terms), at)


def _term(walk: Walk, minimize: Seq, n: int, known: dict[str, Any], outside: Place) -> Term:
    raw, at = minimize[n], minimize.value_span(n)
    if not isinstance(raw, Map):
        raise Refusal("S04", f"a term is {{loss: [result, target], weight: …}}, got {shown(raw)}", at)
    names = [key for key in raw if key != "weight"]
    if len(names) != 1:
        raise Refusal("S04", f"a term has one loss, found {' and '.join(names) or 'none'}", at)
    (name,) = names
    operands = raw[name]
    loss = declared(Loss, name, raw, name, outside)
    if not isinstance(operands, Seq) or len(operands) != 2:
        raise Refusal("S04", f"{name} takes [result, target], got {shown(operands)}", raw.value_span(name))
    taken: list[Any] = []
    for i, operand in enumerate(operands):
        span = operands.value_span(i)
        if isinstance(operand, (int, float)) and not isinstance(operand, bool):
            taken.append(float(operand))
            continue
        if not isinstance(operand, str):
            raise Refusal("S04", f"an operand is a result or a number, got {shown(operand)}", span)
        held = known.get(operand)
        if held is None:
            raise Refusal("N01", f"train.body has no result {shown(operand)}", span, did_you_mean(operand, known))
        if held is POISON:
            raise Poisoned
        if not isinstance(held, Result):
            raise Refusal("H04", f"'{operand}' is {described(held)}, a loss takes one tensor", span)
        taken.append(operand)
    if not isinstance(taken[0], str):
        raise Refusal("S04", f"the first operand of {name} is a result, got {shown(taken[0])}", operands.value_span(0))
    try:
        check_operands(loss, known[taken[0]].spec, known[taken[1]].spec if isinstance(taken[1], str) else taken[1])
    except OpError as error:
        raise Refusal("H06", error.message, operands.value_span(1), error.help) from None
    weight = raw.get("weight", 1.0)
    return Term(loss, tuple(taken), number(weight, raw, "weight", outside), at)
