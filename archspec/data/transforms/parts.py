"""Examples of several images: made of one, and each of them changed."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from archspec.data.arguments import Items
from archspec.data.example import IMAGE, Example, feature_of
from archspec.data.features.image import Image
from archspec.data.features.mask import Mask
from archspec.data.pixels import keep_type
from archspec.data.transform import Transform, TransformError, for_evaluation, image_of, infer
from archspec.data.transforms.geometric import Geometric, alone
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.reading import declared
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.statistics import Statistics
    from archspec.data.transform import Batch, StatisticsOf

Part = Annotated[str, Field(min_length=1, max_length=64)]
"""The name of a tensor of an example."""


def _parts(value: object) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if found and all(isinstance(n, str) and n for n in found) and len(set(found)) == len(found):
        return found
    raise refuse("must be the name of a part, or a list of several")


_PARTS = {"type": ["string", "array"], "items": {"type": "string", "minLength": 1}, "minItems": 1, "minLength": 1}


class Apply(Transform, name="apply", main="to"):
    """Steps for images that are not called ``image``. Of several parts named together each gets the same: what is
    drawn is drawn once. Parts of different draws have an ``apply`` each.

    In a part of the numbers of classes (whole numbers of 32 bits, and ``label``) steps that move pixels take the
    nearest, as what lies between two classes is neither; what is empty is class 0. Other steps are refused there."""

    to: Annotated[tuple[str, ...], BeforeValidator(_parts), WithJsonSchema(_PARTS)]
    """Names of the parts."""
    steps: Items[declared(Transform, "a transform")]  # type: ignore[valid-type]
    """What is done to them, in order."""

    def infer(self, features: Example) -> Example:
        made = dict(features.features)
        left = [part for part in features.placed if part not in self.to]
        if IMAGE in self.to and left and any(isinstance(step, Geometric) for step in self.steps):
            raise TransformError(
                f"apply: the coordinates in the image ({', '.join(left)}) would not be moved with it",
                help="the same steps without apply move all of it",
            )
        for name in self.to:
            if name not in made:
                near = did_you_mean(name, list(made)) or f"the data have {', '.join(made)}"
                raise TransformError(f"apply: there is no part {shown(name)}", help=near)
            is_classes = isinstance(made[name], Mask)
            for step in self.steps:
                if not step.is_fitted and len(self.to) > 1:
                    raise TransformError(
                        f"apply: {step.name} asks for the data's numbers, which {' and '.join(self.to)} have each of "
                        "their own",
                        help="an apply for each of them",
                    )
                if is_classes and not isinstance(step, Geometric):
                    raise TransformError(
                        f"apply: {step.name} would change the class numbers in {name!r}",
                        help="give them an apply of their own, with what moves pixels only",
                    )
            outcome = infer(Example({IMAGE: made[name]}), self.steps)[-1].features
            if set(outcome) != {IMAGE}:
                raise TransformError("apply: its steps change images, these make other parts")
            made[name] = outcome[IMAGE]
        return replace(features, features=made)

    @property
    def is_fitted(self) -> bool:
        return all(step.is_fitted for step in self.steps)

    def fit(self, statistics: StatisticsOf) -> Transform:
        made: list[Transform] = []
        for step in self.steps:
            before = for_evaluation(made)
            after = (Apply(to=self.to, steps=before),) if before else ()
            # Of the parts named together none is fitted to, so that there is one.
            made.append(step.fit(partial(_of_part, statistics, self.to[0], after)))
        return self.model_copy(update={"steps": tuple(made)})

    def evaluation(self) -> Transform | None:
        steps = for_evaluation(self.steps)
        return Apply(to=self.to, steps=steps) if steps else None

    def apply(self, batch: Batch, draw: Draw) -> Batch:

        out = dict(batch)
        for name in self.to:
            # The drawing begins anew for each part, so that all see the same.
            given, drawn = batch[name], copy(draw)
            kind = feature_of(name, TensorSpec(given.shape[1:], given.dtype.name))
            one = {**batch, IMAGE: given}
            for step in self.steps:
                one = _colored(step, one, drawn) if step.is_color else step.transform(one, drawn, {IMAGE: kind})
            out[name] = one[IMAGE]
        return out


class Halves(Transform, name="halves"):
    """Splits an image of two pictures side by side into two parts, in place of ``image``."""

    left: Part = "a"
    """The name of the left half."""
    right: Part = "b"
    """The name of the right half."""

    def infer(self, features: Example) -> Example:
        height, width, channels = image_of(features, "halves").shape
        alone(features, "halves")
        if self.left == self.right:
            raise TransformError(f"halves: both are called {shown(self.left)}")
        if width is not None and width % 2:
            raise TransformError(f"halves: {width} columns have no middle", help=f"resize: [{height}, {width + 1}]")
        half = TensorSpec((height, None if width is None else width // 2, channels), features.image.dtype)
        return _in_place_of_image(features, {self.left: half, self.right: half})

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        middle = tf.shape(image)[2] // 2
        others = {name: value for name, value in batch.items() if name != IMAGE}
        return {**others, self.left: image[:, :, :middle], self.right: image[:, :, middle : 2 * middle]}


class Shrink(Transform, name="shrink", main="factor"):
    """The image, as ``large``, and a smaller copy of it, as ``small``, in place of ``image``: what super-resolution
    learns from. Before it is made small the image is averaged, as by any antialiasing."""

    factor: Annotated[int, Field(ge=2, le=16)] = 4
    """Pixels of the image along one of the copy."""
    method: Literal["bicubic", "bilinear", "area", "lanczos3"] = "bicubic"
    """Interpolation."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "shrink")
        alone(features, "shrink")
        sizes = []
        for n in image.spatial:
            if n is None:
                raise TransformError(
                    f"shrink needs images of one size, the data are {image}", help="random_crop or resize first"
                )
            if n % self.factor:
                raise TransformError(
                    f"shrink: {n} pixels are no multiple of {self.factor}",
                    help=f"resize: {n // self.factor * self.factor or self.factor}",
                )
            sizes.append(n // self.factor)
        small = TensorSpec((*sizes, image.channels), image.dtype)
        return _in_place_of_image(features, {"small": small, "large": image})

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = batch[IMAGE]
        sizes = [n // self.factor for n in image.shape[1:3]]
        small = tf.image.resize(image, sizes, self.method, antialias=True)
        others = {name: value for name, value in batch.items() if name != IMAGE}
        return {**others, "small": keep_type(small, image.dtype), "large": image}


def _in_place_of_image(features: Example, made: dict[str, TensorSpec]) -> Example:
    others = {name: feature for name, feature in features.features.items() if name != IMAGE}
    for name in made:
        if name in others:
            raise TransformError(f"the data have a part {shown(name)} already")
    return replace(features, features={**others, **{name: Image(spec) for name, spec in made.items()}})


def _colored(step: Transform, batch: Batch, draw: Draw) -> Batch:
    from archspec.data.transforms.color import mapped

    image: tf.Tensor = mapped(batch[IMAGE], [(step, draw)])
    return {**batch, IMAGE: image}


def _of_part(
    statistics: StatisticsOf,
    name: str,
    before: Sequence[Transform],
    part: str | None = None,
    after: Sequence[Transform] = (),
) -> Statistics:
    return statistics(name, (*before, *after))
