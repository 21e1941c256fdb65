"""The image data sets that Keras knows by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.source import TRAIN, DataSource
from archspec.ir.tensors import TensorSpec

CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
KNOWN: dict[str, tuple[tuple[int, ...], int, int, tuple[str, ...], str]] = {
    "mnist": ((28, 28, 1), 60000, 10, tuple("0123456789"), "mnist.npz"),
    "fashion_mnist": ((28, 28, 1), 60000, 10, CLOTHES, "fashion-mnist/train-images-idx3-ubyte.gz"),
    "cifar10": ((32, 32, 3), 50000, 10, CIFAR10, "cifar-10-batches-py-target"),
    "cifar100": ((32, 32, 3), 50000, 100, (), "cifar-100-python-target"),
}
"""Shape, training examples, classes, their names, and the file that Keras keeps, by name; 10,000 are for testing."""


class KerasDataset(DataSource, name="keras_dataset", main="dataset"):
    """A data set that ``keras.datasets`` has downloaded before: archspec itself downloads nothing."""

    in_memory = True

    dataset: Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
    """Its name."""

    def features(self) -> Example:
        shape, count, classes, names, _ = KNOWN[self.dataset]
        self._require()
        return Example(
            {IMAGE: Image(TensorSpec(shape, "uint8")), LABEL: Label(classes, names)},
            {TRAIN: count, "test": 10000},
        )

    def arrays(self, split: str) -> dict[str, Any]:
        import importlib

        import numpy as np

        self._require()
        parts = importlib.import_module(f"keras.datasets.{self.dataset}").load_data()
        image, label = parts[0 if split == TRAIN else 1]
        shape = KNOWN[self.dataset][0]
        return {IMAGE: np.asarray(image, np.uint8).reshape(-1, *shape), LABEL: label.astype(np.int32).reshape(-1)}

    def _require(self) -> None:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        file = home / "datasets" / KNOWN[self.dataset][-1]
        if not file.exists():
            raise DataError(
                f"{self.dataset} is not downloaded: {file} does not exist",
                help=f"where there is a network: python -c 'import keras; keras.datasets.{self.dataset}.load_data()'",
            )
