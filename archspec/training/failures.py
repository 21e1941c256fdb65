"""What went wrong below ``fit``, in a user's terms."""

from __future__ import annotations

import sys

from archspec.data.errors import DataError
from archspec.data.read_errors import fault, reading
from archspec.data.source import TRAIN
from archspec.training.distribution import DeviceLayout
from archspec.training.errors import DistributionError
from archspec.training.plan import Plan


def translate_error(error: Exception, plan: Plan, layout: DeviceLayout) -> Exception | None:
    """What an error of TensorFlow or JAX means; None where it is not known, or comes from elsewhere."""
    if (tf := sys.modules.get("tensorflow")) and isinstance(error, tf.errors.OpError):
        if isinstance(error, tf.errors.ResourceExhaustedError):
            return MemoryError(error.message.splitlines()[0])
        for split in (TRAIN, *([plan.split] if plan.split else [])):
            if found := fault(plan.source, split):
                return DataError(f"{found}", help="mend or remove it")
        if found := reading(error):
            return DataError(f"the data cannot be read: {found}")
        return None
    if (jax := sys.modules.get("jax")) and isinstance(error, jax.errors.JaxRuntimeError):
        # JAX repeats itself, and says last what happened.
        said = str(error).splitlines()[0].rpartition("Error dispatching computation: ")[2]
        if "RESOURCE_EXHAUSTED" in said:
            return MemoryError(said)
        if not layout.is_alone:
            return DistributionError(f"another process of the run is gone: {said}")
    return None
