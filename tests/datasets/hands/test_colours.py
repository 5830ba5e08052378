import io

import numpy as np
import pytest
import torch
from hand_releases import FOLDER_CAMERA, disc
from PIL import Image

from seqgcn.annotation.preview import Frame, make_preview
from seqgcn.datasets.hands.colours import NO_HAND, depth_colours
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.report.html.sheet import depth_image_of


def brightness(pixels: np.ndarray) -> list[int]:
    return pixels[0].astype(int).sum(axis=1).tolist()


def test_near_is_bright_and_far_is_dark() -> None:
    depth = np.array([[10.0, 20.0, 30.0, np.nan, 1e9]])
    hand = np.array([[True, True, True, False, False]])
    pixels = depth_colours(depth, hand, least=1)
    near, middle, far, *rest = brightness(pixels)
    assert near > middle > far
    assert rest == [3 * NO_HAND] * 2
    assert (pixels[0, 3:] == NO_HAND).all()


def test_what_is_flat_has_few_colours() -> None:
    depth, hand = np.array([[400.0, 401.0]]), np.ones((1, 2), bool)
    assert np.ptp(brightness(depth_colours(depth, hand, least=20))) < np.ptp(
        brightness(depth_colours(depth, hand, least=0.1))
    )
    assert len(set(brightness(depth_colours(np.full((1, 3), 7.0), np.ones((1, 3), bool), least=20)))) == 1


def test_a_stray_pixel_does_not_take_the_contrast() -> None:
    depth = np.append(np.linspace(400, 440, 400), 4000.0)[None]
    alone, beside = (depth_colours(values, np.ones_like(values, bool), least=20) for values in (depth[:, :-1], depth))
    assert np.abs(alone[0].astype(int) - beside[0, :-1]).max() < 10


def test_light_shades_the_hand_alone() -> None:
    depth, hand = np.full((1, 3), 5.0), np.array([[True, True, False]])
    plain = depth_colours(depth, hand, least=1)
    lit = depth_colours(depth, hand, least=1, light=np.array([[1.0, 0.5, 0.1]]))
    assert lit[0, 0].tolist() == plain[0, 0].tolist()
    assert lit[0, 1].tolist() == pytest.approx((plain[0, 1] / 2).tolist(), abs=1)
    assert lit[0, 2].tolist() == [NO_HAND] * 3
    assert (depth_colours(depth, hand, least=1, light=np.full((1, 3), 99.0))[0, 0] == 255).all()


def test_nothing_at_all() -> None:
    assert (depth_colours(np.full((2, 3), np.nan), np.zeros((2, 3), bool), least=1) == NO_HAND).all()


def test_previews_and_the_report_are_painted_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqgcn.datasets.hands.colours.NO_HAND", 9)
    depth = torch.from_numpy(disc(FOLDER_CAMERA, torch.tensor([10.0, -5.0, 400.0])).astype(np.float32))
    frame = Frame(item="a.png", depth=lambda: DepthImage(depth), centre=torch.tensor([10.0, -5.0, 400.0]), cube=200)
    with Image.open(io.BytesIO(make_preview(frame, FOLDER_CAMERA, 3)[1])) as preview:
        assert preview.getpixel((0, 0)) == (9, 9, 9)
    assert depth_image_of(np.full((1, 1), np.nan)).getpixel((0, 0)) == (9, 9, 9)
