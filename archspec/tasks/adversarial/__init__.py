"""Several networks, each with an objective of its own: what a spec's ``train`` section says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from archspec.backend.installation import backend
from archspec.data.example import IMAGE, POSITION, Example
from archspec.data.transforms.geometry import Resize
from archspec.data.transforms.intensity import Rescale
from archspec.evaluators.base import Better
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph, Training, drawable
from archspec.ir.reading import declared
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import ValueSchedule
from archspec.ir.validation import refuse
from archspec.ops.loss import last_activation
from archspec.tasks.minimizing import drawn_class_faults
from archspec.training.latents import amounts
from archspec.training.optimizers import Optimizer
from archspec.training.schedules import Plateau
from archspec.training.task import Objective, Samples, Task, TaskError, Wanted, darkest, faults
from archspec.training.updates.sources import arrays, check_objects, check_part, given, named, sources

if TYPE_CHECKING:
    import keras

    from archspec.training.board.events import Board
    from archspec.training.settings import TrainSettings
    from archspec.training.task import RunContext
    from archspec.training.updates.steps import StepsModel

NOT_TAKEN = {
    "loss": ("the losses of several networks are the spec's", "leave loss out"),
    "ema": ("averages of networks are the spec's", "in its train section: 'average: {NETWORK: 0.999}'"),
    "average_last": ("averages of networks are the spec's", "in its train section: 'average: {NETWORK: 0.999}'"),
    "cache_features": ("networks that are trained in turn have no part that is computed once for all", None),
    "accumulate": ("updates of several networks are not put off", "a larger batch"),
    "class_weight": ("examples have no weights where networks are trained in turn", None),
    "monitor": ("no figure says which of several networks that compete are best", None),
    "patience": ("no figure says which of several networks that compete are best", None),
}
"""What a run file may say, but not of this task: why, and what would do."""


def _by_step(value: object) -> Any:
    if not isinstance(value, dict):
        raise refuse("must be a map of steps and optimizers")
    return dict(value)


class Adversarial(Task, name="adversarial"):
    """Networks that are updated in turn, by the steps of the spec's ``train`` section. Reports every term.

    An input of that section is the part of the data that has its name; a single one is the image, or
    the one part that is no label, and an input that is a ``label`` the class of the example, whatever their names.
    """

    sample_options = ("result", "label", "interpolate")

    optimizers: Annotated[dict[str, declared(Optimizer, "an optimizer")], BeforeValidator(_by_step)] = {}  # type: ignore[valid-type]
    """Optimisers of steps, by the name of the step: the networks that it updates, joined by ``_``. A step that is not
    named has the run's. The run's schedule goes for all of them."""

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Images brought to the networks' size and, where they are 8-bit, to -1 … 1, which tanh gives."""
        wanted = [s for s in arrays(_training(graph)).values() if s.rank > 1]
        steps: list[Any] = []
        if len(wanted) == 1 and IMAGE in features.parts and "float" in wanted[0].dtype:
            sizes = wanted[0].spatial
            if None not in sizes and len(sizes) == 2 and features.image.spatial != sizes:
                steps.append(Resize(size=sizes))  # type: ignore[arg-type]
            if features.image.dtype == "uint8":
                steps.append(Rescale(low=-1.0))
        return {"augment": tuple(steps)}

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        found = list(faults(lambda: _training(graph)))
        yield from found
        if found:
            return
        plan = _training(graph)
        yield from faults(lambda: _check_backend(plan))
        yield from _unfit(train)
        steps = [step.name for step in plan.steps]
        for name in self.optimizers:
            if name not in steps:
                yield TaskError(
                    f"there is no step {shown(name)}",
                    at=("train", "task", self.name, "optimizers", name),
                    help=did_you_mean(name, steps) or f"the steps are {', '.join(steps)}",
                )
        yield from faults(lambda: _check_frozen(graph, plan, train))
        numbers = [n for step in plan.steps for n in (step.turns, *(term.weight for term in step.minimize))]
        if train.jit_compile and any(isinstance(n, ValueSchedule) for n in numbers):
            yield TaskError(
                "XLA cannot compile turns and weights that change with the rounds", at=("train", "jit_compile")
            )
        for features, at in ((training, ("augment",)), (evaluation, ("evaluate", "transforms"))):
            yield from faults(partial(sources, plan, features))
            for name, objects in plan.objects.items():
                yield from faults(partial(check_objects, name, objects, features, at))
            for name, part in named(plan, features.parts).items():
                if name.rpartition(".")[0] not in plan.objects:
                    yield from faults(partial(check_part, name, plan.body.inputs[name], features.parts[part], at))
        yield from drawn_class_faults(graph, plan, training)

    def measured(self, graph: Graph) -> Mapping[str, Better]:
        # No figure says which of several networks that compete are best.
        return {}

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        import numpy as np

        plan = _training(graph)
        steps = _steps(graph, model, seed=int(np.random.RandomState(train.seed).randint(2**20)))

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            # Nothing is made of the targets, but fit wants some.
            return given(plan, batch), batch[POSITION[0]]

        def pictures(of: RunContext, board: Board) -> Sequence[keras.callbacks.Callback]:
            from archspec.tasks.adversarial.panels import SamplePanels

            return [SamplePanels(steps, of, board, named(plan, of.pipeline.features()[1].parts))]

        return Objective(
            model=steps,
            pairs=pairs,
            losses={},
            pictures=pictures,
            optimizers=[self.optimizers.get(step.name, train.optimizer) for step in plan.steps],
            terms=[f"{step.name}.{term.name}" for step in plan.steps for term in step.minimize],
            settle=steps.settle,
            watching=_watching(plan),
        )

    def check_sample(self, graph: Graph, wanted: Wanted) -> TensorSpec | None:
        plan, (result, label) = _training(graph), (wanted.options.get(word) for word in ("result", "label"))
        _, steps = amounts(wanted)
        found = drawable(plan)
        if not found:
            raise TaskError(f"no result of '{graph.name}' needs only what is drawn", at=())
        name = result or found[0]
        if name not in found:
            hint = did_you_mean(name, found) or ", ".join(found)
            raise TaskError(f"'{name}' is no result that needs only what is drawn", at=(), help=hint)
        classes = [drawn.classes for drawn in plan.drawn.values() if drawn.classes]
        if label is not None and (not classes or label >= min(classes)):
            known = f"the classes are 0 to {min(classes) - 1}" if classes else "it draws no labels"
            raise TaskError(f"there is no class {label}: {known}", at=())
        if steps is not None and all(drawn.classes for drawn in plan.drawn.values()):
            raise TaskError(f"'{name}' is drawn from labels alone: there is nothing between two", at=())
        return plan.body.spec(plan.results[name])

    def sample(self, graph: Graph, model: keras.Model, wanted: Wanted) -> Samples:
        import numpy as np

        from archspec.training.updates.steps import StepsModel

        (count, steps), label = amounts(wanted), wanted.options.get("label")
        plan = _training(graph)
        # A class for each sample, or for each row.
        turn = np.arange(count, dtype="int32") // (steps or 1)
        given = {
            name: turn % d.classes if label is None else np.full(count, label, "int32")
            for name, d in plan.drawn.items()
            if d.kind == "label"
        }
        name = wanted.options.get("result") or drawable(plan)[0]
        values = StepsModel(graph, model).sample(count, seed=wanted.seed, result=name, given=given, steps=steps)
        columns = steps or next((d.classes for d in plan.drawn.values() if d.classes), None)
        return Samples(values, columns, darkest(last_activation(plan.body.by_name, plan.results[name])))


