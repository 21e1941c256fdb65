"""What a task is: the meaning of a network's outputs in terms of the data's labels.

``check`` finds what cannot work before TensorFlow is imported; ``trainer`` crosses into Keras and says what to
minimise; ``predictor`` says what the outputs mean, and ``evaluators`` compare that with the truth. A task never loops,
prints or reads files: loops belong to ``training/run.py`` and ``training/evaluation.py``, for every task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from archspec.data.example import LABEL, Example
from archspec.evaluators.base import Assessment, Batch, Better, Evaluator
from archspec.ir.declaration import Declaration
from archspec.ir.graph import Graph, Output
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from archspec.ops.loss import gives_probabilities
from archspec.training.errors import TaskError as TaskError
from archspec.training.errors import faults as faults
from archspec.training.optimizers import Optimizer
from archspec.training.settings import Log, TrainSettings

if TYPE_CHECKING:
    import keras

    from archspec.data.pipeline import Pipeline
    from archspec.data.source import DataSource
    from archspec.layers.tensor import Tensor
    from archspec.training.board.events import Board
    from archspec.training.looking import Looking


class RunContext(Protocol):
    """What a task knows of the run that it is learnt in, after ``trainer``: a Plan is one."""

    @property
    def graph(self) -> Graph: ...
    @property
    def source(self) -> DataSource: ...
    @property
    def features(self) -> Example: ...
    @property
    def split(self) -> str | None: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def train(self) -> TrainSettings: ...
    @property
    def log(self) -> Log: ...


@dataclass(frozen=True, slots=True)
class Objective:
    """What ``fit`` needs besides data and an optimiser.

    ``model`` may override ``compute_loss`` or ``train_step``; ``losses``, ``weights`` and ``metrics`` are by output, as
    ``keras.Model.compile`` takes them; ``pairs`` takes inputs and targets out of a batch, within tf.data. ``pictures``
    gives what TensorBoard shows of the task by itself: callbacks for a run and its board, which stand before
    all others (at an evaluation's end averages are still in the place of the weights). ``optimizers`` are several in
    place of the run's, for a model whose ``compile`` takes a list; ``terms`` are names of what is reported that the
    loss is a sum of, in order; ``settle`` puts what is to be saved in the place of the weights, when all is over;
    ``watching`` are callbacks that add to what epochs report.
    """

    model: keras.Model
    pairs: Callable[[dict[str, Any]], tuple[Any, Any]]
    losses: Mapping[str, Any]
    weights: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, list[Any]] = field(default_factory=dict)
    pictures: Callable[[RunContext, Board], Sequence[keras.callbacks.Callback]] = lambda plan, board: ()
    optimizers: Sequence[Optimizer] = ()
    terms: Sequence[str] = ()
    settle: Callable[[], None] = lambda: None
    watching: Sequence[keras.callbacks.Callback] = ()

    def compiled(self) -> dict[str, Any]:
        """What ``keras.Model.compile`` is told of losses and metrics."""
        is_single = len(self.losses) == 1
        weights = list(self.weights.values())
        return {
            "loss": next(iter(self.losses.values())) if is_single else dict(self.losses),
            # A weight of 1 is left out: it would cost a product, and Keras reports the parts of a weighted loss.
            "loss_weights": (None if weights in ([], [1.0]) else weights) if is_single else dict(self.weights),
            "metrics": next(iter(self.metrics.values()), None) if is_single else dict(self.metrics),
        }


class Predictor(Protocol):
    """What a network says of examples, in terms of the data."""

    together: int
    """Texts that stand in one batch, padded, where they are asked about."""
    cuts: bool
    """Whether a text that is too long is cut, as those of the data are."""

    def __call__(self, batch: Batch) -> dict[str, Any]:
        """Arrays by name, a row for each example of a batch, whose parts are those of the data."""

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """The same of each example, as plain values for JSON: ``top`` is how many of several possible answers,
        ``lengths`` are steps of each example, what follows being padding."""

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        """The record of an example on a line for a person, who calls the example so."""


class PixelPredictor(Predictor, Protocol):
    """One that tells a class of each pixel (``Task.tells_pixels``)."""

    def mask(self, said: Batch, there: Tensor, seen: tuple[int, int], size: tuple[int, int]) -> Any:
        """The number of the class of each pixel of the one image of a batch, in a file of this height and width: uint8,
        255 where the network saw nothing of it. ``there`` (2, 3) takes pixels (x, y, 1) of the file, counted from its
        edge, to those of what the network saw, of which ``seen`` are height and width."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a trained network that samples are drawn from.

    ``count`` is how many, None for what is usual; ``options`` are those that were given, of the task's
    ``sample_options``; ``features`` tells what the data were, if the task needs to know; ``train`` is what the run was
    trained by.
    """

    count: int | None
    seed: int
    options: Mapping[str, Any]
    features: Callable[[], Example]
    train: TrainSettings


@dataclass(frozen=True, slots=True)
class Samples:
    """An array with a row for each sample; where they are images, ``columns`` is how many stand side by side, and
    ``low`` what is black, 1 being white."""

    values: Any
    columns: int | None = None
    low: float = -1.0


def class_fault(graph: Graph, features: Example, whose: str, count: int | None, hint: str | None = None) -> TaskError:
    """That the data have another number of classes than what ``whose`` says (``head 'scores'``), which has ``count``;
    ``hint`` is what helps where the spec has no parameter for it."""
    names = ", ".join(features.class_names[:4]) + (", …" if len(features.class_names) > 4 else "")
    message = f"the data have {features.classes} classes{f' ({names})' if names else ''}, {whose} has {count}"
    help = f"--set classes={features.classes}" if "classes" in graph.params else hint
    return TaskError(message, at=("data",), help=help)


def darkest(last: Op | None) -> float:
    """What is black in images that come out of an activation."""
    return 0.0 if gives_probabilities(last) else -1.0


class Task(Declaration, package="archspec.tasks"):
    """One kind of problem. Order of rules: fields, ``resolved``, ``defaults``, ``check``, ``measures``, ``trainer``,
    ``predictor``, ``evaluators``, and of tasks whose networks can be drawn from ``check_sample``, ``sample``."""

    is_combinable: ClassVar[bool] = False
    """True where one of several heads can be learnt so: inputs are read as they are, the loss is of the head's output
    and its target alone, and ``predictor`` gives a HeadPredictor."""
    is_divisible: ClassVar[bool] = False
    """True where the loss is Keras's mean over the examples of a batch, of which several devices can each do some."""
    takes_features: ClassVar[bool] = False
    """True where the loss is of outputs and targets alone, so that a network's trained part can train by itself."""
    predicts: ClassVar[bool] = False
    """True where ``predictor`` has an answer for an example."""
    tells_pixels: ClassVar[bool] = False
    """True where ``predictor`` tells a class of each pixel."""
    tells_objects: ClassVar[bool] = False
    """True where records list the objects of an image, with boxes in pixels of its file."""
    located: ClassVar[tuple[str, ...]] = ()
    """Heads that give boxes in pixels of what the network sees."""
    filling: ClassVar[tuple[str, ...]] = ()
    """Heads that give pictures which fill these boxes."""
    numbered: ClassVar[tuple[str, ...]] = ()
    """Heads that give the number of a segment at each pixel of what the network sees."""
    listed: ClassVar[tuple[str, ...]] = ()
    """Heads whose rows are of the same things, in an order that is that of numbers which may be equal."""
    is_averaged: ClassVar[bool] = False
    """True where what several networks say, or one of several looks at an image, can be averaged."""
    sample_options: ClassVar[tuple[str, ...]] = ()
    """Options of ``archspec sample`` that the task takes; none where nothing can be drawn."""

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Values for what a run file does not say, by section: ``augment``, ``train``, ``evaluate``."""
        return {}

    def resolved(self, graph: Graph, features: Example) -> Self:
        """The same with what it takes from the network and the data where a run file does not say it."""
        return self

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        """Everything that cannot work: the data (as they reach the network) against the graph, its heads and losses,
        and what the run file's ``train`` section asks for."""
        raise NotImplementedError

    def measures(self, head: Output) -> Mapping[str, Better]:
        """What Keras reports of a head besides its loss, by name, and which values are better."""
        return {"accuracy": "max", **{metric.label: metric.better for metric in head.metrics}}

    def measured(self, graph: Graph) -> Mapping[str, Better]:
        """What Keras reports of an evaluation, as logs name it, and which values are better."""
        out: dict[str, Better] = {"loss": "min"}
        for head in graph.outputs:
            prefix = f"{head.name}_" if len(graph.outputs) > 1 else ""
            if not head.train_only:
                out |= {f"{prefix}{name}": better for name, better in self.measures(head).items()}
        if len(graph.outputs) > 1:
            out |= {f"{head.name}_loss": "min" for head in graph.outputs}
        return out

    def figures(self, graph: Graph, features: Example) -> Mapping[str, Better]:
        """All figures of an evaluation by their names in logs, and which values are better: those of Keras first."""
        out = dict(self.measured(graph))
        for evaluator in self.evaluators(graph, features):
            out |= {name: better for name, better in evaluator.figures.items() if name not in out}
        return out

    @property
    def is_fitted(self) -> bool:
        """False where the task still needs something of the training examples (``fitted``)."""
        return True

    def fitted(self, targets: Callable[[], Iterator[Batch]], features: Example) -> Self:
        """The same, fitted to the targets of the training examples: each call of ``targets``
        gives those features of all, batch by batch."""
        return self

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        """What to minimise, for the model that was built from the graph with its train-only heads."""
        raise NotImplementedError

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor | None:
        """What a model of the graph, or of its inference network, says of examples of the data; None where it has no
        answer for an example."""
        return None

    def looking(
        self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example, looking: Looking
    ) -> Predictor:
        """``predictor`` by the mean of several looks at all of an image, whatever its size, or by what they find
        together. Raises TaskError where that means nothing."""
        raise TaskError(f"{self.name}: what several looks at an example say is not averaged", at=())

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        """What compares the predictor's answers with the truth."""
        return ()

    def answers(self, graph: Graph) -> frozenset[str]:
        """What the predictor tells, in words: what several networks say is averaged where they tell the same."""
        return frozenset((self.name,))

    def units(self, graph: Graph) -> Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]:
        """Mean and deviation of what a head is learnt in, by output, where these are not the units of the data."""
        return {}

    def truth(self, batch: Batch, features: Example) -> Batch:
        """What evaluators compare with, out of a batch of the data."""
        return {LABEL: batch[LABEL]}

    def scored(self, graph: Graph) -> tuple[str, ...]:
        """Heads that give a score of each class at each pixel, of which ``predict`` makes masks."""
        return ()

    def tells_segments(self, graph: Graph) -> bool:
        """Whether the predictor says of each pixel which segment it is of: its records list the segments, and what it
        says has the picture of their numbers in pixels of the file, ``segments``."""
        return False

    def reads(self, graph: Graph, features: Example) -> tuple[str, ...]:
        """The parts of an example of the data that a network is asked about: those that its inputs are called by, or,
        where transforms make its inputs, all that are no targets."""
        parts = tuple(name for name in features.features if name not in features.targets)
        return tuple(graph.inputs) if set(graph.inputs) <= set(parts) else parts

    def scored_by(self, graph: Graph, train: TrainSettings) -> Op | None:
        """The activation that turns the first head's scores into what is averaged; None where they are such."""
        return None

    def shared_by(self, graph: Graph, train: TrainSettings, features: Example) -> Mapping[str, Op]:
        """The activations that turn scores into probabilities, by heads; of a head that gives what it tells, none."""
        activation = self.scored_by(graph, train)
        return {} if activation is None else {graph.outputs[0].name: activation}

    def panels(self, plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
        """Pictures for TensorBoard besides those of the assessments, by name."""
        return {}

    def check_sample(self, graph: Graph, wanted: Wanted) -> TensorSpec | None:
        """Refuse what cannot be drawn. Returns what a sample is, None for text. Raises TaskError, DataError."""
        raise NotImplementedError

    def sample(self, graph: Graph, model: keras.Model, wanted: Wanted) -> Samples | str:
        """Draw from a trained network; equal where the seed is."""
        raise NotImplementedError
