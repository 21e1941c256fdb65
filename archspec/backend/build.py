"""Graph → keras.Model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import import_keras
from archspec.backend.seams.models import mask_of, name_outputs, takes_list
from archspec.ir.diagnostics import Diagnostic, SpecError, did_you_mean, shown
from archspec.ir.graph import Graph, Node, Tensor, must_be_graph
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, ports
from archspec.ops.per_item import PerItem, one_of

if TYPE_CHECKING:
    import keras


class BuildError(Exception):
    """A defect of archspec: a layer is not what its op's static rules say."""


def compile(
    graph: Graph, *, training: bool = False, optimizer: str | Mapping[str, Any] | keras.Optimizer | None = None
) -> keras.Model:
    """The Keras model of a graph: one layer for each node, named as the node; nodes of one layer share it. Around the
    layer of a node of items, two others fold these into the batch and back.

    A single input or output is plain; several are dicts by their names. Without ``training``, the heads that only
    training needs are left out. The model's ``output_names`` are those of the heads. With an ``optimizer``, as
    ``keras.Model.compile`` takes it, the model is compiled with the losses, weights and metrics of the heads; those
    that only training needs are there.

    Raises MissingExtra without Keras, TypeError for what is no graph; with an optimizer, ValueError where Keras has
    none of that name or no head has a loss, OpError where one does not suit its head; SpecError where Keras does not
    make a layer of its own as a ``keras`` step says it.
    """
    must_be_graph(graph, "archspec.compile")
    keras = import_keras()
    if optimizer is not None:
        optimizer = _optimizer(keras, optimizer)
    training = training or optimizer is not None
    if keras.backend.backend() == "torch":
        from archspec.backend.seams.torch_layers import allow_dots

        allow_dots()
    graph = graph if training else graph.inference()
    inputs = {name: keras.Input(spec.shape, dtype=spec.dtype, name=name) for name, spec in graph.inputs.items()}
    tensors: dict[Tensor, Any] = {Tensor(name): tensor for name, tensor in inputs.items()}
    layers: dict[str, Any] = {}
    policy, heads = keras.config.dtype_policy(), {output.tensor.node for output in graph.outputs}
    calls = Counter(node.layer for node in graph.nodes)
    for node in graph.nodes:
        layer = layers.get(node.layer)
        taken = [tensors[tensor] for tensor in node.inputs]
        if layer is None:
            # In half precision probabilities and losses are too coarse.
            computed = keras.DTypePolicy(policy.variable_dtype) if node.name in heads else policy
            # Of a layer that is called again a later call may have a mask.
            is_unmasked = calls[node.layer] == 1 and all(mask_of(tensor) is None for tensor in taken)
            layer = _of_keras(node, partial(_lowered, keras, node, computed, is_unmasked))
            layers[node.layer] = layer
        made = _of_keras(node, partial(called, node, layer, taken))
        _agreed(node, made)
        if len(node.outputs) == 1:
            tensors[Tensor(node.name)] = made
        else:
            tensors.update((Tensor(node.name, port), tensor) for port, tensor in enumerate(made))
    _verify(graph, layers)
    outputs = {output.name: tensors[output.tensor] for output in graph.outputs}
    model = keras.Model(_plain(inputs), _plain(outputs), name=_identifier(graph.variant or graph.name))
    # Keras would call them by their layers.
    name_outputs(model, keras.tree.flatten({name: name for name in outputs}))
    if optimizer is not None:
        from archspec.backend.objective import objective

        model.compile(optimizer=optimizer, **objective(graph))
    return model


def _of_keras(node: Node, make: Callable[[], Any]) -> Any:
    """What ``make`` gives; of a layer that Keras alone knows, what Keras says against it is told at the step. Raises
    SpecError."""
    op: Any = node.op
    if not op.of_keras:
        return make()
    try:
        return make()
    except Exception as error:
        # Whatever Keras raises: it does not say what a layer may refuse its arguments with.
        said = " ".join(str(error).split()) or type(error).__name__
        message = f"Keras does not make {op.layer}: {said if len(said) <= 200 else said[:200] + '…'}"
        raise SpecError([Diagnostic("K01", message, node.span, None)]) from error


def _agreed(node: Node, made: Any) -> None:
    """Raises SpecError where a layer that Keras alone knows gives another shape or type than the step says."""
    op: Any = node.op
    if not op.of_keras:
        return
    found = TensorSpec(tuple(made.shape[1:]), node.output.dtype)
    pairs = zip(found.shape, node.output.shape, strict=False)
    if found.rank != node.output.rank or any(a != b for a, b in pairs if None not in (a, b)):
        help = f"shape: [{', '.join('null' if n is None else str(n) for n in found.shape)}]"
        message = f"Keras's {op.layer} of {node.input_specs[0]} gives {found}, the spec has {node.output}"
        raise SpecError([Diagnostic("K01", message, node.span, help if op.shape is not None else None)])


