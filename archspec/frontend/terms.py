"""The terms of a training step: losses between results, gradient penalties, weights that may change with time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archspec.frontend.arithmetic import ExpressionError
from archspec.frontend.expressions import evaluate
from archspec.frontend.objectives import declared
from archspec.frontend.operands import BESIDE
from archspec.frontend.references import number, reference, truth
from archspec.frontend.refusal import Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, StepResult, described
from archspec.frontend.walk import Place
from archspec.frontend.yaml_source import Map, Seq, only, value_span
from archspec.ir.diagnostics import Span, did_you_mean, shown
from archspec.ir.graph import Graph, Node, Tensor
from archspec.ir.meaning import Meaning
from archspec.ir.reading import suggested
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import EXAMPLES, GradientPenalty, Scheduled, Term, ValueSchedule
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, check_operands, entry_shape, last_activation

PENALTY = GradientPenalty.name
_COUNTED = ("where", "per")
"""Those of them that are of a loss's entries."""
TIME = re.compile(r"\brounds\b")
PROBED = (0, 1, 1000, 1_000_000)
"""Rounds for which a schedule is tried."""


class Objectives:
    """What terms can be made of: the forward graph, its results by name, the networks whose weights are in it.

    ``end`` is where the body ends, which gives ports and members of families their meaning; those that terms name come
    to the results. Without ``networks`` all weights are of one, whose name is the body's. ``computed`` are names and
    results of operands that are steps, by the identity of what is written.
    """

    def __init__(
        self,
        body: Graph,
        known: Mapping[str, Any],
        networks: frozenset[str],
        end: Place,
        computed: Mapping[int, tuple[str, Any]],
    ):
        self.body, self.known, self.networks, self.end = body, dict(known), networks, end
        self.computed = computed
        self.given = frozenset(body.inputs)
        self.meanings: Mapping[Tensor, Meaning] = {}
        """What results are, where it is known."""

    def owner(self, node: Node) -> str | None:
        """The network that has a node's weights; None for what training does not change."""
        name = node.layer.split(".")[0] if self.networks else self.body.name
        return name if node.is_trained and (not self.networks or name in self.networks) else None

    def changed_by(self, term: Term) -> set[str]:
        """The networks that the gradient of a term reaches."""
        found: set[str] = set()
        for operand in term.operands:
            if isinstance(operand, str):
                found |= self.reached(self.known[operand].tensor)[1]
        return found

    def reached(self, tensor: Tensor) -> tuple[set[str], set[str]]:
        """Names of the nodes and inputs, and the networks, that a gradient from a tensor reaches."""
        names, networks, todo = set[str](), set[str](), [tensor.node]
        while todo:
            name = todo.pop()
            if name in names:
                continue
            names.add(name)
            node = self.body.by_name.get(name)
            if node is None or getattr(node.op, "stops_gradient", False):
                continue
            if (owner := self.owner(node)) is not None:
                networks.add(owner)
            todo.extend(t.node for t in node.inputs)
        return names, networks


def scheduled(raw: Any, container: Any, key: str, outside: Place) -> Scheduled:
    """A number, or an expression in which ``rounds`` counts the rounds that were done. Raises Refusal, Poisoned."""
    if not isinstance(raw, str) or raw[:1] != "=" or not TIME.search(raw):
        return number(raw, container, key, outside)
    text, at = raw[1:].strip(), value_span(container, key)

    def value(rounds: int) -> float:
        found = evaluate(text, lambda name: rounds if name == "rounds" else outside.scope.lookup(name, None))
        if type(found) not in (int, float):
            raise Refusal("T01", f"{key} must be a number, got {shown(found)}", at)
        return float(found)

    for rounds in PROBED:
        try:
            value(rounds)
        except ExpressionError as error:
            raise Refusal(error.code, error.message, at, error.help) from None
    return ValueSchedule(text, value)


def term(minimize: Seq, n: int, objectives: Objectives, outside: Place) -> Term | None:
    """One summand of what a step minimises; None where its ``when`` leaves it out. Raises Refusal, Poisoned."""
    raw, at = minimize[n], minimize.value_span(n)
    if not isinstance(raw, Map):
        raise Refusal("S04", f"a term is {{loss: [result, target], weight: …, when: …}}, got {shown(raw)}", at)
    given = [key for key in raw if key not in BESIDE]
    losses = [key for key in given if key == PENALTY or Loss.find(key) is not None]
    names = losses if len(losses) == 1 else given
    if len(names) != 1:
        raise Refusal("S04", f"a term has one loss, found {' and '.join(names) or 'none'}", at)
    if not truth(raw.get("when", True), raw, "when", outside):
        return None
    (name,) = names
    made = _penalty(raw, objectives, outside, at) if name == PENALTY else _loss(raw, name, objectives, outside, at)
    if not objectives.changed_by(made):
        reached = "depends on no network" if objectives.networks else "reaches no weights"
        reason = f"{name} of '{made.operands[0]}' {reached}"
        raise Refusal("H08", reason, raw.value_span(name), "what stands behind detach, hold or image_pool is constant")
    return replace(made, weight=scheduled(raw.get("weight", 1.0), raw, "weight", outside))


