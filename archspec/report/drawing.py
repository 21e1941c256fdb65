"""How a network is drawn: which blocks are boxes, what repeats, and which edges there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from archspec.analysis.blocks import Block, tree
from archspec.analysis.cost import Totals, node_costs, total
from archspec.ir.diagnostics import shown
from archspec.ir.graph import Graph, Node, must_be_graph
from archspec.report.format import dimensions, quantity, share
from archspec.report.parted import tallest
from archspec.report.picture import Box, Diagram, Edge, Group

READABLE_BOXES = 40
"""Pictures of more boxes are folded, unless a depth is asked for."""
READABLE_HEIGHT = 1300
"""So are those that are taller, in points, where they cannot be cut into columns."""
LONGEST = 12
"""Steps of what is looked for again right behind, at most."""


def diagram(graph: Graph, *, depth: int | None = None, fold: Collection[str] = (), training: bool = False) -> Diagram:
    """Describe the picture of a graph.

    Blocks whose path has ``depth`` parts are folded to a box: 0 folds none, None as many as leave some forty boxes.
    ``fold`` are paths or last parts of paths of blocks to fold as well; ``training`` includes what only training
    needs: its heads, and the chain of a train section. Raises ValueError for a block that is not there at this depth,
    TypeError for what is no graph.
    """
    must_be_graph(graph, "archspec.diagram")
    if isinstance(fold, str):
        raise TypeError(f"fold takes names of blocks, such as [{shown(fold)}]; got one string")
    graph = graph.described(training)
    if depth is not None:
        return _Drawing(graph, depth, fold).picture()
    deepest = max((node.name.count(".") for node in graph.nodes), default=0)
    for tried in (0, *range(deepest, 1, -1)):
        found = _Drawing(graph, tried, fold).picture()
        if sum(1 for _ in found.root.boxes()) <= READABLE_BOXES and tallest(found) <= READABLE_HEIGHT:
            return found
    return _Drawing(graph, 1, fold).picture()


class _Drawing:
    """Folds the blocks of one graph, and joins what repeats."""

    def __init__(self, graph: Graph, depth: int, fold: Collection[str]):
        self.graph, self.depth, self.fold = graph, depth, set(fold)
        self.unseen = set(fold)
        costs = [cost.counts for cost in node_costs(graph)]
        whole = total(costs)
        self.by = "MACs" if whole.macs else "parameters"
        self.costs, self.whole = costs, (whole.macs or whole.params)
        self.place = {node.name: i for i, node in enumerate(graph.nodes)}
        self.users: dict[str, list[str]] = defaultdict(list)
        for node in graph.nodes:
            for tensor in node.inputs:
                self.users[tensor.node].append(node.name)
        for output in graph.outputs:
            self.users[output.tensor.node].append("")
        self.box_of: dict[int, str] = {}
        self.member: dict[int, list[tuple[int, int]]] = {}
        self.ids: set[str] = set()

    def picture(self) -> Diagram:
        graph = self.graph
        root = Group("", graph.variant or graph.name)
        blocks = tree([node.name for node in graph.nodes])
        inputs = {name: Box(self._id(f"input {name}"), [name, "input"], "input") for name in graph.inputs}
        root.children += inputs.values()
        self._fill(root, blocks.children)
        outputs = [(Box(self._id(f"output {o.name}"), [o.name, "output"], "output"), o) for o in graph.outputs]
        root.children += [box for box, _ in outputs]
        if self.unseen:
            raise ValueError(f"there is no block {shown(min(self.unseen))} to fold")
        order = {box.id: i for i, box in enumerate(root.boxes())}
        # Several tensors from a box to another are one line: side by side they would cross all others.
        labels: dict[tuple[str, str], dict[str, None]] = {}

        def add(source: str, target: str, label: str) -> None:
            if source != target:
                labels.setdefault((source, target), {})[label] = None

        for i, node in enumerate(graph.nodes):
            for tensor, spec in zip(node.inputs, node.input_specs, strict=True):
                j = self.place.get(tensor.node)
                source = inputs[tensor.node].id if j is None else self.box_of[j]
                if not self._is_within_repeat(j, i):
                    add(source, self.box_of[i], dimensions(spec.shape))
        for box, output in outputs:
            j = self.place.get(output.tensor.node)
            source = inputs[output.tensor.node].id if j is None else self.box_of[j]
            add(source, box.id, dimensions(graph.spec(output.tensor).shape))
        box_of = {node.name: self.box_of[i] for i, node in enumerate(graph.nodes)}
        edges = tuple(
            Edge(source, target, tuple(shapes), order[target] - order[source] > 1)
            for (source, target), shapes in labels.items()
        )
        return Diagram(root.label, root, edges, self.by, box_of, graph)

    def _is_within_repeat(self, source: int | None, target: int) -> bool:
        """Whether an edge goes from a member of a repeat to a later one, or stands within a later one: not drawn."""
        if source is None or source not in self.member or target not in self.member:
            return False
        return any(one == other and later > 0 for one, _ in self.member[source] for other, later in self.member[target])

    def _id(self, name: str) -> str:
        found, n = name, 1
        while found in self.ids:
            n += 1
            found = f"{name} #{n}"
        self.ids.add(found)
        return found

    def _fill(self, group: Group, children: Sequence[Block | int]) -> None:
        at = 0
        while at < len(children):
            count = self._repeats(children, at)
            if count == 1 and (period := self._stretch(children, at)) is not None:
                at = self._draw_stretch(group, children, at, period)
                continue
            self._draw(group, children[at : at + count])
            at += count

    def _stretch(self, children: Sequence[Block | int], at: int) -> int | None:
        """How many children from here on come again right behind, as steps of a loop or equal blocks in a row do; None
        where none do."""
        for period in range(1, min(LONGEST, (len(children) - at) // 2) + 1):
            if period == 1 and isinstance(children[at], int):
                continue
            if self._comes_again(children, at, at, period):
                return period
        return None

    def _comes_again(self, children: Sequence[Block | int], first: int, at: int, period: int) -> bool:
        """Whether the children from ``at`` on, of which those at ``first`` are the first, come again behind."""
        a, b = children[at : at + period], children[at + period : at + 2 * period]
        if _form(a) != _form(b):
            return False
        one, other = _places_of(a), _places_of(b)
        # What goes on is what the last gives: another would end where the drawing does not.
        within = {self.graph.nodes[i].name for i in one[:-1]}
        if any(tensor.node in within for i in other for tensor in self.graph.nodes[i].inputs):
            return False
        return self._follows(_places_of(children[first : first + period]), one, other)

    def _draw_stretch(self, group: Group, children: Sequence[Block | int], at: int, period: int) -> int:
        """The first of stretches that come again, which stands for all; where they end."""
        end = at + 2 * period
        while self._comes_again(children, at, end - period, period):
            end += period
        units = [children[k : k + period] for k in range(at, end, period)]
        if period == 1:
            self._draw(group, [unit[0] for unit in units])
            return end
        first, last = units[0][0], units[-1][-1]
        names = dict.fromkeys(_tail(_name(self.graph, child)) for child in (first, last))
        places = [_places_of(unit) for unit in units]
        self._join(places)
        label = f"{'–'.join(names)} ×{len(units)}"
        self._open(group, f"{_name(self.graph, first)} …", label, units[0], places)
        return end

    def _draw(self, group: Group, members: Sequence[Block | int]) -> None:
        """One child, or the first of equal ones that stands for all."""
        first, places = members[0], [_places(member) for member in members]
        name = first.path if isinstance(first, Block) else self.graph.nodes[first].name
        label = first.label if isinstance(first, Block) else _tail(name)
        if len(members) > 1:
            label = f"{label}–{_tail(_name(self.graph, members[-1]))} ×{len(members)}"
            self._join(places)
        if isinstance(first, int):
            group.children.append(self._box(name, label, places, self.graph.nodes[first].op.name))
        elif self._is_folded(first):
            group.children.append(self._box(name, label, places, None))
        else:
            self._open(group, name, label, first.children, places)

    def _join(self, places: list[list[int]]) -> None:
        """Remember which members of a repeat nodes are of."""
        for k, positions in enumerate(places):
            for position in positions:
                self.member.setdefault(position, []).append((places[0][0], k))

    def _open(
        self, group: Group, name: str, label: str, children: Sequence[Block | int], places: list[list[int]]
    ) -> None:
        """A group with its children, which stand for those at all ``places``."""
        inner = Group(self._id(name), label)
        group.children.append(inner)
        costs = self.costs
        if len(places) > 1:
            # The box of the first stands for those of all.
            self.costs = [*costs]
            for i, same in enumerate(zip(*places, strict=True)):
                self.costs[places[0][i]] = total(costs[p] for p in same)
        self._fill(inner, children)
        self.costs = costs
        for positions in places[1:]:
            for mine, drawn in zip(positions, places[0], strict=True):
                self.box_of[mine] = self.box_of[drawn]

    def _box(self, name: str, label: str, places: list[list[int]], op: str | None) -> Box:
        positions = [p for member in places for p in member]
        cost = total(self.costs[p] for p in positions)
        box = Box(self._id(name), [label], "block" if op is None else "op")
        if op is None:
            box.lines.append(f"{len(positions)} nodes")
        elif op != label:
            box.lines.append(op)
        box.lines += self._cost_lines(cost)
        part = cost.macs if self.by == "MACs" else cost.params
        box.heat = part / self.whole if part and self.whole else 0.0
        for position in positions:
            self.box_of[position] = box.id
        return box

    def _cost_lines(self, cost: Totals) -> list[str]:
        texts = []
        if cost.params:
            texts.append(f"{quantity(cost.params)} params")
        if self.by == "MACs" and cost.macs:
            texts.append(f"{quantity(cost.macs)} MACs, {share(cost.macs, self.whole)} %")
        return texts

    def _is_folded(self, block: Block) -> bool:
        named = {block.path, _tail(block.path), block.label} & self.fold
        self.unseen -= named
        return bool(named) or bool(self.depth and block.path.count(".") + 1 >= self.depth)

    def _repeats(self, children: Sequence[Block | int], at: int) -> int:
        """How many children from here on are the same, each fed by the one before."""
        if not _tail(_name(self.graph, children[at])).isdecimal():
            return 1
        count = 1
        while at + count < len(children) and self._continues(children, at, at + count):
            count += 1
        return count

    def _continues(self, children: Sequence[Block | int], start: int, at: int) -> bool:
        graph, first, before, this = self.graph, *(children[i] for i in (start, at - 1, at))
        old, new = _name(graph, before), _name(graph, this)
        if old.rpartition(".")[0] != new.rpartition(".")[0] or not _tail(new).isdecimal():
            return False
        a, b = _places(before), _places(this)
        if len(a) != len(b) or int(_tail(new)) != int(_tail(old)) + 1:
            return False
        return self._follows(_places(first), a, b)

    def _follows(self, first: list[int], a: list[int], b: list[int]) -> bool:
        """Whether ``b`` is the same as ``first``, and is fed by ``a`` as that would feed itself."""
        graph = self.graph
        if not all(_is_same(graph.nodes[i], graph.nodes[j]) for i, j in zip(first, b, strict=True)):
            return False
        inside, here = {graph.nodes[i].name for i in b}, {graph.nodes[i].name for i in a}
        # What leaves the one before goes to this one only, or it would be a skip that the drawing loses.
        if any(user not in inside | here for i in a for user in self.users[graph.nodes[i].name]):
            return False
        return self._wiring(a, b) and self._wiring_of(a) == self._wiring_of(b)

    def _wiring_of(self, places: list[int]) -> list[tuple[int | None, ...]]:
        """Where inputs come from: a distance within, or None."""
        first = places[0]
        nodes = self.graph.nodes
        sources = [[self.place.get(t.node, -1) for t in nodes[i].inputs] for i in places]
        return [tuple(s - first if s >= first else None for s in row) for row in sources]

    def _wiring(self, a: list[int], b: list[int]) -> bool:
        """Whether all that ``b`` takes from outside is of ``a``, or taken by ``a`` at the same place."""
        for i, j in zip(a, b, strict=True):
            for old, new in zip(self.graph.nodes[i].inputs, self.graph.nodes[j].inputs, strict=False):
                source = self.place.get(new.node, -1)
                if source < b[0] and not a[0] <= source and old != new:
                    return False
        return True


def _is_same(one: Node, other: Node) -> bool:
    """Whether two nodes differ in the channels they are given at most."""
    shapes = ([o.shape[:-1] for o in node.outputs] for node in (one, other))
    return one.op.name == other.op.name and one.op == other.op and next(shapes) == next(shapes)


def _places(child: Block | int) -> list[int]:
    return [child] if isinstance(child, int) else child.positions()


def _form(children: Sequence[Block | int]) -> list[int]:
    """The numbers of nodes in blocks; 0 for a node itself."""
    return [0 if isinstance(child, int) else len(child.positions()) for child in children]


def _places_of(children: Sequence[Block | int]) -> list[int]:
    return [place for child in children for place in _places(child)]


def _name(graph: Graph, child: Block | int) -> str:
    return graph.nodes[child].name if isinstance(child, int) else child.path


def _tail(name: str) -> str:
    return name.rpartition(".")[2]
