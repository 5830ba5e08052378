import math
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.evaluation import MEAN_JOINT_ERROR, Curve, Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.report import confidence_histogram, learning_curve, loss_curve
from seqgcn.report.curves import _apart
from seqgcn.report.page import GREY

CURVES = {
    "random": {0: Curve((100, 200, 300), (0.5, 0.6, 0.7)), 1: Curve((100, 200, 300), (0.52, 0.64, 0.7))},
    "core-gcn": {0: Curve((100, 200, 300), (0.5, 0.7, 0.8)), 1: Curve((100, 200), (0.54, 0.72))},
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[matplotlib.figure.Figure]:
    """Figures that were drawn, in place of pictures written: quick to make and open to questions."""
    figures: list[matplotlib.figure.Figure] = []

    def keep(self: matplotlib.figure.Figure, picture: object, **kwargs: object) -> None:
        figures.append(self)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return figures


def labels(figure: matplotlib.figure.Figure) -> list[str]:
    legend = figure.axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def line_of(figure: matplotlib.figure.Figure, name: str) -> matplotlib.lines.Line2D:
    """The drawn line with the colour and marker that the legend gives for a name."""
    legend = figure.axes[0].get_legend()
    assert legend is not None
    sample = legend.get_lines()[[label.split(" ")[0] for label in labels(figure)].index(name)]
    (line,) = (
        line
        for line in figure.axes[0].get_lines()
        if (line.get_color(), line.get_marker()) == (sample.get_color(), sample.get_marker())
    )
    return line


# learning curves


def test_learning_curve_shows_means_where_all_seeds_have_a_value(drawn, tmp_path: Path) -> None:
    learning_curve(CURVES, tmp_path / "curve.png", title="digits")
    (figure,) = drawn
    axes = figure.axes[0]
    np.testing.assert_allclose(line_of(figure, "random").get_xydata(), [[100, 51], [200, 62], [300, 70]])
    np.testing.assert_allclose(line_of(figure, "core-gcn").get_xydata(), [[100, 52], [200, 71]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("labelled items", "test accuracy (%)")
    assert figure.get_suptitle() == "digits"
    assert figure.get_supxlabel() == "Line: mean over 2 seeds. Band: ± 1 standard deviation over the seeds."
    band = axes.collections[0].get_paths()[0].vertices
    spread = np.std([50, 52], ddof=1)
    at_100 = band[band[:, 0] == 100, 1]
    assert (at_100.min(), at_100.max()) == pytest.approx((51 - spread, 51 + spread))


def test_learning_curve_legend_follows_the_line_ends(drawn, tmp_path: Path) -> None:
    learning_curve(CURVES, tmp_path / "curve.png", title="")
    lower = {name: {0: Curve((1, 2), (0.5, end))} for name, end in (("a", 0.1), ("b", 0.3), ("random", 0.2))}
    learning_curve(lower, tmp_path / "curve.png", title="")
    assert [labels(figure) for figure in drawn] == [["core-gcn", "random"], ["b", "random", "a"]]


def test_learning_curve_counts_seeds_for_each_selector_when_they_differ(drawn, tmp_path: Path) -> None:
    one = CURVES | {"margin": {0: Curve((100, 200), (0.1, 0.2))}}
    learning_curve(one, tmp_path / "curve.png", title="")
    learning_curve({"margin": one["margin"]}, tmp_path / "curve.png", title="")
    assert labels(drawn[0]) == ["core-gcn (2 seeds)", "random (2 seeds)", "margin (1 seed)"]
    assert drawn[0].get_supxlabel().startswith("Line: mean over 1 to 2 seeds.")
    assert line_of(drawn[0], "margin").get_linewidth() < line_of(drawn[0], "random").get_linewidth()
    assert drawn[1].get_supxlabel() == "One seed a selector: no spread to show."
    assert not drawn[1].axes[0].collections


def test_learning_curve_in_another_unit(drawn, tmp_path: Path) -> None:
    error = {"random": {0: Curve((10, 20), (13.0, 12.0))}}
    learning_curve(error, tmp_path / "a.svg", title="", metric=MEAN_JOINT_ERROR)
    learning_curve(error, tmp_path / "a.svg", title="", metric=Metric("loss"))
    assert [figure.axes[0].get_ylabel() for figure in drawn] == ["test mean joint error (mm)", "test loss"]
    np.testing.assert_allclose(line_of(drawn[0], "random").get_ydata(), [13, 12])


def test_learning_curve_lines_can_be_told_apart(drawn, tmp_path: Path) -> None:
    many = {f"s{k}": {0: Curve((1, 2), (0.1, 0.2 + k / 100))} for k in range(30)} | {"random": CURVES["random"]}
    learning_curve(many, tmp_path / "curve.png", title="")
    lines = drawn[0].axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 31
    assert len({line.get_color() for line in lines[:7]}) == 7
    assert [line.get_color() for line in lines].count(GREY) == 1
    assert lines[-1].get_color() == GREY


def test_learning_curve_ticks(drawn, tmp_path: Path) -> None:
    def ticks(counts: tuple[int, ...]) -> list[float]:
        learning_curve({"a": {0: Curve(counts, (0.5,) * len(counts))}}, tmp_path / "curve.png", title="")
        return list(drawn[-1].axes[0].get_xticks())

    assert ticks((100,)) == [100]
    assert ticks((1000, 2000, 3000)) == [1000, 2000, 3000]
    crowded = ticks((100, 101, 200, 1000))
    assert 101 not in crowded
    assert all(tick == round(tick) for tick in crowded)
    formatter = drawn[-1].axes[0].xaxis.get_major_formatter()
    assert formatter(12000.0, 0) == "12,000"


def test_learning_curve_of_one_point_shows_its_spread(drawn, tmp_path: Path) -> None:
    first = {"random": {seed: Curve((100,), (0.5 + seed / 10,)) for seed in range(2)}}
    learning_curve(first, tmp_path / "curve.png", title="")
    bar = drawn[0].axes[0].collections[-1].get_paths()[0].vertices
    spread = np.std([50, 60], ddof=1)
    np.testing.assert_allclose(bar, [[100, 55 - spread], [100, 55 + spread]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "curves is empty"),
        ({"margin": {}}, "0 curves of 'margin'"),
        (
            {"margin": {0: Curve((1, 2), (0.1, 0.2)), 1: Curve((3,), (0.1,))}},
            "2 curves of 'margin' have no label",
        ),
    ],
)
def test_learning_curve_refuses(given: dict[str, dict[int, Curve]], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        learning_curve(given, tmp_path / "curve.png", title="")
    assert not list(tmp_path.iterdir())


# references


def test_references_are_dashed_and_labelled(drawn, tmp_path: Path) -> None:
    error = {"random": {0: Curve((10, 20), (13.0, 12.0))}, "core-gcn": {0: Curve((10, 20), (13.0, 9.0))}}
    published = {"V2V": 6.28, "DeepPrior": 10.4}
    learning_curve(error, tmp_path / "a.png", title="", metric=MEAN_JOINT_ERROR, references=published)
    (figure,) = drawn
    axes = figure.axes[0]
    dashed = [line.get_ydata()[0] for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert dashed == [6.28, 10.4]
    assert [text.get_text() for text in axes.texts] == ["V2V 6.28", "DeepPrior 10.4"]
    assert axes.get_ylim()[0] < 6.28
    assert labels(figure) == ["random", "core-gcn"]  # the larger error ends higher
    assert figure.get_supxlabel().endswith(" Dashed: published, trained on all labels.")


def test_references_must_be_finite(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="reference 'V2V' is nan"):
        learning_curve(CURVES, tmp_path / "a.png", title="", references={"V2V": math.nan})


def test_labels_move_apart_no_further_than_they_must() -> None:
    assert _apart([10.0, 50.0], 10, 100) == [10, 50]
    assert _apart([50.0, 50.0], 10, 100) == [45, 55]
    assert _apart([50.0, 54.0, 56.0], 10, 100) == pytest.approx([130 / 3, 160 / 3, 190 / 3])
    assert _apart([0.0, 1.0, 99.0], 10, 100) == [0, 10, 99]
    assert _apart([98.0, 100.0], 10, 100) == [90, 100]
    assert _apart([5.0], 10, 100) == [5]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.floats(0.1, 20))
def test_labels_keep_their_order_and_their_distance(heights: list[float], gap: float) -> None:
    places = _apart(sorted(heights), gap, 100)
    least = min(gap, 100 / max(len(heights) - 1, 1))
    assert all(high - low >= least - 1e-9 for low, high in pairwise(places))
    assert places[0] >= -1e-9
    assert places[-1] <= 100 + 1e-9


# the GCN


def test_loss_curve(drawn, tmp_path: Path) -> None:
    loss_curve([1.5, 1.0, 0.75], tmp_path / "loss.png", title="cycle 3")
    loss_curve(torch.tensor([2.0]), tmp_path / "loss.png", title="cycle 4")
    axes = drawn[0].axes[0]
    np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), [[1, 1.5], [2, 1.0], [3, 0.75]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "training loss")
    assert drawn[0].get_supxlabel() == "After 3 epochs: 0.75."
    assert drawn[1].get_supxlabel() == "After 1 epoch: 2."
    assert drawn[1].axes[0].get_lines()[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "not empty"),
        ([[1.0]], r"shape \[1, 1\]"),
        ([1.0, math.nan], r"losses\[1\] is nan"),
        (torch.ones(2, requires_grad=True), "losses cannot be read"),
        (["low"], "losses cannot be read"),
    ],
)
def test_loss_curve_refuses(losses: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        loss_curve(losses, tmp_path / "loss.png", title="")


def test_confidence_histogram_counts_every_item_once(drawn, tmp_path: Path) -> None:
    confidence = torch.tensor([0.9, 0.8, 0.1, 0.2, 0.3, 0.4])
    labelled = torch.tensor([True, True, False, False, False, False])
    confidence_histogram(confidence, labelled, torch.tensor([2]), tmp_path / "hist.png", title="cycle 3")
    panels = drawn[0].axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["labelled: 2 items", "unlabelled, not picked: 3 items", "picked: 1 item"]
    heights = [sum(patch.get_height() for patch in axes.patches) for axes in panels]
    assert heights == [2, 3, 1]
    assert panels[2].patches[0].get_height() == 1
    assert panels[-1].get_xlabel() == "GCN confidence that the item is labelled"


def test_confidence_histogram_of_one_value_and_no_pick(drawn, tmp_path: Path) -> None:
    for picked in ([], torch.empty(0, dtype=torch.long)):
        confidence_histogram([0.4] * 3, [True, False, False], picked, tmp_path / "hist.png", title="")
        heights = [sum(patch.get_height() for patch in axes.patches) for axes in drawn[-1].axes]
        assert heights == [1, 2, 0]
        assert drawn[-1].axes[2].get_ylim() == (0, 1)


@pytest.mark.parametrize(
    ("confidence", "labelled", "picked", "message"),
    [
        ([0.5, 1.5], [True, False], [1], r"confidence must lie in \[0, 1\], got 0.5 to 1.5"),
        ([0.5, math.nan], [True, False], [1], r"confidence\[1\] is nan"),
        ([0.5, 0.5], [True], [1], r"labelled must be bool \[2\]"),
        ([0.5, 0.5], [0, 1], [1], "labelled must be bool"),
        ([0.5, 0.5], [True, False], [0.5], "integer node indices"),
        ([0.5, 0.5], [True, False], [[1]], r"integer node indices \[b\], got int64 \[1, 1\]"),
        ([0.5, 0.5], [True, False], [2], "the 2 nodes, got 2 to 2"),
        ([0.5, 0.5], [True, False], [-1], "got -1 to -1"),
        ([0.5, 0.5], [True, False], [1, 1], "each node once"),
        ([0.5, 0.5], [True, False], [0], "no labelled one"),
    ],
)
def test_confidence_histogram_refuses(
    confidence: list[float], labelled: list[bool], picked: list[int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=message):
        confidence_histogram(confidence, labelled, picked, tmp_path / "hist.png", title="")
