"""How long a check takes, and what it finds, when a spec of the catalogue has one mistake.

    python tools/mutants.py [--count N] [--seed S] [--limit SECONDS] [--list N]

A mutant is a spec of the catalogue with one slip: a number that is another, a name with a letter wrong, two lines
exchanged, a reference to another result. Each is checked as ``archspec check`` does, in all its variants and without
the collector of garbage, in one process; what all need is loaded before, and not counted. Printed are how many of each
kind are found and by what (an error of the schema, an error of the network, a figure that is not what the spec expects,
a lint warning, or only a difference to the spec without the slip, as ``archspec diff`` would show it), the slowest in
CPU seconds, and the exit code is 1 where one is slower than the limit. CPU seconds depend on the machine, and on what
else runs there: one above the limit is checked twice more, and the least of the three is its figure.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from archspec.analysis.difference import difference
from archspec.analysis.expect import unmet
from archspec.analysis.practice import findings
from archspec.frontend import analyse
from archspec.frontend.findings import Analysis
from archspec.ir.graph import Graph
from archspec.ops.base import Op

SPECS = Path(__file__).parents[1] / "specs"
NUMBER = re.compile(r"(?<![\w.\-])\d+(?![\w.])")
WORD = re.compile(r"(?<![\w.\"'])[a-z_][a-z_0-9]{2,}(?![\w])")
REFERENCE = re.compile(r"(?<=from: )[a-z_]\w*")
NAMED = re.compile(r"(?<=as: )[a-z_]\w*")


class Mutant(NamedTuple):
    """A spec with one slip: which, and where."""

    kind: str
    path: Path
    line: int
    text: str


def number(text: str, draw: random.Random) -> tuple[int, str] | None:
    """A number that is another."""
    if (found := _one_of(NUMBER, text, draw)) is None:
        return None
    n = int(found[0])
    other = draw.choice([n + 1, max(n - 1, 0), 10 * n, -n, 2 * n, n // 2])
    return None if other == n else (found.start(), text[: found.start()] + str(other) + text[found.end() :])


def name(text: str, draw: random.Random) -> tuple[int, str] | None:
    """A name in which a letter is lost, doubled or exchanged with the next."""
    if (found := _one_of(WORD, text, draw)) is None:
        return None
    word, at = found[0], draw.randrange(len(found[0]) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    other = draw.choice([word[:at] + word[at + 1 :], word[: at + 1] + word[at:], swapped])
    return None if other == word else (found.start(), text[: found.start()] + other + text[found.end() :])


def order(text: str, draw: random.Random) -> tuple[int, str] | None:
    """Two neighbouring lines of one depth exchanged."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:k])) for k in range(len(lines))]
    depths = [_depth(line) for line in lines]
    places = [k for k in range(len(lines) - 1) if depths[k] == depths[k + 1] and _is_of_body(text, starts[k])]
    if not places:
        return None
    k = draw.choice(places)
    lines[k], lines[k + 1] = lines[k + 1], lines[k]
    return starts[k], "".join(lines)


def wiring(text: str, draw: random.Random) -> tuple[int, str] | None:
    """A reference to another result."""
    found, names = _one_of(REFERENCE, text, draw), sorted(set(NAMED.findall(text)) | {"prev", "input"})
    if found is None:
        return None
    other = draw.choice(names)
    return None if other == found[0] else (found.start(), text[: found.start()] + other + text[found.end() :])


KINDS: dict[str, Callable[[str, random.Random], tuple[int, str] | None]] = {
    "number": number,
    "name": name,
    "order": order,
    "wiring": wiring,
}


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """So many, of all specs and kinds in turn; the same for one seed."""
    draw = random.Random(seed)
    paths = sorted(SPECS.rglob("*.yaml"))
    paths = [path for path in paths if re.search(r"^archspec:", path.read_text("utf-8"), re.MULTILINE)]
    made = 0
    while made < count:
        path, kind = draw.choice(paths), draw.choice(list(KINDS))
        text = path.read_text("utf-8")
        if (found := KINDS[kind](text, draw)) is not None:
            made += 1
            yield Mutant(kind, path, text.count("\n", 0, found[0]) + 1, found[1])


FOUND = ("schema", "check", "expect", "lint", "diff", "nothing")
"""What finds a slip, the first of these that does: an error before any step is looked at; another error, or a warning;
a figure that is not what the spec expects; a finding of ``archspec lint`` that the spec does not have; a change that
``archspec diff`` names. Nothing is left where the slip makes the same network."""


