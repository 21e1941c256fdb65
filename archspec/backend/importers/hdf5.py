"""Keras's files: .weights.h5 and .keras of Keras 3, and the .h5 of whole models or weights before it.

Only arrays and the wiring are read; no layer is made from what a file says.

On some damaged files the HDF5 library never returns, and lets nothing interrupt it, or crashes. Every file is therefore
read in a process of its own first, which can be ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import ZIP_FAULTS, Archive, Stored, StoredLayer, WeightsError, bundled_config, said
from archspec.backend.importers import keras_calls, keras_config, keras_settings
from archspec.backend.importers.keras_calls import Calls

if TYPE_CHECKING:
    import h5py

FAULTS = (OSError, KeyError, ValueError, OverflowError, RuntimeError, TypeError, AttributeError)
"""What h5py raises on damaged files."""
SUBLAYERS = (
    ("forward_layer", "backward_layer"),
    ("query_dense", "key_dense", "value_dense", "output_dense"),
    ("_query_dense", "_key_dense", "_value_dense", "_output_dense"),
)
"""Sublayers of Keras's layers in the order of their weights."""
NO_LAYERS = frozenset(("vars", "seed_generator", "optimizer", "metrics"))
"""Groups of a model or layer that hold none of its layers."""
SECONDS, BYTES = 30.0, 10e6
"""What reading a file may take, and how much of it a second more is for."""
PROGRAM = "from archspec.backend.importers.hdf5 import read_through; read_through(sys.argv[1])"


def archive(path: Path) -> Archive:
    """Layers with their arrays, and the wiring where the file tells it. Raises WeightsError, OSError."""
    _survived(path)
    return _archive(path)


def read_through(name: str) -> None:
    """Read all that a file holds. Whatever is wrong with it, who reads it next will tell."""
    try:
        for layer in _archive(Path(name)).layers:
            for array in layer.arrays.values():
                array.read()
    except (WeightsError, OSError, MemoryError):
        pass


def _survived(path: Path) -> None:
    """Let another process read a file to its end. Raises WeightsError where it does not come there, OSError."""
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {PROGRAM}", str(path)]
    quiet: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    try:
        done = subprocess.run(command, timeout=SECONDS + path.stat().st_size / BYTES, **quiet)
    except subprocess.TimeoutExpired:
        raise WeightsError("the file is damaged: reading it does not end") from None
    if done.returncode < 0:
        raise WeightsError(f"the file is damaged: reading it ends with signal {-done.returncode}")


def _archive(path: Path) -> Archive:
    if path.suffix.lower() == ".keras":
        return _bundle(path)
    return _opened(path, None)


def _bundle(path: Path) -> Archive:
    """A .keras file: its config for the wiring, its HDF5 file for the arrays."""
    try:
        with zipfile.ZipFile(path) as bundle:
            names = bundle.namelist()
            if "config.json" not in names or "model.weights.h5" not in names:
                raise WeightsError("this is no .keras file: it lacks config.json or model.weights.h5")
            weights, text = bundle.getinfo("model.weights.h5"), bundled_config(bundle)
            if weights.compress_type != zipfile.ZIP_STORED:
                raise WeightsError("its model.weights.h5 is compressed; Keras does not do that")
            version = _version(bundle)
            # Copied whole, since a zip's checksum is only looked at when an entry is read to its end.
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - h5py reads it later
            with bundle.open(weights) as file:
                while block := file.read(1 << 20):
                    copy.write(block)
    except ZIP_FAULTS as error:
        raise WeightsError(f"this is no .keras file, or a damaged one: {error}") from None
    return _opened(copy, text, version)


