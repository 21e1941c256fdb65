"""The binary formats of MNIST (IDX) and CIFAR."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.source import TRAIN, DataPath, DataSource, Holdout, Seed, held_out_share, stamp
from archspec.ir.tensors import TensorSpec
from archspec.storage.regular import opened

if TYPE_CHECKING:
    import numpy as np

PREFIXES = {"train": TRAIN, "t10k": "test", "test": "test", "val": "val"}
"""How names of IDX files start, and the split they hold."""


class Idx(DataSource, name="idx", main="path"):
    """MNIST's format, packed (``.gz``) or not: a folder of ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and
    the same of ``t10k``; or one file of images, its labels beside it, of which a stratified share is held out as
    ``val``."""

    suffixes = ("-ubyte", "-ubyte.gz", ".idx", ".idx.gz")
    in_memory = True

    path: DataPath
    """The folder, or the file of images."""
    classes: Annotated[int, Field(gt=0)] = 10
    """Number of classes; labels are below it."""
    holdout: Holdout = 0.2
    """Share held out where there are no files of another split."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        shapes: set[tuple[int, ...]] = set()
        counts = {}
        found = self._files()
        for split, (images, labels) in found.items():
            shape, (count, *rest) = _idx_shape(images), _idx_shape(labels)
            if rest or count != shape[0] or len(shape) not in (3, 4):
                raise DataError(f"{images} holds {shape}, which does not go with {labels} of {(count, *rest)}")
            shapes.add((*shape[1:], *(() if len(shape) == 4 else (1,))))
            counts[split] = count
        if len(shapes) > 1:
            raise DataError(f"{self.path}: the splits' images differ in size")
        if set(found) == {""}:
            counts = {s: len(p) for s, p in self._divided(_idx(found[""][1])).items()}
        names = tuple(str(i) for i in range(self.classes)) if self.classes == 10 else ()
        return Example(
            {IMAGE: Image(TensorSpec(shapes.pop(), "uint8")), LABEL: Label(self.classes, names)},
            counts,
            is_divided=set(found) == {""},
        )

    def arrays(self, split: str) -> dict[str, Any]:
        found = self._files()
        images, labels = found.get(split) or found[""]
        x, y = _idx(images), _idx(labels).astype("int32")
        if len(y) and y.max() >= self.classes:
            raise DataError(f"{labels} holds the label {y.max()}; classes are {self.classes}", help="set classes")
        x = x if x.ndim == 4 else x[..., None]
        if set(found) == {""}:
            positions = self._divided(y)[split]
            x, y = x[positions], y[positions]
        return {IMAGE: x, LABEL: y}

    def fingerprint(self) -> str:
        return stamp(self, [file for pair in self._files().values() for file in pair])

    def _divided(self, labels: Any) -> dict[str, list[int]]:
        return held_out_share(labels.tolist(), self.holdout, self.seed)

    def _files(self) -> dict[str, tuple[Path, Path]]:
        """Files of images and labels by split; the split is ``""`` for examples not yet divided."""
        if self.path.is_dir():
            found = {}
            for name in sorted(os.listdir(self.path)):
                prefix, _, rest = name.partition("-images")
                if rest and prefix in PREFIXES and PREFIXES[prefix] not in found:
                    found[PREFIXES[prefix]] = self._pair(self.path / name)
            if not found:
                raise DataError(f"{self.path} holds no IDX files", help="train-images-idx3-ubyte.gz and so on")
            return found if TRAIN in found else {"": next(iter(found.values()))}
        return {"": self._pair(self.path)}

    def _pair(self, images: Path) -> tuple[Path, Path]:
        name = images.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
        packed = name.endswith(".gz")
        for other in (name, name.removesuffix(".gz") if packed else name + ".gz"):
            if other != images.name and (images.parent / other).is_file():
                return images, images.parent / other
        raise DataError(f"{images} has no labels beside it", help=f"they are expected in {name}")


