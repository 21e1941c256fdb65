"""What modules are made of: convolutions with their norm and activation, bottlenecks, stages, attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import gcd
from typing import Any

from archspec.importing.formats.ultralytics.rows import RowReader
from archspec.importing.maps import MapResult
from archspec.importing.network import refused
from archspec.ir.diagnostics import Span

EPSILON, MOMENTUM = 1e-3, 0.97
"""Of batch normalisation, set by both programs behind the making of a model; PyTorch calls a momentum of 0.97 0.03."""
Inner = Callable[[MapResult], MapResult]
PAIR = (3, 3)
"""Kernels of a bottleneck."""


class Pieces:
    """Adds modules at the place of one row."""

    def __init__(self, net: RowReader, at: Span):
        self.net, self.at = net, at

    def step(self, step: dict[str, Any], taken: list[MapResult], out: MapResult) -> MapResult:
        """One op."""
        return self.net.step(step, taken, self.at, out)

    def plain_conv(
        self,
        x: MapResult,
        filters: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int | None = None,
        *,
        groups: int = 1,
        dilation: int = 1,
        bias: bool = True,
    ) -> MapResult:
        """``torch.nn.Conv2d``; without ``padding`` half of the kernel's extent."""
        extent = dilation * (kernel - 1) + 1
        before = extent // 2 if padding is None else padding
        if x.channels % groups or filters % groups:
            said = f"{groups} groups do not divide {x.channels} channels and {filters} filters"
            raise refused("I03", said, self.at)
        height, width = ((size + 2 * before - extent) // stride + 1 for size in (x.height, x.width))
        step: dict[str, Any] = {
            "kernel": kernel,
            "stride": stride,
            "padding": "same" if stride == 1 and 2 * before == extent - 1 else before,
            "dilation": dilation,
            "bias": bias,
        }
        out = MapResult("", height, width, filters)
        if groups == x.channels and groups > 1:
            return self.step({"depthwise_conv": {**step, "multiplier": filters // groups}}, [x], out)
        return self.step({"conv": {**step, "filters": filters, "groups": groups}}, [x], out)

    def conv(
        self,
        x: MapResult,
        filters: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int | None = None,
        *,
        groups: int = 1,
        dilation: int = 1,
        has_activation: bool = True,
    ) -> MapResult:
        """A convolution without bias, batch normalisation, and the model's activation."""
        made = self.plain_conv(x, filters, kernel, stride, padding, groups=groups, dilation=dilation, bias=False)
        made = self.step({"batch_norm": {"epsilon": EPSILON, "momentum": MOMENTUM}}, [made], made)
        if has_activation and self.net.activation is not None:
            made = self.step(self.net.activation, [made], made)
        return made

    def depthwise(self, x: MapResult, filters: int, kernel: int) -> MapResult:
        """A convolution in as many groups as there can be."""
        return self.conv(x, filters, kernel, groups=gcd(x.channels, filters))

    def concat(self, parts: list[MapResult]) -> MapResult:
        """Channels one behind another."""
        for part in parts[1:]:
            if (part.height, part.width) != (parts[0].height, parts[0].width):
                raise refused("I03", f"{parts[0]} and {part} cannot be concatenated", self.at)
        return self.step({"concat": None}, parts, replace(parts[0], channels=sum(part.channels for part in parts)))

    def add(self, x: MapResult, y: MapResult) -> MapResult:
        """The sum of two results of one shape."""
        return self.step({"add": None}, [x, y], y)

    def channels(self, x: MapResult, start: int, stop: int) -> MapResult:
        """Some channels."""
        return self.step({"slice": {"range": [start, stop]}}, [x], replace(x, channels=stop - start))

    def max_pool(self, x: MapResult, size: int, stride: int, padding: int) -> MapResult:
        """``torch.nn.MaxPool2d``."""
        height, width = ((n + 2 * padding - size) // stride + 1 for n in (x.height, x.width))
        said: Any = "valid" if not padding else "same" if stride == 1 and 2 * padding == size - 1 else padding
        step = {"size": size, "stride": None if stride == size else stride, "padding": said}
        return self.step({"max_pool": step}, [x], replace(x, height=height, width=width))

    def bottleneck(
        self,
        x: MapResult,
        filters: int,
        has_shortcut: bool = True,
        groups: int = 1,
        kernels: tuple[int, int] = PAIR,
        expansion: float = 0.5,
    ) -> MapResult:
        """Two convolutions, and their input where its channels are as many (He et al. 2016)."""
        made = self.conv(x, int(filters * expansion), kernels[0])
        made = self.conv(made, filters, kernels[1], groups=groups)
        return self.add(x, made) if has_shortcut and x.channels == filters else made

    def partial(self, x: MapResult, filters: int, width: int, inner: Inner) -> MapResult:
        """Two branches of ``width`` channels, of which one goes through ``inner`` (Wang et al. 2020, CSPNet)."""
        return self.conv(self.concat([inner(self.conv(x, width)), self.conv(x, width)]), filters)

    def stages(
        self, x: MapResult, filters: int, width: int, inner: list[Callable[[MapResult], MapResult]]
    ) -> MapResult:
        """Two halves, of which the second goes through ``inner`` one after another; all results are kept."""
        both = self.conv(x, 2 * width)
        parts = [self.channels(both, 0, width), self.channels(both, width, 2 * width)]
        for module in inner:
            parts.append(module(parts[-1]))
        return self.conv(self.concat(parts), filters)

    def attention(self, x: MapResult, heads: int) -> MapResult:
        """Attention over all places, with keys of half a value's size, and a depthwise convolution of the values."""
        size = x.channels // heads
        keys = size // 2
        each, places = 2 * keys + size, x.height * x.width
        qkv = self.conv(x, heads * each, has_activation=False)
        network, at = self.net.network, self.at
        split = network.add({"reshape": {"shape": [places, heads, each]}}, [qkv.name], at)
        split = network.add({"permute": {"axes": [1, 0, 2]}}, [split], at)
        query, key, value = (
            network.add({"slice": {"range": span}}, [split], at)
            for span in ([0, keys], [keys, 2 * keys], [2 * keys, each])
        )
        scores = network.add({"matmul": {"transpose_b": True}}, [query, key], at)
        scores = network.add({"scale": keys**-0.5}, [scores], at)
        scores = network.add({"softmax": None}, [scores], at)
        mixed = self._together(network.add({"matmul": None}, [scores, value], at), x)
        placed = self.conv(self._together(value, x), x.channels, 3, groups=x.channels, has_activation=False)
        return self.conv(self.add(mixed, placed), x.channels, has_activation=False)

    def _together(self, name: str, like: MapResult) -> MapResult:
        """(heads, places, size) as a map."""
        name = self.net.network.add({"permute": {"axes": [1, 0, 2]}}, [name], self.at)
        return self.step({"reshape": {"shape": list(like.shape)}}, [replace(like, name=name)], like)

    def attending(self, x: MapResult) -> MapResult:
        """Attention and two convolutions, each with its input added."""
        x = self.add(x, self.attention(x, max(1, x.channels // 64)))
        made = self.conv(self.conv(x, 2 * x.channels), x.channels, has_activation=False)
        return self.add(x, made)
