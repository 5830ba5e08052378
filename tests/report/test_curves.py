import math
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

import seqgcn.report
from seqgcn.errors import ArgumentError, RunFolderError
from seqgcn.evaluation import Curve
from seqgcn.report import confidence_histogram, curves, learning_curve, loss_curve

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
    learning_curve(error, tmp_path / "a.svg", title="", metric_name="mean joint error", unit="mm", scale=1)
    learning_curve(error, tmp_path / "a.svg", title="", metric_name="loss", unit="", scale=1)
    assert [figure.axes[0].get_ylabel() for figure in drawn] == ["test mean joint error (mm)", "test loss"]
    np.testing.assert_allclose(line_of(drawn[0], "random").get_ydata(), [13, 12])


def test_learning_curve_lines_can_be_told_apart(drawn, tmp_path: Path) -> None:
    many = {f"s{k}": {0: Curve((1, 2), (0.1, 0.2 + k / 100))} for k in range(30)} | {"random": CURVES["random"]}
    learning_curve(many, tmp_path / "curve.png", title="")
    lines = drawn[0].axes[0].get_lines()
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 31
    assert len({line.get_color() for line in lines[:7]}) == 7
    assert [line.get_color() for line in lines].count(curves.GREY) == 1
    assert lines[-1].get_color() == curves.GREY


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


# files


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".svg", ".pdf"])
def test_the_same_input_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    learning_curve(CURVES, first, title="digits, $5 a label")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30}):  # the user's own taste
        learning_curve(CURVES, second, title="digits, $5 a label")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_every_picture_is_a_png_of_800_by_500_at_double_density(tmp_path: Path) -> None:
    learning_curve(CURVES, tmp_path / "1.png", title="digits")
    loss_curve([1.0, 0.5], str(tmp_path / "2.png"), title="digits")
    confidence_histogram([0.1, 0.2, 0.3], [True, False, False], [1], tmp_path / "3.png", title="digits")
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert (image.format, image.size) == ("PNG", (1600, 1000))
            assert set(image.info) <= {"dpi"}  # neither a date nor a version


def test_svg_is_well_formed_whatever_the_names_are(tmp_path: Path) -> None:
    odd = {"a<b>&$x$": CURVES["random"], "$": CURVES["core-gcn"]}
    learning_curve(odd, tmp_path / "odd.svg", title="<&> $100$ 50 %\n_")
    assert ElementTree.parse(tmp_path / "odd.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_legend_and_title_do_not_overlap_the_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figures = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda self, *args, **kw: (figures.append(self), save(self, *args, **kw)),
    )
    long = {f"a-selector-with-a-long-name-{k}": CURVES["random"] for k in range(4)}
    learning_curve(long, tmp_path / "curve.png", title="A long title " * 12)
    (figure,) = figures
    axes = figure.axes[0]
    legend = axes.get_legend().get_window_extent()
    assert legend.x0 >= axes.bbox.x1
    assert legend.x1 <= figure.bbox.x1
    title = figure.texts[0].get_window_extent()
    assert title.x1 <= figure.bbox.x1
    assert title.y0 >= max(axes.bbox.y1, legend.y1)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    for name in ("curve.bmp", "curve"):
        with pytest.raises(ArgumentError, match=rf"{name}': end it in .png, .svg, .pdf"):
            loss_curve([1.0], tmp_path / name, title="")


def test_an_interrupted_write_leaves_the_old_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "loss.png"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(RunFolderError, match=r"cannot write .*loss\.png: No space left"):
            loss_curve([1.0], path, title="")
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            loss_curve([1.0], path, title="")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    loss_curve([1.0], path, title="")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"nowhere.loss\.png"):
        loss_curve([1.0], tmp_path / "nowhere" / "loss.png", title="")


# imports


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    learning_curve(CURVES, tmp_path / "curve.png", title="")
    assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_imported_on_first_use_and_pyplot_never() -> None:
    code = (
        "import sys, seqgcn.report; print('matplotlib' in sys.modules); "
        "seqgcn.report.loss_curve; print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == ["False", "True", "False"]


def test_package_names() -> None:
    assert dir(seqgcn.report) == ["confidence_histogram", "learning_curve", "loss_curve"]
    assert seqgcn.report.learning_curve is learning_curve
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seqgcn.report.nothing