def _opened(file: object, config: bytes | str | None, version: object = None) -> Archive:
    import h5py

    try:
        root = h5py.File(file, "r")
    except FileNotFoundError:
        raise
    except FAULTS as error:
        raise WeightsError(f"this is no HDF5 file, or a damaged one: {said(error)}") from None
    is_ordered = "layer_names" in root.attrs or "model_weights" in root
    if is_ordered:
        config = root.attrs.get("model_config", config)
    told = _config(config)
    calls = _told(told, keras_settings.major(version or root.attrs.get("keras_version")))
    is_told = calls is not None
    try:
        if is_ordered:
            found = _before_keras_3(root.get("model_weights", root), calls)
        else:
            found = _keras_3(root, told if is_told else None)
        layers = tuple(found)
    except FAULTS as error:
        raise WeightsError(f"the file is damaged, or not one of Keras's: {said(error)}") from None
    if calls is None:
        return Archive(layers, "keras", None, is_ordered, is_executed=is_ordered)
    wiring = keras_config.wiring(calls, {layer.name: layer.shapes for layer in layers})
    settings = keras_settings.settings(calls)
    return Archive(layers, "keras", wiring, is_ordered, is_executed=is_ordered, settings=settings, calls=calls)


def _version(bundle: zipfile.ZipFile) -> Any:
    """Keras's version, where the file tells it."""
    if "metadata.json" not in bundle.namelist() or bundle.getinfo("metadata.json").file_size > 10_000:
        return None
    try:
        return json.loads(bundle.read("metadata.json"))["keras_version"]
    except (ValueError, KeyError, TypeError):
        return None


