"""The forward graph of a training step, computed by the layers of its networks without leaving a trace on them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from archspec.backend.build import called as layer_called
from archspec.backend.seams.models import is_of_generator
from archspec.ir.graph import Node, Tensor, Training, called, calls
from archspec.ops.base import ports
from archspec.ops.per_item import of_layer

Values = dict[Tensor, Any]


class Forward:
    """Computes results of a body. ``layers`` are the networks' by name; ``updated`` names the networks that any step
    updates: the others are used as in inference. Without it, all are updated."""

    def __init__(self, plan: Training, layers: Mapping[str, Any], updated: set[str] | None):
        self.body = plan.body
        self.layers = dict(layers)
        self.held: tuple[Node, ...] = tuple(n for n in plan.body.nodes if getattr(n.op, "is_held", False))
        known_calls = calls(plan.body)
        self.layer_of: dict[str, Any] = {}
        """The layer of a node, by the node's name."""
        self.trains: dict[str, bool | None] = {}
        """Whether a node computes as in training; None where its layer knows no difference."""
        self.generators: list[Any] = []
        """States of the random generators of layers that are no network's: what they draw is said from outside."""
        for node in plan.body.nodes:
            network, within = called(node.name, known_calls)
            known = own = self.layers.get(node.layer) or self.layers.get(within)
            if own is None or not (node.weights or _takes_training(own)):
                # Without weights or states it is one of its own for each call, whose sizes may differ.
                own = node.op.lower(*node.input_specs)
                own.name = node.layer
                op, specs = of_layer(node.op, node.input_specs)
                if len(specs) == 1 and not ports(type(op))[2]:
                    # Constants that a layer makes when it is built would else belong to the first trace of a step.
                    own.build((None, *specs[0].shape))
            if known is None:
                self.generators += [v for v in own.non_trainable_variables if is_of_generator(v)]
            self.layer_of[node.name] = own
            # What a step computes beside its networks is computed as in training.
            is_trained = network is None or updated is None or network in updated
            self.trains[node.name] = is_trained if _takes_training(own) else None

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
                made = layer_called(node, layer, taken, **options)
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
