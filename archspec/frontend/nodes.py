"""Ops → nodes: arguments to an instance, results to operands, shapes and weights to a Node."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from archspec.frontend.arguments import Arguments, arguments_of, meant, without_any
from archspec.frontend.recurring import recurring
from archspec.frontend.references import port_span, reference
from archspec.frontend.refusal import ADD_FROM, LimitExceeded, Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, StepResult, described, place_of
from archspec.frontend.steps import Step
from archspec.frontend.walk import Place, Walk
from archspec.frontend.yaml_source import Map, Seq, written_at
from archspec.ir.aliases import homonym, suggested
from archspec.ir.diagnostics import Span, did_you_mean, listed, plain, shown
from archspec.ir.graph import Node, Tensor
from archspec.ir.patterns import Pattern
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import refused
from archspec.ops.base import Op, OpError, ports

CODES = {"unknown_key": "P01", "missing_key": "P02", "unknown_name": "N00", "value": "T01"}
"""Of mistakes within a declaration that is an argument."""


def node(walk: Walk, op: type[Op], step: Step, place: Place, given: Any, path: str) -> Any:
    if op.is_merge and type(step.args) is Seq:
        refs = step.args
        given = [walk.attempt(reference, refs[i], refs, i, place) for i in range(len(refs))]
        return add(walk, instance(walk, op, {}, step.span), operands(op, given, step), path, step.span, dict)

    def arguments() -> Arguments:
        return arguments_of(walk, step, place, op.name, op.parameters(step.args), op.main)

    known = recurring(walk, step, place, op, place.scope.frame.file, None)
    made = known.value
    if made is None:
        made = instance(walk, op, arguments(), step.span)
        known.keep(made)
    return add(walk, made, operands(op, given, step), path, step.span, arguments)


KEPT = 4096
"""Ops, and what they come to on given shapes, that are kept: both are pure functions, and recur in every network."""
_INSTANCES: dict[tuple[type[Op], str], Op] = {}
_SHAPED: dict[tuple[int, tuple[TensorSpec, ...]], Shaped] = {}


class Shaped(NamedTuple):
    """What an op gives on tensors of given shapes, and its weights."""

    op: Op
    outputs: tuple[TensorSpec, ...]
    weights: tuple[WeightSpec, ...]
    is_several: bool
    """Whether it gives a tuple, if only of one."""


def shaped(op: Op, specs: tuple[TensorSpec, ...]) -> Shaped:
    """The rules of an op on shapes. Raises OpError."""
    key = (id(op), specs)
    found = _SHAPED.get(key)
    if found is None:
        inferred = op.infer(*specs)
        outputs = inferred if isinstance(inferred, tuple) else (inferred,)
        weights = op.weights(*specs)
        check_limits(op.name, outputs, weights)
        if len(_SHAPED) >= KEPT:
            _SHAPED.clear()
        # With the op itself: while it is there, no other has its identity.
        found = _SHAPED[key] = Shaped(op, outputs, weights, isinstance(inferred, tuple))
    return found


def instance(walk: Walk, op: type[Op], args: Arguments, at: Span) -> Op:
    """The op with its arguments, validated; equal ones are one object. Raises Poisoned after reporting."""
    values = {name: value for name, (value, _) in args.items() if value is not POISON}
    key = (op, repr(values))
    found = _INSTANCES.get(key)
    if found is None or len(values) != len(args):
        try:
            found = op.model_validate(values)
        except ValidationError as error:
            for e in refused(error):
                name = str(e.path[0]) if e.path else ""
                span = place_of(args[name][1]) if name in args else at
                if e.is_sentence:
                    walk.report(CODES[e.kind], e.message, span, e.help)
                elif e.kind == "unknown_key":
                    known = tuple(op.model_fields)
                    otherwise = f"it has {listed(known)}" if known else "it takes none"
                    hint = without_any(op.name, known) or suggested("parameter", name, known, otherwise)
                    walk.report("P01", f"{op.name} has no parameter '{name}'", span, hint)
                elif e.kind == "missing_key":
                    if name not in args:
                        walk.report("P02", f"{op.name} needs parameter '{name}'", at, f"{op.name}: {{{name}: …}}")
                else:
                    divides = isinstance(e.value, float) and e.message.startswith("must be an integer")
                    mend = "use // for integer division" if divides else e.help or _as_arguments(op, e.value)
                    walk.report("T01", f"{op.name}.{name} {e.message}", span, mend)
            raise Poisoned from None
        if len(values) != len(args):
            raise Poisoned
        if len(_INSTANCES) >= KEPT:
            _INSTANCES.clear()
        _INSTANCES[key] = found
    return found


_ASSIGNED = Pattern(r"\s*(?:([A-Za-z_]\w*)\s*=\s*([^\s=]+)\s*)+", re.ASCII)


def _as_arguments(op: type[Op], value: object) -> str | None:
    """Arguments by name out of what became a single value: a list of one-entry maps, or ``filters = 8``."""
    if isinstance(value, list) and value and all(isinstance(v, dict) and len(v) == 1 for v in value):
        pairs = {meant(str(key), op.model_fields): given for v in value for key, given in v.items()}
        if all(key in op.model_fields for key in pairs):
            return f"arguments are keys without dashes: {op.name}: {plain(pairs)}"
    if isinstance(value, str) and len(value) < 200 and _ASSIGNED.fullmatch(value):
        assigned = dict(re.findall(r"([A-Za-z_]\w*)\s*=\s*([^\s=]+)", value))
        if all(key in op.model_fields for key in assigned):
            return f"a colon stands before a value: {', '.join(f'{k}: {v}' for k, v in assigned.items())}"
    return None


def tensors(values: list[Any]) -> list[StepResult]:
    """Single results out of results and bundles. Raises Poisoned."""
    out: list[Any] = []
    for value in values:
        out.extend(value.flat() if isinstance(value, Bundle) else (value,))
    if any(v is POISON for v in out):
        raise Poisoned
    return out


def operands(op: type[Op], given: object, step: Step) -> list[StepResult]:
    """The tensors of an op in the order of its ports. Raises Refusal, Poisoned."""
    names, required, variadic = ports(op)
    at = step.span
    if given is POISON:
        raise Poisoned
    if given is None:
        raise Refusal("N01", "there is no previous step here", at, ADD_FROM)
    if isinstance(given, dict):
        if variadic:
            raise Refusal("H04", f"{op.name} takes any number of tensors, not ports", at, "from: [a, b]")
        for name in given:
            if name not in names:
                hint = did_you_mean(name, names) or f"it has {', '.join(names)}"
                where = port_span(step.from_, name) or at
                raise Refusal("H04", f"{op.name} has no input '{name}'", where, hint)
        found = [given[n] for n in names if n in given]
        if missing := [n for n in names[:required] if n not in given]:
            raise Refusal("H04", f"{op.name} needs input '{missing[0]}'", at, _all_of(names[:required]))
        for value in found:
            if isinstance(value, Bundle):
                raise Refusal("H04", f"{op.name} needs one tensor for each input, got {described(value)}", at)
        return tensors(found)
    values = given if isinstance(given, list) else [given]
    if variadic:
        return tensors(values)
    if any(_by_name(value, names) for value in values):
        return _named(op, values, names, required, at)
    results = tensors(values)
    if required <= len(results) <= len(names):
        return results
    if len(names) == 1:
        raise _many(op.name, given, results, step)
    needs = f"{required}" if required == len(names) else f"{required} to {len(names)}"
    message = f"{op.name} needs {needs} tensors ({', '.join(names)}) but gets {len(results)}"
    other = homonym("op", op.name) if len(results) < required else None
    here = "" if other is None else f"; what is called so elsewhere is {other}"
    raise Refusal("H04", message, at, f"{_all_of(names[:required])}{here}")


def _all_of(names: tuple[str, ...]) -> str:
    """How an op is given all that it needs."""
    return f"from: {{{', '.join(f'{name}: …' for name in names)}}}"


def _by_name(value: object, names: tuple[str, ...]) -> bool:
    """Whether a value has results by name, some of which are those of an op's inputs."""
    return isinstance(value, Bundle) and not value.elements.keys().isdisjoint(names)


