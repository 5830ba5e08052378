import os
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_releases import FOLDER_CAMERA, save_grey, write_folder
from torch.utils.data import Subset

from seqgcn.datasets.conversion import read_source
from seqgcn.datasets.hands import CropOptions, DepthFolder, HandDataset, HandFrames, Skeleton
from seqgcn.datasets.hands.crop import FULL_SCALE, DepthImage, crop
from seqgcn.exceptions import ArgumentError, DataFileError, RunFolderError, SeqGCNWarning

SKELETON = Skeleton(("palm", "thumb tip"), ((0, 1),))


def flat(path: Path) -> DepthImage:
    """The frame called 400 is at 400 mm all over; there are no files."""
    return DepthImage(torch.full((120, 160), float(path.name)))


def toy(folder: Path, depths: tuple[int, ...] = (400, 410, 420), **arguments: Any) -> HandDataset:
    for depth in depths:
        if not (folder / str(depth)).exists():
            (folder / str(depth)).touch()
    given: dict[str, Any] = {
        "name": "toy",
        "root": folder,
        "files": [str(depth) for depth in depths],
        "sequences": ["a"] * (len(depths) - 1) + ["b"],
        "joints": torch.tensor([[[0.0, 0.0, depth], [10.0, 0.0, depth]] for depth in depths]),
        "cube": 200.0,
        "camera": FOLDER_CAMERA,
        "skeleton": SKELETON,
        "read": flat,
        "options": CropOptions(size=16, crop="mass", cache=str(folder / "cache")),
    }
    return HandDataset(**given | arguments)


def test_what_it_knows_before_a_frame_is_decoded(tmp_path: Path) -> None:
    dataset = toy(tmp_path, read=lambda path: pytest.fail("decoded"))
    assert len(dataset) == 3
    assert repr(dataset) == "HandDataset(toy, 3 frames, 2 sequences)"
    assert (dataset.sequence_names, dataset.sequence.tolist()) == (("a", "b"), [0, 0, 1])
    assert dataset.labelled.tolist() == [True] * 3
    assert dataset.cube.tolist() == [200.0] * 3
    assert (dataset.skipped, dataset.mirror) == ({}, False)


def test_frames(tmp_path: Path) -> None:
    dataset = toy(tmp_path, cube=torch.tensor([200.0, 220.0, 240.0]))
    frames = dataset.frames
    assert (len(frames), frames.size) == (3, 16)
    assert isinstance(frames.crops, np.memmap)
    torch.testing.assert_close(frames.centre[:, 2], torch.tensor([400.0, 410, 420]))
    chosen = frames[torch.tensor([2, 0])]
    assert chosen.crops is frames.crops
    batch = chosen.batch(torch.tensor([0, 1]))
    assert batch.images.shape == (2, 1, 16, 16)
    assert batch.images.dtype == torch.float32
    assert batch.cube.tolist() == [240, 200]
    torch.testing.assert_close(batch.centre, frames.centre[[2, 0]])
    expected = crop(dataset.depth(2), frames.centre[2], 240, FOLDER_CAMERA, 16)
    assert expected is not None
    torch.testing.assert_close(batch.images[0, 0], expected / FULL_SCALE)
    assert dataset.frames.crops is frames.crops


def test_left_hands_are_mirrored(tmp_path: Path) -> None:
    pixels = np.arange(16 * 16, dtype=np.int16).reshape(1, 16, 16)
    centre, cube = torch.tensor([[5.0, 6.0, 400.0]]), torch.tensor([200.0])
    frames = HandFrames(pixels, torch.tensor([0]), centre, cube, SKELETON, mirror=True)
    batch = frames[torch.tensor([0])].batch(torch.tensor([0]))
    torch.testing.assert_close(batch.images[0, 0], torch.from_numpy(pixels[0, :, ::-1].copy()) / FULL_SCALE)
    assert batch.centre.tolist() == [[-5, 6, 400]]
    assert frames.reflect(frames.reflect(centre)).tolist() == centre.tolist()


def test_cache_is_built_once(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path / "lab", {"a": 2})
    dataset = DepthFolder(tmp_path / "lab", "all", options=options)
    dataset.read = lambda path: pytest.fail("decoded")
    DepthFolder(tmp_path / "lab", "all", options=options).prepare()
    assert len(dataset.prepare().prepare().frames) == 2
    kept = sorted(path.suffix for path in (tmp_path / "cache").iterdir() if path.name[0] != ".")
    assert kept == ["", ".npz", ".npz"]  # the crops, what was seen in each frame, and where the hands were found


