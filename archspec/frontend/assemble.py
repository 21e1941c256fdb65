"""A file with its parameters → Graph: inputs, the body or the networks, heads, the training section, what is expected."""

from __future__ import annotations

from typing import Any

from archspec.frontend.arguments import Arguments
from archspec.frontend.calls import body, call, file_of
from archspec.frontend.document import FIGURES, Document, Head, is_direct, place
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.files import Library
from archspec.frontend.naming import Names, key_texts
from archspec.frontend.references import evaluated, reference
from archspec.frontend.refusal import Exhausted, Poisoned, Refusal
from archspec.frontend.scope import POISON, Family, Frame, Result, Scope, described
from archspec.frontend.walk import File, Place, constants
from archspec.frontend.yaml_source import Map, Seq, value_span
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import Span, SpecError, did_you_mean, shown
from archspec.ir.graph import Expect, Graph, Node, Output, Tensor, Term, Training, TrainStep, reachable
from archspec.ir.tensors import Size, TensorSpec
from archspec.ir.validation import refused
from archspec.ops.base import OpError

DTYPES = ("float32", "float16", "bfloat16", "float64", "int32", "int64", "uint8", "bool")
Shapes = dict[str, tuple[Size, ...]]


def assemble(
    document: Document,
    library: Library,
    *,
    variant: str | None = None,
    args: Arguments | None = None,
    shapes: Shapes | None = None,
    max_layers: int | None = None,
    thorough: bool = False,
) -> Graph:
    """The graph of a file. Raises SpecError with every independent mistake.

    ``shapes`` replaces the shapes of inputs; ``thorough`` also looks at blocks that nothing calls.
    """
    walk = Elaborator(library, **({} if max_layers is None else {"max_layers": max_layers}))
    graph: Graph | None = None
    try:
        graph = walk.attempt(_graph, walk, document, variant, args or {}, shapes or {})
        if walk.problems or thorough:
            walk.uncalled(document)
    except Exhausted as limit:
        walk.report(limit.code, limit.message, limit.span, limit.help)
    if walk.problems:
        raise SpecError(walk.problems.values())
    assert isinstance(graph, Graph)
    return graph


def _graph(walk: Elaborator, document: Document, variant: str | None, args: Arguments, shapes: Shapes) -> Graph:
    spec = document.spec
    file = file_of(walk, document, args, document.span("name"), variant=variant)
    common: dict[str, Any] = {
        "name": spec.name,
        "variant": variant,
        "doc": spec.title,
        "params": {k: v for k, v in file.params.items() if isinstance(v, (str, int, float, bool, list, dict))},
        "expect": _expect(document, variant) if not args and not shapes else None,
        "sources": tuple(d.source for d in walk.library.documents.values()),
    }
    if spec.body is None:
        return _networks(walk, file, common)
    outside = constants(file)
    inputs = _inputs(walk, spec.inputs, outside)
    for name, shape in shapes.items():
        inputs[name] = TensorSpec(shape, inputs[name].dtype)
    results: dict[str, Any] = {n: POISON if s is None else Result(Tensor(n), s) for n, s in inputs.items()}
    walk.by_name |= set(inputs)
    end = body(walk, file, results, "")
    outputs = _heads(walk, document, end)
    if walk.problems:
        raise Poisoned
    nodes = reachable(tuple(walk.nodes), [o.tensor for o in outputs])
    training = _training(walk, file) if spec.train is not None else None
    return Graph(
        inputs={n: s for n, s in inputs.items() if s is not None},
        nodes=nodes,
        outputs=outputs,
        training=training,
        **common,
    )


# -- inputs ------------------------------------------------------------------------------------------------------------


def _inputs(walk: Elaborator, section: Map | None, outside: Place) -> dict[str, TensorSpec | None]:
    """Specs of the inputs that a section declares; None where one is wrong."""
    out: dict[str, TensorSpec | None] = {}
    for name in section or ():
        found = walk.attempt(_input, walk, section, name, outside)
        out[name] = None if found is POISON else found
    return out


