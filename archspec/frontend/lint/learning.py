"""Networks that cannot learn what their loss asks: limited scores, softmax of softmax, losses without a gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.frontend.lint.rule import Rule, Subject, of_each_op, warning
from archspec.frontend.lint.shapes import pixels_apart
from archspec.frontend.steps import Step
from archspec.frontend.trace import Trace
from archspec.frontend.yaml_source import Map
from archspec.ir.diagnostics import Diagnostic, Note, Span
from archspec.ir.graph import Graph, Node, Output, Tensor, Training
from archspec.ir.training import TrainStep
from archspec.ops.base import Op, OpError
from archspec.ops.loss import Loss, activated, activation_of, gives_probabilities, probabilities_by

SMALLER = 4
"""How much smaller than the image a map of classes may be."""


def limited_scores(subject: Subject) -> Iterator[Diagnostic]:
    """W01: an activation that limits scores, before the loss that wants them or before the softmax that it gets."""
    for graph, trace, output in _heads(subject):
        node = _limiting(graph, output.tensor, output.loss)
        if node is None:
            continue
        last = activation_of(node)
        assert last is not None
        at, default = _activation_span(subject, trace, node)
        notes = (Note(f"{last.name} is this file's default for {default[0]}, given", default[1]),) if default else ()
        what = f"{last.name} limits the scores that {output.loss.name} gets from head '{output.head}'"
        own = probabilities_by(output.loss, last)
        assert own is not None
        help = f"activation: {own.name}, or linear: the loss takes raw scores, too"
        yield warning("W01", what, at, help, notes)
    for training, step in _updates(subject):
        for term in step.minimize:
            result = term.operands[0]
            if not isinstance(term.loss, Loss) or not isinstance(result, str) or term.operands[1] in training.targets:
                continue
            node = _limiting(training.body, training.results[result], term.loss)
            last = None if node is None else activation_of(node)
            if node is None or last is None:
                continue
            what = f"{last.name} limits the scores that {term.loss.name} gets from '{result}'"
            yield warning("W01", what, node.span, "let the network end without it: the loss takes raw scores")


def _limiting(graph: Graph, tensor: Tensor, loss: Loss) -> Node | None:
    """The node whose activation keeps the scores that a loss gets from being as far apart as they like."""
    node = activated(graph.by_name, tensor, through_means=False, through_scales=True)
    if node is not None and gives_probabilities(activation_of(node)) and node.op.is_view is False:
        node = _before(graph, node)
    last = None if node is None else activation_of(node)
    is_limited = last is not None and last.number == "limited" and _wants_scores(loss, last)
    return node if is_limited else None


def one_answer(subject: Subject) -> Iterator[Diagnostic]:
    """W19: an update whose every term wants one number of a network: it need not look at what it is shown."""
    for training, step in _updates(subject):
        wanted: dict[str, list[Any]] = {}
        for term in step.minimize:
            result = term.operands[0]
            if not isinstance(term.loss, Loss) or not isinstance(result, str):
                continue
            node = training.body.by_name.get(training.results[result].node)
            owner = "" if node is None else node.name.partition(".")[0] if not node.layer else node.layer.split(".")[0]
            wanted.setdefault(owner, []).append(term.operands[1] if len(term.operands) > 1 else None)
        for network, targets in wanted.items():
            is_one = len(targets) > 1 and len(set(targets)) == 1 and isinstance(targets[0], float)
            if network in step.update and is_one and step.span is not None:
                what = f"every term of this update wants {targets[0]:g} from '{network}', whatever it is shown"
                yield warning("W19", what, step.span, "real and made examples have different targets, such as 1 and 0")


def over_another_axis(subject: Subject) -> Iterator[Diagnostic]:
    """W08: shares that sum to 1 over another axis than the classes, before a loss of classes."""
    for graph, trace, output in _heads(subject):
        if output.loss.labels not in ("index", "one_hot"):
            continue
        node = activated(graph.by_name, output.tensor)
        last = None if node is None else activation_of(node)
        if node is None or last is None or not last.number.endswith("distribution") or _over_channels(node):
            continue
        axis = getattr(last, "axis", None)
        what = f"{last.name} over axis {axis} shares among positions, {output.loss.name} compares classes"
        at, _ = _activation_span(subject, trace, node)
        yield warning("W08", what, at, f"{last.name} alone is over channels, which are the classes")


def without_gradient(subject: Subject) -> Iterator[Diagnostic]:
    """W18: a head whose loss changes no weight: none is before it, or its gradient is stopped."""
    for graph, _, output in _heads(subject):
        seen, todo, is_stopped = set[str](), [output.tensor.node], False
        while todo:
            node = graph.by_name.get(todo.pop())
            if node is None or node.name in seen:
                continue
            seen.add(node.name)
            op: Any = node.op
            if op.stops_gradient:
                is_stopped = True
                continue
            if node.is_trained:
                break
            todo += [t.node for t in node.inputs]
        else:
            why = "what comes before is detached" if is_stopped else "no layer before it has any"
            what = f"the loss of head '{output.head}' changes no weight: {why}"
            help = "a layer with weights before the loss, or a head without loss"
            yield warning("W18", what, output.span or subject.document.key_span("heads"), help)


def without_weight(subject: Subject) -> Iterator[Diagnostic]:
    """W09: a loss that counts nothing."""
    for _, _, output in _heads(subject):
        if output.weight == 0:
            what = f"the loss of head '{output.head}' has weight 0: nothing is learnt from it"
            yield warning("W09", what, output.span or subject.document.key_span("heads"), "a weight above 0")


def _updates(subject: Subject) -> Iterator[tuple[Training, TrainStep]]:
    for graph in subject.graphs:
        if graph.training is not None:
            for step in graph.training.steps:
                yield graph.training, step


def twice(subject: Subject) -> Iterator[Diagnostic]:
    """W02: probabilities of probabilities, or of a single class."""
    probabilities = of_each_op(_probabilities)
    for graph in subject.graphs:
        for node in graph.nodes:
            if (last := probabilities(node)) is None:
                continue
            before = _before(graph, node)
            inner = None if before is None else activation_of(before)
            if inner is not None and gives_probabilities(inner):
                what = f"{last.name} of what {inner.name} gives: probabilities are taken for scores"
                yield warning("W02", what, node.span, "one of the two is enough")
            elif last.number == "distribution" and node.output.channels == 1 and _over_channels(node):
                help = "sigmoid gives one probability; softmax needs a channel for each class"
                yield warning("W02", "softmax over one channel is 1 whatever comes in", node.span, help)


def changed_probabilities(subject: Subject) -> Iterator[Diagnostic]:
    """W02: dropout or a norm between the probabilities of classes and their loss."""
    for graph, _, output in _heads(subject):
        if output.loss.labels not in ("index", "one_hot", "binary"):
            continue
        changed, node = None, graph.by_name.get(output.tensor.node)
        while node is not None and activation_of(node) is None and len(node.inputs) == 1:
            op: Any = node.op
            if op.is_random() or op.normalizes:
                changed = node
            elif not op.is_view:
                break
            node = graph.by_name.get(node.inputs[0].node)
        last = None if node is None else activation_of(node)
        if changed is not None and last is not None and gives_probabilities(last):
            what = f"{changed.op.name} behind {last.name}: {output.loss.name} gets other numbers than probabilities"
            yield warning("W02", what, changed.span, f"put {changed.op.name} before the layer that {last.name} is of")


def _probabilities(node: Node) -> Op | None:
    last = activation_of(node)
    return last if gives_probabilities(last) else None


def classes_at_positions(subject: Subject) -> Iterator[Diagnostic]:
    """W07: a class for every position of a map that is far smaller than the image, or that a dense layer made; or for
    every pixel, of none of which a neighbour is looked at."""
    for graph, _, output in _heads(subject):
        spec = graph.spec(output.tensor)
        images = [s for s in graph.inputs.values() if s.rank == 3 and None not in s.shape]
        if spec.rank != 3 or None in spec.shape or not images or output.loss.labels not in ("index", "one_hot"):
            continue
        sides = [n or 0 for n in spec.spatial]
        wide = max(n or 0 for image in images for n in image.spatial)
        if any(sides == list(image.spatial) for image in images):
            is_meant = not any(output.tensor.node in apart for apart in pixels_apart(graph).values())
        else:
            is_meant = wide <= SMALLER * max(sides) and not hasattr(_maker(graph, output.tensor), "units")
        if not is_meant:
            what = f"head '{output.head}' gives a class for each of {sides[0]}x{sides[1]} positions"
            help = "flatten or global_avg_pool before the last layer gives one for the image"
            yield warning("W07", what, output.span or subject.document.key_span("heads"), help)


def _maker(graph: Graph, tensor: Tensor) -> Any:
    """The op that a tensor's channels come from, which activations, dropout and norms leave as they are."""
    while (node := graph.by_name.get(tensor.node)) is not None:
        is_same = len(node.inputs) == 1 and node.output.shape == node.input_specs[0].shape
        if not is_same or hasattr(node.op, "units") or hasattr(node.op, "filters"):
            return node.op
        tensor = node.inputs[0]
    return None


