import math
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from seqgcn.datasets.hands.skeleton import BIGHAND21, ICVL16, MSRA21, NYU14, NYU36, Skeleton
from seqgcn.evaluation import Score, score_poses
from seqgcn.exceptions import ArgumentError
from seqgcn.report import contact_sheet, per_joint_bars, success_curves, training_curves
from seqgcn.report.fingers import FINGERS, finger_colours
from seqgcn.report.hands import CELL, _cut, _square
from seqgcn.report.page import GREY


def score(error: float, frames: int = 2, joints: tuple[str, ...] = ("palm", "tip")) -> Score:
    """Of poses whose joints are off by `error` and twice that, mm."""
    true = torch.zeros(frames, len(joints), 3)
    off = torch.zeros_like(true)
    off[:, 0, 0], off[:, 1:, 1] = error, 2 * error
    return score_poses(true + off, true, dataset="NYU", joints=joints)


def depth(h: int = 60, w: int = 80) -> np.ndarray:
    """A slope of 20 x 30 px, 400 to 419 mm away, on nothing."""
    image = np.zeros((h, w))
    image[10:30, 40:70] = 400 + np.arange(20)[:, None]
    return image


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[matplotlib.figure.Figure]:
    """Figures that were drawn, in place of pictures written: quick to make and open to questions."""
    figures: list[matplotlib.figure.Figure] = []

    def keep(self: matplotlib.figure.Figure, picture: object, **kwargs: object) -> None:
        figures.append(self)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return figures


def legend(figure: matplotlib.figure.Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


# scores


def test_success_curves(drawn, tmp_path: Path) -> None:
    success_curves({"worse": score(30), "better": score(10)}, tmp_path / "a.png", title="NYU")
    axes = drawn[0].axes[0]
    worse, better = axes.get_lines()
    assert (worse.get_ydata()[[59, 60]].tolist(), better.get_ydata()[[19, 20]].tolist()) == ([0, 100], [0, 100])
    assert worse.get_xdata().tolist() == list(range(81))
    assert legend(drawn[0]) == ["better (15.00 mm)", "worse (45.00 mm)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "largest joint error allowed (mm)",
        "frames with all joints within it (%)",
    )
    assert drawn[0].get_supxlabel() == "Over 2 frames. In brackets: mean joint error."


def test_per_joint_bars_end_with_the_mean(drawn, tmp_path: Path) -> None:
    per_joint_bars({"a": score(30), "b": score(10, frames=7)}, tmp_path / "a.png", title="NYU")
    axes = drawn[0].axes[0]
    assert [bar.get_height() for bar in axes.patches] == [30, 60, 45, 10, 20, 15]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["palm", "tip", "mean"]
    assert axes.get_ylabel() == "mean joint error (mm)"
    assert legend(drawn[0]) == ["a", "b"]
    assert drawn[0].get_supxlabel() == "Mean over 2 to 7 frames."
    a, b = axes.patches[0], axes.patches[3]
    assert a.get_x() + a.get_width() == pytest.approx(b.get_x())
    assert (a.get_x() + b.get_x() + b.get_width()) / 2 == pytest.approx(axes.get_xticks()[0])


def test_many_scores_can_be_told_apart(drawn, tmp_path: Path) -> None:
    many = {f"s{k}": score(10 + k) for k in range(20)}
    success_curves(many, tmp_path / "a.png", title="")
    per_joint_bars(many, tmp_path / "a.png", title="")
    lines = drawn[0].axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 20
    bars = drawn[1].axes[0].patches[::3]
    assert len({(bar.get_facecolor(), bar.get_hatch()) for bar in bars}) == 20


def test_scores_that_cannot_be_drawn(tmp_path: Path) -> None:
    for draw in (success_curves, per_joint_bars):
        with pytest.raises(ArgumentError, match="scores is empty"):
            draw({}, tmp_path / "a.png", title="")
    with pytest.raises(ArgumentError, match="'b' and 'a' have other joints"):
        per_joint_bars({"a": score(1), "b": score(1, joints=("palm", "wrist"))}, tmp_path / "a.png", title="")


# training


def test_training_curves(drawn, tmp_path: Path) -> None:
    curves = {"training loss": [0.3, 0.2, 0.1], "validation error (mm)": torch.tensor([12.5])}
    training_curves(curves, tmp_path / "a.png", title="cycle 3")
    above, below = drawn[0].axes
    np.testing.assert_allclose(above.get_lines()[0].get_xydata(), [[1, 0.3], [2, 0.2], [3, 0.1]])
    assert (above.get_ylabel(), below.get_ylabel()) == tuple(curves)
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "epoch")
    assert below.get_lines()[0].get_marker() == "o"
    assert below.get_xlim() == above.get_xlim() == (0.5, 3.5)
    assert drawn[0].get_supxlabel() == "At the end: training loss = 0.1; validation error (mm) = 12.5."


