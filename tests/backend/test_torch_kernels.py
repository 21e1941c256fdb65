"""State dicts whose kernels PyTorch computes: what is imported is what it computed (tools/torch_cases.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend.rules import Rules
from archspec.backend.weights import imported
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

CASES = Path(__file__).parent / "cases" / "torch" / "kernels"
LAYERS = (
    "{conv: {filters: 4, kernel: 3}}",
    "{conv_transpose: {filters: 4, kernel: 2, stride: 2}}",
    "{depthwise_conv: {kernel: 3}}",
    "{dense: 2}",
)
PLAIN = ("conv", "conv_transpose", "depthwise_conv", "dense")
UNCHECKED = Rules.of({"unchecked": [".*"]})


def graph_of(wrapper=None):
    a, b, c, d = (f"{{{wrapper}: {layer}}}" if wrapper else layer for layer in LAYERS)
    body = f"[{a}, relu, {b}, relu, {c}, flatten, {d}]"
    return archspec.loads(f"archspec: 1\nname: net\ninputs: {{x: [4, 4, 2]}}\nbody: {body}\n")


def upright(layer, kernel):
    """PyTorch's (out, in, height, width) as Keras has it; what the dense layer reads was channels first."""
    if layer == "dense":
        return kernel.reshape(2, 4, 8, 8).transpose(2, 3, 1, 0).reshape(256, 2)
    return kernel.transpose(2, 3, 0, 1) if layer == "depthwise_conv" else kernel.transpose(2, 3, 1, 0)


def kernels_of(name):
    kept = np.load(CASES / f"{name}.io.npz")
    return {layer: upright(layer, kept[f"w{2 * k}"]) for k, layer in enumerate(PLAIN)}


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.pth")))
def test_a_plain_layer_takes_the_kernel_that_pytorch_computes(name):
    values = imported(CASES / f"{name}.pth", graph_of()).values
    for layer, kernel in kernels_of(name).items():
        np.testing.assert_allclose(values[f"{layer}/kernel"], kernel, rtol=2e-6, atol=1e-7, err_msg=layer)
        assert values[f"{layer}/bias"].any()


def parts_of(values, wrapper):
    """Kernels, and what stands beside each, by op."""
    found = dict(zip(PLAIN, dict.fromkeys(key.split("/")[0] for key in values), strict=True))
    beside = {"weight_norm": "g", "spectral_norm": "u"}[wrapper]
    return {op: (values[f"{layer}/{op}/kernel"], values[f"{layer}/{beside}"]) for op, layer in found.items()}


def test_lengths_and_directions_are_imported_as_they_are_learnt():
    """By hand: g · v / ‖v‖ over all but what is written, with a length for each output."""
    values, wanted = imported(CASES / "weight_norm.pth", graph_of("weight_norm")).values, kernels_of("weight_norm")
    for op, (kernel, lengths) in parts_of(values, "weight_norm").items():
        if op == "depthwise_conv":
            found = kernel / np.sqrt(np.square(kernel).sum((0, 1), keepdims=True)) * lengths
        elif op == "conv_transpose":
            found = kernel / np.sqrt(np.square(kernel).sum((0, 1, 3), keepdims=True)) * lengths[:, None]
        else:
            found = kernel / np.sqrt(np.square(kernel).sum(tuple(range(kernel.ndim - 1)), keepdims=True)) * lengths
        np.testing.assert_allclose(found, wanted[op], rtol=2e-6, atol=1e-7, err_msg=op)


def test_lengths_along_what_is_read_are_no_lengths_of_outputs():
    """PyTorch's default has those of a transposed convolution so: here it has as many of either."""
    with refuses(WeightsError):
        imported(CASES / "weight_norm_utils.pth", graph_of("weight_norm"))


@pytest.mark.parametrize(
    ("name", "rules"), [("spectral_converged", None), ("spectral_norm", UNCHECKED), ("spectral_norm_utils", UNCHECKED)]
)
def test_a_singular_vector_is_imported_with_its_kernel(name, rules):
    """By hand: the kernel by what the op finds from u in an evaluation, the singular value once u has converged."""
    values, wanted = imported(CASES / f"{name}.pth", graph_of("spectral_norm"), rules).values, kernels_of(name)
    for op, (kernel, u) in parts_of(values, "spectral_norm").items():
        writes = {"depthwise_conv": (2, 3), "conv_transpose": (2,)}.get(op, (kernel.ndim - 1,))
        order = [axis for axis in range(kernel.ndim) if axis not in writes]
        matrix = kernel.transpose(*order, *writes).reshape(-1, u.size)
        v = matrix @ u
        found = kernel / np.linalg.norm(v / np.linalg.norm(v) @ matrix)
        error = np.abs(found / wanted[op] - 1).max()
        assert error < (3e-6 if rules is None else 0.5), op
        assert rules is None or not np.allclose(found, kernel)


def test_a_singular_value_that_is_another_here_is_refused():
    with refuses(WeightsError):
        imported(CASES / "spectral_norm.pth", graph_of("spectral_norm"))


def test_vectors_that_are_none_of_the_kernel_are_refused(tmp_path):
    u, v = np.eye(3, dtype="float32")[:2]
    kernel, bias = np.diag(np.float32([3, 2, 1])), np.zeros(3, "float32")
    arrays = {"fc.weight_orig": kernel, "fc.weight_u": u, "fc.weight_v": v, "fc.bias": bias}
    np.savez(tmp_path / "w.npz", **arrays)
    graph = archspec.loads("archspec: 1\nname: net\ninputs: {x: [3]}\nbody: [dense: 3]\n")
    with refuses(WeightsError):
        imported(tmp_path / "w.npz", graph)