def _config(text: bytes | str | None) -> Any:
    """The config of a model, where the file has one. Raises WeightsError."""
    try:
        return None if text is None else json.loads(text)["config"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WeightsError("the config in the file is not Keras's") from None


def _told(config: Any, version: str) -> Calls | None:
    """The calls of layers that a config tells; None where it tells none. Raises WeightsError."""
    if config is None:
        return None
    try:
        return keras_calls.of_model(config, version)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise WeightsError("the config in the file is not Keras's") from None


def _before_keras_3(root: h5py.Group, calls: Calls | None) -> Iterator[StoredLayer]:
    """``layer_names`` and each layer's ``weight_names`` give the order."""
    layers = dict.fromkeys(call.layer for call in calls.calls) if calls else {}
    for name in map(_text, root.attrs["layer_names"]):
        group = _linked(root, name)
        names = [_text(n) for n in group.attrs["weight_names"]]
        arrays = {n: _stored(group, n) for n in names}
        if name in layers or not (within := [layer for layer in layers if layer.startswith(f"{name}.")]):
            if arrays:
                yield StoredLayer(name, arrays)
            continue
        # A model within the model: its arrays that are trained stand before those that are not.
        of: dict[str, dict[str, Stored]] = {}
        for array, stored in arrays.items():
            of.setdefault(_layer_of(array, within), {})[array] = stored
        for layer in within:
            if layer in of:
                yield StoredLayer(layer, of[layer])


def _layer_of(array: str, within: Sequence[str]) -> str:
    """Of the layers of a model within a model the one that an array's name tells: ``base/conv/kernel``, before Keras 3
    ``conv/kernel:0``. Raises WeightsError."""
    parts = array.replace(".", "/").split("/")
    for count in range(len(parts) - 1, 0, -1):
        told = "/" + "/".join(parts[:count])
        found = [layer for layer in within if f"/{layer}".replace(".", "/").endswith(told)]
        if found:
            whole = [layer for layer in found if f"/{layer}".replace(".", "/") == told]
            if len(found := whole or found) == 1:
                return found[0]
            break
    raise WeightsError(f"which layer of the model within the model has {array!r} is not known")


def _keras_3(root: h5py.Group, config: Mapping[str, Any] | None) -> Iterator[StoredLayer]:
    """Groups of ``layers``, and of a model that is neither functional nor sequential those of its attributes. Raises
    WeightsError where there are none."""
    layers = list(_layers_within(root, "", config))
    if not layers and "layers" not in root:
        raise WeightsError("the file is not one of Keras's: it has no group 'layers'")
    yield from layers


def _layers_within(group: h5py.Group, prefix: str, config: Mapping[str, Any] | None) -> Iterator[StoredLayer]:
    """The layers of a model, or of a layer that has some of its own.

    Keys of ``layers`` and of lists count classes (``conv2d_1``); names are what the variables bear, or, in files of
    before that, the config's, which has the same order. Other layers are called as the attributes that they are.
    """
    inner = _below(group["layers"], ()) if "layers" in _below(group) else {}
    told = dict(_by_key(config)) if config else {}
    for key, layer in inner.items():
        said = told.get(key, {"name": key})
        yield from _layer(layer, prefix + _name(layer, said["name"]), said if "layers" in said else None)
    for key, layer in ({} if config else _below(group)).items():
        if key == "layers":
            continue
        if "vars" in layer:
            yield from _layer(layer, prefix + key)
            continue
        for index, item in _below(layer).items():
            yield from _layer(item, f"{prefix}{key}.{_name(item, index)}")


def _layer(group: h5py.Group, name: str, config: Mapping[str, Any] | None = None) -> Iterator[StoredLayer]:
    """What a layer holds, as one where it is one of Keras's, else with the layers that it has as others."""
    is_one = _is_one(group)
    if arrays := dict(_variables(group, "") if is_one else _own(group, "")):
        yield StoredLayer(name, arrays)
    if not is_one:
        yield from _layers_within(group, f"{name}.", config)


def _is_one(group: h5py.Group) -> bool:
    """Whether the arrays of a layer and of those within it have an order that is known."""
    below = _below(group)
    is_ordered = len(below) < 2 or any(below.keys() <= set(names) for names in SUBLAYERS)
    return "layers" not in below and is_ordered and all(map(_is_one, below.values()))


def _below(group: h5py.Group, leaving_out: Collection[str] = NO_LAYERS) -> dict[str, h5py.Group]:
    """The groups within a group that hold arrays, by key, those of sublayers of Keras's in their order."""
    import h5py

    found = {key: _linked(group, key) for key in group if key not in leaving_out}
    kept = {key: item for key, item in found.items() if isinstance(item, h5py.Group) and _has_arrays(item)}
    order = next((names for names in SUBLAYERS if kept.keys() <= set(names)), ())
    return {key: kept[key] for key in sorted(kept, key=lambda k: order.index(k) if k in order else 0)}


def _has_arrays(group: h5py.Group) -> bool:
    import h5py

    return any(isinstance(item, h5py.Dataset) or _has_arrays(item) for item in (_linked(group, key) for key in group))


def _name(group: h5py.Group, otherwise: str) -> str:
    return _text(group["vars"].attrs.get("name", otherwise)) if "vars" in group else otherwise


def _by_key(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configs of a model's layers, with their names, by the keys that their groups have."""
    taken = Counter[str]()
    for layer in config["layers"]:
        words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", layer["class_name"].rpartition(">")[2]))
        key = re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
        yield f"{key}_{taken[key]}" if taken[key] else key, {"name": layer.get("name", key), **layer["config"]}
        taken[key] += 1


def _own(group: h5py.Group, prefix: str) -> Iterator[tuple[str, Stored]]:
    own = _linked(group, "vars") if "vars" in group else {}
    for index in sorted(own, key=int):
        yield f"{prefix}{index}", _stored(own, index)


def _variables(group: h5py.Group, prefix: str) -> Iterator[tuple[str, Stored]]:
    """The arrays of a layer by number, and behind them those of layers within it."""
    yield from _own(group, prefix)
    for key, item in _below(group).items():
        yield from _variables(item, f"{prefix}{key}/")


def _stored(group: h5py.Group, name: str) -> Stored:
    """A dataset that lies in the file itself. Raises WeightsError for any other."""
    import h5py

    *folders, last = name.split("/")
    for folder in folders:
        group = _linked(group, folder)
    data = _linked(group, last)
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "fiu":
        raise WeightsError(f"{data.name!r} is no array of numbers")
    if data.is_virtual or data.external:
        raise WeightsError(f"refused: {data.name!r} lies in another file")
    if data.size and not data.id.get_storage_size():
        raise WeightsError(f"{data.name!r} declares {data.shape} and holds nothing")

    def read() -> Any:
        try:
            return data[()]
        except FAULTS as error:
            raise WeightsError(f"{data.name!r} is damaged: {said(error)}") from None

    return Stored(tuple(data.shape), read)


def _linked(group: h5py.Group, name: str) -> Any:
    """An entry that lies in the group itself. Raises WeightsError for links to elsewhere."""
    import h5py

    parts = name.split("/")
    for part in parts:
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise WeightsError(f"refused: {name!r} is a link out of its group")
        group = group[part]
    return group


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
