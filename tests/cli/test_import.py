import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hand_rounds
import killing
import pytest
import yaml
from hand_rounds import answer, content, labels_of, picks_of, truth

from seqgcn.cli import main
from seqgcn.config.registry import CATALOGUE
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.utils.locks import locked

PLAIN = ("--joint-depth", "prediction")
"""Labels of ICVL cannot leave joints out whose depth is unsure."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with frames in ICVL's layout, three labels, and a round that picked four other frames."""
    return hand_rounds.four_of_ten(tmp_path_factory.mktemp("made"))


@pytest.fixture
def hands(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandDataset:
    """The frames; the working directory has a copy of the round, called `round 01`."""
    hand_rounds.add_mean_pose(monkeypatch.setitem)
    monkeypatch.setenv("SEQGCN_CACHE", str(made / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "round", "round 01")
    return truth("icvl", made / "icvl")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str], str]]:
    """Exit code, lines of the output, and what else was said."""

    def call(*arguments: str) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = main(["import", *arguments])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err

    return call


def lose(item: str, joint: str) -> Callable[[str, str, float, float], tuple[float, float] | None]:
    return lambda frame, name, u, v: None if (frame, name) == (item, joint) else (u, v)


def test_all_is_right(hands: HandDataset, call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer(Path("round 01"), hands, Path("export.json"))
    assert call("round 01", *PLAIN, "--from", "export.json") == (
        0,
        [
            "4 frames are all right, with 0 something is wrong.",
            "depths of 64 joints are from: prediction 64",
            "how the new labels came about: round 01/imported-1.csv",
            "all labels: round 01/labels.txt",
            "next: seqgcn select --continue 'round 01' --out FOLDER",
        ],
        "",
    )
    assert set(labels_of(Path("round 01"), "icvl", hands.root)) == {*hands.files[:3], *picks_of(Path("round 01"))}
    # The next one goes on with them.
    held = yaml.safe_load(Path("round 01/round.yaml").read_text())["select"]
    following = [*shlex.split("select --continue 'round 01' --out next --quiet"), "--budget", "2"]
    assert main(following) == 0
    assert yaml.safe_load(Path("next/round.yaml").read_text())["select"] == {
        **held,
        "labelled": str(Path("round 01/labels.txt").absolute()),
        "budget": 2,
    }
    assert not set(picks_of(Path("next"))) & {*hands.files[:3], *picks_of(Path("round 01"))}
    (told,) = capsys.readouterr().err.splitlines()
    assert "crops: 10 by rule; 0 of 10 doubtful" in told

    code, lines, said = call("round 01", *PLAIN, "--from", "export.json")
    assert (code, said) == (0, "")
    assert lines[1] == "4 more frames have that label already, or are of earlier rounds."
    assert not Path("round 01/imported-2.csv").exists()


def test_something_is_wrong(hands: HandDataset, call: Any) -> None:
    folder = Path("round 01")
    picks = picks_of(folder)
    answer(folder, hands, Path("export.json"), click=lose(picks[1], "ring mid"))
    code, lines, said = call("round 01", *PLAIN, "--from", "export.json")
    assert code == 1
    assert [" ".join(line.split()) for line in lines] == [
        "frame joint annotator what is wrong where",
        f"{picks[1]} ring mid 1 missing export.json, task 2, annotation 1",
        "3 frames are all right, with 1 something is wrong.",
    ]
    # In columns.
    assert lines[0].index("what") == lines[1].index("missing")
    assert said == (
        "seqgcn: nothing was added; mend what is wrong and import again, or add what is right with --partial\n"
    )
    assert not (folder / "labels.txt").exists()

    code, lines, said = call("round 01", *PLAIN, "--from", "export.json", "--partial")
    assert (code, said, lines[-2]) == (0, "", "all labels: round 01/labels.txt")
    assert set(labels_of(folder, "icvl", hands.root)) == {*hands.files[:3], *picks} - {picks[1]}
    answer(folder, hands, Path("mended.json"))
    code, lines, said = call("round 01", *PLAIN, "--from", "mended.json")
    assert (code, lines[0]) == (0, "1 frames are all right, with 0 something is wrong.")
    assert set(labels_of(folder, "icvl", hands.root)) == {*hands.files[:3], *picks}


def test_nothing_is_right(hands: HandDataset, call: Any) -> None:
    Path("export.json").write_text("[]")
    for more in ((), ("--partial",)):
        code, lines, said = call("round 01", *PLAIN, "--from", "export.json", *more)
        assert (code, len(lines)) == (1, 6)
        assert said == "seqgcn: nothing was added; mend what is wrong and import again\n"


@pytest.mark.parametrize("order", [("--from", "1.json", "2.json"), ("--from", "1.json", "--from", "2.json")])
def test_several_files(hands: HandDataset, call: Any, order: tuple[str, ...]) -> None:
    folder = Path("round 01")
    picks = picks_of(folder)
    answer(folder, hands, Path("1.json"), picks[:3], annotator=1)
    answer(folder, hands, Path("2.json"), picks[2:], annotator=2)
    code, lines, _ = call("round 01", *PLAIN, *order)
    assert code == 0
    assert lines[:2] == [
        "1 and 2: 1 frames of both, joints 0.0 mm apart on average; 0 joints in 0 frames disagree",
        "4 frames are all right, with 0 something is wrong.",
    ]


@pytest.mark.parametrize(
    "sources", [("surface+offset", "prediction"), ("surface+offset", "--joint-depth", "prediction")]
)
def test_depths_from_elsewhere(hands: HandDataset, call: Any, sources: tuple[str, ...]) -> None:
    folder = Path("round 01")
    picks = picks_of(folder)
    answer(folder, hands, Path("export.json"), hidden=lambda item, joint: (item, joint) == (picks[0], "palm"))
    code, lines, said = call("round 01", "--from", "export.json", "--joint-depth", "surface+offset")
    assert code == 1
    assert "no depth (surface+offset: hidden, so that the depth map shows something else there)" in lines[1]
    assert said.startswith("seqgcn: where a depth is unsure, give it with --joint-depth column auto --depths FILE")
    assert call("round 01", "--from", "export.json", "--joint-depth", *sources)[0] == 0
    rows = [row.split(",") for row in (folder / "imported-1.csv").read_text().splitlines()]
    used = {(row[0], row[1]): row[8] for row in rows}
    assert used[picks[0], "palm"] == "prediction"
    assert used[picks[1], "palm"] == "surface+offset"


def test_joints_that_nobody_moved(hands: HandDataset, call: Any) -> None:
    folder = Path("round 01")
    content = json.loads((folder / "tasks/coco_keypoints.json").read_text())
    Path("export.json").write_text(json.dumps(content))
    code, lines, said = call("round 01", *PLAIN, "--from", "export.json")
    assert code == 1
    assert "the predicted joints, unchanged" in lines[1]
    assert "no labels, unless --accept-predictions says that they are right" in said
    assert not (folder / "labels.txt").exists()
    assert call("round 01", *PLAIN, "--from", "export.json", "--accept-predictions", "--force")[0] == 0
    assert (folder / "labels.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere", "--from", "e.json"), 1, "there is no round in nowhere; name the folder of one"),
        (("round 01", "--from", "none.json"), 1, "none.json is missing or not a regular file"),
        (("round 01", "--from", "e.json", "--joint-depth", "column"), 2, "joint-depth column and a file of depths go"),
        (("round 01", "--from", "e.json", "--depths", "d.csv"), 2, "joint-depth column and a file of depths go"),
        (("round 01", "--from", "e.json", "--disagree", "-1"), 2, "disagree must be"),
        (
            ("round 01", "--from", "e.json", "--joint-depth", "column", "--depths", "d.csv"),
            1,
            "d.csv is missing or not a regular file",
        ),
    ],
)
def test_problems(hands: HandDataset, call: Any, arguments: tuple[str, ...], code: int, message: str) -> None:
    answer(Path("round 01"), hands, Path("e.json"))
    found, lines, said = call(*arguments)
    assert (found, lines) == (code, [])
    assert said.startswith(f"seqgcn: {message}")
    assert not Path("round 01/labels.txt").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("round 01",),
        ("round 01", "--from"),
        ("--from", "e.json"),
        ("round 01", "--from", "e.json", "--joint-depth", "skin"),
    ],
)
def test_what_the_command_needs(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["import", *arguments])
    assert caught.value.code == 2
    assert "usage: seqgcn import" in capsys.readouterr().err


