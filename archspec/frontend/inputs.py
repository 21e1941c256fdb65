"""The ``inputs`` of a file or network: shapes and types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archspec.frontend.document import NAME
from archspec.frontend.references import evaluated
from archspec.frontend.refusal import Refusal
from archspec.frontend.scope import POISON
from archspec.frontend.walk import Place, Walk
from archspec.frontend.yaml_source import Map, Seq, value_span
from archspec.ir.diagnostics import did_you_mean, known_are, plain, shown
from archspec.ir.tensors import TensorSpec

DTYPES = ("float32", "float16", "bfloat16", "float64", "int32", "int64", "uint8", "bool")
DTYPE_NAMES = {
    **dict.fromkeys(("int", "integer", "i32"), "int32"),
    **dict.fromkeys(("float", "f32", "single", "fp32", "real"), "float32"),
    **dict.fromkeys(("half", "f16", "fp16"), "float16"),
    **dict.fromkeys(("double", "f64", "fp64"), "float64"),
    **dict.fromkeys(("long", "i64"), "int64"),
    **dict.fromkeys(("byte", "u8", "char", "uint"), "uint8"),
    **dict.fromkeys(("boolean", "mask"), "bool"),
    **dict.fromkeys(("str", "string", "text", "tokens", "token"), "int32"),
    **{word: word for word in DTYPES},
}
"""What other libraries call the types."""


KEYS = {"shape": ("size", "sizes", "dims", "dim", "dimensions", "input_shape"), "dtype": ("type", "kind", "data_type")}
"""What an input's keys are called elsewhere."""


def inputs_of(walk: Walk, section: Map | None, outside: Place) -> dict[str, TensorSpec | None]:
    """Specs of the inputs that a section declares; None where one is wrong."""
    out: dict[str, TensorSpec | None] = {}
    for name in section or ():
        found = walk.attempt(_input, section, name, outside, walk.sizes)
        out[name] = None if found is POISON else found
    return out


def symbols(section: Map | None) -> set[str]:
    """Names of the sizes that a section leaves open (``[T, 64]``)."""
    shapes = [raw.get("shape") if type(raw) is Map else raw for raw in (section or {}).values()]
    return {s for shape in shapes if type(shape) is Seq for s in shape if isinstance(s, str) and s[:1] != "="}


def _open_hint(word: str) -> str | None:
    """What to write for a word that is no name of a size: sizes without commas, or a sign for what is open."""
    parts = re.findall(r"[0-9]+", word[:64])
    if len(parts) > 1:
        return f"a comma stands between sizes: {', '.join(parts)}"
    return f"a number stands alone: {parts[0]}" if word[:1].isdigit() else "an open size is null"


def _size_hint(size: object, sizes: list[Any]) -> str | None:
    """What to write in place of -1: nothing for the batch, null for a size that is open."""
    if size != -1 or type(size) is not int:
        return None
    if sizes[0] == -1 and len(sizes) > 1 and size not in sizes[1:]:
        return f"the batch is not written: {plain(sizes[1:])}"
    return f"an open size is null: {plain([None if n == -1 else n for n in sizes])}"


def _input(section: Any, name: str, outside: Place, given: Mapping[str, int]) -> TensorSpec:
    raw, container, key = section[name], section, name
    dtype = "float32"
    if type(raw) is Map:
        for k in raw:
            if k not in ("shape", "dtype"):
                ours = next((ours for ours, theirs in KEYS.items() if k in theirs), None)
                near = f"did you mean '{ours}'?" if ours else did_you_mean(k, (*KEYS,)) or known_are(KEYS)
                raise Refusal("S01", f"an input has no key '{k}'", raw.key_span(k), near)
        if "shape" not in raw:
            raise Refusal("S02", f"input '{name}' needs 'shape'", section.key_span(name))
        dtype = raw.get("dtype", "float32")
        if dtype not in DTYPES:
            message = f"dtype must be one of {', '.join(DTYPES)}, got {shown(dtype)}"
            meant = DTYPE_NAMES.get(str(dtype).lower().rpartition(".")[2])
            near_type = f"did you mean '{meant}'?" if meant else did_you_mean(dtype, DTYPES)
            raise Refusal("T01", message, raw.value_span("dtype"), near_type)
        raw, container, key = raw["shape"], raw, "shape"
    if isinstance(raw, str) and raw[:1] == "=":
        sizes = evaluated(raw, container, key, outside)
        if not isinstance(sizes, list):
            message = f"the shape of input '{name}' must be a list, got {shown(sizes)}"
            raise Refusal("T01", message, value_span(container, key), f"a shape is a list: [{raw}]")
        places = [value_span(container, key)] * len(sizes)
    elif isinstance(raw, Seq):
        for i, word in enumerate(raw):
            if isinstance(word, str) and word[:1] != "=" and NAME.match(word) is None:
                message = f"the name of an open size must be letters, digits and _, got {shown(word)}"
                raise Refusal("S03", message, raw.value_span(i), _open_hint(word))
            if isinstance(word, str) and word in outside.scope.frame.constants and word not in given:
                message = f"'{word}' is a parameter, and as the name of an open size would be another thing"
                raise Refusal("S03", message, raw.value_span(i), f"its value is ={word}; an open size has another name")
        # A bare word that is not an expression is a size left open, under a name.
        sizes = [
            given.get(s) if isinstance(s, str) and s[:1] != "=" else evaluated(s, raw, i, outside)
            for i, s in enumerate(raw)
        ]
        places = [raw.value_span(i) for i in range(len(raw))]
    else:
        hint = "channels last, without the batch: [224, 224, 3]"
        if type(raw) is int:
            hint = f"a shape is a list: [{raw}]"
        elif raw in ("normal", "uniform"):
            hint = f"what is drawn has a shape: {{{raw}: [100]}}"
        if (sizes_of := re.fullmatch(r"(\d+(?:\s*[xX*,]\s*\d+)+)", str(raw))) is not None:
            hint = f"a shape is a list: [{', '.join(re.findall(r'[0-9]+', sizes_of[1]))}]"
        message = f"the shape of input '{name}' must be a list, got {shown(raw)}"
        raise Refusal("T01", message, value_span(container, key), hint)
    if len(sizes) > 8:
        raise Refusal("T01", f"input '{name}' has {len(sizes)} axes, at most 8 go", value_span(container, key))
    for size, at in zip(sizes, places, strict=True):
        if size is not None and (type(size) is not int or not 0 < size <= 2**31):
            raise Refusal("T01", f"a size must be a positive integer, got {shown(size)}", at, _size_hint(size, sizes))
        if size is not None and size > 2**20 and len(sizes) > 2:
            raise Refusal("T01", f"a size of {size} is beyond the limit of 2^20", at)
    return TensorSpec(tuple(sizes), dtype)
