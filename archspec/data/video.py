"""Videos frame by frame, with OpenCV, which archspec does not need otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from archspec.data.errors import DataError

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
FALLBACK = 25.0
"""Frames a second of what is written where a video does not say how many it has."""


def is_video(path: Path) -> bool:
    """Whether a file's name is that of a video."""
    return path.suffix.lower() in SUFFIXES


class Video:
    """A video that is read from its beginning, one frame after the other. Raises DataError for what is none, and where
    OpenCV is not installed."""

    def __init__(self, path: Path):
        cv2 = _opencv(path)
        if not path.is_file():
            raise DataError(f"{path} is no file")
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise DataError(f"{path} is not a video that OpenCV can read")
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if 0 < rate < 1e4 else None
        """Frames a second, where the file says it."""

    def frames(self, channels: int = 3) -> Iterator[np.ndarray]:
        """Each frame as a person sees it, uint8 of shape (height, width, channels): colours, or grey where ``channels``
        is 1."""
        cv2 = _opencv(self.path)
        code = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGR2GRAY
        try:
            while True:
                is_there, frame = self._capture.read()
                if not is_there:
                    return
                out = cv2.cvtColor(frame, code)
                yield out if out.ndim == 3 else out[..., None]
        finally:
            self._capture.release()


class VideoWriter:
    """Frames of one size written as MPEG-4, which begins with the first. Raises DataError."""

    def __init__(self, path: Path, rate: float | None):
        self.path, self.rate = path, rate or FALLBACK
        self._writer: object = None

    def write(self, frame: np.ndarray) -> None:
        """One more frame, uint8 of shape (height, width, 3)."""
        cv2 = _opencv(self.path)
        if self._writer is None:
            size = frame.shape[1], frame.shape[0]
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*"mp4v"), self.rate, size)
            if not self._writer.isOpened():  # type: ignore[attr-defined]
                raise DataError(f"{self.path} cannot be written as a video by OpenCV")
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))  # type: ignore[attr-defined]

    def close(self) -> None:
        """Nothing comes any more."""
        if self._writer is not None:
            self._writer.release()  # type: ignore[attr-defined]
        self._writer = None


@contextmanager
def written_video(path: Path, rate: float | None) -> Iterator[VideoWriter]:
    """A writer whose file is in its place when all went well, and else nowhere. Raises DataError, OSError."""
    from archspec.storage.atomic import staged

    with staged(path) as beside:
        writer = VideoWriter(beside, rate)
        try:
            yield writer
        finally:
            writer.close()


def _opencv(path: Path) -> ModuleType:
    try:
        import cv2
    except ImportError:
        raise DataError(f"{path} is a video, which OpenCV reads", help="pip install opencv-python-headless") from None
    module: ModuleType = cv2
    return module
