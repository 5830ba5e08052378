import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.datasets import Digits
from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.vaal import VAAL

TINY = {"image_size": 8, "latent_channels": 3, "hidden_channels": 4, "steps": 4, "batch_size": 6}


def frames(n: int = 30, height: int = 12, width: int = 10) -> Tensor:
    return torch.randint(0, 256, (n, 1, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def some_labelled(n: int = 30) -> Tensor:
    return torch.arange(n) % 3 == 0


@pytest.mark.parametrize("missing", [[7], [3, 8]])
def test_digits_that_no_label_shows_look_unlabelled(missing: list[int]) -> None:
    split = Digits().train
    absent = torch.isin(split.targets, torch.tensor(missing))
    shown = (~absent).nonzero().squeeze(1)
    train_mask = torch.zeros(len(split), dtype=torch.bool)
    train_mask[shown[torch.randperm(len(shown), generator=torch.Generator().manual_seed(0))[:300]]] = True
    data = Data(image=split.inputs, train_mask=train_mask)

    selection = VAAL(image_size=8, latent_channels=16, hidden_channels=16, steps=500).select(data, 100)
    confidence = selection.details["confidence"]
    assert roc_auc_score(train_mask, confidence) > 0.6
    # Among the unlabeled alone, which it cannot have learned one by one.
    assert roc_auc_score(absent[~train_mask], -confidence[~train_mask]) > 0.8
    assert absent[selection.index].float().mean() > 2 * absent[~train_mask].float().mean()


def test_the_adversary_hides_which_images_are_labelled() -> None:
    split = Digits().train
    train_mask = (split.targets < 5) & (torch.arange(len(split)) % 2 == 0)
    data = Data(image=split.inputs, train_mask=train_mask)
    sizes = {"image_size": 8, "latent_channels": 8, "hidden_channels": 8, "steps": 150, "batch_size": 32, "lr": 1e-2}
    alone, against = (VAAL(**sizes, adversary_weight=weight).select(data, 5).details for weight in (0.0, 5.0))
    assert against["discriminator_loss"][-25:].mean() > alone["discriminator_loss"][-25:].mean() + 0.03
    # Wrong as often as by chance, not more: the discriminator itself is not trained to be fooled.
    assert against["discriminator_loss"][-25:].mean() < 0.75
    assert against["confidence"].std() < 0.8 * alone["confidence"].std()


def test_the_adversary_counts_by_its_weight() -> None:
    data = Data(image=frames(), train_mask=some_labelled())
    loss = [
        float(VAAL(**TINY, adversary_weight=weight).select(data, 5).details["loss"][0]) for weight in (0.0, 1e3, 2e3)
    ]
    # An untrained discriminator says about 1/2 of anything.
    assert (loss[1] - loss[0]) / 1e3 == pytest.approx(math.log(2), abs=0.1)
    assert loss[2] - loss[1] == pytest.approx(loss[1] - loss[0], rel=1e-3)


def test_the_score_is_how_unlabelled_an_image_looks() -> None:
    data = Data(image=frames(), train_mask=some_labelled())
    selection = VAAL(**TINY).select(data, 20)
    confidence = selection.details["confidence"]
    assert confidence.shape == (30,)
    torch.testing.assert_close(selection.score, 1 - confidence[selection.index])
    assert selection.details["loss"].shape == (4,)
    assert selection.details["discriminator_loss"].shape == (2,)


def test_whole_and_floating_point_pixels_are_the_same_image() -> None:
    whole, part = (
        VAAL(**TINY).select(Data(image=image, train_mask=some_labelled()), 9) for image in (frames(), frames() / 255)
    )
    assert torch.equal(whole.index, part.index)
    assert torch.equal(whole.score, part.score)


def test_images_that_are_neither_labelled_nor_candidates_teach_nothing() -> None:
    data = Data(image=frames(), train_mask=some_labelled(), pool_mask=torch.arange(30) < 20)
    other = frames()
    other[20:] = torch.where(data.train_mask[20:].view(-1, 1, 1, 1), other[20:], 0)
    first, second = (
        VAAL(**TINY).select(Data(image=image, train_mask=data.train_mask, pool_mask=data.pool_mask), 5)
        for image in (frames(), other)
    )
    assert torch.equal(first.details["loss"], second.details["loss"])
    assert torch.equal(first.index, second.index)


def test_equal_images_and_a_single_candidate_can_be_picked() -> None:
    equal = Data(image=torch.full((6, 3, 5, 5), 0.5), train_mask=torch.arange(6) == 2)
    # In no certain order: some processors round equal rows of a batch differently.
    assert sorted(VAAL(**TINY).select(equal, 5).index.tolist()) == [0, 1, 3, 4, 5]
    last = Data(image=frames(), train_mask=torch.arange(30) != 7)
    assert VAAL(**TINY).select(last, 1).index.tolist() == [7]


def test_it_needs_a_label() -> None:
    with pytest.raises(ArgumentError, match=r"VAAL learns .* no node is labeled; start with Random or CoreSet"):
        VAAL(**TINY).select(Data(image=frames(), train_mask=torch.zeros(30, dtype=torch.bool)), 1)


def test_unusable_options_are_named() -> None:
    with pytest.raises(ArgumentError, match="image_size must be a multiple of 4, got 30"):
        VAAL(image_size=30)
