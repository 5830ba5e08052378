from typing import Any

import pytest
import torch
from contract_pools import pool
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from seqgcn.datasets import Digits
from seqgcn.exceptions import ArgumentError
from seqgcn.selectors import BALD
from seqgcn.selectors.bgadl import BGADL
from seqgcn.selectors.extensions import Generated

TINY: dict[str, Any] = {"image_size": 8, "latent_channels": 3, "hidden_channels": 4, "steps": 4, "batch_size": 6}


def labelled(n: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """Images, classes, and which were picked."""
    images = torch.randint(0, 256, (n, 2, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return images, torch.arange(n) % 3, torch.arange(n) % 2 == 1


def generated(
    selector: BGADL, images: Tensor, targets: Tensor, picked: Tensor, num_classes: int = 3, **options: Any
) -> Generated:
    made = selector.generate(images, targets, picked, num_classes=num_classes, device=torch.device("cpu"), **options)
    assert made is not None
    return made


def test_it_picks_as_bald_does_whatever_it_generates_with() -> None:
    expected = BALD().select(pool(), 12)
    for selector in (BGADL(), BGADL(steps=3, seed=5)):
        selection = selector.select(pool(), 12)
        assert torch.equal(selection.index, expected.index)
        assert torch.equal(selection.score, expected.score)


def test_it_generates_where_gradients_are_off() -> None:
    expected = generated(BGADL(**TINY), *labelled()).images
    with torch.no_grad():
        assert torch.equal(generated(BGADL(**TINY), *labelled()).images, expected)
    with torch.inference_mode():
        made = generated(BGADL(**TINY), *labelled())
    assert torch.equal(made.images, expected)
    assert not made.images.is_inference()


def test_each_picked_image_gets_one_of_its_class_and_size() -> None:
    images, targets, picked = labelled()
    before = images.clone()
    made = generated(BGADL(**TINY), images, targets, picked)
    assert made.source.tolist() == [1, 3, 5, 7, 9, 11]
    assert made.targets.tolist() == targets[made.source].tolist()
    assert (made.images.dtype, made.images.shape) == (torch.uint8, (6, 2, 8, 8))
    assert torch.equal(images, before)
    wide = generated(BGADL(**TINY), images.repeat(1, 1, 2, 3), targets, picked)
    assert wide.images.shape == (6, 2, 16, 24)


def test_nothing_is_generated_before_the_first_pick() -> None:
    images, targets, picked = labelled()
    nothing = torch.zeros_like(picked)
    options: dict[str, Any] = {"num_classes": 3, "device": torch.device("cpu")}
    assert BGADL(**TINY).generate(images, targets, nothing, **options) is None


def test_a_single_image_of_a_single_class_is_enough() -> None:
    images, targets, picked = labelled()
    made = generated(BGADL(**TINY | {"batch_size": 1}), images[1:2], targets[:1], picked[1:2])
    assert len(made.images) == 1


def test_the_same_labels_give_the_same_images_and_global_states_stay() -> None:
    before = torch.random.get_rng_state()
    calls: list[tuple[str, int, int]] = []
    first = generated(BGADL(**TINY), *labelled(), progress=lambda *call: calls.append(call))
    assert calls == [("bgadl", step + 1, 4) for step in range(4)]
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(generated(BGADL(**TINY), *labelled()).images, first.images)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", 4),
        ("latent_channels", 4),
        ("hidden_channels", 5),
        ("beta", 30.0),
        ("adversary_weight", 30.0),
        ("steps", 5),
        ("batch_size", 7),
        ("lr", 0.1),
        ("seed", 1),
    ],
)
def test_every_parameter_changes_what_is_generated(name: str, value: float) -> None:
    options = TINY | {"lr": 0.01}
    usual, changed = (generated(BGADL(**some), *labelled()).images for some in (options, options | {name: value}))
    assert not torch.equal(usual, changed)


def test_generated_digits_are_of_their_class_and_near_their_source() -> None:
    digits = Digits()
    pick = torch.randperm(len(digits.train), generator=torch.Generator().manual_seed(0))
    known, others = digits.train[pick[:150]], digits.train[pick[150:]]
    picked = torch.arange(150) >= 70
    selector = BGADL(image_size=8, latent_channels=16, hidden_channels=16, steps=400)
    made = generated(selector, known.inputs, known.targets, picked, num_classes=10)

    judge = LogisticRegression(max_iter=500).fit(others.inputs.flatten(1) / 255, others.targets)
    right = judge.predict(made.images.flatten(1) / 255) == made.targets.numpy()
    assert right.mean() > 0.8

    flat = made.images.flatten(1).float()
    to_source = (flat - known.inputs[made.source].flatten(1)).norm(dim=1)
    to_others = torch.cdist(flat, others.inputs.flatten(1).float())
    nearer = to_source.unsqueeze(1) < to_others
    assert nearer.float().mean() > 0.95
    same_class = made.targets.unsqueeze(1) == others.targets
    assert nearer[same_class].float().mean() > 0.7


def test_unusable_options_are_named() -> None:
    with pytest.raises(ArgumentError, match="steps must be a whole number of at least 1, got 0"):
        BGADL(steps=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 2, got 0; pass how many classes the data set has"),
        ({"num_classes": 1}, "num_classes must be at least 2, got 1"),
        ({"num_classes": 3.0}, "num_classes must be a whole number"),
        ({"num_classes": 2}, r"targets must be classes from 0 to 1; rows 2, 5, 8, 11 are not\. Number the classes"),
        ({"targets": labelled()[1] - 1}, "targets must be classes from 0 to 2; rows 0, 3, 6, 9 are not"),
        ({"targets": labelled()[1].float()}, r"targets must be an int64 tensor \[12\].* got torch.float32 \[12\]; use"),
        ({"targets": labelled()[1][:5]}, r"targets must be an int64 tensor \[12\].* got torch.int64 \[5\]"),
        ({"targets": [0, 1]}, "targets must be an int64 tensor .* got list"),
        ({"images": labelled()[0] / 255}, r"images must be a uint8 tensor .* got torch.float32 .* use \(255 \* images"),
        ({"images": labelled()[0][:, 0]}, r"images must be a uint8 tensor .* got torch.uint8 \[12, 8, 8\]"),
        ({"images": labelled()[0][..., :0]}, r"images must be a uint8 tensor .* got torch.uint8 \[12, 2, 8, 0\]"),
        ({"images": None}, "images must be a uint8 tensor .* got NoneType"),
        ({"picked": torch.tensor([1, 3])}, "picked must be bool, got torch.int64"),
        ({"picked": labelled()[2][:5]}, "picked has 5 entries, but there are 12"),
    ],
)
@pytest.mark.parametrize("any_picked", [True, False], ids=["picked", "none yet"])
def test_unusable_items_are_named_from_the_first_cycle_on(
    change: dict[str, Any], message: str, any_picked: bool
) -> None:
    images, targets, picked = labelled()
    items = {"images": images, "targets": targets, "picked": picked & any_picked, "num_classes": 3} | change
    with pytest.raises(ArgumentError, match=message):
        BGADL(**TINY).generate(**items, device=torch.device("cpu"))
