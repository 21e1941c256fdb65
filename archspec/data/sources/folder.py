"""Image files in a folder for each class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from archspec.data.source import (
    HELD_OUT,
    IMAGE,
    LABEL,
    TRAIN,
    DataError,
    DataPath,
    DataSource,
    FeatureSpec,
    held_out_share,
    in_order,
)
from archspec.ir.diagnostics import shown
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")

Files = list[tuple[str, int]]
"""Path and class of every example."""


class Folder(DataSource, name="folder", main="path"):
    """JPEG, PNG, BMP and GIF files in a folder for each class: ``train/cat/…``, ``val/cat/…`` (or ``test/``), or
    ``cat/…``, of which a stratified share is held out as ``val``.

    Classes are numbered in the order of their names. Of an animation the first picture counts. Hidden files and files
    of other kinds are left out.
    """

    suffixes = ("/",)

    path: DataPath
    """The folder."""
    channels: Literal[1, 3] = 3
    """Grey or colour; images of the other kind are converted."""
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of that division."""

    def features(self) -> FeatureSpec:
        classes, splits = self._files()
        return FeatureSpec(
            parts={IMAGE: TensorSpec((None, None, self.channels), "uint8"), LABEL: TensorSpec((), "int32")},
            splits={split: len(files) for split, files in splits.items()},
            classes=len(classes),
            class_names=classes,
        )

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import tensorflow as tf

        _, splits = self._files()
        files = splits[split]
        paths, labels = tf.constant([path for path, _ in files]), tf.constant([label for _, label in files], tf.int32)

        def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            image = tf.io.decode_image(tf.io.read_file(paths[at["index"]]), self.channels, expand_animations=False)
            return {**at, IMAGE: tf.ensure_shape(image, (None, None, self.channels)), LABEL: labels[at["index"]]}

        order = in_order(len(files)) if order is None else order
        return order.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def describe(self, split: str, position: int) -> str:
        return self._files()[1][split][position][0]

    def _files(self) -> tuple[tuple[str, ...], dict[str, Files]]:
        """Class names, and path and class of every image by split."""
        if not self.path.is_dir():
            raise DataError(f"{self.path} is not a folder")
        folders = {split: self.path / split for split in (TRAIN, *HELD_OUT) if (self.path / split).is_dir()}
        if TRAIN not in folders or len(folders) == 1:
            folders = {"": self.path}
        names = _folders(folders.get(TRAIN, self.path))
        if not names:
            raise DataError(
                f"{self.path} holds no class folders", help="one folder of images for each class: path/cat/1.jpg"
            )
        splits = {}
        for split, folder in folders.items():
            if unknown := sorted(set(_folders(folder)) - set(names)):
                raise DataError(f"{folder / unknown[0]}: class {shown(unknown[0])} is not among those of {TRAIN}/")
            splits[split] = [(path, i) for i, name in enumerate(names) for path in _images(folder / name)]
            if not splits[split]:
                raise DataError(
                    f"{folder} holds no images in its class folders",
                    help=f"files that end in {', '.join(IMAGE_SUFFIXES)}",
                )
        first = next(iter(splits.values()))
        if empty := [name for i, name in enumerate(names) if i not in {label for _, label in first}]:
            raise DataError(f"{folders.get(TRAIN, self.path) / empty[0]} holds no images: a class without examples")
        if "" in splits:
            files = splits[""]
            divided = held_out_share([label for _, label in files], self.holdout, self.seed)
            splits = {split: [files[p] for p in positions] for split, positions in divided.items()}
        return tuple(names), splits


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None


def _images(folder: Path) -> list[str]:
    """Paths of a class's images, in the order of their names, also from folders below."""
    out = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        kept = sorted(f for f in files if f.lower().endswith(IMAGE_SUFFIXES) and not f.startswith("."))
        out += [os.path.join(root, f) for f in kept]
    return out
