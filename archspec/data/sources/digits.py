"""Handwritten digits that come with scikit-learn."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.feature import Feature
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.numbers import Numbers
from archspec.data.source import DataSource, Seed, k_fold
from archspec.ir.tensors import TensorSpec

COUNT, FOLDS = 1797, 5
INK = "ink"


class Digits(DataSource, name="digits", main="fold"):
    """1,797 handwritten digits of 8×8 pixels (the test part of UCI's optical digits; Alpaydin and Kaynak 1998).

    One stratified fifth is held out as ``test``. The 17 grey levels are spread over 0 … 255. With ``ink`` there is a
    number to predict beside the class: how much ink is on the image.
    """

    in_memory = True

    fold: Annotated[int, Field(ge=0, lt=FOLDS)] = 0
    """Which of the five fifths is held out."""
    seed: Seed = 0
    """Seed of the division into fifths; not that of the training."""

    ink: bool = False
    """Give ``ink``, too: the sum of an image's pixels, each 0 … 1."""

    def features(self) -> Example:
        held_out = len(range(self.fold, COUNT, FOLDS))
        features: dict[str, Feature] = {IMAGE: Image(TensorSpec((8, 8, 1), "uint8"))}
        features[LABEL] = Label(10, tuple("0123456789"))
        if self.ink:
            features[INK] = Numbers((INK,))
        return Example(features, {"train": COUNT - held_out, "test": held_out})

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
        positions = k_fold(digits.target.tolist(), self.fold, FOLDS, self.seed)[split]
        found = {IMAGE: images[positions], LABEL: digits.target[positions].astype(np.int32)}
        if self.ink:
            found[INK] = (digits.images[positions].sum((1, 2))[:, None] / 16).astype(np.float32)
        return found
