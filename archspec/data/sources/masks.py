"""Images with a class at each pixel: a folder of photos and a folder of masks, matched by the names of their files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.mask import Mask
from archspec.data.files import Fault, FileEntry, Listing
from archspec.data.images import SUFFIXES, stored_size
from archspec.data.layout import SPLITS, files_below, split_of, stratified_split
from archspec.data.mask_values import VOID, Colour, MaskError, MaskValues, Values, found_values, read_mask, shares
from archspec.data.objects import in_stored
from archspec.data.source import TRAIN, DataPath, Holdout, Seed, stamp
from archspec.data.sources.image_files import ImageFiles
from archspec.data.sources.object_files import small_file
from archspec.ir.diagnostics import shown
from archspec.ir.tensors import TensorSpec
from archspec.storage.cache import cache_path, load_or_compute

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

IMAGES = ("images", "image", "imgs", "img", "photos", "photo", "jpegimages", "pictures", "x")
MASKS = ("segmentationclass", "masks", "mask", "labels", "label", "annotations", "annotation", "annot", "gt", "y")
"""What people call the two folders, in any case."""
ENDINGS = ("_mask", "-mask", "_label", "_labels", "_gt", "_segmentation", "_seg")
"""What the name of a mask may have behind that of its image."""


class Masks(ImageFiles, name="masks", main="path"):
    """A folder of images and one of masks, whose files have the same names (or end in ``_mask``):
    ``images/1.jpg`` and ``masks/1.png``; ``train/images/…`` and ``train/masks/…``, or ``images/train/…``,
    or ``train/…`` and ``trainannot/…``, where there are folders for the splits; or Pascal VOC's ``JPEGImages`` and
    ``SegmentationClass`` with lists of names in ``ImageSets/Segmentation``; else a share is held out as ``val``.

    Masks are PNG, TIFF, BMP or GIF files in which a pixel's value, number in a palette, or colour says its class. That
    of a photo that EXIF turns by a quarter may be of the picture as it is shown, which its height and width tell. What
    turns, crops or scales an image does the same to its mask, which is then void where the image is empty.
    """

    suffixes = ("/",)

    path: DataPath
    """The folder of both, or that of the images where ``masks`` is given."""
    masks: DataPath | None = None
    """The folder of the masks, where they lie elsewhere."""
    values: Values = ()
    """What stands for which class: names of the classes of the values 0, 1, …, or a map, such as
    ``{0: background, 255: cell}`` or ``{"#000000": background, "#804000": road}``, whose order is that of the classes.
    Where not given, all values that occur in training are classes of their own; of three or more, 255 is void."""
    void: tuple[Colour, ...] | Colour | None = None
    """Values of pixels that do not count, in training and in figures. They reach the network as 255."""
    holdout: Holdout = 0.2
    """Share held out where there are no folders for the splits."""
    seed: Seed = 0
    """Seed of that division."""

    @classmethod
    def is_layout(cls, folder: Path) -> bool:
        try:
            return bool(matched(folder, None)[0])
        except (DataError, OSError):
            return False

    def fingerprint(self) -> str:
        return stamp(self, sorted(p for s in matched(self.path, self.masks)[0].values() for pair in s for p in pair))

    def listing(self) -> Listing:
        """Every image by split, with its mask. Raises DataError."""
        found, strays, faults = matched(self.path, self.masks)
        splits = {s: [FileEntry(image, 0, image, mask=mask) for image, mask in pairs] for s, pairs in found.items()}
        is_divided = len(splits) == 1
        if is_divided:
            (entries,) = splits.values()
            splits = stratified_split(entries, [0] * len(entries), self.holdout, self.seed)
        return Listing((), splits, strays, faults, is_divided)

    def classes(self) -> MaskValues:
        """What values of masks mean. Reads the masks of the training examples where the run file does not say it.
        Raises DataError."""
        return _values(self, self.fingerprint())

    def features(self) -> Example:
        names = self.classes().names
        spec = TensorSpec((None, None, self.channels), "uint8")
        mask = Mask(TensorSpec((None, None, 1), "uint8"), len(names), names, VOID)
        splits = self.listing()
        counts = {split: len(entries) for split, entries in splits.splits.items()}
        return Example({IMAGE: Image(spec), LABEL: mask}, counts, is_divided=splits.is_divided)

    def labelled(self, entries: Sequence[FileEntry], listing: Listing) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        import numpy as np
        import tensorflow as tf

        values, fingerprint = self.classes(), self.fingerprint()

        def read(row: Any) -> Any:
            entry = entries[int(row)]
            mask, _ = read_mask(entry.mask, values, self.max_pixels)
            return np.asarray(_as_stored(mask, _stored_size(entry.path, fingerprint)))[..., None]

        def told(row: tf.Tensor) -> dict[str, tf.Tensor]:
            mask = tf.numpy_function(read, [row], tf.uint8, stateful=False)
            return {LABEL: tf.ensure_shape(mask, (None, None, 1))}

        return told

    def unfit(self, entry: FileEntry) -> str | None:
        try:
            mask, unknown = read_mask(entry.mask, self.classes(), self.max_pixels)
        except MaskError as error:
            return f"has a mask that {error}: {shown(entry.mask, 300)[1:-1]}"
        if unknown:
            said = shares(unknown, mask.size)
            return f"has a mask with values that are no class: {said} ({shown(entry.mask, 300)[1:-1]})"
        own_width, own_height, turned = stored_size(entry.path)
        mask = _as_stored(mask, (own_width, own_height, turned))
        if own_height and (own_height, own_width) != mask.shape:
            (height, width), name = mask.shape, shown(entry.mask, 300)[1:-1]
            return f"is {own_width}×{own_height} pixels and its mask {width}×{height}: {name}"
        return None


@lru_cache(maxsize=1 << 17)
def _stored_size(path: str, fingerprint: str) -> tuple[int, int, int]:
    """That of an image of these files."""
    return stored_size(path)


def _as_stored(mask: np.ndarray, stored: tuple[int, int, int]) -> np.ndarray:
    """A mask on the pixels of its image's file, of which ``stored`` is width, height and EXIF orientation: one that was
    made of the picture as a viewer shows it, by a quarter turn, is turned back, as its size tells."""
    width, height, orientation = stored
    if orientation < 5 or mask.shape != (width, height) or width == height:
        return mask
    return in_stored(mask, orientation)


Pairs = list[tuple[str, str]]
"""Files of images, each with that of its mask."""


def matched(path: Path, masks_in: Path | None) -> tuple[dict[str, Pairs], tuple[str, ...], tuple[Fault, ...]]:
    """Images with their masks by split, and what has no other side. Raises DataError."""
    if not path.is_dir():
        raise DataError(f"{path} is not a folder")
    arranged = _arranged(path, masks_in)
    if not arranged:
        raise DataError(
            f"{path} holds no folder of images beside one of masks",
            help="images/1.jpg and masks/1.png; or masks: says where the masks are",
        )
    if len(arranged) > 1 and TRAIN not in arranged:
        raise DataError(f"{path} has {', '.join(arranged)} and no folder {TRAIN} beside it")
    found: dict[str, Pairs] = {}
    strays: list[str] = []
    faults: list[Fault] = []
    for split, (images, masks) in arranged.items():
        here, there = _by_stem(images, strays), _by_stem(masks, strays, is_mask=True)
        lists = _listed(images.parent) if len(arranged) == 1 else {}
        if lists:
            # Most photos of Pascal VOC have no mask, and are in no list.
            named = {stem for stems in lists.values() for stem in stems}
            here = {stem: image for stem, image in here.items() if stem in named}
        found[split] = [(here[stem], there[stem]) for stem in sorted(here.keys() & there.keys())]
        faults += [Fault("no mask", here[s], f"has no mask in {masks}; it is left out") for s in here if s not in there]
        faults += [Fault("no image", there[s], f"has no image in {images}") for s in there if s not in here]
        if not found[split]:
            ones = [next((Path(names[s]).name for s in sorted(names)), "nothing") for names in (here, there)]
            raise DataError(
                f"no image of {images} has a mask in {masks}: there are {ones[0]} and {ones[1]}",
                help="an image and its mask have one name but for the ending: 1.jpg and 1.png",
            )
        if lists:
            pairs = {stem: (here[stem], there[stem]) for stem in here.keys() & there.keys()}
            found = {name: [pairs[stem] for stem in stems if stem in pairs] for name, stems in lists.items()}
            found = {name: members for name, members in found.items() if members}
    return found, tuple(strays), tuple(faults)


def _listed(folder: Path) -> dict[str, list[str]]:
    """Names of the images of each split, where there are lists of them as Pascal VOC has them."""
    lists = {name: folder / "ImageSets" / "Segmentation" / f"{name}.txt" for name in SPLITS}
    return {
        name: list(dict.fromkeys(small_file(path).decode("utf-8", "replace").split()))
        for name, path in lists.items()
        if path.is_file()
    }


def _by_stem(folder: Path, strays: list[str], *, is_mask: bool = False) -> dict[str, str]:
    """Image files of a folder and those below by their names from there, without endings."""
    out: dict[str, str] = {}
    for name in files_below(folder):
        path = os.path.join(folder, name)
        if not name.lower().endswith(SUFFIXES):
            strays.append(path)
            continue
        stem = os.path.splitext(name)[0]
        if is_mask:
            stem = next((stem.removesuffix(e) for e in ENDINGS if stem.lower().endswith(e)), stem)
        if stem in out:
            raise DataError(f"{path} and {out[stem]} have one name: which is the one of {stem}?")
        out[stem] = path
    return out


def _arranged(path: Path, masks: Path | None) -> dict[str, tuple[Path, Path]]:
    """The folders of images and masks of each split, ``""`` where there are none; nothing where they are not found."""
    if masks is not None:
        return _beside(path, masks) or {"": (path, masks)}
    tops = {p.name: p for p in sorted(path.iterdir()) if p.is_dir() and not p.name.startswith(".")}
    if pair := _pair(tops):
        return _beside(*pair) or {"": pair}
    out: dict[str, tuple[Path, Path]] = {}
    for name, folder in tops.items():
        split = split_of(name)
        if split is None or split in out:
            continue
        inside = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir()}
        if pair := _pair(inside):
            out[split] = pair
            continue
        called = {f"{name.lower()}{between}{word}" for between in ("", "_") for word in MASKS}
        beside = next((found for other, found in tops.items() if other.lower() in called), None)
        if beside is not None:
            out[split] = (folder, beside)
    return out


def _pair(folders: Mapping[str, Path]) -> tuple[Path, Path] | None:
    """The folder of images and that of masks among some."""
    named = {name.lower(): folder for name, folder in folders.items()}
    images = next((named[n] for n in IMAGES if n in named), None)
    masks = next((named[n] for n in MASKS if n in named), None)
    return (images, masks) if images is not None and masks is not None else None


def _beside(images: Path, masks: Path) -> dict[str, tuple[Path, Path]]:
    """The same by split, where both folders have folders of the splits."""
    below = {split: p for p in images.iterdir() if p.is_dir() and (split := split_of(p.name))}
    other = {split: p for p in masks.iterdir() if p.is_dir() and (split := split_of(p.name))}
    return {split: (below[split], other[split]) for split in SPLITS if split in below.keys() & other}


@lru_cache(maxsize=32)
def _values(source: Masks, fingerprint: str) -> MaskValues:
    void = () if source.void is None else source.void if isinstance(source.void, tuple) else (source.void,)
    if source.values:
        return MaskValues.of(source.values, void)
    paths = [entry.mask for entry in source.listing().splits[TRAIN]]
    path = cache_path("mask_values", ".json", fingerprint)
    try:
        found = load_or_compute(path, lambda: found_values(paths, source.max_pixels))
        return MaskValues.seen(found, void)
    except MaskError as error:
        raise DataError(f"{source.path}: {error}", help=error.help) from None
