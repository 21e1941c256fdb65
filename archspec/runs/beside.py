"""Files that are written for images that a person names: masks, and copies with boxes drawn on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

ORIENTATION = 0x0112
"""EXIF's tag of how a picture is to be turned for a person."""


def files_beside(
    images: Sequence[Path], folder: Path, what: str, ending: Callable[[Path], str] = lambda image: ".png"
) -> dict[str, Path]:
    """The file that stands in ``folder`` for each image, by the image's path: its name, with another ending; ``what``
    is what it is called. Raises RunError where two images would have one, or it would stand in the place of an image.
    """
    from archspec.training.errors import RunError

    out: dict[str, Path] = {}
    taken: dict[Path, Path] = {}
    sources = {path.resolve() for path in images}
    for path in images:
        made = folder / f"{path.stem}{ending(path)}"
        if made.resolve() in sources:
            raise RunError(f"the {what} of {path} would overwrite an image, {made}")
        if (other := taken.get(made)) is not None and other != path:
            raise RunError(f"{other} and {path} would have one {what}, {made}")
        out[str(path)], taken[made] = made, path
    folder.mkdir(parents=True, exist_ok=True)
    return out
