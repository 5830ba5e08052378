import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
from run_folders import record, write_run, write_runs

import seqgcn.report.html
from seqgcn.evaluation import ACCURACY, Comparison
from seqgcn.exceptions import RunFolderError
from seqgcn.report.html import Line, Table, chart, forest, render
from seqgcn.report.means import seeds_caption
from seqgcn.runs.comparison_page import mean_lines, means_table
from seqgcn.runs.reader import read_runs
from seqgcn.runs.run_page import run_page

EVIL = "<script>alert(1)</script>.png"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """A page taken apart: its tags with their attributes, its text, and whether every tag is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.open = "", list[str]()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def page_of(folder: Path) -> Page:
    return Page(run_page(read_runs(folder)))


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A run whose every text from outside is a script."""
    rows = [
        record(0, 0.5, curves={EVIL: [1.0, 0.5]}, environment={"versions": {EVIL: EVIL}, "machine": EVIL}),
        record(1, 0.6, seeds={EVIL: 3}, seconds={EVIL: 1.0}, metric="accuracy"),
    ]
    folder = write_run(tmp_path / "a&b <i>", (), records=rows, root=EVIL, set={f"dataset.{EVIL}": EVIL})
    lines = [f"1,{rank},{20 + rank},{EVIL},0.5" for rank in range(10)]
    (folder / "picks.csv").write_text("\n".join(["cycle,rank,item,file,score", *lines]) + "\n")
    return folder


def test_what_comes_from_outside_is_text(evil: Path) -> None:
    page = page_of(evil)
    assert page.all("script") == []
    assert page.all("i") == []
    assert page.text.count(EVIL) > 10
    assert f"'{evil.resolve()}'" in page.text  # quoted for the shell, and shown as it is


def test_pages_load_nothing_and_read_on_a_phone(evil: Path) -> None:
    page = page_of(evil)
    metas = {each.get("name") or each.get("http-equiv"): each["content"] for each in page.all("meta")[1:]}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    links = [value for _, each in page.tags for key, value in each.items() if key in ("src", "href", "srcset")]
    assert links == ["data:,"]
    text = run_page(read_runs(evil))
    assert "prefers-color-scheme: dark" in text
    assert "url(" not in text
    assert "@import" not in text
    assert text.startswith("<!doctype html>")
    assert page.all("html") == [{"lang": "en"}]


