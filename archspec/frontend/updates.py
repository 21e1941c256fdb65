"""The ``train`` section: the forward graph of a training step over several networks, and its updates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from archspec.frontend.document import Document
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.forms import form_hint
from archspec.frontend.naming import Names
from archspec.frontend.operands import computed
from archspec.frontend.references import number, truth
from archspec.frontend.refusal import Poisoned, Refusal
from archspec.frontend.scope import POISON, Frame, Scope, StepResult, Values
from archspec.frontend.terms import Objectives, scheduled, term
from archspec.frontend.train_inputs import given_inputs
from archspec.frontend.walk import FileContext, Place, Walk, constants
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.diagnostics import Span, did_you_mean, plain, shown
from archspec.ir.graph import Graph, Tensor, Training
from archspec.ir.training import Term, TrainStep, ValueSchedule, WeightConstraint

STEP_KEYS = ("update", "minimize", "turns", "constraint")


def training_of(walk: Walk, file: FileContext) -> Training | None:
    """The ``train`` section: the forward graph of a step and its updates."""
    document, train = file.document, file.document.spec.train
    assert train is not None
    outside = constants(file)
    inputs = given_inputs(walk, train.inputs, outside)
    given = inputs.values
    inner = Elaborator(walk.library, max_layers=walk.max_layers)
    inner.layers, inner.problems, inner.called = dict(walk.layers), walk.problems, walk.called
    inner.by_name = {*inputs.specs, *given}
    first = next(iter(given.values())) if len(given) == 1 else None
    place = Place(Scope(Frame(file, Values(), given, file.params)), first, Names("", walk.names_given(train.body)))
    inner.chain(train.body, place)
    minimized_by = [raw.get("minimize") for raw in train.steps or () if isinstance(raw, Map)]
    every = [term for terms in (train.minimize, *minimized_by) if isinstance(terms, Seq) for term in terms]
    operands = computed(inner, every, place)
    for node in inner.nodes:
        if node.weights and node.layer.split(".")[0] not in document.spec.networks:
            walk.report("H07", f"train.body only calls networks: '{node.name}' would make weights", node.span)
    body = Graph(f"{document.spec.name}_train", inputs.specs, tuple(inner.nodes), ())
    objectives = Objectives(body, {**place.scope.names, **given}, frozenset(document.spec.networks), place, operands)
    steps: list[TrainStep] = []
    if train.minimize is not None:
        made = walk.attempt(_one_step, walk, document, objectives, outside)
        steps += [] if made is POISON else [made]
    for i, raw in enumerate(train.steps or ()):
        made = walk.attempt(_train_step, walk, document, train.steps, i, raw, objectives, outside)
        if made is not POISON:
            name = "_".join(made.update)
            same = sum(s.update == made.update for s in steps)
            steps.append(replace(made, name=f"{name}_{same + 1}" if same else name))
    together = walk.attempt(truth, train.together, document.tree["train"], "together", outside)
    if together is True:
        _check_together(walk, steps)
    results = {n: v.tensor for n, v in objectives.known.items() if n not in given and isinstance(v, StepResult)}
    return Training(
        body,
        {**{n: Tensor(n) for n in inputs.specs}, **results},
        tuple(steps),
        inputs.drawn,
        together is True,
        dict(_averages(walk, document, train.average, outside)),
        objects=inputs.objects,
    )


def _check_together(walk: Walk, steps: Iterable[TrainStep]) -> None:
    """Report steps that cannot all update at once."""
    updated: set[str] = set()
    for step in steps:
        assert step.span is not None
        if step.turns != 1:
            walk.report("S05", "together: true is one update of each step, this one takes turns", step.span)
        if again := updated & set(step.update):
            message = f"together: true is one update of each network, an earlier step has {' and '.join(sorted(again))}"
            walk.report("S05", message, step.span, "one step with the terms of both")
        updated |= set(step.update)


def _one_step(walk: Walk, document: Document, objectives: Objectives, outside: Place) -> TrainStep:
    """``minimize`` without steps: one update of all networks. Raises Poisoned after reporting."""
    assert document.spec.train is not None
    terms = minimized(walk, document.spec.train.minimize, objectives, outside)
    networks, at = tuple(document.spec.networks), document.key_span("train", "minimize")
    for name in networks:
        _check_reached(walk, name, terms, objectives, at)
    return TrainStep("_".join(networks), networks, terms, span=at)


def _check_reached(walk: Walk, name: str, terms: Iterable[Term], objectives: Objectives, at: Span) -> None:
    if not any(name in objectives.changed_by(t) for t in terms):
        hint = "its results must reach a loss, not through detach, hold or image_pool"
        walk.report("H08", f"no term of the step depends on '{name}'", at, hint)


def minimized(walk: Walk, minimize: Seq, objectives: Objectives, outside: Place) -> tuple[Term, ...]:
    """The terms of a list, by names that are one each. Raises Poisoned after reporting."""
    found = [walk.attempt(term, minimize, n, objectives, outside) for n in range(len(minimize))]
    if POISON in found:
        raise Poisoned
    return named([t for t in found if t is not None])


_STEP_WORDS = {
    "turns": ("repeat", "times", "rounds", "repeats", "n"),
    "minimize": ("loss", "losses", "objective", "terms"),
    "update": ("train", "networks", "network", "params", "of"),
}
"""What other programs call the keys of a training step."""


def _train_step(
    walk: Walk, document: Document, steps: Seq, i: int, raw: object, objectives: Objectives, outside: Place
) -> Any:
    at = steps.value_span(i)
    if not isinstance(raw, Map):
        raise Refusal("S04", f"a training step is a map of update and minimize, got {shown(raw)}", at)
    for key in raw:
        if key not in STEP_KEYS:
            ours = next((ours for ours, theirs in _STEP_WORDS.items() if key in theirs), None)
            hint = f"did you mean '{ours}'? ('{key}' is {ours} in archspec)" if ours else did_you_mean(key, STEP_KEYS)
            if key in ("maximize", "maximise"):
                hint = "what is to grow is minimised with weight: -1"
            hint = hint or f"known are {', '.join(STEP_KEYS)}"
            raise Refusal("S01", f"a training step has no key '{key}'", raw.key_span(key), hint)
    update, minimize = raw.get("update"), raw.get("minimize")
    if isinstance(update, str):
        message = f"update must be a list of networks, got {shown(update)}"
        raise Refusal("S02", message, raw.value_span("update"), form_hint(("update",), update))
    if not isinstance(update, Seq) or not update:
        raise Refusal("S02", "a training step needs 'update': the networks that it changes", at)
    if not isinstance(minimize, Seq) or not minimize:
        if minimize is not None:
            hint = f"losses are a list: minimize: [{plain(minimize)}]" if isinstance(minimize, Map) else None
            message = f"minimize must be a list of losses, got {shown(minimize)}"
            raise Refusal("S02", message, raw.value_span("minimize"), hint)
        raise Refusal(
            "S02", "a training step needs 'minimize': a list of losses", at, "minimize: [{mse: [made, real]}]"
        )
    networks = list(document.spec.networks)
    wrong = False
    for n, name in enumerate(update):
        if name not in networks:
            hint = did_you_mean(name, networks) or f"known are {', '.join(networks)}"
            walk.report("N00", f"there is no network {shown(name)}", update.value_span(n), hint)
            wrong = True
        elif name in update[:n]:
            walk.report("N02", f"'{name}' is updated already", update.value_span(n))
    terms = walk.attempt(minimized, walk, minimize, objectives, outside)
    turns = walk.attempt(_turns, raw, outside)
    constraint = walk.attempt(_constraint, raw, outside)
    if wrong or any(made is POISON for made in (terms, turns, constraint)):
        raise Poisoned
    for n, name in enumerate(update):
        _check_reached(walk, name, terms, objectives, update.value_span(n))
    return TrainStep("", tuple(update), terms, turns, constraint, at)


def named(terms: list[Term]) -> tuple[Term, ...]:
    """The terms by names that are one each: loss and result, numbered where that is not enough."""
    out: list[Term] = []
    for t in terms:
        name = f"{t.loss.name}.{t.operands[0]}"
        same = sum(o.name == name or o.name.startswith(f"{name}_") for o in out)
        out.append(replace(t, name=f"{name}_{same + 1}" if same else name))
    return tuple(out)


def _turns(raw: Map, outside: Place) -> int | ValueSchedule:
    turns = scheduled(raw.get("turns", 1), raw, "turns", outside)
    first = turns.at(0) if isinstance(turns, ValueSchedule) else turns
    if not float(first).is_integer() or not 1 <= first <= 10_000:
        raise Refusal("T01", f"turns must be an integer from 1 to 10000, got {first:g}", raw.value_span("turns"))
    return turns if isinstance(turns, ValueSchedule) else int(turns)


def _constraint(raw: Map, outside: Place) -> WeightConstraint | None:
    if "constraint" not in raw:
        return None
    given, known = raw["constraint"], ("clip", "max_norm")
    at = raw.value_span("constraint")
    if not isinstance(given, Map) or len(given) != 1:
        raise Refusal("T01", f"constraint must be {{clip: number}} or {{max_norm: number}}, got {shown(given)}", at)
    (kind,) = given
    if kind not in known:
        hint = did_you_mean(kind, known) or f"known are {', '.join(known)}"
        raise Refusal("S01", f"a constraint has no key '{kind}'", given.key_span(kind), hint)
    value = number(given[kind], given, kind, outside)
    if value <= 0:
        raise Refusal("T01", f"{kind} must be above 0, got {value:g}", given.value_span(kind))
    return WeightConstraint(**{kind: value})


def _averages(walk: Walk, document: Document, section: Map | None, outside: Place) -> Iterator[tuple[str, float]]:
    networks = list(document.spec.networks)
    for name in section or ():
        assert section is not None
        if name not in networks:
            hint = did_you_mean(name, networks) or f"known are {', '.join(networks)}"
            walk.report("N00", f"there is no network {shown(name)}", section.key_span(name), hint)
            continue
        share = walk.attempt(number, section[name], section, name, outside)
        if share is not POISON and not 0 < share < 1:
            message = f"an average keeps a share between 0 and 1 of itself, got {share:g}"
            walk.report("T01", message, section.value_span(name), f"{name}: 0.999")
        elif share is not POISON:
            yield name, share
