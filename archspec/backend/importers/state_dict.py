"""PyTorch's .pth and .th: a state dict in a pickle.

The pickle is not loaded. Its opcodes are read one by one, and only those few mean something that a state dict consists
of: text, numbers, containers, and how a tensor lies in a storage. Whatever names anything else is refused; nothing is
imported and nothing called.
"""

from __future__ import annotations

import io
import os
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from archspec.backend.archive import ZIP_FAULTS, Archive, Stored, WeightsError, grouped, said
from archspec.backend.importers.binary import WIDTHS, numbers

if TYPE_CHECKING:
    import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
"""First object of the format before PyTorch 1.6."""

MAX_PICKLE = 1 << 26
MAX_DEPTH = 8
"""Most tuples within each other: the arguments of a tensor's parts have three."""
MAX_RANK = 32
"""Most axes of a tensor."""

STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
"""Class of a storage → type of its numbers."""

REBUILDS = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
PARAMETER, ORDERED = "torch._utils _rebuild_parameter", "collections OrderedDict"
KNOWN = {*REBUILDS, PARAMETER, ORDERED, *(f"torch {name}" for name in STORAGES)}


@dataclass(frozen=True, slots=True)
class Name:
    """What a pickle would import."""

    path: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers kept elsewhere in the file."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class TorchTensor:
    """A view on a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def archive(path: Path) -> Archive:
    """The tensors of a state dict, in its order. Raises WeightsError, OSError."""
    try:
        saved, read = _zipped(path) if zipfile.is_zipfile(path) else _plain(path)
    except ZIP_FAULTS as error:
        raise WeightsError(f"the file is damaged: {error}") from None
    tensors = _state(saved)
    return grouped([(name, _stored(name, tensor, read)) for name, tensor in tensors.items()])


def _state(saved: object) -> dict[str, TorchTensor]:
    """The one dict of tensors, be it the whole of what was saved or an entry of it. Raises WeightsError."""
    if not isinstance(saved, dict):
        raise WeightsError("the file holds no state dict")
    if any(isinstance(v, TorchTensor) for v in saved.values()) and not any(isinstance(v, dict) for v in saved.values()):
        return {str(k): v for k, v in saved.items() if isinstance(v, TorchTensor)}
    inside = {
        str(k): v
        for k, v in saved.items()
        if isinstance(v, dict) and v and all(isinstance(x, TorchTensor) for x in v.values())
    }
    if len(inside) != 1:
        found = f"several state dicts: {', '.join(sorted(inside))}" if inside else "no state dict"
        raise WeightsError(f"the file holds {found}; save the one that is meant by itself")
    return {str(k): v for k, v in next(iter(inside.values())).items()}


def _stored(name: str, tensor: TorchTensor, read: Callable[[Storage], bytes]) -> Stored:
    def array() -> np.ndarray:
        import numpy as np

        flat = numbers(name, tensor.storage.kind, read(tensor.storage), tensor.storage.count)
        width = flat.itemsize
        view: np.ndarray = np.lib.stride_tricks.as_strided(
            flat[tensor.offset :], tensor.shape, [s * width for s in tensor.strides], writeable=False
        )
        return view.copy()

    return Stored(tensor.shape, array)


def _zipped(path: Path) -> tuple[Any, Callable[[Storage], bytes]]:
    """PyTorch 1.6 and later: ``NAME/data.pkl`` and ``NAME/data/KEY``. Raises WeightsError."""
    with zipfile.ZipFile(path) as bundle:
        pickles = [info for info in bundle.infolist() if info.filename.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise WeightsError("this is no file of torch.save: it has no data.pkl")
        root = pickles[0].filename.removesuffix("data.pkl")
        if f"{root}byteorder" in bundle.namelist() and bundle.read(f"{root}byteorder") != b"little":
            raise WeightsError("the file was written on a big-endian machine")
        if pickles[0].file_size > MAX_PICKLE:
            raise WeightsError(f"its data.pkl has {pickles[0].file_size} bytes, more than any state dict needs")
        saved = _value(io.BytesIO(bundle.read(pickles[0])))

    def read(storage: Storage) -> bytes:
        size = storage.count * WIDTHS[storage.kind]
        try:
            with zipfile.ZipFile(path) as bundle, bundle.open(f"{root}data/{storage.key}") as file:
                return file.read(size + 1)
        except (OSError, *ZIP_FAULTS) as error:
            raise WeightsError(f"storage {storage.key!r} is missing or damaged: {said(error)}") from None

    return saved, read


def _plain(path: Path) -> tuple[Any, Callable[[Storage], bytes]]:
    """Before PyTorch 1.6: five pickles, then the storages, each behind its count. Raises WeightsError."""
    with path.open("rb") as file:
        if _value(file) != MAGIC:
            raise WeightsError("this is no file of torch.save")
        _, system = _value(file), _value(file)
        storages: dict[str, Storage] = {}
        if isinstance(system, dict) and system.get("little_endian") is False:
            raise WeightsError("the file was written on a big-endian machine")
        saved = _value(file, storages)
        keys = _value(file)
        places: dict[str, int] = {}
        end = os.path.getsize(path)
        for key in keys if isinstance(keys, list) else ():
            count = int.from_bytes(file.read(8), "little")
            storage = storages.get(key) if isinstance(key, str) else None
            if storage is None or storage.count != count:
                called = repr(key) if isinstance(key, (str, int)) else "without a name"
                raise WeightsError(f"storage {called} is not what its tensors say")
            places[key] = file.tell()
            if places[key] + count * WIDTHS[storage.kind] > end:
                raise WeightsError("the file is truncated")
            file.seek(count * WIDTHS[storage.kind], os.SEEK_CUR)

    def read(storage: Storage) -> bytes:
        if storage.key not in places:
            raise WeightsError(f"storage {storage.key!r} is missing")
        with path.open("rb") as file:
            file.seek(places[storage.key])
            return file.read(storage.count * WIDTHS[storage.kind])

    return saved, read


def _value(file: IO[bytes], storages: dict[str, Storage] | None = None) -> Any:
    """The next pickle's value. Raises WeightsError for what no state dict holds."""
    machine = Machine({} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            machine.step(opcode.name, argument)
        (value,) = machine.stack
    except WeightsError:
        raise
    except Exception as error:  # whatever a crafted or cut pickle makes of the few lines below
        raise WeightsError(f"its pickle cannot be read: {error}") from None
    return value


CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: Mapping[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
LITERALS = {
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "BINFLOAT", "FLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BINSTRING", "SHORT_BINSTRING"),
}


class Machine:
    """What the opcodes of a pickle work on. Each takes time in proportion to what it takes from the stack, whatever the
    file: no tuple is deep, so that none is long to compare, and keys are text or numbers, so that none is long to hash.
    """

    def __init__(self, storages: dict[str, Storage]):
        self.stack: list[Any] = []
        self.storages = storages
        self._memo: dict[int, Any] = {}
        self._marks: list[int] = []
        """Where the open marks stand."""
        self._tuples: dict[int, tuple[Any, int]] = {}
        """Tuples by identity, which are kept for as long, with the number of tuples within each other."""

    def step(self, name: str, argument: Any) -> None:
        """Do what one opcode does. Raises WeightsError for what no state dict needs."""
        stack, memo = self.stack, self._memo
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name == "MARK":
            if len(self._marks) >= 4 * MAX_DEPTH:
                raise WeightsError("refused: the file's pickle is nested deeper than any state dict")
            self._marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            taken = int(name[-1])
            stack[-taken:] = [self._tuple(stack[-taken:])]
        elif name == "TUPLE":
            stack.append(self._tuple(self._marked()))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._marked() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            if not all(type(key) in (str, int) for key in items[::2]):
                raise WeightsError("refused: the file has a dict whose keys are neither text nor numbers")
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name in ("APPEND", "APPENDS"):
            values = self._marked() if name == "APPENDS" else [stack.pop()]
            stack[-1].extend(values)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            words = argument.split(" ", 1) if name == "GLOBAL" else [stack.pop(-2), stack.pop()]
            if not all(isinstance(word, str) for word in words):
                raise WeightsError("refused: the file's pickle names what is no name")
            path = " ".join(words)
            if path not in KNOWN:
                raise WeightsError(
                    f"refused: the file would have Python load {path.replace(' ', '.')}; only a state dict is read"
                )
            stack.append(Name(path))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop(), self.storages))
        elif name == "REDUCE":
            taken, function = stack.pop(), stack.pop()
            stack.append(_made(function, taken))
        elif name == "BUILD":
            stack.pop()  # the versions of modules, kept as an attribute of the dict
            if not isinstance(stack[-1], dict):
                raise WeightsError("refused: the file sets attributes; only a state dict is read")
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise WeightsError(f"refused: the file's pickle has {name}, which no state dict needs")

    def _marked(self) -> list[Any]:
        """Pop what is above the last mark, and the mark."""
        at = self._marks.pop()
        above = self.stack[at:]
        del self.stack[at:]
        return above

    def _tuple(self, values: list[Any]) -> tuple[Any, ...]:
        """A tuple, unless it is too deep. Raises WeightsError."""
        made = tuple(values)
        depth = 1 + max((self._tuples[id(v)][1] for v in made if type(v) is tuple and v), default=0)
        if depth > MAX_DEPTH:
            raise WeightsError(f"refused: the file's pickle has {depth} tuples within each other")
        if made:
            self._tuples[id(made)] = made, depth
        return made


