"""How many members of a family are loaded a second, in one process on one core.

    python tools/bench_family.py [--members N] [--json]

Members of ResNet-50's family, of 1 to 3, 4, 6 and 3 units in its stages, no two alike within 216, one after another:
with all that is kept between them, with what is kept within each alone, and with nothing kept. Then those of a sweep
over widths and depths, and members of which no two have a width in common, so that all shapes are new each time. CPU
seconds depend on the machine; their ratios hardly do.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import cycle, islice, product
from typing import Any
from unittest.mock import patch

from archspec.frontend import files, load, recurring, reuse
from archspec.frontend.files import Library, find

SPEC = "resnet50"


def members(count: int) -> list[dict[str, Any]]:
    """Parameters of so many members."""
    depths = product(range(1, 4), range(1, 5), range(1, 7), range(1, 4))
    return [{"depths": list(one)} for one in islice(cycle(depths), count)]


def sweep(count: int) -> list[dict[str, Any]]:
    """Parameters of so many members: 54 depths for each of as many widths as that takes, from 72 on."""
    depths = list(product(range(1, 4), range(1, 4), range(1, 4), range(1, 3)))
    made = ({"width": 72 + 8 * k, "depths": list(one)} for k in range(count) for one in depths)
    return list(islice(made, count))


def rate(given: list[dict[str, Any]], before: Callable[[], None]) -> tuple[float, float]:
    """Members and nodes a CPU second; ``before`` runs before each, and is not counted."""
    spent, nodes = 0.0, 0
    for settings in given:
        before()
        start = time.process_time()
        nodes += len(load(SPEC, set=settings).nodes)
        spent += time.process_time() - start
    return len(given) / spent, nodes / spent


def forget() -> None:
    """Nothing is kept of members before: the texts, with which it is kept, are read anew."""
    path, name, _ = find(SPEC)
    files._document.cache_clear()
    files.prelude.cache_clear()
    Library().open(path, name)
    files.prelude()


def nothing() -> None:
    """All is kept."""


def run(count: int) -> dict[str, float]:
    """Members a second."""
    given = members(count)
    load(SPEC)
    among, nodes = rate(given, nothing)
    swept, _ = rate(sweep(count), nothing)
    unlike, _ = rate([{"width": width} for width in range(160, 160 + max(1, count // 8))], nothing)
    within, _ = rate(given[: max(1, count // 4)], forget)
    with (
        patch.object(reuse.BlockCall, "again", lambda call: None),
        patch.object(recurring.ArgumentReads, "key", lambda reads, place, file: None),
    ):
        anew, _ = rate(given[: max(1, count // 8)], forget)
    return {
        "members/s": among,
        "nodes/s": nodes,
        "members/s, kept within each": within,
        "members/s, nothing kept": anew,
        "times as fast": among / anew,
        "members/s of a sweep over widths and depths": swept,
        "members/s of widths that are all unlike": unlike,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--members", type=int, default=432)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = run(args.members)
    print(json.dumps(found) if args.json else "\n".join(f"{value:10,.1f}  {name}" for name, value in found.items()))


if __name__ == "__main__":
    main()
