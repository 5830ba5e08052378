import pytest
import torch

from seqgcn.datasets.hands.camera import ICVL_CAMERA, NYU_CAMERA
from seqgcn.datasets.hands.rendering import Hand, Stage, film, hand_spheres, nyu_spheres, render_depth
from seqgcn.datasets.hands.rendering.joints import joint_weights
from seqgcn.datasets.hands.skeleton import BIGHAND21, BIGHAND_FINGER_MAJOR, ICVL16, MSRA21, NYU36
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.seeding import generator

STAGE = Stage(ICVL_CAMERA, 320, 480)


def poses(n: int = 40, stage: Stage = STAGE) -> torch.Tensor:
    return torch.cat([film(Hand.average(), stage, 1, generator(0, "pose", i)) for i in range(n)])


def test_depth_at_a_joint_is_in_front_of_it_and_close_if_it_is_seen() -> None:
    close = 0
    for joints in poses():
        depth = render_depth(*hand_spheres(joints), ICVL_CAMERA)
        u, v, d = ICVL_CAMERA.to_image(joints).unbind(-1)
        surface = depth[v.round().long(), u.round().long()]
        # Every joint lies in flesh, so its pixel is never background and what is seen there never behind it.
        assert (surface > 0).all()
        assert (surface < d).all()
        close += int((d - surface < 18).sum())
    assert close > 0.6 * 40 * 21


def test_spheres_are_near_bones_and_3_mm_apart_along_a_finger() -> None:
    joints = poses(1)[0]
    centres, radii = hand_spheres(joints)
    assert ((radii >= 5) & (radii <= 17)).all()
    mcp, pip = joints[9], joints[10]
    share = ((centres - mcp) @ (pip - mcp)) / (pip - mcp).square().sum()
    off = (centres - mcp - share.unsqueeze(1) * (pip - mcp)).norm(dim=1)
    along = share[(off < 0.01) & (share > -0.001) & (share < 1.001)].unique().sort().values
    assert (along.diff() * (pip - mcp).norm()).max() < 3.1


def test_flesh_grows_with_the_scale_and_the_forearm_can_be_left_out() -> None:
    joints = poses(1)[0]
    (centres, radii), (_, half) = hand_spheres(joints), hand_spheres(joints, 0.5)
    assert torch.allclose(half, radii / 2)
    assert len(hand_spheres(joints, forearm=False)[1]) < len(centres)


def test_joints_in_the_orders_of_the_releases() -> None:
    joints = poses(1)[0]
    bighand = joint_weights("bighand") @ joints
    assert torch.equal(bighand[list(BIGHAND_FINGER_MAJOR)], joints)
    by_name = dict(zip(BIGHAND21.joints, bighand, strict=True))
    msra = joint_weights("msra") @ joints
    assert all(torch.equal(point, by_name[name]) for name, point in zip(MSRA21.joints, msra, strict=True))
    icvl = dict(zip(ICVL16.joints, joint_weights("icvl") @ joints, strict=True))
    assert torch.equal(icvl["index root"], by_name["index mcp"])
    assert torch.equal(icvl["thumb tip"], by_name["thumb tip"])
    nyu = dict(zip(NYU36.joints, joint_weights("nyu") @ joints, strict=True))
    assert torch.equal(nyu["pinky tip"], by_name["pinky tip"])
    assert torch.allclose(nyu["middle base"], by_name["middle mcp"], atol=1e-3)
    for convention, count in (("icvl", 16), ("nyu", 36), ("msra", 21), ("bighand", 21)):
        weights = joint_weights(convention)
        assert weights.shape == (count, 21)
        assert torch.allclose(weights.sum(dim=1), torch.ones(count), atol=1e-5)


def test_nyus_points_lie_as_in_its_real_poses() -> None:
    """Mean lengths over the real test poses of the first subject, mm; ours is a hand 8 % smaller."""
    nyu = joint_weights("nyu") @ poses(1)[0]
    real = {(30, 31): 35.3, (32, 35): 85.1, (5, 32): 48.3, (17, 32): 30.5, (23, 32): 34.5, (29, 32): 61.4,
            (32, 34): 27.9, (32, 33): 28.0, (29, 31): 34.0, (24, 25): 24.6, (15, 17): 52.0, (12, 13): 19.1}  # fmt: skip
    for (a, b), length in real.items():
        assert float((nyu[a] - nyu[b]).norm()) == pytest.approx(0.92 * length, rel=0.35), (a, b)


def test_nyus_hand_covers_its_joints_and_looks_like_the_one_of_21_joints() -> None:
    for joints in poses(10, Stage(NYU_CAMERA, 600, 900)):
        nyu = joint_weights("nyu") @ joints
        depth = render_depth(*nyu_spheres(nyu), NYU_CAMERA)
        u, v, d = NYU_CAMERA.to_image(nyu).unbind(-1)
        surface = depth[v.round().long(), u.round().long()]
        assert ((surface > 0) & (surface < d)).all()
        other = render_depth(*hand_spheres(joints, forearm=False), NYU_CAMERA) > 0
        assert ((depth > 0) & other).sum() > 0.75 * ((depth > 0) | other).sum()


def test_another_number_of_joints_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"\[21, 3\]"):
        hand_spheres(torch.zeros(16, 3))
    with pytest.raises(ArgumentError, match=r"\[36, 3\]"):
        nyu_spheres(torch.zeros(21, 3))
