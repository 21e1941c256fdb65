"""Files as torch.save writes them, without PyTorch: the same opcodes, by Python's own pickler.

PyTorch's functions are named in a pickle and not needed to write one; stand-ins bear their names.
"""

from __future__ import annotations

import collections
import io
import pickle
import sys
import types
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "int64": "LongStorage"}


class _Storage:
    def __init__(self, key: str, values: np.ndarray):
        self.key, self.values = key, values


class _Tensor:
    def __init__(self, key: str, array: np.ndarray):
        strides = tuple(s // array.itemsize for s in array.strides)
        base = np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,))
        self.storage, self.shape, self.strides = _Storage(key, base), array.shape, strides

    def __reduce__(self) -> Any:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, 0, self.shape, self.strides, False, collections.OrderedDict())


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, _Storage):
            kind = getattr(sys.modules["torch"], STORAGES[str(value.values.dtype)])
            return ("storage", kind, value.key, "cpu", value.values.size)
        return None


def stand_ins(monkeypatch) -> None:
    """Modules ``torch`` and ``torch._utils`` with what a pickle names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_: Any) -> None:
        raise AssertionError("a reader has called what the file names")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def saved(state: Any) -> bytes:
    """The zip of torch.save, arrays in ``state`` as tensors."""
    arrays: list[np.ndarray] = []

    def tensors(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return _Tensor(str(len(arrays) - 1), value)
        if isinstance(value, Mapping):
            return collections.OrderedDict((k, tensors(v)) for k, v in value.items())
        return value

    out, content = io.BytesIO(), io.BytesIO()
    _Pickler(content, protocol=2).dump(tensors(state))
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr("net/data.pkl", content.getvalue())
        bundle.writestr("net/byteorder", b"little")
        for key, array in enumerate(arrays):
            bundle.writestr(f"net/data/{key}", array.tobytes(order="A"))
    return out.getvalue()
