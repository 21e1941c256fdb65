"""The forward graph of a training step, computed by the layers of its networks without leaving a trace on them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from archspec.ir.graph import Node, Tensor, Training
from archspec.ops.base import ports

Values = dict[Tensor, Any]


class Forward:
    """Computes results of a body. ``layers`` are the networks' by name; ``updated`` names the networks that any step
    updates: the others are used as in inference."""

    def __init__(self, plan: Training, layers: Mapping[str, Any], updated: set[str]):
        self.body = plan.body
        self.layers = dict(layers)
        self.held: tuple[Node, ...] = tuple(n for n in plan.body.nodes if getattr(n.op, "is_held", False))
        calls = _calls(plan)
        self.layer_of: dict[str, Any] = {}
        """The layer of a node, by the node's name."""
        self.trains: dict[str, bool | None] = {}
        """Whether a node computes as in training; None where its layer knows no difference."""
        for node in plan.body.nodes:
            network, within = _called(node, calls)
            own = self.layers.get(node.layer) or self.layers.get(within)
            if own is None or not (node.weights or _takes_training(own)):
                # Without weights or states it is one of its own for each call, whose sizes may differ.
                own = node.op.lower(*node.input_specs)
                own.name = node.layer
                if len(node.input_specs) == 1 and not ports(type(node.op))[2]:
                    # Constants that a layer makes when it is built would else belong to the first trace of a step.
                    own.build((None, *node.input_specs[0].shape))
            self.layer_of[node.name] = own
            self.trains[node.name] = network in updated if _takes_training(own) else None

    def __call__(
        self,
        inputs: Values,
        targets: Iterable[Tensor],
        held: Values,
        *,
        training: bool = True,
        mapping: Sequence[tuple[Any, Any]] = (),
    ) -> tuple[Any, Values]:
        """The values of ``targets`` and all that they need, and the scope that holds what variables would have become.

        ``held`` are results that are not computed; ``mapping`` gives variables other values.
        """
        values = {**inputs, **held}
        with keras.StatelessScope(state_mapping=mapping) as scope:
            for node in self._needed(targets, held):
                taken = [values[t] for t in node.inputs]
                layer, options = self.layer_of[node.name], {}
                if (trains := self.trains[node.name]) is not None:
                    options["training"] = training and trains
                made = layer(taken, **options) if ports(type(node.op))[2] else layer(*taken, **options)
                for port, value in enumerate([made] if len(node.outputs) == 1 else made):
                    values[Tensor(node.name, port)] = value
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


def _takes_training(layer: Any) -> bool:
    return "training" in inspect.signature(layer.call).parameters


def _calls(plan: Training) -> dict[str, str]:
    """The network that is called, by what the names of the call's nodes begin with.

    A node with weights has its layer's name in the network behind the call's own name.
    """
    out = {}
    for node in plan.body.nodes:
        network, _, inner = node.layer.partition(".")
        if node.weights and node.name.endswith(f".{inner}"):
            out[node.name.removesuffix(f".{inner}")] = network
    return out


def _called(node: Node, calls: Mapping[str, str]) -> tuple[str | None, str]:
    """The network that a node is of, None for none, and what its layer is called there."""
    call = max((c for c in calls if node.name.startswith(f"{c}.")), key=len, default=None)
    return (None, node.layer) if call is None else (calls[call], calls[call] + node.name.removeprefix(call))
