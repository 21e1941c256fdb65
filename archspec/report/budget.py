"""What memory a network needs, and how many samples a machine holds."""

from __future__ import annotations

from json import dumps
from textwrap import wrap

from archspec.analysis.memory import largest_batch, memory
from archspec.ir.diagnostics import amount
from archspec.ir.graph import Graph
from archspec.report.format import binary

NOTE = "lower bounds: what a framework needs for itself and scratch memory of kernels are not counted"


def text(name: str, graph: Graph, budget: int, *, policy: str, optimizer: str, slots: int, width: int = 80) -> str:
    """Parts of the memory of one sample, and the largest batches within ``budget`` bytes. Raises UnknownSize."""
    one = memory(graph, policy=policy, slots=slots)
    place = f"activations that live at once, at {one.peak.node} ({binary(one.peak.in_place)} in place)"
    parts = [
        (one.weights, "weights"),
        (one.peak.bytes, f"inference, a sample: {place}"),
        (one.gradients, "training: gradients of the weights"),
        (one.slots, f"training: what {optimizer} keeps"),
        (one.saved, "training, a sample: activations that are saved for the gradients"),
        (one.transient, "training, a sample: gradients in hand at one time"),
    ]
    digits = max(len(binary(count)) for count, _ in parts)
    lines = [f"{name}: memory in {policy}, training with {optimizer}", ""]
    for count, words in parts:
        first, *rest = wrap(words, width - digits - 4)
        lines += [f"  {binary(count).rjust(digits)}  {first}", *(" " * (digits + 4) + more for more in rest)]
    runs, trains = (largest_batch(one, budget, training=training) for training in (False, True))
    if runs == 0:
        holds = f"{binary(budget)} hold not one sample: inference takes {binary(one.inference)}"
    else:
        holds = f"{binary(budget)} hold at most {_said(runs)} at inference, {_said(trains)} in training"
    lines += ["", *wrap(holds, width), *wrap(NOTE, width)]
    return "\n".join(lines)


def json(name: str, graph: Graph, budget: int, *, policy: str, optimizer: str, slots: int) -> str:
    """The same as an object, in bytes. Raises UnknownSize."""
    one = memory(graph, policy=policy, slots=slots)
    record = {
        "name": name,
        "policy": policy,
        "optimizer": optimizer,
        **{part: count for part, count in one._asdict().items() if part != "moments"},
        "peak": one.peak._asdict(),
        "inference": one.inference,
        "training": one.training,
        "budget": budget,
        "largest_batch": {
            "inference": largest_batch(one, budget, training=False),
            "training": largest_batch(one, budget, training=True),
        },
    }
    return dumps(record, ensure_ascii=False)


def is_enough(graph: Graph, budget: int, policy: str) -> bool:
    """Whether ``budget`` bytes hold one sample at inference. Raises UnknownSize."""
    return largest_batch(memory(graph, policy=policy), budget, training=False) != 0


def _said(batch: int | None) -> str:
    if batch is None:
        return "any number of samples"
    return amount(batch, "sample") if batch else "no sample"
