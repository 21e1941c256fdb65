"""What a table may say of every node, block and network, one entry a column: ``archspec table --columns``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from archspec.analysis.backward import backward_macs
from archspec.analysis.cost import NodeCost, counted, node_costs, uncounted
from archspec.analysis.hardware import Hardware
from archspec.analysis.memory import live, memory, saved, types
from archspec.analysis.receptive import Field, largest, on_axes, receptive_fields
from archspec.analysis.roofline import Bound, bounds
from archspec.analysis.traffic import Traffic, traffic
from archspec.ir.graph import Graph, Tensor
from archspec.ir.tensors import Size, UnknownSize
from archspec.report.format import binary, duration, exact, plain_number, quantity, shapes

Values = list[Any]
Fold = Literal["sum", "max", "last"]


@dataclass(frozen=True, eq=False)
class Measured:
    """A graph and how it is looked at. ``policy`` names the types of numbers as Keras does."""

    graph: Graph
    batch: int = 1
    in_bounds: bool = False
    policy: str = "float32"
    slots: int = 2
    machine: Hardware | None = None

    @property
    def dtype(self) -> str:
        """Type of the activations."""
        return types(self.policy)[0]

    @cached_property
    def costs(self) -> list[NodeCost]:
        """Of every node."""
        return node_costs(self.graph, self.batch, in_bounds=self.in_bounds)

    @cached_property
    def totals(self) -> dict[str, int | None]:
        """Of the whole graph; lower bounds where some op does not say what it costs."""
        return counted(self.costs)._asdict()

    @cached_property
    def uncounted(self) -> tuple[str, ...]:
        """Names of the ops that do not say what they cost."""
        return uncounted(self.graph)

    @cached_property
    def traffic(self) -> list[Traffic | None]:
        """Bytes that every node moves."""
        return traffic(self.graph, self.batch, self.dtype)

    @cached_property
    def fields(self) -> Mapping[Tensor, Field]:
        """Receptive fields."""
        return receptive_fields(self.graph)

    @cached_property
    def bounds(self) -> list[Bound | None]:
        """Times that every node takes at least. Raises ValueError without hardware."""
        if self.machine is None:
            raise ValueError("times need hardware")
        return bounds(self.graph, self.machine, batch=self.batch, dtype=self.dtype)

    def per_sample(self, rule: Callable[[Graph, str], list[int]]) -> Values:
        """A count of bytes for every node, times the batch; unknown where a size is open."""
        try:
            return [self.batch * count for count in rule(self.graph, self.dtype)]
        except UnknownSize:
            return [None] * len(self.graph.nodes)


@dataclass(frozen=True)
class Column:
    """``of`` gives the value of every node, ``fold`` makes one of several; ``whole`` is the network's, if it is not
    folded from the nodes'. ``write`` is for people; programs get the value."""

    header: str
    doc: str
    of: Callable[[Measured], Values]
    write: Callable[[Any], str]
    fold: Fold = "sum"
    whole: Callable[[Measured], Any] | None = None
    is_text: bool = False
    needs_hardware: bool = False

    def folded(self, values: Values) -> Any:
        """One value of several; None where one is not known."""
        if not values:
            return None
        if self.fold == "last":
            return values[-1]
        if None in values:
            return None
        return sum(values) if self.fold == "sum" else max(values)

    def total(self, measured: Measured, values: Values) -> Any:
        """The network's value."""
        return self.whole(measured) if self.whole is not None else self.folded(values)


def _count(name: str, header: str, doc: str, write: Callable[[Any], str] = quantity) -> Column:
    return Column(
        header, doc, lambda m: [getattr(c.counts, name) for c in m.costs], write, whole=lambda m: m.totals[name]
    )


def _field(value: Callable[[Field], str]) -> Callable[[Measured], Values]:
    def of(m: Measured) -> Values:
        fields = (m.fields.get(Tensor(node.name)) for node in m.graph.nodes)
        return [value(field) if field is not None else None for field in fields]

    return of


def _largest(value: Callable[[Field], str]) -> Callable[[Measured], Any]:
    def whole(m: Measured) -> Any:
        found = largest(m.graph, m.fields)
        return value(found[1]) if found else "global" if m.fields else None

    return whole


