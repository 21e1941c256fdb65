"""What a run file says that can be done and is hardly meant: warnings, where ``plan`` refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple

from archspec.data.source import TRAIN
from archspec.data.transform import pixel_ranges, valued
from archspec.data.transforms.intensity import Normalize
from archspec.ir.diagnostics import plain
from archspec.training.freezing import frozen_until, matches
from archspec.training.initial_weights import other_settings
from archspec.training.plan import Plan
from archspec.training.schedules import Milestones, Polynomial, StepDecay

LOST = 0.05
"""Share of a run's steps whose gradients may be lost at its end without a word."""


BEGUN = 0.1
"""Share of an average of weights that those after the first step may have at the end without a word."""


class Doubt(NamedTuple):
    """One warning: a code, a sentence, the place in the run file, what would do."""

    code: str
    message: str
    at: tuple[str | int, ...]
    help: str | None = None


def doubts(plan: Plan) -> list[Doubt]:
    """All that is hardly meant in a run."""
    return [doubt for rule in RULES for doubt in rule(plan)]


def late_changes(plan: Plan) -> Iterator[Doubt]:
    """W20: changes of the learning rate that the run does not live to see."""
    train = plan.spec.train
    at, epochs = ("train", "schedule"), train.epochs
    match train.schedule:
        case Milestones(at=milestones) if late := [epoch for epoch in milestones if epoch >= epochs]:
            said = " and ".join(f"{epoch:g}" for epoch in late)
            yield Doubt(
                "W20",
                f"milestones at {said} lie behind the end of the run, which has {epochs} epochs",
                at,
                _sooner(epochs),
            )
        case StepDecay(every=every) if every >= epochs:
            yield Doubt(
                "W20",
                f"the rate changes every {every:g} epochs, and the run has {epochs}: never",
                at,
                f"schedule: {{step: {max(1, epochs // 3)}}}",
            )
        case Polynomial(start=start) if start >= epochs:
            message = f"the rate falls from epoch {start:g} on, and the run has {epochs}: never"
            yield Doubt("W20", message, at, f"schedule: {{polynomial: {{start: {epochs // 2}}}}}")


