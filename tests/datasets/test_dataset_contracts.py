"""All data sets keep the contracts."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_contracts import CONTRACTS, Contract, same
from hand_releases import write_bighand, write_folder, write_icvl, write_msra, write_nyu, write_two_cameras
from image_releases import write_cifar10, write_cifar100, write_images, write_mnist, write_svhn
from torch.utils.data import DataLoader

from seqgcn.config.registry import CATALOGUE
from seqgcn.datasets import CIFAR10, CIFAR100, MNIST, SVHN, Digits, FashionMNIST, Features, ImageFolder
from seqgcn.datasets.hands import ICVL, MSRA, NYU, BigHand, DepthFolder, HandSplits
from seqgcn.datasets.hands.rendered import RenderedHands

pytestmark = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")

QUICK: dict[str, Any] = {"crop_size": 16, "crop": "mass"}


def icvl(root: Path) -> Any:
    write_icvl(root)
    return HandSplits(ICVL(root, "train", **QUICK), ICVL(root, "test", **QUICK))


def nyu(root: Path) -> Any:
    for part, count in (("train", 3), ("test", 2)):
        write_nyu(root, {part: count})
    return NYU.splits(root, **QUICK)


def msra(root: Path) -> Any:
    write_msra(root, {"P0/5": 2, "P1/5": 2, "P2/1": 2})
    return MSRA.splits(root, **QUICK)


def hands17(root: Path) -> Any:
    write_bighand(root, 6)
    return BigHand.splits(root, **QUICK)


def depth_folder(root: Path) -> Any:
    write_folder(root, {"a": 4, "b": 2})
    return DepthFolder.splits(root, **QUICK)


def left_hands(root: Path) -> Any:
    write_folder(root, {"a": 4, "b": 2})
    with open(root / "camera.yaml", "a") as file:
        file.write("hand: left\n")
    return DepthFolder.splits(root, **QUICK)


def rows(root: Path) -> Any:
    root.mkdir()
    np.save(root / "x.npy", np.arange(60, dtype=np.float32).reshape(20, 3))
    np.save(root / "y.npy", np.arange(20) % 2)
    return Features(str(root / "x.npy"), str(root / "y.npy"))


def two_cameras(root: Path) -> Any:
    write_two_cameras(root)
    return DepthFolder.splits(root, test_fraction=0.5, **QUICK)


def limited(root: Path) -> Any:
    write_icvl(root)
    return ICVL.splits(root, **QUICK).limit(3, 2)


DATASETS: dict[str, Callable[[Path], Any]] = {
    "digits": lambda _root: Digits().limit(30, 10),
    "cifar10": lambda root: CIFAR10(write_cifar10(root)),
    "cifar100": lambda root: CIFAR100(write_cifar100(root)),
    "mnist": lambda root: MNIST(write_mnist(root)),
    "fashion-mnist": lambda root: FashionMNIST(write_mnist(root)),
    "svhn": lambda root: SVHN(write_svhn(root)),
    "image-folder": lambda root: ImageFolder(write_images(root)),
    "features": rows,
    "rendered-hands": lambda _root: RenderedHands(frames=5, sequences=2, test_frames=3, crop_size=16),
    "icvl": icvl,
    "nyu": nyu,
    "msra": msra,
    "hands17": hands17,
    "depth-folder": depth_folder,
    "depth-folder, left hands": left_hands,
    "depth-folder, two cameras": two_cameras,
    "icvl, limited": limited,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The data set of a name, made once."""
    kept: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in kept:
            folder = tmp_path_factory.mktemp("data")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SEQGCN_CACHE", str(folder / "cache"))
                kept[name] = DATASETS[name](folder / "set")
                kept[name].prepare()
        return kept[name]

    return get


def test_the_whole_catalogue_is_held_to_the_contracts() -> None:
    assert set(CATALOGUE["dataset"]) <= set(DATASETS)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("name", DATASETS)
def test_data_set(name: str, contract: Contract, made: Callable[[str], Any]) -> None:
    dataset = made(name)
    contract(dataset.train, dataset.test)


@pytest.mark.slow
def test_workers_that_are_started_anew_map_the_crops_themselves(made: Callable[[str], Any]) -> None:
    train = made("depth-folder, left hands").train
    context = multiprocessing.get_context("spawn")
    loaded = list(DataLoader(train, batch_size=1, num_workers=1, multiprocessing_context=context))
    assert all(same([value[0] for value in batch], train[i]) for i, batch in enumerate(loaded))
