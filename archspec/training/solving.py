"""Layers that a run solves for when the rest is trained: what comes into them, and what is wanted of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from archspec.data.source import TRAIN
from archspec.training.errors import RunError
from archspec.training.fits import NoRows, Rows
from archspec.training.solvable import Solvable, solvable

if TYPE_CHECKING:
    from archspec.training.plan import Plan
    from archspec.training.training_state import TrainingState


def solve(plan: Plan, start: TrainingState, say: Callable[[str], None]) -> None:
    """Give the layers that the run file names the weights that are best on the training examples. Raises RunError."""
    for one in solvable(plan.graph, plan.spec.train.fit):
        try:
            solved = one.fit.solve(lambda one=one: _rows(plan, start, one))  # type: ignore[misc]
        except NoRows:
            raise RunError(f"no row of the training examples says what '{one.layer}' is to give") from None
        start.network.get_layer(one.layer).set_weights([solved.kernel, solved.bias])
        say(f"{one.layer} is fitted by {one.fit.name}: {solved.said}")


def _rows(plan: Plan, start: TrainingState, one: Solvable) -> Iterator[Rows]:
    """What comes into a layer and what is wanted of it, of all rows that count."""
    import numpy as np

    training: Any = plan.graph.training
    model: Any = start.objective.model
    target, where = one.term.operands[1], one.term.where
    wanted = {"x": one.x} | {
        name: training.results[result] for name, result in (("y", target), ("where", where)) if isinstance(result, str)
    }
    for batch, _ in plan.pipeline.evaluation(TRAIN, start.objective.pairs):
        inputs = model.inputs(model.batch(batch), 0, 0)
        found = dict(zip(wanted, model.tensors(inputs, list(wanted.values())), strict=True))
        x = found["x"].reshape(-1, found["x"].shape[-1])
        y = found["y"] if "y" in found else np.full((*found["x"].shape[:-1], 1), target)
        counted = found["where"].reshape(-1) > 0 if where else slice(None)
        yield Rows(x[counted].astype(np.float32), y.reshape(len(x), -1)[counted].astype(np.float32))
