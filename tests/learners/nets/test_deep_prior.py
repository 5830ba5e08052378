import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.nets.deep_prior import (
    Bottleneck,
    DeepPrior,
    deep_prior,
    deep_prior_no_pca,
    deep_prior_plus,
    pose_prior,
)
from seqgcn.utils.seeding import seeded


def small(components: int = 4, dropout: float = 0.5) -> DeepPrior:
    with seeded(0):
        body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LeakyReLU(), nn.Flatten())
        net = DeepPrior(body, 8, 3, components, dropout=dropout, hidden=16)
        if components:
            axes = torch.linalg.qr(torch.randn(9, components)).Q.T
            net.prior.load_state_dict({"weight": axes.T, "bias": torch.randn(9)})
    return net


def test_the_published_layers() -> None:
    with torch.device("meta"):
        first, second = deep_prior(128, 16, 30), deep_prior_no_pca(128, 16)
    # 128 px -> 124 / 4 = 31 -> 27 / 2 = 13 -> 11 or 9.
    assert first.hidden1.weight.shape == (1024, 8 * 11 * 11)
    assert second.hidden1.weight.shape == (1024, 12 * 9 * 9)
    assert (first.head.out_features, second.head.out_features) == (30, 48)
    assert first.prior.weight.shape == (48, 30)
    assert not any(parameter.requires_grad for parameter in first.prior.parameters())
    assert (first.dropout, first.slope, second.dropout, second.slope) == (0.3, 0.0, 0.0, 0.05)


def test_the_layers_of_deep_prior_plus() -> None:
    with torch.device("meta"):
        net = deep_prior_plus(128, 14, 30)
    # A first convolution, then 4 stages of 5 blocks of 3; the side goes from 128 to 128 / 2 / 16 = 4.
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) == 1 + 4 * 5 * 3 + 4
    assert net.hidden1.weight.shape == (1024, 256 * 4 * 4)
    assert (net.head.out_features, net.prior.weight.shape, net.dropout) == (30, (42, 30), 0.3)


@pytest.mark.parametrize("size", [44, 45, 96, 128])
def test_sizes(size: int) -> None:
    with seeded(0):
        net = deep_prior(size, 5, 6)
    embedding, pose = net(torch.zeros(2, 1, size, size))
    assert embedding.shape == (2, 1024)
    assert pose.shape == (2, 5, 3)


@pytest.mark.parametrize(("build", "smallest"), [(deep_prior, 44), (deep_prior_no_pca, 60)])
def test_the_smallest_size(build: object, smallest: int) -> None:
    arguments = (2, 3) if build is deep_prior else (2,)
    with seeded(0):
        net = build(smallest, *arguments)  # type: ignore[operator]
    assert net(torch.zeros(2, 1, smallest, smallest))[1].shape == (2, 2, 3)
    message = rf"needs crops of at least {smallest} px, got {smallest - 1}; set dataset.crop_size"
    with pytest.raises(ArgumentError, match=message):
        build(smallest - 1, *arguments)  # type: ignore[operator]


@pytest.mark.parametrize("size", [16, 30, 48])
def test_deep_prior_plus_takes_any_size(size: int) -> None:
    with seeded(0):
        net = deep_prior_plus(size, 2, 3, widths=(8, 8, 8, 8), blocks=1)
    assert net(torch.zeros(2, 1, size, size))[1].shape == (2, 2, 3)


def test_a_block_without_residue_is_its_input() -> None:
    with seeded(0):
        block, images = Bottleneck(8, 8, 1), torch.randn(2, 8, 4, 4)
    nn.init.zeros_(block.conv3.weight)
    torch.testing.assert_close(block(images), images)
    assert Bottleneck(8, 16, 2)(images).shape == (2, 16, 2, 2)


def test_gradient_of_the_outputs_loss_is_that_of_the_coefficients() -> None:
    net = small(dropout=0.0)
    with seeded(1):
        images, pose = torch.randn(5, 1, 8, 8), torch.randn(5, 3, 3)
    loss, predicted = net.loss(images, pose)
    assert torch.equal(predicted, net(images)[1])
    loss.backward()
    mean, axes = net.prior.bias, net.prior.weight.T
    wanted = (pose.flatten(1) - mean) @ axes.T
    outputs = net.head.weight.grad.clone()
    net.zero_grad()
    coefficients = net.head(net(images)[0])
    nn.functional.mse_loss(coefficients, wanted).backward()
    torch.testing.assert_close(outputs, net.head.weight.grad * 4 / 9)


def test_dropout_only_while_training_or_asked_for() -> None:
    net = small().eval()
    features = net.body(torch.ones(3, 1, 8, 8))
    with seeded(0):
        still = [net.regress(features, drop=False)[1] for _ in range(2)]
        moving = [net.regress(features, drop=True)[1] for _ in range(2)]
    assert torch.equal(*still)
    assert not torch.equal(*moving)
    torch.testing.assert_close(net(torch.ones(3, 1, 8, 8))[1], still[0])


def test_the_pose_is_float32_in_mixed_precision() -> None:
    net = small(dropout=0.0).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedding, pose = net(torch.ones(2, 1, 8, 8))
    assert (embedding.dtype, pose.dtype) == (torch.bfloat16, torch.float32)


def test_the_prior_is_scikit_learns_pca() -> None:
    with seeded(0):
        poses = torch.randn(200, 5, 3) * torch.linspace(0.1, 1, 5).view(-1, 1)
    mean, axes = pose_prior(poses, 6)
    pca = PCA(6).fit(poses.flatten(1).double().numpy())
    torch.testing.assert_close(mean, torch.from_numpy(pca.mean_).float())
    # An axis and its negative span the same line.
    cosines = (axes.double() * torch.from_numpy(pca.components_)).sum(dim=1).abs()
    torch.testing.assert_close(cosines, torch.ones(6, dtype=torch.float64))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 8), components=st.integers(1, 12), seed=st.integers(0, 1000))
def test_as_many_axes_as_the_poses_have(n: int, components: int, seed: int) -> None:
    with seeded(seed):
        poses = torch.randn(n, 4, 3)
    mean, axes = pose_prior(poses, components)
    assert axes.shape == (max(1, min(n - 1, components)), 12)
    torch.testing.assert_close(axes @ axes.T, torch.eye(len(axes)), atol=1e-5, rtol=0)
    torch.testing.assert_close(mean, poses.flatten(1).mean(dim=0), atol=1e-6, rtol=1e-5)
    if components >= n - 1:
        rebuilt = ((poses.flatten(1) - mean) @ axes.T) @ axes + mean
        torch.testing.assert_close(rebuilt, poses.flatten(1), atol=1e-5, rtol=0)


def test_the_axes_draw_nothing_from_numpys_generator() -> None:
    poses = torch.randn(600, 36, 3, generator=torch.Generator().manual_seed(0))
    before = np.random.get_state()  # noqa: NPY002  # the global one must stay as it is
    first, second = pose_prior(poses, 30), pose_prior(poses, 30)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, np.random.get_state(), strict=True))  # noqa: NPY002