def test_changed_file_or_option_makes_a_new_cache(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path / "lab", {"a": 2})
    options = replace(options, crop="mass")

    def centre(chosen: CropOptions) -> float:
        return float(DepthFolder(tmp_path / "lab", "all", options=chosen).frames.centre[0, 2])

    first, oracle = centre(options), centre(replace(options, centre="oracle"))
    assert first != oracle
    assert DepthFolder(tmp_path / "lab", "all", options=replace(options, size=40)).frames.size == 40
    moved = np.full((120, 160), 2 * 555, np.uint16)
    save_grey(tmp_path / "lab" / "a" / "1.png", moved)
    os.utime(tmp_path / "lab" / "a" / "1.png", ns=(0, 0))
    assert centre(options) == 555


def test_fingerprint(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path / "lab", {"a": 2})

    def fingerprint(chosen: CropOptions = options) -> str:
        return DepthFolder(tmp_path / "lab", "all", options=chosen).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    found = {first, fingerprint(replace(options, size=40))}
    labels = tmp_path / "lab" / "labels.csv"
    labels.write_text(re.sub(r"(a/1\.png),[^,]*", r"\1,7", labels.read_text()))
    assert len(found | {fingerprint()}) == 3


def test_empty_frames(tmp_path: Path) -> None:
    depths = (400, 3000, 420, 3001)
    with pytest.raises(
        DataFileError,
        match=r"2 of 4 frames have no depth inside the cube, more than a tenth: 3000, 3001 below .*3000 mm.*skip_empty",
    ):
        toy(tmp_path, depths).prepare()
    options = CropOptions(size=16, crop="mass", cache=str(tmp_path / "cache"), skip_empty=True)
    # The cache was kept.
    dataset = toy(tmp_path, depths, options=options, read=lambda path: pytest.fail("decoded"))
    with pytest.warns(SeqGCNWarning, match="2 of 4 frames have no depth inside the cube and are left out: 3000, 3001"):
        dataset.prepare()
    assert dataset.skipped == {"no depth inside the cube": 2}
    assert dataset.files == ["400", "420"]
    assert dataset.frames.centre[:, 2].tolist() == dataset.joints[:, 0, 2].tolist() == [400, 420]
    batch = dataset.frames.batch(torch.tensor([1]))
    assert batch.images[0, 0, 8, 8] == 0
    assert dataset.sequence.tolist() == [0, 0]
    with pytest.warns(SeqGCNWarning, match="left out"):
        assert toy(tmp_path, depths, options=options).fingerprint == dataset.fingerprint
    with pytest.raises(DataFileError, match=r"no frame below .* has depth inside its cube"):
        toy(tmp_path, (3000, 3001), options=options).prepare()


def test_a_frame_that_cannot_be_read_is_named(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path / "lab", {"a": 3})
    (tmp_path / "lab/a/2.png").write_bytes((tmp_path / "lab/a/2.png").read_bytes()[:70])
    with pytest.raises(DataFileError, match=r"a/2\.png cannot be decoded"):
        DepthFolder(tmp_path / "lab", "all", strict=True, options=options).prepare()
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name[0] != "."]


def test_oracle_centres_of_unlabelled_frames(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path / "lab", {"a": 2}, labelled=["a/1.png"])
    with pytest.raises(DataFileError, match=r"a/2\.png: the center must lie in front of the camera"):
        DepthFolder(tmp_path / "lab", "all", options=replace(options, centre="oracle")).prepare()


def test_subset(tmp_path: Path) -> None:
    dataset = toy(tmp_path, cube=torch.tensor([200.0, 220.0, 240.0]))
    part = dataset.subset(torch.tensor([2, 0]))
    assert (part.files, part.cube.tolist()) == (["420", "400"], [240, 200])
    assert part.sequence.tolist() == [1, 0]
    assert part.frames.centre[:, 2].tolist() == part.joints[:, 0, 2].tolist() == [420, 400]
    assert len(dataset) == 3
    with pytest.raises(ArgumentError, match="take a subset before the crops are made"):
        part.subset(torch.tensor([0]))


