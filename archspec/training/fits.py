"""Last layers that are solved for at once, on what the network makes of the training examples, in place of training
them step by step: R-CNN's SVMs and its regression of boxes (Girshick et al. 2013)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from archspec.ir.declaration import Declaration

if TYPE_CHECKING:
    import numpy as np

Positive = Annotated[float, Field(gt=0, le=1e9)]
NORM = 20.0
"""Mean length that rows are brought to before an SVM is fitted, so that its ``c`` means the same for all networks."""


class Rows(NamedTuple):
    """Rows that count of a batch: (n, features) float32, and what is wanted of each, (n, outputs) float32."""

    x: np.ndarray
    y: np.ndarray


Batches = Callable[[], Iterator[Rows]]
"""All rows of the training examples, batch by batch; each call begins anew."""


class Solved(NamedTuple):
    """What a layer is to have, (features, outputs) and (outputs,), and what a person is told of it."""

    kernel: np.ndarray
    bias: np.ndarray
    said: str


class Fit(Declaration, package="archspec.training"):
    """How a dense layer without activation is solved for: rows are what comes into it, targets those of the spec's term
    that compares what it gives."""

    def solve(self, batches: Batches) -> Solved:
        """The weights that are best on all rows."""
        raise NotImplementedError


class Ridge(Fit, name="ridge", main="alpha"):
    """Least squares with a penalty on the kernel: the minimum of Σ (x · kernel + bias - y)² + alpha · ‖kernel‖², where
    the bias is free (Hoerl and Kennard 1970). The term is to be ``mse``."""

    alpha: Positive = 1000.0
    """Weight of the penalty, against the sum over all rows."""

    def solve(self, batches: Batches) -> Solved:
        import numpy as np

        count, moments = 0, None
        for x, y in batches():
            both = np.concatenate([np.ones((len(x), 1)), x, y], 1, dtype=np.float64)
            moments = both.T @ both + (0 if moments is None else moments)
            count += len(x)
            width = x.shape[1]
        assert moments is not None
        if not count:
            raise NoRows
        mean = moments[0, 1:] / count
        centred = moments[1:, 1:] - count * np.outer(mean, mean)
        of_x, of_both = centred[:width, :width], centred[:width, width:]
        kernel = np.linalg.solve(of_x + self.alpha * np.eye(width), of_both)
        bias = mean[width:] - mean[:width] @ kernel
        return Solved(kernel.astype(np.float32), bias.astype(np.float32), f"{count:,} rows")


class Svm(Fit, name="svm", main="c"):
    """A linear SVM for each output: rows whose target is above 0 against all others (Cortes and Vapnik 1995). The term
    is to be ``hinge``.

    With ``hard_negatives`` it begins with a few of the others, drawn evenly, and goes through all once: those that it
    does not tell by a margin join, those that have become easy leave, and it is fitted again (Felzenszwalb et al. 2010,
    R-CNN). Needs scikit-learn.
    """

    c: Positive = 0.001
    """Weight of what is on the wrong side, against the kernel's length; rows are brought to a mean length of 20."""
    hard_negatives: bool = True
    """Go through all that are none, for those that are hard to tell. False leaves it at those that were drawn."""
    start: Annotated[int, Field(ge=1, le=10**6)] = 100
    """How many of the others are drawn, for each output."""
    positive: Positive = 2.0
    """Weight of what is one, against what is none."""
    every: Annotated[int, Field(ge=1, le=10**7)] = 2000
    """Hard ones after which it is fitted again."""

    def solve(self, batches: Batches) -> Solved:
        import numpy as np

        positives: dict[int, list[np.ndarray]] = {}
        drawn: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        generator, lengths, count = np.random.default_rng(0), 0.0, 0
        for x, y in batches():
            lengths, count = lengths + float(np.linalg.norm(x, axis=1).sum()), count + len(x)
            for k in range(y.shape[1]):
                is_one = y[:, k] > 0
                positives.setdefault(k, []).append(x[is_one])
                rows, keys = x[~is_one], generator.random(int((~is_one).sum()))
                if k in drawn:
                    rows, keys = np.concatenate([drawn[k][0], rows]), np.concatenate([drawn[k][1], keys])
                least = np.argsort(keys, kind="stable")[: self.start]
                drawn[k] = rows[least], keys[least]
        if not count:
            raise NoRows
        scale = NORM / max(lengths / count, 1e-12)
        machines = [_Machine(self, scale, np.concatenate(positives[k]), drawn[k][0]) for k in range(len(drawn))]
        before = self._wrong(batches, machines)
        if self.hard_negatives:
            for x, y in batches():
                for k, machine in enumerate(machines):
                    machine.see(x[y[:, k] <= 0])
            for machine in machines:
                machine.fit()
        after = self._wrong(batches, machines)
        ones, held = sum(len(m.ones) for m in machines), sum(len(m.others) for m in machines)
        others = count * len(machines) - ones
        said = f"{ones:,} rows against {held:,} of {others:,} others, of which {before:,} scored above 0"
        said += f", and {after:,} after those that were hard joined" if self.hard_negatives else ""
        kernel = np.stack([m.kernel for m in machines], 1).astype(np.float32)
        return Solved(kernel, np.array([m.bias for m in machines], np.float32), said)

    def _wrong(self, batches: Batches, machines: list[_Machine]) -> int:
        """Rows that are none and score above 0."""
        return sum(
            int((machine.score(x[y[:, k] <= 0]) > 0).sum()) for x, y in batches() for k, machine in enumerate(machines)
        )


class NoRows(Exception):
    """There is nothing to fit a layer to."""


class _Machine:
    """The SVM of one output, and the rows that it is fitted to."""

    def __init__(self, told: Svm, scale: float, ones: np.ndarray, others: np.ndarray):
        self.told, self.scale, self.ones, self.others, self.waiting = told, scale, ones, others, 0
        if not len(ones) or not len(others):
            raise NoRows
        self.fit()

    def fit(self) -> None:
        """Fit it, and let go of others that are beyond the margin."""
        import numpy as np
        from sklearn.svm import LinearSVC

        x = np.concatenate([self.ones, self.others]) * self.scale
        y = np.repeat([1, 0], [len(self.ones), len(self.others)])
        found = LinearSVC(
            C=self.told.c,
            loss="hinge",
            class_weight={1: self.told.positive},
            intercept_scaling=10.0,
            max_iter=20_000,
            random_state=0,
        ).fit(x, y)
        self.kernel, self.bias, self.waiting = found.coef_[0] * self.scale, float(found.intercept_[0]), 0
        self.others = self.others[self.score(self.others) >= EASY] if self.told.hard_negatives else self.others

    def see(self, others: np.ndarray) -> None:
        """Take in those that are not told by a margin, and are not held yet."""
        import numpy as np

        hard = others[self.score(others) > HARD]
        if len(hard):
            held = {row.tobytes() for row in self.others}
            hard = hard[[row.tobytes() not in held for row in hard]]
        self.others, self.waiting = np.concatenate([self.others, hard]), self.waiting + len(hard)
        if self.waiting >= self.told.every:
            self.fit()

    def score(self, x: np.ndarray) -> np.ndarray:
        """What it says of rows."""
        found: np.ndarray = x @ self.kernel + self.bias
        return found


HARD, EASY = -1.0001, -1.2
"""Scores above which what is none is hard to tell, and below which it is let go of, as in R-CNN."""
