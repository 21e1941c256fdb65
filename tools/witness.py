"""A small run of each task, and hashes of what came out: two revisions that train alike print the same lines.

    python tools/witness.py                       every task
    python tools/witness.py labelling adversarial those
    python tools/witness.py --keep runs           leave the run directories there

Hashes are of one machine: processors round differently, and so does another number of threads. A line has the hash of
the weights that gradients train, of statistics and averages, and of the log, so that a change of what is evaluated is
told from a change of how networks are trained.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

IMAGES = """
archspec: 1
name: images
inputs: {image: [8, 8, 1]}
body:
  - conv: {filters: 4, kernel: 3}
  - batch_norm
  - relu
  - flatten
  - dropout: 0.2
heads:
  main: {body: [dense: {units: 10, activation: softmax}], loss: categorical_crossentropy}
"""
TAGS = """
archspec: 1
name: tags
inputs: {tokens: {shape: [T], dtype: int32}}
body:
  - embedding: {vocab: 20, dim: 6, mask_zero: true}
  - gru: {units: 6, sequences: true}
heads:
  tag: {body: [dense: {units: 3, activation: softmax}], loss: sparse_categorical_crossentropy}
"""
TEXT = """
archspec: 1
name: text
inputs: {tokens: {shape: [8], dtype: int32}}
body:
  - embedding: {vocab: 28, dim: 6}
  - gru: {units: 6, sequences: true}
heads:
  next: {body: [dense: 28], loss: sparse_categorical_crossentropy}
"""
PAIRS = """
archspec: 1
name: pairs
inputs: {source: {shape: [14], dtype: int32}, target: {shape: [13], dtype: int32}}
body:
  - {embedding: {vocab: 13, dim: 6, mask_zero: true}, from: source, as: heard}
  - {gru: {units: 6, states: true}, as: read}
  - {embedding: {vocab: 13, dim: 6, mask_zero: true}, from: target, as: said}
  - {gru: {units: 6, sequences: true}, from: {x: said, state: "read[1]"}}
heads:
  next: {body: [dense: 13], loss: sparse_categorical_crossentropy}
"""
POINTS = """
archspec: 1
name: points
networks:
  G: {inputs: {z: [3]}, body: [dense: 8, batch_norm, relu, dropout: 0.2, dense: 2]}
  D: {inputs: {x: [2]}, body: [dense: 8, {leaky_relu: 0.2}, dense: 1]}
train:
  inputs: {real: [2], z: {normal: [3]}}
  body:
    - {G, from: z, as: fake}
    - {image_pool: 20, from: fake, as: shown}
    - {D, from: real, as: real_score}
    - {D, from: shown, as: shown_score}
    - {D, from: fake, as: fake_score}
  steps:
    - {update: [D], turns: 2, minimize: [{wasserstein: [real_score, 1]}, {wasserstein: [shown_score, -1]}]}
    - {update: [G], minimize: [{wasserstein: [fake_score, 1]}]}
  average: {G: 0.9}
"""
TASKS = {
    "classification": (IMAGES, "digits", "optimizer: {adam: 0.01}, epochs: 2, ema: 0.9"),
    "labelling": (TAGS, "{tagged: {path: words.txt, bucket: 4}}", "task: labelling, epochs: 2, batch: 16"),
    "language_modelling": (
        TEXT,
        "{corpus: {path: text.txt, window: 8}}",
        "task: language_modelling, epochs: 2, batch: 8",
    ),
    "sequence_to_sequence": (
        PAIRS,
        "{symbols: {train: 200, test: 30}}",
        "task: sequence_to_sequence, epochs: 2, batch: 20",
    ),
    "adversarial": (POINTS, "{gaussians: {train: 320}}", "optimizer: {adam: 0.01}, epochs: 2, batch: 32"),
}
"""Spec, data and ``train`` section by task."""


def write(folder: Path, task: str) -> Path:
    """The run file of a task, with its spec and data beside it."""
    spec, data, train = TASKS[task]
    draw = Random(0)
    sentences = [[draw.choice(["a X", "b Y", "c Z"]) for _ in range(draw.randint(1, 9))] for _ in range(120)]
    (folder / "words.txt").write_text("\n".join("".join(f"{word}\n" for word in sentence) for sentence in sentences))
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 20)
    (folder / "spec.yaml").write_text(spec)
    augment = "augment: [shift: 0.1, rescale]\n" if task == "classification" else ""
    path = folder / f"{task}.yaml"
    path.write_text(f"archspec_run: 1\nspec: spec.yaml\ndata: {data}\n{augment}train: {{{train}, seed: 3}}\n")
    return path


def digest(arrays: Iterable[tuple[str, Any]]) -> str:
    """The start of a hash of names, shapes and bits."""
    found = sha256()
    for name, value in sorted(arrays, key=lambda pair: pair[0]):
        found.update(f"{name} {value.shape} {value.dtype}".encode())
        found.update(value.tobytes())
    return found.hexdigest()[:16]


def witness(task: str, folder: Path) -> str:
    """Train, and the line of what came out."""
    import numpy as np

    from archspec.cli._runs import asked, planned
    from archspec.training.run import run

    folder.mkdir(parents=True, exist_ok=True)
    plan = planned(asked(str(write(folder, task))))
    logdir = folder / "run"
    run(plan, logdir, progress=None)
    last = sorted((logdir / "checkpoints").glob("[0-9]*"))[-1]
    with np.load(last / "state.npz", allow_pickle=False) as file:
        held = {name: file[name] for name in file.files if name.startswith("weight/")}
    with np.load(logdir / "weights.npz", allow_pickle=False) as file:
        saved = {name: file[name] for name in file.files}
    apart = {name for name in held if name.rpartition("/")[2].startswith(("moving_", "updates"))}
    trained = digest((name, value) for name, value in held.items() if name not in apart)
    log = sha256((logdir / "log.csv").read_bytes()).hexdigest()[:16]
    return f"{task:<21}  trained {trained}  saved {digest(saved.items())}  log {log}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; default: all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the run directories there")
    args = parser.parse_args()
    if unknown := set(args.tasks) - set(TASKS):
        parser.error(f"there is no task {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        os.environ.setdefault("ARCHSPEC_CACHE", str(Path(scratch) / "cache"))
        for task in args.tasks or TASKS:
            print(witness(task, root / task), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
