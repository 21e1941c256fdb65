"""What training through archspec costs beside a bare compile and fit of the same network on the same batches.

    python tools/bench_train.py [--pairs 7] [--epochs 6]

Both use the same pipeline, determinism and steps_per_execution; archspec adds its checkpoints, TensorBoard and logs. Of
either, the seconds of the epochs after the first are taken, in alternating pairs; printed is the median ratio. Then,
for the residual network with crops and mirroring: how much of the throughput is kept that fit reaches when the same
batches come out of memory, finished.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RUNS = {
    "LeNet-5, batch 32": ("lenet5", {"activation": "relu"}, 1, "[rescale]", 8_000, 32),
    "ResNet-20, batch 64": ("resnet20_cifar", {}, 3, "[rescale]", 1_000, 64),
}
"""Spec, its parameters, channels, augmentation and number of the images, size of a batch."""
AUGMENTED = ("resnet20_cifar", {}, 3, "[{random_crop: {size: 32, padding: 4}}, mirror, rescale]", 1_000, 64)


def main() -> None:
    """Measure every run and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    for title, run in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            pairs = [_pair(run, args.epochs, Path(folder) / str(i), i % 2 == 1) for i in range(args.pairs)]
        ratios = [ours / bare for ours, bare in pairs]
        bare = statistics.median(b for _, b in pairs)
        print(
            f"{title}: median {statistics.median(ratios):.3f} of the bare loop's time "
            f"({min(ratios):.3f} to {max(ratios):.3f}, {args.pairs} pairs; bare {1000 * bare:.2f} ms a step)",
            flush=True,
        )
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
                clock.epochs.append(perf_counter())

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
