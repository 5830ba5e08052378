import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.datasets.hands.rendering import Hand, HandPose
from seqgcn.datasets.hands.rendering.kinematics import JOINTS, LIMITS, angle_limits
from seqgcn.exceptions import ArgumentError

NAMES = list(LIMITS)


def pose(n: int = 1, **degrees: float) -> HandPose:
    """Straight fingers that face the camera, 400 mm away, but for the named angles (blanks as underscores)."""
    low, high = angle_limits()
    angles = torch.zeros(len(NAMES)).clamp(low, high)
    for name, value in degrees.items():
        angles[NAMES.index(name.replace("_", " "))] = torch.tensor(value).deg2rad()
    return HandPose(angles.expand(n, -1), torch.zeros(n, 3), torch.tensor([0.0, 0.0, 400.0]).expand(n, 3))


def joint(joints: torch.Tensor, name: str) -> torch.Tensor:
    return joints[:, JOINTS.index(name)]


def random_poses(n: int, seed: int) -> HandPose:
    draws = torch.Generator().manual_seed(seed)
    low, high = angle_limits()
    angles = low + (high - low) * torch.rand(n, len(low), generator=draws)
    return HandPose(angles, 3 * torch.randn(n, 3, generator=draws), 100 * torch.randn(n, 3, generator=draws))


def test_a_right_palm_that_faces_the_camera_has_its_thumb_at_the_right() -> None:
    joints = Hand.average().joints(pose(thumb_extension=45))
    assert joint(joints, "thumb tip")[0, 0] > joint(joints, "index tip")[0, 0] > joint(joints, "pinky tip")[0, 0]
    assert joint(joints, "middle tip")[0, 1] < joint(joints, "wrist")[0, 1]
    # Fingers bend towards the palm, which is towards the camera.
    bent = Hand.average().joints(pose(middle_mcp=60, middle_pip=60))
    assert joint(bent, "middle tip")[0, 2] < joint(joints, "middle tip")[0, 2] - 50


def test_an_average_hand_is_as_long_as_an_adults() -> None:
    joints = Hand.average().joints(pose())
    assert 175 < (joint(joints, "middle tip") - joint(joints, "wrist")).norm() + 6 < 200


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_bones_keep_their_lengths(seed: int) -> None:
    hand = Hand.of_subject(0, seed % 7)
    joints = hand.joints(random_poses(5, seed))
    chains = joints[:, 1:].unflatten(1, (5, 4))
    assert torch.allclose(chains.diff(dim=2).norm(dim=-1), hand.lengths.expand(5, 5, 3), atol=1e-2)
    palm = joints[:, [0, 1, 5, 9, 13, 17]]
    distances = torch.cdist(palm, palm)
    assert torch.allclose(distances, distances[:1].expand_as(distances), atol=2e-2)


def test_the_last_joint_bends_with_the_one_before() -> None:
    joints = Hand.average().joints(pose(ring_pip=90))
    mcp, pip, dip, tip = (joint(joints, f"ring {part}")[0] for part in ("mcp", "pip", "dip", "tip"))
    at = [torch.rad2deg(torch.arccos(torch.cosine_similarity(b - a, c - b, dim=0))) for a, b, c in
          ((mcp, pip, dip), (pip, dip, tip))]  # fmt: skip
    assert at == pytest.approx([90, 60], abs=0.1)


def test_rotation_and_position_move_the_hand_rigidly() -> None:
    still, moved = pose(2), pose(2)._replace(rotation=torch.tensor([[0.4, -0.3, 1.2], [0, 0, 0]]))
    hand = Hand.average()
    a, b = hand.joints(still), hand.joints(moved)
    assert torch.allclose(torch.cdist(a, a), torch.cdist(b, b), atol=1e-2)
    assert torch.equal(a[1], b[1])
    assert not torch.allclose(a[0], b[0], atol=1)
    shifted = hand.joints(still._replace(position=still.position + torch.tensor([5.0, 6.0, 7.0])))
    assert torch.allclose(shifted - a, torch.tensor([5.0, 6.0, 7.0]).expand_as(a), atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_angles_beyond_the_limits_are_refused_by_name(name: str) -> None:
    for bound, step in zip(LIMITS[name], (-1, 1), strict=True):
        Hand.average().joints(pose(**{name: bound}))
        with pytest.raises(ArgumentError, match=f"{name} must be within"):
            Hand.average().joints(pose(**{name: bound + step}))


def test_angles_that_are_no_numbers_or_too_few_are_refused() -> None:
    good = pose()
    with pytest.raises(ArgumentError, match="index mcp"):
        Hand.average().joints(pose(index_mcp=float("nan")))
    with pytest.raises(ArgumentError, match=r"\[n, 16\]"):
        Hand.average().joints(good._replace(angles=good.angles[:, :15]))


def test_subjects_differ_by_seed_and_number_and_are_the_same_again() -> None:
    hands = [Hand.of_subject(*key) for key in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert torch.equal(hands[0].lengths, hands[3].lengths)
    assert hands[0].scale == hands[3].scale
    assert len({float(hand.lengths.sum()) for hand in hands}) == 3
    for number in range(50):
        hand = Hand.of_subject(3, number)
        share = hand.lengths / (Hand.average().lengths * hand.scale)
        assert 0.859 < hand.scale < 1.141
        assert ((share > 0.939) & (share < 1.061)).all()


def test_a_subjects_size_can_be_given() -> None:
    hand = Hand.of_subject(0, 4, scale=0.75)
    assert hand.scale == 0.75
    assert float(hand.lengths.mean() / Hand.average().lengths.mean()) == pytest.approx(0.75, rel=0.05)
    with pytest.raises(ArgumentError, match="scale"):
        Hand.of_subject(0, 4, scale=0)
