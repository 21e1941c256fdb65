"""``train`` beside a body: what a network minimises, of its named results and of what examples bring besides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archspec.frontend.elaborate import Elaborator
from archspec.frontend.meanings import check_outputs, meanings
from archspec.frontend.naming import Names
from archspec.frontend.operands import computed
from archspec.frontend.refusal import Poisoned
from archspec.frontend.scope import Frame, Scope, StepResult, Values
from archspec.frontend.terms import Objectives
from archspec.frontend.train_inputs import GivenInputs, given_inputs
from archspec.frontend.updates import minimized, named
from archspec.frontend.walk import FileContext, Place, Walk, constants
from archspec.ir.graph import Graph, Node, Output, Tensor, Training, reachable
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import Term, TrainStep
from archspec.ops.loss import last_activation

PREFIX = "train."
"""What the names of the chain's nodes begin with."""


def training_beside(
    walk: Walk, file: FileContext, end: Place, outputs: tuple[Output, ...], nodes: tuple[Node, ...]
) -> Training:
    """The ``train`` section of a file with a body, which ``end`` is the place behind; ``nodes`` are the network's.
    Raises Poisoned after reporting."""
    document, train = file.document, file.document.spec.train
    assert train is not None
    outside = constants(file)
    own = given_inputs(walk, train.inputs, outside)
    given = own.values
    for name in given:
        if (why := end.scope.conflict(name)) is not None:
            walk.report("N02", why, train.inputs.key_span(name), "every name is given once")
    frame = Frame(file, Values(), {**end.scope.frame.inputs, **given}, file.params)
    place = Place(Scope(frame, end.scope), end.prev, Names(PREFIX, frozenset()))
    inner = Elaborator(walk.library, max_layers=walk.max_layers)
    inner.nodes, inner.layers, inner.by_name = list(walk.nodes), dict(walk.layers), walk.by_name | {*own.specs, *given}
    inner.problems, inner.called, inner.inputs = walk.problems, walk.called, walk.inputs
    if train.body is not None:
        place.names = Names(PREFIX, walk.names_given(train.body))
        inner.chain(train.body, place)
    operands = computed(inner, train.minimize, place)
    for node in inner.nodes[len(walk.nodes) :]:
        if node.weights and node.layer not in walk.layers:
            message = f"train.body makes no weights: '{node.name}' would"
            walk.report("H07", message, node.span, "put the step into the body")
    inputs = {**walk.inputs, **own.specs}
    whole = Graph(document.spec.name, inputs, tuple(inner.nodes), ())
    known = {**end.scope.frame.inputs, **end.scope.names, **given, **place.scope.names}
    objectives = Objectives(whole, known, frozenset(), place, operands)
    objectives.meanings = meanings(walk, inner.nodes, own.objects)
    check_outputs(walk, outputs, objectives.meanings, own.objects, whole.by_name)
    terms = list(minimized(walk, train.minimize, objectives, outside))
    of_heads, targets = _of_heads(walk, outputs, objectives)
    terms = list(named([*of_heads, *terms]))
    results = {name: objectives.known[name].tensor for term in terms for name in term.results}
    _check_kept(walk, inner.nodes, nodes, results)
    if walk.problems:
        raise Poisoned
    if walk.trace is not None:
        walk.trace.spared += results.values()
    step = TrainStep("", (document.spec.name,), tuple(terms), span=document.key_span("train"))
    return _training(whole, results, step, own, targets)


def _of_heads(
    walk: Walk, outputs: tuple[Output, ...], objectives: Objectives
) -> tuple[list[Term], dict[str, tuple[str, TensorSpec]]]:
    """The losses of heads as terms, between the head's result and an input that the data give."""
    terms: list[Term] = []
    targets: dict[str, tuple[str, TensorSpec]] = {}
    nodes = objectives.body.by_name
    for output in outputs:
        if output.loss is None:
            continue
        result, target = output.name, f"{output.name}.target"
        if result in objectives.known:
            # A result of the body has the name, or an input.
            result = f"{output.name}.output"
        spec = objectives.body.spec(output.tensor)
        objectives.known[result] = StepResult(output.tensor, spec)
        wanted = output.loss.target(spec)
        objectives.known[target] = StepResult(Tensor(target), wanted)
        targets[target] = (output.name, wanted)
        logits = output.loss.gets_logits(last_activation(nodes, output.tensor))
        terms.append(Term(output.loss, (result, target), output.weight, from_logits=logits, span=output.span))
    return terms, targets


def _check_kept(walk: Walk, every: list[Node], kept: tuple[Node, ...], results: dict[str, Tensor]) -> None:
    """Report weights that terms would train and no head has."""
    layers = {node.layer for node in kept}
    told: set[str] = set()
    for node in reachable(tuple(every), results.values()):
        if node.weights and node.layer not in layers | told:
            told.add(node.layer)
            message = f"no head depends on '{node.layer}': it would be trained, and kept nowhere"
            help = "a head that only training needs has it: heads: {NAME: {from: …, train_only: true}}"
            walk.report("H07", message, node.span, help)


def _training(
    whole: Graph,
    results: dict[str, Tensor],
    step: TrainStep,
    own: GivenInputs,
    targets: dict[str, tuple[str, TensorSpec]],
) -> Training:
    """What the terms need of it all."""
    every: Any = {**whole.inputs, **{name: spec for name, (_, spec) in targets.items()}}
    made = Training(
        replace(whole, name=f"{whole.name}_train", inputs=every),
        results,
        (step,),
        own.drawn,
        together=True,
        objects=own.objects,
        targets={name: head for name, (head, _) in targets.items()},
    )
    needed = made.within({node.layer for node in whole.nodes})
    assert needed is not None
    return needed