def _loss(raw: Map, name: str, objectives: Objectives, outside: Place, at: Span) -> Term:
    near = [*Loss.names(), PENALTY]
    kind = Loss.find(name)
    if kind is None:
        hint = suggested(name, "loss", near)
        raise Refusal("N00", f"unknown loss {shown(name)}", raw.key_span(name), hint)
    for key in raw:
        if key not in (name, *BESIDE, *kind.model_fields) and (meant := did_you_mean(key, BESIDE)) is not None:
            raise Refusal("P01", f"{name} has no parameter '{key}'", raw.key_span(key), meant)
    said = _arguments(raw, name)
    loss = declared(Loss, name if said is None else said, raw if said is None else said, name, outside)
    operands = raw[name]
    if not isinstance(operands, Seq) or len(operands) != 2:
        hint = f"{name}: [{operands if isinstance(operands, str) else 'result'}, TARGET]: a result, or a number"
        raise Refusal("S04", f"{name} takes [result, target], got {shown(operands)}", raw.value_span(name), hint)
    taken = [_operand(operands, i, objectives, outside) for i in range(2)]
    result, target = taken
    if not isinstance(result, str):
        raise Refusal("S04", f"the first operand of {name} is a result, got {shown(result)}", operands.value_span(0))
    found = objectives.known
    try:
        coding = check_operands(loss, found[result].spec, found[target].spec if isinstance(target, str) else target)
        is_given = isinstance(target, str) and found[target].tensor.node in objectives.given
        if coding == "classes" and found[result].spec.channels == 1 and is_given:
            # Of what a chain makes -1 is none; of what data give it may be that 0 is no.
            help = f"{{cast: float32, from: {target}, as: …}}: 1 is yes, 0 is no"
            raise OpError(f"{name} of one channel wants yes or no, '{target}' is numbers of classes", help=help)
    except OpError as error:
        raise Refusal("H06", error.message, operands.value_span(1), error.help) from None
    if isinstance(target, str) and (coding == "classes" or loss.labels == "index"):
        kinds, scores = objectives.meanings.get(found[target].tensor), found[result].spec.channels
        if kinds is not None and None not in (kinds.classes, scores) and kinds.classes != scores:
            message = f"'{result}' has {scores} scores, '{target}' is of {kinds.classes} classes"
            raise Refusal(
                "H06", message, operands.value_span(0), "a background is a class where match says background: first"
            )
    try:
        logits = loss.gets_logits(last_activation(objectives.body.by_name, found[result].tensor))
    except OpError as error:
        raise Refusal("H06", error.message, operands.value_span(0), error.help) from None
    spec = found[result].spec
    where = _counting(raw, "where", loss, spec, objectives) if "where" in raw else None
    per = _counting(raw, "per", loss, spec, objectives) if "per" in raw else None
    return Term(loss, (result, target), 1.0, "", logits, at, where, per, coding)


def _counting(raw: Map, word: str, loss: Loss, prediction: TensorSpec, objectives: Objectives) -> str:
    """The result that says which entries of a loss count, or by the count of which their sum is divided. Raises
    Refusal, Poisoned."""
    given, at = raw[word], raw.value_span(word)
    try:
        entries = entry_shape(loss, prediction, word)
    except OpError as error:
        raise Refusal("H06", error.message, raw.key_span(word), error.help) from None
    if word == "per" and given == EXAMPLES:
        return EXAMPLES
    if not isinstance(given, str) or given[:1] == "=":
        also = " or 'examples'" if word == "per" else ""
        raise Refusal("S04", f"{word} is the name of a result{also}, got {shown(given)}", at)
    name = _named(raw, word, objectives, (EXAMPLES,) if word == "per" else ())
    spec = objectives.known[name].spec
    if spec.dtype != "bool" and "float" not in spec.dtype:
        help = f"{{cast: bool, from: {name}, as: …}}: 0 does not count"
        raise Refusal("H06", f"{word} is yes or no, or weights, '{name}' is {spec.dtype}", at, help)
    is_first = len(spec.shape) <= len(entries) and all(
        None in (a, b) or a == b for a, b in zip(spec.shape, entries, strict=False)
    )
    if word == "where" and not is_first:
        wanted = TensorSpec(entries)
        message = f"where is of the entries of the loss, {wanted}, or of its first axes; '{name}' is {spec}"
        raise Refusal("H06", message, at, f"one for each of {wanted.shape[0]}" if entries and entries[0] else None)
    return name


