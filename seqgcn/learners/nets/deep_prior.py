"""DeepPrior and DeepPrior++: convolutions, two hidden layers, and a prior of what poses look like."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners.nets.pose import PoseNet, known_or, share_inverse
from seqgcn.learners.nets.width import scaled


class DeepPrior(PoseNet):
    r"""Hidden layers over a stack of convolutions, and a pose y = W c + m from r coefficients c.

    W `[3J, r]` and m `[3J]`, the principal axes and the mean of the training poses, are frozen (Oberweger, Wohlhart
    and Lepetit, "Hands Deep in Deep Learning for Hand Pose Estimation", CVWW 2015). The loss is the mean squared
    error of y. As W has orthonormal columns, ||W c + m - y*||² = ||c - W'(y* - m)||² + a constant, so its gradient is
    that of the squared error of the coefficients, up to the factor r / 3J between the two means.

    The pose is (xyz - center) / (cube / 2), and the embedding the second hidden layer after its rectifier.

    Args:
        body: The convolutions; gives `[b, features]`.
        size: Pixels along a crop's side.
        joints: Joints J.
        components: Coefficients r; 0 for a linear layer to the 3J coordinates instead.
        dropout: Share of hidden units dropped, after either hidden layer.
        slope: Of the rectifiers' negative side.
        hidden: Units of a hidden layer.
    """

    loss_modules: ClassVar[tuple[str, ...]] = ("body", "hidden1", "hidden2")

    def __init__(
        self,
        body: nn.Module,
        size: int,
        joints: int,
        components: int,
        *,
        dropout: float,
        slope: float = 0.0,
        hidden: int = 1024,
    ) -> None:
        super().__init__()
        with torch.no_grad():
            features = body.eval()(torch.zeros(1, 1, size, size)).shape[1]
        self.body, self.dropout, self.slope = body.train(), dropout, slope
        self.hidden1, self.hidden2 = nn.Linear(features, hidden), nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, components or 3 * joints)
        # The prior m + W c; whoever trains the network puts in what `pose_prior` gives.
        self.prior: nn.Module = nn.Identity()
        if components:
            self.prior = nn.Linear(components, 3 * joints).requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding `[b, hidden]` and pose `[b, J, 3]`."""
        return self.regress(self.body(images), drop=self.training)

    def regress(self, features: Tensor, *, drop: bool) -> tuple[Tensor, Tensor]:
        """The same from the convolutions' output, so that many passes with dropout share one through the body."""
        hidden = F.dropout(F.leaky_relu(self.hidden1(features), self.slope), self.dropout, drop)
        embedding = F.leaky_relu(self.hidden2(hidden), self.slope)
        # bfloat16 would round a joint in a cube of 250 mm by up to half a millimeter.
        with torch.autocast(embedding.device.type, enabled=False):
            pose = self.prior(self.head(F.dropout(embedding, self.dropout, drop).float()))
        return embedding, pose.unflatten(1, (-1, 3))

    def loss(self, images: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error of the normalized coordinates that are known, and the predicted pose."""
        predicted = self(images)[1]
        return F.mse_loss(predicted, known_or(predicted, pose)) * share_inverse(pose), predicted


def pose_prior(poses: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Mean and first principal axes of some poses, as many as asked for and as the poses have, but at least one.

    Args:
        poses: Normalized, `[n, J, 3]`.
        components: Axes wanted.

    Returns:
        Mean `[3J]` and orthonormal axes `[r, 3J]`, the first explaining the most; float32.
    """
    values = poses.flatten(1).double().cpu().numpy()
    # Not the default solver, which for some sizes is a randomised one that draws from the global generator.
    # A single pose, or equal ones, have no variance to take shares of.
    with np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(min(components, *values.shape), svd_solver="covariance_eigh")
        pca.fit(values if len(values) > 1 else values.repeat(2, axis=0))
    variances = np.nan_to_num(pca.explained_variance_)
    # What the rounding of float32 poses leaves in directions that they do not vary in is far below this.
    rank = max(int((variances > max(1e-10 * float(variances[0]), 1e-12)).sum()), 1)
    return torch.from_numpy(pca.mean_).float(), torch.from_numpy(pca.components_[:rank]).float()


def deep_prior(size: int, joints: int, components: int, dropout: float = 0.3, width: float = 1.0) -> DeepPrior:
    """DeepPrior as published for ICVL: 8 channels, pools of 4 and 2 px; `width` is a factor on the channels.

    Raises:
        ArgumentError: The crops are too small for it.
    """
    channels, hidden = scaled(width, (8, 1024))
    body = _valid_convolutions("deep-prior", size, channels=channels, last_kernel=3, slope=0.0)
    return DeepPrior(body, size, joints, components, dropout=dropout, hidden=hidden)


def deep_prior_no_pca(size: int, joints: int, dropout: float = 0.0, width: float = 1.0) -> DeepPrior:
    """The variant of the sequential GCN sampler's authors: 12 channels, leaky rectifiers, 3J outputs, no prior.

    Raises:
        ArgumentError: The crops are too small for it.
    """
    channels, hidden = scaled(width, (12, 1024))
    body = _valid_convolutions("deep-prior-no-pca", size, channels=channels, last_kernel=5, slope=0.05)
    return DeepPrior(body, size, joints, 0, dropout=dropout, slope=0.05, hidden=hidden)


def deep_prior_plus(
    size: int,
    joints: int,
    components: int,
    dropout: float = 0.3,
    widths: Sequence[int] = (64, 128, 256, 256),
    blocks: int = 5,
    width: float = 1.0,
) -> DeepPrior:
    """DeepPrior++: a residual network below the same head (Oberweger and Lepetit, ICCV Workshops 2017).

    Args:
        size: Pixels along a crop's side; any.
        joints: Joints J.
        components: Principal axes of the prior.
        dropout: Share of hidden units dropped.
        widths: Channels of each stage; a stage halves the side.
        blocks: Residual blocks of each stage.
        width: Factor on the channels.
    """
    hidden = scaled(width, (1024,))[0]
    # The residual branch has a quarter of them.
    widths = [4 * quarter for quarter in scaled(width / 4, widths)]
    layers: list[nn.Module] = [nn.Conv2d(1, 32, 5, padding=2), nn.MaxPool2d(2)]
    channels = 32
    for out_channels in widths:
        for block in range(blocks):
            layers.append(Bottleneck(channels, out_channels, 2 if block == 0 else 1))
            channels = out_channels
    layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Flatten()]
    return DeepPrior(nn.Sequential(*layers), size, joints, components, dropout=dropout, hidden=hidden)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, each after batch norm and relu, with a shortcut (He et al., ECCV 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        width = out_channels // 4
        self.norm1, self.conv1 = nn.BatchNorm2d(in_channels), nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm3, self.conv3 = nn.BatchNorm2d(width), nn.Conv2d(width, out_channels, 1, bias=False)
        self.plain = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module = nn.Identity()
        if not self.plain:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        activated = F.relu(self.norm1(x))
        residue = self.conv2(F.relu(self.norm2(self.conv1(activated))))
        residue = self.conv3(F.relu(self.norm3(residue)))
        y: Tensor = residue + self.shortcut(x if self.plain else activated)
        return y


def _valid_convolutions(net: str, size: int, *, channels: int, last_kernel: int, slope: float) -> nn.Sequential:
    smallest = 4 * (2 * last_kernel + 4) + 4
    if size < smallest:
        raise ArgumentError(
            f"{net} needs crops of at least {smallest} px, got {size}; set dataset.crop_size, or CropOptions(size=...)"
        )
    return nn.Sequential(
        nn.Conv2d(1, channels, 5),
        nn.MaxPool2d(4),
        nn.LeakyReLU(slope),
        nn.Conv2d(channels, channels, 5),
        nn.MaxPool2d(2),
        nn.LeakyReLU(slope),
        nn.Conv2d(channels, channels, last_kernel),
        nn.LeakyReLU(slope),
        nn.Flatten(),
    )
