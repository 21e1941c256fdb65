"""Patients with diabetes, a data set that comes with scikit-learn."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from archspec.data.example import LABEL, VECTOR, Example
from archspec.data.features.numbers import Numbers
from archspec.data.features.vector import Vector
from archspec.data.source import DataSource, Seed, k_fold
from archspec.ir.tensors import TensorSpec

COUNT, FOLDS = 442, 5
COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
"""What scikit-learn calls the measurements."""


class Diabetes(DataSource, name="diabetes", main="fold"):
    """442 patients, of each ten measurements and how far diabetes had progressed a year later (Efron et al. 2004).

    Measurements have mean 0 and variance 1 over all patients. One fifth is held out as ``test``.
    """

    in_memory = True

    fold: Annotated[int, Field(ge=0, lt=FOLDS)] = 0
    """Which of the five fifths is held out."""
    seed: Seed = 0
    """Seed of the division into fifths; not that of the training."""

    def features(self) -> Example:
        held_out = len(range(self.fold, COUNT, FOLDS))
        return Example(
            {VECTOR: Vector(TensorSpec((len(COLUMNS),)), COLUMNS), LABEL: Numbers(("progression",))},
            {"train": COUNT - held_out, "test": held_out},
        )

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np
        from sklearn.datasets import load_diabetes

        # scikit-learn gives columns whose squares sum to 1.
        rows, progression = load_diabetes(return_X_y=True)
        positions = k_fold([0] * COUNT, self.fold, FOLDS, self.seed)[split]
        return {
            VECTOR: (rows[positions] * COUNT**0.5).astype(np.float32),
            LABEL: progression[positions, None].astype(np.float32),
        }
