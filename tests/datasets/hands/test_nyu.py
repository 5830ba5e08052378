from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from hand_releases import disc, row, save_nyu, write_nyu

from seqgcn.datasets.hands import NYU, CropOptions, nyu
from seqgcn.datasets.hands.camera import NYU_CAMERA
from seqgcn.datasets.hands.skeleton import NYU14, NYU36, NYU_EVALUATED
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError, SeqGCNWarning

part = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")
some = pytest.mark.filterwarnings("ignore:.*labeled frames have no image:seqgcn.exceptions.SeqGCNWarning")


@part
def test_evaluated_and_all_joints(tmp_path: Path) -> None:
    poses = write_nyu(tmp_path, {"train": 3})
    dataset = NYU(tmp_path)
    assert dataset.files == [f"train/depth_1_{i:07d}.png" for i in (1, 2, 3)]
    assert dataset.skeleton is NYU14
    torch.testing.assert_close(dataset.joints, poses[:, list(NYU_EVALUATED)], rtol=0, atol=1e-3)
    everything = NYU(tmp_path, joints="all")
    assert everything.skeleton is NYU36
    torch.testing.assert_close(everything.joints, poses, rtol=0, atol=1e-3)
    # y points down here, up in the file.
    file = scipy.io.loadmat(tmp_path / "train" / "joint_data.mat")["joint_xyz"]
    np.testing.assert_allclose(file[0, ..., 1], -everything.joints[..., 1].numpy(), atol=1e-3)


@part
def test_crops(tmp_path: Path, options: CropOptions) -> None:
    write_nyu(tmp_path, {"train": 2})
    dataset = NYU(tmp_path, joints="all", options=options).prepare()
    expected = dataset.joints.mean(dim=1)
    torch.testing.assert_close(dataset.frames.centre, expected, rtol=0, atol=2)
    # Depths above 255 need both channels.
    assert dataset.depth(0).depth.max() == expected[0, 2].round()


@part
@some
def test_the_test_part_is_split_at_2440(tmp_path: Path) -> None:
    poses = write_nyu(tmp_path, {"test": 2442}, images=(0, 2438, 2439, 2440, 2441))
    dataset = NYU(tmp_path, "test")
    assert [file[-11:-4] for file in dataset.files] == ["0000001", "0002439", "0002440", "0002441", "0002442"]
    assert dataset.sequence_names == ("subject 1", "subject 2")
    assert dataset.sequence.tolist() == [0, 0, 0, 1, 1]
    assert dataset.cube.tolist() == [300, 300, 300, 250, 250]
    assert dataset.skipped == {"missing image": 2437}
    torch.testing.assert_close(dataset.joints[3], poses[2440, list(NYU_EVALUATED)], rtol=0, atol=1e-3)
    assert NYU(tmp_path, "test", cube=240, second_cube=200).cube.tolist() == [240, 240, 240, 200, 200]


@part
def test_joined_by_name_if_images_are_missing(tmp_path: Path) -> None:
    poses = write_nyu(tmp_path, {"train": 4}, images=(1, 3))
    with pytest.warns(SeqGCNWarning, match=r"2 of 4 labeled frames have no image; the first is .*depth_1_0000001"):
        dataset = NYU(tmp_path, joints="all")
    torch.testing.assert_close(dataset.joints, poses[[1, 3]], rtol=0, atol=1e-3)


@part
def test_other_cameras(tmp_path: Path) -> None:
    poses = write_nyu(tmp_path, {"train": 2})
    for i in (1, 2):
        save_nyu(tmp_path / f"train/depth_3_{i:07d}.png", disc(NYU_CAMERA, torch.tensor([0.0, 0.0, 2400.0])))
    dataset = NYU(tmp_path, view=3, joints="all")
    assert dataset.files[0] == "train/depth_3_0000001.png"
    torch.testing.assert_close(dataset.joints, poses + torch.tensor([0.0, 0.0, 2000.0]), rtol=0, atol=2e-3)
    write_nyu(tmp_path / "one", {"train": 2}, views=1)
    with pytest.raises(DataFileError, match="of 1 cameras, so there is no view 3; use view=1"):
        NYU(tmp_path / "one", view=3)


