"""What modules of PyTorch keep under names of their own, as the layers of a spec have it.

Attention is several matrices, by themselves or in one, under names that libraries choose; which layer of a spec they
are is a matter of its shapes. ``Conv1D`` of transformers' GPT-2 keeps its matrices the other way round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import starmap

from archspec.backend.archive import Stored, StoredLayer, WeightsError, filled
from archspec.backend.rules import Fused

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of a layer's arrays by role."""

APART = (
    *(("q_proj", "k_proj", "v_proj"), ("query", "key", "value"), ("q", "k", "v"), ("wq", "wk", "wv")),
    *(("to_q", "to_k", "to_v"), ("q_lin", "k_lin", "v_lin"), ("query_proj", "key_proj", "value_proj")),
    *(("linear_q", "linear_k", "linear_v"), ("q_proj_weight", "k_proj_weight", "v_proj_weight")),
)
"""Names of the projections of queries, keys and values. The last are torch.nn.MultiheadAttention's."""
WITH_VALUES = (("q", "kv"), ("q_proj", "kv_proj"), ("to_q", "to_kv"))
"""The same where keys and values are one matrix."""
FUSED = ("in_proj_weight", "qkv", "qkv_proj", "c_attn", "to_qkv", "Wqkv", "in_proj")
"""The same where all three are."""
BY_HEADS = "query_key_value"
"""The same in transformers' GPT-NeoX, BLOOM and Falcon, where those of a head lie together; elsewhere they do not."""
OUTPUT = ("out_proj", "o_proj", "c_proj", "proj", "to_out", "to_out.0", "wo", "o", "out", "out_lin", "dense", "output")
"""Names of the projection of what is read."""
AROUND = ("self", "attention")
"""Modules that hold the other three, where the output's projection lies beside them: ``attention.output.dense``."""
TABLE, WITHIN_WINDOWS = "relative_position_bias_table", ("qkv", "proj")
"""What attention within windows keeps, in torchvision and timm."""
CONV1D = frozenset(("c_attn", "q_attn", "c_proj", "c_fc"))
"""Names of ``Conv1D`` in GPT-2: where one is, all are."""
FIRSTS = frozenset((*FUSED, BY_HEADS, *(names[0] for names in (*APART, *WITH_VALUES))))


def gathered(
    layers: Sequence[StoredLayer], wanted: Sequence[Shapes], heads: Sequence[int], fused: Fused | None = None
) -> list[StoredLayer]:
    """The layers with their matrices upright, and each attention as one of them where its shapes are those of a wanted
    one: what else is called so stays as it is. ``heads`` are those of the keys of each that is wanted.

    Raises WeightsError where ``fused`` does not say how one matrix of three lies, and names do not tell.
    """
    upright = list(_upright(layers))
    if any(TABLE in shapes for shapes in wanted):
        upright = _windows(upright, wanted)
    attentions = [(shapes, n) for shapes, n in zip(wanted, heads, strict=True) if "query.weight" in shapes]
    if not attentions:
        return upright
    by_name = {stored.name: stored for stored in upright}
    for name in list(by_name):
        module, _, last = name.rpartition(".")
        if last not in FIRSTS:
            continue
        found = _Attention(f"{module}." if module else "", by_name, fused)
        whole = next(filter(None, starmap(found.fitted, attentions)), None)
        if whole is not None:
            by_name = _joined(by_name, found.used, whole)
    return list(by_name.values())


def _joined(by_name: Mapping[str, StoredLayer], parts: Collection[str], whole: StoredLayer) -> dict[str, StoredLayer]:
    """The layers with one in the place of the first of its parts, and without the others."""
    first = next(name for name in by_name if name in parts)
    return {
        whole.name if name == first else name: whole if name == first else stored
        for name, stored in by_name.items()
        if name == first or name not in parts
    }


