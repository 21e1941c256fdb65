"""A trained network with kernels as products of smaller ones: a spec and its weights, what that saves and loses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analysis.cost import Totals, node_costs, total, totals
from archspec.analysis.factorization import PARTS, Kernel, factorized, kernels
from archspec.ir.diagnostics import did_you_mean, listed, shown
from archspec.ir.graph import Graph, Tensor
from archspec.report.format import aligned, exact, quantity

if TYPE_CHECKING:
    import numpy as np

    from archspec.backend.factorization import Decomposed, Distance

ENERGIES = (0.9, 0.95, 0.99)
"""Shares of a kernel's energy for which the ranks are listed where none are chosen."""
EXAMPLES = 4
"""Random examples that the networks are compared on where there are no others."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What became of one layer. ``rank`` is None where none was chosen; ``energy`` (of the rank, or of each of
    ``ENERGIES`` the smallest rank) is known where there are weights."""

    kernel: Kernel
    params: tuple[int, int]
    macs: tuple[int | None, int | None]
    rank: int | None = None
    energy: float | None = None
    ranks: tuple[int, ...] = ()
    distance: Distance | None = None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        kernel, chosen = self.kernel, self.rank is not None
        out: dict[str, Any] = {"layer": kernel.layer, "kernel": [kernel.rows, kernel.columns], "even": kernel.even}
        out |= {"rank": self.rank} if chosen else {}
        out |= {"params": list(self.params) if chosen else self.params[0]}
        out |= {"macs": list(self.macs) if chosen else self.macs[0]}
        out |= {} if self.energy is None else {"energy": self.energy}
        out |= {"ranks": dict(zip(map(str, ENERGIES), self.ranks, strict=True))} if self.ranks else {}
        return out | ({} if self.distance is None else {"distance": _record(self.distance)})


@dataclass(frozen=True, slots=True)
class Factorization:
    """Layers in factors, the totals of the network before and after, and how far its outputs are from what they were,
    on ``examples``. ``spec`` is the text of the new spec, None where no layer was chosen."""

    name: str
    layers: tuple[Layer, ...]
    totals: tuple[Totals, Totals]
    spec: str | None = None
    weights: Mapping[str, np.ndarray] | None = None
    distances: Mapping[str, Distance] | None = None
    examples: str = ""

    def text(self) -> str:
        """For a terminal."""
        return _chosen_text(self) if self.spec is not None else _candidates_text(self)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        before, after = self.totals
        out: dict[str, Any] = {"name": self.name, "layers": [layer.record() for layer in self.layers]}
        if self.spec is None:
            return out | {"params": before.params, "macs": before.macs}
        out |= {"params": [before.params, after.params], "macs": [before.macs, after.macs]}
        if self.distances is not None:
            out |= {"examples": self.examples, "outputs": {k: _record(d) for k, d in self.distances.items()}}
        return out

    def json(self) -> str:
        """As JSON."""
        return json.dumps(self.record(), ensure_ascii=False)