class Cifar(DataSource, name="cifar", main="path"):
    """The binary version of CIFAR-10 (``data_batch_1.bin`` …, ``test_batch.bin``) or CIFAR-100 (``train.bin``,
    ``test.bin``), as its folder."""

    in_memory = True

    path: DataPath
    """The folder."""
    labels: Literal["fine", "coarse"] = "fine"
    """CIFAR-100's hundred classes, or its twenty."""

    def features(self) -> Example:
        hundred, found = self._files()
        record = 3074 if hundred else 3073
        counts = {}
        for split, files in found.items():
            counts[split] = 0
            for file in files:
                size = file.stat().st_size
                if not size or size % record:
                    raise DataError(f"{file} has {size} bytes, which is not a multiple of the record size {record}")
                counts[split] += size // record
        classes = (100 if self.labels == "fine" else 20) if hundred else 10
        return Example(
            {IMAGE: Image(TensorSpec((32, 32, 3), "uint8")), LABEL: Label(classes, self._names(hundred))}, counts
        )

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        hundred, found = self._files()
        record = 3074 if hundred else 3073
        raw = np.concatenate([np.fromfile(f, np.uint8).reshape(-1, record) for f in found[split]])
        label = raw[:, 1 if hundred and self.labels == "fine" else 0].astype(np.int32)
        classes = self.features().classes or 0
        if label.max() >= classes:
            raise DataError(f"{self.path}: the label {label.max()} is not one of {classes} classes")
        image = raw[:, record - 3072 :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return {IMAGE: np.ascontiguousarray(image), LABEL: label}

    def fingerprint(self) -> str:
        return stamp(self, [file for files in self._files()[1].values() for file in files])

    def _files(self) -> tuple[bool, dict[str, list[Path]]]:
        """Whether it is CIFAR-100, and the files by split."""
        if (self.path / "train.bin").is_file():
            found = {TRAIN: [self.path / "train.bin"], "test": [self.path / "test.bin"]}
            return True, {s: [f for f in files if f.is_file()] for s, files in found.items() if files[0].is_file()}
        batches = sorted(self.path.glob("data_batch_*.bin"))
        if not batches:
            raise DataError(
                f"{self.path} holds neither data_batch_1.bin (CIFAR-10) nor train.bin (CIFAR-100)",
                help="give the folder of the 'binary version'",
            )
        test = self.path / "test_batch.bin"
        return False, {TRAIN: batches, **({"test": [test]} if test.is_file() else {})}

    def _names(self, hundred: bool) -> tuple[str, ...]:
        name = f"{self.labels}_label_names.txt" if hundred else "batches.meta.txt"
        try:
            return tuple((self.path / name).read_text(encoding="utf-8").split())
        except OSError:
            return ()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with opened(path) as file:
        if path.suffix == ".gz":
            with gzip.open(file, "rb") as unpacked:
                yield unpacked
        else:
            yield file


def _idx_shape(path: Path) -> tuple[int, ...]:
    """Shape of an IDX file, from its header; the items are bytes."""
    try:
        with _opened(path) as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != 8 or not 1 <= magic[3] <= 4:
                raise DataError(f"{path} is not an IDX file of bytes")
            sizes = file.read(4 * magic[3])
            held = None if path.suffix == ".gz" else os.fstat(file.fileno()).st_size - file.tell()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    if len(sizes) < 4 * magic[3] or not all(shape):
        raise DataError(f"{path} holds no examples")
    if held is not None:
        _compare_size(path, held, prod(shape))
    return shape


def _idx(path: Path) -> np.ndarray:
    import numpy as np

    shape = _idx_shape(path)
    wanted = prod(shape)
    try:
        with _opened(path) as file:
            file.read(4 + 4 * len(shape))
            data = file.read(wanted + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    _compare_size(path, len(data), wanted)
    return np.frombuffer(data, np.uint8).reshape(shape)


def _compare_size(path: Path, held: int, wanted: int) -> None:
    """Raises DataError where a file holds more or fewer items than its header says."""
    if held != wanted:
        raise DataError(f"{path} has {'more' if held > wanted else 'fewer'} bytes than its header says")
