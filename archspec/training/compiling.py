"""What a model is updated by, and what it computes in: optimiser, losses, metrics, precision, determinism."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import import_tensorflow
from archspec.backend.seams.optimizers import average_uniformly, count_own_steps, keep_weights, scale_rates
from archspec.training.freezing import matching, unfreeze_steps
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras

    from archspec.training.optimizers import Optimizer
    from archspec.training.task import Objective


def compiled(model: keras.Model, objective: Objective, plan: Plan) -> Callable[[], None]:
    """Give the model its optimiser, losses and metrics. What is returned puts averages in the place of the weights, and
    is to be called at the end."""
    import keras

    from archspec.training.schedules import held, learning_rate, rates

    train = plan.spec.train
    clip = train.clip
    common = {
        "clipvalue": clip and clip.value,
        "clipnorm": clip and clip.norm,
        "global_clipnorm": clip and clip.global_norm,
        "gradient_accumulation_steps": train.accumulate if train.accumulate > 1 else None,
        "use_ema": train.ema is not None or train.average_last is not None,
        "ema_momentum": train.ema or 0.99,
    }
    factors, late = _factors(plan, model), unfreeze_steps(plan, model)

    def lowered(declaration: Optimizer) -> Any:
        # Keras looks up the rate by steps of the data, also where only every few of them change the weights.
        table = rates(train.schedule, declaration.learning_rate, train.epochs, plan.steps, train.warmup)
        every = held(train.epochs * plan.steps)
        optimizer = declaration.lower(learning_rate(table, every), **common)
        if declaration.weight_decay:
            spared = [v for v in model.trainable_variables if len(v.shape) < 2 or factors.get(v.path) == 0]
            optimizer.exclude_from_weight_decay(var_list=spared)
        if factors:
            scale_rates(optimizer, factors)
        if train.average_last:
            average_uniformly(optimizer, (train.epochs - train.average_last) * plan.steps)
        if late:
            count_own_steps(optimizer, late)
        return optimizer

    model.compile(
        [lowered(optimizer) for optimizer in objective.optimizers] or lowered(train.optimizer),
        **objective.compiled(),
        steps_per_execution=plan.steps_per_execution(),
        # Left to itself Keras compiles with XLA, which makes TensorFlow's training on CPUs slower. Without it JAX would
        # compile nothing, and run a step operation by operation.
        jit_compile=train.jit_compile or keras.backend.backend() == "jax",
    )
    trained = list(model.trainable_variables)
    model.optimizer.build(trained)
    finalize = keep_weights(model.optimizer)

    def settle() -> None:
        finalize(trained)
        objective.settle()

    return settle


def _factors(plan: Plan, model: keras.Model) -> dict[str, float]:
    """Factor of the learning rate by a variable's path, where it is not 1."""
    rates = plan.spec.train.rates
    out = {}
    for node in plan.graph.owners():
        pattern = matching(rates, node.layer)
        if pattern is not None:
            out.update({v.path: rates[pattern] for v in model.get_layer(node.layer).trainable_variables})
    return out


@contextmanager
def dtype_scope(precision: str) -> Iterator[None]:
    """What layers that are made meanwhile compute in."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def set_determinism(plan: Plan) -> None:
    """Let only operations be used that give the same result each time, where the run is to."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        if plan.is_deterministic(any(d.platform == "gpu" for d in jax.local_devices())):
            # Read when the first program is compiled.
            flags = os.environ.get("XLA_FLAGS", "")
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
        return
    tf = import_tensorflow()
    if tf is not None and plan.is_deterministic(bool(tf.config.list_physical_devices("GPU"))):
        tf.config.experimental.enable_op_determinism()
