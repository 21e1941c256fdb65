"""What a run is when its loop begins: the network, what it is updated by, its data, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.training.batch_norm import forget_starts, have_begun, updates_until
from archspec.training.callbacks import LogFn
from archspec.training.checkpoint import Checkpoints, Position
from archspec.training.compiling import compiled, dtype_scope, set_determinism
from archspec.training.distribution import DeviceLayout
from archspec.training.freezing import set_trainable
from archspec.training.identity import identity
from archspec.training.initial_weights import initial_weights
from archspec.training.plan import Plan
from archspec.training.record import recorded_backend
from archspec.training.word_vectors import word_vectors

if TYPE_CHECKING:
    import keras

    from archspec.training.task import Objective


@dataclass(frozen=True, slots=True)
class TrainingState:
    """``network`` is the graph's; ``model`` is what ``fit`` is called on, which may be a part of it or hold it, and
    ``batches`` the plan with the data that it sees. ``settle`` puts averages in the place of weights, when all is
    over."""

    network: keras.Model
    model: keras.Model
    objective: Objective
    batches: Plan
    settle: Callable[[], None]
    checkpoints: Checkpoints
    position: Position

    def inputs(self) -> Iterator[Any]:
        """What the model is given in an epoch, batch by batch."""
        return (batch[0] for batch in self.batches.pipeline.training(self.objective.pairs))


def build_state(plan: Plan, logdir: Path, resume: bool, say: LogFn, layout: DeviceLayout) -> TrainingState:
    """Build, load, compile; with ``resume``, from the last checkpoint that is whole.

    Raises CheckpointError, with nothing changed, where that is of another run.
    """
    import keras

    from archspec.backend.build import compile

    train = plan.spec.train
    checkpoints = Checkpoints(logdir, identity(plan), is_writer=layout.is_coordinator)
    position = _position(checkpoints, say) if resume else None
    # Keras tells what it does on stdout, which is for results.
    keras.utils.disable_interactive_logging()
    keras.utils.set_random_seed(train.seed)
    set_determinism(plan)
    with dtype_scope(train.precision):
        network = compile(plan.graph, training=True)
        momentum = forget_starts(network)
        set_trainable(plan, network)
        layout.synchronise(network)
        if position is None and (steps := plan.steps * train.epochs) < updates_until(momentum):
            say(
                f"batch normalisation: a momentum of {momentum:g} is too slow for {steps} "
                "steps, so a lower one is used: moving averages cover about the last ninth of the steps so far"
            )
        # What is frozen and runs only once is in no checkpoint.
        if position is None or train.cache_features:
            _load(plan, network, say)
        objective, batches = plan.task.trainer(plan.graph, network, train, plan.features), plan
        if train.cache_features:
            from archspec.training.features import cached

            objective, pipeline = cached(plan, network, objective, logdir, say, resume=resume)
            batches = replace(plan, pipeline=pipeline)
        settle = compiled(objective.model, objective, plan)
    start = TrainingState(network, objective.model, objective, batches, settle, checkpoints, position or Position())
    if position is not None:
        _restore(plan, start, logdir, say, layout)
    return start


def _position(checkpoints: Checkpoints, say: LogFn) -> Position | None:
    """Where a run goes on; None for its beginning."""
    position = checkpoints.position()
    for problem in checkpoints.passed_over:
        say(problem)
    if position is None:
        say(f"{'no checkpoint is whole' if checkpoints.passed_over else 'there is no checkpoint yet'}: starts anew")
    elif checkpoints.passed_over:
        say(f"the checkpoint of step {position.step}, which is whole, is used")
    return position


def _load(plan: Plan, network: keras.Model, say: LogFn) -> None:
    """Give layers the weights, and tokens the vectors, that the run file names."""
    from archspec.backend.weights import assign

    train = plan.spec.train
    if train.weights:
        given = initial_weights(plan.graph, train.weights)
        values = given.values
        assign(network, values)
        have_begun(network, {name.rpartition("/")[0] for name in values if name.endswith("/moving_mean")})
        layers = len({name.rpartition("/")[0] for name in values})
        every = sum(1 for n in plan.graph.owners() if n.weights)
        say(f"{layers} of {every} layers start from {_files(train.weights)}")
        for note in given.notes:
            say(f"note: {note}")
    if train.vectors:
        vectors = word_vectors(train.vectors, plan.graph, plan.features)
        vectors.assign(network)
        say(f"{len(vectors.rows)} of {vectors.vocabulary.size} tokens start from {train.vectors}")


def _restore(plan: Plan, start: TrainingState, logdir: Path, say: LogFn, layout: DeviceLayout) -> None:
    import keras
    import numpy as np

    # Keras makes the metrics' variables when it sees the first batch.
    batch = next(iter(start.batches.pipeline.training(start.objective.pairs, shard=layout.shard)))
    start.model.test_on_batch(*keras.tree.map_structure(np.asarray, batch))
    start.checkpoints.restore(start.model, start.position.step)
    say(f"goes on at step {start.position.step} of {plan.steps * plan.spec.train.epochs}")
    begun, now = recorded_backend(logdir), keras.backend.backend()
    if begun not in (None, now):
        say(f"the run was begun on {begun}; on {now} its random numbers are others from here on")


def _files(weights: Path | Mapping[str, Path]) -> str:
    return str(weights) if isinstance(weights, Path) else ", ".join(str(path) for path in weights.values())
