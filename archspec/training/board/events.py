"""Files of events beside those that Keras writes: each kind of thing in a folder of its own, for a reader that has gone
on to a folder's newest file never looks at an older one again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Events:
    """A folder's file, made when first something is written."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer: Any = None

    @contextmanager
    def at(self, step: int) -> Iterator[None]:
        """What is told to ``tf.summary`` meanwhile goes into the file, which is on the disk at the end. Raises OSError,
        tf.errors.OpError."""
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(step=step):
            yield
        self._writer.flush()
