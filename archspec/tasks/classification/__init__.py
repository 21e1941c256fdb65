"""One class for each example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from archspec.data.example import LABEL, Example
from archspec.data.pair import SOURCE, TARGET
from archspec.data.pipeline import one_hot
from archspec.evaluators.accuracy import ClassAccuracy
from archspec.evaluators.base import Assessment, Evaluator
from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph, Output
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from archspec.ops.loss import Loss, gives_probabilities, last_activation, probabilities_by
from archspec.ops.metric import Metric
from archspec.training.inputs import input_faults, refuse_networks, taken_of, usual_augment
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Predictor, RunContext, Task, TaskError, class_fault, faults

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


class Classification(Task, name="classification"):
    """One class for each image, text or row: heads of one score per class, softmax or logits; of two classes, also of
    one score for the second (``binary_crossentropy``). Reports accuracy."""

    is_divisible = True
    takes_features = True
    is_combinable = True
    predicts = True
    is_averaged = True

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Images brought to the network's size and, where they are 8-bit and it takes floats, to 0 … 1."""
        return usual_augment(graph, features)

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        yield from (found := list(faults(lambda: refuse_networks(graph, self.name))))
        if training.classes is None:
            named = ", ".join(training.numbers)
            help = f"train: {{task: regression}} is for numbers, as {shown(named)[1:-1]} is" if named else None
            if set(graph.inputs) == {SOURCE, TARGET}:
                help = f"task: sequence_to_sequence trains a network that takes {SOURCE} and {TARGET}"
            yield TaskError("classification needs data with classes", at=("data",), help=help)
            return
        if not found:
            yield from input_faults(graph, training, evaluation)
        for output in graph.outputs:
            rules = (_check_scores, _check_loss)
            for error in faults(*(partial(rule, graph, output, training, train) for rule in rules)):
                yield error.of_head(output)

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        first = _first(graph)
        kinds = {o.name: _loss(o, train.loss if o is first else None) for o in graph.outputs}
        specs = {o.name: graph.spec(o.tensor) for o in graph.outputs}
        targets = {name: kind.target(specs[name]) for name, kind in kinds.items()}

        taken = taken_of(graph)

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            label = batch[LABEL]
            # Mixed examples have a share of each class already.
            spread = len(label.shape) == 2
            wanted = {name: _wanted(label, t, spread) for name, t in targets.items()}
            return taken(batch), wanted if len(wanted) > 1 else next(iter(wanted.values()))

        logits = {o.name: gets_logits(graph, o, kinds[o.name]) for o in graph.outputs}
        accuracy = Metric.find("accuracy")
        assert accuracy is not None

        def metrics(output: Output) -> list[keras.Metric]:
            labels = kinds[output.name].labels
            # A class is one of several, also where each has a yes or no of its own.
            counted = "one_hot" if labels == "binary" and specs[output.name].channels != 1 else labels
            named = [accuracy(), *(m for m in output.metrics if m.name != "accuracy")]
            return [
                m.lower(specs[output.name], counted if m.name == "accuracy" else labels, logits[output.name])
                for m in named
            ]

        return Objective(
            model=model,
            pairs=pairs,
            losses={o.name: kinds[o.name].lower(from_logits=logits[o.name]) for o in graph.outputs},
            weights={o.name: o.weight for o in graph.outputs},
            metrics={o.name: metrics(o) for o in graph.outputs if not o.train_only},
        )

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.training.classes import ClassPredictor

        return ClassPredictor(model, _first(graph).name, taken_of(graph), self.scored_by(graph, train))

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        return (ClassAccuracy(),)

    def scored_by(self, graph: Graph, train: TrainSettings) -> Op | None:
        output = _first(graph)
        return probabilities_by(_loss(output, train.loss), last_activation(graph.by_name, output.tensor))

    def panels(self, plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
        from archspec.tasks.classification.panels import examples

        return examples(plan, assessments)


def _first(graph: Graph) -> Output:
    return next((o for o in graph.outputs if not o.train_only), graph.outputs[0])


def _check_scores(graph: Graph, output: Output, features: Example, train: TrainSettings) -> None:
    """Refuse a head that has not one score for each class of the data."""
    spec = graph.spec(output.tensor)
    if spec.rank != 1:
        raise TaskError(f"classification needs one score per class, head '{output.name}' gives {spec}", at=("spec",))
    if spec.channels != features.classes and not _is_yes_or_no(graph, output, features, train):
        hint = "a head with as many outputs as there are classes"
        raise class_fault(graph, features, f"head '{output.name}'", spec.channels, hint)


def _check_loss(graph: Graph, output: Output, features: Example, train: TrainSettings) -> None:
    """Refuse a loss or metrics that are not of classes."""
    spec, given = graph.spec(output.tensor), train.loss if output is _first(graph) else None
    kind = _loss(output, given)
    at = place(given)
    # Of another number of scores than there is to be, nothing can be said that would help.
    if spec.channels == features.classes or _is_yes_or_no(graph, output, features, train):
        with rules_of(output, at):
            kind.target(spec)
            gets_logits(graph, output, kind)
            for metric in output.metrics:
                metric.check(spec, kind.labels)
    if kind.labels == "index" and features.parts[LABEL].rank:
        raise TaskError(
            f"{kind.name} takes one class for each example, mixed examples have shares of several",
            at=at,
            help="categorical_crossentropy takes shares",
        )
    if kind.labels == "numbers":
        raise TaskError(
            f"{kind.name} compares numbers, classification has a class for each example",
            at=at,
            help="categorical_crossentropy is the usual loss",
        )


def _is_yes_or_no(graph: Graph, output: Output, features: Example, train: TrainSettings) -> bool:
    """Whether a head's one score says which of two classes it is."""
    kind = _loss(output, train.loss if output is _first(graph) else None)
    if features.classes != 2 or graph.spec(output.tensor).channels != 1 or kind.labels != "binary":
        return False
    last = last_activation(graph.by_name, output.tensor)
    return gives_probabilities(last) or kind.gets_logits(last)


def _wanted(label: Any, target: TensorSpec, is_spread: bool) -> Any:
    """Classes, or shares of each, as a loss takes them: numbers, shares, or that of the second of two."""
    if target.rank == 0:
        return label
    shares = label if is_spread else one_hot(label, max(2, target.shape[0] or 0))
    return shares[:, 1:] if target.shape[0] == 1 else shares


def _loss(output: Output, given: Loss | None) -> Loss:
    return chosen(output, given, "categorical_crossentropy")
