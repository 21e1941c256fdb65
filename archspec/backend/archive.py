"""What a file of weights holds, before any of it is read."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from archspec.backend.wiring import WeightsError, Wiring

if TYPE_CHECKING:
    import numpy as np

    from archspec.backend.importers.keras_calls import Calls

__all__ = [
    "ZIP_FAULTS",
    "Archive",
    "Layout",
    "Stored",
    "StoredLayer",
    "WeightsError",
    "bundled_config",
    "filled",
    "grouped",
    "said",
]

MAX_CONFIG = 1 << 26
"""Bytes of a config that is read: a file is not trusted."""
ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What Python's zip reader raises on damaged files, and numpy on what it finds in them."""


def said(error: BaseException) -> str:
    """What an error of a library says, in one line; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


Layout = Literal["keras", "torch"]
"""How arrays lie: a kernel as (height, width, in, out), by position; or as (out, in, height, width), by name."""

ROLES = frozenset(("weight", "bias", "running_mean", "running_var"))
"""Last words of the names under which PyTorch's modules keep what belongs together."""
SHORT = {"w": "weight", "b": "bias"}
"""The same in short, where a module has both."""
FUSED = {
    "in_proj_weight": "queries, keys and values in one, of torch.nn.MultiheadAttention: save its three parts as layers "
    "with names of their own",
    "weight_g": "weight normalisation, of which the weight is g · v / |v|: have torch.nn.utils.remove_weight_norm undo "
    "it before saving",
    "original0": "a parametrization: have torch.nn.utils.parametrize.remove_parametrizations undo it before saving",
    "weight_orig": "spectral normalisation or pruning: undo it before saving, with torch.nn.utils.remove_spectral_norm "
    "or prune.remove",
}
"""Last words of names of arrays from which PyTorch computes a weight, and what to do."""
SIBLINGS = {
    "in_proj_bias": "in_proj_weight",
    "weight_v": "weight_g",
    "original1": "original0",
    "weight_u": "weight_orig",
    "weight_mask": "weight_orig",
}
"""What stands beside them."""
RECURRENT = re.compile(r"((?:weight|bias)_(?:ih|hh))_l(\d+)((?:_reverse)?)")
"""The same of recurrent modules: what it is, of which of several layers, and of which direction."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """An array that is read when asked for; its shape is known before."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


def bundled_config(bundle: zipfile.ZipFile) -> bytes:
    """The config of a .keras file, as JSON. Raises WeightsError where it is too large, KeyError where there is none."""
    entry = bundle.getinfo("config.json")
    if entry.file_size > MAX_CONFIG:
        raise WeightsError(f"its config.json has {entry.file_size} bytes, more than any network needs")
    return bundle.read(entry)


def filled(shape: tuple[int, ...], value: float) -> Stored:
    """An array of one number, which no file has."""

    def read() -> np.ndarray:
        import numpy as np

        return np.full(shape, value, "float32")

    return Stored(shape, read)


@dataclass(frozen=True, slots=True, eq=False)
class StoredLayer:
    """The arrays of one layer by role, in the order of the file."""

    name: str
    arrays: Mapping[str, Stored]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the arrays, in order."""
        return tuple(a.shape for a in self.arrays.values())


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """Layers in the order of the file; ``is_ordered`` where it is one of declaration, ``is_executed`` of computing.
    ``is_folded`` where kernels hold the normalisation behind them, and biases of zeros are left out or put in.

    ``settings`` are the arguments of layers, and ``calls`` how they are called, where the file tells it.
    """

    layers: tuple[StoredLayer, ...]
    layout: Layout = "keras"
    wiring: Wiring | None = None
    is_ordered: bool = True
    is_executed: bool = False
    is_folded: bool = False
    settings: Mapping[str, Mapping[str, Any]] | None = None
    calls: Calls | None = None
    by_name: Mapping[str, StoredLayer] = field(init=False)

    def __post_init__(self) -> None:
        names = {layer.name: layer for layer in self.layers}
        if len(names) != len(self.layers):
            raise WeightsError("two layers of the file have one name")
        object.__setattr__(self, "by_name", names)


def fused(layers: Iterable[StoredLayer]) -> str:
    """What arrays of PyTorch are, of which none is a weight by itself; empty where there are none."""
    for layer in layers:
        last = layer.name.rpartition(".")[2]
        if said := FUSED.get(SIBLINGS.get(last, last)):
            return f"{layer.name} is part of {said}" if last in SIBLINGS else f"{layer.name} is of {said}"
    return ""


def grouped(arrays: Iterable[tuple[str, Stored]], *, is_ordered: bool = True) -> Archive:
    """An archive of arrays with plain names: ``layer/weight`` as archspec writes them, or PyTorch's ``module.weight``.

    The layers of a stacked recurrent module are ``module.l0``, ``module.l1``, and so on.

    Raises WeightsError where two arrays have one name.
    """
    layers: dict[str, dict[str, Stored]] = {}
    listed = list(arrays)
    is_torch = not any("/" in name for name, _ in listed)
    known = {name for name, _ in listed}
    stacked = {name.rpartition(".")[0] for name, _ in listed if name.rpartition(".")[2] == "weight_ih_l1"}
    for name, array in listed:
        if not is_torch:
            layer, _, role = name.partition("/")
        else:
            layer, _, role = name.rpartition(".")
            if role == "num_batches_tracked":
                continue
            if part := RECURRENT.fullmatch(role):
                role, level = f"{part[1]}_l0{part[3]}", int(part[2])
                layer = f"{layer}.l{level}" if layer in stacked else layer
            elif role in SHORT and layer and {f"{layer}.{short}" for short in SHORT} <= known:
                role = SHORT[role]
            elif role not in ROLES:
                layer, role = name, "weight"
        if role in layers.setdefault(layer, {}):
            raise WeightsError(f"two arrays of the file are called {name!r}")
        layers[layer][role] = array
    stored = tuple(StoredLayer(n, a) for n, a in layers.items())
    return Archive(stored, "torch" if is_torch else "keras", is_ordered=is_ordered)
