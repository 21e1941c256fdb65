"""One class for each step of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.data.source import IGNORED, LABEL, FeatureSpec, input_of
from archspec.ir.diagnostics import Note
from archspec.ir.graph import Graph, Output
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, last_activation
from archspec.tasks.classification import scored_by
from archspec.training.task import Objective, Task, TaskError
from archspec.training.vocabulary import check_sequence, check_vocabulary

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


class Labelling(Task, name="labelling"):
    """One class for each word of a sentence: a head of one score per step and class, softmax or logits.

    Reports the accuracy of a word. Padding counts neither in the loss nor there.
    """

    def check(self, graph: Graph, training: FeatureSpec, evaluation: FeatureSpec, train: TrainSettings) -> None:
        name, part, head = _only_input(graph), input_of(training.parts), _only_head(graph)
        notes = (Note(f"head '{head.name}'", head.span),) if head.span else ()
        wanted, spec = graph.inputs[name], graph.spec(head.tensor)
        for features in (training, evaluation):
            check_sequence(wanted, features, part)
            check_vocabulary(graph, name, features, part)
        if training.classes is None or training.parts[LABEL].rank != 1:
            raise TaskError("labelling needs data with a class for each step", at=("data",), help="data: {tagged: …}")
        if spec.rank != 2 or spec.shape[0] != wanted.shape[0]:
            raise TaskError(
                f"labelling needs scores at every step, (time, classes), head '{head.name}' gives {spec}",
                at=("spec",),
                help="recurrent layers with sequences: true",
                notes=notes,
            )
        if spec.channels != training.classes:
            raise TaskError(
                f"the data have {training.classes} classes, head '{head.name}' has {spec.channels}",
                at=("data",),
                help=f"--set classes={training.classes}" if "classes" in graph.params else None,
                notes=notes,
            )
        kind, at = _loss(head, train), ("train", "loss") if train.loss else ("spec",)
        if kind.leaves_out is None:
            raise TaskError(
                f"labelling takes a loss that can leave padding out, {kind.name} cannot",
                at=at,
                help="sparse_categorical_crossentropy",
                notes=notes,
            )
        try:
            kind.gets_logits(last_activation(graph.by_name, head.tensor))
            for metric in head.metrics:
                metric.check(spec, kind.labels)
        except OpError as error:
            raise TaskError(f"head '{head.name}': {error.message}", at=at, help=error.help, notes=notes) from None

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings) -> Objective:
        from archspec.tasks.labelling.accuracy import Accuracy

        head = _only_head(graph)
        kind = _loss(head, train).model_copy(update={str(_loss(head, train).leaves_out): IGNORED})
        from_logits = kind.gets_logits(last_activation(graph.by_name, head.tensor))

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            return batch[input_of(batch)], batch[LABEL]

        spec = graph.spec(head.tensor)
        named = [m.lower(spec, kind.labels, from_logits) for m in head.metrics if m.name != "accuracy"]
        return Objective(
            model=model,
            pairs=pairs,
            losses={head.name: kind.lower(from_logits=from_logits)},
            metrics={head.name: [Accuracy(IGNORED, name="accuracy"), *named]},
        )

    def probabilities(self, graph: Graph, model: keras.Model, batches: Any, loss: Any = None) -> Any:
        import numpy as np

        from archspec.tasks.classification.assessment import probabilities

        activation, out = scored_by(graph, loss), []
        for inputs in batches:
            scores = np.asarray(model(inputs, training=False))
            out.append(probabilities(scores.reshape(-1, scores.shape[-1]), activation))
        return np.concatenate(out)


def _only_input(graph: Graph) -> str:
    if graph.training or len(graph.inputs) != 1:
        raise TaskError(f"labelling trains one network with one input; '{graph.name}' has others", at=("spec",))
    return next(iter(graph.inputs))


def _only_head(graph: Graph) -> Output:
    if len(graph.outputs) != 1 or graph.outputs[0].train_only:
        raise TaskError(f"labelling has one head, '{graph.name}' has {len(graph.outputs)}", at=("spec",))
    return graph.outputs[0]


def _loss(head: Output, train: TrainSettings) -> Any:
    """The loss: the run's, else the spec's, else the cross-entropy of class numbers."""
    kind = Loss.find("sparse_categorical_crossentropy")
    assert kind is not None
    return train.loss or head.loss or kind()
