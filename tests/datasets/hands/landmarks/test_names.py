import pytest
import torch

from seqgcn.datasets.hands.landmarks.found import LANDMARKS, Landmarks
from seqgcn.datasets.hands.landmarks.names import landmark_weights, mapping_in_words, unmapped
from seqgcn.datasets.hands.rendering.joints import joint_weights
from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, Skeleton
from seqgcn.exceptions import ArgumentError

MEDIAPIPE = (
    "WRIST",
    *(f"THUMB_{part}" for part in ("CMC", "MCP", "IP", "TIP")),
    *(f"{finger}_FINGER_{part}" for finger in ("INDEX", "MIDDLE", "RING") for part in ("MCP", "PIP", "DIP", "TIP")),
    *(f"PINKY_{part}" for part in ("MCP", "PIP", "DIP", "TIP")),
)


def landmarks_of(*joints: str) -> list[str]:
    return [landmark for _, landmark in mapping_in_words(skeleton(*joints), landmark_weights(skeleton(*joints)))]


def skeleton(*joints: str) -> Skeleton:
    return Skeleton(joints, ())


@pytest.mark.parametrize("known", [MSRA21, BIGHAND21, skeleton(*MEDIAPIPE), skeleton(*LANDMARKS)])
def test_each_joint_of_a_set_of_21_is_one_landmark(known: Skeleton) -> None:
    weights = landmark_weights(known)
    assert torch.equal(weights.sum(dim=0), torch.ones(21))
    assert torch.equal(weights.max(dim=1).values, torch.ones(21))
    assert not unmapped(known, weights)


def test_mediapipes_own_names_are_its_own_order() -> None:
    assert torch.equal(landmark_weights(skeleton(*MEDIAPIPE)), torch.eye(21))


def test_the_order_of_released_sets_is_that_of_the_renderer() -> None:
    assert torch.equal(landmark_weights(MSRA21), joint_weights("msra"))
    assert torch.equal(landmark_weights(BIGHAND21), joint_weights("bighand"))


@pytest.mark.parametrize(
    ("name", "landmark"),
    [
        ("index mcp", "index mcp"),
        ("indexMCP", "index mcp"),
        ("Index_Knuckle", "index mcp"),
        ("little finger tip", "pinky tip"),
        ("right_ring_pip", "ring pip"),
        ("thumb mcp", "thumb mcp"),
        ("thumb cmc", "thumb mcp"),
        ("thumb ip", "thumb dip"),
        ("Wrist", "wrist"),
        ("left wrist", "wrist"),
        ("index", "none"),
        ("tip", "none"),
        ("index middle tip", "none"),
        ("index metacarpal tip", "none"),
    ],
)
def test_names_of_ones_own(name: str, landmark: str) -> None:
    assert landmarks_of(name) == [landmark]


def test_thumbs_that_have_a_cmc_or_an_ip_call_the_next_joint_mcp() -> None:
    assert landmarks_of("thumb cmc", "thumb mcp", "thumb ip") == ["thumb mcp", "thumb pip", "thumb dip"]
    assert landmarks_of("thumb mcp", "thumb ip") == ["thumb pip", "thumb dip"]
    assert landmarks_of("thumb mcp", "thumb pip") == ["thumb mcp", "thumb pip"]


def test_icvls_16_joints_are_means_of_landmarks() -> None:
    weights = landmark_weights(ICVL16)
    assert not unmapped(ICVL16, weights)
    assert torch.equal(weights, joint_weights("icvl"))
    assert mapping_in_words(ICVL16, weights)[:2] == [
        ("palm", "40% wrist, 15% index mcp, 15% middle mcp, 15% ring mcp, 15% pinky mcp"),
        ("thumb root", "thumb pip"),
    ]


@pytest.mark.parametrize("known", [NYU14, NYU36])
def test_nyus_points_are_placed_among_landmarks(known: Skeleton) -> None:
    assert not unmapped(known, landmark_weights(known))


def test_joints_that_no_landmark_is_are_named_and_stay_unknown() -> None:
    known = skeleton("wrist", "elbow", "index tip")
    weights = landmark_weights(known)
    assert unmapped(known, weights) == ["elbow"]
    found = Landmarks(torch.rand(2, 21, 3), torch.ones(2, 21).bool(), torch.ones(2), torch.zeros(2).bool())
    joints = found.joints(weights)
    assert joints[:, 1].isnan().all()
    assert torch.equal(joints[:, [0, 2]], found.points[:, [0, 8]])


def test_a_table_of_ones_own_comes_first() -> None:
    known = skeleton("center", "wrist")
    weights = landmark_weights(known, {"center": ("wrist", "MIDDLE_FINGER_MCP"), "wrist": ("thumb cmc",)})
    assert mapping_in_words(known, weights) == [("center", "50% wrist, 50% middle mcp"), ("wrist", "thumb mcp")]


@pytest.mark.parametrize(
    ("table", "says"),
    [({"nose": ("wrist",)}, "'nose' is no joint.*center"), ({"center": ("wrist", "nose")}, "'nose'.*'center'.*wrist")],
)
def test_a_table_of_something_else_is_named(table: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        landmark_weights(skeleton("center"), table)
