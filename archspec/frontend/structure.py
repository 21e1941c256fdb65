"""``do``, ``branches``, ``residual`` and the merges that end them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.frontend.arguments import Arguments
from archspec.frontend.calls import call
from archspec.frontend.forms import form_hint
from archspec.frontend.naming import Names
from archspec.frontend.nodes import add, instance, tensors
from archspec.frontend.references import evaluated
from archspec.frontend.refusal import ADD_FROM, Poisoned, Refusal
from archspec.frontend.scope import POISON, Bundle, Scope, StepResult
from archspec.frontend.steps import CHAINS, MODIFIERS, PROJECTS, Step
from archspec.frontend.walk import Place, Walk, constants
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.aliases import suggested
from archspec.ir.diagnostics import Span, did_you_mean, plain, shown
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError

PROBE = 840
"""Stands for an open size while it is decided whether a skip fits: divisible by every stride up to 8."""


def do(walk: Walk, step: Step, place: Place, path: str | None) -> Any:
    if type(step.args) is not Seq:
        hint = form_hint(("do",), step.args)
        raise Refusal("S04", f"do takes a list of steps, got {shown(step.args)}", step.args_span(), hint)
    walk.chain(step.args, place)
    return place.prev


def branches(walk: Walk, step: Step, place: Place, path: str | None) -> Any:
    chains = step.args
    if type(chains) is not Seq or not chains:
        hint = "a branch is a list of steps: branches: [[conv: 16], [max_pool: 2]]"
        raise Refusal("S04", f"branches takes a list of chains, got {shown(chains)}", step.args_span(), hint)
    elements = {}
    for i, chain in enumerate(chains):
        if type(chain) is not Seq:
            message = f"a branch is a list of steps, got {shown(chain)}"
            walk.report("S04", message, chains.value_span(i), _branch_hint(chain))
            elements[i] = POISON
            continue
        branch = Place(place.scope, place.prev, Names(f"{path}.{i}.", walk.names_given(chain)))
        walk.chain(chain, branch)
        if branch.prev is None:
            message = "a branch gives nothing: there is no previous step here"
            walk.report("N01", message, chains.value_span(i), ADD_FROM)
        elements[i] = POISON if branch.prev is None else branch.prev
    if step.merge is None:
        return Bundle(elements, origin=("branches", step.span))
    try:
        op = merge_op(walk, step, place, step.merge)
        return merge(walk, step, op, list(elements.values()), lambda base: f"{path}.{base}")
    except Refusal as refusal:
        if refusal.code != "H01" or (odd := _at_odds(chains, elements)) is None:
            raise
        message = f"{refusal.message}; {odd}"
        hint = "its strides and padding must leave the sizes that the others have"
        raise Refusal("H01", message, step.span, hint) from None


def _at_odds(chains: Seq, elements: dict[int, Any]) -> str | None:
    """Which branch gives other sizes than all others do."""
    sizes = [e.spec.spatial if isinstance(e, StepResult) else None for e in elements.values()]
    alone = [i for i, size in enumerate(sizes) if sizes.count(size) == 1]
    if None in sizes or len(alone) != 1 or len(sizes) < 3:
        return None
    (i,) = alone
    return f"branch {i + 1}, at line {chains.value_span(i).line}, is the one that differs"


def _branch_hint(chain: object) -> str | None:
    """What to do with a branch that is no list."""
    if type(chain) is Map and all(key in MODIFIERS for key in chain) and chain:
        key = next(iter(chain))
        return f"{key} stands beside branches: {{branches: […], {key}: {plain(chain[key])}}}"
    if type(chain) is Map and len(chain) == 1 and Op.find(next(iter(chain))) is None:
        (only,) = chain.values()
        if type(only) is Seq and all(isinstance(item, (str, Map)) for item in only):
            return f"a branch has no name: {plain(only)}; as: in its last step gives its result one"
    return f"write [{plain(chain).removeprefix('{').removesuffix('}')}]" if isinstance(chain, (str, Map)) else None


def _residual_hint(key: str, given: Map) -> str | None:
    """What to do with a key of ``residual`` that is a modifier or a step."""
    if key in MODIFIERS:
        return f"{key} stands beside residual: {{residual: …, {key}: {plain(given[key])}}}"
    if key in PROJECTS and "project" not in given:
        return f"did you mean 'project'? ('{key}' is project in archspec)"
    if key in ("main", "main_path", "residual", *CHAINS) and "body" not in given:
        return f"did you mean 'body'? ('{key}' is body in archspec)"
    is_step = Op.find(key) is not None or (len(given) == 1 and isinstance(given[key], (Map, str)))
    return form_hint(("residual",), given) if is_step else None


def residual(walk: Walk, step: Step, place: Place, path: str | None) -> Any:
    body, project, at = step.args, None, step.given
    if type(body) is Map:
        for key in body:
            if key not in ("body", "project"):
                hint = _residual_hint(key, body) or did_you_mean(key, ("body", "project"))
                raise Refusal("P01", f"residual has no parameter '{key}'", body.key_span(key), hint)
        project, at, body = body.get("project"), body, body.get("body")
    if type(body) is not Seq:
        form = form_hint(("residual",), body) if body is not None else "residual: [conv: 32, relu]"
        if isinstance(body, str) and isinstance(place.scope.get(body), (StepResult, Bundle)):
            form = f"a result that meets the one before: add: [prev, {body}]"
        raise Refusal("S04", f"residual takes a list of steps, got {shown(body)}", step.args_span(), form)
    if project is None:
        at = place.scope.frame.file.defaults.get("residual")
        project = at.get("project", "auto") if at is not None else "auto"
    if not (project in ("auto", "none") or type(project) is Seq):
        hint = did_you_mean(project, ("auto", "none"))
        if type(project) is Map:
            hint = form_hint(("project",), project)
        elif isinstance(project, bool) or project in ("1x1", "yes", "true"):
            hint = f"project: {'none' if project is False else 'auto'}"
        elif isinstance(project, str) and hint is None:
            hint = f"steps are a list: project: [{project}]"
        message = f"residual.project must be auto, none or a list of steps, got {shown(project)}"
        raise Refusal("T01", message, at.value_span("project") if at else step.span, hint)
    raw = "add" if step.merge is None else step.merge
    op = merge_op(walk, step, place, raw)
    skip, scope = place.prev, place.scope
    is_open = isinstance(skip, StepResult) and None in skip.spec.spatial
    probed = _probed(walk, step, place, body) if is_open and op.is_projectable and project != "none" else None
    inner = Place(scope, skip, place.names)
    walk.chain(body, inner)
    out = inner.prev
    if skip is POISON or out is POISON:
        raise Poisoned
    if op.is_projectable and isinstance(skip, StepResult) and isinstance(out, StepResult):
        skip = _projected(walk, step, Place(scope, skip, place.names), project, out, op, probed)
    return merge(walk, step, op, [skip, out], place.names.auto)


def _projected(
    walk: Walk,
    step: Step,
    place: Place,
    project: Any,
    out: StepResult,
    op: Op,
    probed: tuple[TensorSpec, TensorSpec] | None,
) -> StepResult:
    """The skip (``place.prev``) as it meets the body's result: itself where it fits."""
    skip: StepResult = place.prev
    before, after = probed or (skip.spec, out.spec)
    try:
        op.infer(before, after)
        return skip
    except OpError as error:
        if project == "none":
            hint = f"project: auto inserts a 1x1 convolution; or let the body end in {skip.spec}"
            raise Refusal("H01", error.message, step.span, hint) from None
    path = place.names.auto("projection")
    if type(project) is Seq:
        inner = Place(place.scope, skip, Names(f"{path}.", walk.names_given(project)))
        walk.chain(project, inner)
        if inner.prev is POISON:
            raise Poisoned
        if not isinstance(inner.prev, StepResult):
            raise Refusal("H04", "project: needs one tensor", step.span)
        _check_projected(op, inner.prev.spec, out.spec, _project_span(step))
        return inner.prev
    stride = _stride(before, after)
    if stride is None or after.channels is None:
        message = f"no 1x1 convolution brings the skip {skip.spec} to {out.spec}"
        message += ", whose open sizes differ" if probed else ""
        raise Refusal("H02", message, step.span, "project: takes a list of steps")
    given: Arguments = {"channels": (after.channels, step.span), "stride": (stride, step.span)}
    file = place.scope.frame.file
    if (defaults := file.defaults.get("projection")) is not None:
        for name in defaults:
            given[name] = (evaluated(defaults[name], defaults, name, constants(file)), defaults.value_span(name))
    projected: StepResult = call(walk, walk.prelude.callees["projection"], lambda: given, skip, path, step.span)
    return projected


