import numpy as np
import torch
from sklearn.datasets import load_digits

from seqgcn.datasets import Digits


def test_digits() -> None:
    digits = Digits()
    assert (digits.name, digits.classes) == ("Digits", tuple("0123456789"))
    assert digits.train.inputs.shape == (1347, 1, 8, 8)
    assert digits.test.inputs.shape == (450, 1, 8, 8)
    assert int(digits.train.inputs.max()) == 255


def test_the_test_part_is_stratified() -> None:
    digits = Digits()
    share = digits.test.targets.bincount() / (digits.train.targets.bincount() + digits.test.targets.bincount())
    assert torch.allclose(share, torch.full((10,), 0.25), atol=0.01)


def test_every_image_is_in_one_part_and_in_the_order_of_the_source() -> None:
    digits = Digits()
    pixels, labels = load_digits(return_X_y=True)
    source = [
        (image.tobytes(), label)
        for image, label in zip(np.rint(pixels * 255 / 16).astype(np.uint8), labels, strict=True)
    ]
    places = {image: place for place, image in enumerate(source)}
    assert len(places) == 1797
    found = []
    for split in (digits.train, digits.test):
        keys = [
            (image.numpy().tobytes(), int(target)) for image, target in zip(split.inputs, split.targets, strict=True)
        ]
        found.append([places[key] for key in keys])
        assert found[-1] == sorted(found[-1])
    assert sorted(found[0] + found[1]) == list(range(1797))


def test_digits_are_always_split_alike() -> None:
    assert Digits().fingerprint == Digits().fingerprint == Digits().limit().fingerprint
    assert Digits().limit(20, 10).fingerprint == Digits().limit(20, 10).fingerprint
