import pytest
import torch

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.rendering import Hand, Stage, film
from seqgcn.datasets.hands.rendering.held import THICKEST, THINNEST, Held, draw_grip, palm_axes
from seqgcn.datasets.hands.rendering.kinematics import HandPose, angle_limits
from seqgcn.datasets.hands.rendering.settings import HELD, HeldKind
from seqgcn.utils.seeding import generator

STAGE = Stage(Camera(460, 460, 320, 240, 640, 480), 450, 700)


def gripping(seed: int, n: int = 1) -> torch.Tensor:
    grip = draw_grip(generator(seed, "grip"))
    return film(Hand.average(), STAGE, n, generator(seed, "film"), grip=grip)


def test_grips_are_within_the_limits_of_joints_and_differ() -> None:
    grips = torch.stack([draw_grip(generator(seed)) for seed in range(50)])
    low, high = angle_limits()
    assert ((grips >= low) & (grips <= high)).all()
    assert grips[:, 5].eq(0).all()
    assert float(grips[:, 4].std()) > 0.05


def test_palm_axes_are_the_hands_own() -> None:
    nowhere = torch.zeros(1, 3)
    flat = Hand.average().joints(HandPose(angle_limits()[0].clamp(min=0).unsqueeze(0), nowhere, nowhere))[0]
    across, along, out = palm_axes(flat)
    # The palm faces the camera, fingers up: so its thumb is on the right.
    assert float(across[0]) > 0.95
    assert float(along[1]) < -0.95
    assert float(out[2]) < -0.95


def test_fingers_keep_still_around_what_they_hold() -> None:
    joints = gripping(3, 120)
    shape = torch.stack([torch.pdist(pose) for pose in joints])
    assert float((shape - shape[0]).abs().max()) < 0.05
    assert float((joints[0] - joints[-1]).norm(dim=1).max()) > 5


@pytest.mark.parametrize("kind", HELD)
def test_what_is_held_is_between_palm_and_fingers_and_moves_along(kind: HeldKind) -> None:
    for seed in range(6):
        joints = gripping(seed, 90)
        held = Held.draw(kind, joints[0], 1.0, generator(seed, "held"))
        assert THINNEST <= held.radius <= THICKEST
        distances = []
        for pose in (joints[0], joints[-1]):
            (solid,) = held.solids(pose)
            centers, _ = solid.bounds()
            middle = pose[0] + held.center @ palm_axes(pose)
            # On the palm's inner side, under the middle joints of the fingers.
            assert 10 < float((middle - pose[9]) @ palm_axes(pose)[2]) < 60
            assert float((middle - pose[[6, 10, 14, 18]].mean(dim=0)).norm()) < 60
            distances.append(torch.cdist(centers, pose))
        assert torch.allclose(*distances, atol=0.1)


def test_a_thing_is_as_thick_as_the_hand_is_large() -> None:
    pose = gripping(1)[0]
    large = Held.draw("bar", 1.2 * pose, 1.2, generator(0))
    assert large.radius == pytest.approx(1.2 * Held.draw("bar", pose, 1.0, generator(0)).radius, rel=0.01)
