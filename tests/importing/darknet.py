"""What Darknet computes, after its C code, in plain NumPy: the oracle of the tests, which shares nothing with archspec.

Maps are (channels, height, width), as there.
"""

import numpy as np


def options(text):
    """[(kind, {key: value})] of a .cfg."""
    out = []
    for line in text.splitlines():
        line = line.split("#")[0].replace(" ", "").strip()
        if line.startswith("["):
            out.append((line[1:-1], {}))
        elif line:
            key, _, value = line.partition("=")
            out[-1][1].setdefault(key, value)
    return out


ACTIVATIONS = {
    "linear": lambda x: x,
    "leaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "relu": lambda x: np.maximum(x, 0),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "swish": lambda x: x / (1 + np.exp(-x)),
}


class Darknet:
    """A network of a .cfg and the numbers behind the header of its .weights."""

    def __init__(self, text, numbers):
        self.net, *self.layers = options(text)
        self.numbers, self.at = numbers, 0

    def take(self, *shape):
        count = int(np.prod(shape))
        part = self.numbers[self.at : self.at + count]
        self.at += count
        return part.reshape(shape)

    def __call__(self, x):
        """Outputs of the layers that make boxes, or else of the last."""
        self.at, outs, boxes = 0, [], []
        for kind, o in self.layers:
            x = getattr(self, kind)(o, x, outs, boxes)
            outs.append(x)
        return boxes or [x]

    def convolutional(self, o, x, outs, boxes):
        n, k, s = int(o.get("filters", 1)), int(o.get("size", 1)), int(o.get("stride", 1))
        groups, norm = int(o.get("groups", 1)), int(o.get("batch_normalize", 0))
        pad = k // 2 if int(o.get("pad", 0)) else int(o.get("padding", 0))
        c, h, w = x.shape
        bias = self.take(n)
        if norm:
            gamma, mean, variance = self.take(n), self.take(n), self.take(n)
        kernels = self.take(n, c // groups, k, k)
        rows, columns = (h + 2 * pad - k) // s + 1, (w + 2 * pad - k) // s + 1
        padded = np.zeros((c, h + 2 * pad, w + 2 * pad))
        padded[:, pad : pad + h, pad : pad + w] = x
        y = np.zeros((n, rows, columns))
        for i in range(k):
            for j in range(k):
                part = padded[:, i : i + s * rows : s, j : j + s * columns : s][:, :rows, :columns]
                for g in range(groups):
                    own = slice(g * n // groups, (g + 1) * n // groups)
                    taken = part[g * c // groups : (g + 1) * c // groups]
                    y[own] += np.tensordot(kernels[own, :, i, j], taken, 1)
        if norm:
            y = (y - mean[:, None, None]) / np.sqrt(variance + 0.00001)[:, None, None] * gamma[:, None, None]
        return ACTIVATIONS[o.get("activation", "logistic")](y + bias[:, None, None])

    def connected(self, o, x, outs, boxes):
        n = int(o["output"])
        bias, kernel = self.take(n), self.take(n, x.size)
        return ACTIVATIONS[o.get("activation", "logistic")](kernel @ x.reshape(-1) + bias)

    def maxpool(self, o, x, outs, boxes):
        s = int(o.get("stride", 1))
        k = int(o.get("size", s))
        pad = int(o.get("padding", k - 1))
        c, h, w = x.shape
        y = np.full((c, (h + pad - k) // s + 1, (w + pad - k) // s + 1), -np.inf)
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for di in range(k):
                    for dj in range(k):
                        a, b = i * s + di - pad // 2, j * s + dj - pad // 2
                        if 0 <= a < h and 0 <= b < w:
                            y[:, i, j] = np.maximum(y[:, i, j], x[:, a, b])
        return y

    def avgpool(self, o, x, outs, boxes):
        return x.mean((1, 2))[:, None, None]

    def route(self, o, x, outs, boxes):
        taken = [outs[int(n)] for n in o["layers"].split(",")]
        groups, own = int(o.get("groups", 1)), int(o.get("group_id", 0))
        return np.concatenate([t[own * len(t) // groups : (own + 1) * len(t) // groups] for t in taken])

    def shortcut(self, o, x, outs, boxes):
        return ACTIVATIONS[o.get("activation", "linear")](x + outs[int(o["from"])])

    def scale_channels(self, o, x, outs, boxes):
        return outs[int(o["from"])] * x.reshape(-1, 1, 1)

    def upsample(self, o, x, outs, boxes):
        s = int(o["stride"])
        return x.repeat(s, 1).repeat(s, 2)

    def reorg(self, o, x, outs, boxes):
        s = int(o["stride"])
        c, h, w = x.shape
        flat, out, less = x.reshape(-1), np.zeros(x.size), c // (s * s)
        for k in range(c):
            for j in range(h):
                for i in range(w):
                    offset = k // less
                    a, b = i * s + offset % s, j * s + offset // s
                    out[i + w * (j + h * k)] = flat[a + w * s * (b + h * s * (k % less))]
        return out.reshape(c * s * s, h // s, w // s)

    def dropout(self, o, x, outs, boxes):
        return x

    def softmax(self, o, x, outs, boxes):
        e = np.exp(x.reshape(-1) / float(o.get("temperature", 1)))
        return e / e.sum()

    def yolo(self, o, x, outs, boxes):
        boxes.append(x)
        return x


def count(text, channels, size):
    """How many numbers a .cfg wants, by letting it take them."""
    net = Darknet(text, np.zeros(1 << 22))
    net(np.zeros((channels, *size)))
    return net.at


def header():
    """Version 0.2.5, and no images seen."""
    return np.array([0, 2, 5, 0, 0], "<i4").tobytes()
