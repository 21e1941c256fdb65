"""State dicts of PyTorch's own modules, with inputs and what PyTorch makes of them, for tests/backend/cases/torch.

    python tools/torch_cases.py FOLDER                  the small ones, which are committed
    python tools/torch_cases.py FOLDER --compare        import vit_tiny, vit_b_16 and others of real size, compare

It needs torch, torchvision, timm, transformers and safetensors, which are no extras of this project: have them in an
environment of their own. ``--compare`` runs ``archspec`` of the environment that ARCHSPEC_PYTHON names (default: this).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
import transformers
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn.utils import parametrizations, prune

Case = tuple[nn.Module, dict[str, torch.Tensor], Callable[..., torch.Tensor]]
"""A module, its inputs channels last, and what it makes of them."""


def images(size: int) -> dict[str, torch.Tensor]:
    return {"x": torch.randn(2, size, size, 3)}


def classifier(module: nn.Module, size: int) -> Case:
    return module, images(size), lambda x: module(x.permute(0, 3, 1, 2)).softmax(-1)


def segmenter(module: nn.Module, size: int) -> Case:
    with torch.no_grad():
        module.classifier[-1].weight.mul_(0.05)  # or one class would be sure, whatever came before
    return module, images(size), lambda x: module(x.permute(0, 3, 1, 2))["out"].softmax(1).permute(0, 2, 3, 1)


def tokens(module: nn.Module, vocab: int, length: int) -> Case:
    return module, {"x": torch.randint(0, vocab, (2, length))}, lambda x: module(x).logits


def vit_timm() -> Case:
    return classifier(
        VisionTransformer(img_size=8, patch_size=4, embed_dim=12, depth=2, num_heads=3, mlp_ratio=2, num_classes=5), 8
    )


def vit_torchvision() -> Case:
    vit = torchvision.models.VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=3, hidden_dim=12, mlp_dim=24, num_classes=5
    )
    with torch.no_grad():
        vit.heads.head.weight.normal_()
    return classifier(vit, 8)


def gpt2() -> Case:
    config = transformers.GPT2Config(
        vocab_size=17, n_positions=10, n_embd=12, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=0
    )
    return tokens(transformers.GPT2LMHeadModel(config), 17, 10)


def llama() -> Case:
    config = transformers.LlamaConfig(
        vocab_size=17,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    return tokens(transformers.LlamaForCausalLM(config), 17, 9)


class Alone(nn.Module):
    """nn.MultiheadAttention of a query to something else."""

    def __init__(self, **settings: Any):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True, **settings)

    def forward(self, query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return self.attention(query, value, value)[0]


def attention(**settings: Any) -> Case:
    module = Alone(**settings)
    return module, {"x1": torch.randn(2, 4, 12), "x2": torch.randn(2, 6, settings.get("kdim", 12))}, module


def encoder() -> Case:
    layer = nn.TransformerEncoderLayer(12, 3, 24, dropout=0, batch_first=True)
    module = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return module, {"x": torch.randn(2, 5, 12)}, module


def recurrent(kind: type[nn.RNNBase]) -> Case:
    module = kind(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    return module, {"x": torch.randn(2, 5, 3)}, lambda x: module(x)[0]


def regnet() -> Case:
    parameters = torchvision.models.regnet.BlockParams.from_init_params(
        depth=4, w_0=8, w_a=8, w_m=2.0, group_width=8, se_ratio=0.25
    )
    return classifier(torchvision.models.RegNet(parameters, num_classes=5, stem_width=8), 32)


def swin() -> Case:
    """Windows that do not fill the map, shifted and not."""
    module = torchvision.models.SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=[3, 3], num_classes=5
    )
    return classifier(module, 32)


SMALL: dict[str, Callable[[], Case]] = {
    "vit_timm": vit_timm,
    "vit_torchvision": vit_torchvision,
    "gpt2": gpt2,
    "llama": llama,
    "attention": attention,
    "attention_other_widths": lambda: attention(kdim=8, vdim=8),
    "attention_without_bias": lambda: attention(bias=False),
    "encoder": encoder,
    "lstm": lambda: recurrent(nn.LSTM),
    "gru": lambda: recurrent(nn.GRU),
    "regnet": regnet,
    "swin": swin,
}
PICKLED = ("gpt2", "vit_timm")
"""Those that are kept as torch.save does it: of weights that are shared, safetensors keeps one name."""
HALVED = ("regnet", "swin")
"""Those whose numbers are float16's, to be small."""
BIG: dict[str, tuple[Callable[[], Case], list[str]]] = {
    "vit_tiny": (
        lambda: classifier(timm.create_model("vit_tiny_patch16_224"), 224),
        ["vit", "--variant", "vit_b16", "--set", "dim=192", "--set", "mlp=768", "--set", "attention_heads=3"],
    ),
    "vit_b_16": (lambda: classifier(torchvision.models.vit_b_16(), 224), ["vit", "--variant", "vit_b16"]),
    "regnet_y_400mf": (lambda: classifier(torchvision.models.regnet_y_400mf(), 224), ["regnet_y_400mf"]),
    "regnet_x_400mf": (lambda: classifier(torchvision.models.regnet_x_400mf(), 224), ["regnet_x_400mf"]),
    "regnety_004": (lambda: classifier(timm.create_model("regnety_004"), 224), ["regnet_y_400mf"]),
    "fcn_resnet50": (
        lambda: segmenter(torchvision.models.segmentation.fcn_resnet50(weights_backbone=None), 97),
        ["fcn_resnet50", "--set", "size=97"],
    ),
    "deeplabv3_resnet50": (
        lambda: segmenter(torchvision.models.segmentation.deeplabv3_resnet50(weights_backbone=None), 97),
        ["deeplabv3", "--set", "size=97"],
    ),
    "gpt2": (
        lambda: tokens(transformers.GPT2LMHeadModel(transformers.GPT2Config()), 50257, 64),
        ["gpt2", "--set", "length=64"],
    ),
}
"""Modules of real size, with random weights, and the spec with its parameters."""
RULES = {
    "deeplabv3_resnet50": """names:
  'classifier\\.0\\.convs\\.0\\.0': aspp.0.conv_bn.conv
  'classifier\\.0\\.convs\\.0\\.1': aspp.0.conv_bn.batch_norm
  'classifier\\.0\\.convs\\.1\\.0': aspp.1.conv_bn.12.conv
  'classifier\\.0\\.convs\\.1\\.1': aspp.1.conv_bn.12.batch_norm
  'classifier\\.0\\.convs\\.2\\.0': aspp.1.conv_bn.24.conv
  'classifier\\.0\\.convs\\.2\\.1': aspp.1.conv_bn.24.batch_norm
  'classifier\\.0\\.convs\\.3\\.0': aspp.1.conv_bn.36.conv
  'classifier\\.0\\.convs\\.3\\.1': aspp.1.conv_bn.36.batch_norm
  'classifier\\.0\\.convs\\.4\\.1': aspp.2.conv_bn.conv
  'classifier\\.0\\.convs\\.4\\.2': aspp.2.conv_bn.batch_norm
"""
}
"""Which layer is which, where several have one shape."""
COMPARE = """
import sys, numpy as np, archspec
weights, io, *spec = sys.argv[1:]
settings = dict(pair.split("=") for pair in spec[1:] if "=" in pair)
variant = spec[spec.index("--variant") + 1] if "--variant" in spec else None
graph = archspec.load(spec[0], variant=variant, **{k: int(v) for k, v in settings.items()}).inference()
model = archspec.compile(graph)
from archspec.backend.weights import assign
assign(model, dict(np.load(weights)))
kept = np.load(io)
found = np.asarray(model.predict(kept["x"], verbose=0))
print(f"  largest difference {np.abs(found - kept['y']).max():.1e} of {np.abs(kept['y']).max():.1e}")
"""


