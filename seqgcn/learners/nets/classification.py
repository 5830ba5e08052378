"""Networks that classify images; each returns its embedding and the logits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module, ABC):
    """A network whose logits are a linear layer, `head`, over its embedding, with dropout between the two.

    Attributes:
        loss_modules: Paths of the modules from whose output the loss is predicted, unless others are named.

    Args:
        head: From embedding to logits.
        dropout: Share of the embedding's units dropped.
    """

    loss_modules: ClassVar[tuple[str, ...]] = ()

    def __init__(self, head: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.head, self.dropout = head, dropout

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Embedding `[b, d]` of a batch."""

    def classify(self, embedding: Tensor, *, drop: bool) -> Tensor:
        """Logits `[..., num_classes]` of embeddings `[..., d]`, so that many passes share one embedding."""
        return self.head(F.dropout(embedding, self.dropout, drop))  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding and logits of a batch."""
        embedding = self.embed(images)
        return embedding, self.classify(embedding, drop=self.training)


class SmallCNN(Classifier):
    """Three 3x3 convolutions with batch norm, two pools between them, then a hidden layer: fast on a CPU.

    Args:
        in_channels: Color channels.
        num_classes: Classes.
        width: Channels of the first convolution; each later one has twice as many.
        embedding: Size of the hidden layer whose output after the relu is the embedding.
        dropout: Share of its units dropped.

    Shapes:
        - **input:** `[b, in_channels, height, width]`, at least 4 x 4 pixels
        - **output:** embedding `[b, embedding]`, logits `[b, num_classes]`
    """

    loss_modules: ClassVar[tuple[str, ...]] = ("body.3", "body.7", "body.11", "hidden")

    def __init__(
        self, in_channels: int, num_classes: int, width: int = 32, embedding: int = 128, dropout: float = 0.0
    ) -> None:
        super().__init__(nn.Linear(embedding, num_classes), dropout)

        def block(channels_in: int, channels_out: int) -> list[nn.Module]:
            convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
            return [convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)]

        self.body = nn.Sequential(
            *block(in_channels, width),
            nn.MaxPool2d(2),
            *block(width, 2 * width),
            nn.MaxPool2d(2),
            *block(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.hidden = nn.Linear(16 * width, embedding)

    def embed(self, images: Tensor) -> Tensor:
        """Embedding `[b, embedding]` of a batch."""
        return F.relu(self.hidden(self.body(images)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al., CVPR 2016)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """One residual step."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


def residual_stages(widths: Sequence[int]) -> nn.Sequential:
    """ResNet-18's stages for input of `widths[0]` channels: two blocks each, every stage but the first of stride 2."""
    stages: list[nn.Module] = []
    channels = widths[0]
    for number, width in enumerate(widths):
        stages.append(nn.Sequential(BasicBlock(channels, width, 1 if number == 0 else 2), BasicBlock(width, width, 1)))
        channels = width
    return nn.Sequential(*stages)


class ResNet18(Classifier):
    """ResNet-18 for 32 x 32 images: a 3x3 stem without pooling (He et al., CVPR 2016, in its CIFAR form).

    Args:
        in_channels: Color channels.
        num_classes: Classes.
        widths: Channels of the four stages; the last is the size of the embedding.
        dropout: Share of the embedding's units dropped.

    Shapes:
        - **input:** `[b, in_channels, height, width]`
        - **output:** average-pooled embedding `[b, 512]`, logits `[b, num_classes]`
    """

    loss_modules: ClassVar[tuple[str, ...]] = ("stages.0", "stages.1", "stages.2", "stages.3")

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int] = (64, 128, 256, 512),
        dropout: float = 0.0,
    ) -> None:
        super().__init__(nn.Linear(widths[-1], num_classes), dropout)
        stem = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True))
        self.stages = residual_stages(widths)

    def embed(self, images: Tensor) -> Tensor:
        """Average-pooled output of the last stage, `[b, widths[-1]]`."""
        embedding: Tensor = self.stages(self.stem(images)).mean(dim=(2, 3))
        return embedding
