"""The network as TensorBoard draws graphs: a box for each op, within the boxes of its blocks, shapes on the arrows."""

from __future__ import annotations

from typing import Any

from archspec.ir.graph import Graph, Tensor
from archspec.ir.tensors import TensorSpec


def graph_def(graph: Graph) -> Any:
    """A ``GraphDef`` of the graph as it is written: not of what TensorFlow makes of a step, which has thousands of ops
    of its own. Of several networks, each is in a box of its name."""
    import tensorflow as tf

    made = tf.compat.v1.GraphDef()
    if not graph.networks:
        _add(made, graph, "")
    for name, network in graph.networks.items():
        _add(made, network, f"{name}/")
    return made


def _add(made: Any, graph: Graph, scope: str) -> None:
    def path(name: str) -> str:
        # TensorBoard's boxes are told by slashes.
        return f"{scope}{name}".replace(".", "/")

    def called(tensor: Tensor) -> str:
        return path(tensor.node) + (f":{tensor.port}" if tensor.port else "")

    for name, spec in graph.inputs.items():
        _shape(made.node.add(name=path(name), op="input"), [spec])
    for node in graph.nodes:
        found = made.node.add(name=path(node.name), op=node.op.name, input=map(called, node.inputs))
        _shape(found, node.outputs)
        if node.params:
            found.attr["params"].i = node.params
    for output in graph.outputs:
        made.node.add(name=path(f"outputs.{output.name}"), op="output", input=[called(output.tensor)])


def _shape(node: Any, outputs: Any) -> None:
    """The attribute by which TensorBoard knows what is on the arrows; sizes are of a batch of any size."""
    for spec in outputs:
        _add_shape(node.attr["_output_shapes"].list.shape.add(), spec)


def _add_shape(shape: Any, spec: TensorSpec) -> None:
    shape.dim.add(size=-1)
    for size in spec.shape:
        shape.dim.add(size=size if isinstance(size, int) else -1)
