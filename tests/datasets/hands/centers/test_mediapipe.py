"""What mediapipe's models see on shaded depth; runs where the extra `mediapipe` is installed."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands import Camera
from seqgcn.datasets.hands.centers.detector import CENTRAL, HandDetector, detector_available
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.rendering import Hand, HandPose, Sensor, hand_spheres, render_depth

pytest.importorskip("mediapipe")

CAMERA = Camera(475.0, 475.0, 320.0, 240.0, 640, 480)
ROLLS = (0, 90, 180, 270)


@pytest.fixture(scope="module")
def detector() -> Iterator[HandDetector]:
    with HandDetector() as detector:
        yield detector


def open_hand(
    roll: float, *, x: float = 30.0, z: float = 600.0, noise: float = 0.5
) -> tuple[DepthImage, NDArray[np.float32]]:
    """A rendered frame of an open hand with a stub of its forearm, and the hand's joints, mm."""
    angles = torch.zeros(1, 16)
    angles[0, 0], angles[0, 1] = math.radians(20), math.radians(40)
    pose = HandPose(angles, torch.tensor([[math.radians(roll), 0.0, 0.0]]), torch.tensor([[x, 10.0, z]]))
    joints = Hand.average().joints(pose)[0]
    clean = render_depth(*hand_spheres(joints), CAMERA)
    depth = Sensor(noise=noise).measure(clean, torch.Generator().manual_seed(0))
    return DepthImage(torch.from_numpy(depth.astype(np.float32))), joints.numpy()


def check_close(detector: HandDetector, image: DepthImage, joints: NDArray[np.float32], around: bool) -> None:
    points = [tuple(joints[9].tolist())] if around else []
    (hand,) = detector.detect(image, CAMERA, points)
    assert np.linalg.norm(np.array(hand.center) - joints[list(CENTRAL)].mean(axis=0)) < 25
    pixels = CAMERA.to_image(torch.from_numpy(joints)).numpy()[:, :2]
    assert np.linalg.norm(hand.joints - pixels, axis=1).mean() < 15
    assert hand.score > 0.4


@pytest.mark.parametrize("roll", ROLLS)
def test_an_open_hand_is_found_whichever_way_it_points(detector: HandDetector, roll: float) -> None:
    check_close(detector, *open_hand(roll), around=False)


@pytest.mark.parametrize("z", [400.0, 900.0])
def test_an_open_hand_is_found_around_a_point_near_and_far(detector: HandDetector, z: float) -> None:
    check_close(detector, *open_hand(90, z=z), around=True)


@pytest.mark.parametrize("noise", [0.0, 2.0, 4.0])
def test_a_sensors_noise_hides_no_hand(detector: HandDetector, noise: float) -> None:
    check_close(detector, *open_hand(0, noise=noise), around=True)


def test_two_hands_are_found(detector: HandDetector) -> None:
    (left, one), (right, other) = open_hand(0, x=-150), open_hand(0, x=150)
    hands = detector.detect(DepthImage(torch.maximum(left.depth, right.depth)), CAMERA)
    assert sorted(hand.center[0] for hand in hands) == pytest.approx(
        [joints[list(CENTRAL), 0].mean() for joints in (one, other)], abs=25
    )


def test_the_same_frame_gives_the_same_whatever_was_seen_before(detector: HandDetector) -> None:
    image, joints = open_hand(90)
    points = [tuple(joints[9].tolist())]
    first = detector.detect(image, CAMERA, points)
    detector.detect(open_hand(270)[0], CAMERA)
    with HandDetector() as fresh:
        for again in (detector.detect(image, CAMERA, points), fresh.detect(image, CAMERA, points)):
            assert [(hand.center, hand.score) for hand in again] == [(hand.center, hand.score) for hand in first]


def test_a_wall_and_a_ball_are_no_hands(detector: HandDetector) -> None:
    assert detector.detect(DepthImage(torch.full((480, 640), 800.0)), CAMERA, [(0, 0, 800)]) == []
    ball = render_depth(torch.tensor([[0.0, 0.0, 700.0]]), torch.tensor([70.0]), CAMERA)
    assert detector.detect(DepthImage(ball), CAMERA, [(0, 0, 650)]) == []


def test_it_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert detector_available()
    with HandDetector() as detector:
        assert detector.detect(open_hand(0)[0], CAMERA)
    assert capfd.readouterr() == ("", "")
