"""What a trained network says of files: images, lines of text, or rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.runs.directory import preparation, without_data
from archspec.training.evaluation import whole
from archspec.training.looking import PLAIN, Looking

if TYPE_CHECKING:
    from archspec.data.video import Video

LEAST = 0.3
"""Score from which objects are drawn where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """A record for each example, in order: what it is called, and what the network says of it. ``lines`` are the same
    for a person; ``unreadable`` tells of files that cannot be read, ``notes`` of what may be read otherwise than is
    meant."""

    records: tuple[dict[str, Any], ...]
    lines: tuple[str, ...]
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def predict(
    logdir: Path,
    inputs: Any,
    *,
    top: int = 5,
    best: bool = False,
    masks: Path | None = None,
    drawings: Path | None = None,
    least: float = LEAST,
    looking: Looking = PLAIN,
    told: Callable[[Mapping[str, Any], str], None] | None = None,
) -> Predictions:
    """Read, prepare as the run evaluated, ask. ``inputs`` are paths, of which a folder stands for the images below it,
    or arrays as ``array_inputs`` takes them. Classes of pixels, or their segments, are written into ``masks``, a
    folder, as a PNG file of the size of each image; copies of images with these classes, or with the objects whose
    score is at least ``least``, into ``drawings``. Classes of pixels may be the mean of several looks, and objects
    those of several looks.

    A video is given by itself: it has a record for each frame, and what is drawn is a video, too. Records of frames and
    their lines go to ``told`` as they come, and are not kept, where that is given.

    Raises RunError, SpecError, DataError, OSError.
    """
    from archspec.backend.installation import quiet_start
    from archspec.data.example import IMAGE
    from archspec.data.features.image import Image
    from archspec.data.features.tokens import Tokens
    from archspec.data.images import MAX_PIXELS
    from archspec.data.objects import object_names
    from archspec.data.transforms.crops import CenterCrop
    from archspec.data.transforms.tiles import CenterTile
    from archspec.data.video import written_video
    from archspec.ir.diagnostics import advised
    from archspec.runs.beside import files_beside
    from archspec.runs.drawings import ending
    from archspec.runs.kept import Illustrated, KeptFrames, KeptImages
    from archspec.runs.other_data import recorded_source
    from archspec.training.array_inputs import arrays, is_array
    from archspec.training.errors import RunError, TaskError
    from archspec.training.planning import task_of
    from archspec.training.prediction import answers, frames, images, rows, texts, together
    from archspec.training.record import recorded_features
    from archspec.training.trained import trained, weights_file

    path = weights_file(logdir, best=best)
    found, features = without_data(logdir), recorded_features(logdir)
    graph = found.graph()
    task = task_of(found.run, graph, features)
    if not task.predicts:
        drawn = f"; 'archspec sample {logdir}' draws from it" if task.sample_options else ""
        raise RunError(f"{task.name} has no predictions for single examples{drawn}")
    parts = task.reads(graph, features)
    by_value = is_array(inputs)
    if by_value and (masks or drawings):
        raise RunError("masks and drawings are written for image files, not for arrays")
    paths: list[Path] = [] if by_value else list(inputs)
    if parts == (IMAGE,):
        paths = [path for given in paths for path in (_images_below(given) if given.is_dir() else [given])]
    if masks is not None and not (task.tells_pixels or task.tells_segments(graph)):
        raise RunError(f"{task.name} has no classes of pixels to make masks of")
    if drawings is not None and not (task.tells_objects or task.tells_pixels):
        raise RunError(f"{task.name} finds neither objects nor classes of pixels, which could be drawn")
    if looking.crf is not None and not task.tells_pixels:
        raise RunError(f"--crf is for classes of pixels, and {task.name} tells none")
    if not looking.is_plain and not (task.tells_pixels or task.located):
        of = "--views and --scales are for masks and objects, --dense is for masks"
        raise RunError(f"{task.name}: predict looks at an example once; {of}")
    video = _video(paths, masks) if parts == (IMAGE,) and not by_value else None
    named = {} if masks is None else files_beside(paths, masks, "mask")
    copies = {} if drawings is None else files_beside(paths, drawings, "drawing", ending)
    quiet_start()
    steps = preparation(logdir, found)
    network = graph.inference(), trained(graph, path), found.run.train, features
    try:
        predictor = task.predictor(*network) if looking.is_plain else task.looking(*network, looking)
        steps = whole(steps, looking, task)
    except TaskError as error:
        raise RunError(advised(error.message, error.help)) from None
    assert predictor is not None
    said = recorded_source(logdir)[1]
    most, encoding = said.get("max_pixels", MAX_PIXELS), said.get("encoding", "utf-8")
    kind = features.features[parts[0]] if len(parts) == 1 else None
    if by_value:
        asked = arrays(inputs, parts, features, steps)
    elif isinstance(kind, Tokens) and parts[0] in features.vocabularies:
        asked = texts(paths, graph, features, parts[0], predictor)
    elif video is not None:
        asked = frames(video, features, steps)
    elif parts == (IMAGE,):
        asked = images(paths, features, steps, most)
    elif kind is not None and not isinstance(kind, Image):
        asked = rows(paths, parts[0], features, steps, encoding)
    else:
        asked = together(paths, parts, features, steps, encoding, most, cuts=predictor.cuts)

    by = Illustrated(task, predictor, object_names(features), least)
    records: list[dict[str, Any]] = []
    lines: list[str] = []
    with ExitStack() as stack:
        kept: KeptImages | KeptFrames = KeptImages(by, named, copies)
        if video is not None:
            writers = [stack.enter_context(written_video(copy, video.rate)) for copy in copies.values()]
            kept = KeptFrames(by, video, *writers)
        for record in answers(predictor, asked, features, top, kept):
            line = predictor.line(_name(record, asked.kind), record)
            if video is not None and told is not None:
                told(record, line)
            else:
                records.append(record)
                lines.append(line)
    notes = asked.notes
    if task.tells_pixels and (
        step := next((step for step in steps if isinstance(step, (CenterCrop, CenterTile))), None)
    ):
        notes += (
            f"the middle of each image was looked at, as {step.name} of the run says; --dense looks at all of it",
        )
    return Predictions(tuple(records), tuple(lines), asked.bad, notes)


def _name(record: Mapping[str, Any], kind: str) -> str:
    """What a person calls an example."""
    name: str = record[kind]
    return f"{name}, frame {record['frame']}" if "frame" in record else name


def _video(paths: list[Path], masks: Path | None) -> Video | None:
    """The video, where the one file is such. Raises RunError, DataError."""
    from archspec.data.video import Video, is_video
    from archspec.training.errors import RunError

    videos = [path for path in paths if is_video(path)]
    if not videos:
        return None
    if len(paths) > 1:
        raise RunError(f"{videos[0]} is a video, which is asked about by itself: give no other file")
    if masks is not None:
        raise RunError("masks are written for images; of a video --draw writes a copy with the classes in colour")
    return Video(videos[0])


def _images_below(folder: Path) -> list[Path]:
    """The images in a folder and in the folders within it. Raises RunError where there is none, DataError."""
    from archspec.data.images import SUFFIXES
    from archspec.data.layout import files_below
    from archspec.training.errors import RunError

    found = [folder / name for name in files_below(folder) if name.lower().endswith(SUFFIXES)]
    if not found:
        raise RunError(f"{folder} has no images; they end in {', '.join(SUFFIXES)}")
    return found
