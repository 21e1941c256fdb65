"""Pictures made of those of several examples, and of objects of others: what detectors are trained on.

Examples are joined within a batch, in groups that stand beside each other, so that what comes out depends on the seed,
the epoch and the step alone, and not on how a batch is divided among devices, as long as each has whole groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.blending import blend, blended, filled_up
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.feature import Feature
from archspec.data.features.boxes import Boxes, area
from archspec.data.fields import Interval
from archspec.data.mask_rows import covered, mask_names
from archspec.data.motion import Motion, Sides, affine
from archspec.data.pixels import warped
from archspec.data.region import Region
from archspec.data.transform import Share, Transform, TransformError, image_of, partner, where_example
from archspec.data.transforms.geometric import moved, sides

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

PARTS = 4
"""Pictures of a mosaic."""


class Joining(Transform):
    """A picture with objects of several examples, with room for all that come together. Order of rules: fields,
    ``infer``, ``transform``."""

    is_random = True

    probability: Share = 1.0
    """Share of the examples that are changed."""

    def joined(self, features: Example, count: int) -> Example:
        """What an example is that ``count`` others are put into. Raises TransformError."""
        image_of(features, self.name)
        if features.has_open_sizes:
            message = f"{self.name} needs images of one size, the data are {features.image}"
            raise TransformError(message, help="letterbox or resize first")
        if not any(isinstance(feature, Boxes) for feature in features.features.values()):
            raise TransformError(f"{self.name} joins pictures with objects, and the data have no boxes", help="cutmix")
        if others := [target for target in features.targets if target != LABEL]:
            raise TransformError(f"{self.name} joins what images show, the data also have {', '.join(others)}")
        out = features
        try:
            for _ in range(count):
                out = blended(out, features, is_mean=False)
        except DataError as error:
            raise TransformError(f"{self.name}: {error.message}", help=error.help) from None
        return out

    def settled(self, draw: Draw, joined: Batch, batch: Batch, features: Mapping[str, Feature]) -> Batch:
        """The batch with what was joined in a share of its examples, and as much room for objects in all of them."""
        if self.probability >= 1:
            return joined
        which = draw.uniform() < self.probability
        old = filled_up(batch, features, self.infer(Example(features)).features)
        return {**joined, **{name: where_example(which, joined[name], old[name]) for name in features}}


@dataclass(frozen=True, eq=False)
class _Within(Motion):
    """A motion of which only a rectangle of the output is seen, of each example its own: (batch, 4)."""

    rectangle: Any = None

    def inside(self, boxes: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        low, high = tf.tile(self.rectangle[:, None, :2], (1, 1, 2)), tf.tile(self.rectangle[:, None, 2:], (1, 1, 2))
        return tf.minimum(tf.maximum(boxes, low), high)


class Mosaic(Joining, name="mosaic", main="scale"):
    """Four pictures about a random centre, as large together as one (Bochkovskiy et al. 2020): each is scaled, its
    inner corner put at the centre, and cut where the next begins. Objects are cut with them, and dropped where too
    little is left. Needs batches of a multiple of four."""

    scale: Interval = (0.5, 1.0)
    """Least and largest factor of each picture; at 0.5 about the middle all four are whole."""
    margin: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    """How near to a border the centre may be, as a share of height and width."""
    value: Annotated[float, Field(ge=-1e6, le=1e6)] = 114.0
    """What is where no picture is, in the image's own numbers."""

    def infer(self, features: Example) -> Example:
        return self.joined(features, PARTS - 1)

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        import tensorflow as tf

        height, width = sides(batch[IMAGE])
        high, wide = (tf.cast(n, tf.float32) for n in (height, width))
        places = draw.uniform(self.margin, 1 - self.margin, shape=(2,))
        y, x = (tf.round(places[:, k] * n) for k, n in enumerate((high, wide)))
        scales = draw.uniform(*self.scale, shape=(PARTS,))
        rows, columns = (tf.cast(tf.range(n), tf.float32) for n in (height, width))
        zero = tf.zeros_like(x)
        out: Batch = {}
        before = zero
        for k in range(PARTS):
            is_right, is_lower, scale = k % 2 == 1, k // 2 == 1, scales[:, k]
            left, top = x if is_right else x - wide * scale, y if is_lower else y - high * scale
            first = x if is_right else zero, y if is_lower else zero
            last = zero + wide if is_right else x, zero + high if is_lower else y
            seen = tf.stack([*first, *last], 1)
            matrix = affine(1 / scale, zero, (0.5 - left) / scale - 0.5, zero, 1 / scale, (0.5 - top) / scale - 0.5)
            motion = _Within(matrix, (height, width), (height, width), sampling=self._sampling(matrix), rectangle=seen)
            one = moved({name: partner(batch[name], k) for name in features}, features, motion)
            inside = (rows[None] >= seen[:, 1:2]) & (rows[None] < seen[:, 3:])
            beside = (columns[None] >= seen[:, :1]) & (columns[None] < seen[:, 2:3])
            mine = (inside[:, :, None] & beside[:, None, :])[..., None]
            own = (seen[:, 2] - seen[:, 0]) * (seen[:, 3] - seen[:, 1])
            share = before / tf.maximum(before + own, 1.0)
            out = blend(out, one, features, Region(~mine, share)) if out else one
            before += own
        return self.settled(draw, {**batch, **out}, batch, features)

    def _sampling(self, matrix: tf.Tensor) -> Any:
        def sampling(image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
            value = fill if nearest else self.value
            return warped(image, matrix, sides(image), "constant", nearest=nearest, value=value)

        return sampling


class CopyPaste(Joining, name="copy_paste", main="share"):
    """Objects of another example put where they are there (Ghiasi et al. 2021): the pixels of their masks where the
    data have masks, else the rectangles that their boxes are. An object is dropped where too little of it is left to be
    seen. Needs batches of an even number."""

    share: Share = 0.5
    """Probability of each object of the other example."""

    def infer(self, features: Example) -> Example:
        return self.joined(features, 1)

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        import tensorflow as tf

        other = {name: partner(batch[name], 1) for name in features}
        name = next(name for name, kind in features.items() if isinstance(kind, Boxes))
        boxes = other[name]
        chosen = (draw.pixels((boxes.shape[1],)) < self.share) & (area(boxes) > 0)
        names = mask_names(features)
        if names is not None:
            pasted = covered(other[names.masks], tf.where(chosen, other[names.places], -1))
            other[names.places] = tf.where(chosen, other[names.places], -1)
        else:
            pasted = _within(boxes, chosen, sides(batch[IMAGE]))
        # Who is not chosen is not there, however much of it lies in the rectangles of others.
        other[name] = tf.where(chosen[..., None], boxes, 0.0)
        kept = 1 - tf.reduce_mean(tf.cast(pasted, tf.float32), (1, 2, 3))
        joined = blend(batch, other, features, Region(~pasted, kept, is_ragged=names is not None))
        return self.settled(draw, joined, batch, features)


def _within(boxes: tf.Tensor, chosen: tf.Tensor, size: Sides) -> tf.Tensor:
    """Which pixels some of the boxes (batch, count, 4) touch: (batch, height, width, 1)."""
    import tensorflow as tf

    low, high = tf.floor(boxes[..., :2]), tf.math.ceil(boxes[..., 2:])
    rows, columns = (tf.cast(tf.range(n), tf.float32)[None, None] for n in size)
    down = tf.cast((rows >= low[..., 1:]) & (rows < high[..., 1:]) & chosen[..., None], tf.float32)
    across = tf.cast((columns >= low[..., :1]) & (columns < high[..., :1]), tf.float32)
    return tf.einsum("brh,brw->bhw", down, across)[..., None] > 0
