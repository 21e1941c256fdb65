"""The settings of a run for TensorBoard's table of hyper-parameters, where runs stand side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.arguments import written
from archspec.ir.declaration import Declaration
from archspec.training.board.events import Board
from archspec.training.checkpoint import Position
from archspec.training.plan import Plan
from archspec.training.planning import monitored

if TYPE_CHECKING:
    import keras


def hyperparameters(plan: Plan) -> dict[str, bool | int | float | str]:
    """Name → value; an argument of a declaration is ``optimizer.learning_rate``. What is not given is left out."""
    train = plan.spec.train
    out: dict[str, Any] = {"spec": plan.graph.name, "variant": plan.graph.variant, "data": plan.source.name}
    out |= {f"set.{name}": value for name, value in plan.spec.set.items()}
    out["augment"] = ", ".join(str(written(step)) for step in plan.pipeline.augment)
    for name in type(train).model_fields:
        value = getattr(train, name)
        if not isinstance(value, Declaration):
            out[name] = value
            continue
        out[name] = value.name
        out |= {f"{name}.{argument}": getattr(value, argument) for argument in type(value).model_fields}
    plain = {name: v if isinstance(v, (bool, int, float)) else str(v) for name, v in out.items() if _is_given(v)}
    return {name: value for name, value in plain.items() if name != "task"}


def _is_given(value: object) -> bool:
    return value is not None and value != () and value != {} and value != ""


def trial(logdir: Path) -> str:
    """What tells a run from others in the table: the folders that it lies in count, for ``a/1`` and ``b/1`` are two."""
    return str(logdir.resolve())


def best_epoch(plan: Plan, history: Sequence[Mapping[str, float]]) -> tuple[int, dict[str, float]] | None:
    """The best epoch, counted from 1, in what is monitored or else in the loss, and what its evaluation gave."""
    name = monitored(plan) if plan.spec.train.monitor else "loss"
    figure, sign = f"val_{name}", -1 if plan.figures().get(name) == "max" else 1
    judged = [(sign * row[figure], epoch, row) for epoch, row in enumerate(history, 1) if figure in row]
    if not judged:
        return None
    _, epoch, row = min(judged, key=lambda one: one[:2])
    return epoch, {n.removeprefix("val_"): value for n, value in row.items() if n.startswith("val_")}


def settings(plan: Plan, board: Board, position: Position) -> keras.callbacks.Callback:
    """Tells the hyper-parameters plugin what a run starts with, what its best epoch gave and that it ended. Its metrics
    are the scalars of its evaluations, those of the best epoch as ``best/…``.

    (The plugin's own callback lasts for one ``fit``; a run that goes on has two.)
    """
    import keras

    class Settings(keras.callbacks.Callback):
        events = board.validation if plan.split else board.train

        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            from tensorboard.plugins.hparams import api

            with self.events.at(0):
                api.hparams(hyperparameters(plan), trial_id=trial(board.logdir))

        def on_train_end(self, logs: dict[str, float] | None = None) -> None:
            import tensorflow as tf
            from tensorboard.plugins.hparams import api_pb2, summary

            if best := best_epoch(plan, position.history):
                epoch, row = best
                with self.events.at(epoch):
                    for name, value in row.items():
                        tf.summary.scalar(f"best/{name}", value)
            with self.events.at(0):
                ended = summary.session_end_pb(api_pb2.STATUS_SUCCESS).SerializeToString()
                tf.summary.experimental.write_raw_pb(ended)

    return Settings()
