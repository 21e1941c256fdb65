"""Examples of rare classes oftener than others, where an example shows several classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.sampler import Keys, Sampler, training_labels
from archspec.data.samplers.weighted import evenly
from archspec.data.source import TRAIN

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.sampler import Order


class RepeatFactor(Sampler, name="repeat_factor", main="threshold"):
    """Images drawn with replacement, the oftener the rarer the rarest class of their objects is (Gupta et al. 2019,
    LVIS). A class that a share f of the images shows has the factor max(1, √(threshold / f)), an image the largest of
    its classes', or 1 without objects. An epoch has as many as there are."""

    threshold: Annotated[float, Field(gt=0, le=1)] = 0.001
    """Share of the images that a class is rare below. LVIS has 0.001; a small set wants more, such as 0.3."""

    def check(self, keys: Keys, batch: int) -> None:
        self.factors(keys)

    def factors(self, keys: Keys) -> np.ndarray:
        """The factor of each example, in their order. Raises DataError."""
        import numpy as np

        shown = _classes_shown(keys)
        images: dict[int, int] = {}
        for classes in shown:
            for label in classes:
                images[label] = images.get(label, 0) + 1
        factor = {label: max(1.0, (self.threshold * len(shown) / n) ** 0.5) for label, n in images.items()}
        return np.array([max((factor[label] for label in classes), default=1.0) for classes in shown])

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        import numpy as np
        import tensorflow as tf

        factors = self.factors(keys)
        limits, last = tf.constant(np.cumsum(factors / factors.sum())), len(factors) - 1

        def at(step: tf.Tensor) -> tf.Tensor:
            slot = step * batch + tf.range(batch, dtype=tf.int64)
            first, _ = evenly(seed, "repeat_factor", slot)
            return tf.minimum(tf.searchsorted(limits, first, side="right", out_type=tf.int64), last)

        return at


def _classes_shown(keys: Keys) -> list[set[int]]:
    """The classes that each training example shows. Raises DataError."""
    if keys.source.is_encoded:
        listing = cast(Any, keys.source).listing()
        if listing.most is not None:
            return [{one.label for one in entry.objects if not one.is_ignored} for entry in listing.splits[TRAIN]]
    try:
        return [{int(label)} for label in training_labels(keys.source)]
    except DataError as error:
        raise DataError(f"repeat_factor: {error.message}", help=error.help) from None