@pytest.mark.parametrize(
    ("curves", "message"),
    [({}, "curves is empty"), ({"loss": []}, "loss must be"), ({"loss": [1, math.inf]}, r"loss\[1\] is inf")],
)
def test_training_curves_refuse(curves: dict[str, list[float]], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        training_curves(curves, tmp_path / "a.png", title="")


# contact sheet


def test_a_frame_is_cut_to_its_hand_with_a_margin() -> None:
    left, top, side = _square(depth(), None)
    assert side == pytest.approx(1.12 * 29)  # 30 px wide: 29 from the first to the last
    assert (left + side / 2, top + side / 2) == pytest.approx((54.5, 19.5))
    left, top, side = _square(depth(), np.array([[40.0, 10.0], [69.0, 55.0]]))
    assert (top < 10, top + side > 55) == (True, True)
    cell = _cut(depth(), *_square(depth(), None))
    assert np.isnan(cell[0]).all()
    # Rows of the slope are mm; its first percentile is the nearest row.
    assert np.nanmin(cell) == 0
    assert np.nanmax(cell) == 19
    assert np.isfinite(cell).mean() == pytest.approx(20 * 30 / (1.12 * 29) ** 2, rel=0.1)


def test_an_empty_frame_is_shown_whole() -> None:
    left, top, side = _square(np.zeros((60, 80)), None)
    assert (left < 0, left + side > 79, top + side > 59) == (True, True, True)
    assert np.isnan(_cut(np.zeros((60, 80)), left, top, side)).all()


def test_contact_sheet_puts_joints_on_the_hand(drawn, tmp_path: Path) -> None:
    uv = np.array([[40.0, 10.0], [69.0, 29.0]])
    contact_sheet([depth(), depth(), depth()], [uv, None, torch.tensor(uv)], [(0, 1)], tmp_path / "a.png", title="")
    axes, bar = drawn[0].axes
    (image,) = axes.get_images()
    assert image.get_array().shape == (CELL, 3 * CELL)
    dots = axes.get_lines()[-1].get_xydata()
    assert len(dots) == 4
    np.testing.assert_allclose(dots[2:] - dots[:2], [[2 * CELL, 0]] * 2)
    left, top, side = _square(depth(), uv)
    np.testing.assert_allclose(dots[0], [(40 - left) / side * CELL, (10 - top) / side * CELL])
    shown = image.get_array()[int(dots[0, 1]) + 1, int(dots[0, 0]) + 1]
    assert shown == 0  # the first joint lies on the hand's nearest corner
    (bones,) = axes.collections
    assert len(bones.get_segments()) == 2
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert bar.get_ylabel() == "depth behind the nearest point (mm)"
    low, high = bar.get_ylim()
    assert low > high  # near is at the top
    assert drawn[0].get_supxlabel() == "3 frames, numbered in the order given."


def test_contact_sheet_rows(drawn, tmp_path: Path) -> None:
    contact_sheet([depth()] * 5, [None] * 5, [], tmp_path / "a.png", title="", columns=2)
    (image,) = drawn[0].axes[0].get_images()
    assert image.get_array().shape == (3 * CELL, 2 * CELL)
    assert np.isnan(image.get_array()[2 * CELL :, CELL:].filled(np.nan)).all()
    contact_sheet([np.zeros((4, 4))], [None], [], tmp_path / "a.png", title="")
    assert len(drawn) == 2


@pytest.mark.parametrize("skeleton", [ICVL16, NYU14, NYU36, MSRA21, BIGHAND21])
def test_fingers_have_a_colour_each(skeleton: Skeleton) -> None:
    colours = finger_colours(skeleton.bones)
    by_finger: dict[str, set[str]] = {}
    for (a, b), colour in colours.items():
        # Of a bone's two ends, one may be the palm or the wrist in which all fingers meet.
        fingers = {skeleton.joints[joint].split()[0] for joint in (a, b)} - {"palm", "wrist"}
        if fingers:
            by_finger.setdefault(*fingers, set()).add(colour)
        else:
            assert colour == GREY
    assert len(by_finger) == 5
    assert {to_hex(colour) for each in by_finger.values() for colour in each} == {to_hex(colour) for colour in FINGERS}
    assert all(len(each) == 1 for each in by_finger.values())


def test_bones_of_any_skeleton_have_a_colour() -> None:
    assert finger_colours([]) == {}
    assert finger_colours([(0, 1)]) == {(0, 1): GREY}
    assert set(finger_colours([(3, 2), (2, 1), (1, 0), (0, 3)])) == {(3, 2), (2, 1), (1, 0), (0, 3)}


@pytest.mark.parametrize(
    ("depths", "joints", "bones", "message"),
    [
        ([], [], [], "at least one, got 0 and 0"),
        ([depth()], [], [], "got 1 and 0"),
        ([depth()[0]], [None], [], r"depths\[0\] must be \[h, w\].*got \[80\]"),
        ([np.zeros((0, 4))], [None], [], r"depths\[0\] must be .*got \[0, 4\]"),
        ([depth(), depth() - 1], [None, None], [], r"depths\[1\] must be .*with -1 to 418"),
        ([depth() * math.nan], [None], [], r"depths\[0\] must be .*finite"),
        ([depth()], [np.zeros((2, 3))], [], r"joints_uv\[0\] must be finite pixels \[J, 2\], got \[2, 3\]"),
        ([depth()], [np.full((2, 2), math.nan)], [], r"joints_uv\[0\] must be finite"),
        ([depth()], [np.zeros((2, 2))], [(0, 2)], r"beyond the 2 of joints_uv\[0\]"),
    ],
)
def test_contact_sheet_refuses(depths: list, joints: list, bones: list, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        contact_sheet(depths, joints, bones, tmp_path / "a.png", title="")
    assert not list(tmp_path.iterdir())


def test_contact_sheet_needs_a_column(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="columns"):
        contact_sheet([depth()], [None], [], tmp_path / "a.png", title="", columns=0)


# files


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    pictures = []
    for path in (tmp_path / "1.png", tmp_path / "2.png"):
        written = []
        success_curves({"a": score(10)}, path, title="NYU")
        written.append(path.read_bytes())
        per_joint_bars({"a": score(10)}, path, title="NYU")
        written.append(path.read_bytes())
        training_curves({"loss": [2, 1]}, path, title="NYU")
        written.append(path.read_bytes())
        contact_sheet([depth()] * 2, [np.array([[50, 20], [60, 25]]), None], [(0, 1)], path, title="NYU")
        written.append(path.read_bytes())
        pictures.append(written)
    assert pictures[0] == pictures[1]
    assert len(set(pictures[0])) == 4
