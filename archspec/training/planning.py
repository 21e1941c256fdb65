"""What a run does not say is filled in, and what cannot work refused, before TensorFlow is imported."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from archspec.backend.installation import backend
from archspec.data.errors import DataError
from archspec.data.example import LABEL, Example
from archspec.data.features.mask import Mask
from archspec.data.objects import BOXES
from archspec.data.pipeline import Pipeline
from archspec.data.source import DataSource
from archspec.data.transform import TransformError, for_evaluation
from archspec.evaluators.detection import HEADS
from archspec.ir.aliases import same
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph
from archspec.training import features
from archspec.training.class_weights import class_weights
from archspec.training.document import RunSpec, Train
from archspec.training.errors import TaskError
from archspec.training.freezing import frozen_until, matches, matching, patterns
from archspec.training.initial_weights import initial_weights
from archspec.training.inputs import WrongSize, sized
from archspec.training.plan import Plan
from archspec.training.schedules import Plateau
from archspec.training.settings import Evaluate
from archspec.training.solvable import solvable
from archspec.training.task import Task
from archspec.training.word_vectors import word_vectors

NOTHING = Example({})
"""An example of which nothing is known."""
Kind = TypeVar("Kind", bound=Declaration)


def make_plan(run: RunSpec, graph: Graph, name: str) -> Plan:
    """Fill in what the run does not say, and refuse what cannot work. Raises TaskError, with the place at fault."""
    source = _located(run.data)
    try:
        features = source.features()
        task = task_of(run, graph, features).resolved(graph, features)
        usual = task.defaults(graph, features)
        augment = run.augment if run.augment is not None else tuple(usual.get("augment", ()))
        steady = run.evaluate.transforms
        steady = for_evaluation(augment) if steady is None else steady
        split = _split(run.evaluate, features)
        pipeline = Pipeline(source, features, augment, steady, run.train.batch, run.train.seed, run.train.sampler)
        _check_sampler(pipeline)
        training = _reaching(pipeline, 0, ("augment",))
        evaluation = _reaching(pipeline, 1, ("evaluate", "transforms") if run.evaluate.transforms else ("augment",))
    except DataError as error:
        raise TaskError(error.message, at=("data",), help=error.help) from None
    # What is wrong with the data may be so in training and in evaluation alike.
    told = list(task.check(graph, training, evaluation, run.train))
    for wrong in told:
        if isinstance(wrong, WrongSize):
            is_own = wrong.at == ("evaluate", "transforms") and run.evaluate.transforms is not None
            if is_own or (run.augment is not None and wrong.at == ("augment",)):
                sized(wrong, features, steady if is_own else augment)
    made = Plan(name, run, graph, source, task, features, split, pipeline)
    found = [e for i, e in enumerate(told) if all(e.message != other.message for other in told[:i])]
    # A size is wrong by itself; behind what a task does not take, the same would be told in other words.
    if all(isinstance(e, WrongSize) for e in found):
        try:
            _check_train(made)
        except TaskError as error:
            found.append(error)
    if found:
        found[0].others = tuple(found[1:])
        raise found[0]
    return made


def _check_sampler(pipeline: Pipeline) -> None:
    """Refuse an order that the data do not allow. Raises TaskError."""
    if pipeline.sampler is None:
        return
    try:
        pipeline.sampler.check(pipeline.keys(), pipeline.batch_size())
    except DataError as error:
        raise TaskError(error.message, at=("train", "sampler"), help=error.help) from None


def task_of(run: RunSpec, graph: Graph, features: Example = NOTHING) -> Task:
    """The run's task; where it names none, that of a spec with a ``train`` section, of several heads of which some
    tell numbers or data with several targets, segmentation for data with masks, detection for data with objects where
    a spec is trained on them and a head is of what a detector finds, or classification."""
    numbers = [head for head in graph.outputs if head.loss is not None and head.loss.labels == "numbers"]
    several = (numbers and len(graph.outputs) > 1) or len(features.targets) > 1
    usual = "segmentation" if isinstance(features.features.get(LABEL), Mask) else "classification"
    usual = "multitask" if several else usual
    if graph.training is not None:
        finds = graph.training.objects and BOXES in features.features
        ends = (graph.by_name.get(head.tensor.node) for head in graph.outputs)
        finds = finds and any(node is not None and {*HEADS} <= {*node.op.result_names} for node in ends)
        usual = "adversarial" if graph.networks else "detection" if finds else "training_graph"
    kind = Task.find(usual)
    assert kind is not None
    return run.train.task or kind()


def _located(source: DataSource | None) -> DataSource:
    """The source with absolute paths, so that the run's record means the same anywhere."""
    if source is None:
        help = "data: {folder: path/to/photos} or another source, such as data: digits; --data on the command line"
        raise TaskError("the run does not say what data to use", at=(), help=help)
    return _absolute(source)


