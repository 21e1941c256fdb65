"""Images in files, of whatever container: which there are, which are broken, and their bytes by position.

A source lists its entries; the rest is the same for a folder, a list, a zip and records. Every file is decoded once
before the first training on it (the outcome is kept), so that a broken one stops the run at once or is left out with a
count, and never ends an epoch halfway.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import Field

from archspec.data import objects
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, VECTOR, Example
from archspec.data.feature import Feature
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.numbers import Numbers
from archspec.data.features.vector import Vector
from archspec.data.objects import Kept
from archspec.data.source import ENCODED, in_order
from archspec.data.target import told
from archspec.ir.diagnostics import shown
from archspec.ir.tensors import TensorSpec
from archspec.storage import regular
from archspec.storage.cache import cache_path, load_or_compute

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

OnBad = Literal["fail", "skip"]
"""What happens where files are broken: the run is refused, or they are left out."""
PACKED = 100
"""Most bytes that one byte of an archive gives: an image's own bytes are packed already."""
MaxPixels = Annotated[int, Field(gt=0, lt=2**31)]
"""Most pixels of an image; one of more is broken."""


class FileEntry(NamedTuple):
    """One example: a file, or ``length`` bytes of one from ``offset`` on (compressed ones where ``packed``)."""

    path: str
    label: int
    name: str
    """What a person calls it."""
    offset: int = 0
    length: int = -1
    packed: bool = False
    numbers: tuple[float, ...] = ()
    """Numbers to predict for it."""
    vector: tuple[float, ...] = ()
    """Numbers that are given beside its image."""
    objects: tuple[Kept, ...] = ()
    """The objects on it, where those are the target."""
    size: tuple[int, int] = (0, 0)
    """Width and height of the image where there may be objects on it; 0 where its file does not say."""
    mask: str = ""
    """The file of its mask, the target of its pixels."""


class Fault(NamedTuple):
    """Something of a container that no example is made of."""

    kind: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All examples of a source. ``strays`` are files that are no examples, ``faults`` what else is odd and left out;
    ``is_divided`` where the splits are not the data's own."""

    class_names: tuple[str, ...]
    splits: Mapping[str, Sequence[FileEntry]]
    strays: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    is_divided: bool = False
    numbers: tuple[str, ...] = ()
    """Names of the entries' numbers to predict, beside a class or in its place."""
    inputs: tuple[str, ...] = ()
    """Names of the numbers that are given beside an image."""
    heading: str = ""
    """Heading of the column of a table that the images are named in."""
    most: int | None = None
    """Most objects of an entry, where it is objects that have classes."""


