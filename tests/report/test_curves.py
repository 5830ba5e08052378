import math
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqgcn.evaluation import MEAN_JOINT_ERROR, Curve, Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.report import learning_curve
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
    """The drawn line with the color and marker that the legend gives for a name."""
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
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("labeled items", "test accuracy (%)")
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
    assert figure.get_supxlabel().endswith(" Dashed: published systems, trained on all labels.")


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
