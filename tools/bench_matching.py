"""Time and memory of matching anchors with objects, against the broadcast of all pairs.

    python tools/bench_matching.py [--images 8] [--runs 5] [--anchors 76725] [--objects 100]

76,725 anchors are RetinaNet's of 640×640; every image has 100 objects. `match` takes one object at a time within a
compiled step, for a tile of anchors at a time; the broadcast is the matrix of all overlaps, its largest entries by row
and by column, as one writes it in a tf.function. Both follow the rule of region proposals: an overlap of .7, or the
largest that an object has. Each runs in a process of its own. Time is the CPU's of all threads, median of the runs;
memory is what the process had resident at its peak, less what it had before the first run. Both find the same owners.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
WAYS = ("match", "broadcast")


def main() -> None:
    """Measure both, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("images", 8), ("runs", 5), ("anchors", 76725), ("objects", 100)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measured(args.way, args.images, args.anchors, args.objects, args.runs)))
        return
    found = {}
    for way in WAYS:
        ran = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--way", way], stdout=subprocess.PIPE, text=True, check=True
        )
        found[way] = json.loads(ran.stdout.splitlines()[-1])
        row = found[way]
        print(f"{way:<10} {1000 * row['cpu']:8.0f} ms CPU  {1000 * row['wall']:8.0f} ms  {row['memory']:7.0f} MiB")
    one, other = (found[way] for way in WAYS)
    if one["positive"] != other["positive"]:
        sys.exit(f"the two do not find the same: {one['positive']} and {other['positive']} anchors with an owner")
    print(f"{one['positive']} anchors with an owner in both; {other['cpu'] / one['cpu']:.1f} × the CPU time, ", end="")
    print(f"{other['memory'] / max(one['memory'], 1):.1f} × the memory")


def measured(way: str, images: int, anchors: int, objects: int, runs: int) -> dict[str, Any]:
    """Figures of one of the two."""
    import numpy as np
    import tensorflow as tf

    draw = np.random.default_rng(0)

    def boxes(count: int, sides: tuple[float, float]) -> np.ndarray:
        side, middle = draw.uniform(*sides, (images, count, 2)), draw.uniform(0, 640, (images, count, 2))
        return np.concatenate([middle - side / 2, middle + side / 2], -1).astype(np.float32)

    given = (
        boxes(anchors, (16, 256)),
        boxes(objects, (16, 256)),
        draw.integers(0, 80, (images, objects)).astype("int32"),
    )
    tensors = [tf.constant(x) for x in (*given, np.ones((images, objects), bool))]
    work = ours(tensors) if way == "match" else broadcast(tensors)
    before = now()
    work()
    cpu, wall = [], []
    for _ in range(runs):
        start, at = time.process_time(), time.perf_counter()
        positive = work()
        cpu.append(time.process_time() - start)
        wall.append(time.perf_counter() - at)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = {"cpu": statistics.median(cpu), "wall": statistics.median(wall)}
    return {**times, "memory": most - before, "positive": positive}


def now() -> float:
    """MiB that this process has resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def ours(tensors: list[Any]) -> Callable[[], int]:
    """``match`` as a layer in a compiled step."""
    import tensorflow as tf

    from archspec.ir.tensors import TensorSpec
    from archspec.ops.base import Op

    kind = Op.find("match")
    assert kind is not None
    specs = (TensorSpec(tuple(x.shape[1:]), x.dtype.name) for x in tensors)
    layer = kind.model_validate({"low": 0.3, "high": 0.7, "force": "ties"}).lower(*specs)
    # Owners are made here: what is given for them to the loss is the same in both.
    step = tf.function(lambda *given: tf.math.count_nonzero(layer(*given)[2]))
    return lambda: int(step(*tensors))


def broadcast(tensors: list[Any]) -> Callable[[], int]:
    """All pairs at once."""
    import tensorflow as tf

    @tf.function
    def step(anchors: Any, boxes: Any, classes: Any, valid: Any) -> Any:
        a, b = anchors[:, :, None], boxes[:, None]
        sides = tf.maximum(tf.minimum(a[..., 2:], b[..., 2:]) - tf.maximum(a[..., :2], b[..., :2]), 0.0)
        inner = sides[..., 0] * sides[..., 1]
        of_a, of_b = (tf.reduce_prod(x[..., 2:] - x[..., :2], -1) for x in (a, b))
        iou = tf.where(valid[:, None], inner / (of_a + of_b - inner), -1.0)
        owner, best = tf.argmax(iou, 2, tf.int32), tf.reduce_max(iou, 2)
        top = tf.reduce_max(iou, 1, keepdims=True)
        forced = tf.reduce_any((iou == top) & (top > 0), 2)
        positive = (best >= 0.7) | forced
        # What the loss is given is made of these.
        own, kind = tf.gather(boxes, owner, batch_dims=1), tf.gather(classes, owner, batch_dims=1)
        kept = tf.reduce_sum(own) * 0 + tf.cast(tf.reduce_sum(kind) * 0, tf.float32)
        return tf.math.count_nonzero(positive) + tf.cast(kept, tf.int64)

    return lambda: int(step(*tensors))


if __name__ == "__main__":
    main()