def factorize(
    graph: Graph,
    values: Mapping[str, np.ndarray] | None,
    asked: Mapping[str, int | float],
    examples: tuple[str, Mapping[str, np.ndarray]] | None = None,
) -> Factorization:
    """Two layers in the place of each that ``asked`` names, of a rank, or of the smallest with a share of the energy.

    ``values`` are the weights of the inference graph by ``layer/weight``, None where there are none; ``examples`` what
    its outputs are compared on, random numbers where there are none. Raises ValueError for layers and ranks that cannot
    be.
    """
    graph = graph.inference()
    found = kernels(graph)
    _refuse(graph, found, asked, has_weights=values is not None)
    parts = {} if values is None else {layer: _decomposed(found[layer], values) for layer in asked or found}
    name, costs = graph.variant or graph.name, _costs(graph)
    if not asked:
        return Factorization(
            name, tuple(_candidate(k, costs[k.layer], parts.get(k.layer)) for k in found.values()), (totals(graph),) * 2
        )
    ranks = {layer: parts[layer].rank_of(rank) if isinstance(rank, float) else rank for layer, rank in asked.items()}
    made = factorized(graph, ranks)
    spec, written, names = _written(graph, made, found, ranks)
    given, apart, where = None, None, ""
    of_layers: dict[str, Distance] = {}
    if values is not None:
        from archspec.backend.factorization import distances, drawn, in_factors
        from archspec.backend.installation import quiet_start

        quiet_start()
        own = in_factors(values, ranks, parts, found)
        given = {
            f"{written.by_name[names[node.name]].layer}/{weight}": value
            for node in made.owners()
            for weight, value in own.get(node.layer, {}).items()
        }
        where, inputs = examples or (f"{EXAMPLES} random examples", drawn(graph, EXAMPLES))
        ends = [(Tensor(call), Tensor(names[f"{call}.{PARTS[1]}"])) for call in (found[k].nodes[0].name for k in ranks)]
        apart, apart_of_layers = distances((graph, written), (values, given), ends, inputs)
        of_layers = dict(zip(ranks, apart_of_layers, strict=True))
    after = _costs(made)
    layers = []
    for layer, rank in ranks.items():
        was, now = costs[layer], total(after[f"{layer}.{part}"] for part in PARTS)
        energy = parts[layer].energy(rank) if parts else None
        counts = (was.params, now.params), (was.macs, now.macs)
        layers.append(Layer(found[layer], *counts, rank, energy, distance=of_layers.get(layer)))
    return Factorization(name, tuple(layers), (totals(graph), totals(made)), spec, given, apart, where)


def held_out_examples(logdir: Path, graph: Graph) -> tuple[str, dict[str, np.ndarray]] | None:
    """A few examples that a run holds out, as its network gets them, and what they are called; None where it has none,
    or lost its data. Raises DataError."""
    import numpy as np

    from archspec.backend.installation import quiet_start
    from archspec.ir.diagnostics import SpecError
    from archspec.runs.directory import recorded
    from archspec.training.evaluation import held_out
    from archspec.training.inputs import taken_of

    try:
        plan = recorded(logdir).plan()
    except SpecError:
        return None
    if plan.split is None or graph.networks:
        return None
    quiet_start()
    plan = plan.fitted()
    batch = next(held_out(plan, plan.pipeline))
    given = taken_of(graph)(batch)
    inputs = given if isinstance(given, dict) else {next(iter(graph.inputs)): given}
    some = {name: np.asarray(value) for name, value in inputs.items()}
    count = len(next(iter(some.values())))
    return f"{count} examples of {plan.split} of {plan.source.name}", some


def _candidate(kernel: Kernel, cost: Totals, parts: Decomposed | None) -> Layer:
    """What is said of a layer where none is chosen."""
    ranks = tuple(parts.rank_of(energy) for energy in ENERGIES) if parts else ()
    return Layer(kernel, (cost.params,) * 2, (cost.macs,) * 2, ranks=ranks)


def _refuse(graph: Graph, found: Mapping[str, Kernel], asked: Mapping[str, int | float], *, has_weights: bool) -> None:
    """Raises ValueError."""
    name = graph.variant or graph.name
    if graph.networks:
        raise ValueError(f"{name} is of several networks; archspec factorizes the layers of one")
    if not found:
        raise ValueError(f"{name} has no layer whose kernel is one matrix")
    for layer, rank in asked.items():
        if layer not in found:
            near = did_you_mean(layer, found)
            why = f"{name} has no layer {shown(layer)}"
            if any(node.layer == layer for node in graph.nodes):
                why = f"{shown(layer)} has no kernel that is one matrix"
            raise ValueError(f"{why}; {near or 'those with a kernel that is one matrix are ' + listed(found)}")
        kernel = found[layer]
        if isinstance(rank, float) and not has_weights:
            raise ValueError(f"{layer}={rank:g} is a share of the energy of its weights: give them by --weights")
        if not isinstance(rank, float) and rank > kernel.full:
            raise ValueError(
                f"{layer}={rank}: a kernel of {kernel.rows:,} × {kernel.columns:,} has at most rank {kernel.full:,}"
            )


def _decomposed(kernel: Kernel, values: Mapping[str, np.ndarray]) -> Decomposed:
    from archspec.backend.factorization import decomposed

    try:
        return decomposed(values[f"{kernel.layer}/{kernel.name}"])
    except ValueError as error:
        raise ValueError(f"{kernel.layer}: {error}") from None