def _input(walk: Elaborator, section: Any, name: str, outside: Place) -> TensorSpec:
    raw, container, key = section[name], section, name
    dtype = "float32"
    if type(raw) is Map:
        for k in raw:
            if k not in ("shape", "dtype"):
                raise Refusal("S01", f"an input has no key '{k}'", raw.key_span(k), did_you_mean(k, ("shape", "dtype")))
        if "shape" not in raw:
            raise Refusal("S02", f"input '{name}' needs 'shape'", section.key_span(name))
        dtype = raw.get("dtype", "float32")
        if dtype not in DTYPES:
            message = f"dtype must be one of {', '.join(DTYPES)}, got {shown(dtype)}"
            raise Refusal("T01", message, raw.value_span("dtype"), did_you_mean(dtype, DTYPES))
        raw, container, key = raw["shape"], raw, "shape"
    if isinstance(raw, str) and raw[:1] == "=":
        sizes = evaluated(raw, container, key, outside)
        if not isinstance(sizes, list):
            raise Refusal(
                "T01", f"the shape of input '{name}' must be a list, got {shown(sizes)}", value_span(container, key)
            )
        places = [value_span(container, key)] * len(sizes)
    elif isinstance(raw, Seq):
        # A bare word that is not an expression is a size left open, under a name.
        sizes = [
            None if isinstance(s, str) and s[:1] != "=" else evaluated(s, raw, i, outside) for i, s in enumerate(raw)
        ]
        places = [raw.value_span(i) for i in range(len(raw))]
    else:
        hint = "channels last, without the batch: [224, 224, 3]"
        raise Refusal(
            "T01", f"the shape of input '{name}' must be a list, got {shown(raw)}", value_span(container, key), hint
        )
    if len(sizes) > 8:
        raise Refusal("T01", f"input '{name}' has {len(sizes)} axes, at most 8 go", value_span(container, key))
    for size, at in zip(sizes, places, strict=True):
        if size is not None and (type(size) is not int or not 0 < size <= 2**31):
            raise Refusal("T01", f"a size must be a positive integer, got {shown(size)}", at)
        if size is not None and size > 2**20 and len(sizes) > 2:
            raise Refusal("T01", f"a size of {size} is beyond the limit of 2^20", at)
    return TensorSpec(tuple(sizes), dtype)


# -- heads -------------------------------------------------------------------------------------------------------------


def _heads(walk: Elaborator, document: Document, end: Place) -> tuple[Output, ...]:
    heads = document.spec.heads
    if not heads:
        if end.prev is POISON:
            return ()
        at = document.key_span("body")
        if end.prev is None:
            walk.report("N01", "the body gives nothing", at)
            return ()
        return _outputs("output", None, end.prev, at)
    out: list[Output] = []
    for name in heads:
        made = walk.attempt(_head, walk, document, heads, name, end)
        if made is not POISON:
            out += made
    return tuple(out)


def _head(walk: Elaborator, document: Document, heads: Map, name: str, end: Place) -> tuple[Output, ...]:
    raw, at = heads[name], heads.key_span(name)
    head = Head(body=raw) if isinstance(raw, Seq) else Head.model_validate(raw if raw is not None else {})
    where = raw if isinstance(raw, Map) else heads
    scope = Scope(end.scope.frame, end.scope)
    start = end.prev
    if head.from_ is not None:
        start = walk.attempt(_from, walk, raw, end)
    if start is None:
        raise Refusal("N01", f"head '{name}' has nothing to stand on", at, "say from:")
    inner = Place(
        scope, start, Names(f"{name}.", walk.names_given(head.body) if head.body is not None else frozenset())
    )
    if head.body is not None:
        walk.chain(head.body, inner)
    loss = walk.attempt(_declared, walk, "loss", head.loss, where, "loss", end) if head.loss is not None else None
    weight = walk.attempt(_number, walk, head.weight, where, "weight", end)
    train_only = walk.attempt(_flag, walk, head.train_only, where, "train_only", end)
    metrics = walk.attempt(_metrics, walk, head.metrics, raw, end) if head.metrics is not None else ()
    if POISON in (loss, weight, train_only, metrics) or inner.prev is POISON:
        raise Poisoned
    outputs = _outputs(name, name, inner.prev, at, loss, weight, train_only, metrics)
    if loss is not None:
        span = place(document.tree, ("heads", name, "loss"))
        for result in _flat(inner.prev):
            try:
                loss.target(result.spec)
            except OpError as error:
                raise Refusal("H06", f"head '{name}': {error.message}", span, error.help) from None
        if why := _contradiction(walk, loss, outputs):
            raise Refusal("H06", f"head '{name}': {why.message}", span, why.help)
    return outputs


def _from(walk: Elaborator, raw: Map, end: Place) -> Any:
    at = raw["from"]
    if isinstance(at, Seq):
        return Family({i: reference(r, at, i, end) for i, r in enumerate(at)})
    return reference(at, raw, "from", end)


