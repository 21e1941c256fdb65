"""The blobs of a .caffemodel, layer by layer."""

from __future__ import annotations

from pathlib import Path

from archspec.importing.formats.caffe.reader import LayerReader
from archspec.importing.network import refused, whole


def assign(reader: LayerReader, path: Path) -> None:
    """Give the network its arrays. Raises SpecError (I05), OSError."""
    from archspec.backend.archive import WeightsError
    from archspec.backend.importers import opened

    try:
        archive = opened(path)
    except WeightsError as error:
        raise refused("I05", str(error).removeprefix(f"{path}: "), whole(path)) from None
    for layer in reader.stored:
        found = archive.by_name.get(layer.name)
        if found is None:
            raise refused("I05", f"{path.name} has no blobs of a layer {layer.name!r}", layer.at)
        own = reader.network.arrays.setdefault(layer.step, {})
        for role, (weight, turn) in layer.roles.items():
            if (array := found.arrays.get(role)) is None:
                raise refused("I05", f"{path.name} has no {role} of {layer.name!r}", layer.at)
            own[weight] = turn(array.shape, array.read)
