"""What sources share that read image files, of whatever container."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from archspec.data import files
from archspec.data.example import Example
from archspec.data.files import FileEntry, Listing, MaxPixels, OnBad
from archspec.data.images import MAX_PIXELS
from archspec.data.source import ENCODED, DataSource

if TYPE_CHECKING:
    import tensorflow as tf


class ImageFiles(DataSource):
    """Images in files. Order of rules: fields, ``listing``, ``parsed``."""

    is_encoded = True

    channels: Literal[1, 3] = 3
    """Grey or colour; images of the other kind are converted."""
    on_bad: OnBad = "fail"
    """Where files cannot be decoded: ``fail`` stops before training, ``skip`` leaves them out of evaluation and in
    training takes another instead, of the same class where classes are known."""
    max_pixels: MaxPixels = MAX_PIXELS
    """Most pixels of an image: what has more is taken for a decompression bomb, a broken file."""

    def listing(self) -> Listing:
        """Every image by split. Raises DataError."""
        raise NotImplementedError

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parts of an example (``encoded``, and ``label`` where entries have none) out of its bytes."""
        return {ENCODED: data}

    def labelled(self, entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """What stands beside the image of an entry, by its row."""
        return files.labelled(entries, listing)

    def unfit(self, entry: FileEntry) -> str | None:
        """Why an entry whose image is sound cannot be used; None where it can."""
        return None

    def features(self) -> Example:
        return files.features(self)

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.decoded(self.encoded(split, order), self.channels)

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        return files.encoded(self, split, order)

    def usable(self, split: str) -> Any:
        return files.usable(self, split)

    def describe(self, split: str, position: int) -> str:
        return self.listing().splits[split][position].name