def _arguments(raw: Map, name: str) -> Map | None:
    """What a term says beside its operands, as a loss is written that stands by itself; None for nothing."""
    arguments = [key for key in raw if key not in (name, *BESIDE)]
    if not arguments:
        return None
    alone = only(raw, name)
    alone[name] = only(raw, *arguments)
    return alone


def _penalty(raw: Map, objectives: Objectives, outside: Place, at: Span) -> Term:
    for key in raw:
        if key in _COUNTED:
            message = f"{PENALTY} has one value for each example, of which '{key}' has nothing to choose"
            raise Refusal("H06", message, raw.key_span(key))
        if key not in (PENALTY, *BESIDE):
            hint = f"{PENALTY}: [RESULT, POINT, NORM]; weight and when stand beside it"
            raise Refusal("P01", f"{PENALTY} has no parameter '{key}'", raw.key_span(key), hint)
    operands = raw[PENALTY]
    if not isinstance(operands, Seq) or len(operands) not in (2, 3):
        message = f"{PENALTY} takes [result, point] or [result, point, norm], got {shown(operands)}"
        hint = f"{PENALTY}: [{operands if isinstance(operands, str) else 'score'}, POINT]: what the score was made from"
        raise Refusal("S04", message, raw.value_span(PENALTY), hint)
    taken = [_operand(operands, i, objectives, outside) for i in range(len(operands))]
    for i, operand in enumerate(taken):
        if isinstance(operand, str) == (i == 2):
            wanted = "a number" if i == 2 else "a result"
            message = f"operand {i + 1} of {PENALTY} is {wanted}, got {shown(operand)}"
            raise Refusal("S04", message, operands.value_span(i))
    result, point = str(taken[0]), str(taken[1])
    spec, seen = objectives.known[result].spec, objectives.known[point]
    if None in spec.shape or spec.size != 1:
        message = f"{PENALTY} needs one number for each example, '{result}' is {spec}"
        raise Refusal("H06", message, operands.value_span(0))
    if "float" not in seen.spec.dtype or seen.tensor.node not in objectives.reached(objectives.known[result].tensor)[0]:
        message = f"'{result}' does not depend on '{point}', or not by anything that has a gradient"
        raise Refusal("H09", message, operands.value_span(1), "the point is what the network is called on")
    norm = float(taken[2]) if len(taken) == 3 else 1.0
    return Term(GradientPenalty(norm), (result, point), span=at)


def _operand(operands: Seq, i: int, objectives: Objectives, outside: Place) -> str | float:
    operand, at = operands[i], operands.value_span(i)
    if isinstance(operand, (int, float)) and not isinstance(operand, bool):
        return float(operand)
    if id(operand) in objectives.computed:
        return _computed(*objectives.computed[id(operand)], objectives, at)
    if not isinstance(operand, str):
        raise Refusal("S04", f"an operand is a result, a step or a number, got {shown(operand)}", at)
    if operand[:1] == "=":
        return number(operand, operands, i, outside)  # type: ignore[arg-type]
    return _named(operands, i, objectives)


def _named(container: Any, key: Any, objectives: Objectives, also: tuple[str, ...] = ()) -> str:
    """The name of a result that stands in the text: of one tensor. ``also`` are words that might have been meant.
    Raises Refusal, Poisoned."""
    name, at = container[key], container.value_span(key)
    if name not in objectives.known and not name.isidentifier():
        try:
            objectives.known[name] = reference(name, container, key, objectives.end)
        except Refusal as refused:
            if refused.code == "X04":
                refused.help = refused.help or "what is computed of results is a step: {subtract: [made, real]}"
            raise
    held = objectives.known.get(name)
    if held is None:
        hint = did_you_mean(name, [*objectives.known, *also])
        where = "train.body has" if objectives.networks else "there is"
        raise Refusal("N01", f"{where} no result {shown(name)}", at, hint)
    _must_be_tensor(name, held, at)
    found: str = name
    return found


def _computed(name: str, held: object, objectives: Objectives, at: Span) -> str:
    """The name of what an operand computes, another one than any result has. Raises Refusal, Poisoned."""
    _must_be_tensor(name, held, at)
    while objectives.known.setdefault(name, held) is not held:
        name += "_"
    return name


def _must_be_tensor(name: str, held: object, at: Span) -> None:
    """Raises Refusal, Poisoned."""
    if held is POISON:
        raise Poisoned
    if not isinstance(held, StepResult):
        words = [f"{name}.{key}" for key in held.elements if isinstance(key, str)] if isinstance(held, Bundle) else []
        help = f"take one of {', '.join(words)}" if words else None
        raise Refusal("H04", f"'{name}' is {described(held)}, a loss takes one tensor", at, help)
