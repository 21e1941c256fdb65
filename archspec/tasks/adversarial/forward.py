"""The forward graph of a training step, computed by the layers of its networks without leaving a trace on them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from archspec.ir.graph import Node, Tensor
from archspec.ir.training import Training
from archspec.ops.base import ports

Values = dict[Tensor, Any]


class Forward:
    """Computes results of a body. ``layers`` are the networks' by name; ``updated`` names the networks that any step
    updates: the others are used as in inference."""

    def __init__(self, plan: Training, layers: Mapping[str, Any], updated: set[str]):
        self.body, self.updated = plan.body, updated
        self.layers = dict(layers)
        self.held: tuple[Node, ...] = tuple(n for n in plan.body.nodes if getattr(n.op, "is_held", False))
        for node in plan.body.nodes:
            if node.layer not in self.layers:
                # Nothing in a body but its calls of networks has weights.
                layer = self.layers[node.layer] = node.op.lower(*node.input_specs)
                layer.name = node.layer
        self.takes_training = {
            name: "training" in inspect.signature(layer.call).parameters for name, layer in self.layers.items()
        }

    def __call__(
        self,
        inputs: Values,
        targets: Iterable[Tensor],
        held: Values,
        watched: Mapping[Tensor, Any] | None = None,
        *,
        training: bool = True,
        mapping: list[tuple[Any, Any]] | None = None,
    ) -> tuple[Any, Values]:
        """The values of ``targets`` and all that they need, and the scope that holds what variables would have become.

        ``held`` are results that are not computed; ``watched`` says on which tape a tensor is watched once it is there;
        ``mapping`` gives variables other values.
        """
        values = {**inputs, **held}
        watched = watched or {}
        for tensor, tape in watched.items():
            if tensor in values:
                tape.watch(values[tensor])
        with keras.StatelessScope(state_mapping=mapping or []) as scope:
            for node in self._needed(targets, held):
                taken = [values[t] for t in node.inputs]
                layer, options = self.layers[node.layer], {}
                if self.takes_training[node.layer]:
                    options["training"] = training and node.layer.split(".")[0] in self.updated
                made = layer(taken, **options) if ports(type(node.op))[2] else layer(*taken, **options)
                for port, value in enumerate([made] if len(node.outputs) == 1 else made):
                    tensor = Tensor(node.name, port)
                    values[tensor] = value
                    if tensor in watched:
                        watched[tensor].watch(value)
        return scope, values

    def _needed(self, targets: Iterable[Tensor], held: Values) -> list[Node]:
        given = {t.node for t in held}
        wanted = {t.node for t in targets} - given
        kept = []
        for node in reversed(self.body.nodes):
            if node.name in wanted:
                kept.append(node)
                wanted.update(t.node for t in node.inputs if t.node not in given)
        return kept[::-1]
