import pytest
import torch

from seqgcn.datasets.hands.camera import ICVL_CAMERA, NYU_CAMERA
from seqgcn.datasets.hands.rendering import Hand, Stage, film
from seqgcn.datasets.hands.rendering import motion as motion_module
from seqgcn.datasets.hands.rendering.kinematics import HandPose, angle_limits
from seqgcn.utils.seeding import generator

STAGES = [Stage(ICVL_CAMERA, 320, 480), Stage(NYU_CAMERA, 600, 900)]


@pytest.mark.parametrize("stage", STAGES)
def test_neighbours_are_a_few_mm_apart_and_the_hand_gets_around(stage: Stage) -> None:
    joints = film(Hand.average(), stage, 600, generator(0, "film"))
    step = joints.diff(dim=0).norm(dim=-1)
    assert joints.shape == (600, 21, 3)
    assert step.max() < 1.05 * motion_module.SPEEDS[1]
    assert 0.5 < step.mean() < 5
    assert joints.std(dim=0).norm(dim=-1).min() > 20


@pytest.mark.parametrize("stage", STAGES)
def test_joints_stay_in_the_image_and_near_the_chosen_distance(stage: Stage) -> None:
    camera = stage.camera
    for number in range(20):
        joints = film(Hand.of_subject(0, number), stage, 200, generator(1, "film", number))
        u, v, d = camera.to_image(joints).unbind(-1)
        # The flesh reaches 6 mm beyond the outermost joints.
        room = 10 * camera.fx / d
        assert (torch.minimum(u, camera.width - 1 - u) > room).all()
        assert (torch.minimum(v, camera.height - 1 - v) > room).all()
        assert d.min() > stage.near - 160
        assert d.max() < stage.far + 160


def test_a_longer_film_begins_with_the_shorter_one() -> None:
    hand = Hand.average()
    short, long = (film(hand, STAGES[0], n, generator(0, "film", 3)) for n in (1, 150))
    assert torch.equal(short, long[:1])
    assert torch.equal(film(hand, STAGES[0], 90, generator(0, "film", 3)), long[:90])
    assert not torch.equal(film(hand, STAGES[0], 1, generator(0, "film", 4)), short)


def test_a_hand_is_held_now_and_then() -> None:
    joints = film(Hand.average(), STAGES[0], 2000, generator(0, "film"))
    still = joints.diff(dim=0).norm(dim=-1).amax(dim=1) < 1e-3
    assert 0.005 < still.float().mean() < 0.2


def test_drawn_angles_are_within_the_limits_and_use_them() -> None:
    low, high = angle_limits()
    angles = motion_module._angles(2000, generator(0, "angles"))
    assert ((angles >= low) & (angles <= high)).all()
    flexion = (angles - low)[:, 4:].unflatten(1, (4, 3))[..., 2] / (high - low)[4:].unflatten(0, (4, 3))[..., 2]
    assert (flexion < 0.2).float().mean() > 0.2
    assert (flexion > 0.8).float().mean() > 0.2


def test_key_poses_do_not_run_fingers_through_each_other() -> None:
    hand, overlaps = Hand.average(), []
    nowhere = torch.zeros(1, 3)
    for number in range(60):
        pose = motion_module._key_pose(hand, STAGES[0], generator(0, "pose", number))
        joints = hand.joints(HandPose(pose.angles, nowhere, nowhere))
        overlaps.append(motion_module._overlap(joints, hand.scale))
    assert (torch.cat(overlaps) < 5).float().mean() > 0.95


def test_overlap_finds_a_thumb_inside_the_index_finger() -> None:
    straight = torch.zeros(1, 16).clamp(*angle_limits())
    hand, nowhere = Hand.average(), torch.zeros(1, 3)
    joints = hand.joints(HandPose(straight, nowhere, nowhere))
    assert motion_module._overlap(joints, 1.0) == 0
    joints[:, 3:5] = joints[:, 7:9]
    assert motion_module._overlap(joints, 1.0) > 15
