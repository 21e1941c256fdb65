"""One class for each step of a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archspec.data.example import LABEL, Example
from archspec.data.source import IGNORED
from archspec.evaluators.accuracy import ClassAccuracy
from archspec.evaluators.base import Evaluator
from archspec.ir.graph import Graph, Output
from archspec.ops.base import Op
from archspec.ops.loss import Loss, last_activation, probabilities_by
from archspec.training.inputs import input_faults, only_head, only_input, taken_of
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Predictor, Task, TaskError, class_fault, faults

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


class Labelling(Task, name="labelling"):
    """One class for each word of a sentence: a head of one score per step and class, softmax or logits.

    Reports the accuracy of a word. Padding counts neither in the loss nor there.
    """

    is_combinable = True
    predicts = True
    is_averaged = True

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        found = list(faults(lambda: only_input(graph, self.name), lambda: only_head(graph, self.name)))
        yield from found
        if training.classes is None or training.parts[LABEL].rank != 1:
            yield TaskError(
                "labelling needs data with a class for each step", at=("data",), help="data: {tagged: PATH}"
            )
            return
        if found:
            return
        (name, _), head = only_input(graph, self.name), only_head(graph, self.name)
        wanted, spec = graph.inputs[name], graph.spec(head.tensor)
        yield from input_faults(graph, training, evaluation)
        if spec.rank != 2 or spec.shape[0] != wanted.shape[0]:
            yield TaskError(
                f"labelling needs scores at every step, (time, classes), head '{head.name}' gives {spec}",
                at=("spec",),
                help="recurrent layers with sequences: true",
            ).of_head(head)
        elif spec.channels != training.classes:
            yield class_fault(graph, training, f"head '{head.name}'", spec.channels).of_head(head)
        for error in faults(lambda: _check_loss(graph, head, train)):
            yield error.of_head(head)

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        from archspec.tasks.labelling.accuracy import StepAccuracy

        head = only_head(graph, self.name)
        kind = _loss(head, train).model_copy(update={str(_loss(head, train).leaves_out): IGNORED})
        from_logits = gets_logits(graph, head, kind)

        taken = taken_of(graph)

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            return taken(batch), batch[LABEL]

        spec = graph.spec(head.tensor)
        named = [m.lower(spec, kind.labels, from_logits) for m in head.metrics if m.name != "accuracy"]
        return Objective(
            model=model,
            pairs=pairs,
            losses={head.name: kind.lower(from_logits=from_logits)},
            weights={head.name: head.weight},
            metrics={head.name: [StepAccuracy(IGNORED, name="accuracy"), *named]},
        )

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.training.classes import ClassPredictor

        return ClassPredictor(model, only_head(graph, self.name).name, taken_of(graph), self.scored_by(graph, train))

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        return (ClassAccuracy(),)

    def scored_by(self, graph: Graph, train: TrainSettings) -> Op | None:
        head = only_head(graph, self.name)
        return probabilities_by(_loss(head, train), last_activation(graph.by_name, head.tensor))


def _check_loss(graph: Graph, head: Output, train: TrainSettings) -> None:
    """Refuse a loss that padding would count in, or metrics that are not of classes."""
    kind, at = _loss(head, train), place(train.loss)
    if kind.leaves_out is None:
        raise TaskError(
            f"labelling takes a loss that can leave padding out, {kind.name} cannot",
            at=at,
            help="sparse_categorical_crossentropy",
        )
    with rules_of(head, at):
        gets_logits(graph, head, kind)
        for metric in head.metrics:
            metric.check(graph.spec(head.tensor), kind.labels)


def _loss(head: Output, train: TrainSettings) -> Loss:
    return chosen(head, train.loss, "sparse_categorical_crossentropy")
