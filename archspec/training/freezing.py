"""Layers that stay as they are, for the whole run or for its first epochs (gradual unfreezing: Howard and Ruder 2018).

A layer that is not frozen any more starts to train as a layer of a new run does: its optimiser state is zero, and
optimisers that count steps (Adam's correction of its means) count its own. Weight decay, gradients and the statistics
of batch normalisation leave a frozen layer alone; running averages of weights hold its value.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from archspec.backend.seams.models import trace_anew
from archspec.training.fields import Stage
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras


def matches(pattern: str, layer: str) -> bool:
    """Whether a layer is meant: the pattern is its name, a part of its path from the start, or has ``*``."""
    return fnmatchcase(layer, pattern) or layer.startswith(f"{pattern}.")


def patterns(freeze: Iterable[str | Stage]) -> list[str]:
    """Every pattern, whenever it counts."""
    return [p for item in freeze for p in ((item,) if isinstance(item, str) else item.layers)]


def matching(patterns: Iterable[str], layer: str) -> str | None:
    """The last of the patterns that means a layer."""
    return next((p for p in reversed(list(patterns)) if matches(p, layer)), None)


def frozen_until(freeze: Iterable[str | Stage], layer: str) -> float:
    """The epoch from which on a layer is trained: 0 for one that always is, infinity for one that never is."""
    ends = [
        float("inf") if isinstance(item, str) else item.until
        for item in freeze
        if any(matches(p, layer) for p in ((item,) if isinstance(item, str) else item.layers))
    ]
    return max(ends, default=0)


def next_unfreeze(freeze: Iterable[str | Stage], epoch: int) -> float:
    """The first epoch after this one in which other layers are trained."""
    return min((item.until for item in freeze if isinstance(item, Stage) and item.until > epoch), default=float("inf"))


def set_trainable(plan: Plan, model: keras.Model, epoch: int = sys.maxsize) -> None:
    """Let those layers of the model be trained that are in this epoch, or ever; ``fit`` then makes its step anew."""
    freeze, changed = plan.spec.train.freeze, False
    held = {layer.name: layer for layer in model.layers}
    for node in plan.graph.owners():
        layer = held.get(node.layer)
        trains = node.is_trained and frozen_until(freeze, node.layer) <= epoch
        # Where nothing is frozen, layers keep what the task set.
        if layer is not None and node.weights and frozen_until(freeze, node.layer) and layer.trainable != trains:
            layer.trainable, changed = trains, True
    if changed:
        trace_anew(model)


def unfreeze_steps(plan: Plan, model: keras.Model) -> dict[str, int]:
    """Steps that the optimiser has made when a variable, by its path, is first trained; of those that start late."""
    train = plan.spec.train
    ends = {node.layer: frozen_until(train.freeze, node.layer) for node in plan.graph.owners()}
    late = {layer: int(end) for layer, end in ends.items() if 0 < end < float("inf")}
    return {
        v.path: late[layer.name] * plan.steps // train.accumulate
        for layer in model.layers
        if layer.name in late
        for v in layer.trainable_variables
    }
