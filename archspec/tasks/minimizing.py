"""What tasks share that train one network by the ``train`` section beside its body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from archspec.data.example import IMAGE, LABEL, POSITION, Example
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.labels import Labels
from archspec.data.transforms.parts import Apply
from archspec.evaluators.base import Better
from archspec.ir.graph import Graph, Output, Training
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import ValueSchedule
from archspec.ops.loss import Loss
from archspec.training.inputs import usual_steps
from archspec.training.task import Objective, Task, TaskError, class_fault, faults
from archspec.training.updates.sources import check_objects, check_part, given, named, sources

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings

NOT_TAKEN = {
    "loss": ("the spec's train section defines the loss", "leave loss out"),
    "cache_features": ("a training graph has no part that is computed once for all", None),
    "class_weight": ("examples of a training graph have no weights", "in the spec: 'where: weights' of a term"),
}
"""What a run file may say, but not of this task: why, and what would do."""


class MinimizingTask(Task):
    """One engine for all of them: the terms of the section and the losses of heads in one step. What a task adds is
    what its outputs mean."""

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Images brought to the network's size and, where they are 8-bit and it takes floats, to 0 … 1."""
        steps: list[Any] = []
        if graph.training is not None and not graph.networks:
            for name, part in named(graph.training, features.parts).items():
                if name in graph.inputs and isinstance(features.features[part], Image):
                    made = usual_steps(graph.inputs[name], features.parts[part])
                    steps += made if part == IMAGE else [Apply(to=(part,), steps=made)] if made else []
        return {"augment": tuple(steps)} if steps else {}

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        found = list(faults(lambda: self._training(graph)))
        yield from found
        if found:
            return
        plan = self._training(graph)
        for name, (message, help) in NOT_TAKEN.items():
            if getattr(train, name) != type(train).model_fields[name].default:
                yield TaskError(message, at=("train", name), help=help)
        terms = plan.steps[0].minimize
        if train.jit_compile and any(isinstance(term.weight, ValueSchedule) for term in terms):
            yield TaskError("XLA cannot compile weights that change with the rounds", at=("train", "jit_compile"))
        for head in graph.outputs:
            if head.metrics:
                message = f"head '{head.name}' has metrics, and a training graph reports its terms"
                yield TaskError(message, at=("spec",), help="leave metrics out")
        for features, at in ((training, ("augment",)), (evaluation, ("evaluate", "transforms"))):
            yield from faults(partial(sources, plan, features))
            for name, objects in plan.objects.items():
                yield from faults(partial(check_objects, name, objects, features, at))
            for name, part in named(plan, features.parts).items():
                if name in plan.targets:
                    yield from faults(partial(_check_target, graph, plan.targets[name], features, part))
                elif name.rpartition(".")[0] not in plan.objects:
                    place = at if isinstance(features.features[part], Image) else ("data",)
                    yield from faults(partial(check_part, name, plan.body.inputs[name], features.parts[part], place))
        yield from _class_faults(plan, training)
        yield from drawn_class_faults(graph, plan, training)

    def measured(self, graph: Graph) -> Mapping[str, Better]:
        terms = graph.training.steps[0].minimize if graph.training is not None else ()
        return {"loss": "min", **{term.name: "min" for term in terms}}

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        import numpy as np

        from archspec.training.updates.single_update import SingleUpdate

        plan = self._training(graph)
        step = SingleUpdate(graph, model, seed=int(np.random.RandomState(train.seed).randint(2**20)))

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            taken = given(plan, batch)
            taken |= {name: _coded(graph, head, taken[name]) for name, head in plan.targets.items()}
            # Nothing is made of the targets, but fit wants some.
            return taken, batch[POSITION[0]]

        return Objective(model=step, pairs=pairs, losses={}, terms=[term.name for term in plan.steps[0].minimize])

    def _training(self, graph: Graph) -> Training:
        if graph.networks:
            message = f"{self.name} trains one network, '{graph.name}' has {len(graph.networks)}"
            raise TaskError(message, at=("spec",), help="task: adversarial, or leave task out")
        if graph.training is None:
            message = f"'{graph.name}' has no 'train' section, which defines the loss"
            raise TaskError(message, at=("spec",), help="train: {inputs: …, minimize: […]}")
        return graph.training


def drawn_class_faults(graph: Graph, plan: Training, features: Example) -> Iterator[TaskError]:
    """Refuse labels to be drawn of another number of classes than the data have."""
    for name, drawn in plan.drawn.items():
        if drawn.kind == "label" and features.classes not in (None, drawn.classes):
            yield class_fault(graph, features, f"input '{name}'", drawn.classes)


def _class_faults(plan: Training, features: Example) -> Iterator[TaskError]:
    """Refuse classes of the data that a term's prediction has no score for: they would count as none."""
    parts = named(plan, features.parts)
    for term in plan.steps[0].minimize:
        if term.coding != "classes" and getattr(term.loss, "labels", None) != "index":
            continue
        scores, target = (plan.results.get(str(name)) for name in term.operands[:2])
        kind = features.features.get(parts.get(target.node, "")) if target is not None else None
        channels = plan.body.spec(scores).channels if scores is not None else None
        if isinstance(kind, (Label, Labels)) and kind.classes and channels and kind.classes > channels:
            yield TaskError(
                f"the data have {kind.classes} classes, '{term.operands[0]}' has scores of {channels}", at=("data",)
            )


def _head(graph: Graph, name: str) -> Output:
    return next(head for head in graph.outputs if head.name == name)


def _check_target(graph: Graph, name: str, features: Example, part: str) -> None:
    """Refuse a part of the data that the loss of a head does not take."""
    head, given = _head(graph, name), features.parts[part]
    spec = graph.spec(head.tensor)
    wanted = head.loss.target(spec)
    if _is_class(head.loss, wanted, given) or head.loss.labels == "index":
        count = max(2, spec.channels or 0)
        if part == LABEL and features.classes is not None and features.classes > count:
            raise class_fault(graph, features, f"head '{name}'", spec.channels)
    if not _is_class(head.loss, wanted, given):
        check_part(f"{name}.target", wanted, given, ("data",))


def _is_class(loss: Loss, wanted: TensorSpec, given: TensorSpec) -> bool:
    """Whether the data have the number of a class where a loss wants a share of each, or a yes or no."""
    return loss.labels in ("one_hot", "binary") and "int" in given.dtype and given.rank == wanted.rank - 1


def _coded(graph: Graph, name: str, target: Any) -> Any:
    """A target of the data as the loss of a head takes it."""
    import tensorflow as tf

    head = _head(graph, name)
    wanted = head.loss.target(graph.spec(head.tensor))
    if not _is_class(head.loss, wanted, TensorSpec(tuple(target.shape[1:]), target.dtype.name)):
        return target
    # One score is that of the second of two classes.
    shares = tf.one_hot(target, max(2, wanted.shape[-1] or 0))
    return shares[..., 1:] if wanted.shape[-1] == 1 else shares