def _windows(layers: list[StoredLayer], wanted: Sequence[Shapes]) -> list[StoredLayer]:
    """Attention within windows, whose matrices are modules beside its table of biases, as one layer each. The places of
    the table that two positions read are numbers that follow from the window."""
    by_name = {stored.name: stored for stored in layers}
    for table in [stored for stored in layers if stored.name.rpartition(".")[2] == TABLE]:
        module = table.name.rpartition(".")[0]
        parts = {part: by_name[f"{module}.{part}"] for part in WITHIN_WINDOWS if f"{module}.{part}" in by_name}
        arrays = {f"{part}.{role}": array for part, stored in parts.items() for role, array in stored.arrays.items()}
        arrays[TABLE] = table.arrays["weight"]
        if {role: array.shape for role, array in arrays.items()} not in [dict(shapes) for shapes in wanted]:
            continue
        used = {table.name, f"{module}.relative_position_index", *(stored.name for stored in parts.values())}
        by_name = _joined(by_name, used, StoredLayer(module, arrays))
    return list(by_name.values())


def _upright(layers: Sequence[StoredLayer]) -> Iterator[StoredLayer]:
    """Matrices as (out, in): that of a ``Conv1D`` is as wide as its bias is long. One that is square is turned where
    others of its name are, or others of GPT-2's."""

    def sizes(stored: StoredLayer) -> tuple[int, int, int] | None:
        shapes = {role: array.shape for role, array in stored.arrays.items()}
        match shapes:
            case {"weight": (int(rows), int(columns)), "bias": (int(length),)} if len(shapes) == 2:
                return rows, columns, length
        return None

    def last(stored: StoredLayer) -> str:
        return stored.name.rpartition(".")[2]

    lying = {last(s) for s in layers if (n := sizes(s)) and n[1] == n[2] != n[0]}
    if lying & CONV1D:
        lying |= CONV1D
    for stored in layers:
        size = sizes(stored)
        if size and last(stored) in lying and size[1] == size[2]:
            weight = stored.arrays["weight"]
            yield StoredLayer(stored.name, {**stored.arrays, "weight": _turned(weight)})
        else:
            yield stored


def _turned(stored: Stored) -> Stored:
    return Stored(stored.shape[::-1], lambda: stored.read().T)


def _rows(stored: Stored, rows: Sequence[int]) -> Stored:
    return Stored((len(rows), *stored.shape[1:]), lambda: stored.read()[list(rows)])