def _absolute(declaration: Kind) -> Kind:
    held = {name: getattr(declaration, name) for name in type(declaration).model_fields}
    paths: dict[str, Any] = {n: Path(os.path.abspath(value)) for n, value in held.items() if isinstance(value, Path)}
    paths |= {name: _absolute(value) for name, value in held.items() if isinstance(value, Declaration)}
    return declaration.model_copy(update=paths) if paths else declaration


def _split(evaluate: Evaluate, features: Example) -> str | None:
    if evaluate.split is not None and evaluate.split not in features.splits:
        known = ", ".join(features.splits)
        raise TaskError(
            f"the data have no split {shown(evaluate.split)}",
            at=("evaluate", "split"),
            help=did_you_mean(evaluate.split, features.splits) or f"the splits are {known}",
        )
    return evaluate.split or features.held_out


def _reaching(pipeline: Pipeline, which: int, at: tuple[str, ...]) -> Example:
    """What an example is when it reaches the network, in training (0) or evaluation (1)."""
    try:
        return pipeline.features()[which]
    except TransformError as error:
        raise TaskError(error.message, at=(*at, error.position), help=error.help) from None


def _check_train(plan: Plan) -> None:
    train = plan.spec.train
    if train.steps_per_execution is not None and (steps := plan.steps) % train.steps_per_execution:
        divisors = [n for n in range(1, min(steps, 64) + 1) if steps % n == 0]
        raise TaskError(
            f"an epoch has {steps} steps, steps_per_execution of {train.steps_per_execution} does not divide them",
            at=("train", "steps_per_execution"),
            help=f"{', '.join(map(str, divisors))} do",
        )
    if (train.steps_per_execution or 1) > 1 and backend() == "torch":
        raise TaskError(
            "Keras on PyTorch does one step per execution",
            at=("train", "steps_per_execution"),
            help="1, or leave it out",
        )
    if not train.epochs and not train.weights and not train.fit:
        raise TaskError(
            "0 epochs keep a network as it is given, and no weights are given",
            at=("train", "epochs"),
            help="--from net.npz, or weights in the run file",
        )
    # Where lengths differ, steps are known once all examples are read.
    if train.accumulate > 1 and train.accumulate > (total := plan.steps * train.epochs):
        raise TaskError(
            f"accumulate is {train.accumulate:,} steps, the run has {total:,}: no weight would ever change",
            at=("train", "accumulate"),
            help=f"accumulate: {min(8, total)}, or more epochs",
        )
    if train.warmup > train.epochs:
        raise TaskError(
            f"the warm-up takes {train.warmup:g} epochs, the run has {train.epochs}",
            at=("train", "warmup"),
            help=f"warmup: {train.epochs // 10}, or more epochs",
        )
    class_weights(plan)
    solvable(plan.graph, train.fit)
    owners = [node.layer for node in plan.graph.owners() if node.weights]
    for key in ("freeze", "rates"):
        for pattern in patterns(train.freeze) if key == "freeze" else train.rates:
            if not any(matches(pattern, owner) for owner in owners):
                near = did_you_mean(pattern, owners) or f"names of layers are {', '.join(owners[:4])}, …"
                raise TaskError(f"{shown(pattern)} matches no layer with weights", at=("train", key), help=near)
    if all(frozen_until(train.freeze, owner) for owner in owners):
        raise TaskError("every layer is frozen", at=("train", "freeze"))
    if train.rates and all(_is_still(train, owner) for owner in owners):
        help = "a factor above 0 for some layer, or leave it out"
        raise TaskError(
            "every layer has the rate 0, or is frozen: no weight would ever change", at=("train", "rates"), help=help
        )
    if patterns(train.freeze) and any(not isinstance(item, str) for item in train.freeze) and backend() == "jax":
        raise TaskError(
            "layers are frozen for a while on TensorFlow; Keras on JAX has no such step", at=("train", "freeze")
        )
    _check_averages(plan)
    if train.cache_features:
        features.check(plan)
    if train.weights:
        initial_weights(plan.graph, train.weights)
    if train.vectors:
        word_vectors(train.vectors, plan.graph, plan.features)
    if train.patience is not None and train.monitor is None:
        message = "patience waits for a better value of what is monitored, and nothing is"
        raise TaskError(
            message, at=("train", "patience"), help=f"monitor: {' or monitor: '.join(list(plan.figures())[:2])}"
        )
    if isinstance(train.schedule, Plateau) and train.warmup:
        raise TaskError("plateau watches the loss from the start: it takes no warm-up", at=("train", "warmup"))
    if plan.spec.log.embedding:
        _check_embedding(plan, plan.spec.log.embedding)
    if train.monitor:
        monitored(plan)