FORGETFUL = 0.1
"""A momentum of at most so much is one as PyTorch counts it."""


def momentum_of_pytorch(subject: Subject) -> Iterator[Diagnostic]:
    """W29: averages of a batch norm that forget almost all at each step, as with PyTorch's momentum of 0.1."""
    seen: set[int] = set()
    for graph, trace in zip(subject.graphs, subject.traces, strict=True):
        for node in graph.nodes:
            momentum = getattr(node.op, "momentum", None)
            if id(node.op) in seen or momentum is None or not 0 < momentum <= FORGETFUL:
                continue
            seen.add(id(node.op))
            at = node.span if (step := _step(trace, node, subject)) is None else step.span
            kept = f"{100 * momentum:g} % of its averages"
            what = f"{node.op.name} keeps {kept} at each step, and is evaluated with those of the last batches"
            yield warning("W29", what, at, f"momentum: {1 - momentum:g}, which PyTorch calls {momentum:g}")


def _heads(subject: Subject) -> Iterator[tuple[Graph, Trace, Output]]:
    for graph, trace in zip(subject.graphs, subject.traces, strict=True):
        for output in graph.outputs:
            if output.loss is not None:
                yield graph, trace, output


def _wants_scores(loss: Loss, last: Op) -> bool:
    try:
        return loss.labels != "numbers" and loss.gets_logits(last)
    except OpError:
        return False