def _costs(graph: Graph) -> dict[str, Totals]:
    """What each layer costs, in all of its calls."""
    found: dict[str, list[Totals]] = {}
    for cost in node_costs(graph):
        found.setdefault(cost.node.layer, []).append(cost.counts)
    return {layer: total(costs) for layer, costs in found.items()}


def _written(
    graph: Graph, made: Graph, found: Mapping[str, Kernel], ranks: Mapping[str, int]
) -> tuple[str, Graph, dict[str, str]]:
    """The text of a spec, its graph, and which node of that each node of ``made`` is. Raises ValueError."""
    from archspec.frontend import loads
    from archspec.writing import Unwritable, spec_text
    from archspec.writing.equality import pairs

    said = (f"{layer} of rank {rank:,} instead of {found[layer].full:,}" for layer, rank in ranks.items())
    try:
        text = spec_text(made, doc=f"{graph.variant or graph.name}, with {', '.join(said)}")
    except Unwritable as error:
        raise ValueError(f"no spec says {graph.variant or graph.name} in factors: {error}") from None
    written = loads(text, f"{graph.name}.yaml")
    names = pairs(made, written)
    assert names is not None, "spec_text gives none that differs"
    return text, written, names


def _record(distance: Distance) -> dict[str, float]:
    if distance.differing is not None:
        return {"differing": distance.differing}
    return {"largest": distance.largest, "relative": distance.relative}


def _candidates_text(found: Factorization) -> str:
    """Layers that can be chosen."""
    has_weights = any(layer.ranks for layer in found.layers)
    head = ["layer", "kernel", "params", "MACs", "saves below rank"]
    head += [f"{energy:.0%} of energy" for energy in ENERGIES] if has_weights else []
    rows = [head]
    for layer in found.layers:
        kernel = layer.kernel
        row = [kernel.layer, f"{kernel.rows:,}×{kernel.columns:,}", exact(layer.params[0]), quantity(layer.macs[0])]
        rows.append([*row, f"{kernel.even + 1:,}", *(f"{rank:,}" for rank in layer.ranks)])
    note = "the columns of energy have the smallest rank with that share of the squared singular values"
    return "\n".join(
        [f"{found.name}: layers whose kernel is one matrix", "", aligned(rows), *(["", note] if has_weights else [])]
    )


def _chosen_text(found: Factorization) -> str:
    """Layers in factors."""
    rows = [["layer", "kernel", "rank", "params", "", "MACs", ""]]
    has_weights = found.weights is not None
    rows[0] += ["energy", "difference", "largest"] if has_weights else []
    for layer in found.layers:
        kernel = layer.kernel
        row = [kernel.layer, f"{kernel.rows:,}×{kernel.columns:,}", f"{layer.rank:,}"]
        row += [exact(layer.params[0]), f"→ {exact(layer.params[1])}"]
        row += [quantity(layer.macs[0]), f"→ {quantity(layer.macs[1])}"]
        if layer.energy is not None and layer.distance is not None:
            row += [f"{layer.energy:.4f}", f"{layer.distance.relative:.2e}", f"{layer.distance.largest:.2e}"]
        rows.append(row)
    before, after = found.totals
    row = ["total", "", "", exact(before.params), f"→ {exact(after.params)}"]
    row += [quantity(before.macs), f"→ {quantity(after.macs)}", *([""] * 3 if has_weights else [])]
    rows.append(row)
    lines = [f"{found.name}: kernels as products of two, by truncated singular value decomposition", "", aligned(rows)]
    if found.distances is not None:
        lines += ["", f"outputs on {found.examples}:"]
        for name, distance in found.distances.items():
            said = f"largest difference {distance.largest:.2e}, {distance.relative:.2e} of their length"
            if distance.differing is not None:
                said = f"{distance.differing:.2%} of the numbers are others"
            lines.append(f"  {name}: {said}")
        lines += ["", "energy: the share of the squared singular values that is kept"]
        lines += ["difference: of the layer's output, by its length; largest: of one number of it"]
    return "\n".join(lines)