def _is_still(train: Train, layer: str) -> bool:
    """Whether the weights of a layer stay as they are in every step."""
    pattern = matching(train.rates, layer)
    return (pattern is not None and train.rates[pattern] == 0) or frozen_until(train.freeze, layer) >= train.epochs


def monitored(plan: Plan) -> str:
    """The figure of the evaluated split that says which checkpoint is best, as logs name it. Raises TaskError."""
    asked, at = plan.spec.train.monitor, ("train", "monitor")
    if plan.split is None:
        raise TaskError("no split is evaluated, so there is no best one", at=at)
    known = list(plan.figures())
    of_heads = [name for head in plan.graph.outputs if (name := f"{head.name}_{asked}") in known]
    if asked not in known and len(of_heads) == 1:
        return of_heads[0]
    if asked not in known:
        near = _figure(str(asked), known) if not of_heads else None
        why = "is of several heads here" if of_heads else "is no figure of this run's evaluations"
        raise TaskError(f"{shown(asked)} {why}", at=at, help=near or f"monitor takes {', '.join(of_heads or known)}")
    return str(asked)


def _figure(asked: str, known: Sequence[str]) -> str | None:
    """What a figure is called that other programs call so: all are of what is held out, which Keras writes ``val_``."""
    word = asked.removeprefix("val_").removeprefix("val/").removeprefix("eval_").removeprefix("test_")
    found = word if word in known else same("metric", word, known)
    return f"monitor: {found}, which is of the evaluated split" if found else did_you_mean(asked, known)


def _check_embedding(plan: Plan, layer: str) -> None:
    """Refuse a layer that is not there, or whose outputs are no array of numbers for each example."""
    at = ("log", "embedding")
    if plan.graph.networks:
        raise TaskError("the projector shows a layer of a spec that is one network", at=at)
    uses = Counter(node.layer for node in plan.graph.nodes)
    layers = [node.layer for node in plan.graph.nodes if len(node.outputs) == 1 and uses[node.layer] == 1]
    if layer not in layers:
        near = did_you_mean(layer, layers) or f"names of layers are {', '.join(layers[-4:])}, …"
        raise TaskError(f"{shown(layer)} is no layer with one output", at=at, help=near)
    if plan.split is None:
        raise TaskError("no split is evaluated, so there are no examples to show", at=at)


def _check_averages(plan: Plan) -> None:
    train = plan.spec.train
    if train.average_last is None:
        return
    at = ("train", "average_last")
    if train.ema is not None:
        raise TaskError("ema and average_last are two averages of the same weights: take one", at=at)
    if train.average_last > train.epochs:
        raise TaskError(f"the last {train.average_last} epochs are averaged, the run has {train.epochs}", at=at)
    if backend() != "tensorflow" or train.devices > 1:
        raise TaskError("average_last needs one device, on TensorFlow", at=at)
