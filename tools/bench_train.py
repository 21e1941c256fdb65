"""What training through archspec costs beside a bare compile and fit of the same network on the same batches.

    python tools/bench_train.py [--pairs 7] [--epochs 6] [--cpu] [--only unet]

Both use the same pipeline, determinism and steps_per_execution; archspec adds its checkpoints, TensorBoard and logs. Of
either, the seconds of the epochs after the first are taken, in alternating pairs; printed is the median ratio. Then,
for the residual network with crops and mirroring: how much of the throughput is kept that fit reaches when the same
batches come out of memory, finished. ``--cpu`` takes the process's CPU seconds, which other programs disturb less.

The U-Net is compared with what a person would write in Keras alone: images and masks in memory, ``tf.data``, Keras's
own cross-entropy and metrics, which leave out the void value.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RUNS = {
    "LeNet-5, batch 32": ("lenet5", {"activation": "relu"}, 1, "[rescale]", 8_000, 32),
    "ResNet-20, batch 64": ("resnet20_cifar", {}, 3, "[rescale]", 1_000, 64),
}
"""Spec, its parameters, channels, augmentation and number of the images, size of a batch."""
AUGMENTED = ("resnet20_cifar", {}, 3, "[{random_crop: {size: 32, padding: 4}}, mirror, rescale]", 1_000, 64)
UNET = (4, 24, 256, {"base": 16, "channels_in": 3, "classes": 4})
"""Images of a batch, and of an epoch, their side, and what the spec is set to."""
SECONDS = perf_counter


def main() -> None:
    """Measure every run and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of the process, not those of the clock")
    parser.add_argument("--only", choices=("unet",), help="this network alone")
    args = parser.parse_args()
    if args.cpu:
        global SECONDS
        SECONDS = process_time
    with tempfile.TemporaryDirectory() as folder:
        pairs = [_unet(args.epochs, Path(folder) / str(i), i % 2 == 1) for i in range(args.pairs)]
    _say("U-Net (base 16), 256 × 256, batch 4", pairs)
    if args.only:
        return
    for title, run in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            pairs = [_pair(run, args.epochs, Path(folder) / str(i), i % 2 == 1) for i in range(args.pairs)]
        _say(title, pairs)
    with tempfile.TemporaryDirectory() as folder:
        plan = _plan(AUGMENTED, args.epochs, Path(folder) / "run")
        kept = []
        for i in range(args.pairs):
            first = _bare(plan, from_memory=i % 2 == 1)
            second = _bare(plan, from_memory=i % 2 == 0)
            kept.append(first / second if i % 2 else second / first)
        print(
            f"ResNet-20 with crops and mirroring: median {statistics.median(kept):.3f} of the throughput from memory "
            f"({min(kept):.3f} to {max(kept):.3f}, {args.pairs} pairs)"
        )


def _say(title: str, pairs: list[tuple[float, float]]) -> None:
    ratios = [ours / bare for ours, bare in pairs]
    bare = statistics.median(b for _, b in pairs)
    print(
        f"{title}: median {statistics.median(ratios):.3f} of the bare loop's time "
        f"({min(ratios):.3f} to {max(ratios):.3f}, {len(pairs)} pairs; bare {1000 * bare:.2f} ms a step)",
        flush=True,
    )


