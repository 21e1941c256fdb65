"""Transforms that end before the training does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.arguments import Items
from archspec.data.blending import filled_up, growing
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.feature import Feature
from archspec.data.transform import Transform, TransformError, infer
from archspec.ir.diagnostics import shown
from archspec.ir.reading import declared
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


class Until(Transform, name="until", main="epoch"):
    """Steps that are done in the first epochs alone, so that the last ones see images as they are (Ge et al. 2021 end
    mosaic and mixup 15 epochs before the training). They leave sizes and kinds of all parts as they were, but
    for room for more objects. In evaluation nothing."""

    is_random = True

    epoch: Annotated[int, Field(ge=1, le=10**6)]
    """How many epochs: the steps are done in epochs 1 to this one."""
    steps: Items[declared(Transform, "a transform")]  # type: ignore[valid-type]
    """What is done to the examples, in order."""

    def infer(self, features: Example) -> Example:
        for step in self.steps:
            if step.name == "cache" or not step.is_fitted:
                raise TransformError(f"until: {step.name} is for all epochs", help=f"put {step.name} outside of until")
        out = infer(features, self.steps)[-1]
        for name in dict.fromkeys([*features.parts, *out.parts]):
            before, after = features.parts.get(name), out.parts.get(name)
            # A class becomes shares of classes before the first step, where a step wants it so; and where objects of
            # several examples come together, there is room for as many in all epochs.
            is_longer = before and after and name in growing(features.features) and _differ(before, after) == 1
            if before != after and name != LABEL and not is_longer:
                made = f"{_said(before)} becomes {_said(after)}" if before and after else "comes or goes"
                raise TransformError(
                    f"until: {shown(name)} {made}, and would change after epoch {self.epoch}",
                    help="steps that change sizes or types stand outside of until",
                )
        return out

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        import tensorflow as tf

        specs = infer(Example(features), self.steps)
        after = specs[-1].features

        def changed() -> Batch:
            from archspec.data.transforms.color import mapped

            out = dict(batch)
            for step, before in zip(self.steps, specs, strict=False):
                if step.is_color:
                    out[IMAGE] = mapped(out[IMAGE], [(step, draw)])
                else:
                    out = step.transform(out, draw, before.features)
            out = filled_up(out, features, after)
            sized = [name for name in batch if name not in growing(after)]
            return {name: out[name] for name in growing(after)} | {
                name: tf.ensure_shape(out[name], batch[name].shape) for name in sized
            }

        def unchanged() -> Batch:
            return filled_up(batch, features, after)

        # All examples of a batch are of one epoch.
        out: Batch = tf.cond(batch["epoch"][0] < self.epoch, changed, unchanged)
        return out


def _differ(before: TensorSpec, after: TensorSpec) -> int:
    """How many axes differ."""
    return sum(a != b for a, b in zip(before.shape, after.shape, strict=True))


def _said(spec: TensorSpec) -> str:
    return f"{spec} {spec.dtype}"
