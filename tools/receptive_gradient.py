"""Receptive fields, beside what really changes an output.

    python tools/receptive_gradient.py [SPEC ...]

Each network is compiled and cut at the tensor of its largest field, with positive weights, an input of zeros and
numbers of 64 bits, so that nothing cancels and nothing is too small. Then rows of the input are set to a number: all
rows that the middle position does not read, which must change nothing there, and the first and the last row that it
reads, each of which must. Columns likewise. The exit code is 1 where a field is not the one computed.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import archspec
from archspec.analysis.receptive import Field, largest, receptive_fields
from archspec.ir.graph import Tensor

NETWORKS = (
    "alexnet",
    "vgg16",
    "googlenet",
    "inception_v3",
    "resnet50_v1",
    "resnext50_32x4d",
    "squeezenet1_1",
    "mobilenet_v1",
    "shufflenet_v2_x1_0",
    "darknet19",
    "densenet121",
    "nin_imagenet",
)
NARROW = 96
"""Positions along the axis that is not looked at."""
HUGE = 1e12


def measured(spec: str) -> tuple[Field, list[str]]:
    """The largest field of a network, and what contradicts it along each axis."""
    graph = archspec.load(spec).inference()
    found = largest(graph, receptive_fields(graph))
    assert found is not None, "all of it is read everywhere"
    node, field = found
    wrong = []
    for axis, along in ((0, "rows"), (1, "columns")):
        size = [NARROW, NARROW]
        size[axis] = field.size[axis] + 4 * int(field.stride[axis])
        (image,) = graph.inputs
        cut = archspec.load(spec, **{image: [*size, graph.inputs[image].channels]}).inference()
        wrong += [f"{along}: {what}" for what in contradictions(cut, node.name, axis)]
    return field, wrong


def contradictions(graph: Any, name: str, axis: int) -> list[str]:
    """What a position in the middle reads otherwise than its field along an axis says."""
    import keras

    keras.config.set_dtype_policy("float64")
    whole = archspec.compile(graph)
    model = keras.Model(whole.inputs, whole.get_layer(name).output)
    model.set_weights([positive(weight) for weight in model.weights])
    reach = receptive_fields(graph)[Tensor(name)].axes[axis]
    (image,) = graph.inputs.values()
    at = model.output_shape[1 + axis] // 2
    first, last = int(at * reach.stride - reach.before), int(at * reach.stride + reach.after)

    def changes(rows: list[int]) -> bool:
        sample = np.zeros((1, *image.shape))
        np.moveaxis(sample, 1 + axis, 0)[rows] = HUGE
        return bool(np.take(np.asarray(model(sample)), at, axis=1 + axis).any())

    size = image.shape[axis]
    outside = [row for row in range(size) if not first <= row <= last]
    found = [] if first >= 0 and last < size else [f"the field, {first} to {last}, leaves the {size} that there are"]
    found += ["one outside the field changes it"] if changes(outside) else []
    return found + [f"{row} does not change it" for row in (first, last) if 0 <= row < size and not changes([row])]


def positive(weight: Any) -> Any:
    """Kernels of means; a normalisation that does nothing; no bias."""
    shape = tuple(weight.shape)
    if len(shape) > 1:
        return np.full(shape, 1 / np.prod(shape[:-1]))
    return np.full(shape, float(weight.path.endswith(("gamma", "moving_variance"))))


def main() -> int:
    """A row for each network; 1 where one is contradicted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", metavar="SPEC")
    is_wrong = False
    for spec in parser.parse_args().specs or NETWORKS:
        field, wrong = measured(spec)
        is_wrong |= bool(wrong)
        print(f"{spec:<20} {field!s:<10} {'; '.join(wrong) or 'is what changes it'}", flush=True)
    return int(is_wrong)


if __name__ == "__main__":
    raise SystemExit(main())
