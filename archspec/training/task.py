"""What a task is: the meaning of a network's outputs in terms of the data's labels.

``check`` refuses a run that cannot work before TensorFlow is imported; ``trainer`` crosses into Keras and says what to
minimise. The loop belongs to ``training/run.py``, for every task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from archspec.data.source import FeatureSpec
from archspec.ir.declaration import Declaration
from archspec.ir.graph import Graph
from archspec.ir.tensors import TensorSpec
from archspec.training.errors import TaskError as TaskError
from archspec.training.optimizers import Optimizer
from archspec.training.settings import Log, TrainSettings

if TYPE_CHECKING:
    import keras

    from archspec.data.pipeline import Pipeline
    from archspec.data.source import DataSource


class RunContext(Protocol):
    """What a task knows of the run that it is learnt in, after ``trainer``: a Plan is one."""

    @property
    def graph(self) -> Graph: ...
    @property
    def source(self) -> DataSource: ...
    @property
    def features(self) -> FeatureSpec: ...
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
    gives what TensorBoard shows of the task besides scalars: callbacks for a run and its directory, which stand
    before all others (at an evaluation's end averages are still in the place of the weights). ``figures`` gives
    what an evaluation reports besides metrics, by name: of a run and the batches, as ``pairs`` made them.
    ``optimizers`` are several in place of the run's, for a model whose ``compile`` takes a list; ``terms`` are names
    of what is reported that the loss is a sum of, in order; ``settle`` puts what is to be saved in the place of the
    weights, when all is over; ``watching`` are callbacks that add to what epochs report.
    """

    model: keras.Model
    pairs: Callable[[dict[str, Any]], tuple[Any, Any]]
    losses: Mapping[str, Any]
    weights: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, list[Any]] = field(default_factory=dict)
    pictures: Callable[[RunContext, Path], Sequence[keras.callbacks.Callback]] = lambda plan, logdir: ()
    figures: Callable[[RunContext, Any], Mapping[str, float]] | None = None
    optimizers: Sequence[Optimizer] = ()
    terms: Sequence[str] = ()
    settle: Callable[[], None] = lambda: None
    watching: Sequence[keras.callbacks.Callback] = ()

    def compiled(self) -> dict[str, Any]:
        """What ``keras.Model.compile`` is told of losses and metrics."""
        is_single = len(self.losses) == 1
        return {
            "loss": next(iter(self.losses.values())) if is_single else dict(self.losses),
            "loss_weights": None if is_single else dict(self.weights),
            "metrics": next(iter(self.metrics.values()), None) if is_single else dict(self.metrics),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a trained network that samples are drawn from.

    ``count`` is how many, None for what is usual; ``options`` are those that were given, of the task's
    ``sample_options``; ``features`` tells what the data were, if the task needs to know.
    """

    count: int | None
    seed: int
    options: Mapping[str, Any]
    features: Callable[[], FeatureSpec]


@dataclass(frozen=True, slots=True)
class Samples:
    """An array with a row for each sample; ``columns`` is how many stand side by side where they are images."""

    values: Any
    columns: int | None = None


class Task(Declaration, package="archspec.tasks"):
    """One kind of problem. Order of rules: fields, ``defaults``, ``check``, ``trainer``, and of tasks whose networks
    can be drawn from ``check_sample``, ``sample``."""

    is_divisible: ClassVar[bool] = False
    """True where the loss is Keras's mean over the examples of a batch, of which several devices can each do some."""
    takes_features: ClassVar[bool] = False
    """True where the loss is of outputs and targets alone, so that a network's trained part can train by itself."""
    reports_accuracy: ClassVar[bool] = True
    """Whether evaluations report the accuracy of every head, also where its spec asks for no metrics."""
    sample_options: ClassVar[tuple[str, ...]] = ()
    """Options of ``archspec sample`` that the task takes; none where nothing can be drawn."""

    @property
    def gives_probabilities(self) -> bool:
        """Whether examples have classes, of which the network says how probable they are."""
        return type(self).probabilities is not Task.probabilities

    def defaults(self, graph: Graph, features: FeatureSpec) -> Mapping[str, Any]:
        """Values for what a run file does not say, by section: ``augment``, ``train``, ``evaluate``."""
        return {}

    def check(self, graph: Graph, training: FeatureSpec, evaluation: FeatureSpec, train: TrainSettings) -> None:
        """Refuse a run that cannot work: the data (as they reach the network) against the graph, its heads and losses,
        and what the run file's ``train`` section asks for. Raises TaskError.
        """
        raise NotImplementedError

    def monitors(self, graph: Graph) -> list[str]:
        """Figures of an evaluation of which one can say which weights are best, as Keras names them."""
        heads = [o for o in graph.outputs if not o.train_only]
        named = [h for h in heads if self.reports_accuracy or any(m.name == "accuracy" for m in h.metrics)]
        if len(graph.outputs) == 1:
            return ["loss", *("accuracy" for _ in named)]
        return ["loss", *(f"{head.name}_accuracy" for head in named)]

    def probabilities(self, graph: Graph, model: keras.Model, batches: Any, loss: Any = None) -> Any:
        """What the model says of every example of ``batches``, as an array of one row for each."""
        raise NotImplementedError

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings) -> Objective:
        """What to minimise, for the model that was built from the graph with its train-only heads."""
        raise NotImplementedError

    def check_sample(self, graph: Graph, wanted: Wanted) -> TensorSpec | None:
        """Refuse what cannot be drawn. Returns what a sample is, None for text. Raises TaskError, DataError."""
        raise NotImplementedError

    def sample(self, graph: Graph, model: keras.Model, wanted: Wanted) -> Samples | str:
        """Draw from a trained network; equal where the seed is."""
        raise NotImplementedError
