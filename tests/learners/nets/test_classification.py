import pytest
import torch

from seqgcn.learners.nets.classification import BasicBlock, ResNet18, SmallCNN
from seqgcn.utils.seeding import seeded


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("channels", "side"), [(1, 4), (1, 8), (3, 28), (3, 33)])
def test_small_cnn_shapes(channels: int, side: int) -> None:
    with seeded(0):
        net = SmallCNN(channels, 7, width=4, embedding=16)
    embedding, logits = net(torch.zeros(2, channels, side, side))
    assert embedding.shape == (2, 16)
    assert logits.shape == (2, 7)


def test_small_cnn_embedding_is_the_hidden_layer_after_its_relu() -> None:
    with seeded(0):
        net = SmallCNN(1, 3, width=4).eval()
        images = torch.randn(5, 1, 8, 8)
    embedding, logits = net(images)
    assert (embedding >= 0).all()
    assert (embedding > 0).any()
    torch.testing.assert_close(net.head(embedding), logits)


def test_resnet18_has_the_size_of_the_cifar_form() -> None:
    # 11,173,962 parameters, as counted for the 3x3-stem ResNet-18 with 10 classes throughout the literature.
    with torch.device("meta"):
        assert count(ResNet18(3, 10)) == 11_173_962
        assert count(ResNet18(3, 100)) == 11_173_962 + 90 * 513


def test_resnet18_shapes() -> None:
    with seeded(0):
        net = ResNet18(3, 10).eval()
    with torch.no_grad():
        embedding, logits = net(torch.zeros(2, 3, 32, 32))
        before_pool = net.stages(net.stem(torch.zeros(1, 3, 32, 32)))
    assert embedding.shape == (2, 512)
    assert logits.shape == (2, 10)
    # No pooling in the stem and three strides of 2.
    assert before_pool.shape == (1, 512, 4, 4)
    torch.testing.assert_close(before_pool.mean(dim=(2, 3)), embedding[:1])


def test_block_without_residue_is_its_shortcut() -> None:
    with seeded(0):
        block = BasicBlock(4, 4, 1).eval()
        images = torch.rand(2, 4, 6, 6)
    torch.nn.init.zeros_(block.bn2.weight)
    torch.testing.assert_close(block(images), images)
    assert isinstance(BasicBlock(4, 8, 1).shortcut, torch.nn.Sequential)
    assert BasicBlock(4, 8, 2)(images).shape == (2, 8, 3, 3)
