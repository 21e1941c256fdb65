"""Numbers for each example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator

from archspec.data.example import LABEL, Example
from archspec.evaluators.base import Batch, Better, Evaluator
from archspec.evaluators.regression import Errors
from archspec.ir.graph import Graph, Output
from archspec.ir.validation import refuse
from archspec.ops.loss import Loss
from archspec.training.inputs import input_faults, only_head, taken_of, usual_augment
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Predictor, Task, TaskError, faults

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


def _floats(value: object) -> Any:
    if not isinstance(value, (list, tuple)) or any(type(v) not in (int, float) for v in value):
        raise refuse("must be a list of numbers")
    return tuple(float(v) for v in value)


Numbers = Annotated[tuple[float, ...], BeforeValidator(_floats)]


class Regression(Task, name="regression"):
    """One or several numbers for each image, text or row: a head of as many outputs as the data have such numbers.

    Reports MAE, RMSE and R² in the units of the data, the means over the outputs.
    """

    is_combinable = True
    predicts = True
    is_averaged = True

    standardize: bool = True
    """Learn targets of mean 0 and standard deviation 1, as the training examples have them by output; what is predicted
    and reported is in the units of the data all the same. The loss is in those that are learnt."""
    weights: Numbers | None = None
    """Weight of each output in the loss, in the order of the data's; 1 for all where not given."""
    mean: Numbers | None = None
    """Mean of each output, which standardized targets are above or below; of the training examples where not given."""
    deviation: Numbers | None = None
    """Standard deviation of each output; of the training examples where not given."""

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Images brought to the network's size and, where they are 8-bit and it takes floats, to 0 … 1."""
        return usual_augment(graph, features)

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        yield from (found := list(faults(lambda: _head(graph))))
        if not training.numbers:
            held = f"{training.classes} classes" if training.classes else f"only {', '.join(training.parts)}"
            yield TaskError(
                f"regression needs data with numbers to predict, these have {held}",
                at=("data",),
                help="data: {csv: {path: …, target: [a, b]}}, or labels of floats in an .npz",
            )
            return
        yield from self._misfits(training.numbers)
        if found:
            return
        yield from input_faults(graph, training, evaluation)
        head = _head(graph)
        for error in faults(partial(_check_outputs, graph, head, training), partial(_check_loss, graph, head, train)):
            yield error.of_head(head)

    def _misfits(self, names: tuple[str, ...]) -> Iterator[TaskError]:
        """Fields that do not fit the outputs of the data."""
        for field, values in (("weights", self.weights), ("mean", self.mean), ("deviation", self.deviation)):
            at = ("train", "task", self.name, field)
            if values is not None and len(values) != len(names):
                yield TaskError(
                    f"{field} has {len(values)} numbers, the data have {len(names)} outputs",
                    at=at,
                    help=f"one for each of {', '.join(names)}",
                )
            elif values is not None and field != "mean" and min(values) < 0:
                yield TaskError(f"{field} must not be below 0, got {min(values):g}", at=at)
            elif values is not None and field == "weights" and not any(values):
                yield TaskError("all outputs have the weight 0: nothing would be learnt", at=at)
            elif values is not None and field == "deviation" and 0 in values:
                yield TaskError("deviation must be above 0, targets are divided by it", at=at)

    def measures(self, head: Output) -> Mapping[str, Better]:
        # In the units of the data evaluators have them.
        return {}

    @property
    def is_fitted(self) -> bool:
        return not self.standardize or (self.mean is not None and self.deviation is not None)

    def fitted(self, targets: Callable[[], Iterator[Batch]], features: Example) -> Self:
        import numpy as np

        values = np.concatenate([np.asarray(batch[LABEL], np.float64) for batch in targets()])
        deviation = values.std(0)
        # A number that is always the same is learnt as it is.
        usual = {"mean": values.mean(0), "deviation": np.where(deviation > 0, deviation, 1.0)}
        held = {name: getattr(self, name) for name in usual}
        return self.model_copy(
            update={n: tuple(map(float, v)) if held[n] is None else held[n] for n, v in usual.items()}
        )

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        from archspec.tasks.regression.targets import WeightedOutputLoss, standardized

        head = _head(graph)
        loss = _loss(head, train).lower()
        mean, deviation = self._scale()

        taken = taken_of(graph)

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            return taken(batch), standardized(batch[LABEL], mean, deviation)

        if self.weights:
            loss = WeightedOutputLoss(loss, self.weights)
        return Objective(model=model, pairs=pairs, losses={head.name: loss}, weights={head.name: head.weight})

    def _scale(self) -> tuple[Any, Any]:
        """Mean and deviation of what is learnt; None where it is as in the data."""
        return (self.mean, self.deviation) if self.standardize else (None, None)

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.tasks.regression.targets import NumberPredictor

        return NumberPredictor(model, _head(graph).name, taken_of(graph), *self._scale())

    def units(self, graph: Graph) -> Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]:
        mean, deviation = self._scale()
        return {} if mean is None or deviation is None else {_head(graph).name: (mean, deviation)}

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        return (Errors(),)


REPORTED = ("mae", "rmse", "r2")


def _head(graph: Graph) -> Output:
    return only_head(graph, "regression")


def _check_outputs(graph: Graph, head: Output, features: Example) -> None:
    """Refuse a head that has not one output for each number of the data."""
    spec, count = graph.spec(head.tensor), len(features.numbers)
    if spec.rank != 1:
        raise TaskError(f"regression needs one row of numbers, head '{head.name}' gives {spec}", at=("spec",))
    if spec.channels != count:
        raise TaskError(
            f"the data have {count} numbers to predict ({', '.join(features.numbers)}), head '{head.name}' has "
            f"{spec.channels}",
            at=("data",),
            help=f"a head of {count}: dense: {count}",
        )


def _loss(head: Output, train: TrainSettings) -> Loss:
    return chosen(head, train.loss, "mse")


def _check_loss(graph: Graph, head: Output, train: TrainSettings) -> None:
    """Refuse a loss or metrics that are not of numbers."""
    kind, at = _loss(head, train), place(train.loss)
    if kind.labels != "numbers":
        raise TaskError(f"regression compares numbers, {kind.name} does not", at=at, help="mse, mae or huber")
    with rules_of(head, at):
        kind.target(graph.spec(head.tensor))
        gets_logits(graph, head, kind)
    if other := next((metric.name for metric in head.metrics if metric.name not in REPORTED), None):
        raise TaskError(
            f"regression reports {', '.join(REPORTED)} in the units of the data, head '{head.name}' asks for {other}",
            at=("spec",),
            help="leave metrics out",
        )
    if train.class_weight:
        raise TaskError(
            "class_weight is for classes; regression has weights of outputs",
            at=("train", "class_weight"),
            help="task: {regression: {weights: [1, 2]}}",
        )
