"""TensorFlow Lite's .tflite files: the arrays of the operations that hold some, in the order of computing, dequantised.

Such a file is of a compiled network: normalisation may have become part of kernels, and biases of zeros are left out
or put in (``folding``). Nothing of it is run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Archive, Stored, StoredLayer, WeightsError
from archspec.backend.installation import MissingExtra, has_tensorflow, import_tensorflow, quiet

if TYPE_CHECKING:
    import numpy as np

FAULTS = (struct.error, IndexError, ValueError, TypeError, OverflowError, KeyError, AttributeError, MemoryError)
"""What reading a damaged flatbuffer raises."""
MAX_OPERATIONS = 1 << 16


def archive(path: Path) -> Archive:
    """The arrays of a file. Raises WeightsError, OSError, MissingExtra."""
    if not has_tensorflow():
        raise MissingExtra("a .tflite file is read by TensorFlow: pip install 'archspec-keras[tensorflow]'")
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise WeightsError("this is no file of TensorFlow Lite")
    try:
        layers = tuple(_layers(_Network(data)))
    except FAULTS as error:
        raise WeightsError(f"the file is damaged: {error}") from None
    # Their numbers are the importer's own: of two branches either may come first.
    return Archive(layers, is_ordered=False, is_executed=True, is_folded=True)


@dataclass(frozen=True, slots=True)
class _Constant:
    """An array of a file as it lies there, with what makes numbers of it."""

    shape: tuple[int, ...]
    kind: str
    data: bytes
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int

    def read(self) -> np.ndarray:
        import numpy as np

        array: np.ndarray = np.frombuffer(self.data, self.kind).reshape(self.shape).astype("float32")
        if not self.scales:
            return array
        along = [1] * array.ndim
        if len(self.scales) > 1:
            along[self.axis] = len(self.scales)
        scales = np.array(self.scales, "float32").reshape(along)
        zeros = np.array(self.zeros or [0] * len(self.scales), "float32").reshape(along)
        whole: np.ndarray = (array - zeros) * scales
        return whole


class _Network:
    """The one graph of a file, by TensorFlow's schema."""

    def __init__(self, data: bytes):
        with quiet():
            import_tensorflow()
            from tensorflow.lite.python import schema_py_generated as schema

        self.model = schema.Model.GetRootAs(data, 0)
        if self.model.SubgraphsLength() != 1:
            raise WeightsError("the file has loops or branches, whose weights are not followed")
        self.graph = self.model.Subgraphs(0)
        types = schema.TensorType
        self.kinds = {
            types.FLOAT32: "<f4", types.FLOAT16: "<f2", types.INT8: "i1", types.UINT8: "u1", types.INT16: "<i2",
            types.INT32: "<i4",
        }  # fmt: skip
        self.integers = {types.INT32, types.INT64, types.BOOL, types.STRING}
        self.names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
        self.whence: dict[int, int] = {}
        """Tensors that are constants made floats → the constants."""

    def operations(self) -> Iterator[tuple[str, list[int]]]:
        """Kind and inputs of each, in order. What only makes numbers of constants is looked through."""
        count = self.graph.OperatorsLength()
        if count > MAX_OPERATIONS:
            raise WeightsError(f"the file has {count} operations")
        for k in range(count):
            operation = self.graph.Operators(k)
            code = self.model.OperatorCodes(operation.OpcodeIndex())
            kind = self.names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
            inputs = [int(operation.Inputs(i)) for i in range(operation.InputsLength())]
            if kind == "DEQUANTIZE" and self.constant(inputs[0]) is not None:
                self.whence[int(operation.Outputs(0))] = inputs[0]
            else:
                yield kind, inputs

    def channels(self, at: int) -> int:
        """The last axis of a tensor."""
        tensor = self.graph.Tensors(at)
        return int(tensor.Shape(tensor.ShapeLength() - 1))

    def constant(self, at: int) -> _Constant | None:
        """What a tensor holds; None where it is computed, or not given. Raises WeightsError."""
        if at < 0:
            return None
        tensor = self.graph.Tensors(self.whence.get(at, at))
        data = self.model.Buffers(tensor.Buffer())
        if not data.DataLength():
            return None
        shape = tuple(int(tensor.Shape(i)) for i in range(tensor.ShapeLength()))
        quantized = tensor.Quantization()
        if tensor.Type() in self.integers and not (quantized and quantized.ScaleLength()):
            return None  # sizes, axes
        name = tensor.Name().decode("utf-8", "replace")
        if tensor.Sparsity() is not None or tensor.Type() not in self.kinds:
            raise WeightsError(f"{name!r} is kept in a way that is not read: sparse, or of less than 8 bits")
        scales = tuple(float(quantized.Scale(i)) for i in range(quantized.ScaleLength())) if quantized else ()
        zeros = tuple(int(quantized.ZeroPoint(i)) for i in range(quantized.ZeroPointLength())) if quantized else ()
        axis = int(quantized.QuantizedDimension()) if quantized else 0
        found = _Constant(shape, self.kinds[tensor.Type()], data.DataAsNumpy().tobytes(), scales, zeros, axis)
        found.read()  # a shape that does not fit is told now
        return found


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _taps_first(array: np.ndarray) -> np.ndarray:
    """(out, height, width, in) → (height, width, in, out)"""
    return array.transpose(1, 2, 3, 0)


