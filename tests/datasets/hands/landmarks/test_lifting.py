import numpy as np
import pytest
import torch
from flat_hands import CAMERA, frame_with, open_hand, pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.landmarks.lifting import SKIN, Lifted, coverage, hand_pixels, lift

FLAT = np.zeros(21)


def lifted(image: DepthImage, uv: np.ndarray, relative: np.ndarray = FLAT, z: float = 600.0) -> Lifted:
    found = lift(uv, relative * CAMERA.fx / z, image, CAMERA, z, 250.0)
    assert found is not None
    return found


def test_joints_lie_behind_the_surface_at_their_pixels() -> None:
    hand = open_hand(40, -30, 700)
    points, measured = lifted(frame_with(hand), pixels(hand), z=700)
    assert measured.all()
    np.testing.assert_allclose(points[:, 2], 700 + SKIN, atol=1e-3)
    np.testing.assert_allclose(CAMERA.to_image(torch.from_numpy(points)).numpy()[:, :2], pixels(hand), atol=1e-9)


def test_skin_is_thicker_at_the_wrist_than_at_the_tips() -> None:
    assert SKIN.tolist() == [14.0, *[10.0, 8.0, 7.0, 6.0] * 5]


def test_a_joint_without_depth_is_placed_by_the_model() -> None:
    hand = open_hand()
    image, relative = frame_with(hand, back=0.0), FLAT.copy()
    u, v = pixels(hand)[8].round().astype(int)
    image.depth[v - 20 : v + 20, u - 20 : u + 20] = 0
    relative[8] = -40
    points, measured = lifted(image, pixels(hand), relative)
    assert not measured[8]
    assert points[8, 2] == pytest.approx(600 - 40 + SKIN[8])
    assert measured.sum() == 20


@pytest.mark.parametrize("nearer", [True, False])
def test_a_joint_takes_no_depth_from_what_hides_it_or_lies_behind_it(nearer: bool) -> None:
    hand = open_hand()
    image = frame_with(hand)
    u, v = pixels(hand)[8].round().astype(int)
    image.depth[v - 20 : v + 20, u - 20 : u + 20] = 500 if nearer else 1400
    points, measured = lifted(image, pixels(hand))
    assert not measured[8]
    assert points[8, 2] == pytest.approx(600 + SKIN[8], abs=1e-3)


def test_of_what_is_around_a_joint_its_own_surface_counts() -> None:
    hand = open_hand()
    image = frame_with(hand)
    u, v = pixels(hand)[8].round().astype(int)
    image.depth[v - 20 : v + 20, u : u + 20] = 500
    points, measured = lifted(image, pixels(hand))
    assert measured[8]
    assert points[8, 2] == pytest.approx(600 + SKIN[8], abs=1e-3)


def test_relative_depth_is_followed_where_it_was_measured() -> None:
    hand = open_hand()
    relative = np.linspace(0, 40, 21)
    relative[[0, 5, 9, 13, 17]] = 0
    hand[:, 2] += relative
    points, measured = lifted(frame_with(hand), pixels(hand), relative)
    assert measured.all()
    np.testing.assert_allclose(points[:, 2], hand[:, 2] + SKIN, atol=12)


def test_a_palm_without_depth_is_no_hand() -> None:
    hand = open_hand()
    assert lift(pixels(hand), FLAT, frame_with(back=0.0), CAMERA, 600.0, 250.0) is None
    assert lift(pixels(hand), FLAT, frame_with(back=1400.0), CAMERA, 600.0, 250.0) is None


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    arrays.arrays(np.float64, (21, 2), elements=st.floats(-2000, 2000)),
    arrays.arrays(np.float64, 21, elements=st.floats(-5000, 5000)),
)
def test_whatever_the_model_says_joints_lie_in_front_of_the_camera(uv: np.ndarray, relative: np.ndarray) -> None:
    found = lift(uv, relative, frame_with(open_hand()), CAMERA, 600.0, 250.0)
    if found is not None:
        assert np.isfinite(found.points).all()
        assert (found.points[:, 2] > 0).all()


def test_pixels_of_the_cube_alone_are_looked_at() -> None:
    hand = open_hand(30, 20)
    pixels_of = hand_pixels(frame_with(hand), CAMERA, (30, 20, 600), 250.0)
    np.testing.assert_allclose(pixels_of.points[:, 2], 600)
    back = CAMERA.to_image(torch.from_numpy(pixels_of.points)).numpy()[:, :2]
    np.testing.assert_allclose(back, pixels_of.uv, atol=1e-6)


def test_a_box_of_the_frame_gives_the_same_pixels() -> None:
    image = frame_with(open_hand(), back=0.0)
    boxed = DepthImage(image.depth[100:450, 150:550].clone(), left=150, top=100)
    whole, box = (hand_pixels(each, CAMERA, (0, 0, 600), 250.0) for each in (image, boxed))
    np.testing.assert_array_equal(whole.uv, box.uv)


def test_bones_on_the_hand_cover_it_and_bones_beside_it_do_not() -> None:
    hand = open_hand()
    seen = hand_pixels(frame_with(hand), CAMERA, (0, 0, 600), 250.0)
    assert coverage(pixels(hand), hand, seen, CAMERA, 600) > 0.8
    turned = hand * (1, -1, 1)  # points down
    assert coverage(pixels(turned), turned, seen, CAMERA, 600) < 0.8
    away = hand + np.array([400, 0, 0])
    assert coverage(pixels(away), away, seen, CAMERA, 600) == 0


def test_a_finger_is_followed_from_its_base_although_the_model_bends_it_less() -> None:
    hand, relative = open_hand(), FLAT.copy()
    hand[5:9, 2] += (0, -20, -40, -60)  # the index finger points at the camera, of which the model sees a third
    relative[5:9] = (0, -7, -13, -20)
    points, measured = lifted(frame_with(hand), pixels(hand), relative)
    assert measured[5:9].all()
    np.testing.assert_allclose(points[5:9, 2], hand[5:9, 2] + SKIN[5:9], atol=1)