RESIZES = [
    *(((9, 5), (6, 7), mode, None) for mode in ("nearest", "nearest-exact", "area")),
    *(((9, 5), (4, 11), mode, corners) for mode in ("bilinear", "bicubic") for corners in (False, True)),
    *(((7,), (3,), mode, None) for mode in ("nearest", "nearest-exact", "area")),
    ((5,), (11,), "linear", False),
    ((49,), (6,), "nearest", None),
    ((3, 4, 2), (5, 2, 3), "trilinear", False),
    ((3, 4, 2), (5, 3, 3), "area", None),
]
"""Sizes before and after, mode and align_corners of torch.nn.functional.interpolate."""


def resizes() -> list[dict[str, Any]]:
    """What PyTorch's interpolation makes of arrays, channels last."""
    out = []
    for before, after, mode, corners in RESIZES:
        x = (torch.rand(1, 2, *before) * 100).round() / 100
        y = nn.functional.interpolate(x, after, mode=mode, align_corners=corners)
        x, y = (t[0].movedim(0, -1).tolist() for t in (x, y))
        out.append({"mode": mode, "align_corners": bool(corners), "size": after, "x": x, "y": y})
    return out


def drawn(module: nn.Module, *, is_small: bool) -> nn.Module:
    """Evaluation mode, and no vector as it was made, so that none passes for another. Matrices of real size stay: with
    noise in all of them, scores would saturate."""
    module.eval()
    with torch.no_grad():
        for parameter in module.parameters():
            if is_small or parameter.ndim < 2:
                parameter.add_(0.1 * torch.randn_like(parameter))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return module


