"""What a trained network says of held-out examples, and what the task's evaluators make of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.transforms.caching import Cache
from archspec.data.transforms.crops import CenterCrop, ResizedCenterCrop
from archspec.data.transforms.tiles import CenterTile
from archspec.evaluators.base import Assessment, Batch, Figures
from archspec.training.colours import with_colours
from archspec.training.looking import PLAIN, Looking
from archspec.training.plan import Plan
from archspec.training.task import Predictor, Task, TaskError
from archspec.training.views import scaled, unsized, views

if TYPE_CHECKING:
    from archspec.data.pipeline import Pipeline
    from archspec.data.transform import Transform
    from archspec.ir.graph import Graph


def evaluate(plans: Sequence[Plan], weights: Sequence[Path], looking: Looking = PLAIN) -> tuple[Assessment, ...]:
    """What the evaluators of the task say of trained networks (their mean, where they are several) on the split of the
    plans; where what such a network says is not averaged, loss and metrics besides.

    Raises TaskError for what the networks do not allow, before TensorFlow is imported; WeightsError, OSError.
    """
    from archspec.backend.installation import quiet_start
    from archspec.training.trained import trained

    first = plans[0]
    if not first.task.is_averaged:
        if len(plans) > 1:
            raise TaskError(f"{first.task.name}: one run at a time", at=())
        return evaluated(first, weights[0]) if looking.is_plain else looked(first, weights[0], looking)
    looks = [_looks(plan, looking) for plan in plans]
    graphs = [_dense(plan) if looking.dense else plan.graph.inference() for plan in plans]
    quiet_start()
    accumulators = [e.begin(first.features) for e in first.task.evaluators(first.graph, first.features)]
    count = sum(map(len, looks))
    totals: list[dict[str, Any]] = []
    truths: list[Batch] = []
    for plan, graph, path, steps in zip(plans, graphs, weights, looks, strict=True):
        model = _loaded(plan, graph, path) if looking.dense else trained(plan.graph, path)
        predictor = plan.task.predictor(graph, model, plan.spec.train, plan.features)
        assert predictor is not None
        for look in steps:
            for i, batch in enumerate(held_out(plan, replace(plan.pipeline, eval_transforms=look))):
                said = {name: value / count for name, value in predictor(batch).items()}
                if i == len(totals):
                    totals.append(said)
                    truths.append(first.task.truth(batch, first.features))
                else:
                    totals[i] = {name: totals[i][name] + value for name, value in said.items()}
    for truth, said in zip(truths, totals, strict=True):
        for accumulator in accumulators:
            accumulator.update(truth, said)
    return tuple(accumulator.result() for accumulator in accumulators)


def evaluated(plan: Plan, weights: Path) -> tuple[Assessment, ...]:
    """Loss and metrics, as in training, and what the evaluators say. Raises WeightsError, OSError, TaskError."""
    from archspec.backend.installation import quiet_start
    from archspec.training.trained import trained

    if plan.graph.networks:
        message = f"{plan.task.name}: the figures of several networks are in log.csv and TensorBoard"
        raise TaskError(message, at=())
    quiet_start()
    graph = plan.graph.inference()
    network = trained(graph, weights)
    objective = plan.task.trainer(graph, network, plan.spec.train, plan.features)
    model = objective.model
    model.compile(**objective.compiled())
    assert plan.split is not None
    batches = plan.pipeline.evaluation(plan.split, objective.pairs, batch=plan.spec.evaluate.batch)
    found: dict[str, float] = model.evaluate(batches, return_dict=True, verbose=0)
    predictor = plan.task.predictor(graph, network, plan.spec.train, plan.features)
    assessments = assess(plan, predictor) if predictor is not None else ()
    for assessment in assessments:
        if isinstance(assessment, Figures):
            found = {**found, **assessment.figures}
    figures = Figures(plan.pipeline.count(plan.split), {name: float(value) for name, value in found.items()})
    return (figures, *(assessment for assessment in assessments if not isinstance(assessment, Figures)))


def looked(plan: Plan, weights: Path, looking: Looking) -> tuple[Assessment, ...]:
    """What the evaluators say of the mean of several looks at all of an image. Raises WeightsError, OSError, TaskError
    where the task takes no such mean."""
    from archspec.backend.installation import quiet_start
    from archspec.training.trained import trained

    pipeline = replace(plan.pipeline, eval_transforms=whole(plan.pipeline.eval_transforms, looking, plan.task))
    quiet_start()
    graph = plan.graph.inference()
    model = trained(graph, weights)
    predictor = plan.task.looking(graph, model, plan.spec.train, plan.features, looking)
    return assess(plan, predictor, pipeline)


def whole(steps: Sequence[Transform], looking: Looking, task: Task) -> tuple[Transform, ...]:
    """The transforms for looks at all of an image: with ``dense`` without those that take its middle alone, with a
    ``crf`` with its colours besides; for objects at several scales without all that give it a size. Raises TaskError
    for one that scales what it takes."""
    if task.located and looking.scales:
        return unsized(steps)
    if looking.crf is not None:
        steps = with_colours(steps)
    if not looking.dense:
        return tuple(steps)
    if step := next((step for step in steps if isinstance(step, ResizedCenterCrop)), None):
        message = f"--dense looks at all of an image, {step.name} at a part that it scales"
        raise TaskError(message, at=("evaluate", "transforms"), help="put a resize in its place")
    return tuple(step for step in steps if not isinstance(step, (CenterCrop, CenterTile, Cache)))


def assess(plan: Plan, predictor: Predictor, pipeline: Pipeline | None = None) -> tuple[Assessment, ...]:
    """What the task's evaluators say of the plan's split, by what a network says of it now; none where they look at no
    example. ``pipeline`` is the plan's where none is given."""
    evaluators = [e for e in plan.task.evaluators(plan.graph, plan.features) if e.most != 0]
    accumulators = [e.begin(plan.features) for e in evaluators]
    limits = [e.most for e in evaluators]
    most = None if None in limits else max((n for n in limits if n is not None), default=0)
    seen = 0
    for batch in held_out(plan, pipeline or plan.pipeline) if most != 0 else ():
        rows = len(next(iter(batch.values())))
        if most is not None and rows > most - seen:
            rows = most - seen
            batch = {name: value[:rows] for name, value in batch.items()}
        truth, said = plan.task.truth(batch, plan.features), predictor(batch)
        for evaluator, accumulator in zip(evaluators, accumulators, strict=True):
            left = rows if evaluator.most is None else min(rows, evaluator.most - seen)
            if left > 0:
                accumulator.update(_first(truth, left), _first(said, left))
        seen += rows
        # What is said of a large image is larger still: it goes before the next is looked at.
        del truth, said, batch
        if seen == most:
            break
    return tuple(accumulator.result() for accumulator in accumulators)


