"""EinsumDense: an einsum of the input and a kernel, whose sizes the equation finds in the two ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.ir.tensors import Size, TensorSpec, WeightSpec
from archspec.ops.errors import OpError
from archspec.ops.keras_rules.call import Call

_EQUATION = re.compile(r"(\.{3})?([a-zA-Z]+)(\.{3})?,([a-zA-Z]+)->(\.{3})?([a-zA-Z]+)(\.{3})?")


class _Product(NamedTuple):
    out: tuple[Size, ...]
    kernel: tuple[int, ...]
    bias: tuple[int, ...] | None


def product(call: Call) -> _Product:
    """An einsum of the input and a kernel, whose sizes the equation finds in the two ends. Raises OpError."""

    def refused(message: str, argument: str = "equation", help: str | None = None) -> OpError:
        return OpError(f"{call.layer}: {message}", argument=argument, help=help)

    found = _EQUATION.fullmatch(call["equation"])
    if found is None or (found[1], found[3]) != (found[5], found[7]) or (found[1] and found[3]):
        example = "the batch has a letter too, or is within '...': 'abc,cd->abd', '...c,cd->...d'"
        raise refused(f"no product of one input and a kernel: '{call['equation']}'", help=example)
    read, weighed, made, is_left = found[2], found[4], found[6], found[1] is not None
    elided = call.x.rank + 1 - len(read)
    # A right ellipsis may stand for no axis, a left one must hold the batch at least.
    if elided < is_left or (elided and not (is_left or found[3])):
        raise refused(f"'{read}' does not name the axes of a batch of {call.x}")
    if is_left and (hidden := call.x.shape[: elided - 1]) != hidden[::-1]:
        # EinsumDense.compute_output_shape puts them in one after the other at the same place.
        raise refused(
            f"Keras takes the axes that '...' stands for in another order, which counts in {call.x}",
            help="a letter for each, and one for the batch, in place of '...'",
        )
    shape: tuple[Size, ...] = (-1, *call.x.shape)  # -1 stands for the batch
    own = shape[elided:] if is_left else shape[: len(read)]
    if not is_left and made[0] != read[0]:
        raise refused(f"'{read[0]}' is the batch, and comes first in '{made}', too")
    sizes: dict[str, Size] = dict(zip(read, own, strict=True))
    given = call["output_shape"] if isinstance(call["output_shape"], tuple) else (call["output_shape"],)
    # The batch is not among what is given: it is the first letter, or within the left ellipsis.
    letters = made if is_left else made[1:]
    if len(given) != len(letters):
        raise refused(f"output_shape has {len(given)} sizes for '{letters}'", "output_shape")
    for letter, size in zip(letters, given, strict=True):
        if letter in sizes and size not in (None, sizes[letter]) and sizes[letter] is not None:
            raise refused(f"axis '{letter}' is {sizes[letter]} in the input, {size} in output_shape", "output_shape")
        if letter not in sizes or sizes[letter] is None:
            sizes[letter] = size
    if odd := sorted(set(made) - set(read) - set(weighed)) or sorted(set(weighed) - set(sizes)):
        raise refused(f"nothing says the size of '{odd[0]}' in '{call['equation']}'")

    def weight(letters: str, what: str) -> tuple[int, ...]:
        out = []
        for letter in letters:
            size = sizes[letter]
            if size is None or size < 1:
                raise refused(f"the {what} needs a known size of '{letter}'")
            out.append(size)
        return tuple(out)

    front = shape[1:elided] if is_left else ()
    behind = shape[len(read) :] if not is_left else ()
    out = (*front, *(sizes[letter] for letter in letters), *behind)
    bias = None
    if call["bias_axes"] is not None:
        if not call["bias_axes"] or (odd := [c for c in call["bias_axes"] if c not in made]):
            raise refused(f"bias_axes are letters of '{made}', got '{call['bias_axes']}'", "bias_axes")
        first = min(made.index(letter) for letter in call["bias_axes"])
        axes = tuple(weight(c, "bias")[0] if c in call["bias_axes"] else 1 for c in made[first:])
        bias = (*axes, *(1,) * len(behind))
    return _Product(out, weight(weighed, "kernel"), bias)


def einsum(call: Call) -> TensorSpec:
    return TensorSpec(product(call).out)


def einsum_shape(call: Call) -> Mapping[str, Any]:
    """Sizes that are null in ``output_shape`` and known of the input."""
    out = iter(reversed(einsum(call).shape))
    found = _EQUATION.fullmatch(call["equation"])
    behind = call.x.rank + 1 - len(found[2]) if found is not None and found[3] else 0
    for _ in range(behind):
        next(out)
    given = call["output_shape"] if isinstance(call["output_shape"], tuple) else (call["output_shape"],)
    return {"output_shape": tuple(next(out) for _ in given)[::-1]}


def einsum_weights(call: Call) -> tuple[WeightSpec, ...]:
    found = product(call)
    kernel = WeightSpec("kernel", found.kernel)
    return (kernel,) if found.bias is None else (kernel, WeightSpec("bias", found.bias))