def _unet(epochs: int, folder: Path, bare_first: bool) -> tuple[float, float]:
    """Seconds of a step of the U-Net through archspec, and of Keras alone."""
    import numpy as np
    from PIL import Image

    from archspec.runs import Run

    batch, count, side, settings = UNET
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, side, side, 3)).astype(np.uint8)
    masks = draw.choice(np.uint8([0, 1, 2, 3, 255]), (count, side // 16, side // 16)).repeat(16, 1).repeat(16, 2)
    for name, some in (("images", images), ("masks", masks)):
        for split, first in (("train", 0), ("val", count - batch)):
            place = folder / "set" / split / name
            place.mkdir(parents=True)
            for i, one in enumerate(some[first:]):
                Image.fromarray(one).save(place / f"{i}.png", compress_level=1)
    said = ", ".join(f"{name}: {value}" for name, value in settings.items())
    text = f"archspec_run: 1\nspec: unet\nset: {{{said}}}\n"
    text += "data: {masks: {path: set, values: [a, b, c, d], void: 255}}\n"
    train = f"train: {{optimizer: {{sgd: 0.01}}, epochs: {epochs}, batch: {batch}}}\n"
    (folder / "bench.yaml").write_text(f"{text}augment: [resize: 256, rescale]\n{train}")
    plan = Run.open(str(folder / "bench.yaml")).plan()
    if bare_first:
        bare = _by_keras(plan, images, masks)
        return _ours(plan, folder), bare
    ours = _ours(plan, folder)
    return ours, _by_keras(plan, images, masks)


def _by_keras(plan: Any, images: Any, masks: Any) -> float:
    """Seconds of a step of the same network as one would train it with Keras alone."""
    import keras
    import tensorflow as tf

    from archspec import compile

    batch, count, _, settings = UNET
    keras.utils.set_random_seed(0)
    model = compile(plan.graph)
    clock, classes = _Clock(), settings["classes"]
    model.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(ignore_class=255),
        metrics=[keras.metrics.MeanIoU(classes, sparse_y_pred=False, ignore_class=255)],
        steps_per_execution=plan.steps_per_execution(),
        jit_compile=False,
    )
    every = tf.data.Dataset.from_tensor_slices((images, masks[..., None]))
    prepared = lambda image, mask: (tf.cast(image, tf.float32) / 255, mask)  # noqa: E731
    model.fit(
        every.shuffle(count, 0).map(prepared, tf.data.AUTOTUNE).batch(batch).repeat().prefetch(tf.data.AUTOTUNE),
        epochs=plan.spec.train.epochs,
        steps_per_epoch=plan.steps,
        validation_data=every.skip(count - batch).map(prepared).batch(batch),
        callbacks=[clock.callback()],
        verbose=0,
    )
    return _step(clock.epochs, plan.steps)


def _pair(run: tuple[Any, ...], epochs: int, folder: Path, bare_first: bool) -> tuple[float, float]:
    """Seconds of a step through archspec, and of a bare one."""
    plan = _plan(run, epochs, folder)
    if bare_first:
        bare = _bare(plan)
        return _ours(plan, folder), bare
    ours = _ours(plan, folder)
    return ours, _bare(plan)


def _plan(run: tuple[Any, ...], epochs: int, folder: Path) -> Any:
    from archspec.runs import Run

    spec, settings, channels, augment, count, batch = run
    folder.mkdir()
    import numpy as np

    path = folder / "bench.yaml"
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, 32, 32, channels)).astype("uint8")
    np.savez(folder / "images.npz", x=images, y=np.arange(count) % 10)
    lines = [
        "archspec_run: 1",
        f"spec: {spec}",
        *([f"set: {{{', '.join(f'{k}: {v}' for k, v in settings.items())}}}"] if settings else []),
        "data: {npz: images.npz}",
        f"augment: {augment}",
        f"train: {{optimizer: {{sgd: 0.01}}, epochs: {epochs}, batch: {batch}}}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return Run.open(str(path)).plan()


class _Clock:
    """Seconds of each epoch, of training alone."""

    def __init__(self) -> None:
        self.epochs: list[float] = []

    def callback(self) -> Any:
        import keras

        clock = self

        class Clock(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                clock.epochs.append(SECONDS())

        return Clock()


def _step(starts: list[float], steps: int) -> float:
    """Seconds of a step, of the epochs after the first; each lasts until the next begins."""
    return (starts[-1] - starts[1]) / (len(starts) - 2) / steps


def _ours(plan: Any, folder: Path) -> float:
    from archspec.training import trackers
    from archspec.training.run import run

    clock, usual = _Clock(), trackers.trackers
    trackers.trackers = lambda *args: [clock.callback(), *usual(*args)]  # type: ignore[assignment]
    try:
        run(plan, folder / "run", progress=None)
    finally:
        trackers.trackers = usual
    return _step(clock.epochs, plan.steps)


def _bare(plan: Any, *, from_memory: bool = False) -> float:
    """Seconds of a step of a bare fit; ``from_memory``, on an epoch's batches that lie there finished."""
    import keras

    from archspec import compile

    keras.utils.set_random_seed(0)
    model = compile(plan.graph)
    clock = _Clock()
    objective = plan.task.trainer(plan.graph, model, plan.spec.train, plan.features)
    name = next(iter(objective.losses))
    model.compile(
        keras.optimizers.SGD(0.01),
        objective.losses[name],
        metrics=objective.metrics[name],
        steps_per_execution=plan.steps_per_execution(),
        jit_compile=False,
    )
    batches = plan.pipeline.training(objective.pairs)
    if from_memory:
        batches = batches.take(plan.steps).cache().repeat()
    model.fit(
        batches,
        epochs=plan.spec.train.epochs,
        steps_per_epoch=plan.steps,
        validation_data=plan.pipeline.evaluation(plan.split, objective.pairs),
        callbacks=[clock.callback()],
        verbose=0,
    )
    return _step(clock.epochs, plan.steps)


if __name__ == "__main__":
    main()
