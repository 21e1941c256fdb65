"""Runs that are killed at random moments and resumed: each must end, to the bit, where an uninterrupted one ends.

    python tools/kill.py --runs 100 --seed 7      the small run of the tests, longer: augmentation, dropout, averages
    python tools/kill.py --runs 20 RUN.yaml …     any run files, in turn

A run is killed up to three times (SIGKILL), each time at a moment drawn evenly from the time that it takes in all, or
from what is left of it; run I of a seed draws the same moments each time, though a busy machine is elsewhere by then.
What is compared: every weight, the optimiser's numbers, the states of generators, and the log of metrics. At the end:
runs, kills by what they struck, seconds, revision. Exit code 1 if any run ended elsewhere.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.training import runs  # noqa: E402

MOST = 3
"""Kills of one run."""
EPOCHS = 60
"""Of the small run, so that training takes longer than the start of a process."""


def main() -> int:
    """Run, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="RUN.yaml")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0, help="the number of the first run")
    args = parser.parse_args()
    begin, struck, wrong = time.time(), Counter[str](), []
    with tempfile.TemporaryDirectory() as folder:
        files = args.files or [runs.write(Path(folder), runs.RUN.replace("epochs: 4", f"epochs: {EPOCHS}"))]
        references = [_reference(path, Path(folder) / f"reference{i}") for i, path in enumerate(files)]
        for i in range(args.first, args.first + args.runs):
            which = i % len(files)
            reference, seconds = references[which]
            logdir = Path(folder) / "run"
            struck += _killed(files[which], logdir, random.Random(f"{args.seed}/{i}"), seconds)
            try:
                runs.assert_same(logdir, reference)
            except AssertionError as error:
                wrong.append(i)
                print(f"run {i} ended elsewhere: {error}", file=sys.stderr)
            subprocess.run(["rm", "-rf", logdir], check=True)
            print(f"run {i}: {sum(struck.values())} kills so far, {len(wrong)} ended elsewhere", file=sys.stderr)
    report = {
        "runs": args.runs,
        "kills": sum(struck.values()),
        "struck": dict(struck.most_common()),
        "ended elsewhere": wrong,
        "seed": args.seed,
        "seconds": round(time.time() - begin),
        "files": [path.name for path in files],
        "revision": _revision(),
        "python": platform.python_version(),
    }
    print(json.dumps(report, indent=1))
    return 1 if wrong else 0


def _reference(path: Path, logdir: Path) -> tuple[Path, float]:
    """An uninterrupted run, and the seconds it took."""
    begin = time.time()
    code, _, err = runs.finish(runs.start("train", path, "--logdir", logdir, "--quiet"))
    if code:
        raise SystemExit(err)
    return logdir, time.time() - begin


def _killed(path: Path, logdir: Path, draw: random.Random, seconds: float) -> Counter[str]:
    """Train and resume under kills until the run is over; what the kills struck."""
    struck = Counter[str]()
    command: tuple[str | Path, ...] = ("train", path, "--logdir", logdir)
    for _ in range(MOST):
        process = runs.start(*command, "--quiet")
        if not runs.kill_when(process, lambda: True, draw.random() * seconds):
            break
        runs.finish(process)
        struck[_phase(logdir)] += 1
        command = ("resume", logdir) if (logdir / "run.yaml").is_file() else ("train", path, "--logdir", logdir)
    else:
        process = runs.start(*command, "--quiet")
    code, _, err = runs.finish(process)
    if code:
        raise SystemExit(err)
    return struck


def _phase(logdir: Path) -> str:
    """What a run was at, as its directory shows it."""
    if not (logdir / "run.yaml").is_file():
        return "before the run began"
    if any((logdir / "checkpoints").glob(".*")):
        return "a save"
    if not any((logdir / "checkpoints").glob("[0-9]*")):
        return "building, or the first steps"
    return "saving the result" if (logdir / "result.json").is_file() else "training or evaluation"


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
