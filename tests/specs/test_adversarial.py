"""Specs of several networks: counts written out from the papers' and authors' networks, one layer after another."""

from __future__ import annotations

from itertools import pairwise

import pytest

import archspec
from archspec.analysis.cost import totals
from archspec.analysis.expect import unmet


class Count:
    """Parameters that training changes, and MACs, layer by layer."""

    def __init__(self):
        self.params = self.macs = 0

    def conv(self, c_in, c_out, kernel, positions, *, bias=False, norm=False):
        self.params += kernel * kernel * c_in * c_out + c_out * (bias + 2 * norm)
        self.macs += kernel * kernel * c_in * c_out * positions**2
        return c_out

    def dense(self, c_in, c_out, *, norm=False):
        self.params += (c_in + 1) * c_out + 2 * norm * c_out
        self.macs += c_in * c_out
        return c_out


def dcgan_generator():
    n, c, size = Count(), 100, 1
    for width in (512, 256, 128, 64):
        c = n.conv(c, width, 4, size, norm=True)
        size = 4 if size == 1 else 2 * size
    n.conv(c, 3, 4, size)
    return n


def dcgan_critic(*, bias, norm):
    n, c, size = Count(), 3, 64
    for i, width in enumerate((64, 128, 256, 512)):
        size //= 2
        c = n.conv(c, width, 4, size, bias=bias, norm=norm and i > 0)
    n.conv(c, 1, 4, 1, bias=bias)
    return n


def mlp(*widths, norm=()):
    n = Count()
    for a, b in pairwise(widths):
        n.dense(a, b, norm=b in norm)
    return n


def conditional(*widths, norm=()):
    n = mlp(*widths, norm=norm)
    n.params += 100
    return n


def unet():
    n, c, size = Count(), 3, 256
    downs = (64, 128, 256, 512, 512, 512, 512, 512)
    for i, width in enumerate(downs):
        size //= 2
        c = n.conv(c, width, 4, size, norm=0 < i < 7)
    for i, width in enumerate((512, 512, 512, 512, 256, 128, 64)):
        n.conv(c if i == 0 else 2 * downs[7 - i], width, 4, size, norm=True)
        size *= 2
    n.conv(128, 3, 4, size, bias=True)
    return n


def patches(c, *, norm, bias):
    n, size = Count(), 256
    for width, stride in ((64, 2), (128, 2), (256, 2), (512, 1)):
        size = size // 2 if stride == 2 else size - 1
        c = n.conv(c, width, 4, size, bias=bias or width == 64, norm=norm and width > 64)
    n.conv(c, 1, 4, size - 1, bias=True)
    return n


def srresnet():
    n = Count()
    n.conv(3, 64, 9, 24, bias=True)
    for _ in range(5):
        n.conv(64, 64, 3, 24, bias=True, norm=True)
        n.conv(64, 64, 3, 24, bias=True, norm=True)
    n.conv(64, 64, 3, 24, bias=True, norm=True)
    for size in (24, 48):
        n.conv(64, 256, 3, size, bias=True)
    n.conv(64, 3, 9, 96, bias=True)
    n.params += 1 + 5 + 2
    return n


def resnet_generator():
    n = Count()
    n.conv(3, 64, 7, 256, bias=True)
    n.conv(64, 128, 3, 128, bias=True)
    n.conv(128, 256, 3, 64, bias=True)
    for _ in range(18):
        n.conv(256, 256, 3, 64, bias=True)
    n.conv(256, 128, 3, 64, bias=True)
    n.conv(128, 64, 3, 128, bias=True)
    n.conv(64, 3, 7, 256, bias=True)
    return n


MADE = mlp(100, 128, 256, 512, 1024, 784, norm=(256, 512, 1024))
NETWORKS = [
    ("gan", "G", MADE, None),
    ("gan", "D", mlp(784, 512, 256, 1), None),
    ("cgan", "G", conditional(110, 128, 256, 512, 1024, 784, norm=(256, 512, 1024)), None),
    ("cgan", "D", conditional(794, 512, 512, 512, 1), None),
    ("dcgan", "G", dcgan_generator(), 3_576_704),
    ("dcgan", "D", dcgan_critic(bias=False, norm=True), 2_765_568),
    ("wgan", "G", dcgan_generator(), 3_576_704),
    ("wgan", "D", dcgan_critic(bias=False, norm=True), 2_765_568),
    ("wgan_gp", "G", dcgan_generator(), 3_576_704),
    ("wgan_gp", "D", dcgan_critic(bias=True, norm=False), 2_764_737),
    ("pix2pix", "G", unet(), 54_413_955),
    ("pix2pix", "D", patches(6, norm=True, bias=False), 2_768_705),
    ("srgan", "G", srresnet(), 734_219),
    ("cyclegan", "G", resnet_generator(), 11_378_179),
    ("cyclegan", "F", resnet_generator(), 11_378_179),
    ("cyclegan", "DA", patches(3, norm=False, bias=True), 2_764_737),
    ("cyclegan", "DB", patches(3, norm=False, bias=True), 2_764_737),
]


@pytest.mark.parametrize(
    ("spec", "network", "counted", "published"), NETWORKS, ids=lambda v: v if type(v) is str else ""
)
def test_a_network_is_the_published_one(spec, network, counted, published):
    sums = totals(archspec.load(spec).networks[network])
    assert sums.trainable_params == counted.params
    assert published in (None, counted.params)
    assert sums.macs == counted.macs


@pytest.mark.parametrize("spec", sorted({row[0] for row in NETWORKS}))
def test_every_expectation_is_met_and_there_is_one_of_each_network(spec):
    (graph,) = archspec.frontend.check(spec)
    assert unmet(graph) == []
    assert set(graph.expect.networks) == set(graph.networks)


def test_the_critic_of_srgan_is_the_published_one():
    sums = totals(archspec.load("srgan").networks["D"])
    assert (sums.trainable_params, sums.macs) == (5_215_425, 865_797_120)


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (32, 1), (128, 3)])
def test_dcgan_comes_in_other_sizes(size, channels):
    graph = archspec.load("dcgan", size=size, channels=channels)
    made = graph.networks["G"].outputs[0]
    assert graph.networks["G"].spec(made.tensor).shape == (size, size, channels)
    assert graph.networks["D"].spec(graph.networks["D"].outputs[0].tensor).shape == (1,)