def _named(op: type[Op], values: list[Any], names: tuple[str, ...], required: int, at: Span) -> list[StepResult]:
    """The tensors of an op in the order of its ports, where some come by name: each result of such a bundle goes to
    the input of its name, those without one are left out, and all else fills the other inputs in their order. Raises
    Refusal, Poisoned."""
    found: dict[str, Any] = {}
    for value in values:
        if _by_name(value, names):
            for name in names:
                if name in value.elements and found.setdefault(name, value.elements[name]) is not value.elements[name]:
                    raise Refusal(
                        "H04", f"{op.name} gets its input '{name}' twice", at, "name them: from: {input: ref}"
                    )
    others = tensors([value for value in values if not _by_name(value, names)])
    free = [name for name in names if name not in found]
    if len(others) > len(free):
        # What is said again: the step before is a pool, whose indices are named besides.
        others = [value for value in others if all(value is not known for known in found.values())]
    found.update(zip(free, others, strict=False))
    if len(others) > len(free):
        message = f"{op.name} has inputs {', '.join(names)}: {len(others) - len(free)} too many"
        raise Refusal("H04", message, at, _all_of(names[:required]))
    if missing := [n for n in names[:required] if n not in found]:
        raise Refusal("H04", f"{op.name} needs input '{missing[0]}'", at, _all_of(names[:required]))
    return tensors([found[name] for name in names if name in found])


