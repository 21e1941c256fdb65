"""Files of events: a folder for each kind of thing, and one writer for each folder.

A reader that has gone on to a folder's newest file never looks at an older one again, so that several writers would
hide each other. A folder is a run in TensorBoard's list, which shows nothing of more than forty until somebody picks
some: so there are four, and what else is drawn goes into one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Events:
    """A folder's file, made when first something is written."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._writer: Any = None

    @contextmanager
    def at(self, step: int) -> Iterator[None]:
        """What is told to ``tf.summary`` meanwhile goes into the file, which is on the disk at the end. Raises OSError,
        tf.errors.OpError."""
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.folder))
        with self._writer.as_default(step=step):
            yield
        self._writer.flush()


class Board:
    """The folders of a run. Steps of events are epochs, counted from 1, or steps from the start of the run."""

    def __init__(self, logdir: Path):
        self.logdir = logdir
        self.about = Events(logdir / "about")
        """What the run is: its costs, run file and data."""
        self.train = Events(logdir / "train")
        """Scalars of training, histograms, the graph."""
        self.validation = Events(logdir / "validation")
        """Scalars of evaluations; the settings and what the best epoch gave."""
        self.pictures = Events(logdir / "pictures")
        """What evaluators and tasks draw or write after evaluations."""
