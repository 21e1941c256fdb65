"""Keras, or what to install for it; what it computes with."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

EXTRAS = {"jax": "archspec-keras[jax]"}
"""What to install, by what is missing; for all else it is ``EXTRA``."""
EXTRA = "archspec-keras[tensorflow]"


QUIET = "3"
"""``TF_CPP_MIN_LOG_LEVEL`` at which TensorFlow logs nothing but what ends the process."""


class MissingExtra(ModuleNotFoundError):
    """Keras or TensorFlow is needed and not installed."""


def import_keras() -> ModuleType:
    """The ``keras`` module; where it is imported here, TensorFlow is too, without its notices. Raises MissingExtra."""
    is_here = {"keras", "tensorflow"} & sys.modules.keys()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", QUIET)
    try:
        with nullcontext() if is_here else quiet():
            import keras

            if not is_here and (tf := import_tensorflow()) is not None:
                tf.config.list_physical_devices()  # what it complains of next
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"keras", "tensorflow", "jax", "torch"}:
            raise
        missing = EXTRAS.get(error.name.partition(".")[0], EXTRA)
        raise MissingExtra(f"this needs {error.name}: pip install '{missing}'", name=error.name) from None
    module: ModuleType = keras
    return module


def backend() -> str:
    """What Keras computes with, or would if it were imported: ``tensorflow``, ``jax`` or ``torch``."""
    if "keras" in sys.modules:
        name: str = sys.modules["keras"].backend.backend()
        return name
    if said := os.environ.get("KERAS_BACKEND"):
        return said
    settings = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "keras.json")
    try:
        return str(json.loads(settings.read_bytes())["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def has_tensorflow() -> bool:
    """Whether TensorFlow can be imported; it is not."""
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"] is not None
    try:
        return find_spec("tensorflow") is not None
    except (ImportError, ValueError):
        return False


def import_tensorflow() -> ModuleType | None:
    """TensorFlow, where it can be imported. Beside another backend it leaves the GPUs to that."""
    if not has_tensorflow():
        return None
    import tensorflow as tf

    if backend() != "tensorflow":
        tf.config.set_visible_devices([], "GPU")
    module: ModuleType = tf
    return module


def quiet_start() -> ModuleType:
    """``import_keras`` for commands, which collect no garbage until then, with TensorFlow. Raises MissingExtra."""
    gc.enable()
    keras = import_keras()
    import_tensorflow()
    return keras


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing on stderr meanwhile, which is for libraries that talk there past Python: TensorFlow before it reads
    ``TF_CPP_MIN_LOG_LEVEL``, its converters always. What goes wrong is raised all the same. Of the whole process, so
    not for where other threads may have something to say. Not with ``ARCHSPEC_TRACEBACK``, to see it all.
    """
    if os.environ.get("ARCHSPEC_TRACEBACK"):
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
