"""What mediapipe's landmark model sees on shaded depth; runs where the extra `mediapipe` is installed."""

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seqgcn.datasets.hands import Camera, CropOptions, DepthFolder
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.landmarks.model import LandmarkModel
from seqgcn.datasets.hands.landmarks.search import Placed, find_joints
from seqgcn.datasets.hands.rendering import Hand, HandPose, hand_spheres, render_depth, write_dataset
from seqgcn.learners import MediapipeHands

pytest.importorskip("mediapipe")

CAMERA = Camera(475.0, 475.0, 320.0, 240.0, 640, 480)


@pytest.fixture(scope="module")
def look() -> Iterator[LandmarkModel]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="SymbolDatabase")
        model = LandmarkModel()
        yield model
        model.close()


def open_hand(roll: float) -> tuple[DepthImage, torch.Tensor]:
    """A rendered frame of an open right hand with a stub of its forearm, and its joints, mm."""
    angles = torch.zeros(1, 16)
    angles[0, 0], angles[0, 1] = math.radians(20), math.radians(40)
    pose = HandPose(angles, torch.tensor([[math.radians(roll), 0.0, 0.0]]), torch.tensor([[30.0, 10.0, 600.0]]))
    joints = Hand.average().joints(pose)[0]
    return DepthImage(render_depth(*hand_spheres(joints), CAMERA)), joints


def found(look: LandmarkModel, image: DepthImage, joints: torch.Tensor) -> Placed | None:
    x, y, z = joints[9].tolist()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="SymbolDatabase")
        return find_joints(look, image, CAMERA, (x, y, z), 250.0)


@pytest.mark.parametrize("roll", [0, 70, 180, 290])
def test_joints_of_an_open_hand_in_whichever_direction_it_points(look: LandmarkModel, roll: float) -> None:
    image, joints = open_hand(roll)
    placed = found(look, image, joints)
    assert placed is not None
    assert (torch.from_numpy(placed.points) - joints).norm(dim=1).mean() < 15
    assert placed.measured.mean() > 0.9
    assert placed.score > 0.6


def test_the_same_frame_gives_the_same_whatever_was_seen_before(look: LandmarkModel) -> None:
    image, joints = open_hand(0)
    first = found(look, image, joints)
    found(look, *open_hand(120))
    again = found(look, image, joints)
    assert first is not None
    assert again is not None
    assert (first.points == again.points).all()


def test_it_is_a_learner_that_needs_no_label(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "lab", "depth-folder", frames=4, sequences=1, scene="bare", seed=0)
    hands = DepthFolder(root, "all", options=CropOptions(size=32, crop="oracle", cache=str(tmp_path / "cache")))
    predicted = MediapipeHands().predict(hands.frames)
    seen = predicted.isfinite().flatten(1).all(dim=1)
    assert seen.sum() >= 3
    assert (predicted - hands.joints)[seen].norm(dim=2).mean() < 40
    assert MediapipeHands().describe(hands.frames[seen.nonzero().flatten()], ("x",)).x.any(dim=1).all()
