"""Keras, or what to install for it."""

from __future__ import annotations

import gc
import os
from types import ModuleType

EXTRA = "archspec-keras[tensorflow]"


class MissingExtra(ModuleNotFoundError):
    """Keras or TensorFlow is needed and not installed."""


def import_keras() -> ModuleType:
    """The ``keras`` module. Raises MissingExtra."""
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"keras", "tensorflow", "jax", "torch"}:
            raise
        raise MissingExtra(f"this needs {error.name}: pip install '{EXTRA}'", name=error.name) from None
    return keras


def quiet_start() -> ModuleType:
    """``import_keras`` without TensorFlow's notices on stderr, for commands, which collect no garbage until then.

    Raises MissingExtra.
    """
    gc.enable()
    if os.environ.get("ARCHSPEC_TRACEBACK"):
        return import_keras()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Some notices go out before TensorFlow reads that variable, past Python's sys.stderr.
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        return import_keras()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
