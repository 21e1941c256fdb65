"""Images and rows of numbers as they are typed: what a trained network is asked about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from archspec.data import files
from archspec.data.example import CORNERS, IMAGE, VECTOR, Example
from archspec.data.features.image import Image
from archspec.data.features.points import Points
from archspec.data.files import FileEntry, Listing
from archspec.data.images import MAX_PIXELS
from archspec.data.source import ENCODED, DataSource, in_order
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

ASKED = "asked"
"""The one split."""
SPAN = 1000.0
"""The corners of an image are asked of by (0, 0), and by what is this far to the right and down."""


class Rows(DataSource):
    """Rows of numbers without labels, in their order."""

    in_memory = True

    vector: Any
    """What they are, a feature."""
    values: tuple[tuple[float, ...], ...]

    def features(self) -> Example:
        return Example({VECTOR: self.vector}, {ASKED: len(self.values)})

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        return {VECTOR: np.array(self.values, np.float32)}


class Loose(DataSource):
    """Images without classes, in the order of their names here; all must be sound (``unsound`` says which are not)."""

    is_encoded = True

    paths: tuple[str, ...]
    channels: int = 3
    max_pixels: int = MAX_PIXELS
    on_bad: str = "fail"

    def features(self) -> Example:
        image = Image(TensorSpec((None, None, self.channels), "uint8"))
        return Example({IMAGE: image, CORNERS: Points(3)}, {ASKED: len(self.paths)})

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        import tensorflow as tf

        paths = tf.constant([os.fsencode(path) for path in self.paths])
        order = in_order(len(self.paths)) if order is None else order
        corners = tf.constant([[0.0, 0.0], [SPAN, 0.0], [0.0, SPAN]])
        return order.map(
            lambda at: {**at, ENCODED: tf.io.read_file(tf.gather(paths, at["index"])), CORNERS: tf.identity(corners)}
        )

    def parsed(self, data: tf.Tensor) -> dict[str, Any]:
        """As every source in files has it."""
        return {ENCODED: data}

    def labelled(self, entries: Any, listing: Listing) -> Any:
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
