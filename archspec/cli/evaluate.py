"""Evaluate a trained network, or the mean of several: top-1, top-5, calibration, every class, what it is taken for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

EXAMPLES = (
    "archspec evaluate runs/net/1",
    "archspec evaluate runs/net/1 --best --split test",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Run directories, data, and how to look at an image."""
    from archspec.cli._arguments import positive

    parser.add_argument("logdir", nargs="+", metavar="DIR", type=Path, help="run directories; of several, an ensemble")
    parser.add_argument(
        "--data", metavar="DATA", help="other data than the run's; classes are those of the run, by their names"
    )
    parser.add_argument(
        "--split",
        metavar="NAME",
        help="a split, or 'all'; default: what the run evaluated, or all of other data without splits of their own",
    )
    parser.add_argument(
        "--views",
        choices=("single", "flip", "ten_crop"),
        default="single",
        help="looks at an image whose probabilities are averaged; default: single",
    )
    parser.add_argument(
        "--scales",
        type=_scales,
        default=(),
        metavar="N,N,…",
        help="lengths of the short side, in pixels; the probabilities at each are averaged, too",
    )
    parser.add_argument(
        "--dense",
        action="store_true",
        help="all of the image in place of its middle: fully connected layers as convolutions, the class map averaged",
    )
    parser.add_argument("--best", action="store_true", help="the best weights instead of the last")
    parser.add_argument("--batch", type=positive, metavar="N", help="images at a time; default: as in training")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Load, have the task's evaluators look, print."""
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.data.source import IMAGE
    from archspec.training.evaluation import Looking, evaluate
    from archspec.training.task import TaskError
    from archspec.training.trained import NotTrained, weights_file

    try:
        files = [weights_file(logdir, best=args.best) for logdir in args.logdir]
    except NotTrained as error:
        return _runs.failed(str(error), 1)
    plans = [_runs.recorded(logdir, data=args.data, split=args.split, batch=args.batch) for logdir in args.logdir]
    first = plans[0]
    if first.split is None:
        return _runs.failed("the data have no split that was held out; say which with --split", 1)
    looking = Looking(args.views, tuple(args.scales), args.dense)
    asked = [f"--views {args.views}"] * (args.views != "single") + ["--scales"] * bool(args.scales)
    asked += ["--dense"] * args.dense
    if asked and IMAGE not in first.features.parts:
        return _runs.failed(f"{asked[0]} is for images", 1)
    for plan, logdir in zip(plans, args.logdir, strict=True):
        if plan.features.classes != first.features.classes or _data(plan) != _data(first):
            return _runs.failed(f"{logdir} was trained on other data than {args.logdir[0]}; give --data", 1)
    try:
        found = evaluate(plans, files, looking)
    except TaskError as error:
        return _runs.failed(error.message + (f"; {error.help}" if error.help else ""), 1)
    if args.format == "json":
        from json import dumps

        described: dict[str, Any] = {"run": str(args.logdir[0]), "split": first.split}
        if first.task.is_averaged:
            described = {"runs": [str(d) for d in args.logdir], "split": first.split, "views": args.views}
            described |= {"scales": list(args.scales), "dense": args.dense}
        for assessment in found:
            described |= assessment.record()
        write(dumps(described, ensure_ascii=False))
    else:
        of = f"{len(plans)} runs" if len(plans) > 1 else str(args.logdir[0])
        told = f", {_told(args)}" if first.task.is_averaged and IMAGE in first.features.parts else ""
        print(f"archspec: {of}, {_of(first)}{told}", file=sys.stderr)
        write("\n\n".join(assessment.text() for assessment in found))
    return 0


def _of(plan: Any) -> str:
    """What is evaluated: the split, which others there are, and how many of it cannot be read."""
    splits, split = plan.features.splits, plan.split
    others = [f"{name} {count:,}" for name, count in splits.items() if name not in (split, "all")]
    rest = f" (besides {', '.join(others)})" if others and split != "all" else ""
    left_out = splits[split] - plan.pipeline.count(split)
    bad = f"; {left_out} of {splits[split]} cannot be read and are left out" if left_out else ""
    return f"{split} of {plan.source.name}{rest}{bad}"


def _scales(text: str) -> tuple[int, ...]:
    from archspec.cli._arguments import positive

    return tuple(positive(part) for part in text.split(","))


def _told(args: argparse.Namespace) -> str:
    scales = f" at {', '.join(map(str, args.scales))}" if args.scales else ""
    return f"{args.views} view{scales}{', dense' if args.dense else ''}"


def _data(plan: Any) -> Any:
    """The source, whatever vocabularies its text is counted in."""
    return plan.source.with_vocabularies(dict.fromkeys(plan.features.vocabularies, Path()))
