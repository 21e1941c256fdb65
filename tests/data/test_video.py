"""Videos frame by frame: what OpenCV wrote comes back, and where there is none of it, it is said."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from archspec.data.errors import DataError
from archspec.data.video import Video, is_video, written_video
from tests.wording import refuses


def frame(k):
    """Grey, with a bright square that moves to the right."""
    pixels = np.full((48, 64, 3), 40, np.uint8)
    pixels[10:26, 4 * k : 4 * k + 16] = (220, 40, 40)
    return pixels


def test_what_is_written_comes_back(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "moving.mp4"
    with written_video(path, 12.0) as out:
        assert not path.exists()
        for k in range(6):
            out.write(frame(k))
    video = Video(path)
    assert video.rate == pytest.approx(12) and is_video(path)
    found = list(video.frames())
    assert len(found) == 6
    for k, seen in enumerate(found):
        # MPEG-4 is lossy.
        assert seen.shape == (48, 64, 3) and np.abs(seen.astype(int) - frame(k)).mean() < 6
        assert seen[12:24, 4 * k + 2 : 4 * k + 14, 0].mean() > 180 > 90 > seen[12:24, 4 * k + 2 : 4 * k + 14, 2].mean()
    assert next(iter(Video(path).frames(1))).shape == (48, 64, 1)


def test_one_frame_is_read_at_a_time(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "moving.mp4"
    with written_video(path, None) as out:
        for k in range(6):
            out.write(frame(k))
    video = Video(path)
    frames = video.frames()
    next(frames)
    next(frames)
    assert video._capture.get(1) == 2  # CAP_PROP_POS_FRAMES


def test_a_video_that_failed_leaves_nothing(tmp_path):
    pytest.importorskip("cv2")
    with pytest.raises(KeyError), written_video(tmp_path / "moving.mp4", 12.0) as out:
        out.write(frame(0))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_what_is_no_video_is_refused(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "words.mp4"
    path.write_text("not a video")
    with refuses(DataError):
        Video(path)


def test_without_opencv_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    (tmp_path / "street.mp4").write_bytes(b"")
    with refuses(DataError):
        Video(tmp_path / "street.mp4")