def _check_projected(op: Op, skip: TensorSpec, body: TensorSpec, at: Span) -> None:
    """Raises Refusal where what ``project`` gives does not meet the body's result."""
    try:
        op.infer(skip, body)
    except OpError:
        message = f"project brings the skip to {skip}, and the body gives {body}"
        raise Refusal("H01", message, at, _project_hint(skip, body)) from None


def _project_hint(skip: TensorSpec, body: TensorSpec) -> str:
    """What to change in ``project`` for it to give what the body does."""
    needs = []
    if skip.channels != body.channels:
        needs.append(f"{body.channels} channels")
    if skip.spatial != body.spatial and (stride := _stride(skip, body)) is not None:
        needs.append(f"a stride that is {stride} times as large")
    return f"project must give {body}" + (f": {' and '.join(needs)}" if needs else "")


def _project_span(step: Step) -> Span:
    """Where ``project`` is written."""
    given = step.args
    return given.value_span("project") if type(given) is Map and "project" in given else step.span


def _probed(walk: Walk, step: Step, place: Place, body: Seq) -> tuple[TensorSpec, TensorSpec]:
    """Shapes of the skip and of the body's result, were the open sizes PROBE: what is done to a size shows in them.

    Leaves no trace: neither nodes nor names nor mistakes. Raises Refusal where it cannot be told.
    """
    skip: StepResult = place.prev
    sizes = tuple(PROBE if n is None else n for n in skip.spec.spatial)
    before = TensorSpec((*sizes, skip.spec.channels), skip.spec.dtype)
    trace, walk.trace = walk.trace, None
    nodes, layers, problems, taken = len(walk.nodes), dict(walk.layers), dict(walk.problems), set(walk.by_name)
    scope = Scope(place.scope.frame, place.scope)
    inner = Place(scope, StepResult(skip.tensor, before), Names("probe.", walk.names_given(body)))
    try:
        walk.chain(body, inner)
        clean = len(walk.problems) == len(problems)
    finally:
        del walk.nodes[nodes:]
        walk.layers, walk.problems, walk.by_name, walk.trace = layers, problems, taken, trace
    out = inner.prev
    if not clean or not isinstance(out, StepResult) or None in out.spec.shape:
        message = f"whether the skip {skip.spec} fits what the steps make of it depends on an open size"
        raise Refusal("H02", message, step.span, "give the size with --set, or say project:")
    return before, out.spec


