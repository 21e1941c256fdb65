"""Files that are written for images that a person names: masks, and copies with boxes drawn on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION = 0x0112
"""EXIF's tag of how a picture is to be turned for a person."""


class FilePicture(NamedTuple):
    """An image as its file has it: height and width, how EXIF says that it is to be turned (None where it says
    nothing), and its pixels in RGB where they are asked for."""

    size: tuple[int, int]
    turned: int | None = None
    pixels: Image | None = None

    @property
    def rgb(self) -> Image:
        """The pixels, which are there."""
        assert self.pixels is not None
        return self.pixels


def read_picture(image: Path, *, pixels: bool) -> FilePicture:
    """Open an image, and decode it where its ``pixels`` are asked for."""
    from archspec.data.images import by_pillow

    with by_pillow(str(image)) as given:
        turned = given.getexif().get(ORIENTATION)
        return FilePicture((given.height, given.width), turned, given.convert("RGB") if pixels else None)


def as_a_person_sees(picture: Image, turned: int | None) -> Image:
    """An image turned as EXIF says."""
    from PIL import ImageOps

    if turned is None:
        return picture
    picture.getexif()[ORIENTATION] = turned
    return ImageOps.exif_transpose(picture)


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
