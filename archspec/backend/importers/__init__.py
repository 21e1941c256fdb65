"""Files of weights of several kinds → Archive. What a file holds is known, and checked, before an array is read.

No importer runs anything that a file says: no pickles, no models of Keras's, no classes by name.
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
}
"""Suffix → the module that opens such files."""


def opened(path: Path) -> Archive:
    """What a file of weights holds. Raises WeightsError, OSError."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(KINDS)
        raise WeightsError(f"{path.name!r} is no kind of file that weights are read from; the kinds are {known}")
    if path.is_dir():
        raise WeightsError(f"{path.name!r} is a folder")
    archive: Archive = import_module(f"{__name__}.{kind}").archive(path)
    return archive