def test_given_centres(tmp_path: Path) -> None:
    options = CropOptions(size=16, centre="file", centres="x", cache=str(tmp_path / "cache"))
    centres = torch.tensor([[0.0, 0.0, depth] for depth in (390, 400, 410)])
    dataset = toy(tmp_path, options=options, centres=centres)
    assert dataset.subset(torch.tensor([1])).frames.centre.tolist() == [[0, 0, 400]]
    assert dataset.frames.centre.equal(centres)
    with pytest.raises(ArgumentError, match=r"3 frames need centers \[3, 3\], got \[2, 3\]"):
        toy(tmp_path, options=options, centres=centres[:2])
    for wrong in ({"options": options}, {"centres": centres}):
        with pytest.raises(ArgumentError, match="centers from a file and the option centers go together"):
            toy(tmp_path, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"sequences": ["a"]}, {"joints": torch.zeros(3, 3, 3)}, {"joints": torch.zeros(2, 2, 3)}]
)
def test_what_does_not_fit_together(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="do not fit together with a skeleton of 2 joints"):
        toy(tmp_path, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 15}, "size"),
        ({"centre": "middle"}, "crop must be one of .*middle"),
        ({"near": -1}, "near"),
        ({"far": 5}, "far"),
        ({"centre": "file"}, "go together"),
        ({"crop": "mass", "centres": "a.txt"}, "go together"),
    ],
)
def test_wrong_options(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CropOptions(**wrong)


def test_cache_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "mine"))
    toy(tmp_path, options=CropOptions(size=16)).prepare()
    assert list((tmp_path / "mine").glob("toy-*"))
    monkeypatch.setenv("HOME", str(tmp_path))
    toy(tmp_path, options=CropOptions(size=16, cache="~/home")).prepare()
    assert list((tmp_path / "home").glob("toy-*"))
    with pytest.raises(RunFolderError, match="cannot use the cache folder"):
        toy(tmp_path, options=CropOptions(size=16, cache=str(tmp_path / "400"))).prepare()


def test_a_subset_is_taken_by_ids(tmp_path: Path) -> None:
    dataset = toy(tmp_path)
    assert dataset.subset(torch.tensor([2, 0])).files == ["420", "400"]
    with pytest.raises(ArgumentError, match=r"ids must be int64 \[m\], got torch.bool \[3\]; use mask"):
        dataset.subset(torch.tensor([True, False, True]))


def test_why_no_frame_is_left(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"depths": (), "files": [], "sequences": [], "joints": torch.empty(0, 2, 3)}
    with pytest.raises(DataFileError, match=r"no frame is left in .* \(left out: 8 rotated copy\)"):
        toy(tmp_path, **nothing, skipped={"rotated copy": 8})
    with pytest.raises(DataFileError, match=r"its labels have no row for this part"):
        toy(tmp_path, **nothing)


@pytest.mark.parametrize("cube", [0.5, 2e5, float("nan")])
def test_cubes_without_measure(tmp_path: Path, cube: float) -> None:
    with pytest.raises(ArgumentError, match="cube's side must be 1 to 100,000 mm"):
        toy(tmp_path, cube=cube)


def test_an_item_is_a_crop_and_its_pose(tmp_path: Path) -> None:
    dataset = toy(tmp_path)
    crop_of_one, joints = dataset[1]
    assert (crop_of_one.shape, crop_of_one.dtype) == ((1, 16, 16), torch.float32)
    torch.testing.assert_close(crop_of_one, dataset.frames.batch(torch.tensor([1])).images[0])
    assert torch.equal(joints, dataset.joints[1])
    for i in (-2, np.int64(1), torch.tensor(1)):
        assert torch.equal(dataset[i][1], joints)  # type: ignore[index]
    assert [len(item) for item in dataset] == [2, 2, 2]


def test_an_item_of_a_left_hand_is_mirrored_with_its_pose(tmp_path: Path) -> None:
    left, right = toy(tmp_path, mirror=torch.tensor([True, False, False])), toy(tmp_path)
    torch.testing.assert_close(left[0][0], right[0][0].flip(2))
    assert left[0][1].tolist() == [[0, 0, 400], [-10, 0, 400]]
    assert torch.equal(left[1][1], right[1][1])