def write(folder: Path, name: str, make: Callable[[], Case]) -> None:
    torch.manual_seed(0)
    module, inputs, compute = make()
    drawn(module, is_small=name in SMALL and make is SMALL[name])
    if name in HALVED:
        module.half().float()
    with torch.no_grad():
        result = compute(*inputs.values())
    state = module.half().state_dict() if name in HALVED else module.state_dict()
    if name in PICKLED:
        torch.save(state, folder / f"{name}.pth")
    else:
        save_file(state, folder / f"{name}.safetensors")
    np.savez_compressed(folder / f"{name}.io.npz", **{n: x.numpy() for n, x in inputs.items()}, y=result.numpy())


def pruned(layer: nn.Module) -> nn.Module:
    prune.l1_unstructured(layer, "weight", 0.5)
    return layer


def weight_norm(layer: nn.Module) -> nn.Module:
    """With a length for each output, which of a transposed convolution is not the default."""
    return parametrizations.weight_norm(layer, dim=1 if isinstance(layer, nn.ConvTranspose2d) else 0)


KERNELS: dict[str, tuple[Callable[[nn.Module], nn.Module], int]] = {
    "weight_norm": (weight_norm, 0),
    "weight_norm_utils": (nn.utils.weight_norm, 0),
    "spectral_norm": (parametrizations.spectral_norm, 2),
    "spectral_norm_utils": (nn.utils.spectral_norm, 2),
    "spectral_converged": (parametrizations.spectral_norm, 2000),
    "pruned": (pruned, 0),
}
"""What computes the kernels of a network, and steps of its training."""


def kernels(folder: Path) -> None:
    """State dicts whose kernels are computed, the kernels that PyTorch computes, and what the network makes of x."""
    folder.mkdir(exist_ok=True)
    x = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    for name, (wrapped, steps) in KERNELS.items():
        torch.manual_seed(3)
        layers = (
            *(nn.Conv2d(2, 4, 3, padding=1), nn.ConvTranspose2d(4, 4, 2, stride=2)),
            *(nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Linear(256, 2)),
        )
        a, b, c, d = map(wrapped, layers)
        net = nn.Sequential(a, nn.ReLU(), b, nn.ReLU(), c, nn.Flatten(), d)
        with torch.no_grad():
            for key, lengths in net.named_parameters():
                if key.endswith(("_g", "original0")):
                    lengths.mul_(torch.rand(lengths.shape) + 0.5)
        for _ in range(steps):
            net(x)
        net.eval()
        with torch.no_grad():
            y = net(x)
        torch.save(net.state_dict(), folder / f"{name}.pth")
        found = {f"w{i}": layer.weight.detach().numpy() for i, layer in zip((0, 2, 4, 6), (a, b, c, d), strict=True)}
        np.savez(folder / f"{name}.io.npz", x=x.numpy(), y=y.numpy(), **found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if not args.compare:
        for name, make in SMALL.items():
            write(args.folder, name, make)
        kernels(args.folder / "kernels")
        torch.manual_seed(0)
        (args.folder / "resizes.json").write_text(json.dumps(resizes()), encoding="utf-8")
        return
    python = os.environ.get("ARCHSPEC_PYTHON", sys.executable)
    for name in args.names or BIG:
        make, spec = BIG[name]
        write(args.folder, name, make)
        weights, io = args.folder / f"{name}.npz", args.folder / f"{name}.io.npz"
        state = next(path for path in args.folder.glob(f"{name}.*") if path.suffix in (".pth", ".safetensors"))
        rules = []
        if name in RULES:
            (args.folder / f"{name}.yaml").write_text(RULES[name], encoding="utf-8")
            rules = ["--rules", str(args.folder / f"{name}.yaml")]
        subprocess.run(
            [
                python,
                "-m",
                "archspec",
                "weights",
                "import",
                spec[0],
                str(state),
                "-o",
                str(weights),
                "--quiet",
                *rules,
                *spec[1:],
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        print(name, flush=True)
        subprocess.run([python, "-c", COMPARE, str(weights), str(io), *spec], check=True)


if __name__ == "__main__":
    main()
