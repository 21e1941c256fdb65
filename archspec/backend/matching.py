"""Which layer of a file is which of a spec, where the file does not tell its wiring.

A shape that only one layer has tells it. Layers alike in shape are told apart by evidence, or not at all:

- a word that the names of both sides have in as many of them (``encoder``; a skip's ``downsample`` is ``projection``);
- a row of numbered blocks (``blocks.0.norm1``, ``blocks.1.norm1``): where one row of either side has the same layers,
  a layer within it is none without;
- a neighbour: what follows a layer that is known, under a name of the same stem (``conv3``, ``bn3``), and is fed by it;
- numbers in their names that count up (``layer1.0.conv2``, ``layer1.1.conv1``), or single letters from a to e
  (``res2a``, ``res2b``), where the layers stand in the same places of both sequences or depend on one another; or, in
  files whose order is that of computing, this dependence.

The order in which somebody declared layers is no evidence by itself: it need not be the order of use.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from archspec.backend.archive import Archive, Layout, StoredLayer, WeightsError, fused
from archspec.backend.layouts import node_label, stored_label
from archspec.backend.rules import pattern
from archspec.ir.diagnostics import listed, printable
from archspec.ir.graph import Graph, Node

TYPES = frozenset(
    (
        *("conv", "convolution", "bn", "norm", "batch", "batchnorm", "gn", "ln", "linear", "fc", "dense"),
        *("lstm", "gru", "rnn", "layer", "layers", "block", "blocks", "stage", "unit", "body", "net", "model"),
        *("module", "features", "main", "res", "residual"),
    )
)
"""Words that say what kind of thing a name is of, not which."""
SHORTCUTS = frozenset(("downsample", "shortcut", "projection", "project", "proj", "skip", "identity"))
"""Words for the way around a residual block's body."""