def test_a_round_of_another_kind(hands: HandDataset, call: Any) -> None:
    path = Path("round 01/round.yaml")
    path.write_text(path.read_text().replace("dataset: icvl", "dataset: msra"))
    code, _, said = call("round 01", "--from", "e.json")
    assert code == 1
    assert "go on with seqgcn select --continue 'round 01' --labelled LIST --out FOLDER" in said


def test_another_process_is_at_work_there(hands: HandDataset, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["seqgcn", "select", "--resume"])
    answer(Path("round 01"), hands, Path("e.json"))
    with locked("round 01"):
        code, _, said = call("round 01", "--from", "e.json")
    assert code == 1
    assert said.startswith("seqgcn: round 01 is in use by process ")


def test_what_it_warns_of_is_no_python(made: Path, hands: HandDataset, call: Any) -> None:
    """As of a label of a frame that is not there."""
    folder = Path("round 01")
    with pytest.MonkeyPatch.context() as patch:
        held = yaml.safe_load((folder / "round.yaml").read_text())
        row = (made / "mine.txt").read_text().splitlines()[0]
        Path("mine.txt").write_text((made / "mine.txt").read_text() + row.replace("image_0000", "image_9000") + "\n")
        held["select"]["labelled"] = "mine.txt"
        (folder / "round.yaml").write_text(yaml.safe_dump(held))
        answer(folder, hands, Path("e.json"))
        patch.setattr("warnings.filters", [])
        code, _, said = call("round 01", *PLAIN, "--from", "e.json")
    assert code == 0
    (line,) = said.splitlines()
    assert line.startswith("seqgcn: ICVL: ")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_at_any_step(made: Path, hands: HandDataset, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, and the same again ends as if nothing had been."""
    monkeypatch.delitem(CATALOGUE["learner"], "mean-pose")  # which is not needed
    picks = picks_of(Path("round 01"))
    answer(Path("round 01"), hands, Path("1.json"), picks[:2])
    answer(Path("round 01"), hands, Path("2.json"))
    assert call("round 01", *PLAIN, "--from", "1.json", "--partial")[0] == 0
    events = killing.import_killed_at_any_step(
        Path("round 01"),
        "2.json",
        "labels.txt",
        content,
        lambda folder: call(folder, *PLAIN, "--from", "2.json")[0],
        more=PLAIN,
    )
    assert {"before replace labels.txt", "before replace imported-.csv", "before unlink .owner"} <= set(events)


def test_names_that_a_terminal_takes_for_orders(hands: HandDataset, call: Any) -> None:
    answer(Path("round 01"), hands, Path("e.json"))
    export = json.loads(Path("e.json").read_text())
    export.append({**export[0], "data": {"item": "\x1b[2Jx.png", "image": "x.png"}})
    Path("e.json").write_text(json.dumps(export))
    code, lines, _ = call("round 01", *PLAIN, "--from", "e.json")
    assert code == 1
    assert lines[1].startswith(r"\x1b[2Jx.png")
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("address", ["/data/upload/3/1a2b3c4d-{}", "http://host:8000/images/{}?token=a/b"])
def test_pictures_that_were_given_to_the_tool_by_hand(hands: HandDataset, call: Any, address: str) -> None:
    """Without the tasks, so that nothing but their names tells which frames they show."""
    answer(Path("round 01"), hands, Path("e.json"))
    export = json.loads(Path("e.json").read_text())
    for task in export:
        task["data"] = {"image": address.format(task["data"]["image"].rpartition("/")[2])}
    Path("e.json").write_text(json.dumps(export))
    code, lines, _ = call("round 01", "--from", "e.json", "--joint-depth", "prediction")
    assert (code, lines[0]) == (0, "4 frames are all right, with 0 something is wrong.")


def test_pictures_of_other_names(hands: HandDataset, call: Any) -> None:
    answer(Path("round 01"), hands, Path("e.json"))
    export = json.loads(Path("e.json").read_text())
    export[0]["data"] = {"image": "/data/upload/3/1a2b3c4d-renamed.png"}
    Path("e.json").write_text(json.dumps(export))
    code, lines, said = call("round 01", "--from", "e.json")
    assert code == 1
    assert " ".join(lines[1].split()).startswith("renamed.png 1 unknown frame")
    assert "seqgcn: a frame is known by item in its task's data, else by the name of its picture" in said


def test_the_export_of_another_round_is_told_as_such(hands: HandDataset, call: Any) -> None:
    answer(Path("round 01"), hands, Path("e.json"))
    export = json.loads(Path("e.json").read_text())
    asked = {task["data"]["item"] for task in export}
    others = [item for item in hands.files if item not in asked]
    for task, item in zip(export, others, strict=False):
        task["data"]["item"] = item
    Path("e.json").write_text(json.dumps(export))
    code, _, said = call("round 01", *PLAIN, "--from", "e.json")
    assert code == 1
    assert "is it the export of another round?" in said


def test_the_page_shows_what_came_back(
    hands: HandDataset, call: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(Path("round 01"), hands, Path("e.json"))
    assert call("round 01", *PLAIN, "--from", "e.json")[0] == 0
    page = Path("round 01/report.html").read_text()
    assert "imported-1.csv, from e.json" in page
    for words in ("Who answered", "joints moved", "mean mm from prediction", "By the poses that are predicted"):
        assert words in page
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("seqgcn.cli.report._has_desktop", lambda: True)
    assert main(["report", "round 01"]) == 0
    assert opened == []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["report", "round 01", "--no-open"]) == 0
    assert opened == []
    assert main(["report", "round 01"]) == 0
    assert opened == [Path("round 01/report.html").absolute().as_uri()]
    assert main(["report", "round 01", "--out", "copy.html"]) == 0
    assert Path("copy.html").read_text() == page
    assert "report: copy.html" in capsys.readouterr().out


def test_a_round_without_its_page(hands: HandDataset, capsys: pytest.CaptureFixture[str]) -> None:
    Path("round 01/report.html").unlink()
    assert main(["report", "round 01"]) == 1
    assert "--resume" in capsys.readouterr().err
