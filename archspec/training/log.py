"""The log of a run: a row for each epoch and, within epochs, one every so many steps.

``log.jsonl`` has both, each as soon as it is known; a row of steps is the one that has ``step``. ``log.csv`` has the
epochs. Whoever else wants the rows (TensorBoard) listens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from archspec.storage.atomic import write_text
from archspec.training.checkpoint import Position
from archspec.training.optimizers import Optimizer
from archspec.training.plan import Plan
from archspec.training.schedules import Plateau, held, rates

if TYPE_CHECKING:
    import keras

STEPS = 50
"""Steps between rows within an epoch, where nothing is said."""

Row = Mapping[str, float]
"""``epoch``, counted from 1, and figures by name; ``step``, counted from the start of the run, in rows of steps."""


class RunLog:
    """The rows of a run, which ``position`` is a part of: those after it are forgotten when a run goes on.

    Figures of a row of steps are means over the steps since the row before it, or the start of the epoch. They are told
    by the running means that Keras has brought from the device anyway: a row costs no transfer of its own.
    """

    def __init__(
        self,
        plan: Plan,
        position: Position,
        logdir: Path,
        say: Callable[[str], None],
        *,
        optimizer: Optimizer | None = None,
        is_writer: bool = True,
    ):
        self.listeners: list[Callable[[Row], None]] = []
        self.examples_per_second = 0.0
        """Of the epoch so far, evaluations left out."""
        self._plan, self._position, self._say, self._is_writer = plan, position, say, is_writer
        self._optimizer = optimizer or plan.train.optimizer
        self._every = STEPS if plan.log.steps is None else plan.log.steps
        self._text, self._table = logdir / "log.jsonl", logdir / "log.csv"
        self._failed: set[Path] = set()
        self._rows: list[Row] = []
        self._begin = self._last = (position.step, perf_counter())
        if is_writer:
            self._guarded(self._text, self._begin_text)

    def begin_epoch(self) -> None:
        """Count time from here on."""
        self._begin = self._last = (self._position.step, perf_counter())

    def step(self, model: keras.Model, logs: Mapping[str, Any]) -> None:
        """Take note of steps that were done; the position has been told of them."""
        step, steps = self._position.step, self._plan.steps
        now, before = perf_counter(), self._last[0]
        self.examples_per_second = self._speed(self._begin, now)
        # Python may be asked less often than a row is due.
        if not self._every or step // self._every == before // self._every:
            return
        import keras

        names = [m.name for m in model.metrics if isinstance(m, keras.metrics.Mean) and m.name in logs]
        means = {name: float(logs[name]) for name in names}
        done = (step - 1) // steps
        row: dict[str, float] = {"epoch": done + 1, "step": step, **self._since(means, done * steps)}
        row |= {"learning_rate": self._rate(), "examples_per_second": round(self._speed(self._last, now), 1)}
        self._last = (step, now)
        self._position.means = {"step": step, **means}
        self._rows.append(row)
        self._told(row)

    def epoch(self) -> None:
        """Take note of an epoch, which is the last of the position's history."""
        history = self._position.history
        self._told({"epoch": len(history), **history[-1]})

    def write(self) -> None:
        """Write both files anew."""
        if self._is_writer:
            self._guarded(self._table, self._write_table)
            self._guarded(self._text, self._write_text)

    def _since(self, means: Mapping[str, float], start: int) -> dict[str, float]:
        """Means over the steps since the last row, out of those since the epoch's start; batches are of one size."""
        earlier = self._position.means or {}
        all_of, before = self._position.step - start, int(earlier.get("step", 0)) - start
        if before <= 0:
            return dict(means)
        return {name: (mean * all_of - earlier[name] * before) / (all_of - before) for name, mean in means.items()}

    def _speed(self, since: tuple[int, float], now: float) -> float:
        return (self._position.step - since[0]) * self._plan.pipeline.batch_size() / max(now - since[1], 1e-9)

    def _rate(self) -> float:
        """The learning rate of the last step."""
        schedule, rate = self._plan.train.schedule, self._optimizer.learning_rate
        if isinstance(schedule, Plateau):
            # Keras's own is on the device.
            history = self._position.history
            return rate * schedule.after([past.get("val_loss", past["loss"]) for past in history])
        every = held(self._plan.train.epochs * self._plan.steps)
        return self._rates[(self._position.step - 1) // every]

    @cached_property
    def _rates(self) -> list[float]:
        train = self._plan.train
        return rates(train.schedule, self._optimizer.learning_rate, train.epochs, self._plan.steps, train.warmup)

    def _told(self, row: Row) -> None:
        if self._is_writer:
            self._guarded(self._text, lambda: self._append(row))
        for listener in self.listeners:
            listener(row)

    def _begin_text(self) -> None:
        done = self._position.step
        self._rows = [row for row in read_rows(self._text) if row.get("step", done + 1) <= done]
        self._write_text()

    def _append(self, row: Row) -> None:
        with self._text.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _write_text(self) -> None:
        """Rows of steps, each before the row of its epoch."""
        epochs = [{"epoch": number, **row} for number, row in enumerate(self._position.history, 1)]
        rows = sorted([*self._rows, *epochs], key=lambda row: (row["epoch"], row.get("step", float("inf"))))
        write_text(self._text, "".join(json.dumps(row) + "\n" for row in rows))

    def _write_table(self) -> None:
        history = self._position.history
        names = list(dict.fromkeys(name for row in history for name in row))
        rows = [",".join(["epoch", *names])]
        for number, row in enumerate(history, 1):
            rows.append(",".join([str(number), *(repr(row[name]) if name in row else "" for name in names)]))
        write_text(self._table, "\n".join(rows) + "\n")

    def _guarded(self, path: Path, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if path not in self._failed:
                self._say(f"{path.name} could not be written: {error.strerror or error}; training goes on")
            self._failed.add(path)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``log.jsonl``: those that are whole; none where there is no file. Raises OSError where it cannot be
    read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue  # A crash has left half of it.
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            rows.append(row)
    return rows
