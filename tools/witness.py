"""A small run of each task, and hashes of what came out: two revisions that train alike print the same lines.

    python tools/witness.py                       every task
    python tools/witness.py labelling adversarial those
    python tools/witness.py transforms            what each transform makes of images, drawn by a seed
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

    from archspec.runs import Run
    from archspec.training.run import run

    folder.mkdir(parents=True, exist_ok=True)
    plan = Run.open(str(write(folder, task))).plan()
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


TRANSFORMS = "transforms"
CHAINS = {
    "resize": ["resize: [20, 17]"],
    "resize up": ["resize: {size: 50, method: bicubic}"],
    "resize area": ["resize: {size: 9, method: area}"],
    "mirror": ["mirror: {probability: 0.6}"],
    "mirror vertical": ["mirror: vertical"],
    "shift": ["shift: 0.3"],
    "rotate": ["rotate: {degrees: 40, probability: 0.7, fill: reflect}"],
    "shear": ["shear: {degrees: 30, fill: nearest}"],
    "shear horizontal": ["shear: {degrees: 30, axes: horizontal, probability: 0.5}"],
    "zoom": ["zoom: {scale: [0.5, 2], probability: 0.8, fill: wrap}"],
    "perspective": ["perspective"],
    "elastic": ["elastic: {probability: 0.7}"],
    "center_crop": ["center_crop: [20, 30]"],
    "random_crop": ["random_crop: {size: 32, padding: 4}"],
    "resized_center_crop": ["resized_center_crop: [20, 24]"],
    "resized_center_crop short": ["resized_center_crop: {size: 20, short: 25}"],
    "random_resized_crop": ["random_resized_crop: 24"],
    "scale_jitter": ["scale_jitter: {size: 20, short: [22, 50]}"],
    "standardize": ["standardize"],
    "normalize": ["normalize: {mean: data, std: data}"],
    "subtract_mean_image": ["subtract_mean_image"],
    "pca_noise": ["pca_noise"],
    "color_jitter": ["color_jitter: {brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}", "grayscale"],
    "channel_shift": ["channel_shift: 0.2"],
    "blur": ["blur"],
    "cutout": ["cutout: 9"],
    "random_erasing": ["random_erasing"],
    "mixup": ["mixup"],
    "cutmix": ["cutmix"],
    "rand_augment": ["rand_augment"],
    "aug_mix": ["aug_mix"],
    "halves": ["apply: {to: image, steps: [mirror]}", "halves", "apply: {to: [a, b], steps: [{rotate: 20}]}"],
    "shrink": ["random_crop: 32", "shrink"],
    "chain": ["random_crop: {size: 32, padding: 4}", "mirror", "shift: 0.1", "rotate: 10", "mirror", "rescale"],
    "floats": ["rescale", "random_crop: {size: 32, padding: 4}", "mirror", "zoom: [0.8, 1.2]"],
}
"""Transforms that are done one after the other, by what the witness calls them."""
WINDOWS = ("resized_center_crop", "resized_center_crop short", "random_resized_crop", "scale_jitter", "resize", "chain")
"""Those that are done to files, too, of which only a part may be decoded."""


def transformed(folder: Path) -> Iterable[str]:
    """A line for each chain of transforms: of arrays, and of JPEG and PNG files of several sizes."""
    import numpy as np
    import yaml
    from PIL import Image
    from pydantic import TypeAdapter

    from archspec.data.pipeline import Pipeline
    from archspec.data.source import DataSource
    from archspec.data.transform import Transform
    from archspec.ir.reading import declared

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 36, 40, 3), np.uint8)
    np.savez(folder / "arrays.npz", x=images, y=np.arange(10) % 2)
    rows = ["path,label,split"]
    for i in range(8):
        smooth = Image.fromarray(rng.integers(0, 256, (6, 7, 3), np.uint8)).resize((48 + 7 * i, 60 - 3 * i))
        smooth.save(folder / f"{i}.{('jpg', 'png')[i % 2]}")
        rows.append(f"{i}.{('jpg', 'png')[i % 2]},{i % 2},{'test' if i > 5 else 'train'}")
    (folder / "files.csv").write_text("\n".join(rows))
    arrays = DataSource.find("npz")(path=folder / "arrays.npz")  # type: ignore[misc]
    files = DataSource.find("list")(path=folder / "files.csv")  # type: ignore[misc]
    read = TypeAdapter(declared(Transform, "a transform"))
    for name, chain in CHAINS.items():
        steps = tuple(read.validate_python(yaml.safe_load(step)) for step in chain)
        for kind, source in (("arrays", arrays), ("files", files)):
            if kind == "files" and name not in WINDOWS:
                continue
            before = (
                ()
                if name in WINDOWS[:4] or kind == "arrays" or name == "resize"
                else (read.validate_python({"resize": 40}),)
            )
            pipeline = Pipeline(source, source.features(), (*before, *steps), (), 4, 5)
            training = pipeline.training(lambda batch: (batch, ()))
            found = [batch for batch, _ in training.take(3)]
            yield f"{name:<26} {kind:<7} " + digest(
                (f"{k} {part}", value.numpy()) for k, batch in enumerate(found) for part, value in batch.items()
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)} (default), or {TRANSFORMS}")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the run directories there")
    args = parser.parse_args()
    if unknown := set(args.tasks) - {*TASKS, TRANSFORMS}:
        parser.error(f"there is no task {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        os.environ.setdefault("ARCHSPEC_CACHE", str(Path(scratch) / "cache"))
        for task in args.tasks or TASKS:
            for line in transformed(root / task) if task == TRANSFORMS else [witness(task, root / task)]:
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