def _storage(saved: object, storages: dict[str, Storage]) -> Storage:
    match saved:
        case ("storage", Name(path), str(key), _, int(count), *view) if not any(view) and count >= 0:
            return storages.setdefault(key, Storage(key, STORAGES[path.removeprefix("torch ")], count))
    raise WeightsError("the file keeps a tensor in a way that is not known")


def _made(function: object, arguments: object) -> Any:
    """What a call that state dicts consist of gives. Raises WeightsError for all others."""
    match function, arguments:
        case Name(path), () if path == ORDERED:
            return {}
        case Name(path), (TorchTensor() as tensor, *_) if path == PARAMETER:
            return tensor
        case Name(path), (Storage() as storage, int(offset), tuple(shape), tuple(strides), *_) if path in REBUILDS:
            whole = all(type(n) is int and 0 <= n < 2**63 for n in (offset, *shape, *strides))
            if not whole or len(shape) != len(strides) or len(shape) > MAX_RANK:
                raise WeightsError("a tensor has a shape that none can have")
            last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
            if prod(shape) and last >= storage.count:
                raise WeightsError(f"a tensor of shape {shape} does not lie within its storage of {storage.count}")
            if prod(shape) > storage.count:
                raise WeightsError(f"a tensor of shape {shape} repeats the {storage.count} numbers of its storage")
            return TorchTensor(storage, offset, shape, strides)
    raise WeightsError("refused: the file calls something that no state dict needs")