def held_out(plan: Plan, pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    """The examples of the plan's split as arrays, batch by batch; those that differ in size one by one."""
    import keras
    import numpy as np

    assert plan.split is not None
    size = plan.spec.evaluate.batch or pipeline.batch
    if pipeline.features()[1].has_open_sizes:
        size = 1
    batches = pipeline.evaluation(plan.split, lambda batch: (batch, ()), batch=size)
    if isinstance(batches, keras.utils.PyDataset):
        # Python would ask it for batches without end.
        dataset = batches
        batches = (dataset[i] for i in range(dataset.num_batches))
    for batch, _ in batches:
        yield {name: np.asarray(value) for name, value in batch.items()}


def _first(batch: Batch, rows: int) -> Batch:
    return {name: value[:rows] for name, value in batch.items()}


def _looks(plan: Plan, looking: Looking) -> list[tuple[Transform, ...]]:
    """The transforms of each look at an image. Raises TaskError."""
    if looking.is_plain:
        return [plan.pipeline.eval_transforms]
    if looking.dense and looking.views == "ten_crop":
        raise TaskError("--dense looks at all crops: it goes with --views single or flip", at=())
    size = next(iter(plan.graph.inputs.values())).spatial
    if looking.scales and None in size:
        raise TaskError("--scales needs a network that takes images of one size", at=())
    steps = scaled(plan.pipeline.eval_transforms, looking.scales, size, dense=looking.dense)  # type: ignore[arg-type]
    return [look for at in steps for look in views(at, looking.views)]


def _dense(plan: Plan) -> Graph:
    """The network over all of an image. Raises TaskError."""
    from archspec.analysis.convolutional import NotConvolutional, convolutional

    try:
        return convolutional(plan.graph, activation=plan.task.scored_by(plan.graph.inference(), plan.spec.train))
    except NotConvolutional as error:
        at = f" ({error.notes[0].span})" if error.notes else ""
        raise TaskError(f"--dense: {error.message}{at}", at=()) from None


def _loaded(plan: Plan, graph: Graph, path: Path) -> Any:
    """The convolutional form of a network, with the weights of a file."""
    from archspec.analysis.convolutional import reshaped
    from archspec.backend.build import compile
    from archspec.backend.weights import assign, read

    values, _ = read(path, plan.graph.inference())
    model = compile(graph)
    assign(model, reshaped(graph, values))
    return model
