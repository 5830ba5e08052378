import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_releases import FOLDER_CAMERA, disc
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seqgcn.annotation import frames_of
from seqgcn.annotation.preview import LONGEST_SIDE, Frame, Preview, cut, make_preview, png, preview_name, surface_at
from seqgcn.datasets.hands import ICVL
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError

CENTRE = torch.tensor([10.0, -5.0, 400.0])


def frame(item: str = "seq/1.png", centre: torch.Tensor = CENTRE, joints: torch.Tensor | None = None) -> Frame:
    depth = torch.from_numpy(disc(FOLDER_CAMERA, CENTRE).astype(np.float32))
    return Frame(item=item, depth=lambda: DepthImage(depth), centre=centre, cube=200, joints=joints)


def pixels(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.format == "PNG"
        assert image.mode == "RGB"
        return np.asarray(image)


whole = st.integers(0, 5000)
some = st.integers(1, 5000)


@given(whole, whole, some, some, st.integers(1, 60), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_places_come_back(left: int, top: int, width: int, height: int, zoom: int, u: float, v: float) -> None:
    preview = Preview(
        item="a.png",
        name="a.png",
        left=left,
        top=top,
        width=width,
        height=height,
        zoom=zoom,
        near=1,
        far=2,
        score=0,
        predicted=(),
        digest="",
    )
    x, y = preview.from_sensor(u, v)
    # As the tools write places: percent, and pixels.
    by_percent = preview.to_sensor(100 * x / 100, 100 * y / 100)
    by_pixel = preview.to_sensor(x * preview.size[0] / preview.size[0], y * preview.size[1] / preview.size[1])
    assert by_percent == pytest.approx((u, v), abs=1e-6)
    assert by_pixel == pytest.approx((u, v), abs=1e-6)


def test_the_centre_of_a_pixel_is_its_whole_number() -> None:
    # One pixel of depth in a frame of nothing: where its square is in the picture, is where the click belongs.
    depth = torch.zeros(120, 160)
    depth[50, 70] = 400.0
    lonely = replace(frame(), depth=lambda: DepthImage(depth))
    preview, picture = make_preview(lonely, FOLDER_CAMERA, 3)
    rows, columns = np.nonzero((pixels(picture) < 150).any(axis=2))
    middle = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
    x, y = middle[0] / preview.size[0], middle[1] / preview.size[1]
    assert preview.to_sensor(x, y) == pytest.approx((70, 50), abs=1e-9)
    assert preview.from_sensor(70, 50) == pytest.approx((x, y), abs=1e-12)
    assert preview.to_sensor(0, 0) == (preview.left - 0.5, preview.top - 0.5)


def test_the_hand_fills_the_picture_and_stands_out(hands: ICVL) -> None:
    for i, one in enumerate(frames_of(hands, torch.arange(3), None, torch.zeros(3))):
        preview, picture = make_preview(one, hands.camera, 16)
        shown = pixels(picture)
        assert shown.shape[:2] == preview.size[::-1]
        assert LONGEST_SIDE / 2 < max(preview.size) <= LONGEST_SIDE
        hand = np.abs(shown.astype(int) - 225).max(axis=2) > 40
        rows, columns = np.nonzero(hand)
        assert np.ptp(columns) > 0.7 * preview.size[0]
        assert np.ptp(rows) > 0.7 * preview.size[1]
        # Each joint that can be seen lies on it.
        for u, v, _ in hands.camera.to_image(hands.joints[i]).tolist():
            x, y = preview.from_sensor(u, v)
            assert 0 <= x <= 1
            assert 0 <= y <= 1


def test_the_same_frame_gives_the_same_bytes() -> None:
    assert make_preview(frame(), FOLDER_CAMERA, 3) == make_preview(frame(), FOLDER_CAMERA, 3)


def test_quick_packing_keeps_every_pixel_in_hardly_more_bytes() -> None:
    draw = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    smooth = Image.fromarray(draw).resize((800, 600), Image.Resampling.BICUBIC)
    packed = png(draw, (800, 600))
    assert np.array_equal(pixels(packed), np.asarray(smooth))
    slow = io.BytesIO()
    smooth.save(slow, "PNG")
    assert len(packed) < 1.25 * len(slow.getvalue())


def test_near_is_brighter_than_far() -> None:
    depth = torch.full((120, 160), 380.0)
    depth[:, 80:] = 440.0
    _, picture = make_preview(replace(frame(), depth=lambda: DepthImage(depth)), FOLDER_CAMERA, 3)
    shown = pixels(picture).mean(axis=2)
    assert shown[:, : shown.shape[1] // 4].mean() > shown[:, -shown.shape[1] // 4 :].mean() + 50


def test_a_box_of_a_frame_is_shown_where_it_belongs() -> None:
    whole_image = torch.from_numpy(disc(FOLDER_CAMERA, CENTRE).astype(np.float32))
    boxed = replace(frame(), depth=lambda: DepthImage(whole_image[30:90, 50:120], left=50, top=30))
    assert make_preview(boxed, FOLDER_CAMERA, 3)[1] == make_preview(frame(), FOLDER_CAMERA, 3)[1]
    nothing = cut(DepthImage(torch.ones(2, 2), left=-9, top=300), 0, 0, 4, 3)
    assert nothing.shape == (3, 4)
    assert not nothing.any()


near_and_far = st.integers(-12, 12)


@given(near_and_far, near_and_far, near_and_far, near_and_far, st.integers(0, 7), st.integers(0, 7))
def test_a_box_has_the_pixels_that_the_frame_has(
    left: int, top: int, column: int, row: int, width: int, height: int
) -> None:
    """Wherever the two lie; also beside one another."""
    pixels = torch.arange(1.0, 21).view(4, 5)
    expected = np.zeros((height, width))
    for v in range(height):
        for u in range(width):
            if 0 <= row + v - top < 4 and 0 <= column + u - left < 5:
                expected[v, u] = pixels[row + v - top, column + u - left]
    found = cut(DepthImage(pixels, left=left, top=top), column, row, width, height)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("place", [(-6, 100), (100, -20), (700, 100), (-1e4, -1e4), (639, 479)])
def test_a_predicted_joint_beside_the_frame_has_no_surface(place: tuple[float, float]) -> None:
    image = DepthImage(torch.full((480, 640), 500.0))
    assert surface_at(image, *place, 300, 700) == (500 if place == (639, 479) else None)
    u, v = place
    joints = torch.tensor([[u - 80, v - 60, 400.0]] * 3) * torch.tensor([400 / FOLDER_CAMERA.fx] * 2 + [1.0])
    preview, _ = make_preview(frame(joints=joints), FOLDER_CAMERA, 3)
    assert all(keypoint is not None and not keypoint.hidden for keypoint in preview.predicted)


def test_without_depth_the_whole_window_is_shown() -> None:
    empty = replace(frame(), depth=lambda: DepthImage(torch.zeros(120, 160)))
    preview, picture = make_preview(empty, FOLDER_CAMERA, 3)
    assert (preview.width, preview.height) == (111, 116)
    assert (pixels(picture) == 225).all()


def test_names_are_safe_and_unique() -> None:
    items = [
        "seq/image 1.png",
        "seq/image_1.png",
        "<script>alert(1)</script>.png",
        "Ü/ж.png",
        "a" * 300,
        "..hidden",
        "A",
        "a",
    ]
    names = [preview_name(item) for item in items]
    assert len({name.lower() for name in names}) == len(items)
    for name in names:
        assert len(name) < 70
        assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in name.removesuffix(".png"))
        assert name[0] != "-"
    assert names[2].startswith("script-alert-1-script-")


def test_predictions(hands: ICVL) -> None:
    joints = torch.stack([CENTRE, CENTRE + torch.tensor([0, 0, 60.0]), torch.tensor([0.0, 0, -1])])
    preview, _ = make_preview(frame(joints=joints), FOLDER_CAMERA, 3)
    front, behind, wrong = preview.predicted
    assert front is not None
    assert behind is not None
    assert wrong is None
    assert front[:3] == pytest.approx(FOLDER_CAMERA.to_image(CENTRE).tolist())
    assert (front.hidden, behind.hidden) == (False, True)
    far_off = torch.stack([CENTRE, torch.tensor([1e9, 0, 1e-3]), torch.tensor([math.nan, 0, 400])])
    preview, _ = make_preview(frame(joints=far_off), FOLDER_CAMERA, 3)
    assert preview.predicted[1:] == (None, None)
    # A joint beyond the picture is known, but not shown.
    beside = CENTRE.repeat(3, 1) + torch.tensor([[0, 0, 0], [150.0, 0, 0], [0, 0, 0]])
    preview, _ = make_preview(frame(joints=beside), FOLDER_CAMERA, 3)
    assert preview.predicted[1] is not None
    assert [place is None for place in preview.shown()] == [False, True, False]


def test_surface_is_the_median_of_the_hand() -> None:
    depth = torch.zeros(9, 9)
    depth[4, 4], depth[4, 5], depth[5, 4], depth[3, 3] = 400, 404, 408, 900
    image = DepthImage(depth)
    assert surface_at(image, 4.4, 3.6, 300, 500) == 404
    assert surface_at(image, 4, 4, 300, 1000) == 406
    assert surface_at(image, 8, 0, 300, 500) is None
    assert surface_at(image, -50, 1e5, 300, 500) is None


@pytest.mark.parametrize("item", ["../a.png", "/a.png", "a\\b.png", "a\n.png", " a.png", "a.png ", "", "a/./b.png"])
def test_paths_that_cannot_be_used(item: str) -> None:
    with pytest.raises(ArgumentError, match="item"):
        frame(item)


def test_other_frames_that_cannot_be_used() -> None:
    for centre in (torch.tensor([0.0, 0, -1]), torch.tensor([0.0, math.nan, 1]), torch.zeros(2)):
        with pytest.raises(ArgumentError, match=r"center of seq/1\.png must be"):
            frame(centre=centre)
    with pytest.raises(ArgumentError, match="score must be"):
        replace(frame(), score=math.inf)
    with pytest.raises(ArgumentError, match="cube must be"):
        replace(frame(), cube=0)
    with pytest.raises(ArgumentError, match=r"around \[4000, 0, 400\] mm lies outside the image"):
        make_preview(frame(centre=torch.tensor([4000.0, 0, 400])), FOLDER_CAMERA, 3)
    with pytest.raises(ArgumentError, match=r"joints of seq/1\.png must be \[3, 3\]"):
        make_preview(frame(joints=torch.zeros(4, 3)), FOLDER_CAMERA, 3)


def test_a_tiny_window(tmp_path: Path) -> None:
    tiny = Camera(1.0, 1.0, 0, 0, 1, 1)
    one = Frame(item="a.png", depth=lambda: DepthImage(torch.ones(1, 1)), centre=torch.tensor([0, 0, 1.0]), cube=1)
    preview, picture = make_preview(one, tiny, 3)
    assert (preview.size, pixels(picture).shape) == ((LONGEST_SIDE, LONGEST_SIDE), (LONGEST_SIDE, LONGEST_SIDE, 3))
