"""Say what is on images, or what text is: the classes that a trained network finds most probable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory and images, or text."""
    from archspec.cli._arguments import positive

    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument(
        "file", nargs="+", metavar="FILE", type=Path, help="image files; for networks of text, files of a text a line"
    )
    parser.add_argument("--top", type=positive, default=5, metavar="K", help="classes to name; default: 5")
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, decode, look, print."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.data.pair import SOURCE
    from archspec.data.source import TOKENS, DataError
    from archspec.training.trained import NotTrained, trained, weights_file

    try:
        path = weights_file(args.logdir, best=args.best)
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    try:
        found, features = _runs.remembered(args.logdir)
        if SOURCE in features.vocabularies:
            return _answered(args, found, features, path)
        is_text = TOKENS in features.vocabularies
        items = _texts(args.file, features) if is_text else _images(args.file)
    except DataError as error:
        return _runs.failed(error.message, 1)
    from archspec.training.plan import task_of

    graph = _runs.spec_graph(found)
    task, network = task_of(found.run, graph), graph.inference()
    if not task.gives_probabilities:
        drawn = f"; 'archspec sample {args.logdir}' draws from it" if task.sample_options else ""
        return _runs.failed(f"{task.name} gives no class for an example{drawn}", 1)
    steps = found.run.evaluate.transforms or ()
    quiet_start()
    model = trained(graph, path)
    names: tuple[str, ...] = tuple(features.class_names) or tuple(str(i) for i in range(features.classes or 0))
    records: list[dict[str, Any]] = []
    for what, data in items:
        batch = _numbered(data, features) if is_text else _prepared(data, features, steps)
        rows = task.probabilities(network, model, [batch], found.run.train.loss)
        named = {"text" if is_text else "image": what}
        if len(rows) > 1 or len(graph.spec(network.outputs[0].tensor).shape) > 1:
            # A class for each step; those after the text's end are padding.
            records.append(named | {"classes": [names[int(row.argmax())] for row in rows[: len(data)]]})
            continue
        order = sorted(range(len(rows[0])), key=lambda i: -rows[0][i])[: args.top]
        records.append(
            named | {"classes": [{"class": names[i], "probability": round(float(rows[0][i]), 6)} for i in order]}
        )
    if args.format == "json":
        from json import dumps

        write(dumps(records, ensure_ascii=False))
    else:
        for record in records:
            found_classes = record["classes"]
            said = "  ".join(c if isinstance(c, str) else f"{c['class']} {c['probability']:.4f}" for c in found_classes)
            write(f"{next(iter(record.values()))}: {said}")
    return 0


def _answered(args: argparse.Namespace, found: Any, features: Any, path: Path) -> int:
    """What the network makes of every line that is not empty."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.data.source import DataError
    from archspec.data.text import read_text
    from archspec.training.trained import trained

    graph = _runs.spec_graph(found)
    try:
        lines = [line.strip() for file in args.file for line in read_text(file, "utf-8").split("\n") if line.strip()]
        quiet_start()
        said = found.run.train.task.answers(graph, trained(graph, path), features, lines)
    except DataError as error:
        return _runs.failed(error.message, 1)
    if args.format == "json":
        from json import dumps

        write(dumps([{"text": a, "said": b} for a, b in zip(lines, said, strict=True)], ensure_ascii=False))
    else:
        write("\n".join(said))
    return 0


def _images(paths: list[Path]) -> list[tuple[str, Any]]:
    """Name and bytes of every image. Raises DataError, OSError."""
    from archspec.data.images import BadImage, header
    from archspec.data.source import DataError

    out = []
    for path in paths:
        data = path.read_bytes()
        try:
            header(data, name=path.name)
        except BadImage as error:
            raise DataError(f"{path} {error}") from None
        out.append((str(path), data))
    return out


def _texts(paths: list[Path], features: Any) -> list[tuple[str, Any]]:
    """Text and numbers of every line that is not empty. Raises DataError."""
    from archspec.data.source import TOKENS
    from archspec.data.text import read_text

    encode = features.vocabularies[TOKENS].encode
    lines = [line.strip() for path in paths for line in read_text(path, "utf-8").split("\n")]
    return [(line, encode(line)) for line in lines if line]


def _numbered(numbers: list[int], features: Any) -> Any:
    """A text as the network takes it: a batch of one."""
    from archspec.data.source import TOKENS
    from archspec.data.text import padded

    return padded([numbers], features.parts[TOKENS].shape[0])


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
