"""How fast the static path is: ratios of CPU time within one run, since seconds depend on the machine.

    python tools/bench_static.py [--runs N] [--no-keras] [--json]

``archspec table resnet152 --format json`` as a whole process, against (1) importing what it cannot do without
(``import yaml; from pydantic import BaseModel``) and (2) importing Keras and calling ``summary()`` on the same network;
its peak memory; and how the time grows with the number of layers, on flat specs. Exit code 1 if a bound does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

BOUNDS = {
    "table / imports": ("<=", 2.1),
    "keras summary / table": (">=", 20.0),
    "peak memory MB": ("<=", 45.0),
    "t(10000) / t(1000)": ("<=", 12.0),
    "t(10000) s": ("<=", 1.5),
}
TABLE = [sys.executable, "-m", "archspec", "table", "resnet152", "--format", "json"]
IMPORTS = [sys.executable, "-c", "import yaml; from pydantic import BaseModel"]
KERAS = [sys.executable, "-c", "import keras; keras.applications.ResNet152(weights=None).summary()"]


def measure(command: list[str]) -> tuple[float, float]:
    """CPU seconds (user and system) and peak resident MB of one process."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what it costs is in docs/performance.md
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def flat_spec(layers: int, folder: Path) -> Path:
    """A chain of ``layers`` convolutions, batch normalisations and activations, written out one by one."""
    steps = ["  - conv: {filters: 16, kernel: 3, padding: 1, bias: false}", "  - batch_norm", "  - relu"]
    lines = [steps[i % 3] for i in range(layers)]
    path = folder / f"flat{layers}.yaml"
    text = f"archspec: 1\nname: flat{layers}\ninputs: {{image: [32, 32, 3]}}\nbody:\n" + "\n".join(lines) + "\n"
    path.write_text(text, encoding="utf-8")
    return path


def run(runs: int, keras: bool) -> dict[str, Any]:
    """Medians over ``runs`` alternating processes, after one of each to warm the disk."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {"table": TABLE, "imports": IMPORTS}
        for layers in (1000, 10_000):
            path = str(flat_spec(layers, Path(folder)))
            commands[f"flat{layers}"] = [*TABLE[:4], path, "--format", "json"]
        for command in commands.values():
            measure(command)
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                samples[name].append(measure(command))
        if keras:
            samples["keras"] = [measure(KERAS) for _ in range(min(3, runs))]
    seconds = {name: statistics.median(s for s, _ in values) for name, values in samples.items()}
    results = {
        "table / imports": statistics.median(
            a / b for (a, _), (b, _) in zip(samples["table"], samples["imports"], strict=True)
        ),
        "peak memory MB": max(peak for _, peak in samples["table"]),
        "t(10000) / t(1000)": seconds["flat10000"] / seconds["flat1000"],
        "t(10000) s": seconds["flat10000"],
    }
    if keras:
        results["keras summary / table"] = seconds["keras"] / seconds["table"]
    return {"cpu_seconds": seconds, "results": results}


def main() -> int:
    """Measure, print, compare with the bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=9, help="processes of each kind (default 9)")
    parser.add_argument("--no-keras", action="store_true", help="leave the comparison with Keras out")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    args = parser.parse_args()
    report = run(args.runs, not args.no_keras)
    report["failed"] = [
        name
        for name, value in report["results"].items()
        if not (value <= BOUNDS[name][1] if BOUNDS[name][0] == "<=" else value >= BOUNDS[name][1])
    ]
    if args.json:
        print(json.dumps(report, indent=1))
    else:
        for name, seconds in report["cpu_seconds"].items():
            print(f"{name:<24} {seconds:8.3f} CPU s")
        for name, value in report["results"].items():
            sign, bound = BOUNDS[name]
            print(f"{name:<24} {value:8.2f}   {sign} {bound:g} {'FAILED' if name in report['failed'] else 'ok'}")
    return int(bool(report["failed"]))


if __name__ == "__main__":
    sys.exit(main())
