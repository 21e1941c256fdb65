"""Caffe's .caffemodel: a NetParameter message of protocol buffers (field numbers from caffe.proto)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from archspec.backend.archive import Archive, Stored, StoredLayer, WeightsError
from archspec.backend.importers.binary import numbers, stored

NET_LAYERS = {100: (1, 2, 7), 2: (4, 5, 6)}
"""Field of NetParameter → fields of the layer's name, type and blobs: ``layer``, and ``layers`` before 2014."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    name: str
    kind: str
    blobs: tuple[Stored, ...]


def archive(path: Path) -> Archive:
    """The layers that hold blobs, in order; BatchNorm and the Scale behind it as one. Raises WeightsError, OSError."""
    data = memoryview(path.read_bytes())
    layers = [_layer(value, NET_LAYERS[field]) for field, value in _fields(data) if field in NET_LAYERS]
    if not layers:
        raise WeightsError("this is no .caffemodel file: it has no layers")
    out, before = [], None
    for layer in layers:
        if not layer.blobs:
            continue
        if layer.kind == "Scale" and before is not None:
            name, arrays = before.name, {**before.arrays, **_named(layer)}
            out[-1] = StoredLayer(name, arrays)
        else:
            out.append(StoredLayer(layer.name, _named(layer)))
        before = out[-1] if layer.kind == "BatchNorm" else None
    return Archive(tuple(out), "torch", is_executed=True)


def _named(layer: _Layer) -> dict[str, Stored]:
    """Blobs by the roles that PyTorch gives to such arrays. Raises WeightsError."""
    if layer.kind == "BatchNorm":
        if len(layer.blobs) != 3:
            raise WeightsError(f"{layer.name!r} is a BatchNorm of {len(layer.blobs)} blobs; 3 were expected")
        mean, variance, factor = layer.blobs
        return {"running_mean": _divided(mean, factor), "running_var": _divided(variance, factor)}
    if len(layer.blobs) > 2:
        raise WeightsError(f"{layer.name!r} ({layer.kind}) has {len(layer.blobs)} blobs; which is which is not known")
    return dict(zip(("weight", "bias"), layer.blobs, strict=False))


def _divided(sums: Stored, factor: Stored) -> Stored:
    """Caffe keeps running sums and what to divide them by."""

    def read() -> Any:
        by = float(factor.read().reshape(-1)[0])
        return sums.read() / by if by else sums.read() * 0.0

    return Stored(sums.shape, read)


def _layer(data: memoryview, fields: tuple[int, int, int]) -> _Layer:
    name, kind, blobs = "", "", []
    for field, value in _fields(data):
        if field == fields[0]:
            name = _text(value)
        elif field == fields[1]:
            kind = str(value) if isinstance(value, int) else _text(value)
        elif field == fields[2]:
            blobs.append(value)
    return _Layer(name, kind, tuple(_blob(name, blob) for blob in blobs))


def _blob(layer: str, data: memoryview) -> Stored:
    """BlobProto: num 1, channels 2, height 3, width 4, data 5, shape 7 (dim 1), double_data 8."""
    sides: dict[int, int] = {}
    shape: tuple[int, ...] | None = None
    values, kind = memoryview(b""), "F32"
    for field, value in _fields(data):
        if field in (1, 2, 3, 4) and isinstance(value, int):
            sides[field] = value
        elif field == 7:
            shape = tuple(n for inner, dims in _fields(value) if inner == 1 for n in _whole(dims))
        elif field in (5, 8):
            if not isinstance(value, memoryview):
                raise WeightsError(f"a blob of {layer!r} is not packed; Caffe itself writes packed ones")
            values, kind = value, "F64" if field == 8 else "F32"
    shape = tuple(sides.get(k, 1) for k in (1, 2, 3, 4)) if shape is None else shape
    numbers(layer, kind, values, prod(shape))
    return stored(layer, kind, shape, lambda: values)


def _whole(value: int | memoryview) -> list[int]:
    """A repeated integer, packed or not."""
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        out.append(number)
    return out


def _text(value: object) -> str:
    if not isinstance(value, memoryview):
        raise WeightsError("this is no .caffemodel file: a name is not text")
    return str(value, "utf-8", "replace")


def _fields(data: object) -> Iterator[tuple[int, Any]]:
    """Field number and value: an integer, or the bytes of whatever is longer. Raises WeightsError."""
    if not isinstance(data, memoryview):
        raise WeightsError("this is no .caffemodel file: a message is not one")
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                value, at = _varint(data, at)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 5:
                size = 4
            case 2:
                size, at = _varint(data, at)
            case _:
                raise WeightsError("this is no .caffemodel file: a field of no known kind")
        if at + size > len(data):
            raise WeightsError("this is no .caffemodel file, or a truncated one")
        part = data[at : at + size]
        yield key >> 3, int.from_bytes(part, "little") if key & 7 != 2 else part
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise WeightsError("this is no .caffemodel file, or a truncated one")
