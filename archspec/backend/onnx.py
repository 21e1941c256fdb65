"""Writing a network as ONNX, with Keras and tf2onnx, and looking at what they wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np

TOLERANCE = 1e-4
"""Largest distance of an output from the network's, in proportion where outputs are above 1."""


class ExportError(Exception):
    """What was written is not the network."""


def write_onnx(model: keras.Model, path: Path) -> float | None:
    """Write the file, and return how far its outputs, as onnxruntime computes them, are from the network's; None where
    onnxruntime is not installed. Raises ExportError, after which there is no new file, and OSError.

    Keras writes what tf2onnx cannot convert (its own grouped convolutions, for one) into the file as it is, without a
    word; such a file no program can open.
    """
    from archspec.backend.export import write_atomically

    distance: list[float | None] = []

    def write(beside: Path) -> None:
        # Keras wants a model that was called; that may be with what stands for its inputs.
        model(model.input)
        model.export(str(beside), format="onnx", verbose=False)
        _refuse_unknown_ops(beside)
        distance.append(_distance(model, beside))

    write_atomically(path, write)
    return distance[0]


def _refuse_unknown_ops(path: Path) -> None:
    import onnx

    graph = onnx.load(str(path)).graph
    unknown = sorted({n.op_type for n in graph.node if not n.domain and not onnx.defs.has(n.op_type)})
    if unknown:
        raise ExportError(f"ONNX has no {', '.join(unknown)}, which tf2onnx left in the file: nothing was written")
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        raise ExportError(f"what tf2onnx wrote is not valid: {str(error).splitlines()[0]}") from None


def _distance(model: keras.Model, path: Path) -> float | None:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    import numpy as np

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(0)

    def example(given: Any) -> np.ndarray:
        shape = (2, *(8 if size is None else size for size in given.shape[1:]))
        if "int" in given.dtype:
            return draw.integers(0, 2, shape).astype(given.dtype)
        return draw.random(shape, np.float32)

    inputs = [example(given) for given in model.inputs]
    places = [given.name for given in session.get_inputs()]
    named = {given.name: value for given, value in zip(model.inputs, inputs, strict=True)}
    fed = named if set(named) == set(places) else dict(zip(places, inputs, strict=True))
    found = session.run(None, fed)
    said = _flat(model([named[i.name] for i in model.inputs] if len(inputs) > 1 else inputs[0], training=False))
    distance = 0.0
    for ours, theirs in zip(said, found, strict=True):
        if ours.shape != theirs.shape:
            raise ExportError(f"an output of the file has the shape {theirs.shape}, the network's has {ours.shape}")
        distance = max(distance, float((np.abs(ours - theirs) / np.maximum(1, np.abs(ours))).max()))
    if not distance <= TOLERANCE:
        raise ExportError(f"the file's outputs are {distance:.1e} from the network's: nothing was written")
    return distance


def _flat(outputs: Any) -> list[np.ndarray]:
    import keras

    return [keras.ops.convert_to_numpy(value) for value in keras.tree.flatten(outputs)]
