"""Images per second of training, and the share of the device's peak that they are (MFU).

    KERAS_BACKEND=jax python tools/bench_gpu.py                      # ResNet-50, bfloat16, XLA, batch 256
    KERAS_BACKEND=jax python tools/bench_gpu.py --devices 8 --batch 2048
    python tools/bench_gpu.py --spec lenet5 --batch 8 --steps 4 --precision float32    # does it run at all

Random 8-bit images lie in memory and go the way of any run: order by seed, 8-bit batches to the device, floats made by
the pipeline's rescale, the loss looked at after every execution. TensorFlow is not needed beside JAX. The first epoch
builds and compiles and is left out; of the others the median counts, from an epoch's begin to the end of its last step.

MFU is images/s · 3 · 2 · MACs / (peak · devices): the backward pass counts twice the forward one, and MACs are those of
``archspec table``. Peaks are those of NVIDIA's data sheets for dense bfloat16; ``--peak`` gives another's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PEAKS = {"H200": 989.4, "H100 PCIe": 756.0, "H100": 989.4, "A100": 312.0, "L40S": 362.0, "L4": 121.0, "A10": 125.0}
"""TFLOP/s in bfloat16, dense, by a part of the device's name; the first that fits counts."""


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", default="resnet50")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20, help="of an epoch: so many batches lie in memory")
    parser.add_argument("--epochs", type=int, default=6, help="of which the first is left out")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--no-xla", action="store_true", help="on JAX XLA cannot be left out")
    parser.add_argument("--execution", type=int, default=10, help="steps per execution")
    parser.add_argument("--peak", type=float, help="TFLOP/s of one device")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(args, Path(folder))
    if args.format == "json":
        print(json.dumps(found, indent=1))
        return
    share = "MFU not known: no --peak" if found["mfu"] is None else f"MFU {found['mfu']:.3f}"
    print(
        f"{args.spec}, batch {args.batch}, {args.precision}, {found['backend']}, {args.devices} × {found['device']}: "
        f"{found['images_per_second']:.0f} images/s, {found['ms_per_step']:.2f} ms a step, {share} "
        f"({found['gmacs']:.4g} GMACs an image; epochs {', '.join(f'{r:.0f}' for r in found['epochs'])} images/s)"
    )


def measured(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train, and say how fast."""
    from archspec.training.run import run

    plan = planned(args, folder)
    begins: list[float] = []
    ends: list[float] = []
    _watched(begins, ends)
    run(plan, folder / "run", progress=None)
    rates = [plan.steps * plan.pipeline.batch_size() / (b - a) for a, b in zip(begins, ends, strict=True)][1:]
    return summary(args, plan, rates)


def planned(args: argparse.Namespace, folder: Path) -> Any:
    """The run: random images of the network's size."""
    import numpy as np

    import archspec
    from archspec.runs import Run

    graph = archspec.load(args.spec)
    (image,) = graph.inputs.values()
    classes = graph.spec(graph.outputs[0].tensor).shape[-1]
    draw = np.random.default_rng(0)
    count = args.batch * args.steps
    pixels = draw.integers(0, 256, (count, *image.shape), np.uint8)
    label = np.arange(count, dtype=np.int32) % classes
    label[-1] = classes - 1
    np.savez(folder / "images.npz", x_train=pixels, y_train=label)
    execution = next(n for n in range(min(args.execution, args.steps), 0, -1) if args.steps % n == 0)
    if args.devices > 1 and os.environ.get("KERAS_BACKEND") != "jax":
        execution = 1
    settings = {
        "optimizer": "{sgd: {learning_rate: 0.01, momentum: 0.9}}",
        "schedule": "constant",
        "epochs": args.epochs,
        "batch": args.batch,
        "precision": args.precision,
        "jit_compile": str(not args.no_xla).lower(),
        "steps_per_execution": execution,
        "devices": args.devices,
        "deterministic": "false",
    }
    text = ", ".join(f"{name}: {value}" for name, value in settings.items())
    path = folder / "bench.yaml"
    path.write_text(
        f"archspec_run: 1\nspec: {args.spec}\ndata: {{npz: images.npz}}\naugment: [rescale]\ntrain: {{{text}}}\n"
    )
    return Run.open(str(path)).plan()


def _watched(begins: list[float], ends: list[float]) -> None:
    """Let every run note when its epochs begin, and when their last steps end."""
    from archspec.training import trackers

    def clock(*args: Any) -> list[Any]:
        import keras

        class Clock(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                begins.append(perf_counter())
                ends.append(0.0)

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                # What is logged is a number by now: the steps are done.
                ends[-1] = perf_counter()

        return [Clock()]

    trackers.trackers = clock  # type: ignore[assignment]


def summary(args: argparse.Namespace, plan: Any, rates: list[float]) -> dict[str, Any]:
    """What was measured."""
    import keras

    from archspec.analysis.cost import totals

    macs = totals(plan.graph).macs or 0
    name, rate = _device(), statistics.median(rates)
    peak = args.peak or next((tflops for part, tflops in PEAKS.items() if part in name), None)
    return {
        "backend": keras.backend.backend(),
        "device": name,
        "images_per_second": rate,
        "ms_per_step": 1000 * plan.pipeline.batch_size() / rate,
        "gmacs": macs / 1e9,
        "mfu": None if peak is None else rate * 6 * macs / (peak * 1e12 * args.devices),
        "epochs": rates,
    }


def _device() -> str:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name")) if gpus else "cpu"


if __name__ == "__main__":
    main()