class Matching:
    """Layers of a file for the nodes of a graph. ``known`` are pairs that are given, by the nodes' layers."""

    def __init__(
        self,
        nodes: Sequence[Node],
        layers: Sequence[StoredLayer],
        archive: Archive,
        graph: Graph,
        known: Mapping[str, StoredLayer],
    ):
        self.nodes, self.layers, self.archive, self.graph = nodes, layers, archive, graph
        self.found = [stored_label(stored, archive.layout) for stored in layers]
        self.wanted = [node_label(node, archive.layout) for node in nodes]
        self.aligned = _aligned(self.found, self.wanted) if archive.is_ordered else frozenset()
        where = {id(stored): i for i, stored in enumerate(layers)}
        self.pairs = {where[id(known[n.layer])]: j for j, n in enumerate(nodes) if n.layer in known}
        self.counted: list[int] = []
        """Layers of the file that the numbers in their names, or their order, alone told apart."""

    def run(self) -> dict[str, StoredLayer]:
        """All pairs, by the nodes' layers. Raises WeightsError where evidence does not suffice."""
        compare_shapes(self.layers, self.nodes, self.archive.layout)
        groups = self._groups()
        for files, specs in groups:
            if len(files) == 1:
                self._pair(files, specs, "shape")
        while len(self.pairs) < len(self.nodes):
            before = len(self.pairs)
            self._neighbours()
            for files, specs in groups:
                for kin, alike in self._by_words(*self._left(files, specs)):
                    if len(kin) == 1:
                        self._pair(kin, alike, "name")
                    elif self._counts_up(kin := self._sorted(kin), alike):
                        self._pair(kin, alike, "order")
            if len(self.pairs) == before:
                raise self._undecided(groups)
        return {self.nodes[j].layer: self.layers[i] for i, j in sorted(self.pairs.items(), key=lambda pair: pair[1])}

    def notes(self) -> list[str]:
        """What to know of the pairs: which no more than numbers told apart."""
        if not self.counted or self.archive.calls is not None:  # where calls are compared, that is evidence enough
            return []
        told = listed(self.layers[i].name for i in self.counted)
        return [f"layers of one shape were distinguished only by the order of the numbers in their names: {told}"]

    def _groups(self) -> list[tuple[list[int], list[int]]]:
        files, specs = defaultdict(list), defaultdict(list)
        for i, label in enumerate(self.found):
            files[label].append(i)
        for j, label in enumerate(self.wanted):
            specs[label].append(j)
        return [(files[label], specs[label]) for label in files]

    def _left(self, files: list[int], specs: list[int]) -> tuple[list[int], list[int]]:
        taken = set(self.pairs.values())
        return [i for i in files if i not in self.pairs], [j for j in specs if j not in taken]

    def _pair(self, files: Iterable[int], specs: Iterable[int], how: str) -> None:
        for i, j in zip(files, specs, strict=True):
            if i not in self.pairs:
                self.pairs[i] = j
                if how == "order":
                    self.counted.append(i)

    def _neighbours(self) -> None:
        """What follows a known layer under its stem and is fed by it."""
        for i in range(len(self.layers)):
            if i in self.pairs:
                continue
            before = [i - 1] if self.archive.is_ordered else list(self.pairs)
            found: set[int] = set()
            for k in before:
                is_other = k in self.pairs and self.found[k] != self.found[i]
                if is_other and _is_next(self.layers[k].name, self.layers[i].name):
                    fed = self.fed.get(self.nodes[self.pairs[k]].layer, ())
                    found.update(j for j in fed if self.wanted[j] == self.found[i])
            if len(found) == 1 and not found & set(self.pairs.values()):
                self._pair([i], found, "neighbour")

    def _by_words(self, files: list[int], specs: list[int]) -> list[tuple[list[int], list[int]]]:
        """The groups into which words divide both sides alike."""
        theirs = {i: _words(self.layers[i].name) | self.rows[0].get(i, frozenset()) for i in files}
        ours = {j: _words(self.nodes[j].layer) | self.rows[1].get(j, frozenset()) for j in specs}
        for word in sorted(set().union(*theirs.values()) if theirs else ()):
            have = [i for i in files if word in theirs[i]], [j for j in specs if word in ours[j]]
            if 0 < len(have[0]) == len(have[1]) < len(files):
                rest = [i for i in files if word not in theirs[i]], [j for j in specs if word not in ours[j]]
                return [*self._by_words(*have), *self._by_words(*rest)]
        return [(files, specs)] if files else []

    def _sorted(self, files: list[int]) -> list[int]:
        """In the file's order, or, where that means nothing, by the numbers in PyTorch's names."""
        if self.archive.is_ordered or self.archive.layout == "keras":
            return files

        def key(i: int) -> list[tuple[bool, str]]:
            return [(isinstance(token, int), str(token).zfill(9)) for token in _tokens(self.layers[i].name)]

        return sorted(files, key=key)

    def _counts_up(self, files: list[int], specs: list[int]) -> bool:
        """Whether each of the layers surely comes before the next on both sides."""
        for (i, j), (k, m) in pairwise(zip(files, specs, strict=True)):
            follows = self.before[m] >> j & 1
            if self.archive.is_executed and follows:
                continue
            in_place = i == j and k == m and {i, k} <= self.aligned
            is_named = self.archive.is_ordered or self.archive.layout == "torch"
            if not (is_named and (in_place or follows) and _is_less(self.layers[i].name, self.layers[k].name)):
                return False
        return True

    @cached_property
    def rows(self) -> tuple[dict[int, frozenset[str]], dict[int, frozenset[str]]]:
        """For layers of the file and for nodes, the rows that they are in, as words: rows of numbered blocks of which
        either side has one with the same layers, and blocks hold what there is nowhere else.

        Such a row is no chain to which a layer outside of it could belong as well.
        """
        sides = ([stored.name for stored in self.layers], self.found), ([n.layer for n in self.nodes], self.wanted)
        theirs, ours = ({row: Counter(labels[i] for i in row) for row in _rows(names)} for names, labels in sides)
        out: tuple[dict[int, set[str]], dict[int, set[str]]] = defaultdict(set), defaultdict(set)
        every = Counter(self.found)
        for number, (row, content) in enumerate(theirs.items()):
            alike = [other for other, held in ours.items() if held == content]
            is_one = sum(held == content for held in theirs.values()) == len(alike) == 1
            if is_one and any(every[label] == count for label, count in content.items()):
                for side, members in zip(out, (row, alike[0]), strict=True):
                    for i in members:
                        side[i].add(f"row {number}")
        theirs_, ours_ = ({i: frozenset(words) for i, words in side.items()} for side in out)
        return theirs_, ours_

    @cached_property
    def before(self) -> list[int]:
        """For each node the nodes that it depends on, as bits."""
        number = {node.layer: j for j, node in enumerate(self.nodes)}
        reach: dict[str, int] = {}
        bits = [0] * len(self.nodes)
        for node in self.graph.nodes:
            behind = 0
            for tensor in node.inputs:
                behind |= reach.get(tensor.node, 0)
            if (j := number.get(node.layer)) is not None:
                bits[j] |= behind & ~(1 << j)
                behind |= 1 << j
            reach[node.name] = behind
        return bits

    @cached_property
    def fed(self) -> dict[str, list[int]]:
        """For each layer the nodes that read it, through what has no weights."""
        number = {node.layer: j for j, node in enumerate(self.nodes)}
        out: dict[str, list[int]] = defaultdict(list)
        for node in self.graph.nodes:
            if (j := number.get(node.layer)) is None or len(node.inputs) != 1:
                continue
            at = self.graph.by_name.get(node.inputs[0].node)
            while at is not None and not at.weights and len(at.inputs) == 1:
                at = self.graph.by_name.get(at.inputs[0].node)
            if at is not None and at.weights and j not in out[at.layer]:
                out[at.layer].append(j)
        return out

    def _undecided(self, groups: list[tuple[list[int], list[int]]]) -> WeightsError:
        """Two layers that could be either of two, and the rules for both ways."""
        files, specs = next((f, s) for f, s in (self._left(*group) for group in groups) if f)
        (a, b, *_), (p, q, *_) = (
            [self.layers[i].name for i in files],
            [self.nodes[j].layer for j in specs],
        )
        return WeightsError(
            f"{a!r} and {b!r} of the file have one shape, as have {p!r} and {q!r} of the spec; neither names nor order "
            f"distinguish them: state in rules which is which\n{_rules({a: p, b: q})}\nor\n{_rules({a: q, b: p})}"
        )


