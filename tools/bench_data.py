"""Images per CPU-second of the input pipeline, against a bare JPEG decoder and against other libraries.

    python tools/bench_data.py PHOTOS [--seconds 3] [--runs 5] [--only ours,albumentations] [--json FILE]
    python tools/bench_data.py PHOTOS --recipes objects      # what boxes cost: the same steps with and without

PHOTOS is a folder of JPEG photos; they are scaled to 500×375 and written as JPEG of quality 90 with 4:2:0 colours
first. The anchor is simplejpeg's full decode with its fast transform. Every contestant runs once in each round, in
turn; what is shown is the median of the rounds, as a share of the anchor's in the same round. What is not installed
is left out; it is not needed by archspec (pip install simplejpeg torch torchvision albumentations). CPU time is of
this process, all its threads, and its children. OMP and OpenCV threads are left to one, which is to the others'
advantage.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
SIZE, BATCH = 224, 64
RECIPES = ("crop", "color", "rand_augment")
OBJECTS = "objects"
"""A recipe of archspec's alone: a detector's steps with the boxes of eight objects a photo, and without any."""
AXES = {
    "deviations": [55.46, 4.794, 1.148],
    "axes": [[-0.5675, -0.5808, -0.5836], [0.7192, -0.0045, -0.6948], [0.4009, -0.8140, 0.4203]],
}

Work = Callable[[], Iterator[int]]
"""A run: yields how many images have come out since the last time."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds of each run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="contestants, with commas between")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, sorted(args.photos.rglob("*.jpg")), args.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCHSPEC_CACHE"] = f"{folder}/cache"
        photos = Path(folder, "photos")
        prepared(args.photos, photos)
        kinds = [k for k in CONTESTANTS if not args.only or k in args.only.split(",")]
        names = ["anchor", *(f"{kind}/{recipe}" for recipe in args.recipes.split(",") for kind in kinds)]
        figures = measured(names, photos, args.runs, args.seconds)
    report(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


def prepared(photos: Path, folder: Path) -> list[Path]:
    """The photos as 500×375 JPEG files in two class folders."""
    from PIL import Image

    out = []
    for i, path in enumerate(sorted(p for p in photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))):
        target = folder / "ab"[i % 2] / f"{i}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_suffix(".xml").write_text(annotated(i))
        with Image.open(path) as image:
            image.convert("RGB").resize((500, 375), Image.Resampling.LANCZOS).save(target, quality=90, subsampling=2)
        out.append(target)
    if len(out) < 2 * BATCH:
        sys.exit(f"{photos} holds {len(out)} photos; at least {2 * BATCH} are needed")
    print(f"{len(out)} photos of {sum(p.stat().st_size for p in out) / len(out) / 1024:.0f} KB", file=sys.stderr)
    return out


def annotated(number: int) -> str:
    """Eight objects of a photo of 500×375, as Pascal VOC has them."""
    import random

    draw, objects = random.Random(number), ""
    for _ in range(8):
        left, top = draw.randrange(1, 400), draw.randrange(1, 300)
        sides = {
            "xmin": left,
            "ymin": top,
            "xmax": left + draw.randrange(20, 100),
            "ymax": top + draw.randrange(20, 75),
        }
        corners = "".join(f"<{name}>{value}</{name}>" for name, value in sides.items())
        objects += f"<object><name>{draw.choice('abc')}</name><bndbox>{corners}</bndbox></object>"
    return f"<annotation>{objects}</annotation>"


