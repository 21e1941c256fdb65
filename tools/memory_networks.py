"""Networks of the catalogue as one writes them in PyTorch, for ``memory_peers.py`` to compare what they hold."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """Ronneberger et al. (2015) with padding, for two classes."""

    def __init__(self, base: int = 64, depth: int = 4):
        super().__init__()
        widths = [base * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList(double(c, w) for c, w in zip([1, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[-2::-1])
        self.joined = nn.ModuleList(double(2 * w, w) for w in widths[-2::-1])
        self.last = nn.Conv2d(base, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 2, H, W)."""
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.down[-1](x)
        for up, block in zip(self.up, self.joined, strict=True):
            x = block(torch.cat([skips.pop(), up(x)], 1))
        return self.last(x)


def double(channels: int, width: int) -> nn.Sequential:
    """Two convolutions, each with its ReLU."""
    first = nn.Conv2d(channels, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU())


class Attention(nn.Module):
    """Attention of each token to those before it, by products and a softmax."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.given, self.out = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dim) to the same."""
        n, t, dim = x.shape
        q, k, v = self.given(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5
        later = torch.ones(t, t, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(later, float("-inf")).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, t, dim))


class Decoder(nn.Module):
    """A layer of GPT-2."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(dim), Attention(dim, heads))
        inner = (nn.Linear(dim, 4 * dim), nn.GELU(approximate="tanh"), nn.Linear(4 * dim, dim))
        self.feed_forward = nn.Sequential(nn.LayerNorm(dim), *inner)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, dim) to the same."""
        x = x + self.attention(x)
        return x + self.feed_forward(x)


class Gpt2(nn.Module):
    """Radford et al. (2019), 124 M parameters."""

    def __init__(self, vocab: int = 50257, dim: int = 768, depth: int = 12, heads: int = 12, length: int = 1024):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocab, dim), nn.Parameter(torch.zeros(length, dim))
        self.layers = nn.Sequential(*(Decoder(dim, heads) for _ in range(depth)), nn.LayerNorm(dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) to (N, vocab, T)."""
        x = self.layers(self.words(tokens) + self.positions)
        return (x @ self.words.weight.T).transpose(1, 2)


class CharLstm(nn.Module):
    """Two layers of LSTM that read characters and tell the next."""

    def __init__(self, vocab: int = 65, units: int = 128):
        super().__init__()
        self.vocab = vocab
        self.lstm, self.next = nn.LSTM(vocab, units, 2, batch_first=True), nn.Linear(units, vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) to (N, vocab, T)."""
        x, _ = self.lstm(nn.functional.one_hot(tokens, self.vocab).float())
        return self.next(x).transpose(1, 2)


class TextCnn(nn.Module):
    """Kim (2014): convolutions over 3, 4 and 5 words, the largest of each over time."""

    def __init__(self, vocab: int = 18765, dim: int = 300, filters: int = 100):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.convs = nn.ModuleList(nn.Conv1d(dim, filters, k) for k in (3, 4, 5))
        self.label = nn.Sequential(nn.Dropout(), nn.Linear(3 * filters, 2))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) to (N, 2)."""
        x = self.words(tokens).transpose(1, 2)
        return self.label(torch.cat([conv(x).relu().amax(-1) for conv in self.convs], 1))


def unet() -> tuple[nn.Module, int]:
    return UNet(), 0


def generator() -> tuple[nn.Module, int]:
    """Radford et al. (2015): a picture of 64 × 64 of 100 numbers."""
    layers: list[nn.Module] = [nn.Unflatten(1, (100, 1, 1))]
    for k, (channels, width) in enumerate(zip((100, 512, 256, 128), (512, 256, 128, 64), strict=True)):
        conv = nn.ConvTranspose2d(channels, width, 4, 2 if k else 1, 1 if k else 0, bias=False)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()), 0


def gpt2() -> tuple[nn.Module, int]:
    return Gpt2(), 0


def char_lstm() -> tuple[nn.Module, int]:
    """PyTorch has two vectors of biases in each layer."""
    return CharLstm(), 2 * 4 * 128


def textcnn() -> tuple[nn.Module, int]:
    return TextCnn(), 0
