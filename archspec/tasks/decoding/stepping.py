"""A recurrent network as it reads one token at a time: what its layers remember comes in and goes out.

    incremental(graph) the same layers on a sequence of length 1; every state is an input ``LAYER.state`` (of an LSTM
                       also ``LAYER.cell``) and an output of the same name

It has the weights of the whole: layers keep their names. Needs no Keras.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from archspec.analysis.reach import non_causal_nodes
from archspec.ir.diagnostics import Note
from archspec.ir.graph import Graph, Node, Output, Tensor
from archspec.ir.tensors import TensorSpec
from archspec.ops.reach import POINT
from archspec.training.task import TaskError


@dataclass(frozen=True, slots=True)
class IncrementalGraph:
    """The network that reads one token, the name of its input for that, its head, and the channels of its states by
    name."""

    graph: Graph
    tokens: str
    head: str
    states: dict[str, int]


def incremental(graph: Graph) -> IncrementalGraph | None:
    """None where the network does more than remember: attention, convolutions, positions."""
    graph = graph.inference()
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return None
    (tokens, spec), (head,) = *graph.inputs.items(), graph.outputs
    if spec.rank != 1:
        return None
    inputs, nodes, outputs = {tokens: replace(spec, shape=(1,))}, list[Node](), [head]
    states: dict[str, int] = {}
    known: dict[Tensor, TensorSpec] = {Tensor(tokens): inputs[tokens]}
    for node in graph.nodes:
        op: Any = node.op
        taken = node.inputs
        if op.carries and op.sequences and not op.reverse and len(taken) == 1 and not op.states:
            op = op.model_copy(update={"states": True})
            for port, word in enumerate(op.carries, 1):
                name = f"{node.name}.{word}"
                states[name] = op.units
                known[Tensor(name)] = inputs[name] = TensorSpec((op.units,))
                taken = (*taken, Tensor(name))
                outputs.append(Output(name, Tensor(node.name, port)))
        elif not _is_apart(node):
            return None
        made = op.infer(*(known[t] for t in taken))
        made = made if isinstance(made, tuple) else (made,)
        known.update((Tensor(node.name, port), out) for port, out in enumerate(made))
        specs = tuple(known[t] for t in taken)
        nodes.append(replace(node, op=op, inputs=taken, input_specs=specs, outputs=made))
    stepping = replace(graph, inputs=inputs, nodes=tuple(nodes), outputs=tuple(outputs))
    return IncrementalGraph(stepping, tokens, head.name, states)


def _is_apart(node: Node) -> bool:
    """Whether every step is treated by itself, and all of them alike."""
    op: Any = node.op
    if op.is_positional() or any(o.shape[:1] != x.shape[:1] for x in node.input_specs for o in node.outputs):
        return False
    return all(axes is not None and axes[0] == POINT for axes in op.reach(*node.input_specs))


def check_causal(graph: Graph, tokens: str) -> None:
    """Refuse a network whose steps of ``tokens`` see later ones. Raises TaskError."""
    for node in non_causal_nodes(graph, tokens):
        raise TaskError(
            f"'{node.name}' ({node.op.name}) reads later steps: the network would be given what it is to predict",
            at=("spec",),
            help=getattr(node.op, "causal_by", None) or "layers that read from left to right",
            notes=(Note(f"layer '{node.name}'", node.span),),
        )