def test_pages_are_marked_up_for_who_cannot_see_them(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": {0: (0.5, 0.6, 0.7)}, "margin": {0: (0.5, 0.7, 0.8)}})
    page = page_of(tmp_path / "a")
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == 1
    plots = [each for each in page.all("div") if each.get("role") == "img"]
    assert plots[0]["aria-label"] == (
        "Line chart of test accuracy (%) over labeled items: random from 50 to 70; margin from 50 to 80."
    )
    assert all(each.get("aria-hidden") == "true" for each in page.all("svg"))
    scrolling = [each for each in page.all("div") if each.get("class") == "scroll"]
    assert len(scrolling) == len(page.all("table")) == len(page.all("caption"))
    assert all(each["role"] == "region" and each["aria-label"] and each["tabindex"] == "0" for each in scrolling)
    assert all(each.get("scope") in ("col", "row") for each in page.all("th"))


def test_a_single_run(tmp_path: Path) -> None:
    pseudo = {"items": [50, 51], "targets": [0, 1]}
    rows = [
        record(0, 0.5, budget=30, pseudo=pseudo),
        record(1, 0.6, budget=30, generated={"source": [1], "targets": [1]}),
        record(2, 0.7, budget=30, picks=(), scores=(), curves={"loss": [1.0, 0.5], "error (mm)": [3.0, 2.0]}),
    ]
    settings = {"selector.delta": 0.3, "learner.epochs": 4, "dataset.noise": 2}
    folder = write_run(tmp_path / "a", (), selector="ceal", seed=7, records=rows, budget=30, set=settings)
    page = page_of(folder)
    words = page.text.split()
    text = " ".join(words)
    assert "Active learning, one run digits, small-cnn, 30 labels a cycle ceal:delta=0.3; seed 7. Finished." in text
    assert "Unfinished" not in text
    assert "cycle labeled accuracy (%) picked pseudo-labeled generated train (s) test (s) embed (s) select (s)" in text
    assert "0 30 50.00 30 2 0 2.00 0.50 0.25 0.25" in text
    assert "1 60 60.00 30 0 1 2.00" in text
    assert "Cycle 1, with 60 labeled, the first 20 of 30 rank item score 1 60 1 2 61 0.5" in text
    assert "Cycle 0, with 30 labeled, the first 20 of 30" in text
    assert all(f"{key} {value}" in text for key, value in settings.items())
    assert "torch 2.9" in text
    assert "threads 1" in text
    assert "machine box, Linux" in text
    assert f"seqgcn run --config {folder / 'config.yaml'} --out NEW-FOLDER" in text
    assert "The last training" in text
    labels = [str(each["aria-label"]) for each in page.all("div") if each.get("role") == "img"]
    assert [label.split(":")[0] for label in labels[1:]] == [
        "Line chart of loss over epoch",
        "Line chart of error (mm) over epoch",
    ]


def test_published_results_are_lines_and_a_table(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", (30.0, 20.0, 15.0), learner="deep-prior", references={"Net <b>": 9.5, "Old": 40})
    page = page_of(folder)
    text = " ".join(page.text.split())
    assert (
        "Dashed: published systems, trained on all labels system test mean joint error (mm) Net <b> 9.5 Old 40" in text
    )
    html = run_page(read_runs(folder))
    assert html.count('class="reference"') == 2
    assert "<title>Net &lt;b&gt;: 9.5</title>" in html
    # Both lie inside of the chart.
    levels = [float(found) for found in re.findall(r'class="reference" d="M0 ([-0-9.]+)H100"', html)]
    assert all(0 <= level <= 100 for level in levels)
    assert "published systems" not in page_of(write_run(tmp_path / "b", (0.5, 0.6, 0.7))).text


@pytest.mark.parametrize("references", [3, {"a": "b"}, {"a": None}])
def test_damaged_references(tmp_path: Path, references: Any) -> None:
    with pytest.raises(RunFolderError, match="references must be a mapping of names to numbers"):
        read_runs(write_run(tmp_path / "a", (0.5,), references=references))


def test_files_of_picks(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", (0.5,), cycles=2)
    picks = folder / "picks.csv"
    picks.write_text('cycle,rank,item,file,score\n0,1,10,"a, b.png",1\n')
    text = " ".join(page_of(folder).text.split())
    assert "rank item file score 1 10 a, b.png 1 2 11 - 0.5" in text
    for damaged in ("item,file\n1", "item,file\nx,y", "a,b\n1,2", 'item,file\n1,"y', "item,file\n1,\n"):
        picks.write_text(damaged)
        with pytest.raises(RunFolderError, match=r"cannot read .*picks.csv, line .*delete it, and seqgcn run --resume"):
            page_of(folder)
    picks.write_bytes(b"item,file\n1,\xff\n")
    with pytest.raises(RunFolderError, match=r"cannot read .*picks.csv"):
        page_of(folder)


def test_further_metrics_and_resumed_conditions(tmp_path: Path) -> None:
    rows = [
        replace(record(0, 0.5), metric={"accuracy": 0.5, "rank correlation": 0.25}),
        record(1, 0.6, environment={"versions": {"torch": "3.0"}, "device": "H200"}),
    ]
    text = " ".join(page_of(write_run(tmp_path / "a", (), records=rows)).text.split())
    assert "Also measured rank correlation" in text
    assert "0 10 50.00 0.25 10" in text
    assert "1 20 60.00 - 10" in text
    assert "torch 2.9 and 3.0" in text
    assert "device cpu and H200" in text


def test_several_runs_some_unfinished(tmp_path: Path) -> None:
    both = {"random": {0: (0.5, 0.6, 0.7), 1: (0.5, 0.6, 0.7)}, "margin": {0: (0.5, 0.7, 0.8), 1: (0.5,)}}
    folder = write_runs(tmp_path / "a", both, set={"learner.epochs": 4})
    page = page_of(folder)
    text = " ".join(page.text.split())
    assert "Active learning, 4 runs" in text
    assert "random, margin; seeds 0, 1." in text
    assert "Unfinished: 3 of 4 done; this page shows how far the rest got. margin, seed 1 (1 of 3 cycles)" in text
    assert f"Go on with: seqgcn run --out {folder} --resume" in text
    assert f"seqgcn run --out {folder / 'margin' / 'seed-1'} --resume" in text
    assert "margin 50.00 70.00 80.00" in text  # of seed 0 alone
    assert "Runs that got less far than others of their selector are left out." in text
    assert "Against random" in text
    assert "+7.50" in text
    assert "margin 0 3 30 80.00 0.1" in text
    assert "margin 1 1 10 50.00 0.1" in text
    assert "set learner.epochs 4" in text
    assert len(page.all("h3")) == 4


def test_a_run_without_a_cycle(tmp_path: Path) -> None:
    text = " ".join(page_of(write_run(tmp_path / "a", ())).text.split())
    assert "No cycle is done yet." in text
    assert "random, seed 0 (0 of 3 cycles)" in text
    assert "budget 10" in text


# charts and tables


def test_chart_coordinates() -> None:
    drawn = chart(
        [Line(name="a", x=[0, 10], y=[1.0, 3.0], spread=[0.0, 1.0]), Line(name="random", x=[0, 10], y=[1.0, 4.5])],
        title="t",
        x_label="labels",
        y_label="value",
    )
    assert drawn is not None
    assert [(line.name, line.style) for line in drawn.lines] == [("random", "grey"), ("a", "c0 d0")]  # as they end
    # x from 0 to 10 with 2 % on each side, y from 1 to 4.5 with 6 %.
    left, bottom = 100 * 0.02 / 1.04, 100 - 100 * 0.06 / 1.12
    start, end = drawn.lines[1].points.split()
    assert [float(each) for each in start.split(",")] == pytest.approx([left, bottom], abs=0.01)
    assert [float(each) for each in end.split(",")] == pytest.approx(
        [100 - left, 100 - 100 * (2 / 3.5 + 0.06) / 1.12], abs=0.01
    )
    assert len(drawn.lines[1].band.split()) == 4
    assert drawn.lines[0].band == ""
    assert drawn.x_ticks == [(pytest.approx(left), "0"), (pytest.approx(100 - left), "10")]
    assert [text for _, text in drawn.y_ticks] == ["1", "2", "3", "4"]
    assert [mark.text for mark in drawn.lines[1].marks] == ["a, 0: 1 ± 0", "a, 10: 3 ± 1"]


@pytest.mark.parametrize("y", [[5.0], [0.0, 0.0], [float("nan"), 1.0, float("inf")], [1e-9, 2e-9], [-3.0, 1e9]])
def test_odd_values_are_drawn_inside(y: list[float]) -> None:
    drawn = chart([Line(name="a", x=range(len(y)), y=y)], title="", x_label="", y_label="")
    assert drawn is not None
    places = [float(each) for pair in drawn.lines[0].points.split() for each in pair.split(",")]
    assert all(0 <= place <= 100 for place in places)
    assert drawn.x_ticks
    assert drawn.y_ticks
    assert all(0 <= place <= 100 for place, _ in (*drawn.x_ticks, *drawn.y_ticks))


def test_nothing_finite_is_no_chart() -> None:
    assert chart([Line(name="a", x=[1], y=[float("nan")])], title="", x_label="", y_label="") is None
    assert chart([], title="", x_label="", y_label="") is None


def test_twenty_eight_lines_differ() -> None:
    lines = [Line(name=str(number), x=[0, 1], y=[0.0, number]) for number in range(28)]
    drawn = chart(lines, title="", x_label="", y_label="")
    assert drawn is not None
    assert len({line.style for line in drawn.lines}) == 28


def test_forest_has_the_best_on_top_and_zero_in_place() -> None:
    rows = [
        Comparison(selector=name, seeds=3, aubc_mean=0.8, aubc_std=0.1, difference=value, interval=interval)
        for name, value, interval in (("random", 0.0, None), ("a", -0.01, (-0.02, 0.0)), ("b", 0.04, (0.02, 0.08)))
    ]
    drawn = forest(rows, ACCURACY)
    assert [(strip.name, strip.text) for strip in drawn.strips] == [("b", "+4.00"), ("a", "-1.00")]
    assert drawn.strips[1].low == pytest.approx(3)
    assert drawn.strips[1].high == drawn.zero
    assert drawn.strips[0].high == pytest.approx(97)
    assert drawn.way == "right"


def test_means_are_over_what_all_seeds_have(tmp_path: Path) -> None:
    write_runs(tmp_path, {"random": {0: (0.5, 0.6, 0.7), 1: (0.7, 0.8)}, "margin": {0: (0.5,)}})
    curves: Any = {}
    for run in read_runs(tmp_path).runs:
        curve = run.curve("accuracy")
        if curve:
            curves.setdefault(run.selector, {})[run.seed] = curve
    lines = mean_lines(curves, ACCURACY)
    table = means_table(lines, ACCURACY)
    assert table.header == ["selector", "10", "20"]
    assert table.rows == [["random", "60.00 ± 14.14", "70.00 ± 14.14"], ["margin", "50.00", "-"]]
    assert seeds_caption(curves) == "Line: mean over 1 to 2 seeds. Band: ± 1 standard deviation over the seeds."


def test_a_template_that_asks_for_what_is_not_there_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'title' is undefined"):
        render("base.html.j2")
    assert "<h1>a &lt;b&gt;</h1>" in render("base.html.j2", title="a <b>")


def test_package_is_light_and_names_what_it_has() -> None:
    code = (
        "import sys, seqgcn.report.html as html, seqgcn.cli; "
        "print({'jinja2', 'matplotlib', 'torch'} & set(sys.modules)); html.render; print('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == ["set()", "True"]
    assert dir(seqgcn.report.html) == sorted(seqgcn.report.html.__all__)
    assert all(callable(getattr(seqgcn.report.html, name)) for name in dir(seqgcn.report.html))
    assert seqgcn.report.html.Table is Table
