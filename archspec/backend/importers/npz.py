"""NumPy's .npz, in which archspec keeps weights as well: a zip, whose checksums show damage."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from archspec.backend.archive import ZIP_FAULTS, Archive, Stored, WeightsError, grouped, said
from archspec.backend.npy import array_header

if TYPE_CHECKING:
    import numpy as np


def archive(path: Path) -> Archive:
    """The arrays of a file, in its order. Raises WeightsError, OSError."""
    try:
        with zipfile.ZipFile(path) as bundle:
            arrays = [_stored(path, bundle, name) for name in bundle.namelist()]
    except ZIP_FAULTS as error:
        raise WeightsError(f"this is no .npz file, or a damaged one: {said(error)}") from None
    return grouped(arrays)


def _stored(path: Path, bundle: zipfile.ZipFile, name: str) -> tuple[str, Stored]:
    with bundle.open(name) as file:
        shape = _header(file, name)
    return name.removesuffix(".npy"), Stored(shape, _reader(path, name))


def _reader(path: Path, name: str) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        import numpy as np

        try:
            with zipfile.ZipFile(path) as bundle, bundle.open(name) as file:
                array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
                if file.read(1):  # also has the checksum looked at
                    raise WeightsError(f"{name!r} is longer than its header says")
                return array
        except (OSError, *ZIP_FAULTS) as error:
            raise WeightsError(f"{name!r} is damaged: {said(error)}") from None

    return read


def _header(file: IO[bytes], name: str) -> tuple[int, ...]:
    """Shape of an array. Raises WeightsError for what is none, or none of numbers."""
    try:
        shape, kind = array_header(file)
    except ZIP_FAULTS as error:
        raise WeightsError(f"{name!r} is no array of NumPy's: {said(error)}") from None
    if kind.hasobject or kind.kind not in "fiub":
        raise WeightsError(f"{name!r} holds {kind}, not numbers; pickled objects are never read")
    return shape
