"""Evaluate a trained network, or the mean of several: top-1, top-5, calibration, every class, what it is taken for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Run directories, data, and how to look at an image."""
    from archspec.cli._arguments import positive

    parser.add_argument("logdir", nargs="+", metavar="DIR", type=Path, help="run directories; of several, an ensemble")
    parser.add_argument("--data", metavar="DATA", help="other data than the run's, with the same classes")
    parser.add_argument("--split", metavar="NAME", help="default: the split that the run evaluated")
    parser.add_argument(
        "--views",
        choices=("single", "flip", "ten_crop"),
        default="single",
        help="looks at an image whose probabilities are averaged; default: single",
    )
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")
    parser.add_argument("--batch", type=positive, metavar="N", help="images at a time; default: as in training")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, look, average, count, print."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.data.source import IMAGE
    from archspec.training.trained import NotTrained, trained, weights_file

    try:
        files = [weights_file(logdir, best=args.best) for logdir in args.logdir]
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    plans = [_runs.recorded(logdir, data=args.data, split=args.split, batch=args.batch) for logdir in args.logdir]
    first = plans[0]
    if first.split is None:
        return _runs.failed("the data have no split that was held out; say which with --split", 1)
    if args.views != "single" and IMAGE not in first.features.parts:
        return _runs.failed(f"--views {args.views} is for images", 1)
    for plan, logdir in zip(plans, args.logdir, strict=True):
        if plan.features.classes != first.features.classes or _data(plan) != _data(first):
            return _runs.failed(f"{logdir} was trained on other data than {args.logdir[0]}; give --data", 1)
    from archspec.tasks.classification.assessment import assess
    from archspec.tasks.classification.views import views

    looks = [views(plan.pipeline.steady, args.views) for plan in plans]
    quiet_start()
    total: Any = 0
    labels: Any = None
    for plan, path, steps in zip(plans, files, looks, strict=True):
        model = trained(plan.graph, path)
        for look in steps:
            said, labels = _said(plan, model, look)
            total = total + said / (len(plans) * len(steps))
    result = assess(total, labels, first.features.class_names)
    if args.format == "json":
        from dataclasses import asdict
        from json import dumps

        described = {"runs": [str(d) for d in args.logdir], "split": first.split, "views": args.views}
        write(dumps(described | asdict(result), ensure_ascii=False))
    else:
        of = f"{len(plans)} runs" if len(plans) > 1 else str(args.logdir[0])
        print(f"archspec: {of}, {first.split} of {first.source.name}, {args.views} view", file=sys.stderr)
        write(result.text())
    return 0


def _data(plan: Any) -> Any:
    """The source, whatever vocabularies its text is counted in."""
    return plan.source.with_vocabularies(dict.fromkeys(plan.features.vocabularies, Path()))


def _said(plan: Any, model: Any, look: tuple[Any, ...]) -> tuple[Any, Any]:
    """Probabilities and true classes of a split."""
    from dataclasses import replace

    import numpy as np

    from archspec.data.source import LABEL, input_of

    pipeline = replace(plan.pipeline, steady=look)
    labels: list[Any] = []

    def inputs() -> Any:
        for x, label in pipeline.evaluation(plan.split, lambda batch: (batch[input_of(batch)], batch[LABEL])):
            labels.append(np.asarray(label))
            yield x

    said = plan.task.probabilities(plan.graph.inference(), model, inputs(), plan.spec.train.loss)
    return said, np.concatenate(labels)