def _many(name: str, given: object, results: list[StepResult], step: Step) -> Refusal:
    """The error of several results for an op of one: told at the bundle, where only a merge can mend it."""
    at, origin = step.span, given.origin if isinstance(given, Bundle) else None
    if origin is None:
        words = [key for key in given.elements if isinstance(key, str)] if isinstance(given, Bundle) else []
        help = (
            f"take one by its name: {', '.join(f'.{w}' for w in words)}"
            if words
            else "merge them first: concat: [a, b]"
        )
        return Refusal("H04", f"{name} needs one tensor but gets {len(results)}", at, help)
    what, where = origin
    line = f" at line {at.line}" if where.source is at.source else ""
    if step.from_ is not None:
        message = f"{name} needs one tensor but gets {len(results)} (from {what} at line {where.line})"
        return Refusal("H04", message, at, f"take one, by its index, or write merge: concat beside {what}")
    message = f"{what} without merge gives {len(results)} tensors, and {name}{line} needs one"
    return Refusal("H04", message, where, f"add merge: concat, or merge: add, beside {what}")


def add(
    walk: Walk, op: Op, results: list[StepResult], path: str, at: Span, arguments: Callable[[], Arguments]
) -> StepResult | Bundle:
    """A node of ``op``; its result, or a bundle of its results. ``arguments`` tells where those of the op stand."""
    specs = tuple([r.spec for r in results])
    try:
        _, outputs, weights, is_several = shaped(op, specs)
    except OpError as error:
        args = arguments() if error.argument is not None else {}
        span = place_of(args[error.argument][1]) if error.argument in args else at
        help = error.help
        if error.of_input and (declared := _declared(walk, results[0])) is not None:
            span, help = declared
        elif error.of_input and (name := _of_integers(walk)) is not None:
            help = f"from: {name}, which has integers"
        elif len(results) == 1 and (more := _every_step(walk, results[0])) is not None:
            help = more
        elif op.is_merge and (turn := _turn(walk)) is not None:
            help = f"{help}; {turn}" if help else turn
        raise Refusal("H01", error.message, span, help) from None
    layer = path
    if walk.network is not None and weights:
        cut, prefix = walk.network
        layer = prefix + path[cut:]
        if (first := walk.layers.get(layer)) is not None and first.weights != weights:
            old, new = (", ".join(f"{w.name} {list(w.shape)}" for w in ws) for ws in (first.weights, weights))
            network, at_call = walk.network_call()
            message = f"a network has one set of weights: {layer} has {old} from its first call, this call needs {new}"
            raise Refusal("H05", message, at_call or at, f"call '{network}' with as many channels each time")
    if path in walk.by_name:
        raise Refusal("N02", f"two layers would be named '{path}'", at, "give one of them a name with as:")
    if len(walk.nodes) >= walk.max_layers:
        raise LimitExceeded("B02", f"more than {walk.max_layers:,} layers", at)
    made = Node(path, op, tuple([r.tensor for r in results]), specs, outputs, weights, layer, at)
    walk.nodes.append(made)
    walk.by_name.add(path)
    if weights:
        walk.layers.setdefault(layer, made)
    if not is_several:
        return StepResult(Tensor(path), outputs[0])
    results = [StepResult(Tensor(path, i), spec) for i, spec in enumerate(outputs)]
    return Bundle(dict(zip(op.result_names or range(len(results)), results, strict=True)))


def _every_step(walk: Walk, result: StepResult) -> str | None:
    """How a recurrent layer that gives its last step alone gives them all, where a result is what one gave."""
    named, tensor = {node.name: node for node in walk.nodes}, result.tensor
    while result.spec.rank == 1 and (made := named.get(tensor.node)) is not None:
        op: Any = made.op
        layer = op.within
        if getattr(layer, "sequences", True) is False:
            inner = f"{layer.name}: {{units: {layer.units}, sequences: true}}"
            written = inner if layer is op else f"{op.name}: {{{inner}}}"
            return f"sequences: true gives every step, not the last: {written}"
        if len(made.inputs) != 1 or made.output.shape != made.input_specs[0].shape:
            return None
        tensor = made.inputs[0]
    return None


def _declared(walk: Walk, result: StepResult) -> tuple[Span, str] | None:
    """Where the file declares the input that a result is, of numbers in a row, and how as integers."""
    name = result.tensor.node
    document = walk.here.scope.frame.file.document if walk.here is not None else None
    section = document.tree.get("inputs") if document is not None else None
    if name not in walk.inputs or type(section) is not Map or name not in section or result.spec.rank != 1:
        return None
    raw = section[name]
    shape = raw.value_span("shape") if type(raw) is Map and "shape" in raw else section.value_span(name)
    return section.key_span(name), f"{name}: {{shape: {written_at(shape)}, dtype: int32}}"


def _of_integers(walk: Walk) -> str | None:
    """An input of the network that has integers, where a step reads another."""
    return next((name for name, spec in walk.inputs.items() if "int" in spec.dtype), None)


def _turn(walk: Walk) -> str | None:
    """The turn of the loop in which tensors do not meet: the order of its values may be what is wrong."""
    variables = walk.here.scope.variables if walk.here is not None else {}
    said = ", ".join(f"{name} = {shown(value)}" for name, value in list(variables.items())[:3])
    return f"this is the turn {said}: look at the loop's order, too" if said else None


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
