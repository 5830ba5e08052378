import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
import torch
from PIL import Image

import seqgcn.report
from seqgcn.evaluation import Curve
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.report import learning_curve, training_curves

CURVES = {
    "random": {0: Curve((100, 200, 300), (0.5, 0.6, 0.7)), 1: Curve((100, 200, 300), (0.52, 0.64, 0.7))},
    "core-gcn": {0: Curve((100, 200, 300), (0.5, 0.7, 0.8)), 1: Curve((100, 200), (0.54, 0.72))},
}


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".svg", ".pdf"])
def test_the_same_input_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    learning_curve(CURVES, first, title="digits, $5 a label")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30}):  # the user's own taste
        learning_curve(CURVES, second, title="digits, $5 a label")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_every_picture_is_a_png_800_wide_at_double_density(tmp_path: Path) -> None:
    learning_curve(CURVES, tmp_path / "1.png", title="digits")
    training_curves({"loss": [1.0, 0.5]}, str(tmp_path / "2.png"), title="digits")
    for path, height in zip(sorted(tmp_path.iterdir()), (1000, 760), strict=True):
        with Image.open(path) as image:
            assert (image.format, image.size) == ("PNG", (1600, height))
            assert set(image.info) <= {"dpi"}  # neither a date nor a version


def test_svg_is_well_formed_whatever_the_names_are(tmp_path: Path) -> None:
    odd = {"a<b>&$x$": CURVES["random"], "$": CURVES["core-gcn"]}
    learning_curve(odd, tmp_path / "odd.svg", title="<&> $100$ 50 %\n_")
    assert ElementTree.parse(tmp_path / "odd.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[matplotlib.figure.Figure]:
    """Figures that were written, with everything in its place."""
    figures: list[matplotlib.figure.Figure] = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda self, *args, **kw: (figures.append(self), save(self, *args, **kw)),
    )
    return figures


@pytest.mark.parametrize(("selectors", "references"), [(4, 0), (4, 13), (30, 0), (30, 13)])
def test_nothing_overlaps_or_is_cut(laid_out, selectors: int, references: int, tmp_path: Path) -> None:
    long = {f"a-selector-with-a-long-name-{k}": CURVES["random"] for k in range(selectors)}
    published = {f"system {k}": 80 + k**2 / 30 for k in range(references)}
    learning_curve(long, tmp_path / "curve.png", title="A long title " * 12, references=published)
    (figure,) = laid_out
    axes = figure.axes[0]
    legend = axes.get_legend().get_window_extent()
    labels = [matplotlib.text.Text.get_window_extent(text) for text in axes.texts]
    assert len(labels) == references
    assert legend.x0 >= max([axes.bbox.x1, *(label.x1 for label in labels)])
    assert legend.x1 <= figure.bbox.x1
    assert legend.y0 >= 0
    assert axes.bbox.height > figure.bbox.height / 2
    title = figure.texts[0].get_window_extent()
    assert title.x1 <= figure.bbox.x1
    assert title.y0 >= max([axes.bbox.y1, legend.y1, *(label.y1 for label in labels)])
    rising = sorted(labels, key=lambda label: label.y0)
    assert all(low.y1 <= high.y0 for low, high in pairwise(rising))


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    for name in ("curve.bmp", "curve"):
        with pytest.raises(ArgumentError, match=rf"{name}': end it in .png, .svg, .pdf"):
            training_curves({"loss": [1.0]}, tmp_path / name, title="")


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
def test_values_that_have_no_place_in_a_picture_are_named(losses: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        training_curves({"losses": losses}, tmp_path / "loss.png", title="")


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
            training_curves({"loss": [1.0]}, path, title="")
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            training_curves({"loss": [1.0]}, path, title="")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    training_curves({"loss": [1.0]}, path, title="")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"nowhere.loss\.png"):
        training_curves({"loss": [1.0]}, tmp_path / "nowhere" / "loss.png", title="")


# imports


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    learning_curve(CURVES, tmp_path / "curve.png", title="")
    assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_imported_on_first_use_and_pyplot_never() -> None:
    code = (
        "import sys, seqgcn.report; print('matplotlib' in sys.modules); "
        "seqgcn.report.training_curves; print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == ["False", "True", "False"]


def test_package_names() -> None:
    assert dir(seqgcn.report) == seqgcn.report.__all__
    assert all(callable(getattr(seqgcn.report, name)) for name in dir(seqgcn.report))
    assert seqgcn.report.learning_curve is learning_curve
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = seqgcn.report.nothing
