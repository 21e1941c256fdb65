"""How long ``archspec.compile`` takes: ratios of wall time to keras.applications' own builders, in alternation.

    python tools/bench_compile.py [--runs N] [--json]

The same network with random weights from both, in one process, after one build of each that is not counted; the spec is
read anew each time. Exit code 1 if a bound does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

BOUND = 1.15
NETWORKS = {"resnet50_keras": "ResNet50", "densenet121": "DenseNet121"}


def seconds(build: Callable[[], Any]) -> float:
    """Wall time of one build, from an empty session."""
    import gc

    import keras

    keras.backend.clear_session(free_memory=False)
    gc.collect()
    start = perf_counter()
    build()
    return perf_counter() - start


def run(runs: int) -> dict[str, dict[str, float]]:
    """Median seconds of both builders and the median of their ratios, by network."""
    import keras

    import archspec

    results = {}
    for name, model in NETWORKS.items():

        def ours(name: str = name) -> Any:
            return archspec.compile(archspec.load(name))

        def theirs(model: str = model) -> Any:
            return getattr(keras.applications, model)(weights=None)

        seconds(ours), seconds(theirs)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
        results[name] = {
            "archspec s": statistics.median(a for a, _ in pairs),
            "keras.applications s": statistics.median(b for _, b in pairs),
            "ratio": statistics.median(a / b for a, b in pairs),
        }
    return results


def main() -> int:
    """Measure, print, compare with the bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=7, help="pairs of builds for each network (default 7)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    results = run(args.runs)
    if args.json:
        print(json.dumps(results, indent=1))
    else:
        for name, row in results.items():
            said = "  ".join(f"{key} {value:.2f}" for key, value in row.items())
            print(f"{name:<16} {said}  <= {BOUND} {'ok' if row['ratio'] <= BOUND else 'FAILED'}")
    return int(any(row["ratio"] > BOUND for row in results.values()))


if __name__ == "__main__":
    sys.exit(main())
