"""FLOPs in bounds, beside those that XLA's cost analysis counts of Keras's own networks.

    python tools/xla_flops.py

The networks of ``keras.applications`` are traced through JAX, which runs nothing, and the lowered program is asked for
its FLOPs. Two things are not alike and are worked out by hand: Keras pads before the first convolution of ResNet and
DenseNet in a layer of its own, so XLA multiplies that margin, and XLA counts no softmax. What is left is how batch
normalisation is folded, about 5 operations a channel. The exit code is 1 where a network differs by more than 0.01 %.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"

import archspec
from archspec.analysis.cost import totals

MARGIN = 2 * (784**2 - 778**2) * 3 * 64
"""FLOPs of taps on the 3 pixels around 224² that a kernel of 7, stride 2 and 64 filters reads."""
NETWORKS = {
    "vgg16": ("VGG16", 0),
    "inception_v3_keras": ("InceptionV3", 0),
    "resnet50_keras": ("ResNet50", MARGIN),
    "densenet201": ("DenseNet201", MARGIN),
}
"""Keras's name of a spec, and what Keras multiplies beside it."""
LIMIT = 1e-4


def xla_flops(name: str, shape: tuple[int, ...]) -> int:
    """What XLA counts of one sample."""
    import jax
    import keras

    model = getattr(keras.applications, name)(weights=None, input_shape=shape)
    given = [
        [jax.ShapeDtypeStruct(w.shape, w.dtype) for w in ws]
        for ws in (model.trainable_variables, model.non_trainable_variables)
    ]
    sample = jax.ShapeDtypeStruct((1, *shape), "float32")
    lowered = jax.jit(lambda *values: model.stateless_call(*values, training=False)[0]).lower(*given, sample)
    return int(lowered.cost_analysis()["flops"])


def main() -> int:
    """A row for each network; 1 where one differs by more than the limit."""
    is_far = False
    print(f"{'network':<20} {'in bounds':>16} {'XLA':>16}  difference")
    for spec, (name, margin) in NETWORKS.items():
        graph = archspec.load(spec).inference()
        (image,) = graph.inputs.values()
        classes = graph.nodes[-1].output.size
        ours = (totals(graph, in_bounds=True).flops or 0) + margin - (4 * classes - 2)
        theirs = xla_flops(name, tuple(size or 0 for size in image.shape))
        is_far |= abs(ours / theirs - 1) > LIMIT
        print(
            f"{spec:<20} {ours:>16,} {theirs:>16,}  {ours - theirs:+,} ({100 * (ours / theirs - 1):+.4f} %)", flush=True
        )
    return int(is_far)


if __name__ == "__main__":
    raise SystemExit(main())
