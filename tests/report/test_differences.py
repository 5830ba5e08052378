from pathlib import Path

import matplotlib
import pytest
from matplotlib.colors import to_hex

from seqgcn.evaluation import MEAN_JOINT_ERROR, Comparison
from seqgcn.exceptions import ArgumentError
from seqgcn.report import differences


def row(name: str, difference: float, **more: object) -> Comparison:
    return Comparison(selector=name, seeds=5, aubc_mean=0.8, aubc_std=0.01, difference=difference, **more)  # type: ignore[arg-type]


ROWS = [
    row("random", 0.0),
    row("worse", -0.01, interval=(-0.02, 0.0)),
    row("core-gcn", 0.03, interval=(0.01, 0.04), confirmatory=True),
    row("alone", 0.01),
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[matplotlib.figure.Figure]:
    figures: list[matplotlib.figure.Figure] = []
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda self, *_what, **_how: figures.append(self))
    return figures


def test_the_best_is_on_top_with_its_interval(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    differences(ROWS, tmp_path / "a.png", title="Digits")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worse", "alone", "core-gcn"]
    points = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [float(point.get_xdata()[0]) for point in points] == pytest.approx([-1.0, 1.0, 3.0])
    lines = [line for line in axes.get_lines()[1:] if line.get_marker() != "o"]
    assert [[round(float(x), 6) for x in line.get_xdata()] for line in lines] == [[-2.0, 0.0], [1.0, 4.0]]
    assert [to_hex(point.get_markerfacecolor()) for point in points] == ["#ffffff", "#ffffff", "#0072b2"]
    assert axes.get_xlabel() == "difference of the mean accuracy (percentage points)"
    caption = drawn[0].get_supxlabel().replace("\n", " ")
    assert "less that of random (80.00 %), paired over 5 seeds; better to the right." in caption
    assert caption.endswith("Filled: comparisons named beforehand. Blue: on a graph.")


def test_where_lower_is_better_the_lowest_is_on_top(drawn: list[matplotlib.figure.Figure], tmp_path: Path) -> None:
    differences(ROWS, tmp_path / "a.png", title="Hands", metric=MEAN_JOINT_ERROR)
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["core-gcn", "alone", "worse"]
    assert axes.get_xlabel() == "difference of the mean joint error (mm)"
    assert "better to the left" in drawn[0].get_supxlabel()


def test_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="must hold the baseline and at least one other"):
        differences(ROWS[:1], tmp_path / "a.png", title="Digits")
