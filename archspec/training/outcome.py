"""What a run gave: its figures, the trained network, or why it went to NaN."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import has_tensorflow
from archspec.data.source import TRAIN
from archspec.training.averaging import estimate
from archspec.training.checkpoint import read
from archspec.training.distribution import DeviceLayout
from archspec.training.errors import RunError
from archspec.training.plan import Plan
from archspec.training.trained import BEST, LAST
from archspec.training.training_state import TrainingState

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
    left_out: dict[str, int] = field(default_factory=dict)
    """Examples of each split that cannot be read, where there are any."""


class NotFinite(RunError):
    """The loss, or a weight, is NaN or infinite. ``result`` holds what was reached."""

    def __init__(self, result: Result, message: str):
        super().__init__(message)
        self.result, self.message = result, message


def outcome(
    plan: Plan, start: TrainingState, logdir: Path, seconds: float, cpu_seconds: float, *, finished: bool
) -> Result:
    """What a run has reached."""
    position, last = start.position, start.position.history[-1] if start.position.history else {}
    return Result(
        run=plan.name,
        spec=plan.graph.name,
        variant=plan.graph.variant,
        data=plan.source.name,
        split=plan.split,
        examples=plan.features.splits[plan.split] if plan.split else 0,
        seed=plan.spec.train.seed,
        epochs=len(position.history),
        steps=position.step,
        params=start.network.count_params(),
        metrics={name.removeprefix("val_"): v for name, v in last.items() if name.startswith("val_")},
        training={name: v for name, v in last.items() if not name.startswith("val_")},
        best=position.best,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        logdir=str(logdir),
        finished=finished,
        left_out=left_out(plan),
    )


def left_out(plan: Plan) -> dict[str, int]:
    """How many examples of each split cannot be read, where there are any."""
    if not has_tensorflow():
        return {}
    splits = (TRAIN, *([plan.split] if plan.split else []))
    counts = {split: plan.features.splits[split] - plan.pipeline.count(split) for split in splits}
    return {split: count for split, count in counts.items() if count}


def save(plan: Plan, start: TrainingState, logdir: Path, layout: DeviceLayout) -> None:
    """Write the network as it is to be used: with the last weights and, where something is monitored, the best."""
    _settle(plan, start)
    _save_inference(plan, start.network, logdir / "model.keras", logdir / LAST, layout)
    if best := start.position.best:
        if best["step"] != start.position.step:
            start.checkpoints.restore(start.model, int(best["step"]))
            _settle(plan, start)
        _save_inference(plan, start.network, logdir / "best.keras", logdir / BEST, layout)


def _settle(plan: Plan, start: TrainingState) -> None:
    """Put averages in the place of weights, and what belongs to them in that of batch normalisation's statistics."""
    start.settle()
    if plan.spec.train.average_last:
        estimate(start.model, start.inputs, plan.steps)


def _save_inference(plan: Plan, model: keras.Model, path: Path, arrays: Path, layout: DeviceLayout) -> None:
    """Write the inference network, without the optimiser and the heads that only training needs, and its weights."""
    from archspec.backend.build import compile, weight_name
    from archspec.backend.export import save
    from archspec.backend.weights import write

    layers = {node.layer: model.get_layer(node.layer) for node in plan.graph.inference().nodes}
    values = {name: [read(w) for w in layer.weights] for name, layer in layers.items()}
    if not layout.is_coordinator:
        return
    with layout.local_scope():
        inference = compile(plan.graph)
        held: dict[str, Any] = {}
        for layer in inference.layers:
            if layer.weights:
                layer.set_weights(values[layer.name])
            names = [f"{layer.name}/{weight_name(w, layer.name)}" for w in layer.weights]
            held |= dict(zip(names, values.get(layer.name, ()), strict=True))
        write(arrays, held)
        save(inference, path)


def explain_nan(plan: Plan, start: TrainingState) -> str:
    """Where a run went to NaN, the term and the first layer that it reached, and what is left."""
    import numpy as np

    spoilt = next(
        (
            node.layer
            for node in plan.graph.owners()
            if node.weights and not all(np.isfinite(read(w)).all() for w in start.network.get_layer(node.layer).weights)
        ),
        None,
    )
    position, checkpoints = start.position, start.checkpoints
    trained = [row["loss"] for row in position.history]
    is_whole = len(trained) * plan.steps == position.step and all(abs(loss) < float("inf") for loss in trained)
    where = f"the loss on {plan.split}" if is_whole else "the loss"
    what = f"the weights of '{spoilt}' are not finite" if spoilt else f"{where} is not finite, the weights are"
    last = position.history[-1] if position.history else {}
    if term := next((t for t in start.objective.terms if not abs(last.get(t, 0.0)) < float("inf")), None):
        left_over = f"nor are the weights of '{spoilt}'" if spoilt else "the weights are"
        what = f"the term '{term}' is not finite, {left_over}"
    steps = checkpoints.steps()
    left = f"; the last good checkpoint is that of step {steps[-1]}" if steps else "; there was no checkpoint yet"
    epoch = min(len(position.history), plan.spec.train.epochs)
    return f"training went to NaN in epoch {epoch}, by step {position.step}; {what}{left}"
