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
    asked = [f"--views {args.views}"] * (args.views != "single") + ["--scales"] * bool(args.scales)
    asked += ["--dense"] * args.dense
    if asked and IMAGE not in first.features.parts:
        return _runs.failed(f"{asked[0]} is for images", 1)
    if not first.task.gives_probabilities:
        return _figures(args, first, files)
    if args.dense and args.views == "ten_crop":
        return _runs.failed("--dense looks at all crops: it goes with --views single or flip", 1)
    for plan, logdir in zip(plans, args.logdir, strict=True):
        if plan.features.classes != first.features.classes or _data(plan) != _data(first):
            return _runs.failed(f"{logdir} was trained on other data than {args.logdir[0]}; give --data", 1)
    from archspec.tasks.classification.assessment import assess

    try:
        looks = [_looks(plan, args) for plan in plans]
        graphs = [_dense(plan) if args.dense else plan.graph.inference() for plan in plans]
    except _Refused as error:
        return _runs.failed(error.message, 1)
    quiet_start()
    total: Any = 0
    labels: Any = None
    for plan, graph, path, steps in zip(plans, graphs, files, looks, strict=True):
        model = _loaded(plan, graph, path) if args.dense else trained(plan.graph, path)
        for look in steps:
            said, labels = _said(plan, graph, model, look)
            total = total + said / (len(plans) * len(steps))
    result = assess(total, labels, first.features.class_names)
    if args.format == "json":
        from dataclasses import asdict
        from json import dumps

        described = {"runs": [str(d) for d in args.logdir], "split": first.split, "views": args.views}
        described |= {"scales": list(args.scales), "dense": args.dense}
        write(dumps(described | asdict(result), ensure_ascii=False))
    else:
        of = f"{len(plans)} runs" if len(plans) > 1 else str(args.logdir[0])
        print(f"archspec: {of}, {_of(first)}, {_told(args)}", file=sys.stderr)
        write(result.text())
    return 0


def _figures(args: argparse.Namespace, plan: Any, files: list[Path]) -> int:
    """What a task reports that has no classes to count."""
    from archspec.backend.installation import quiet_start
    from archspec.cli import _runs
    from archspec.cli._output import write
    from archspec.training.evaluation import evaluated

    task = plan.task.name
    if plan.graph.training:
        return _runs.failed(f"{task}: the figures of several networks are in log.csv and TensorBoard", 1)
    if len(files) > 1:
        return _runs.failed(f"{task}: one run at a time", 1)
    quiet_start()
    found = evaluated(plan, files[0])
    if args.format == "json":
        from json import dumps

        write(dumps({"run": str(args.logdir[0]), "split": plan.split, **found}))
    else:
        print(f"archspec: {args.logdir[0]}, {_of(plan)}", file=sys.stderr)
        width = max(8, *map(len, found))
        count = f"{'examples':<{width}} {plan.pipeline.count(plan.split):,}"
        write("\n".join([count, *(f"{name:<{width}} {value:.4f}" for name, value in found.items())]))
    return 0


def _of(plan: Any) -> str:
    """What is evaluated: the split, which others there are, and how many of it cannot be read."""
    splits, split = plan.features.splits, plan.split
    others = [f"{name} {count:,}" for name, count in splits.items() if name not in (split, "all")]
    rest = f" (besides {', '.join(others)})" if others and split != "all" else ""
    left_out = splits[split] - plan.pipeline.count(split)
    bad = f"; {left_out} of {splits[split]} cannot be read and are left out" if left_out else ""
    return f"{split} of {plan.source.name}{rest}{bad}"


class _Refused(Exception):
    """The network or the transforms do not allow what is asked."""

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message


def _scales(text: str) -> tuple[int, ...]:
    from archspec.cli._arguments import positive

    return tuple(positive(part) for part in text.split(","))


def _told(args: argparse.Namespace) -> str:
    scales = f" at {', '.join(map(str, args.scales))}" if args.scales else ""
    return f"{args.views} view{scales}{', dense' if args.dense else ''}"


def _looks(plan: Any, args: argparse.Namespace) -> list[tuple[Any, ...]]:
    """The transforms of each look at an image. Raises _Refused."""
    from archspec.tasks.classification.views import scaled, views
    from archspec.training.task import TaskError

    if args.views == "single" and not args.scales and not args.dense:
        return [plan.pipeline.steady]
    size = next(iter(plan.graph.inputs.values())).spatial
    if args.scales and None in size:
        raise _Refused("--scales needs a network that takes images of one size")
    try:
        steps = scaled(plan.pipeline.steady, args.scales, size, dense=args.dense)
        return [look for at in steps for look in views(at, args.views)]
    except TaskError as error:
        raise _Refused(error.message + (f"; {error.help}" if error.help else "")) from None


def _dense(plan: Any) -> Any:
    """The network over all of an image. Raises _Refused."""
    from archspec.analysis.convolutional import NotConvolutional, convolutional
    from archspec.tasks.classification import scored_by

    try:
        return convolutional(plan.graph, activation=scored_by(plan.graph.inference(), plan.spec.train.loss))
    except NotConvolutional as error:
        at = f" ({error.notes[0].span})" if error.notes else ""
        raise _Refused(f"--dense: {error.message}{at}") from None


def _loaded(plan: Any, graph: Any, path: Path) -> Any:
    """The convolutional form of a network, with the weights of a file."""
    from archspec.analysis.convolutional import reshaped
    from archspec.backend.build import compile
    from archspec.backend.weights import assign, read

    values, _ = read(path, plan.graph.inference())
    model = compile(graph)
    assign(model, reshaped(graph, values))
    return model


def _data(plan: Any) -> Any:
    """The source, whatever vocabularies its text is counted in."""
    return plan.source.with_vocabularies(dict.fromkeys(plan.features.vocabularies, Path()))


def _said(plan: Any, graph: Any, model: Any, look: tuple[Any, ...]) -> tuple[Any, Any]:
    """Probabilities and true classes of a split; images that differ in size go one by one."""
    from dataclasses import replace

    import numpy as np

    from archspec.data.source import IGNORED, LABEL, input_of

    pipeline = replace(plan.pipeline, steady=look, batch=plan.spec.evaluate.batch or plan.pipeline.batch)
    if pipeline.features()[1].has_open_sizes:
        pipeline = replace(pipeline, batch=1)
    labels: list[Any] = []

    def inputs() -> Any:
        for x, label in pipeline.evaluation(plan.split, lambda batch: (batch[input_of(batch)], batch[LABEL])):
            labels.append(np.asarray(label).reshape(-1))
            yield x

    said = plan.task.probabilities(graph, model, inputs(), plan.spec.train.loss)
    true = np.concatenate(labels)
    return said[true != IGNORED], true[true != IGNORED]
