"""Say what is on images, or what text or a row of numbers is: classes, numbers or text, as the network was trained."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = ("archspec predict runs/net/1 photo.png",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory and images, or text."""
    from archspec.cli._arguments import positive

    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument(
        "file",
        nargs="+",
        metavar="FILE",
        type=Path,
        help="image files; for networks of text, files of a text a line; of rows of numbers, tables with headings",
    )
    parser.add_argument("--top", type=positive, default=5, metavar="K", help="classes to name; default: 5")
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, read, ask, print."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._other import recorded_source
    from archspec.cli._output import write
    from archspec.data.errors import DataError
    from archspec.data.images import MAX_PIXELS
    from archspec.data.source import VECTOR
    from archspec.training.planning import task_of
    from archspec.training.prediction import answers, images, rows, texts
    from archspec.training.trained import NotTrained, trained, weights_file

    try:
        path = weights_file(args.logdir, best=args.best)
        found, features = _runs.remembered(args.logdir)
        graph = _runs.spec_graph(found)
        task = task_of(found.run, graph)
        if not task.predicts:
            drawn = f"; 'archspec sample {args.logdir}' draws from it" if task.sample_options else ""
            return _runs.failed(f"{task.name} gives no class for an example{drawn}", 1)
        part = task.reads(features)
        quiet_start()
        predictor = task.predictor(graph.inference(), trained(graph, path), found.run.train, features)
        assert predictor is not None
        if part in features.vocabularies:
            asked = texts(args.file, graph, features, part, predictor)
        elif part == VECTOR:
            asked = rows(args.file, features)
        else:
            most = recorded_source(args.logdir)[1].get("max_pixels", MAX_PIXELS)
            asked = images(args.file, features, _runs.preparation(args.logdir, found), most)
        records = list(answers(predictor, asked, features, args.top))
    except (NotTrained, DataError) as error:
        return _runs.failed(str(error), 1)
    for problem in asked.bad:
        _runs.failed(problem, 1)
    if args.format == "json" and (records or not asked.bad):
        from json import dumps

        write(dumps(records, ensure_ascii=False))
    elif records:
        write("\n".join(predictor.line(record[asked.kind], record) for record in records))
    return 1 if asked.bad else 0
