"""What is written of examples that a network is asked about, beside records: masks, drawn copies, drawn videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from archspec.evaluators.base import Batch
from archspec.evaluators.panoptic import SEGMENTS
from archspec.runs.beside import FilePicture, read_picture
from archspec.runs.drawings import drawn, overlaid, write_picture
from archspec.runs.masks import mask_of, write_mask, write_segments

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    from archspec.data.video import Video, VideoWriter
    from archspec.training.task import PixelPredictor, Predictor, Task


@dataclass(frozen=True, slots=True)
class Illustrated:
    """Draws what a predictor of a task tells of an image: classes of pixels, or objects with a score of at least
    ``least``. ``names`` are those of the classes of objects."""

    task: Task
    predictor: Predictor
    names: tuple[str, ...]
    least: float

    def mask(self, size: tuple[int, int], batch: Batch, said: Batch) -> np.ndarray | None:
        """The classes of the pixels of a file of this height and width; None where none are told."""
        return mask_of(size, batch, said, cast("PixelPredictor", self.predictor)) if self.task.tells_pixels else None

    def picture(self, image: FilePicture, mask: np.ndarray | None, record: Mapping[str, Any], said: Batch) -> Picture:
        """A copy of an image as a person is to see it."""
        if mask is not None:
            return overlaid(image, mask)
        return drawn(image, record, self.names, self.least, said[SEGMENTS][0] if SEGMENTS in said else None)


@dataclass(frozen=True, slots=True)
class KeptImages:
    """Of images, which are opened once each: masks and copies go to files by the images' paths."""

    by: Illustrated
    masks: Mapping[str, Path]
    copies: Mapping[str, Path]

    def __call__(self, name: str, batch: Batch, said: Batch, record: Mapping[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if not self.masks and not self.copies:
            return out
        image = read_picture(Path(name), pixels=bool(self.copies))
        mask = self.by.mask(image.size, batch, said)
        if self.masks and mask is not None:
            out |= write_mask(self.masks[name], image.turned, mask)
        elif self.masks and SEGMENTS in said:
            out |= write_segments(self.masks[name], image.turned, said[SEGMENTS][0])
        if self.copies:
            out |= write_picture(self.copies[name], self.by.picture(image, mask, record, said))
        return out


class KeptFrames:
    """Of the frames of a video, in their order: their numbers from 0 and when they are seen, and where there is a
    ``writer`` a drawn frame each."""

    def __init__(self, by: Illustrated, video: Video, writer: VideoWriter | None = None):
        self.by, self.video, self.writer, self.numbers = by, video, writer, count()

    def __call__(self, name: str, batch: Batch, said: Batch, record: Mapping[str, Any]) -> dict[str, Any]:
        import numpy as np
        from PIL import Image

        from archspec.training.prediction import FRAME

        number = next(self.numbers)
        if self.writer is not None:
            pixels = np.repeat(batch[FRAME], 3 // batch[FRAME].shape[2], 2)
            image = FilePicture(pixels.shape[:2], None, Image.fromarray(pixels))
            self.writer.write(np.asarray(self.by.picture(image, self.by.mask(image.size, batch, said), record, said)))
        when = {} if self.video.rate is None else {"seconds": round(number / self.video.rate, 3)}
        return {"frame": number, **when}
