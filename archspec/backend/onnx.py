"""Writing a network as ONNX, with Keras and tf2onnx, and looking at what they wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np

TOLERANCE = 1e-4
"""Largest distance of an output from the network's, in proportion where outputs are above 1."""

PIXELS = 1e-2
"""Largest share of the pixels of a picture of classes or segments that are not the network's."""


class ExportError(Exception):
    """What was written is not the network."""


def write_onnx(
    model: keras.Model,
    path: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    open_size: int = 8,
    listed: Sequence[str] = (),
) -> float | None:
    """Write the file, with ``metadata`` as its properties, and return how far its outputs, as onnxruntime computes
    them, are from the network's, where inputs of open size have ``open_size``; None without onnxruntime. Rows of the
    outputs ``listed``, which are of the same things, are compared whatever their order: two numbers that they are
    ordered by may be equal.
    Raises ExportError, after which there is no new file, and OSError.

    Keras writes what tf2onnx cannot convert (its own grouped convolutions, for one) into the file as it is, without a
    word; such a file no program can open.
    """
    from archspec.backend.installation import quiet
    from archspec.storage.atomic import write_atomically

    _teach_erfc()
    distance: list[float | None] = []

    def write(beside: Path) -> None:
        # Keras wants a model that was called; that may be with what stands for its inputs.
        model(model.input)
        with quiet():
            model.export(str(beside), format="onnx", verbose=False)
        _refuse_unknown_ops(beside)
        _describe(beside, _names(model), metadata or {})
        distance.append(_distance(model, beside, open_size, listed))

    write_atomically(path, write)
    return distance[0]


def _teach_erfc() -> None:
    """Have tf2onnx convert TensorFlow's Erfc, of which exact GELU consists: ONNX has Erf, and erfc(x) = 1 - erf(x)."""
    from tf2onnx.handler import tf_op

    if any("Erfc" in handlers for domain in tf_op.get_opsets().values() for handlers in domain):
        return

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **kwargs: Any) -> None:
            import numpy as np
            from tf2onnx.utils import make_name, map_onnx_to_numpy_type

            one = np.array(1, map_onnx_to_numpy_type(ctx.get_dtype(node.input[0])))
            erf = ctx.make_node("Erf", [node.input[0]])
            constant = ctx.make_const(make_name("one"), one)
            shapes, dtypes = node.output_shapes, node.output_dtypes
            ctx.remove_node(node.name)
            ctx.make_node(
                "Sub",
                [constant.output[0], erf.output[0]],
                name=node.name,
                outputs=node.output,
                shapes=shapes,
                dtypes=dtypes,
            )


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


def _describe(path: Path, outputs: Sequence[str], metadata: Mapping[str, str]) -> None:
    """Name the outputs as the network does (tf2onnx writes ``Identity:0``), call the first axis ``batch``, and put
    properties into the file."""
    import onnx

    written = onnx.load(str(path))
    taken = {name for node in written.graph.node for name in (*node.input, *node.output)}
    taken |= {given.name for given in (*written.graph.input, *written.graph.initializer)}
    names = {o.name: name for o, name in zip(written.graph.output, outputs, strict=True) if name not in taken}
    for node in written.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in written.graph.output:
        output.name = names.get(output.name, output.name)
    for value in (*written.graph.input, *written.graph.output):
        first = next(iter(value.type.tensor_type.shape.dim), None)
        if first is not None and first.dim_param:
            first.dim_param = "batch"
    onnx.helper.set_model_props(written, dict(metadata))
    onnx.save(written, str(path))


def _distance(model: keras.Model, path: Path, open_size: int, listed: Sequence[str]) -> float | None:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    import numpy as np

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(0)

    def example(given: Any) -> np.ndarray:
        shape = (2, *(open_size if size is None else size for size in given.shape[1:]))
        if "int" in given.dtype:
            return draw.integers(0, 256 if given.dtype == "uint8" else 2, shape).astype(given.dtype)
        return draw.random(shape, np.float32)

    inputs = [example(given) for given in model.inputs]
    places = [given.name for given in session.get_inputs()]
    named = {given.name: value for given, value in zip(model.inputs, inputs, strict=True)}
    fed = named if set(named) == set(places) else dict(zip(places, inputs, strict=True))
    found = session.run(None, fed)
    said = _flat(model([named[i.name] for i in model.inputs] if len(inputs) > 1 else inputs[0], training=False))
    distance, names = 0.0, _names(model)
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    for name, ours, theirs in zip(names, said, found, strict=True):
        if ours.shape != theirs.shape:
            raise ExportError(f"an output of the file has the shape {theirs.shape}, the network's has {ours.shape}")
        if name in listed:
            rows.append((ours, theirs))
        elif ours.ndim > 2 and ours.dtype.kind in "iu":
            # Numbers of pixels: where two scores are equal but for rounding, either is right.
            if (apart := float((ours != theirs).mean())) > PIXELS:
                raise ExportError(f"{apart:.1%} of the file's pixels are not the network's: nothing was written")
        else:
            distance = max(distance, float(_apart(ours, theirs).max()))
    if rows:
        joined = (
            np.concatenate([np.reshape(x, (*x.shape[:2], -1)) for x in some], -1) for some in zip(*rows, strict=True)
        )
        distance = max([distance, *map(_rows_apart, *joined)])
    if not distance <= TOLERANCE:
        raise ExportError(f"the file's outputs are {distance:.1e} from the network's: nothing was written")
    return distance


def _names(model: keras.Model) -> Sequence[str]:
    """What the outputs are called, in their order. Keras's ``output_names`` are of the layers that give them, and those
    of several outputs of one layer are equal."""
    given, names = model.output, model.output_names
    return sorted(given) if isinstance(given, dict) else list(names)


def _apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The distance of numbers, in proportion where they are above 1."""
    import numpy as np

    distance: np.ndarray = np.abs(ours - theirs.astype(np.float64)) / np.maximum(1, np.abs(ours))
    return distance


def _rows_apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest distance of a row (rows, numbers) from the one of theirs that it is nearest to, each taken once."""
    import numpy as np

    worst, left = 0.0, theirs
    for row in ours:
        distances = _apart(row[None], left).max(-1)
        nearest = int(distances.argmin())
        worst, left = max(worst, float(distances[nearest])), np.delete(left, nearest, 0)
    return worst


def _flat(outputs: object) -> list[np.ndarray]:
    import keras

    return [keras.ops.convert_to_numpy(value) for value in keras.tree.flatten(outputs)]
