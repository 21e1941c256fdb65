"""NumPy archives."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple
from zipfile import BadZipFile, ZipFile

from pydantic import Field

from archspec.backend.npy import array_header
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.feature import Feature
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.numbers import Numbers
from archspec.data.features.vector import Vector
from archspec.data.layout import WORDS
from archspec.data.source import TRAIN, DataPath, DataSource, Holdout, Seed, held_out_share, stamp
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.tensors import TensorSpec
from archspec.storage.regular import opened


class ArrayHeader(NamedTuple):
    """Shape and dtype of an array in the file."""

    shape: tuple[int, ...]
    dtype: Any


class Npz(DataSource, name="npz", main="path"):
    """Arrays of a ``.npz`` file: ``x_train``, ``y_train``, ``x_test``, ``y_test`` (and ``x_val``, ``y_val``), or ``x``
    and ``y``, of which a stratified share is held out as ``val``.

    Labels are integers from 0. An array of strings, ``class_names``, names them. Labels of floats are numbers to be
    told, for ``regression``: one for each example, or a row of several.
    """

    suffixes = (".npz",)
    in_memory = True

    path: DataPath
    """The file."""
    image: Annotated[str, Field(min_length=1)] = "x"
    """Name of the array of images (of any rank), or its prefix before ``_train``."""
    label: Annotated[str, Field(min_length=1)] = "y"
    """Name of the array of labels, or its prefix before ``_train``."""
    holdout: Holdout = 0.2
    """Share held out where the file has no splits."""
    seed: Seed = 0
    """Seed of that division."""

    def features(self) -> Example:
        headers = self._headers()
        found = self._arrays(headers)
        shapes = {headers[x].shape[1:] for x, _ in found.values()}
        dtypes = {_dtype(headers[x].dtype, x) for x, _ in found.values()}
        if len(shapes) > 1 or len(dtypes) > 1:
            raise DataError(f"{self.path}: the splits' images differ in size or type")
        (shape,), (dtype,) = shapes, dtypes
        image = TensorSpec(shape if len(shape) != 2 else (*shape, 1), dtype)
        label: Feature
        if all(headers[y].dtype.kind == "f" for _, y in found.values()):
            label = Numbers(self._numbers(headers, found))
        else:
            names, classes = self._classes(headers, found)
            label = Label(classes, names)
        return Example(
            {IMAGE: Image(image) if image.rank == 3 else Vector(image), LABEL: label},
            self._counts(headers, found),
            is_divided="" in found,
        )

    def _classes(
        self, headers: dict[str, ArrayHeader], found: dict[str, tuple[str, str]]
    ) -> tuple[tuple[str, ...], int]:
        """Names of the classes, where there are any, and their number. Raises DataError."""
        top = -1
        for x, y in found.values():
            if headers[y].dtype.kind not in "iu" or headers[y].shape not in {
                (headers[x].shape[0],),
                (headers[x].shape[0], 1),
            }:
                raise DataError(
                    f"{self.path}: {y} must hold one integer for each of the {headers[x].shape[0]} examples of "
                    f"{x}, got {headers[y].dtype} of shape {headers[y].shape}"
                )
            labels = self._read(y)
            if labels.min() < 0 or labels.max() > 2**24:
                raise DataError(f"{self.path}: {y} holds {labels.min()} … {labels.max()}; classes count from 0")
            top = max(top, int(labels.max()))
        names = tuple(str(n) for n in self._read("class_names")) if "class_names" in headers else ()
        if names and len(names) <= top:
            raise DataError(f"{self.path}: label {top} has no name, class_names holds {len(names)}")
        return names, len(names) or top + 1

    def _numbers(self, headers: dict[str, ArrayHeader], found: dict[str, tuple[str, str]]) -> tuple[str, ...]:
        """Names of the numbers that each example has for a label. Raises DataError."""
        import numpy as np

        counts = set()
        for x, y in found.values():
            count, *rest = headers[y].shape or (0,)
            if count != headers[x].shape[0] or len(rest) > 1 or rest == [0]:
                raise DataError(
                    f"{self.path}: {y} must hold a number, or a row of numbers, for each of the {headers[x].shape[0]} "
                    f"examples of {x}, got {headers[y].dtype} of shape {headers[y].shape}"
                )
            counts.add(rest[0] if rest else 1)
            if not np.isfinite(labels := self._read(y)).all():
                at = int(np.flatnonzero(~np.isfinite(labels).reshape(len(labels), -1).all(1))[0])
                raise DataError(f"{self.path}: {y} holds NaN or infinity, first at position {at}")
        if len(counts) > 1:
            raise DataError(f"{self.path}: the splits' labels differ in size")
        (size,) = counts
        return (self.label,) if size == 1 else tuple(f"{self.label}[{k}]" for k in range(size))

    def arrays(self, split: str) -> dict[str, Any]:
        import numpy as np

        found = self._arrays(self._headers())
        x, y = found[split] if split in found else found[""]
        image = self._read(x)
        image = image.astype(_dtype(image.dtype, x), copy=False)
        if image.ndim == 3:
            image = image[..., None]
        label = self._read(y)
        if label.dtype.kind == "f":
            label = label.astype(np.float32).reshape(len(label), -1)
        else:
            label = label.astype(np.int32).reshape(-1)
        if "" in found:
            # Numbers are no strata.
            strata = [0] * len(label) if label.dtype.kind == "f" else label.tolist()
            positions = held_out_share(strata, self.holdout, self.seed)[split]
            image, label = image[positions], label[positions]
        return {IMAGE: image, LABEL: label}

    def fingerprint(self) -> str:
        return stamp(self, [self.path])

    def _arrays(self, headers: dict[str, ArrayHeader]) -> dict[str, tuple[str, str]]:
        """Names of the image and label arrays by split; the split is ``""`` for arrays not yet divided."""
        found = {
            split: (f"{self.image}_{word}", f"{self.label}_{word}")
            for word, split in WORDS.items()
            if f"{self.image}_{word}" in headers
        }
        if not found:
            found = {"": (self.image, self.label)}
        elif TRAIN not in found:
            found[TRAIN] = (f"{self.image}_{TRAIN}", f"{self.label}_{TRAIN}")
        for x, y in found.values():
            for name in (x, y):
                if name not in headers:
                    held = ", ".join(sorted(headers)) or "nothing"
                    raise DataError(
                        f"{self.path} has no array {shown(name)}; it holds {shown(held, 400)[1:-1]}",
                        help=did_you_mean(name, headers) or "name them with image: and label:",
                    )
            if not headers[x].shape or not headers[x].shape[0]:
                raise DataError(f"{self.path}: {x} holds no examples")
        return found

    def _counts(self, headers: dict[str, ArrayHeader], found: dict[str, tuple[str, str]]) -> dict[str, int]:
        """Examples by split."""
        counts = {split: headers[x].shape[0] for split, (x, _) in found.items()}
        if "" not in counts:
            return counts
        # How many are held out does not depend on their labels, which need not be read for it.
        divided = held_out_share([0] * counts[""], self.holdout, self.seed)
        return {split: len(positions) for split, positions in divided.items()}

    def _headers(self) -> dict[str, ArrayHeader]:
        """Shapes and dtypes of all arrays, without reading them."""
        headers = {}
        try:
            with opened(self.path) as data, ZipFile(data) as archive:
                for member in archive.namelist():
                    if member.endswith(".npy"):
                        with archive.open(member) as file:
                            headers[member[:-4]] = ArrayHeader(*array_header(file))
        except (BadZipFile, ValueError, EOFError, NotImplementedError) as error:
            raise DataError(f"{self.path} is not a NumPy archive: {_first_line(error)}") from None
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from None
        return headers

    def _read(self, name: str) -> Any:
        import zlib

        import numpy as np

        try:
            # Without pickle: an archive is data, never code.
            with opened(self.path) as file, np.load(file, allow_pickle=False) as archive:
                return archive[name]
        except (BadZipFile, ValueError, EOFError, OSError, zlib.error) as error:
            raise DataError(f"{self.path}: array {name} cannot be read: {_first_line(error)}") from None


def _dtype(dtype: Any, name: str) -> str:
    """The type that travels: 8-bit stays, every other number becomes float32."""
    if dtype.kind not in "iufb":
        raise DataError(f"{name} holds {dtype}, not numbers")
    return "uint8" if str(dtype) == "uint8" else "float32"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
