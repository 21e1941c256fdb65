"""Predict classes, objects, numbers or text for images, text or rows of a table, as the network was trained."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EXAMPLES = (
    "archspec predict runs/net/1 photo.png",
    "archspec predict runs/detector/1 photos --draw found",
    "archspec predict runs/photos/1 photos --masks found --dense",
    "archspec predict runs/detector/1 street.mp4 --draw found --format json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run directory and images, or text."""
    from archspec.cli._arguments import add_looks, positive, share

    parser.add_argument("logdir", metavar="DIR", type=Path, help="the run directory of 'archspec train'")
    parser.add_argument(
        "file",
        nargs="+",
        metavar="FILE",
        type=Path,
        help="image files, or folders of them; one video, frame by frame (with OpenCV); text files, one text per line; "
        "or tables with headings, one example per row",
    )
    parser.add_argument("--top", type=positive, default=5, metavar="K", help="number of classes to print; default: 5")
    parser.add_argument("--best", action="store_true", help="use the best weights instead of the last")
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="folder for PNG masks of the predicted classes, in the size of the images",
    )
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="DIR",
        help="folder for copies of the images, or the video, with the objects found, or the classes of pixels, drawn "
        "on them, turned as EXIF says",
    )
    parser.add_argument(
        "--score", type=share, default=0.3, metavar="S", help="least score of objects that are drawn; default: 0.3"
    )
    add_looks(parser)
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="default: text; json of a video is a line for each frame",
    )


def run(args: argparse.Namespace) -> int:
    """Ask, print."""
    from json import dumps

    from archspec.cli import FAILED
    from archspec.cli._output import failed, write
    from archspec.data.errors import DataError
    from archspec.data.video import is_video
    from archspec.runs.prediction import predict
    from archspec.training.errors import RunError
    from archspec.training.looking import Looking

    def told(record: Mapping[str, Any], line: str) -> None:
        write(dumps(record, ensure_ascii=False) if args.format == "json" else line)
        sys.stdout.flush()

    try:
        found = predict(
            args.logdir,
            args.file,
            top=args.top,
            best=args.best,
            masks=args.masks,
            drawings=args.draw,
            least=args.score,
            looking=Looking(args.views, args.scales, args.dense, args.crf),
            told=told,
        )
    except (RunError, DataError) as error:
        return failed(str(error), FAILED)
    for text in found.notes:
        print(f"archspec: note: {text}", file=sys.stderr)
    for problem in found.unreadable:
        failed(problem, FAILED)
    if any(is_video(path) for path in args.file):
        return FAILED if found.unreadable else 0
    if args.format == "json" and (found.records or not found.unreadable):
        write(dumps(found.records, ensure_ascii=False))
    elif found.records:
        write(str(found))
    return FAILED if found.unreadable else 0