class InFiles(Protocol):
    """A source whose examples are entries."""

    @property
    def channels(self) -> Any:
        """Grey or colour."""
        ...

    @property
    def on_bad(self) -> Any:
        """What happens where files are broken."""
        ...

    @property
    def max_pixels(self) -> Any:
        """Most pixels of an image."""
        ...

    def __hash__(self) -> int: ...

    def listing(self) -> Listing:
        """Its examples, in a fixed order. Raises DataError."""
        ...

    def fingerprint(self) -> str:
        """As ``DataSource.fingerprint``."""
        ...

    def parsed(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parts of an example (``encoded``, and ``label`` where entries have none) out of its bytes."""
        ...

    def labelled(self, entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """What stands beside the image of an entry, by its row."""
        ...

    def unfit(self, entry: FileEntry) -> str | None:
        """Why an entry whose image is sound cannot be used; None where it can."""
        ...


def features(source: InFiles, classes: int | None = None) -> Example:
    """``DataSource.features``; ``classes`` where the listing has no names."""
    listing = source.listing()
    given: dict[str, Feature] = {
        IMAGE: Image(TensorSpec((None, None, source.channels), "uint8"), (listing.heading,) if listing.heading else ())
    }
    if listing.inputs:
        given[VECTOR] = Vector(TensorSpec((len(listing.inputs),)), listing.inputs)
    if listing.most is not None:
        given |= objects.features(listing.class_names, listing.most)
    else:
        names, numbers = listing.class_names, Numbers(listing.numbers) if listing.numbers else None
        label = None if numbers and not names else Label(classes or len(names), names)
        given |= told(label, numbers)
    return Example(
        given,
        {split: len(entries) for split, entries in listing.splits.items()},
        is_divided=listing.is_divided,
    )


def encoded(source: InFiles, split: str, order: tf.data.Dataset | None) -> tf.data.Dataset:
    """``DataSource.encoded``. Raises DataError where files are broken and the source's ``on_bad`` is ``fail``."""
    import tensorflow as tf

    listing = source.listing()
    entries = listing.splits[split]
    rows = tf.constant(_substitutes(entries, _refused(source, split)), tf.int64)
    beside, bytes_of = source.labelled(entries, listing), _reader(entries)

    def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        row = tf.gather(rows, at["index"])
        return {**at, **beside(row), **source.parsed(bytes_of(row))}

    order = in_order(len(entries)) if order is None else order
    return order.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def labelled(entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """``InFiles.labelled`` of entries that say it themselves."""
    import tensorflow as tf

    beside = {name: tf.constant(array) for name, array in _beside(listing, entries).items()}
    return lambda row: {name: tf.gather(array, row) for name, array in beside.items()}


def _beside(listing: Listing, entries: Sequence[FileEntry]) -> dict[str, np.ndarray]:
    """What is given beside the image of each entry, and its targets, as arrays."""
    import numpy as np

    given = {VECTOR: np.array([e.vector for e in entries], np.float32)} if listing.inputs else {}
    if listing.most is not None:
        return given | objects.arrays([e.objects for e in entries], [e.size for e in entries], listing.most)
    numbers = np.array([e.numbers for e in entries], np.float32) if listing.numbers else None
    label = None if listing.numbers and not listing.class_names else np.array([e.label for e in entries], np.int32)
    return given | told(label, numbers)


def opened(source: InFiles, split: str, order: tf.data.Dataset | None) -> tf.data.Dataset:
    """``DataSource.open``."""
    return decoded(encoded(source, split, order), source.channels)


def decoded(examples: tf.data.Dataset, channels: int) -> tf.data.Dataset:
    """Examples with their images in place of the images' bytes."""
    import tensorflow as tf

    from archspec.data.images import decode

    def image(one: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        data = one.pop(ENCODED)
        return {**one, IMAGE: decode(data, channels)}

    return examples.map(image, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def usable(source: InFiles, split: str) -> np.ndarray | None:
    """``DataSource.usable``."""
    import numpy as np

    bad = _refused(source, split)
    count = len(source.listing().splits[split])
    return np.array([i for i in range(count) if i not in bad], np.int64) if bad else None


def _refused(source: InFiles, split: str) -> dict[int, str]:
    """Positions of what is broken, with the reason, where the source leaves them out. Raises DataError otherwise."""
    bad = broken(source, split)
    if bad and source.on_bad == "fail":
        entries = source.listing().splits[split]
        first = [f"{shown(entries[i].name, 300)[1:-1]} {why}" for i, why in list(bad.items())[:5]]
        more = f" (and {len(bad) - 5} more)" if len(bad) > 5 else ""
        what = "1 image" if len(bad) == 1 else f"{len(bad)} images"
        raise DataError(
            f"{what} of {len(entries)} in {split} cannot be read: {'; '.join(first)}{more}",
            help="'archspec data check' lists them all; on_bad: skip leaves them out",
        )
    if len(bad) == len(source.listing().splits[split]):
        raise DataError(f"none of the {len(bad)} images in {split} can be read: {next(iter(bad.values()))}")
    return bad


def _substitutes(entries: Sequence[FileEntry], bad: Mapping[int, str]) -> list[int]:
    """What is read at each position: itself, or where it is broken the next sound one of its class, or else of any."""
    rows = list(range(len(entries)))
    sound: dict[int, list[int]] = {}
    for i in rows:
        if bad and i not in bad:
            sound.setdefault(entries[i].label, []).append(i)
    for i in bad:
        others = sound.get(entries[i].label) or next(iter(sound.values()))
        rows[i] = next((j for j in others if j > i), others[0])
    return rows


def _reader(entries: Sequence[FileEntry]) -> Callable[[tf.Tensor], tf.Tensor]:
    """The bytes of an entry by its row."""
    import tensorflow as tf

    if all(e.length < 0 for e in entries):
        paths = tf.constant([os.fsencode(e.path) for e in entries])
        return lambda row: tf.io.read_file(tf.gather(paths, row))
    return lambda row: tf.ensure_shape(
        tf.numpy_function(lambda i: content(entries[int(i)]), [row], tf.string, stateful=False), ()
    )


def content(entry: FileEntry, most: int = -1) -> bytes:
    """The bytes of one entry, of a file of its own the first ``most``. Raises OSError, ValueError."""
    # The path may have been turned into a pipe or a device since it was listed.
    with regular.opened(entry.path) as file:
        file.seek(entry.offset)
        data = file.read(entry.length if entry.length >= 0 else most)
    if 0 <= entry.length != len(data):
        raise ValueError("is cut off")
    if entry.packed:
        import zlib

        unpacker = zlib.decompressobj(-15)
        try:
            out = unpacker.decompress(data, PACKED * len(data) + 2**20)
        except zlib.error as error:
            raise ValueError(f"cannot be unpacked ({error})") from None
        if unpacker.unconsumed_tail:
            raise ValueError(f"unpacks to more than {len(out)} bytes, which no image does")
        if not unpacker.eof:
            raise ValueError("cannot be unpacked (it is cut off)")
        return out
    return data


def broken(source: InFiles, split: str) -> dict[int, str]:
    """Positions of the examples that cannot be decoded, with the reason. Decodes all, once for a state of the files."""
    return _broken(source, split, source.fingerprint())


@lru_cache(maxsize=32)
def _broken(source: InFiles, split: str, fingerprint: str) -> dict[int, str]:
    entries = source.listing().splits[split]
    path = cache_path("broken", ".json", fingerprint, split, "sizes")
    found = load_or_compute(path, lambda: {str(i): why for i, why in undecodable(source, entries).items()})
    return {int(i): why for i, why in found.items()}


def undecodable(source: InFiles, entries: Sequence[FileEntry]) -> dict[int, str]:
    """Positions of the entries that cannot be decoded, or would be larger than ``max_pixels``, with the reason."""
    import tensorflow as tf

    from archspec.data.image_sizes import is_within
    from archspec.data.images import decode

    bad = {i: why for i, e in enumerate(entries) if (why := _unreadable(e))}
    rows = [i for i in range(len(entries)) if i not in bad]
    if not rows:
        return bad
    read, most = _reader(entries), source.max_pixels

    def attempt(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        data = source.parsed(read(row))[ENCODED]
        # What an image unpacks to stands in its first bytes; what is too large is never unpacked.
        small = tf.numpy_function(lambda data: is_within(data, most), [data], tf.bool, stateful=False)
        # A result, not a control dependency: what nobody takes is not computed.
        return row, tf.cond(small, lambda: tf.cast(tf.reduce_max(decode(data, 3)), tf.int32), lambda: TOO_LARGE)

    data = tf.data.Dataset.from_tensor_slices(tf.constant(rows, tf.int64))
    found = data.map(attempt, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    sound = {int(i) for i, value in found if value != TOO_LARGE}
    for row in rows:
        why = source.unfit(entries[row]) if row in sound else _reason(source, entries[row])
        if why is not None:
            bad[row] = why
    return dict(sorted(bad.items()))


TOO_LARGE = -1
"""In place of an image's largest value, where it is not decoded."""


def _unreadable(entry: FileEntry) -> str | None:
    try:
        found = os.stat(entry.path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if not os.access(entry.path, os.R_OK):
        return "cannot be read (Permission denied)"
    return None


def _reason(source: InFiles, entry: FileEntry) -> str:
    """Why an entry cannot be decoded."""
    import tensorflow as tf

    from archspec.data.images import BadImage, decode, header
    from archspec.data.read_errors import plainly

    try:
        data = source.parsed(tf.constant(content(entry)))[ENCODED].numpy()
        header(data, max_pixels=source.max_pixels)
        decode(data, 3)
    except (BadImage, ValueError) as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except tf.errors.OpError as error:
        said = plainly(error)
        return said.partition("BadImage: ")[2] or f"cannot be decoded ({said})"
    return "cannot be decoded"
