import importlib
import inspect
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hand_releases import write_folder, write_icvl, write_msra

from seqgcn.config.registry import load, parameters
from seqgcn.datasets.dataset import check_dataset
from seqgcn.datasets.hands import ICVL, MSRA, NYU, BigHand, CropOptions, DepthFolder, HandSplits
from seqgcn.datasets.hands.folder_splits import FolderSplits
from seqgcn.exceptions import ArgumentError

pytestmark = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")


@pytest.fixture
def options(tmp_path: Path) -> CropOptions:
    return CropOptions(size=16, crop="mass", cache=str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_icvl(tmp_path / "icvl")
    return tmp_path / "icvl"


def both(root: Path, options: CropOptions) -> HandSplits:
    return HandSplits(ICVL(root, "train", options=options), ICVL(root, "test", options=options))


def test_two_parts_are_the_data_set_that_the_folder_is_read_as(root: Path, options: CropOptions) -> None:
    splits = both(root, options)
    read = ICVL.splits(root, crop_size=16, crop="mass", cache=options.cache)
    assert isinstance(read, FolderSplits)
    assert splits.fingerprint == read.fingerprint
    assert (
        (splits.name, splits.task, splits.crop_size) == (read.name, read.task, read.crop_size) == ("ICVL", "pose", 16)
    )
    assert splits.references == read.references
    assert splits.references["DeepPrior"] == 10.4
    assert isinstance(splits.train, ICVL)
    assert splits.train is splits.hands("train")
    assert torch.equal(splits.test.targets, read.test.joints)
    assert splits.test.inputs is splits.test.frames


def test_nothing_is_cropped_before_it_is_needed(root: Path, options: CropOptions) -> None:
    splits = both(root, options).limit(2, 1)
    assert splits.references == {}
    assert not (root.parent / "cache").exists()
    assert (len(splits.train), len(splits.test)) == (2, 1)
    whole = both(root, options)
    assert len(whole.train) == 4
    assert set(splits.train.files) < set(whole.train.files)
    with pytest.raises(ArgumentError, match="before its crops are made"):
        whole.limit(1)
    with pytest.raises(ArgumentError, match="pool size must be at most 4"):
        both(root, options).limit(5).prepare()


def test_a_name_of_ones_own(root: Path, options: CropOptions, messages: list[str]) -> None:
    train, test = ICVL(root, "train", options=options), ICVL(root, "test", options=options)
    assert HandSplits(train, test, name="lab").name == "lab"
    oracle = replace(options, crop="oracle")
    upper = HandSplits(ICVL(root, "train", options=oracle), ICVL(root, "test", options=oracle))
    upper.prepare()
    assert upper.name == "ICVL, oracle centres"
    assert any("knows labels it must not know" in line for line in messages)


def test_titles_and_published_results_of_a_part(tmp_path: Path, root: Path) -> None:
    assert (ICVL(root).title, ICVL(root).published["V2V"]) == ("ICVL", 6.28)
    write_folder(tmp_path / "my lab", {"a": 3})
    assert DepthFolder(tmp_path / "my lab", "all").title == "my lab"
    write_msra(tmp_path / "msra", {"P0/5": 1, "P3/5": 2})
    parts = [MSRA(tmp_path / "msra", part, test_subject=3) for part in ("train", "test")]  # type: ignore[arg-type]
    assert HandSplits(*parts).name == "MSRA15, tested on subject 3; published: means over all nine"


def test_parts_that_do_not_go_together(tmp_path: Path, root: Path, options: CropOptions) -> None:
    train = ICVL(root, "train", options=options)
    with pytest.raises(ArgumentError, match=r"size=32.*the same"):
        HandSplits(train, ICVL(root, "test", crop_size=32, options=options))
    write_folder(tmp_path / "lab", {"a": 3})
    with pytest.raises(ArgumentError, match="16 joints and lab-all 3"):
        HandSplits(train, DepthFolder(tmp_path / "lab", "all", options=options))
    with pytest.raises(ArgumentError, match=r"test must be a HandDataset.*str"):
        HandSplits(train, str(root))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="ICVL"):
        HandSplits(train, ICVL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "name", "own"),
    [
        (ICVL, "icvl", {"original_only", "cube"}),
        (NYU, "nyu", {"joints", "cube", "second_cube"}),
        (MSRA, "msra", {"test_subject"}),
        (BigHand, "hands17", {"test_fraction", "cube"}),
        (DepthFolder, "depth-folder", {"test_fraction", "cube", "depth"}),
    ],
)
def test_the_catalogue_has_the_parameters_of_the_class(kind: Any, name: str, own: set[str]) -> None:
    assert load("dataset", name) == kind.splits
    shared = "crop_size train_centres test_centres oracle_centres near far skip_empty cache crop centers accept_crops"
    assert list(parameters("dataset", name)) == [
        *shared.split(),
        "accept_labels",
        "strict",
        *list(parameters("dataset", name))[13:],
    ]
    assert set(list(parameters("dataset", name))[13:]) == own
    assert list(inspect.signature(kind.splits).parameters)[12:14] == ["root", "strict"]


def test_an_argument_that_there_is_not(root: Path) -> None:
    with pytest.raises(ArgumentError, match=r"ICVL\.splits has no argument 'test_subject'; it has crop_size"):
        ICVL.splits(root, test_subject=1)
    with pytest.raises(ArgumentError, match=r"NYU\.splits has no argument 'view'"):
        NYU.splits(root, view=2)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("pools", "ICVLPoses", ICVL),
        ("pools", "NYUPoses", NYU),
        ("pools", "MSRAPoses", MSRA),
        ("pools", "BigHandPoses", BigHand),
        ("pools", "FolderPoses", DepthFolder),
        ("poses", "PoseDataset", HandSplits),
        ("poses", "PoseFiles", FolderSplits),
    ],
)
def test_old_names_are_still_there_and_say_the_new_ones(module: str, old: str, new: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the module, if it is imported for the first time
        held = importlib.import_module(f"seqgcn.datasets.hands.{module}")
    with pytest.warns(DeprecationWarning, match=rf"{old} is now seqgcn\.datasets\.hands\..*{new.__name__}"):
        found = getattr(held, old)
    assert found == getattr(new, "splits", new)
    with pytest.raises(AttributeError, match="Nothing"):
        _ = importlib.import_module("seqgcn.datasets.hands.splits").Nothing


def test_an_old_name_makes_the_same_data_set(root: Path, options: CropOptions) -> None:
    with pytest.warns(DeprecationWarning, match=r"ICVLPoses is now seqgcn\.datasets\.hands\.icvl\.ICVL\.splits"):
        from seqgcn.datasets.hands.splits import ICVLPoses
    old = ICVLPoses(root=str(root), crop_size=16, crop="mass", cache=options.cache)
    assert old.fingerprint == both(root, options).fingerprint
    assert old.every_frame().files == ICVL(root, "all").files


def test_one_part_is_no_data_set_for_the_loop_which_says_what_is(root: Path) -> None:
    with pytest.raises(ArgumentError, match=r"ICVL is no data set.*lacks train, test.*HandSplits\(train, test\)"):
        check_dataset(ICVL(root))