@pytest.mark.parametrize(
    ("index", "chosen"),
    [
        (slice(1, None), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        ([2, 0], [2, 0]),
        (torch.tensor([-1]), [2]),
        (np.array([1, 1]), [1, 1]),
        (torch.tensor([True, False, True]), [0, 2]),
        ([], []),
    ],
)
def test_a_selection_shares_the_crops(tmp_path: Path, index: Any, chosen: list[int]) -> None:
    dataset = toy(tmp_path, cube=torch.tensor([200.0, 220.0, 240.0]))
    some = dataset[index]
    assert isinstance(some, HandDataset)
    assert some.files == [dataset.files[i] for i in chosen]
    assert some.frames.crops is dataset.frames.crops
    assert some.cube.tolist() == dataset.cube[chosen].tolist()
    for place, i in enumerate(chosen):
        assert torch.equal(some[place][0], dataset[i][0])
        assert torch.equal(some.centers.points[place], dataset.centers.points[i])
    assert len(dataset) == 3
    if chosen not in ([0, 1, 2], []):
        assert some.fingerprint != dataset.fingerprint


@pytest.mark.parametrize(
    ("index", "message"),
    [([0, 3], "no item 3 among 3"), (torch.tensor([True]), r"mask \[3\].*\[1\]"), ([0.5], "float32")],
)
def test_a_selection_of_what_is_not_there(tmp_path: Path, index: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        toy(tmp_path)[index]
    with pytest.raises(IndexError, match="no item 3 among 3"):
        toy(tmp_path)[3]


def test_a_loader_that_counted_frames_left_out_is_told(tmp_path: Path) -> None:
    options = CropOptions(size=16, crop="mass", cache=str(tmp_path / "cache"), skip_empty=True)
    dataset = toy(tmp_path, (400, 3000), options=options)
    with (
        pytest.raises(IndexError, match=r"no item 1 among 1; 1 were left out.*prepare\(\)"),
        pytest.warns(SeqGCNWarning, match="left out"),
    ):
        dataset[1]


def test_a_pickled_data_set_has_paths_for_crops(tmp_path: Path) -> None:
    dataset = toy(tmp_path).prepare()
    size = len(pickle.dumps(dataset))
    dataset.frames  # noqa: B018  # what is kept of it is not pickled
    assert len(pickle.dumps(dataset)) == size
    again = pickle.loads(pickle.dumps(dataset[[2, 0]]))  # made a line above
    assert isinstance(again.frames.crops, np.memmap)
    assert torch.equal(again[0][0], dataset[2][0])
    assert again.fingerprint == dataset[[2, 0]].fingerprint


def test_crops_by_keyword(tmp_path: Path, options: CropOptions) -> None:
    write_folder(tmp_path / "lab", {"a": 2})
    dataset = DepthFolder(tmp_path / "lab", "all", crop_size=40, near=300, options=options)
    assert dataset.options == replace(options, size=40, near=300)
    assert DepthFolder(tmp_path / "lab", "all", crop_size=40).options == CropOptions(size=40)
    assert DepthFolder(tmp_path / "lab", "all", strict=True).options.skip_empty is False
    with pytest.raises(ArgumentError, match=r"crop_siez.*crop_size"):
        DepthFolder(tmp_path / "lab", "all", crop_siez=40)  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match=r"crop_size.*15"):
        DepthFolder(tmp_path / "lab", "all", crop_size=15)


def test_a_torch_subset_is_read_as_the_frames_it_selects(tmp_path: Path) -> None:
    hands = toy(tmp_path)
    for subset in (Subset(hands, [2, 0]), Subset(Subset(hands, [0, 2]), torch.tensor([1, 0]).tolist())):
        read = read_source(subset)
        assert isinstance(read.inputs, HandFrames)
        assert torch.equal(read.labels, hands.joints[[2, 0]])
        assert read.files == ("420", "400")
        assert torch.equal(read.inputs.batch(torch.arange(2)).images, hands.frames.batch(torch.tensor([2, 0])).images)


def test_a_subset_that_counts_frames_left_out_is_refused(tmp_path: Path) -> None:
    options = CropOptions(size=16, crop="mass", cache=str(tmp_path / "cache"), skip_empty=True)
    hands = toy(tmp_path, (400, 0, 420), options=options)
    with (
        pytest.raises(ArgumentError, match=r"1 of 3 frames.*prepare\(\)"),
        pytest.warns(SeqGCNWarning, match="left out"),
    ):
        read_source(Subset(hands, [0, 2]))
    assert read_source(Subset(hands, [1])).files == ("420",)