def _transposed_taps(array: np.ndarray) -> np.ndarray:
    """(out, height, width, in) → (height, width, out, in)"""
    return array.transpose(1, 2, 0, 3)


HOLDING: dict[str, tuple[int, int, Callable[[Any], Any]]] = {
    "CONV_2D": (1, 2, _taps_first),
    "DEPTHWISE_CONV_2D": (1, 2, lambda kernel: kernel[0]),
    "TRANSPOSE_CONV": (1, 3, _transposed_taps),
    "FULLY_CONNECTED": (1, 2, lambda kernel: kernel.T),
}
"""Operations, which input is their kernel and which their bias, and how the kernel becomes Keras's."""
LSTM = {"kernel": (1, 2, 3, 4), "recurrent_kernel": (5, 6, 7, 8), "bias": (12, 13, 14, 15)}
"""Inputs of UNIDIRECTIONAL_SEQUENCE_LSTM by gate, in Keras's order: input, forget, cell, output."""
NOT_KERAS = {"peepholes": (9, 10, 11), "a projection": (16, 17), "layer normalisation": (20, 21, 22, 23)}
"""Its inputs that an LSTM of Keras does not have."""


def _apart(channels: int) -> Callable[[Any], Any]:
    """A depthwise kernel (1, height, width, channels · outputs of each) with both apart."""
    return lambda kernel: kernel[0].reshape(*kernel.shape[1:3], channels, -1)


def _layers(network: _Network) -> Iterator[StoredLayer]:
    counts: dict[str, int] = {}

    def called(kind: str) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind.lower()}_{counts[kind]}"

    for kind, inputs in network.operations():
        if kind in HOLDING:
            at, beside, convert = HOLDING[kind]
            kernel = network.constant(inputs[at])
            if kernel is None:
                continue
            if kind == "DEPTHWISE_CONV_2D":
                convert = _apart(network.channels(inputs[0]))
            arrays = {"kernel": _stored(kernel, convert)}
            if len(inputs) > beside and (bias := network.constant(inputs[beside])) is not None:
                arrays["bias"] = _stored(bias, _same)
            yield StoredLayer(called(kind), arrays)
            continue
        if kind == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            yield _lstm(called(kind), network, inputs)
            continue
        for at in inputs:
            held = network.constant(at)
            # Single numbers are arguments.
            if held is not None and len(held.data) > len(held.read().ravel()[:1].tobytes()):
                yield StoredLayer(called(kind), {"kernel": _stored(held, _same)})


def _lstm(name: str, network: _Network, inputs: list[int]) -> StoredLayer:
    """An LSTM, whose gates lie apart in such a file. Raises WeightsError where Keras has none like it."""
    import numpy as np

    given = dict(enumerate(inputs))
    for what, places in NOT_KERAS.items():
        if any(given.get(at, -1) >= 0 for at in places):
            raise WeightsError(f"{name} of the file has {what}, which an lstm of Keras has not")
    arrays = {}
    for role, places in LSTM.items():
        gates = [network.constant(inputs[at]) for at in places]
        parts = [gate for gate in gates if gate is not None]
        if len(parts) < len(gates):
            raise WeightsError(f"{name} of the file has gates without a {role}, or ones that are computed")
        rows, *columns = parts[0].shape

        def joined(parts: list[_Constant] = parts) -> np.ndarray:
            return np.concatenate([part.read() for part in parts]).T

        arrays[role] = Stored((*columns, 4 * rows), joined)
    return StoredLayer(name, arrays)


def _stored(constant: _Constant, convert: Callable[[Any], Any]) -> Stored:
    import numpy as np

    shape = convert(np.broadcast_to(np.float32(0), constant.shape)).shape
    return Stored(tuple(shape), lambda: convert(constant.read()))