def _offset(field: Field) -> str:
    return "" if field.is_global else on_axes(field.offset)


def extent(field: str) -> float | None:
    """The size of a receptive field as a table has it, along its first axis; None where it is no window."""
    size = field.partition("/")[0].partition("×")[0]
    return float(size) if size.replace(".", "").isdigit() else None


def _bytes(m: Measured) -> Values:
    return [None if moved is None else moved.total for moved in m.traffic]


def _intensity(m: Measured) -> Values:
    return [
        cost.counts.flops / moved.total if moved and moved.total and cost.counts.flops is not None else None
        for cost, moved in zip(m.costs, m.traffic, strict=True)
    ]


def _whole_intensity(m: Measured) -> float | None:
    moved = _bytes(m)
    flops = m.totals["flops"]
    return flops / sum(moved) if flops is not None and None not in moved and sum(moved) else None


def _training_memory(m: Measured) -> int | None:
    try:
        return memory(m.graph, m.batch, policy=m.policy, slots=m.slots).training
    except UnknownSize:
        return None


def _outputs(m: Measured) -> tuple[Size, ...] | dict[str, tuple[Size, ...]] | None:
    """The shape of a network's output; of several heads, by their names."""
    found = {output.name: m.graph.spec(output.tensor).shape for output in m.graph.outputs}
    return found if len(found) > 1 else next(iter(found.values()), None)


def _words(value: object) -> str:
    return "" if value is None else str(value)


COLUMNS: dict[str, Column] = {
    "op": Column("op", "the op", lambda m: [n.op.name for n in m.graph.nodes], _words, "last", lambda m: "", True),
    "output": Column(
        "output",
        "shape of the output, channels last",
        lambda m: [n.outputs[0].shape for n in m.graph.nodes],
        shapes,
        "last",
        _outputs,
        True,
    ),
    "params": _count("params", "params", "all weights, each once", exact),
    "trainable_params": _count("trainable_params", "trainable", "weights that training changes", exact),
    "macs": _count("macs", "MACs", "multiply-accumulates"),
    "flops": _count("flops", "FLOPs", "2 · MACs and elementwise operations"),
    "transcendentals": _count("transcendentals", "transc.", "exp, log, tanh, …"),
    "activations": _count("activations", "activ.", "elements of the outputs that are no views"),
    "backward_macs": Column("bwd MACs", "MACs of the gradients", lambda m: backward_macs(m.graph, m.batch), quantity),
    "bytes": Column("bytes", "bytes read and written, and weights, each tensor once", _bytes, binary),
    "intensity": Column("FLOP/B", "FLOPs for each byte", _intensity, plain_number, whole=_whole_intensity),
    "memory": Column(
        "memory",
        "activations that live at inference; the peak",
        lambda m: m.per_sample(live),
        binary,
        "max",
    ),
    "saved": Column("saved", "what is kept for the gradients", lambda m: m.per_sample(saved), binary),
    "training_memory": Column(
        "training",
        "of the network: weights, gradients, optimiser, what is saved and in hand",
        lambda m: [None] * len(m.graph.nodes),
        lambda n: "" if n is None else binary(n),
        whole=_training_memory,
    ),
    "receptive_field": Column(
        "field",
        "receptive field / stride; of the network the last of the largest",
        _field(str),
        _words,
        "last",
        _largest(str),
    ),
    "offset": Column(
        "offset", "where the first field's middle lies", _field(_offset), _words, "last", _largest(_offset)
    ),
    "time": Column(
        "time ≥",
        "seconds on the hardware: a lower bound",
        lambda m: [None if b is None else b.seconds for b in m.bounds],
        duration,
        needs_hardware=True,
    ),
    "limit": Column(
        "limit",
        "what limits the time: compute or memory",
        lambda m: [None if b is None else b.limit for b in m.bounds],
        _words,
        "last",
        lambda m: "",
        True,
        True,
    ),
    "source": Column(
        "source",
        "place in the text",
        lambda m: [str(n.span) for n in m.graph.nodes],
        _words,
        "last",
        lambda m: "",
        True,
    ),
}
"""All columns by name."""

LOWER_BOUNDS = ("macs", "flops", "transcendentals")
"""Columns that are lower bounds where an op does not say what it costs."""