def merges() -> tuple[str, ...]:
    """What may stand after ``merge:``."""
    return tuple(op.name for op in Op.all() if op.is_merge)


def merge_op(walk: Walk, step: Step, place: Place, raw: object) -> Op:
    """The op of a ``merge:`` modifier: a name, or a one-op map."""
    at = step.modifier_span("merge") if step.merge is not None else step.span
    name, args = next(iter(raw.items())) if isinstance(raw, dict) and len(raw) == 1 else (raw, None)
    op = Op.find(name) if isinstance(name, str) else None
    if op is None or not op.is_merge:
        known = merges()
        message = f"merge must be one of {', '.join(known)}, got {shown(name)}"
        raise Refusal("T01", message, at, suggested("merge", name, known))
    given: Arguments = {}
    if type(args) is Map:
        given = {key: (evaluated(args[key], args, key, place), args.value_span(key)) for key in args}
    elif args is not None:
        first = next(iter(op.model_fields), None)
        hint = f"merge: {name}" if first is None else f"merge: {{{name}: {{{first}: {plain(args)}}}}}"
        raise Refusal("T01", f"merge: {name} takes arguments by name, got {shown(args)}", at, hint)
    return instance(walk, op, given, at)


def merge(walk: Walk, step: Step, op: Op, values: list[Any], path: Callable[[str], str]) -> StepResult:
    """One result of several, by the op that ``merge_op`` gives."""
    results = tensors(values)
    if not results:
        raise Refusal("H04", f"{op.name} needs at least one tensor", step.span)
    at = step.modifier_span("merge") if step.merge is not None else step.span
    made = add(walk, op, results, path(op.name), at, dict)
    assert isinstance(made, StepResult)
    return made


def one(given: object, step: Step) -> Any:
    """A single value for a structural step."""
    if given is None and step.op == "residual":
        raise Refusal("N01", "there is no previous step here", step.span, ADD_FROM)
    if isinstance(given, list):
        return Bundle(dict(enumerate(given)))
    if isinstance(given, dict):
        raise Refusal("H04", f"{step.op} takes one tensor, not ports", step.span, "from: NAME")
    return given


def _stride(before: TensorSpec, after: TensorSpec) -> int | None:
    """The least integer s with ⌈in / s⌉ = out on every spatial axis, if there is one."""
    if before.rank != after.rank or before.rank < 2:
        return None
    low, high = 1, None
    for n, m in zip(before.spatial, after.spatial, strict=True):
        if n is None or m is None or m > n:
            return None
        # ⌈n / s⌉ = m where n/m ≤ s < n/(m - 1).
        low = max(low, -(-n // m))
        if m > 1:
            high = min(high or n, (n - 1) // (m - 1))
    return low if high is None or low <= high else None


STRUCTURES: dict[str, Callable[[Walk, Step, Place, Any], Any]] = {"do": do, "branches": branches, "residual": residual}