def _lowered(keras: Any, node: Node, policy: Any, is_unmasked: bool) -> Any:
    """The layer of a node, which computes by a policy, as do layers within it, unless its op says what it gives."""
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        plain = node.op.lower_unmasked(*node.input_specs) if is_unmasked else None
        layer = node.op.lower(*node.input_specs) if plain is None else plain
    finally:
        keras.config.set_dtype_policy(usual)
    layer.name = node.layer
    return layer


def _optimizer(keras: Any, said: str | Mapping[str, Any] | keras.Optimizer) -> keras.Optimizer:
    """Keras's optimizer. Raises ValueError for a name that it has not, and for a map that is none of Keras's."""
    if isinstance(said, Mapping) and "class_name" not in said:
        raise ValueError(
            "an optimizer is a name, an object such as keras.optimizers.SGD(0.1), or what keras.optimizers.serialize "
            f"makes, a map of 'class_name' and 'config', got {shown(said)}"
        )
    try:
        made: keras.Optimizer = keras.optimizers.get(said)
        return made
    except (ValueError, TypeError):
        name = said if isinstance(said, str) else str(said.get("class_name")) if isinstance(said, Mapping) else None
        bases = ("Optimizer", "LossScaleOptimizer")
        known = [k for k, kind in vars(keras.optimizers).items() if isinstance(kind, type) and k not in bases]
        if name is None or name.lower() in map(str.lower, known):
            raise
    hint = did_you_mean(name, [*known, *map(str.lower, known)]) or f"it has {', '.join(known)}"
    raise ValueError(f"Keras has no optimizer {shown(name)}; {hint}")


def called(node: Node, layer: Any, tensors: Sequence[Any], **options: Any) -> Any:
    """What a node's layer gives of tensors, one of each input; ``options`` are arguments of the call."""
    op: Op | PerItem = node.op  # type: ignore[assignment]
    if not isinstance(op, PerItem):
        takes_all = ports(type(op))[2] or takes_list(layer)
        return layer(list(tensors), **options) if takes_all else layer(*tensors, **options)
    # Items may have items of their own.
    one = replace(item_of(node), name=f"{node.name}.item")
    made = called(one, layer, folded(node, tensors), **options)
    found = unfolded(node, made if len(node.outputs) > 1 else [made])
    return found if len(node.outputs) > 1 else found[0]


def item_of(node: Node) -> Node:
    """What a node that does something for each item does for one."""
    op: Op | PerItem = node.op  # type: ignore[assignment]
    if not isinstance(op, PerItem):
        return node
    specs = op.of_item(node.input_specs)
    return replace(node, op=op.op, input_specs=specs, outputs=tuple(map(one_of, node.outputs)))


def folded(node: Node, tensors: Sequence[Any]) -> list[Any]:
    """What a node that does something for each item takes, with the items as examples."""
    from archspec.layers.items import FoldItems

    op: Any = node.op
    items = op.items(node.input_specs)
    return [
        FoldItems(0 if split else items, dtype=spec.dtype, name=f"{node.name}.item.{k}")(tensor)
        for k, (tensor, spec, split) in enumerate(zip(tensors, node.input_specs, op.is_split, strict=True))
    ]


def unfolded(node: Node, tensors: Sequence[Any]) -> list[Any]:
    """What such a node gives, of what comes of the items as examples."""
    from archspec.layers.items import UnfoldItems

    op: Any = node.op
    items = op.items(node.input_specs)
    return [
        UnfoldItems(items, dtype=spec.dtype, name=f"{node.name}.items.{k}")(tensor)
        for k, (tensor, spec) in enumerate(zip(tensors, node.outputs, strict=True))
    ]


def _verify(graph: Graph, layers: dict[str, Any]) -> None:
    """Raises BuildError where a layer's weights are not those of its node."""
    for node in graph.owners():
        found = [(weight_name(w, node.layer), tuple(w.shape)) for w in layers[node.layer].weights]
        if found != [(w.name, w.shape) for w in node.weights]:
            raise BuildError(f"{node.name} ({node.op.name}): weights are {found}, expected {node.weights}")


def weight_name(variable: Any, layer: str) -> str:
    """A Keras variable's path below its layer, as WeightSpec names it."""
    name: str = variable.path.removeprefix(f"{layer}/")
    return name


def _plain(tensors: dict[str, Any]) -> Any:
    return next(iter(tensors.values())) if len(tensors) == 1 else tensors


def _identifier(name: str) -> str:
    """A model name that TensorFlow takes as a scope."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_.-") or "model"