class Checked(NamedTuple):
    """CPU seconds of a check, what found the slip, and how many graphs there are."""

    seconds: float
    found: str
    graphs: int


def checked(mutant: Mutant, limit: float) -> Checked:
    """A mutant, checked; beyond what a check says, in no time that counts. One above the limit is timed three times."""
    seconds, analysis, is_unmet = _timed(mutant)
    if seconds > limit:
        seconds = min(seconds, _timed(mutant)[0], _timed(mutant)[0])
    return Checked(seconds, _found(mutant, analysis, is_unmet), len(analysis.graphs))


def _timed(mutant: Mutant) -> tuple[float, Analysis, bool]:
    """CPU seconds of a check, what it says, and whether a figure is not what the spec expects."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    analysis = analyse(str(mutant.path), data=mutant.text.encode(), folder=mutant.path.parent)
    is_unmet = bool([figure for graph in analysis.graphs for figure in unmet(graph)])
    seconds = time.process_time() - start
    gc.enable()
    return seconds, analysis, is_unmet


def _found(mutant: Mutant, analysis: Analysis, is_unmet: bool) -> str:
    if analysis.document is None:
        return "schema"
    if analysis.diagnostics:
        return "check"
    if is_unmet:
        return "expect"
    of_spec = _of_spec(mutant.path)
    if len(findings(analysis)) > len(findings(of_spec)):
        return "lint"
    before, after = ({graph.variant: graph for graph in one.graphs} for one in (of_spec, analysis))
    is_other = before.keys() != after.keys() or any(_differs(before[v], after[v]) for v in before)
    return "diff" if is_other else "nothing"


@lru_cache(maxsize=8)
def _of_spec(path: Path) -> Analysis:
    return analyse(str(path))


def _differs(before: Graph, after: Graph) -> bool:
    found = difference(before, after)
    return bool(found.changes or found.ends)


def main() -> int:
    """Check them all; 1 where one takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="default: 2000")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--limit", type=float, default=0.3, help="CPU seconds of a check; default: 0.3")
    parser.add_argument("--list", type=int, default=20, help="how many of the slowest to print; default: 20")
    args = parser.parse_args()
    Op.all()
    analyse("lenet5")
    by: dict[str, Counter[str]] = defaultdict(Counter)
    spent: list[tuple[Checked, Mutant]] = []
    for mutant in mutants(args.count, args.seed):
        one = checked(mutant, args.limit)
        by[mutant.kind][one.found] += 1
        spent.append((one, mutant))
    print(f"{'':<8} {'mutants':>8}" + "".join(f"{what:>9}" for what in FOUND))
    for kind, counts in [*sorted(by.items()), ("all", sum(by.values(), Counter()))]:
        shares = "".join(f"{100 * counts[what] / counts.total():>7.1f} %" for what in FOUND)
        print(f"{kind:<8} {counts.total():>8,}{shares}")
    spent.sort(key=lambda one: -one[0].seconds)
    slow = sum(one.seconds > args.limit for one, _ in spent)
    middle = spent[len(spent) // 2][0].seconds
    print(f"median {middle:.3f} s, slowest {spent[0][0].seconds:.3f} s, {slow} above {args.limit:g} s")
    for one, mutant in spent[: args.list]:
        where = f"{mutant.path.relative_to(SPECS)}:{mutant.line}"
        print(f"{one.seconds:.3f} s  {mutant.kind:<8} {where:<44} {one.found:<8} {one.graphs} graphs")
    return int(slow > 0)


def _one_of(pattern: re.Pattern[str], text: str, draw: random.Random) -> re.Match[str] | None:
    """A match that is no part of what only describes: comments, doc and expect."""
    found = [m for m in pattern.finditer(text) if _is_of_body(text, m.start())]
    return draw.choice(found) if found else None


def _is_of_body(text: str, at: int) -> bool:
    start = text.rfind("\n", 0, at) + 1
    if "#" in text[start:at]:
        return False
    top = list(re.finditer(r"^(\w+):", text[: max(at, start + 1)], re.MULTILINE))
    if not top:
        return False
    section = re.match(r"\w+", text[top[-1].start() :])
    return section is not None and section[0] not in ("doc", "expect", "archspec", "name")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else -1


if __name__ == "__main__":
    raise SystemExit(main())
