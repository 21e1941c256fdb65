"""Handwritten digits that come with scikit-learn."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.source import DataSource, k_fold
from archspec.ir.tensors import TensorSpec

COUNT, FOLDS = 1797, 5


class Digits(DataSource, name="digits", main="fold"):
    """1,797 handwritten digits of 8×8 pixels (the test part of UCI's optical digits; Alpaydin and Kaynak 1998).

    One stratified fifth is held out as ``test``. The 17 grey levels are spread over 0 … 255.
    """

    in_memory = True

    fold: Annotated[int, Field(ge=0, lt=FOLDS)] = 0
    """Which of the five fifths is held out."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the division into fifths; not that of the training."""

    def features(self) -> Example:
        held_out = len(range(self.fold, COUNT, FOLDS))
        return Example(
            {IMAGE: Image(TensorSpec((8, 8, 1), "uint8")), LABEL: Label(10, tuple("0123456789"))},
            {"train": COUNT - held_out, "test": held_out},
        )

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
        positions = k_fold(digits.target.tolist(), self.fold, FOLDS, self.seed)[split]
        return {IMAGE: images[positions], LABEL: digits.target[positions].astype(np.int32)}