def _sooner(epochs: int) -> str:
    """Milestones at a half and at three quarters of a run, or as near as its epochs let them be."""
    at = sorted({max(1, epochs // 2), max(1, epochs * 3 // 4)})
    return f"schedule: {{milestones: {at}}}" if epochs > 1 else "more epochs"


def endless_patience(plan: Plan) -> Iterator[Doubt]:
    """W21: a patience that cannot end the run."""
    train = plan.spec.train
    if train.patience is not None and train.patience >= train.epochs:
        message = f"a patience of {train.patience} epochs cannot end a run of {train.epochs}"
        yield Doubt("W21", message, ("train", "patience"), "fewer epochs of patience, or leave it out")


def large_batch(plan: Plan) -> Iterator[Doubt]:
    """W22: a batch that asks for more examples than there are."""
    train, count = plan.spec.train, plan.features.splits[TRAIN]
    if "batch" in train.model_fields_set and train.batch > count:
        message = f"a batch of {train.batch:,} is more than the {count:,} examples: every epoch is one step"
        yield Doubt("W22", message, ("train", "batch"), "batch: 32 is usual")


def lost_gradients(plan: Plan) -> Iterator[Doubt]:
    """W27: gradients at the end of a run that are accumulated and never applied, if they are more than a few."""
    accumulate = plan.spec.train.accumulate
    if accumulate == 1:
        return
    total = plan.steps * plan.spec.train.epochs
    lost = total % accumulate
    if lost > LOST * total and lost < total:
        message = (
            f"accumulate of {accumulate:,} does not divide the {total:,} steps of the run: "
            f"the gradients of the last {lost:,} are never applied"
        )
        found = (total // updates for updates in count(total // accumulate + 1))
        fits = next(steps for steps in found if total % steps <= LOST * total)
        yield Doubt("W27", message, ("train", "accumulate"), f"accumulate: {fits}" if fits > 1 else "leave it out")


def slow_average(plan: Plan) -> Iterator[Doubt]:
    """W31: an average of the weights that still is those after the first step when the run ends."""
    train = plan.spec.train
    total = plan.steps * train.epochs
    if train.ema is None or (share := train.ema ** max(0, total - 1)) <= BEGUN:
        return
    fits = next((momentum for momentum in (0.999, 0.99, 0.9) if momentum**total < BEGUN / 2), None)
    message = (
        f"an average that keeps {train.ema:g} at each step is {100 * share:.3g} % the weights after the first of the "
        f"{total:,} steps when the run ends, and is what is evaluated"
    )
    yield Doubt("W31", message, ("train", "ema"), "leave it out" if fits is None else f"ema: {fits}")


def odd_rate(plan: Plan) -> Iterator[Doubt]:
    """W23: a learning rate that no one means for its optimiser."""
    optimizer = plan.spec.train.optimizer
    low, high = optimizer.plausible_rates
    rate = optimizer.learning_rate
    if not low <= rate <= high:
        word = "small" if rate < low else "large"
        usual = type(optimizer).model_fields["learning_rate"].default
        message = f"a learning rate of {rate:g} is very {word} for {optimizer.name}"
        at = ("train", "optimizer", optimizer.name, "learning_rate")
        yield Doubt("W23", message, at, f"its default is optimizer: {{{optimizer.name}: {usual:g}}}")


def other_scale(plan: Plan) -> Iterator[Doubt]:
    """W24: a mean or deviation of 0 … 1 for values of 0 … 255, or the reverse."""
    evaluation = plan.spec.evaluate.transforms
    lists = {("augment",): plan.pipeline.augment, ("evaluate", "transforms"): evaluation or ()}
    for at, steps in lists.items():
        for position, (step, held) in enumerate(zip(steps, pixel_ranges(plan.features, steps), strict=True)):
            if not isinstance(step, Normalize) or held is None or "data" in (step.mean, step.std):
                continue
            mean, std = ([float(number) for number in values] for values in (step.mean, step.std))
            largest = max(map(abs, mean))
            if held.is_bytes and (max(std) < 1 or (0 < largest <= 1)):
                factor, values, units = 255.0, "0 … 255", "0 … 1"
                other = "put rescale before it, or write"
            elif not held.is_bytes and max(largest, max(std)) > 10 * max(abs(held.low), abs(held.high)):
                factor, values, units = 1 / 255, f"{held.low:g} … {held.high:g}", "0 … 255"
                other = "leave out rescale, or write"
            else:
                continue
            said = {
                name: [float(f"{factor * number:.4g}") for number in numbers]
                for name, numbers in (("mean", mean), ("std", std))
                if name in step.model_fields_set
            }
            yield Doubt(
                "W24",
                f"normalize: mean and std look like those of {units}, the values are {values} here",
                (*at, position),
                f"{other} {{normalize: {plain(said)}}}",
            )


def other_layers(plan: Plan) -> Iterator[Doubt]:
    """W26: weights of layers that the file they start from says are computed in another way."""
    if plan.spec.train.weights is None:
        return
    for at, difference in other_settings(plan.graph, plan.spec.train.weights):
        yield Doubt(
            "W26", difference, at, "its weights were trained for what the file says; by another name it starts anew"
        )


def frozen_at_random(plan: Plan) -> Iterator[Doubt]:
    """W32: kernels that are frozen for good as they are drawn at random. What has an initialiser may be meant so."""
    train = plan.spec.train
    if isinstance(train.weights, Path) or train.vectors is not None:
        return
    given = train.weights or {}
    found = [
        node.layer
        for node in plan.graph.owners()
        if any(weight.trainable and len(weight.shape) > 1 for weight in node.weights)
        and isinf(frozen_until(train.freeze, node.layer))
        and not any(matches(name, node.layer) for name in given)
        and not any(value is not None for name, value in vars(node.op).items() if name.endswith("_initializer"))
    ]
    if found:
        which = f"{found[0]} is" if len(found) == 1 else f"{len(found)} layers, such as {found[0]}, are"
        message = f"{which} frozen at random weights for the whole run"
        yield Doubt(
            "W32",
            message,
            ("train", "freeze"),
            "weights in train, or --from FILE, give them those of a trained network",
        )


WIDE, APART, ROWS = 10.0, 100.0, 10_000
"""How large columns are that go into a network as they are, how many times the deviation of another one's is, and how
many rows are looked at."""


def unscaled_columns(plan: Plan) -> Iterator[Doubt]:
    """W28: columns of a table that reach the network as they are, large or far apart in scale."""
    part = valued(plan.features.features)
    names = plan.features.columns.get(part or "", ())
    if part is None or not names or not plan.source.in_memory or _is_normalized(plan, part):
        return
    import numpy as np

    values = plan.source.arrays(TRAIN)[part][:ROWS].astype(np.float64)
    mean, deviation = values.mean(0), values.std(0)
    size = np.sqrt(mean**2 + deviation**2)
    changing = np.flatnonzero(deviation > 0)
    if not len(changing):
        return
    large, low = int(size.argmax()), changing[deviation[changing].argmin()]
    high = changing[deviation[changing].argmax()]
    if deviation[high] > APART * deviation[low]:
        said, told = "differ widely in scale", [high, low]
    elif size[large] > WIDE:
        said, told = "are large", [large]
    else:
        return
    about = " and ".join(f"{names[k]} is {mean[k]:.3g} ± {deviation[k]:.2g}" for k in told)
    step = "normalize: {mean: data, std: data}"
    help = f"add {step} to augment" if plan.spec.augment else f"augment: [{step}]"
    yield Doubt("W28", f"columns of the data {said}, and nothing brings them to one scale: {about}", ("data",), help)


def _is_normalized(plan: Plan, part: str) -> bool:
    """Whether a transform brings the values to one scale, or the first layer that reads them."""
    steps = [inner for step in plan.pipeline.eval_transforms for inner in (step, *getattr(step, "steps", ()))]
    if any(isinstance(step, Normalize) for step in steps):
        return True
    graph = plan.graph
    inputs = {name for name in graph.inputs if name == part or len(graph.inputs) == 1}
    reading: list[Any] = [node.op for node in graph.nodes if any(tensor.node in inputs for tensor in node.inputs)]
    return any(op.normalizes for op in reading)


RULES: tuple[Callable[[Plan], Iterator[Doubt]], ...] = (
    late_changes,
    endless_patience,
    large_batch,
    lost_gradients,
    slow_average,
    odd_rate,
    other_scale,
    other_layers,
    frozen_at_random,
    unscaled_columns,
)
