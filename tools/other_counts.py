"""The numbers that ``archspec table --as TOOL`` computes, beside those that the tools print.

    python tools/other_counts.py [SPEC ...]      # in an environment with torchvision and the tools

Each tool counts torchvision's network by its own means: fvcore, thop, torchinfo, ptflops (both of its ways) and
PyTorch's FlopCounterMode, as far as they are installed. Printed is the tool's number, archspec's, and their difference;
layers whose rule archspec does not know make its number a lower bound, marked by ≥.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from memory_peers import TORCHVISION, network

import archspec
from archspec.analysis.conventions import answer

NETWORKS = ("resnet50", "vgg16", "densenet121", "mobilenet_v2", "squeezenet1_1", "efficientnet_b0", "vit_b32")


def fvcore(net: Any, image: Any) -> int:
    """FlopCountAnalysis."""
    from fvcore.nn import FlopCountAnalysis

    found = FlopCountAnalysis(net, image)
    found.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return int(found.total())


def thop(net: Any, image: Any) -> int:
    """``profile``."""
    from thop import profile

    return int(profile(net, (image,), verbose=False)[0])


def torchinfo(net: Any, image: Any) -> int:
    """``summary``."""
    from torchinfo import summary

    return int(summary(net, input_data=image, verbose=0).total_mult_adds)


def ptflops(net: Any, image: Any, backend: str = "pytorch") -> int:
    """``get_model_complexity_info``."""
    from ptflops import get_model_complexity_info

    said = {"as_strings": False, "print_per_layer_stat": False, "verbose": False, "backend": backend}
    return int(get_model_complexity_info(net, tuple(image.shape[1:]), **said)[0])


def ptflops_aten(net: Any, image: Any) -> int:
    """The same by PyTorch's operators."""
    return ptflops(net, image, "aten")


def torch(net: Any, image: Any) -> int:
    """FlopCounterMode."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        net(image)
    return int(counter.get_total_flops())


TOOLS: dict[str, Callable[[Any, Any], int]] = {
    "torch": torch,
    "fvcore": fvcore,
    "thop": thop,
    "torchinfo": torchinfo,
    "ptflops": ptflops,
    "ptflops_aten": ptflops_aten,
}


def rows(spec: str) -> Iterator[str]:
    """A row for each tool that is installed."""
    import torch as library

    graph = archspec.load(spec)
    shape = next(iter(graph.inputs.values())).shape
    for name, count in TOOLS.items():
        if find_spec(name.partition("_")[0]) is None:
            continue
        net = network(TORCHVISION[spec]).eval()
        with library.no_grad(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            theirs = count(net, library.zeros(1, shape[-1], *shape[:-1]))
        ours = answer(graph.inference(), name)
        bound = f"≥ without {', '.join(ours.unknown)}" if ours.unknown else ""
        yield f"{spec:<18} {name:<13} {theirs:>16,} {ours.number:>16,} {ours.number - theirs:>+14,} {bound}".rstrip()


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", metavar="SPEC")
    for spec in parser.parse_args().specs or NETWORKS:
        for line in rows(spec):
            print(line, flush=True)


if __name__ == "__main__":
    main()
