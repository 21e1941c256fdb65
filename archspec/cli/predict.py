"""Say what is on images, or what text is: the classes that a trained network finds most probable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EXAMPLES = ("archspec predict runs/net/1 photo.png",)


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
    from archspec.cli._other import recorded_source
    from archspec.cli._output import write
    from archspec.data.errors import DataError
    from archspec.data.images import MAX_PIXELS
    from archspec.data.pair import SOURCE
    from archspec.data.source import TOKENS
    from archspec.training.trained import NotTrained, trained, weights_file

    try:
        path = weights_file(args.logdir, best=args.best)
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    try:
        found, features = _runs.remembered(args.logdir)
    except DataError as error:
        return _runs.failed(error.message, 1)
    if SOURCE in features.vocabularies:
        return _answered(args, found, features, path)
    from archspec.training.planning import task_of

    graph = _runs.spec_graph(found)
    task, network = task_of(found.run, graph), graph.inference()
    if not task.gives_probabilities:
        drawn = f"; 'archspec sample {args.logdir}' draws from it" if task.sample_options else ""
        return _runs.failed(f"{task.name} gives no class for an example{drawn}", 1)
    is_text = TOKENS in features.vocabularies
    items: list[tuple[str, Any]]
    if is_text:
        items, bad = _texts(args.file, features)
    else:
        most = recorded_source(args.logdir)[1].get("max_pixels", MAX_PIXELS)
        items, bad = _images(args.file, features, _runs.preparation(args.logdir, found), most)
    for problem in bad:
        _runs.failed(problem, 1)
    if not items and bad:
        return 1
    quiet_start()
    model = trained(graph, path)
    names: tuple[str, ...] = tuple(features.class_names) or tuple(str(i) for i in range(features.classes or 0))
    records: list[dict[str, Any]] = []
    for what, data in items:
        batch = _numbered(data, features) if is_text else data
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
    return 1 if bad else 0


def _answered(args: argparse.Namespace, found: Any, features: Any, path: Path) -> int:
    """What the network makes of every line that is not empty."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.data.errors import DataError
    from archspec.training.trained import trained

    graph = _runs.spec_graph(found)
    lines, bad = _lines(args.file)
    for problem in bad:
        _runs.failed(problem, 1)
    if not lines and bad:
        return 1
    try:
        quiet_start()
        said = found.run.train.task.answers(graph, trained(graph, path), features, lines)
    except DataError as error:
        return _runs.failed(error.message, 1)
    if args.format == "json":
        from json import dumps

        write(dumps([{"text": a, "said": b} for a, b in zip(lines, said, strict=True)], ensure_ascii=False))
    else:
        write("\n".join(said))
    return 1 if bad else 0


def _images(
    paths: list[Path], features: Any, steps: tuple[Any, ...], max_pixels: int
) -> tuple[list[tuple[str, Any]], list[str]]:
    """Name and batch of one of every image as the network takes it, prepared as the run evaluated; and what is wrong
    with the others."""
    from archspec.backend.installation import quiet_start
    from archspec.data.loose import ASKED, Loose
    from archspec.data.pipeline import Pipeline
    from archspec.data.source import IMAGE
    from archspec.data.transforms.caching import Cache
    from archspec.data.transforms.geometry import Resize

    quiet_start()
    spec = features.image
    asked = Loose(paths=tuple(map(str, paths)), channels=spec.channels, max_pixels=max_pixels)
    unsound = asked.unsound()
    bad = [f"{path} {unsound[path]}" for path in asked.paths if path in unsound]
    sound = tuple(path for path in asked.paths if path not in unsound)
    if not sound:
        return [], bad
    steps = tuple(step for step in steps if not isinstance(step, Cache))
    if None not in spec.spatial:
        # The data of the run had one size, which its transforms count on.
        steps = (Resize(size=spec.spatial), *steps)
    source = asked.model_copy(update={"paths": sound})
    batches = Pipeline(source, source.features(), (), steps, 1, 0).evaluation(ASKED, lambda batch: (batch[IMAGE], ()))
    return list(zip(sound, (batch for batch, _ in batches), strict=True)), bad


def _texts(paths: list[Path], features: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """Text and numbers of every line that is not empty; and what is wrong with files that cannot be read."""
    from archspec.data.source import TOKENS

    encode = features.vocabularies[TOKENS].encode
    lines, bad = _lines(paths)
    return [(line, encode(line)) for line in lines], bad


def _lines(paths: list[Path]) -> tuple[list[str], list[str]]:
    """Every line that is not empty; and what is wrong with files that cannot be read."""
    from archspec.data.errors import DataError
    from archspec.data.text import read_text

    lines: list[str] = []
    bad = []
    for path in paths:
        try:
            lines += [text for line in read_text(path, "utf-8").split("\n") if (text := line.strip())]
        except DataError as error:
            bad.append(error.message)
    return lines, bad


def _numbered(numbers: list[int], features: Any) -> Any:
    """A text as the network takes it: a batch of one."""
    from archspec.data.source import TOKENS
    from archspec.data.text import padded

    return padded([numbers], features.parts[TOKENS].shape[0])