def _training(graph: Graph) -> Training:
    if graph.training is not None and not graph.networks:
        message = f"adversarial trains several networks, '{graph.name}' is one"
        raise TaskError(message, at=("spec",), help="task: training_graph, or leave task out")
    if graph.training is None:
        raise TaskError(
            f"'{graph.name}' has no 'train' section, which says what its networks minimise",
            at=("spec",),
            help="train: {inputs: …, body: …, steps: …}",
        )
    return graph.training


def _steps(graph: Graph, model: keras.Model, seed: int) -> StepsModel:
    if _training(graph).together:
        from archspec.training.updates.simultaneous_updates import SimultaneousUpdates

        return SimultaneousUpdates(graph, model, seed=seed)
    from archspec.training.updates.alternating_updates import AlternatingUpdates

    return AlternatingUpdates(graph, model, seed=seed)


def _watching(plan: Training) -> Sequence[keras.callbacks.Callback]:
    """Updates in turn report the norms of their gradients themselves."""
    if not plan.together:
        return ()
    from archspec.tasks.adversarial.gradient_norms import GradientNorms

    return (GradientNorms(),)


def _check_backend(plan: Training) -> None:
    """Refuse updates in turn with another backend: they are a training step of TensorFlow's."""
    if not plan.together and (found := backend()) != "tensorflow":
        raise TaskError(
            f"updates in turn need the TensorFlow backend, KERAS_BACKEND is {found}",
            at=("train", "task"),
            help="KERAS_BACKEND=tensorflow, or 'together: true' in the spec's train section: all steps at once",
        )


def _unfit(train: TrainSettings) -> Iterator[TaskError]:
    """What a run file says that this task has no meaning for."""
    for name, (message, help) in NOT_TAKEN.items():
        if getattr(train, name) != type(train).model_fields[name].default:
            yield TaskError(message, at=("train", name), help=help)
    if train.precision == "mixed_float16":
        yield TaskError(
            "the losses of several networks are not scaled, as float16 needs it",
            at=("train", "precision"),
            help="precision: mixed_bfloat16",
        )
    if isinstance(train.schedule, Plateau):
        yield TaskError(
            "plateau watches a loss that falls; those of networks that compete do not",
            at=("train", "schedule"),
            help="constant, cosine, polynomial, step, milestones and others go by time",
        )


def _check_frozen(graph: Graph, plan: Training, train: TrainSettings) -> None:
    """Refuse a step that updates a network of which every layer is frozen."""
    from archspec.training.freezing import matches

    for_good = [item for item in train.freeze if isinstance(item, str)]
    if len(for_good) < len(train.freeze):
        raise TaskError("layers of several networks are frozen for good", at=("train", "freeze"))
    for step in plan.steps:
        for name in step.update:
            layers = [node.layer for node in graph.networks[name].owners() if node.weights]
            if all(any(matches(pattern, layer) for pattern in for_good) for layer in layers):
                raise TaskError(f"step '{step.name}' updates '{name}', which is frozen", at=("train", "freeze"))
