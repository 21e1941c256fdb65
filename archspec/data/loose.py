"""Images, and rows of tables, as they are typed: what a trained network is asked about."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.data import corners, files
from archspec.data.example import CORNERS, IMAGE, Example
from archspec.data.feature import Feature
from archspec.data.features.image import Image
from archspec.data.features.points import Points
from archspec.data.features.tokens import Tokens
from archspec.data.features.vector import Vector
from archspec.data.files import FileEntry, Listing
from archspec.data.images import MAX_PIXELS, stored_size
from archspec.data.source import ENCODED, DataSource, in_order
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

ASKED = "asked"
"""The one split."""


class Together(DataSource):
    """Examples of several parts without labels, in their order; all images must be sound."""

    kinds: Any
    """What the parts are, features by name."""
    values: Any
    """Of each part by name, a value for each example: a path, numbers, or tokens."""

    def features(self) -> Example:
        made = {name: _undecoded(kind) for name, kind in self.kinds.items()}
        return Example(made, {ASKED: len(next(iter(self.values.values())))})

    @property
    def in_memory(self) -> bool:  # type: ignore[override]
        """Where there are numbers alone."""
        return all(isinstance(kind, Vector) for kind in self.kinds.values())

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        return {name: np.array(values, np.float32) for name, values in self.values.items()}

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        if self.in_memory:
            return super().open(split, order)
        import tensorflow as tf

        from archspec.data.images import decode

        def column(kind: Feature, values: Any) -> Callable[[tf.Tensor], tf.Tensor]:
            if isinstance(kind, Image):
                channels = kind.spec.channels
                assert channels is not None
                paths = tf.constant([os.fsencode(path) for path in values])
                return lambda row: decode(tf.io.read_file(tf.gather(paths, row)), channels)
            if isinstance(kind, Tokens):
                # Each is as long as it is: not every network tells padding from what it reads.
                ragged = tf.ragged.constant(values, tf.int32, ragged_rank=1)
                return lambda row: ragged[tf.cast(row, tf.int32)]
            numbers = tf.constant(values, tf.float32)
            return lambda row: tf.gather(numbers, row)

        columns = {name: column(kind, self.values[name]) for name, kind in self.kinds.items()}
        order = in_order(self.features().splits[ASKED]) if order is None else order
        return order.map(lambda at: {**at, **{name: read(at["index"]) for name, read in columns.items()}})


def _undecoded(kind: Feature) -> Feature:
    """The feature of a file's image, or what it is."""
    return Image(TensorSpec((None, None, kind.spec.channels), "uint8")) if isinstance(kind, Image) else kind


class Loose(DataSource):
    """Images without classes, in the order of their names here; all must be sound (``unsound`` says which are not)."""

    is_encoded = True

    paths: tuple[str, ...]
    channels: int = 3
    max_pixels: int = MAX_PIXELS
    on_bad: str = "fail"

    def features(self) -> Example:
        image = Image(TensorSpec((None, None, self.channels), "uint8"))
        return Example({IMAGE: image, CORNERS: Points(corners.COUNT)}, {ASKED: len(self.paths)})

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import tensorflow as tf

        paths = tf.constant([os.fsencode(path) for path in self.paths])
        order = in_order(len(self.paths)) if order is None else order
        placed = tf.constant(corners.corners([stored_size(path)[:2] for path in self.paths]))

        def read(at: dict[str, Any]) -> dict[str, Any]:
            row = at["index"]
            return {**at, ENCODED: tf.io.read_file(tf.gather(paths, row)), CORNERS: tf.gather(placed, row)}

        return order.map(read)

    def parsed(self, data: tf.Tensor) -> dict[str, Any]:
        """As every source in files has it."""
        return {ENCODED: data}

    def labelled(self, entries: object, listing: Listing) -> Any:
        """As every source in files has it: nothing is told."""
        raise NotImplementedError

    def unfit(self, entry: FileEntry) -> str | None:
        """As every source in files has it."""
        return None

    def listing(self) -> Listing:
        """The files."""
        return Listing((), {ASKED: [FileEntry(path, 0, path) for path in self.paths]})

    def unsound(self) -> dict[str, str]:
        """Files that cannot be decoded, with the reason. Decodes all."""
        entries = self.listing().splits[ASKED]
        return {entries[i].path: why for i, why in files.undecodable(self, entries).items()}
