"""A run tried without a trace: the network is built, and one batch is trained on and one evaluated."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, prod
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from archspec.backend.installation import import_keras, import_tensorflow
from archspec.training import trackers
from archspec.training.class_weights import class_weights
from archspec.training.distribution import acquire_devices
from archspec.training.failures import translate_error
from archspec.training.plan import Plan
from archspec.training.training_state import TrainingState, build_state


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What one batch shows of a run. ``figures`` are those of its training step, ``seconds`` what both steps took with
    their compilation, and ``memory`` the most that the process has held so far, in bytes (None where the system does
    not say), without that of GPUs."""

    run: str
    spec: str
    variant: str | None
    data: str
    params: int
    trainable: int
    epochs: int
    steps: int
    batch: int
    figures: dict[str, float]
    seconds: float
    memory: int | None

    @property
    def is_finite(self) -> bool:
        """Whether the loss of the batch is a number."""
        return all(isfinite(value) for value in self.figures.values())


def rehearse(plan: Plan, say: Callable[[str], None]) -> Rehearsal:
    """Do one step of training and one of evaluation, and keep nothing. Features are not cached: frozen layers run.

    Raises what ``run`` raises of data, devices and memory, and Misused for callbacks that would fail.
    """
    train = plan.spec.train.model_copy(update={"cache_features": False, "steps_per_execution": 1})
    plan = replace(plan, spec=plan.spec.model_copy(update={"train": train}))
    import_keras()
    import_tensorflow()
    trackers.check_arguments(plan)
    with acquire_devices(plan) as layout, TemporaryDirectory() as folder:
        plan = plan.fitted()
        start = build_state(plan, Path(folder), False, say, layout)
        begin = perf_counter()
        try:
            figures = _step(plan, start)
        except Exception as error:
            if (meant := translate_error(error, plan, layout)) is None:
                raise
            raise meant from None
        seconds = round(perf_counter() - begin, 2)
        return Rehearsal(
            run=plan.name,
            spec=plan.graph.name,
            variant=plan.graph.variant,
            data=plan.source.name,
            params=start.network.count_params(),
            trainable=sum(prod(variable.shape) for variable in start.network.trainable_variables),
            epochs=train.epochs,
            steps=plan.steps,
            batch=plan.pipeline.batch_size(),
            figures=figures,
            seconds=seconds,
            memory=_memory(),
        )


def _step(plan: Plan, start: TrainingState) -> dict[str, float]:
    """Figures of a batch that is trained on; one of the evaluated split is seen, too."""
    import keras
    import numpy as np

    pairs = start.objective.pairs
    batch = keras.tree.map_structure(np.asarray, next(iter(plan.pipeline.training(pairs))))
    figures = start.model.train_on_batch(*batch, class_weight=class_weights(plan) or None, return_dict=True)
    if plan.split:
        held_out = plan.pipeline.evaluation(plan.split, pairs, batch=plan.spec.evaluate.batch)
        start.model.test_on_batch(*keras.tree.map_structure(np.asarray, next(iter(held_out))))
    return {name: float(np.asarray(value)) for name, value in figures.items()}


def _memory() -> int | None:
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:
        return None
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