def test_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_nyu(tmp_path, {"train": 2})
    with pytest.warns(SeqGCNWarning, match="found 2, the complete release has 72,757"):
        NYU(tmp_path)
    with pytest.raises(DataFileError, match="found 2, the complete release has 72,757"):
        NYU(tmp_path, strict=True)
    monkeypatch.setitem(nyu.FRAMES, "train", 2)
    assert len(NYU(tmp_path, strict=True)) == 2


@part
def test_centre_file_has_the_axes_of_the_release(tmp_path: Path, options: CropOptions) -> None:
    write_nyu(tmp_path, {"train": 2}, images=(1,))
    centres = tmp_path / "centres.txt"
    centres.write_text("\n".join(row(torch.tensor(point)) for point in ([1.0, 2.0, 390.0], [3.0, 4.0, 410.0])))
    with pytest.warns(SeqGCNWarning, match="1 of 2"):
        dataset = NYU(tmp_path, options=replace(options, centre="file", centres=str(centres))).prepare()
    assert dataset.frames.centre.tolist() == [[3, -4, 410]]


def test_labels_missing(tmp_path: Path) -> None:
    with pytest.raises(
        MissingFileError, match=r"joint_data\.mat is missing; .* move train out of its folder `dataset`"
    ):
        NYU(tmp_path)
    write_nyu(tmp_path / "dataset", {"train": 1, "test": 1}, images=())
    with pytest.raises(MissingFileError, match=r"but it lies in .*dataset: give that folder as root"):
        NYU(tmp_path)
    with pytest.raises(MissingFileError, match=r"but it lies in .*dataset: give that folder as root"):
        NYU(tmp_path / "dataset" / "train")
    (tmp_path / "dataset" / "test" / "joint_data.mat").unlink()
    with pytest.raises(MissingFileError, match=r"test is there, but without its labels: .* Get nyu_hand_dataset_v2"):
        NYU(tmp_path / "dataset", "test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "test_1"}, "NYU has no such part on disk; .* first 2,440 frames show subject 1"),
        ({"split": "valid"}, "split"),
        ({"joints": 14}, "joints must be one of"),
        ({"view": 0}, "view must be 1, 2 or 3"),
        ({"view": True}, "view must be 1, 2 or 3"),
        ({"strict": 1}, "strict"),
        ({"cube": -1}, "cube"),
        ({"second_cube": 0}, "second_cube"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        NYU(tmp_path, **arguments)


GOOD = np.full((3, 2, 36, 3), 500.0)


def changed(place: tuple[int, ...], value: float) -> np.ndarray:
    array = GOOD.copy()
    array[place] = value
    return array


@part
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"joint_uvd": GOOD}, "has no array joint_xyz"),
        ({"joint_xyz": GOOD[0]}, r"must be \[3 cameras, frames, 36 joints, 3\], found \[2, 36, 3\]"),
        ({"joint_xyz": GOOD[..., :14, :]}, r"found \[3, 2, 14, 3\]: these are the 14 evaluated joints of NYU"),
        ({"joint_xyz": GOOD[..., :2]}, r"found \[3, 2, 36, 2\]"),
        ({"joint_xyz": GOOD[:, :0]}, "no frame"),
        ({"joint_xyz": changed((0, 1, 3, 2), 0)}, r"joint_xyz of train/depth_1_0000002\.png has a joint at .*, 0\.0\]"),
        ({"joint_xyz": changed((0, 1, 3, 0), np.nan)}, r"joint at \[nan, 500"),
        ({"joint_xyz": changed((0, 1, 3, 0), 1e300)}, r"joint at \[inf, 500"),
    ],
)
def test_wrong_arrays(tmp_path: Path, variables: dict[str, Any], message: str) -> None:
    write_nyu(tmp_path, {"train": 2})
    scipy.io.savemat(tmp_path / "train" / "joint_data.mat", variables)
    with pytest.raises(DataFileError, match=message):
        NYU(tmp_path)