def _contradiction(walk: Elaborator, loss: Any, outputs: tuple[Output, ...]) -> OpError | None:
    """Why what a loss asks for is not what the head gives, by the head's last op."""
    from archspec.ops.loss import last_activation

    by_name = {node.name: node for node in walk.nodes}
    for output in outputs:
        try:
            loss.gets_logits(last_activation(by_name, output.tensor))
        except OpError as error:
            return error
    return None


def _flat(value: Any) -> list[Result]:
    return list(value.flat()) if isinstance(value, Family) else [value]


def _outputs(
    name: str,
    head: str | None,
    value: Any,
    at: Span,
    loss: Any = None,
    weight: float = 1.0,
    train_only: bool = False,
    metrics: tuple[Any, ...] = (),
) -> tuple[Output, ...]:
    if isinstance(value, Family):
        made: list[Output] = []
        for text, element in zip(key_texts(list(value.elements)), value.elements.values(), strict=True):
            made += _outputs(f"{name}.{text}", head, element, at, loss, weight, train_only, metrics)
        return tuple(made)
    if value is POISON:
        raise Poisoned
    return (Output(name, value.tensor, head, loss, weight, train_only, metrics, at),)


def _number(walk: Elaborator, raw: Any, container: Any, key: str, end: Place) -> float:
    value = evaluated(raw, container, key, end) if isinstance(raw, str) else raw
    if type(value) not in (int, float):
        raise Refusal("T01", f"{key} must be a number, got {shown(value)}", value_span(container, key))
    return float(value)


def _flag(walk: Elaborator, raw: Any, container: Any, key: str, end: Place) -> bool:
    value = evaluated(raw, container, key, end) if isinstance(raw, str) else raw
    if type(value) is not bool:
        hint = "archspec uses YAML 1.2 booleans: true/false" if value in ("yes", "no", "on", "off") else None
        raise Refusal("T01", f"{key} must be true or false, got {shown(value)}", value_span(container, key), hint)
    return value


def _metrics(walk: Elaborator, raw: Any, head: Map, end: Place) -> tuple[Any, ...]:
    if not isinstance(raw, Seq):
        raise Refusal("T01", f"metrics must be a list, got {shown(raw)}", head.value_span("metrics"))
    return tuple(_declared(walk, "metric", item, raw, i, end) for i, item in enumerate(raw))


def _declared(walk: Elaborator, word: str, raw: Any, container: Any, key: Any, end: Place) -> Any:
    """A loss or metric: ``NAME`` or ``{NAME: args}``. Raises Refusal."""
    from pydantic import ValidationError

    from archspec.ops.loss import Loss

    kind: type[Declaration] = Loss
    if word == "metric":
        from archspec.ops.metric import Metric

        kind = Metric
    at = value_span(container, key)
    if isinstance(raw, Map) and len(raw) == 1:
        (name,) = raw
        args, inner = raw[name], raw
        at = raw.key_span(name)
    elif isinstance(raw, str):
        name, args, inner = raw, None, container
    else:
        raise Refusal("T01", f"{word} must be a name, or {{name: arguments}}, got {shown(raw)}", at)
    member = kind.find(name)
    if member is None:
        raise Refusal(
            "N00",
            f"unknown {word} {shown(name)}",
            at,
            did_you_mean(name, kind.names()) or f"known are {', '.join(kind.names())}",
        )
    value = evaluated(args, inner, name if inner is raw else key, end) if args is not None else {}
    if not isinstance(value, dict):
        if member.main is None:
            raise Refusal("P04", f"{name} takes no single value, got {shown(value)}", at)
        value = {member.main: value}
    try:
        return member.model_validate(value)
    except ValidationError as error:
        first = refused(error)[0]
        argument = str(first.path[0]) if first.path else ""
        span = args.value_span(argument) if isinstance(args, Map) and argument in args else at
        if first.kind == "unknown":
            hint = did_you_mean(argument, member.model_fields)
            raise Refusal("P01", f"{name} has no parameter '{argument}'", span, hint) from None
        if first.kind == "missing":
            raise Refusal("P02", f"{name} needs parameter '{argument}'", at) from None
        raise Refusal("T01", f"{name}.{argument} {first.message}", span, first.help) from None


# -- several networks --------------------------------------------------------------------------------------------------