def copies(
    layers: Sequence[StoredLayer], nodes: Sequence[Node], known: Collection[StoredLayer]
) -> list[tuple[StoredLayer, StoredLayer]]:
    """Layers that hold the numbers of another, with that, where the spec has so many fewer of their shape: weights that
    layers share are kept by PyTorch under all of their names. Those that are known are no copies."""
    import numpy as np

    found = Counter(stored_label(stored, "torch") for stored in layers)
    surplus = found - Counter(node_label(node, "torch") for node in nodes)
    out = []
    for shape, count in surplus.items():
        alike = [stored for stored in layers if stored_label(stored, "torch") == shape]
        if count == len(alike) or not any(len(array.shape) > 1 for array in alike[0].arrays.values()):
            continue  # vectors may be equal because they are as they were made
        kept: list[tuple[StoredLayer, list[np.ndarray]]] = []
        twice = []
        for stored in sorted(alike, key=lambda stored: stored not in known):
            values = [array.read() for array in stored.arrays.values()]
            same = next((other for other, held in kept if all(map(np.array_equal, values, held))), None)
            if same is not None and stored not in known:
                twice.append((stored, same))
            else:
                kept.append((stored, values))
        if len(twice) == count:
            out += twice
    return out


def _aligned(found: list[Any], wanted: list[Any]) -> frozenset[int]:
    """Where both sequences have the same, after as many of the same."""
    out, open_ = set(), Counter[Any]()
    for i, (f, w) in enumerate(zip(found, wanted, strict=False)):
        if f == w and not any(open_.values()):
            out.add(i)
        open_[f] += 1
        open_[w] -= 1
    return frozenset(out)


