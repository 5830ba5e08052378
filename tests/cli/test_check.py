"""`seqgcn check`, and the same checks within `select` and `run`."""

import re
import shutil
from pathlib import Path

import pytest
from hand_mistakes import MISTAKES

from seqgcn.cli import main
from seqgcn.datasets.hands.rendering import write_dataset

SMALL = ("dataset.crop_size=64", "dataset.crop=mass", "learner.epochs=1", "learner.width=0.1")
FAST = ["--quiet", *(word for setting in SMALL for word in ("--set", setting))]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(
        tmp_path_factory.mktemp("check") / "lab", "depth-folder", frames=48, sequences=4, seed=3, scene="bare"
    )


@pytest.fixture
def lab(rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(rendered, tmp_path / "lab"))


def unlabel(root: Path) -> list[str]:
    """Take the labels of every second frame away."""
    header, *rows = (root / "labels.csv").read_text().splitlines()
    (root / "labels.csv").write_text("\n".join([header, *rows[::2]]) + "\n")
    return [row.partition(",")[0] for row in rows[1::2]]


def test_nothing_is_wrong(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(lab)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    assert main(["check", str(lab), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    (lab / "labels.csv").unlink()
    assert main(["check", str(lab)]) == 0
    assert "none has a label yet" in capsys.readouterr().out


def test_what_is_wrong_ends_with_1_unless_accepted(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MISTAKES["labels in meters"](lab)
    assert main(["check", str(lab)]) == 1
    said = capsys.readouterr().out
    assert all(word in said for word in (str(lab / "labels.csv"), "meters", "Multiply them by 1,000"))
    assert main(["check", str(lab), "--accept-labels"]) == 0


def test_single_frames_end_with_0(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MISTAKES["two labels that jump"](lab)
    assert main(["check", str(lab)]) == 0
    assert "left out: " in capsys.readouterr().out


def test_the_page_shows_eight_frames_and_what_is_wrong(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MISTAKES["y up"](lab)
    assert main(["check", str(lab), "--out", "labels.html", "--set", "dataset.near=20"]) == 1
    assert "page: labels.html" in capsys.readouterr().out
    page = (lab.parent / "labels.html").read_text(encoding="utf-8")
    assert page.count('class="file"') == 8
    assert "y points up" in page
    assert "dataset.near=20" in re.sub("<.*?>", "", page)
    assert not re.search(r'(?:src|href)="https?:', page)


def test_a_page_of_frames_without_labels(lab: Path) -> None:
    (lab / "labels.csv").unlink()
    assert main(["check", str(lab), "--out", "labels.html"]) == 0
    assert (lab.parent / "labels.html").read_text(encoding="utf-8").count("no label") >= 8


def test_a_page_replaces_nothing_but_a_page(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(lab), "--out", str(lab / "labels.csv")]) == 1
    assert "labels.csv" in capsys.readouterr().err
    assert (lab / "labels.csv").read_text().startswith("frame,")


def test_names_of_frames_are_text_in_the_page(lab: Path) -> None:
    (lab / "sequence_001").rename(lab / "a&<b>")
    text = (lab / "labels.csv").read_text()
    (lab / "labels.csv").write_text(text.replace("sequence_001", "a&<b>"))
    assert main(["check", str(lab), "--out", "labels.html"]) == 0
    page = (lab.parent / "labels.html").read_text(encoding="utf-8")
    assert "a&amp;&lt;b&gt;/" in page
    assert "<b>/" not in page


def test_where_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "no")]) == 1
    assert main(["check", str(tmp_path)]) == 1
    assert "seqgcn init" in capsys.readouterr().err
    assert main(["check", str(tmp_path), "--seed", "-1"]) == 2


def test_select_ends_before_training(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unlabel(lab)
    MISTAKES["labels in meters"](lab)
    command = ["select", "--dataset", "depth-folder", "--root", str(lab), "--out", "round", "--budget", "2", *FAST]
    command += ["--selector", "random"]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert all(word in said for word in ("meters", "--accept-labels", "labels.csv"))
    assert not (lab.parent / "round" / "picks.csv").exists()


def test_select_leaves_single_frames_out(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frozen frames are not asked for, empty ones are not there, and a list may name them all the same."""
    unlabeled = unlabel(lab)
    for name in unlabeled[:2]:
        number = int(name[-10:-4])
        shutil.copyfile(lab / name.replace(f"{number:06d}", f"{number - 1:06d}"), lab / name)
    MISTAKES["four empty frames"](lab)
    (lab.parent / "candidates.txt").write_text("\n".join(unlabeled[:6]) + "\n")
    command = ["select", "--dataset", "depth-folder", "--root", str(lab), "--out", "round", "--budget", "2", *FAST]
    assert main([*command, "--selector", "random", "--candidates", "candidates.txt"]) == 0
    said = capsys.readouterr().err
    assert "2 the same picture as the frame before" in said
    assert "4 in which nothing was measured" in said
    picks = (lab.parent / "round" / "picks.csv").read_text()
    assert not any(name in picks for name in unlabeled[:4])


def test_select_does_not_train_on_wrong_labels(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unlabel(lab)
    lines = (lab / "labels.csv").read_text().splitlines()
    frame, *cells = lines[4].split(",")
    lines[4] = ",".join([frame, *cells[:9], str(float(cells[9]) + 900), *cells[10:]])
    (lab / "labels.csv").write_text("\n".join(lines) + "\n")
    command = ["select", "--dataset", "depth-folder", "--root", str(lab), "--out", "round", "--budget", "2", *FAST]
    assert main([*command, "--selector", "random"]) == 0
    assert "1 with a joint far from all others" in capsys.readouterr().err
    assert "23" in (lab.parent / "round" / "round.yaml").read_text()


@pytest.mark.filterwarnings("ignore:.*miss the hand")
def test_run_checks_both_parts(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MISTAKES["y up"](lab)
    command = ["run", "--dataset", "depth-folder", "--root", str(lab), "--out", "run", "--cycles", "1", *FAST]
    command += ["--initial", "5", "--budget", "2", "--selector", "random"]
    assert main(command) == 1
    assert "y points up" in capsys.readouterr().err
    assert main([*command, "--accept-labels"]) == 0


def test_run_leaves_single_frames_out(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MISTAKES["two labels with a stray joint"](lab)
    command = ["run", "--dataset", "depth-folder", "--root", str(lab), "--out", "run", "--cycles", "1", *FAST]
    assert main([*command, "--initial", "5", "--budget", "2", "--selector", "random"]) == 0
    assert "with a joint far from all others" in capsys.readouterr().err


def test_nothing_is_said_of_good_labels(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unlabel(lab)
    command = ["select", "--dataset", "depth-folder", "--root", str(lab), "--out", "round", "--budget", "2", *FAST]
    assert main([*command, "--selector", "random"]) == 0
    said = capsys.readouterr()
    assert "left out" not in said.err
    assert "check" not in said.err
