"""Random specs, any number of them: the tests of ``tests/frontend`` at length.

    python tools/soak.py specs  --n 100000  --seed 7     well-formed specs: static == Keras (shape, weights, counts)
    python tools/soak.py bytes  --n 1000000 --seed 7     files with bytes changed: a graph or a located error
    python tools/soak.py trees  --n 1000000 --seed 7     specs with parts changed: the same, and every table read again
    python tools/soak.py faults --n 20000   --seed 7     one fault in a good spec: what passes here, Keras builds
    python tools/soak.py check  --n 2000    --seed 7     the catalogue's files with parts changed, as 'check' sees them:
                                                         every variant, warnings, sizes that would do; 0.3 s

Case ``i`` of a seed is always the same; one alone is run with ``--first I --n 1``. A failure is printed with its case
and its text. At the end: seed, revision, number, seconds, slowest case, peak memory. Exit code 1 if anything failed.
SIGTERM and Ctrl-C end it after the case that it is in, with that report and what goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

LONGEST = 1.0
"""CPU seconds in which a changed file must be answered."""
CHECKED = 0.3
"""CPU seconds in which ``check`` tells all mistakes of a file, or says of one of its graphs that there are none."""
SHOWN = 10
Case = Callable[[random.Random], tuple[str, str, str | None, float]]
"""Text, what became of it, what is wrong (or None), CPU seconds."""


def specs() -> Case:
    """Well-formed specs against Keras."""
    from archspec.frontend import loads
    from tests.frontend.equality import differences
    from tests.frontend.generator import generate

    def one(rng: random.Random) -> tuple[str, str, str | None, float]:
        case = generate(rng)
        start = time.process_time()
        try:
            graph = loads(case.text, neighbours=False)
            wrong = differences(graph)
            found = {o.name: graph.spec(o.tensor).shape for o in graph.outputs}
            if found != case.outputs:
                wrong.append(f"outputs are {found}, drawn were {case.outputs}")
        except Exception:
            wrong = [traceback.format_exc()]
        return case.text, "graph", "\n".join(wrong) or None, time.process_time() - start

    return one


def changed(kind: str) -> Case:
    """Changed bytes, or changed trees with their tables."""
    from tests.frontend.mutation import corpus, mutated_bytes, mutated_tree, outcome, written_and_read

    texts = corpus()
    scratch = Path(tempfile.mkdtemp(prefix="soak-"), "spec.yaml")

    def one(rng: random.Random) -> tuple[str, str, str | None, float]:
        data = mutated_bytes(rng, texts) if kind == "bytes" else mutated_tree(rng, texts).encode()
        text = data.decode("utf-8", "backslashreplace")
        try:
            stage, seconds, graph, _ = outcome(data, scratch)
            if graph is not None and kind == "trees":
                written_and_read(graph)
        except Exception:
            return text, "raised", traceback.format_exc(), 0.0
        wrong = f"took {seconds:.2f} s" if seconds > LONGEST else None
        return text, stage, wrong, seconds

    return one


def checked() -> Case:
    """Changed files of the catalogue, through all that ``check`` does."""
    from archspec.analysis.expect import unmet
    from archspec.frontend import analyse
    from tests.frontend.mutation import corpus, mutated_tree

    texts = corpus(generated=0)
    scratch = Path(tempfile.mkdtemp(prefix="soak-"), "spec.yaml")
    for text in texts:
        # Modules and models are loaded here, so that no case's time holds theirs.
        scratch.write_bytes(text)
        analyse(str(scratch))

    def one(rng: random.Random) -> tuple[str, str, str | None, float]:
        text = mutated_tree(rng, texts)
        scratch.write_text(text, encoding="utf-8")
        start = time.process_time()
        try:
            found = analyse(str(scratch))
            _ = [d for graph in found.graphs for d in unmet(graph)]
        except Exception:
            return text, "raised", traceback.format_exc(), 0.0
        seconds = (time.process_time() - start) / max(1, len(found.graphs))
        wrong = f"took {seconds:.2f} s" if seconds > CHECKED else None
        return text, "errors" if found.errors else "warnings" if found.warnings else "well", wrong, seconds

    return one


def faults() -> Case:
    """One fault in a good spec."""
    from tests.frontend.mutation import faulty, verdict

    def one(rng: random.Random) -> tuple[str, str, str | None, float]:
        text = faulty(rng)
        start = time.process_time()
        try:
            stage, wrong = verdict(text)
        except Exception:
            stage, wrong = "raised", traceback.format_exc()
        return text, stage, wrong, time.process_time() - start

    return one


def main() -> int:
    """Run the cases of a seed; report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("specs", "bytes", "trees", "faults", "check"))
    parser.add_argument("--n", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, metavar="I", help="the case to begin with (default: 0)")
    args = parser.parse_args()
    kinds = {"specs": specs, "faults": faults, "check": checked}
    one = kinds[args.kind]() if args.kind in kinds else changed(args.kind)
    stages: Counter[str] = Counter()
    failed, slowest = 0, (0.0, 0)
    start, stop = time.time(), []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop.append(number))
    for i in range(args.first, args.first + args.n):
        if stop:
            left = f"--first {i} --n {args.first + args.n - i}"
            print(f"stopped: {args.kind} --seed {args.seed} {left} goes on", file=sys.stderr)
            args.n = i - args.first
            break
        text, stage, wrong, seconds = one(random.Random(f"{args.seed}:{i}"))
        stages[stage] += 1
        slowest = max(slowest, (seconds, i))
        if wrong is not None:
            failed += 1
            if failed <= SHOWN:
                print(f"FAILED: {args.kind} --seed {args.seed} --first {i} --n 1\n{text}\n{wrong}\n", flush=True)
        done = i - args.first + 1
        if args.kind in ("specs", "faults") and done % 50 == 0:
            import keras

            keras.backend.clear_session()
        if done % max(1, args.n // 20) == 0 and sys.stderr.isatty():
            print(f"{done:,} of {args.n:,}, {failed} failed", file=sys.stderr)
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    report = {
        "kind": args.kind,
        "seed": args.seed,
        "first": args.first,
        "n": args.n,
        "failed": failed,
        "stages": {stage: round(count / max(args.n, 1), 4) for stage, count in stages.most_common()},
        "seconds": round(time.time() - start, 1),
        "slowest": {"cpu_seconds": round(slowest[0], 4), "case": slowest[1]},
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "revision": revision.stdout.strip(),
        "python": platform.python_version(),
    }
    print(json.dumps(report))
    return 128 + stop[0] if stop else int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