def compare_shapes(layers: Sequence[StoredLayer], nodes: Sequence[Node], layout: Layout) -> None:
    """Raises WeightsError where one side has shapes that the other lacks."""
    found = [stored_label(stored, layout) for stored in layers]
    wanted = [node_label(node, layout) for node in nodes]
    surplus, missing = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
    says, odd = [], list[StoredLayer]()
    if surplus:
        odd = [stored for stored, shape in zip(layers, found, strict=True) if shape in surplus]
        says.append(f"the file has {', '.join(map(stored_said, odd[:4]))}{more(odd)}")
    if missing:
        lost = [node for node, shape in zip(nodes, wanted, strict=True) if shape in missing]
        says.append(f"the spec has {', '.join(map(node_said, lost[:4]))}{more(lost)}")
    if says:
        remedy = f"; {said}" if (said := fused(odd)) else ignoring([o.name for o in odd]) if not missing else ""
        raise WeightsError("the layers differ in shape: " + "; ".join(says) + remedy)


def _tokens(name: str) -> list[str | int]:
    """Words and numbers of a name, in order; a to e by themselves count like numbers (q, k and v do not)."""
    split = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", ".", name).lower())
    return [ord(t) if t in tuple("abcde") else int(t) if t.isdigit() else t for t in split]


def _words(name: str) -> frozenset[str]:
    found = {t for t in _tokens(name) if isinstance(t, str)} - TYPES
    return frozenset("shortcut" if word in SHORTCUTS else word for word in found)


def _rows(names: Sequence[str]) -> set[frozenset[int]]:
    """Layers whose names go on alike up to a number, of which there are several."""
    found: dict[tuple[str | int, ...], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for i, name in enumerate(names):
        tokens = _tokens(name)
        for k, token in enumerate(tokens):
            if isinstance(token, int):
                found[tuple(tokens[:k])][token].add(i)
    return {frozenset[int]().union(*blocks.values()) for blocks in found.values() if len(blocks) > 1}


def _is_less(a: str, b: str) -> bool:
    """Whether two names are told apart by numbers first, of which the first's is less."""
    one, two = _tokens(a), _tokens(b)
    for x, y in zip(one, two, strict=False):
        if x != y:
            return isinstance(x, int) and isinstance(y, int) and x < y
    return len(one) < len(two) and isinstance(two[len(one)], int)


def _is_next(a: str, b: str) -> bool:
    """Whether two names are of one stem: ``conv3``, ``bn3``; ``stem.conv``, ``stem.norm``; ``x.0``, ``x.1``."""
    (above, _, one), (beyond, _, two) = a.rpartition("."), b.rpartition(".")
    if above != beyond:
        return False
    if one.isdigit() and two.isdigit():
        return int(two) == int(one) + 1
    return [t for t in _tokens(one) if t not in TYPES] == [t for t in _tokens(two) if t not in TYPES]


def _rules(names: Mapping[str, str]) -> str:
    """Rules in YAML, a name of the file as the pattern that it alone matches."""
    return "\n".join(["  names:", *(f"    {pattern(name)}: {layer}" for name, layer in names.items())])


def ignoring(names: Sequence[str]) -> str:
    """What to write where a spec has no place for layers of a file."""
    kept = ", ".join(map(pattern, names[:8]))
    return (
        f"; to leave out what the spec has no place for, state in rules\n  ignore: [{kept}{', …' * (len(names) > 8)}]"
    )


def stored_said(stored: StoredLayer) -> str:
    """A layer of a file and its shapes."""
    return f"{printable(stored.name)} {', '.join(map(str, stored.shapes))}"


def node_said(node: Node) -> str:
    """A node and the shapes of its weights."""
    return f"{node.layer} {', '.join(str(w.shape) for w in node.weights)}"


def more(rest: Sequence[Any]) -> str:
    """How many more there are than four."""
    return f" and {len(rest) - 4} more" if len(rest) > 4 else ""
