"""What changed from one graph to another, node by node.

Nodes are the same that stand at one path with one op. Of those that are left between two such, the longest common
sequence of equal ops with equal shapes are renamed, which is no change; then that of ops of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass, replace
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import plain
from archspec.ir.graph import Graph, Node
from archspec.ir.training import Scheduled, Term, TrainStep, ValueSchedule
from archspec.ops.per_item import alone


class Change(NamedTuple):
    """A node before and after; None where it was added or taken away. ``arguments`` are those of the op that differ,
    by name, with both values; ``inputs`` what it was and is applied to, where that are other nodes that stayed;
    ``owners`` whose weights it had and has, where that is another layer than before."""

    before: Node | None
    after: Node | None
    arguments: dict[str, tuple[Any, Any]]
    inputs: tuple[tuple[str, str], ...] = ()
    owners: tuple[str, str] | None = None

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def node(self) -> Node:
        """That after, or before where it was taken away."""
        found = self.after or self.before
        assert found is not None
        return found


class EndChange(NamedTuple):
    """An input, an output or a part of the train section, ``input image``, ``output main`` or ``train step G``, and
    what of it is otherwise, before and after; ``kind`` is that of a ``Change``."""

    kind: str
    name: str
    said: tuple[tuple[str, str, str], ...] = ()


class Difference(NamedTuple):
    """What changed, in the order of the new graph with what was taken away where it stood; what only got another
    name, before and after; and what changed of inputs, of outputs and of the train section."""

    changes: tuple[Change, ...]
    renamed: tuple[tuple[str, str], ...]
    ends: tuple[EndChange, ...] = ()


def difference(before: Graph, after: Graph) -> Difference:
    """All that differs between two graphs but names."""
    old, new = before.nodes, after.nodes
    pairs = _paired(old, new, lambda node: (node.name, node.op.name))
    for key in (_same, lambda node: node.op.name):
        pairs = _between(old, new, pairs, key)
    by_new = {j: i for i, j in pairs}
    # Who is who: inputs of the graphs by their names, nodes as they are paired.
    called = _inputs_paired(before, after)
    ends = _changed_inputs(before, after, called)
    called |= {old[i].name: new[j].name for i, j in pairs}
    owners = _owners(old, new, pairs)
    changes: list[Change] = []
    renamed: list[tuple[str, str]] = []
    left = sorted(set(range(len(old))) - {i for i, _ in pairs})
    for j, node in enumerate(new):
        i = by_new.get(j)
        if i is None:
            changes.append(Change(None, node, {}))
            continue
        while left and left[0] < i:
            changes.append(Change(old[left.pop(0)], None, {}))
        if old[i].name != node.name:
            renamed.append((old[i].name, node.name))
        inputs = _rewired(old[i], node, called)
        if inputs or j in owners or _same(old[i]) != _same(node):
            changes.append(Change(old[i], node, _arguments(old[i].op, node.op), inputs, owners.get(j)))
    changes += [Change(old[i], None, {}) for i in left]
    ends += [*_changed_outputs(before, after, called), *_changed_training(before, after)]
    told = {change.node.name for change in changes}
    if before.training is not None and after.training is not None:
        inner = difference(before.training.body, after.training.body)
        changes += [change for change in inner.changes if change.node.name not in told]
    return Difference(tuple(changes), tuple(renamed), tuple(ends))


def _inputs_paired(before: Graph, after: Graph) -> dict[str, str]:
    """Inputs by name, then those left, in order, that are alike."""
    called = {name: name for name in before.inputs if name in after.inputs}
    left = [name for name in after.inputs if name not in called]
    for name, spec in before.inputs.items():
        same = next((other for other in left if after.inputs[other] == spec), None)
        if name not in called and same is not None:
            called[name] = same
            left.remove(same)
    return called


def _changed_inputs(before: Graph, after: Graph, called: dict[str, str]) -> list[EndChange]:
    out = []
    for name, spec in before.inputs.items():
        if name not in called:
            out.append(EndChange("removed", f"input {name}"))
        elif (other := after.inputs[called[name]]) != spec:
            said = (("shape", str(spec.shape), str(other.shape)), ("dtype", spec.dtype, other.dtype))
            out.append(EndChange("changed", f"input {name}", tuple(one for one in said if one[1] != one[2])))
    stayed = set(called.values())
    return out + [EndChange("added", f"input {name}") for name in after.inputs if name not in stayed]


def _changed_outputs(before: Graph, after: Graph, called: dict[str, str]) -> list[EndChange]:
    """Outputs by name, then those left that are of one tensor."""
    new = {output.name: output for output in after.outputs}
    pairs = {output.name: output.name for output in before.outputs if output.name in new}
    left = [output for output in after.outputs if output.name not in pairs]
    out = []
    stayed = set(called.values())
    for output in before.outputs:
        if output.name not in pairs:
            tensor = (called.get(output.tensor.node), output.tensor.port)
            same = next((one for one in left if (one.tensor.node, one.tensor.port) == tensor), None)
            if same is None:
                out.append(EndChange("removed", f"output {output.name}"))
                continue
            left.remove(same)
            pairs[output.name] = same.name
        other = new[pairs[output.name]]
        # Compared as they are, not as they are said, which is cut.
        said = [
            (name, as_written(x), as_written(y))
            for name in ("loss", "weight", "train_only", "metrics")
            if repr(x := getattr(output, name)) != repr(y := getattr(other, name))
        ]
        a, b = output.tensor, other.tensor
        if a.node in called and b.node in stayed and (called[a.node], a.port) != (b.node, b.port):
            said.insert(0, ("from", str(a), str(b)))
        if said:
            out.append(EndChange("changed", f"output {other.name}", tuple(said)))
    return out + [EndChange("added", f"output {output.name}") for output in left]


def _changed_training(before: Graph, after: Graph) -> list[EndChange]:
    """What an update minimises and changes, step by step; the graph of its targets is compared as any other."""
    if before.training is None or after.training is None:
        is_same = before.training is after.training
        return [] if is_same else [EndChange("added" if before.training is None else "removed", "train section")]
    old, new = ({step.name: step for step in training.steps} for training in (before.training, after.training))
    out = [EndChange("removed", f"train step {name}") for name in old if name not in new]
    for name, now in new.items():
        if name not in old:
            out.append(EndChange("added", f"train step {name}"))
            continue
        was = _parts(old[name])
        # Compared as they are, not as they are said; of several terms those that differ are told.
        said = tuple(
            (what, _but(was[what], held), _but(held, was[what]))
            for what, held in _parts(now).items()
            if [*was[what]] != [*held]
        )
        if said:
            out.append(EndChange("changed", f"train step {name}".strip(), said))
    return out


def _but(said: dict[str, str], others: dict[str, str]) -> str:
    return ", ".join(text for key, text in said.items() if key not in others) or ", ".join(said.values()) or "none"


def _parts(step: TrainStep) -> dict[str, dict[str, str]]:
    """What a step does: of each kind all that it has, and how that is said."""
    terms = {repr(replace(term, span=None, weight=_text(term.weight))): _term(term) for term in step.minimize}  # type: ignore[arg-type]
    return {
        # The one network of a body goes by the name of its spec.
        "updates": {name: name for name in step.update if step.name},
        "minimizes": terms,
        "turns": {_text(step.turns): _text(step.turns)},
        "constraint": {repr(step.constraint): as_written(step.constraint)},
    }


def _text(value: Scheduled) -> str:
    """A number, or the text of one that changes: that is what it is compared by."""
    return value.text if isinstance(value, ValueSchedule) else plain(value)


def _term(term: Term) -> str:
    of = ", ".join(str(operand) for operand in term.operands)
    rest = {"weight": None if term.weight == 1 else _text(term.weight), "where": term.where, "per": term.per}
    said = "".join(f" {name} {value}" for name, value in rest.items() if value is not None)
    return f"{as_written(term.loss)} [{of}]{said}"


def as_written(value: Any) -> str:
    """A value as a spec has it; a declaration by its name, with the arguments that are not as usual."""
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(as_written(one) for one in value)
    if isinstance(value, Declaration):
        given = value.model_dump(exclude_defaults=True)
        return plain({value.name: given}, 400) if given else value.name
    if is_dataclass(value) and not isinstance(value, type):
        held = plain({f.name: getattr(value, f.name) for f in fields(value)}, 400)
        return f"{{{value.name}: {held}}}" if hasattr(value, "name") else held
    return plain(value)


def _owners(old: tuple[Node, ...], new: tuple[Node, ...], pairs: list[tuple[int, int]]) -> dict[int, tuple[str, str]]:
    """Whose weights the nodes of the new graph had and have, by position, where calls that shared them no longer do, or
    do now. A layer is known by its first call in both."""
    first_old: dict[str, tuple[int, int]] = {}
    first_new: dict[str, tuple[int, int]] = {}
    out = {}
    for i, j in pairs:
        if not (old[i].weights and new[j].weights):
            continue
        a = first_old.setdefault(old[i].layer, (i, j))
        b = first_new.setdefault(new[j].layer, (i, j))
        if a != b:
            out[j] = (_owner(old, i, a[0]), _owner(new, j, b[1]))
    return out


def _owner(nodes: tuple[Node, ...], at: int, first: int) -> str:
    return "its own" if at == first else f"those of {nodes[first].name}"


def _paired(
    old: tuple[Node, ...], new: tuple[Node, ...], key: Callable[[Node], Hashable], offsets: tuple[int, int] = (0, 0)
) -> list[tuple[int, int]]:
    """Positions of the longest common sequence by a key."""
    matcher = SequenceMatcher(None, [key(n) for n in old], [key(n) for n in new], autojunk=False)
    return [
        (offsets[0] + a + k, offsets[1] + b + k) for a, b, size in matcher.get_matching_blocks() for k in range(size)
    ]


def _between(
    old: tuple[Node, ...], new: tuple[Node, ...], pairs: list[tuple[int, int]], key: Callable[[Node], Hashable]
) -> list[tuple[int, int]]:
    """The pairs, with those among what is left between them."""
    out: list[tuple[int, int]] = []
    a = b = 0
    for i, j in [*pairs, (len(old), len(new))]:
        if i > a and j > b:
            out += _paired(old[a:i], new[b:j], key, (a, b))
        if i < len(old):
            out.append((i, j))
        a, b = i + 1, j + 1
    return out


def _rewired(before: Node, after: Node, called: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Inputs before and after that are not each other, though both are in both graphs: what was put between, or taken
    from between, is told as such."""
    stayed = set(called.values())
    return tuple(
        (str(a), str(b))
        for a, b in zip(before.inputs, after.inputs, strict=False)
        if a.node in called and b.node in stayed and (called[a.node], a.port) != (b.node, b.port)
    )


def _same(node: Node) -> Hashable:
    """All of a node but its name and what it is applied to."""
    return repr(node.op), node.input_specs, node.outputs


def _arguments(before: object, after: object) -> dict[str, tuple[Any, Any]]:
    before, after = alone(before), alone(after)
    if type(before) is not type(after):
        return {}
    names = dict.fromkeys((*type(before).model_fields, *(before.model_extra or ()), *(after.model_extra or ())))
    values = ((name, getattr(before, name, None), getattr(after, name, None)) for name in names)
    return {name: (old, new) for name, old, new in values if old != new}
