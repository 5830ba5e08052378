"""Depth folders whose sequences were taken by different cameras, of different hands."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_releases import CAMERAS, SETUP, TWO_CAMERAS, disc, row, save_grey, write_two_cameras
from PIL import Image
from torch import Tensor

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning


def test_every_frame_is_cropped_by_its_camera(tmp_path: Path, options: CropOptions) -> None:
    found = write_two_cameras(tmp_path)
    dataset = DepthFolder(tmp_path, "all", options=options).prepare()
    assert dataset.cameras == tuple(CAMERAS.values())
    assert [dataset.camera_of(i) for i in range(6)] == [CAMERAS[file[0]] for file in dataset.files]
    with pytest.raises(ArgumentError, match=r"has frames of 2 cameras; .*camera_of"):
        _ = dataset.camera
    expected = torch.stack([found[file].mean(dim=0) for file in dataset.files])
    torch.testing.assert_close(dataset.frames.centre, expected, rtol=0, atol=3)
    assert dataset.depth(5).depth.shape == (180, 210)
    some = DepthFolder(tmp_path, "all", options=options).subset(torch.tensor([4, 1]))
    assert [some.camera_of(i) for i in (0, 1)] == [CAMERAS["b"], CAMERAS["a"]]
    assert some.subset(torch.tensor([1])).camera == CAMERAS["a"]


def test_another_camera_makes_other_crops(tmp_path: Path, options: CropOptions) -> None:
    write_two_cameras(tmp_path)
    before = DepthFolder(tmp_path, "all", options=options).prepare().fingerprint
    assert DepthFolder(tmp_path, "all", options=options).prepare().fingerprint == before
    (tmp_path / "a/camera.yaml").write_text("fx: 100\nfy: 100\ncx: 80\ncy: 60\n")
    assert DepthFolder(tmp_path, "all", options=options).prepare().fingerprint != before


def test_cube_hand_and_scale_of_a_sequence(tmp_path: Path, options: CropOptions) -> None:
    write_two_cameras(tmp_path, TWO_CAMERAS + "hand: left\n")
    (tmp_path / "b/camera.yaml").write_text("cube: 180\nhand: right\ndepth_scale: 2\n")
    dataset = DepthFolder(tmp_path, "all", options=options).prepare()
    assert dataset.cube.tolist() == [250] * 3 + [180] * 3
    assert isinstance(dataset.mirror, Tensor)
    assert dataset.mirror.tolist() == [True] * 3 + [False] * 3
    assert dataset.camera_of(3) == CAMERAS["b"]
    plain = DepthFolder(tmp_path, "all", cube=200)
    assert plain.cube.tolist() == [200] * 6
    assert float(plain.depth(3).depth.max()) == 2 * np.asarray(Image.open(tmp_path / "b/0.png")).max()
    frames = dataset.frames
    batch = frames.batch(torch.arange(6))
    sign = torch.tensor([-1.0] * 3 + [1.0] * 3)
    torch.testing.assert_close(batch.centre[:, 0], frames.centre[:, 0] * sign)
    crops = torch.from_numpy(frames.crops[frames.index.numpy()]).float() / 32767
    torch.testing.assert_close(batch.images[:3, 0], crops[:3].flip(2))
    torch.testing.assert_close(batch.images[3:, 0], crops[3:])
    one_side = DepthFolder(tmp_path, "all").subset(torch.tensor([0, 1]))
    assert one_side.mirror is True


def test_points_are_mirrored_with_their_frames(tmp_path: Path, options: CropOptions) -> None:
    write_two_cameras(tmp_path, TWO_CAMERAS + "hand: left\n")
    (tmp_path / "b/camera.yaml").write_text("hand: right\n")
    frames = DepthFolder(tmp_path, "all", options=options).prepare().frames
    points = torch.ones(2, 4, 3)
    assert frames.reflect(points, torch.tensor([1, 4]))[:, 0, 0].tolist() == [-1, 1]
    assert frames[torch.tensor([1, 4])].reflect(points)[:, 0, 0].tolist() == [-1, 1]
    assert frames.reflect(torch.ones(6, 3))[:, 0].tolist() == [-1] * 3 + [1] * 3
    with pytest.raises(ArgumentError, match=r"points of 2 frames were given, of 6; .*reflect\(points, ids\)"):
        frames.reflect(points)


def test_a_layout_with_the_camera_above_the_frames(tmp_path: Path) -> None:
    write_two_cameras(tmp_path)
    for sequence in CAMERAS:
        depth = tmp_path / sequence / "depth"
        depth.mkdir()
        for path in (tmp_path / sequence).glob("*.png"):
            path.rename(depth / path.name)
    (tmp_path / "labels.csv").unlink()
    dataset = DepthFolder(tmp_path, "all", depth="*/depth/*.png")
    assert dataset.sequence_names == ("a/depth", "b/depth")
    assert dataset.cameras == tuple(CAMERAS.values())


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a/camera.yaml", "cube: 200\n", r"lacks fx, fy, cx, cy, and .*a has no camera\.yaml or camera_info file"),
        ("a/camera.yaml", "fx: 1\n", r"a/camera\.yaml lacks fy, cx, cy; needed"),
        ("a/camera.yaml", "fx: 200\nfy: 0\ncx: 1\ncy: 1\n", r"a/camera\.yaml: fy must be a number"),
        ("a/camera.yaml", "joints: [a]\n", r"a/camera\.yaml: joints must be the same for all sequences"),
        ("a/camera.yaml", "focal: 3\n", r"a/camera\.yaml has the unknown key focal"),
        ("b/camera_info.json", '{"fx": 3}', r"b/camera_info\.json has no intrinsics"),
        (
            "b/camera_info.json",
            json.dumps({"fx": 300, "fy": 310, "cx": 100, "cy": 90, "width": 640, "height": 480}),
            r"b/0\.png has 210 x 180 pixels, but .*camera_info\.json is of a camera of 640 x 480",
        ),
        ("b/intrinsics.json", "{}", r"b has the cameras camera_info\.json, intrinsics\.json; keep that of the depth"),
        ("camera.yaml", TWO_CAMERAS.replace("cube: 250", ""), r"camera\.yaml has no cube"),
        ("camera.yaml", "cube: 250\n", r"camera\.yaml lacks joints"),
    ],
)
def test_files_of_sequences_that_do_not_fit(tmp_path: Path, file: str, content: str, message: str) -> None:
    write_two_cameras(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(DataFileError, match=message):
        DepthFolder(tmp_path, "all")


def test_one_camera_has_images_of_one_size(tmp_path: Path) -> None:
    write_two_cameras(tmp_path, SETUP)
    (tmp_path / "a/camera.yaml").unlink()
    (tmp_path / "b/camera_info.json").unlink()
    with pytest.raises(
        DataFileError, match=r"b/0\.png has 210 x 180 pixels, the camera 160 x 120, by a/0\.png; .*camera_info"
    ):
        DepthFolder(tmp_path, "all")


def test_the_depth_cameras_file_is_taken_beside_the_color_cameras(tmp_path: Path) -> None:
    write_two_cameras(tmp_path)
    (tmp_path / "b/camera_info.json").rename(tmp_path / "b/depth_camera_info.json")
    (tmp_path / "b/color_camera_info.json").write_text('{"fx": 1, "fy": 1, "cx": 1, "cy": 1}')
    assert DepthFolder(tmp_path, "all").cameras == tuple(CAMERAS.values())


def test_a_lens_that_bends_the_image_is_said(tmp_path: Path) -> None:
    write_two_cameras(tmp_path)
    info = json.loads((tmp_path / "b/camera_info.json").read_text())
    (tmp_path / "b/camera_info.json").write_text(json.dumps({**info, "coeffs": [0.12, 0.0]}))
    with pytest.warns(SeqGCNWarning, match=r"b/camera_info\.json: the lens bends the image \(a coefficient of 0\.12\)"):
        DepthFolder(tmp_path, "all")


def test_meters_in_one_sequence_are_found(tmp_path: Path) -> None:
    write_two_cameras(tmp_path)
    for path in (tmp_path / "b").glob("*.png"):
        save_grey(path, (disc(CAMERAS["b"], torch.tensor([0.0, 0.0, 400.0])) > 0).astype("uint16"))
    with pytest.raises(DataFileError, match=r"b/0\.png: its depths are 1 to 1 mm .*looks like meters"):
        DepthFolder(tmp_path, "all")


def test_predictions_in_px_are_turned_by_each_frames_camera(tmp_path: Path) -> None:
    from seqgcn.cli.scoring import score_files

    found = write_two_cameras(tmp_path / "lab")
    lines = [f"{name} {row(CAMERAS[name[0]].to_image(pose))}\n" for name, pose in found.items()]
    (tmp_path / "p.txt").write_text("".join(lines))
    assert score_files(tmp_path / "p.txt", tmp_path / "lab/labels.csv", "depth-folder", tmp_path / "lab").mean < 0.01