def _networks(walk: Elaborator, file: File, common: dict[str, Any]) -> Graph:
    """A spec of networks without a body: each on its own inputs, side by side."""
    document = file.document
    networks: dict[str, Graph] = {}
    for name, block in document.spec.networks.items():
        made = walk.attempt(_network, walk, file, name, block, common)
        if made is not POISON:
            networks[name] = made
    if walk.problems:
        raise Poisoned
    inputs = {f"{n}.{i}": s for n, g in networks.items() for i, s in g.inputs.items()}
    nodes = tuple(node for g in networks.values() for node in g.nodes)
    outputs = tuple(
        Output(f"{n}.{o.name}", o.tensor, None, span=o.span) for n, g in networks.items() for o in g.outputs
    )
    training = _training(walk, file) if document.spec.train is not None else None
    if walk.problems:
        raise Poisoned
    return Graph(inputs=inputs, nodes=nodes, outputs=outputs, networks=networks, training=training, **common)


def _network(walk: Elaborator, file: File, name: str, block: Any, common: dict[str, Any]) -> Graph:
    at = file.document.key_span("networks", name)
    if not isinstance(block.inputs, Map):
        hint = "inputs: {x: [64, 64, 3]}"
        raise Refusal("S02", f"network '{name}' needs inputs with shapes: the file has no body that calls it", at, hint)
    specs = _inputs(walk, block.inputs, constants(file))
    given = {n: POISON if s is None else Result(Tensor(f"{name}.{n}"), s) for n, s in specs.items()}
    first = len(walk.nodes)
    end = call(walk, file.callees[name], {}, given, name, at)
    if end is POISON:
        raise Poisoned
    outputs = _outputs("output", None, end, at)
    nodes = reachable(tuple(walk.nodes[first:]), [o.tensor for o in outputs])
    inputs = {f"{name}.{n}": s for n, s in specs.items() if s is not None}
    return Graph(
        **{**common, "name": name, "variant": None, "expect": None}, inputs=inputs, nodes=nodes, outputs=outputs
    )


def _training(walk: Elaborator, file: File) -> Training | None:
    """The ``train`` section: the forward graph of a step and its updates."""
    document, train = file.document, file.document.spec.train
    assert train is not None
    outside = constants(file)
    specs = _inputs(walk, train.inputs, outside)
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
    walk: Elaborator, document: Document, steps: Seq, i: int, raw: Any, known: dict[str, Any], outside: Place
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
    terms = [walk.attempt(_term, walk, minimize, n, known, outside) for n in range(len(minimize))]  # type: ignore[misc]
    if any(t is POISON for t in terms):
        raise Poisoned
    return TrainStep(tuple(update), tuple(terms), at)


def _term(walk: Elaborator, minimize: Seq, n: int, known: dict[str, Any], outside: Place) -> Term:
    raw, at = minimize[n], minimize.value_span(n)
    if not isinstance(raw, Map):
        raise Refusal("S04", f"a term is {{loss: [result, target], weight: …}}, got {shown(raw)}", at)
    names = [key for key in raw if key != "weight"]
    if len(names) != 1:
        raise Refusal("S04", f"a term has one loss, found {' and '.join(names) or 'none'}", at)
    (name,) = names
    operands = raw[name]
    loss = _declared(walk, "loss", name, raw, name, outside)
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
        wanted = loss.target(known[taken[0]].spec)
    except OpError as error:
        raise Refusal("H06", error.message, operands.value_span(0), error.help) from None
    if isinstance(taken[1], str) and known[taken[1]].spec.shape != wanted.shape:
        message = f"{name} compares {known[taken[0]].spec} with {wanted}, '{taken[1]}' is {known[taken[1]].spec}"
        raise Refusal("H06", message, operands.value_span(1))
    weight = raw.get("weight", 1.0)
    return Term(loss, tuple(taken), _number(walk, weight, raw, "weight", outside), at)


# -- expectations ------------------------------------------------------------------------------------------------------


def _expect(document: Document, variant: str | None) -> Expect | None:
    """What the file says of this variant, or of itself."""
    expect = document.spec.expect
    if expect is None:
        return None
    path: tuple[str, ...] = ("expect",)
    if not is_direct(expect):
        name = variant or document.spec.name
        if name not in expect:
            return None
        path, expect = ("expect", name), expect[name]
    elif variant is not None:
        return None
    training = expect.get("training") or {}
    spans = {(k,): document.span(*path, k) for k in expect if k in FIGURES}
    spans |= {("training", k): document.span(*path, "training", k) for k in training}
    figures = {k: v for k, v in expect.items() if k in FIGURES}
    return Expect(figures, dict(training), expect["source"], document.key_span(*path), spans)