def measured(names: list[str], photos: Path, runs: int, seconds: float) -> dict[str, list[float]]:
    """Images per CPU-second of each contestant, by round. Each has a process of its own: their libraries do not go
    together, and none pays for another's threads."""
    out: dict[str, list[float]] = {}
    served: dict[str, subprocess.Popen[str]] = {}
    for name in names:
        command = [sys.executable, __file__, str(photos), "--serve", name, "--seconds", str(seconds)]
        served[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    for name in names:
        child = served[name]
        assert child.stdout
        first = child.stdout.readline().strip()
        if first == "ready":
            out[name] = []
        else:
            print(f"{name} is left out: {first or 'it ended'}", file=sys.stderr)
            del served[name]
    for k in range(runs):
        for name, child in list(served.items()):
            assert child.stdin and child.stdout
            child.stdin.write("go\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                print(f"{name} ended with {child.wait()}", file=sys.stderr)
                del served[name], out[name]
                continue
            out[name].append(float(line))
            print(f"round {k + 1}: {name:<28} {out[name][-1]:7.0f}", file=sys.stderr, flush=True)
    for child in served.values():
        child.communicate("")
    return out


def serve(name: str, paths: list[Path], seconds: float) -> None:
    """Run one contestant each time that a line comes in; its figure goes out."""
    kind, _, recipe = name.partition("/")
    out = sys.stdout
    sys.stdout = sys.stderr
    try:
        work = CONTESTANTS[kind](paths, recipe) if recipe else decoder(paths)
    except ImportError as error:
        print(f"{error}", file=out, flush=True)
        return
    print("ready" if work else "it has no such recipe", file=out, flush=True)
    for _ in sys.stdin:
        assert work
        run = work()
        # Compiling, filling buffers, starting workers.
        for _ in range(6):
            next(run)
        start, images = cpu(), 0
        while cpu() - start < seconds:
            images += next(run)
        print(images / (cpu() - start), file=out, flush=True)
        run.close()  # type: ignore[attr-defined]
    # Threads of libraries may outlive what they work for.
    os._exit(0)


def cpu() -> float:
    """CPU seconds of this process and of its children so far, the living ones included."""
    own = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    children = 0.0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            children += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + children


def report(figures: dict[str, list[float]]) -> None:
    """A table: median images per CPU-second, and the median of the shares of the anchor in the same rounds."""
    print(f"{'':<28}{'img/cpu-s':>11}{'of anchor':>11}{'of ours':>9}")
    for name, values in figures.items():
        row = f"{name:<28}{statistics.median(values):>11.0f}"
        if anchor := figures.get("anchor"):
            row += f"{statistics.median(v / a for v, a in zip(values, anchor, strict=True)):>11.2f}"
        ours = figures.get(f"ours/{name.partition('/')[2]}")
        if ours and not name.startswith("ours"):
            row += f"{statistics.median(o / v for v, o in zip(values, ours, strict=True)):>8.1f}×"
        print(row)


def decoder(paths: list[Path]) -> Work:
    """The anchor: whole images, decoded from memory."""
    import simplejpeg

    data = [p.read_bytes() for p in paths]

    def run() -> Iterator[int]:
        for one in itertools.cycle(data):
            simplejpeg.decode_jpeg(one, fastdct=True)
            yield 1

    return run


def ours(paths: list[Path], recipe: str) -> Work:
    """archspec's pipeline on the folder; of ``objects`` on the photos with their XML files."""
    return own_pipeline(paths, recipe, with_boxes=recipe == OBJECTS)


def without(paths: list[Path], recipe: str) -> Work | None:
    """archspec's pipeline by the steps of ``objects`` on photos alone."""
    return own_pipeline(paths, recipe, with_boxes=False) if recipe == OBJECTS else None


def own_pipeline(paths: list[Path], recipe: str, *, with_boxes: bool) -> Work:
    """archspec's pipeline on photos with boxes or without."""
    from archspec.data.pipeline import Pipeline
    from archspec.data.sources.folder import Folder
    from archspec.data.sources.voc import Voc
    from archspec.data.transform import Transform

    def made(name: str, **arguments: object) -> Transform:
        kind = Transform.find(name)
        assert kind is not None
        return kind.model_validate(arguments)

    steps = [made("random_resized_crop", size=SIZE), made("mirror")]
    if recipe == "color":
        steps += [
            made("color_jitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
            made("pca_noise", **AXES),
        ]
    if recipe == "rand_augment":
        steps.append(made("rand_augment", layers=2, magnitude=9))
    if recipe == OBJECTS:
        steps = [made("color_jitter", brightness=0.4, contrast=0.4), made("mirror"), made("letterbox", size=SIZE)]
    kind = Voc if with_boxes else Folder
    source = kind(path=paths[0].parents[1], holdout=0.02)
    pipeline = Pipeline(source, source.features(), tuple(steps), (), BATCH, 0)
    targets = ("boxes", "classes", "ignored") if with_boxes else ("label",)
    batches = pipeline.training(lambda batch: (batch["image"], {name: batch[name] for name in targets}))

    def run() -> Iterator[int]:
        for image, _ in batches:
            yield image.shape[0]

    return run


def keras_layers(paths: list[Path], recipe: str) -> Work:
    """The same decoding and crop in tf.data; the rest by Keras's layers, image by image."""
    import keras
    import tensorflow as tf

    layers = [keras.layers.RandomFlip("horizontal", seed=0)]
    if recipe == "color":
        layers.append(
            keras.layers.RandomColorJitter(
                value_range=(0, 255),
                brightness_factor=0.4,
                contrast_factor=0.4,
                saturation_factor=0.4,
                hue_factor=0.1,
                seed=0,
            )
        )
    if recipe == "rand_augment":
        layers.append(keras.layers.RandAugment(value_range=(0, 255), num_ops=2, factor=0.3, seed=0))

    def read(path: tf.Tensor) -> tf.Tensor:
        data = tf.io.read_file(path)
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            tf.image.extract_jpeg_shape(data),
            tf.zeros((1, 0, 4)),
            tf.random.uniform((2,), maxval=2**31 - 1, dtype=tf.int32),
            area_range=(0.08, 1.0),
            use_image_if_no_bounding_boxes=True,
        )
        window = tf.concat([begin[:2], size[:2]], 0)
        image = tf.image.resize(tf.image.decode_and_crop_jpeg(data, window, 3, dct_method="INTEGER_FAST"), (SIZE, SIZE))
        for layer in layers:
            image = layer(image, training=True)
        return tf.cast(image, tf.uint8)

    names = tf.data.Dataset.from_tensor_slices([str(p) for p in paths]).shuffle(len(paths)).repeat()
    batches = names.map(read, tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)

    def run() -> Iterator[int]:
        for image in batches:
            yield image.shape[0]

    return run


class Lighting:
    """Noise along principal axes, as in torch's ImageNet examples."""

    def __call__(self, image: Any) -> Any:
        import torch

        amounts = torch.randn(3) * 0.1 * torch.tensor(AXES["deviations"])
        moved = image.float() + (torch.tensor(AXES["axes"]).T @ amounts)[:, None, None]
        return moved.round_().clamp_(0, 255).to(torch.uint8)


def torchvision_steps(recipe: str) -> object:
    """The recipe in torchvision's transforms, on Pillow's images, to 8-bit tensors."""
    from torchvision import transforms as T

    steps: list[object] = [T.RandomResizedCrop(SIZE), T.RandomHorizontalFlip()]
    if recipe == "color":
        steps.append(T.ColorJitter(0.4, 0.4, 0.4, 0.1))
    if recipe == "rand_augment":
        steps.append(T.RandAugment(2, 9))
    return T.Compose([*steps, T.PILToTensor(), *([Lighting()] if recipe == "color" else [])])


def torchvision_alone(paths: list[Path], recipe: str) -> Work:
    """Pillow and torchvision in this process."""
    from PIL import Image

    steps = torchvision_steps(recipe)

    def run() -> Iterator[int]:
        import torch

        torch.set_num_threads(1)
        for path in itertools.cycle(paths):
            with Image.open(path) as image:
                steps(image.convert("RGB"))  # type: ignore[operator]
            yield 1

    return run


class Photos:
    """The photos as torch takes a data set."""

    def __init__(self, paths: list[Path], steps: object):
        self.paths, self.steps = paths, steps

    def __len__(self) -> int:
        return 1 << 20

    def __getitem__(self, i: int) -> object:
        from PIL import Image

        with Image.open(self.paths[i % len(self.paths)]) as image:
            return self.steps(image.convert("RGB"))  # type: ignore[operator]


def torch_loader(paths: list[Path], recipe: str) -> Work:
    """torch's DataLoader of two processes, the same transforms."""
    from torch.utils.data import DataLoader

    photos = Photos(paths, torchvision_steps(recipe))

    def run() -> Iterator[int]:
        # Spawned: this process has TensorFlow's threads, which a fork would not survive.
        for batch in DataLoader(photos, BATCH, num_workers=2, multiprocessing_context="spawn"):  # type: ignore
            yield len(batch)

    return run


def with_albumentations(paths: list[Path], recipe: str) -> Work | None:
    """OpenCV and albumentations in this process; it has no RandAugment."""
    import albumentations as A
    import cv2
    import numpy as np

    if recipe == "rand_augment":
        return None
    cv2.setNumThreads(1)
    steps = [A.RandomResizedCrop((SIZE, SIZE)), A.HorizontalFlip()]
    if recipe == "color":
        steps += [A.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=1), A.FancyPCA(0.1, p=1)]
    compose = A.Compose(steps)

    def run() -> Iterator[int]:
        for path in itertools.cycle(paths):
            raw = np.frombuffer(io.FileIO(path).read(), np.uint8)
            compose(image=cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
            yield 1

    return run


CONTESTANTS: dict[str, Callable[[list[Path], str], Work | None]] = {
    "ours": ours,
    "without": without,
    "keras": keras_layers,
    "torchvision": torchvision_alone,
    "torch": torch_loader,
    "albumentations": with_albumentations,
}

if __name__ == "__main__":
    main()
