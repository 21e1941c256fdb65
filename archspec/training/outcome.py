"""What a run gave: its figures, the trained network, or why it went to NaN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.training.checkpoint import Checkpoints, Position, read
from archspec.training.distribution import Spread
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Result:
    """What a run gave. ``metrics`` are those of the evaluated split after the last step, ``training`` of its epoch."""

    run: str
    spec: str
    variant: str | None
    data: str
    split: str | None
    examples: int
    seed: int
    epochs: int
    steps: int
    params: int
    metrics: dict[str, float]
    training: dict[str, float]
    best: dict[str, float] | None
    seconds: float
    cpu_seconds: float
    logdir: str
    finished: bool = True


class NotFinite(Exception):
    """The loss, or a weight, is NaN or infinite. ``result`` holds what was reached."""

    def __init__(self, result: Result, message: str):
        super().__init__(message)
        self.result, self.message = result, message


def save_inference(plan: Plan, model: keras.Model, path: Path, arrays: Path, spread: Spread) -> None:
    """Write the inference network, without the optimiser and the heads that only training needs, and its weights."""
    from archspec.backend.build import compile, weight_name
    from archspec.backend.export import save
    from archspec.backend.weights import write

    layers = {node.layer: model.get_layer(node.layer) for node in plan.graph.inference().nodes}
    values = {name: [read(w) for w in layer.weights] for name, layer in layers.items()}
    if not spread.is_coordinator:
        return
    with spread.apart():
        inference = compile(plan.graph)
        held: dict[str, Any] = {}
        for layer in inference.layers:
            if layer.weights:
                layer.set_weights(values[layer.name])
            names = [f"{layer.name}/{weight_name(w, layer.name)}" for w in layer.weights]
            held |= dict(zip(names, values.get(layer.name, ()), strict=True))
        write(arrays, held)
        save(inference, path)


def reason(plan: Plan, model: keras.Model, terms: Sequence[str], position: Position, checkpoints: Checkpoints) -> str:
    """Where it happened, the term and the first layer that it reached, and what is left."""
    import numpy as np

    spoilt = next(
        (
            node.layer
            for node in plan.graph.owners()
            if node.weights and not all(np.isfinite(read(w)).all() for w in model.get_layer(node.layer).weights)
        ),
        None,
    )
    trained = [row["loss"] for row in position.history]
    is_whole = len(trained) * plan.steps == position.step and all(abs(loss) < float("inf") for loss in trained)
    where = f"the loss on {plan.split}" if is_whole else "the loss"
    what = f"the weights of '{spoilt}' are not finite" if spoilt else f"{where} is not finite, the weights are"
    last = position.history[-1] if position.history else {}
    if term := next((t for t in terms if not abs(last.get(t, 0.0)) < float("inf")), None):
        left_over = f"nor are the weights of '{spoilt}'" if spoilt else "the weights are"
        what = f"the term '{term}' is not finite, {left_over}"
    steps = checkpoints.steps()
    left = f"; the last good checkpoint is that of step {steps[-1]}" if steps else "; there was no checkpoint yet"
    epoch = min(len(position.history), plan.spec.train.epochs)
    return f"training went to NaN in epoch {epoch}, by step {position.step}; {what}{left}"