def _before(graph: Graph, node: Node) -> Node | None:
    """The activation that an activation is applied to; None for one that is the end of another layer."""
    op: Any = node.op
    is_step = op.computed.is_activation
    return activated(graph.by_name, node.inputs[0], through_means=False) if is_step else None


def _over_channels(node: Node) -> bool:
    op: Any = node.op
    op = getattr(op, "activation", None) or op.computed
    return op.axis in (-1, node.output.rank - 1)


def _activation_span(subject: Subject, trace: Trace, node: Node) -> tuple[Span, tuple[str, Span] | None]:
    """Where a node's activation is written: with the step, or in the ``defaults`` that the file has for its op."""
    step = _step(trace, node)
    if step is not None and step.op is not None and hasattr(node.op, "activation"):
        if isinstance(step.args, Map) and "activation" in step.args:
            return step.args.value_span("activation"), None
        document = subject.document
        defaults = document.spec.defaults.get(step.op)
        if step.container.source is document.source and defaults is not None and "activation" in defaults:
            return node.span, (step.op, defaults.value_span("activation"))
    return node.span, None


def _step(trace: Trace, node: Node, within: Subject | None = None) -> Step | None:
    """The innermost step that made a node; of those in a file's own text, where one is given."""
    index = next((i for i, made in enumerate(trace.nodes) if made is node), None)
    found = None
    for execution in trace.executions:
        is_own = within is None or execution.step.container.source is within.document.source
        if index is not None and execution.first <= index < execution.last and is_own:
            found = execution.step
    return found


BUILT: tuple[Rule, ...] = (
    limited_scores,
    twice,
    changed_probabilities,
    classes_at_positions,
    over_another_axis,
    without_gradient,
    without_weight,
    one_answer,
    momentum_of_pytorch,
)
