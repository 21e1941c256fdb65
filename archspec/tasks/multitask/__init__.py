"""Several heads, each with a task and a target of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.example import LABEL, Example
from archspec.data.features.labels import Labels
from archspec.data.features.numbers import Numbers
from archspec.data.target import Target, target_names, target_of
from archspec.evaluators.base import Assessment, Batch, Better, Evaluator
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph, Output
from archspec.ir.json_schema import DECLARATION
from archspec.ir.reading import declared
from archspec.ir.validation import refuse
from archspec.ops.base import Op
from archspec.tasks.multitask.assessment import OfHead, of_part, own
from archspec.tasks.multitask.head import HeadTask
from archspec.training.inputs import refuse_networks
from archspec.training.task import Objective, Predictor, RunContext, Task, TaskError, faults

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


def _by_head(value: object) -> Any:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise refuse("must be a map of names of heads")
    return value


Names = Annotated[dict[str, str], BeforeValidator(_by_head)]


class Multitask(Task, name="multitask"):
    """Several heads learnt together, each by a task and with a target of its own: a class and a number of one image,
    several numbers apart, auxiliary heads beside them. Losses are added by their weights.

    Figures are those of each head's task, as ``HEAD_accuracy`` or ``HEAD_mae``; of one head they are that task's.
    """

    heads: Annotated[
        dict[str, declared(Task, "a task")],  # type: ignore[valid-type]
        BeforeValidator(_by_head),
        WithJsonSchema({"type": "object", "additionalProperties": {DECLARATION: "Task"}}),
    ] = {}
    """The task of each head. Of heads that are not named it follows from the loss: ``regression`` for one that compares
    numbers, ``labelling`` where every step has a class, else ``classification``."""
    targets: Names = {}
    """The target of each head: a feature of the data, or one number of several in a feature. By default it is the one
    with the head's name or, if there is none, ``label``."""

    def resolved(self, graph: Graph, features: Example) -> Self:
        names = features.targets
        rest = LABEL if LABEL in names or len(names) != 1 else names[0]
        targets = {head.name: head.name if target_of(features, head.name) else rest for head in graph.outputs}
        targets |= self.targets
        heads = {head.name: _usual(head, target_of(features, targets[head.name]), features) for head in graph.outputs}
        return self.model_copy(update={"heads": heads | self.heads, "targets": targets})

    def _parts(self, graph: Graph, features: Example) -> dict[str, HeadTask]:
        """Each head that tells something the data have, by its name, in order."""
        found = {head.name: (head, target_of(features, self.targets[head.name])) for head in graph.outputs}
        return {
            name: HeadTask(head, self.heads[name], target, graph)
            for name, (head, target) in found.items()
            if target is not None
        }

    def _all(self, of: Callable[[Task], bool]) -> bool:
        return all(of(task) for task in self.heads.values())

    @property
    def is_divisible(self) -> bool:  # type: ignore[override]
        """Where the tasks of all heads are."""
        return self._all(lambda task: task.is_divisible)

    @property
    def predicts(self) -> bool:  # type: ignore[override]
        """Where the tasks of all heads do."""
        return self._all(lambda task: task.predicts)

    @property
    def is_averaged(self) -> bool:  # type: ignore[override]
        """Where the tasks of all heads are."""
        return self._all(lambda task: task.is_averaged)

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        found = (
            part.task.defaults(part.graph, part.example(features)) for part in self._parts(graph, features).values()
        )
        return next((usual for usual in found if usual), {})

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        yield from (found := list(faults(lambda: refuse_networks(graph, self.name))))
        if found:
            return
        yield from self._misnamed(graph, training)
        parts = self._parts(graph, training)
        for name, part in parts.items():
            at = ("train", "task", self.name, "heads", name)
            if not part.task.is_combinable:
                yield TaskError(f"{part.task.name} cannot be the task of one of several heads", at=at).of_head(
                    part.head
                )
                continue
            examples = (part.example(training), part.example(evaluation))
            for error in part.task.check(part.graph, *examples, self._settings(train, graph, name)):
                if error.at[:2] == ("train", "task"):
                    error.at = (*at, *error.at[2:])
                yield error if error.notes or name in error.message else error.of_head(part.head)
        told = {part.target.feature for part in parts.values()}
        for feature in training.targets if len(parts) == len(graph.outputs) else ():
            if feature not in told:
                help = f"a head named '{feature}', or leave it out of the data"
                yield TaskError(
                    f"the data have the target '{feature}', which no head predicts", at=("data",), help=help
                )

    def _misnamed(self, graph: Graph, features: Example) -> Iterator[TaskError]:
        """Names that are neither of a head nor of a target."""
        names, known = [head.name for head in graph.outputs], target_names(features)
        for field, named in (("heads", self.heads), ("targets", self.targets)):
            for name in named:
                if name not in names:
                    near = did_you_mean(name, names) or f"its heads are {', '.join(names)}"
                    at = ("train", "task", self.name, field, name)
                    yield TaskError(f"'{graph.name}' has no head {shown(name)}", at=at, help=near)
        for head in graph.outputs:
            wanted = self.targets[head.name]
            if target_of(features, wanted) is None:
                held = f"their targets are {', '.join(known)}" if known else "the data have no targets"
                at = ("train", "task", self.name, "targets", head.name)
                message = f"head '{head.name}' is to predict {shown(wanted)}, which is no target of the data"
                yield TaskError(message, at=at, help=did_you_mean(wanted, known) or held).of_head(head)

    def _settings(self, train: TrainSettings, graph: Graph, name: str) -> TrainSettings:
        """What a head's task is told: the loss that a run gives is the first head's."""
        return train if name == _first(graph).name else train.model_copy(update={"loss": None})

    def measures(self, head: Output) -> Mapping[str, Better]:
        task: Task = self.heads[head.name]
        return task.measures(head)

    @property
    def is_fitted(self) -> bool:
        return self._all(lambda task: task.is_fitted)

    def fitted(self, targets: Callable[[], Iterator[Batch]], features: Example) -> Self:
        made = dict(self.heads)
        for name, task in self.heads.items():
            target = target_of(features, self.targets[name])
            if not task.is_fitted and target is not None:
                made[name] = task.fitted(_each(target, targets), target.example(features))
        return self.model_copy(update={"heads": made})

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        parts = self._parts(graph, features)
        found = {
            name: part.task.trainer(part.graph, model, self._settings(train, graph, name), part.example(features))
            for name, part in parts.items()
        }

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            made = {name: found[name].pairs(part.batch(batch)) for name, part in parts.items()}
            # All read the same.
            inputs = next(iter(made.values()))[0]
            wanted = {name: target for name, (_, target) in made.items()}
            return inputs, wanted if len(wanted) > 1 else next(iter(wanted.values()))

        return Objective(
            model=model,
            pairs=pairs,
            losses={name: one.losses[name] for name, one in found.items()},
            weights={name: one.weights[name] for name, one in found.items()},
            metrics={
                name: one.metrics[name]
                for name, one in found.items()
                if name in one.metrics and not parts[name].head.train_only
            },
        )

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.tasks.multitask.predictor import HeadsPredictor
        from archspec.training.forward import HeadPredictor

        parts = self._parts(graph.inference(), features)
        predictors = {
            name: part.task.predictor(part.graph, model, self._settings(train, graph, name), part.example(features))
            for name, part in parts.items()
        }
        heads = {name: (parts[name], found) for name, found in predictors.items() if isinstance(found, HeadPredictor)}
        return HeadsPredictor(model, heads)

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        parts, alone = self._parts(graph.inference(), features), len(graph.outputs) == 1
        return tuple(
            OfHead(name, evaluator, part.example, alone=alone)
            for name, part in parts.items()
            for evaluator in part.task.evaluators(part.graph, part.example(features))
        )

    def answers(self, graph: Graph) -> frozenset[str]:
        names = [head.name for head in graph.outputs if not head.train_only]
        return frozenset(f"{name} ({self.heads[name].name} of {self.targets[name]})" for name in names)

    def units(self, graph: Graph) -> Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]:
        heads = {head.name: replace(graph, outputs=(head,)) for head in graph.outputs}
        return {name: said for head, alone in heads.items() for name, said in self.heads[head].units(alone).items()}

    def truth(self, batch: Batch, features: Example) -> Batch:
        out: dict[str, Any] = {}
        for head, name in self.targets.items():
            if target := target_of(features, name):
                out |= of_part(self.heads[head].truth(target.batch(batch), target.example(features)), head)
        return out

    def scored_by(self, graph: Graph, train: TrainSettings) -> Op | None:
        raise TaskError("--dense is for networks of one head and classification", at=())

    def shared_by(self, graph: Graph, train: TrainSettings, features: Example) -> Mapping[str, Op]:
        found = {
            name: part.task.scored_by(part.graph, self._settings(train, graph, name))
            for name, part in self._parts(graph, features).items()
        }
        return {name: activation for name, activation in found.items() if activation is not None}

    def panels(self, plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
        out: dict[str, Any] = {}
        for name, part in self._parts(plan.graph.inference(), plan.features).items():
            if len(plan.graph.outputs) == 1:
                return part.task.panels(plan, assessments)
            out |= of_part(part.task.panels(plan, own(assessments, name)), name)
        return out


def _usual(head: Output, target: Target | None, features: Example) -> Task:
    """The task of a head that is not named: by its loss, or else by what it tells."""
    kind = None if target is None else target.example(features).features[LABEL]
    tells_numbers = isinstance(kind, Numbers) if head.loss is None else head.loss.labels == "numbers"
    name = "regression" if tells_numbers else "labelling" if isinstance(kind, Labels) else "classification"
    found = Task.find(name)
    assert found is not None
    return found()


def _first(graph: Graph) -> Output:
    return next((head for head in graph.outputs if not head.train_only), graph.outputs[0])


def _each(target: Target, targets: Callable[[], Iterator[Batch]]) -> Callable[[], Iterator[Batch]]:
    return lambda: (target.batch(batch) for batch in targets())
