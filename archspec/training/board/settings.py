"""The settings of a run for TensorBoard's table of hyper-parameters, where runs stand side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.arguments import written
from archspec.ir.declaration import Declaration
from archspec.training.board.events import Events
from archspec.training.plan import Plan

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


def _is_given(value: Any) -> bool:
    return value is not None and value != () and value != {} and value != ""


def settings(plan: Plan, logdir: Path) -> keras.callbacks.Callback:
    """Tells the hyper-parameters plugin what a run starts with and that it ended. Its metrics are the run's scalars.

    (The plugin's own callback lasts for one ``fit``; a run that goes on has two.)
    """
    import keras

    class Settings(keras.callbacks.Callback):
        events = Events(logdir)

        def on_train_begin(self, logs: Any = None) -> None:
            from tensorboard.plugins.hparams import api

            with self.events.at(0):
                api.hparams(hyperparameters(plan), trial_id=logdir.name)

        def on_train_end(self, logs: Any = None) -> None:
            import tensorflow as tf
            from tensorboard.plugins.hparams import api_pb2, summary

            with self.events.at(0):
                ended = summary.session_end_pb(api_pb2.STATUS_SUCCESS).SerializeToString()
                tf.summary.experimental.write_raw_pb(ended)

    return Settings()
