"""What names of joints tell."""

import pytest

from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, Skeleton, palm_joints, words_of


@pytest.mark.parametrize("name", ["index tip", "INDEX_TIP", "indexTip1", "index-tip"])
def test_words_of_a_name(name: str) -> None:
    assert words_of(name) == ["index", "tip"]


@pytest.mark.parametrize(
    ("skeleton", "names"),
    [
        (ICVL16, ["palm"]),
        (NYU14, ["palm"]),
        (NYU36, ["palm"]),
        (MSRA21, ["wrist", *(f"{finger} mcp" for finger in ("index", "middle", "ring", "pinky", "thumb"))]),
        (BIGHAND21, ["wrist", *(f"{finger} mcp" for finger in ("thumb", "index", "middle", "ring", "pinky"))]),
        (Skeleton(("a", "b"), ()), []),
        (Skeleton(("wrist", "index mcp", "middle mcp"), ()), []),
        (Skeleton(("index root", "middle root", "ring root"), ()), []),
    ],
)
def test_joints_of_the_palm(skeleton: Skeleton, names: list[str]) -> None:
    assert sorted(skeleton.joints[joint] for joint in palm_joints(skeleton)) == sorted(names)
