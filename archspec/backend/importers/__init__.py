"""Files of weights of several kinds → Archive. What a file holds is known, and checked, before an array is read.

No importer runs anything that a file says: no pickles, no models of Keras's, no classes by name but those of
``keras_layers``, a fixed list of layers that only compute.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from archspec.backend.archive import Archive, WeightsError

KINDS = {
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".keras": "hdf5",
    ".pth": "state_dict",
    ".pt": "state_dict",
    ".th": "state_dict",
    ".bin": "state_dict",
    ".caffemodel": "caffemodel",
    ".tflite": "tflite",
}
"""Suffix → the module that opens such files."""


def opened(path: Path) -> Archive:
    """What a file of weights holds. Raises WeightsError with the file's name, OSError."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(KINDS)
        raise WeightsError(f"{path}: weights are not read from such a file; the kinds are {known}")
    if path.is_dir():
        raise WeightsError(f"{path}: this is a folder")
    try:
        archive: Archive = import_module(f"{__name__}.{kind}").archive(path)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    except OSError as error:
        if error.filename is not None or isinstance(error, (FileNotFoundError, PermissionError)):
            raise
        # Not that the file could not be opened: a place in it that a damaged file points to could not be read.
        raise WeightsError(f"{path}: the file is damaged: {error}") from None
    return archive