@dataclass
class _Attention:
    """The parts of one attention: all that lies in a module, whose name ends in a dot."""

    module: str
    layers: Mapping[str, StoredLayer]
    fused: Fused | None = None

    def __post_init__(self) -> None:
        self.used: set[str] = set()
        """Layers of which it consists."""

    def fitted(self, shapes: Shapes, heads: int) -> StoredLayer | None:
        """One layer with those shapes and so many heads of keys; None where its parts are not there, or not of these
        shapes. Raises WeightsError where how they lie is not known."""
        self.used = set()
        sizes = tuple(shapes[f"{part}.weight"][0] for part in ("query", "key", "value"))
        parts = self._projections(sizes, heads)
        output = self._output
        if parts is None or output is None:
            return None
        weights = dict(zip(("query", "key", "value"), (weight for weight, _ in parts), strict=True))
        biases = dict(zip(weights, (bias for _, bias in parts), strict=True))
        weights["out"], biases["out"] = output.arrays["weight"], output.arrays.get("bias")
        if any(weight.shape != shapes[f"{part}.weight"] for part, weight in weights.items()):
            return None
        self.used.add(output.name)
        arrays = {f"{part}.weight": weight for part, weight in weights.items()}
        if any(biases.values()):
            # A bias that is not there adds nothing, as one of zeros does.
            arrays |= {f"{part}.bias": biases[part] or filled(weights[part].shape[:1], 0.0) for part in weights}
        return StoredLayer(self._name(output.name), arrays)

    def _name(self, output: str) -> str:
        if output.startswith(self.module):
            return self.module.rstrip(".") or "attention"
        return self.module.rstrip(".").rpartition(".")[0] or "attention"

    @cached_property
    def _output(self) -> StoredLayer | None:
        """The projection of what is read, if there is one."""
        around, _, last = self.module.rstrip(".").rpartition(".")
        outer = f"{around}." if around else ""
        inner = [f"{self.module}{name}" for name in OUTPUT]
        beside = [f"{outer}{name}" for name in ("output.dense", "output")] if last in AROUND else []
        found = next(
            (here for names in (inner, beside) if (here := [self.layers[n] for n in names if n in self.layers])), []
        )
        found = [stored for stored in found if set(stored.arrays) <= {"weight", "bias"} and "weight" in stored.arrays]
        return found[0] if len(found) == 1 else None

    def _projections(self, sizes: tuple[int, ...], heads: int) -> list[tuple[Stored, Stored | None]] | None:
        """Weight and bias of queries, keys and values, which have so many rows. Raises WeightsError."""
        found = [
            *(names for names in APART if self._has(names)),
            *(names for names in WITH_VALUES if self._has(names)),
            *((name,) for name in (*FUSED, BY_HEADS) if self._has((name,))),
        ]
        if len(found) != 1:
            return None
        names = found[0]
        query, key, value = sizes
        if len(names) < 3 and key != value:
            return None  # how they lie in one matrix is not known
        together: dict[int, list[tuple[int, ...]]] = {
            3: [(query,), (key,), (value,)],
            2: [(query,), (key, value)],
            1: [(query, key, value)],
        }
        out: list[tuple[Stored, Stored | None]] = []
        for name, lengths in zip(names, together[len(names)], strict=True):
            stored = self.layers[self.module + name]
            weight, bias = stored.arrays["weight"], stored.arrays.get("bias")
            self.used.add(stored.name)
            if not weight.shape or weight.shape[0] != sum(lengths):
                return None
            for rows in self._places(stored.name, lengths, heads):
                out.append((_rows(weight, rows), bias and _rows(bias, rows)))
        return self._with_biases_beside(out)

    def _places(self, name: str, lengths: tuple[int, ...], heads: int) -> list[list[int]]:
        """The rows of each of the parts of one matrix. Raises WeightsError where a rule must say it."""
        fused = self.fused if len(lengths) == 3 else "parts"
        if fused is None and name.endswith(BY_HEADS):
            raise WeightsError(
                f"{name!r} of the file holds queries, keys and values; whether those of a head lie together, the file "
                "does not say: state it in rules\n  fused: heads   # as in transformers; or "
                "parts: all queries, all keys, all values"
            )
        groups = heads if fused == "heads" else 1
        widths = [length // groups for length in lengths]
        starts = [sum(widths[:part]) for part in range(len(widths))]
        return [
            [group * sum(widths) + start + i for group in range(groups) for i in range(width)]
            for start, width in zip(starts, widths, strict=True)
        ]

    def _with_biases_beside(self, parts: list[tuple[Stored, Stored | None]]) -> list[tuple[Stored, Stored | None]]:
        """Biases that are arrays of the module's own: all three in one, or ``q_bias`` and ``v_bias``."""
        lengths = [weight.shape[0] for weight, _ in parts]
        if (whole := self._own("in_proj_bias")) and whole.shape == (sum(lengths),):
            own: list[Stored | None] = [_rows(whole, range(sum(lengths[:i]), sum(lengths[: i + 1]))) for i in range(3)]
        else:
            own = [self._own(f"{part}_bias") for part in ("q", "k", "v")]
        return [(weight, bias or beside) for (weight, bias), beside in zip(parts, own, strict=True)]

    def _own(self, name: str) -> Stored | None:
        stored = self.layers.get(self.module + name)
        if stored is None:
            return None
        self.used.add(stored.name)
        return stored.arrays.get("weight")

    def _has(self, names: Sequence[str]) -> bool:
        found = [self.layers.get(self.module + name) for name in names]
        return all(s is not None and "weight" in s.arrays and set(s.arrays) <= {"weight", "bias"} for s in found)
