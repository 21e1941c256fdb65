"""Say what is on images: the classes that a trained network finds most probable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory and images."""
    from archspec.cli._arguments import positive

    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument("image", nargs="+", metavar="IMAGE", type=Path, help="image files")
    parser.add_argument("--top", type=positive, default=5, metavar="K", help="classes to name; default: 5")
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, decode, look, print."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.data.images import BadImage, header
    from archspec.training.trained import NotTrained, trained, weights_file

    try:
        path = weights_file(args.logdir, best=args.best)
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    images = []
    for image in args.image:
        data = image.read_bytes()
        try:
            header(data, name=image.name)
        except BadImage as error:
            return _runs.failed(f"{image} {error}", 1)
        images.append(data)
    found, features = _runs.remembered(args.logdir)
    graph = _runs.spec_graph(found)
    steps = found.run.evaluate.transforms or ()
    quiet_start()
    model = trained(graph, path)
    from archspec.training.plan import task_of

    names: tuple[str, ...] = tuple(features.class_names) or tuple(str(i) for i in range(features.classes or 0))
    batches = (_prepared(data, features, steps) for data in images)
    said = task_of(found.run, graph).probabilities(graph.inference(), model, batches, found.run.train.loss)
    records: list[dict[str, Any]] = []
    for image, row in zip(args.image, said, strict=True):
        order = sorted(range(len(row)), key=lambda i: -row[i])[: args.top]
        best: list[dict[str, Any]] = [{"class": names[i], "probability": round(float(row[i]), 6)} for i in order]
        records.append({"image": str(image), "classes": best})
    if args.format == "json":
        from json import dumps

        write(dumps(records, ensure_ascii=False))
    else:
        for record in records:
            said_text = "  ".join(f"{c['class']} {c['probability']:.4f}" for c in record["classes"])
            write(f"{record['image']}: {said_text}")
    return 0


def _prepared(data: bytes, features: Any, steps: tuple[Any, ...]) -> Any:
    """An image as the network takes it: a batch of one."""
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.images import decode
    from archspec.data.source import IMAGE, LABEL

    spec = features.image
    image = decode(tf.constant(data), spec.channels)
    if None not in spec.spatial and image.shape[:2] != spec.spatial:
        # The data of the run had one size, which its transforms count on.
        image = tf.saturate_cast(tf.round(tf.image.resize(image, spec.spatial, antialias=True)), image.dtype)
    zero = tf.zeros((1,), tf.int64)
    batch = {IMAGE: image[None], LABEL: tf.zeros((1,), tf.int32), "epoch": zero, "index": zero}
    for step in steps:
        batch = step.apply(batch, Draw(0, step.name, zero, zero))
    return batch[IMAGE]
