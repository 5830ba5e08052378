"""`seqgcn select --ask center` and `seqgcn import` of what was clicked."""

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killing
import pytest
import yaml
from hand_clicks import click, draw_lab
from hand_rounds import add_mean_pose, content, picks_of
from torch import Tensor

from seqgcn.cli import main
from seqgcn.datasets.hands import DepthFolder

Call = Callable[..., tuple[int, list[str], str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    """A folder with a lab's frames, none of them labeled, and a round that asked for clicks in four of them."""
    folder = tmp_path_factory.mktemp("made")
    palms = draw_lab(folder / "lab", sequences=3, frames=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQGCN_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        words = "select --ask center --dataset depth-folder --root lab --budget 4 --min-gap 2 --out round --quiet"
        assert main(words.split()) == 0
    return folder, palms


@pytest.fixture
def lab(made: tuple[Path, dict[str, Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Palms; the working directory has a copy of the round, called `round 01`."""
    monkeypatch.setenv("SEQGCN_CACHE", str(made[0] / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made[0] / "round", "round 01")
    os.symlink(made[0] / "lab", "lab")
    return made[1]


def clicked(folder: str, palms: dict[str, Tensor], name: str = "export.json", **how: Any) -> str:
    hands = DepthFolder(Path("lab"), "all")
    return str(click(Path(folder), palms, hands, Path(name), **how))


def test_a_round_says_what_comes_next(lab: Any, call: Call) -> None:
    words = ["select", "--ask", "center", "--dataset", "depth-folder", "--root", "lab", "--budget", "3", "--out"]
    code, lines, said = call(*words, "my round")
    assert code == 0
    assert lines[0] == "core-set picked 3 of 24 frames without a known center of lab (0 with a center or a pose)"
    assert lines[-1] == "then: seqgcn import 'my round' --from EXPORT"
    assert "24 by rule" in said
    command = yaml.safe_load(Path("my round/round.yaml").read_text())["command"]
    assert command == ("seqgcn select --out 'my round' --dataset depth-folder --root lab --ask center --budget 3")


def test_clicks_come_back_and_more_are_asked_for(lab: dict[str, Tensor], call: Call) -> None:
    code, lines, said = call("import", "round 01", "--from", clicked("round 01", lab))
    assert (code, said) == (0, "")
    assert lines == [
        "4 clicks are all right, 0 frames have no hand, with 0 something is wrong, 0 are left out.",
        "4 centers are new; 0 of them are where they were predicted, and so confirmed",
        "how the new centers came about: round 01/imported-1.csv",
        "all centers: round 01/centers.csv",
        "next: seqgcn select --continue 'round 01' --ask center --out FOLDER (from 20 centers on, a network learns to "
        "find the hand; 4)",
        "or joints at once: seqgcn select --continue 'round 01' --out FOLDER",
    ]
    code, lines, said = call(*shlex.split("select --continue 'round 01' --ask center --budget 2 --out more"))
    assert code == 0
    assert "4 by file, 20 by rule" in said
    assert not set(picks_of(Path("more"))) & set(picks_of(Path("round 01")))
    assert yaml.safe_load(Path("more/round.yaml").read_text())["select"]["min_gap"] == 2


def test_with_enough_clicks_joints_are_next(
    lab: dict[str, Tensor], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_mean_pose(monkeypatch.setitem)
    monkeypatch.setattr("seqgcn.rounds.click_import.LEAST_LABELS", 4)
    _, lines, _ = call("import", "round 01", "--from", clicked("round 01", lab))
    assert lines[-2:] == [
        "next: seqgcn select --continue 'round 01' --out FOLDER",
        "or more clicks: seqgcn select --continue 'round 01' --ask center --out FOLDER",
    ]
    words = "select --continue 'round 01' --budget 2 --learner mean-pose --set dataset.crop_size=16 --out joints"
    code, lines, said = call(*shlex.split(words))
    assert code == 0
    assert lines[0].startswith("typiclust picked 2 of 24 unlabeled items")  # nothing is labeled yet
    assert "4 by file" in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--joint-depth", "prediction"), 2, "--joint-depth has no effect on a round of clicks"),
        (("--depths", "d.csv"), 2, "--depths has no effect on a round of clicks"),
        (("--disagree", "-3"), 2, "disagree must be"),
        (("--from", "none.json"), 1, "none.json is missing or not a regular file"),
    ],
)
def test_problems(lab: dict[str, Tensor], call: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    found, lines, said = call("import", "round 01", "--from", clicked("round 01", lab), *arguments)
    assert (found, lines) == (code, [])
    assert said.startswith(f"seqgcn: {message}")
    assert not Path("round 01/centers.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--ask centre", "ask must be joints or center, got 'centre'"),
        ("--ask center --learner awr", "so that --learner awr has no effect"),
        ("--ask center --set learner.epochs=3", "so that --set learner.epochs has no effect"),
        ("--ask center --selector margin", "which margin needs; take one of core-set"),
        ("--ask center --set dataset.crop=mass", "goes with dataset.crop=auto, which takes centers that were clicked"),
    ],
)
def test_what_select_refuses(lab: Any, call: Call, words: str, message: str) -> None:
    code, lines, said = call(*f"select --dataset depth-folder --root lab --out other {words}".split())
    assert (code, lines) == (2, [])
    assert message in said
    assert not Path("other").exists()


def test_what_is_wrong_is_listed(lab: dict[str, Tensor], call: Call) -> None:
    picks = picks_of(Path("round 01"))
    export = clicked("round 01", lab, clicked=lambda item, _joint, u, v: (-9.0, v) if item == picks[0] else (u, v))
    code, lines, said = call("import", "round 01", "--from", export)
    assert code == 1
    assert " ".join(lines[1].split()).startswith(f"{picks[0]} palm 1 outside the picture export.json, task 1")
    assert said == (
        "seqgcn: nothing was added; mend what is wrong and import again, or add what is right with --partial\n"
    )
    code, lines, _ = call("import", "round 01", "--from", export, "--partial")
    assert code == 0
    assert "3 clicks are all right, 0 frames have no hand, with 1 something is wrong, 0 are left out." in lines


def test_an_export_that_nobody_may_have_looked_at(lab: Any, call: Call) -> None:
    held = Path("round 01/tasks/coco_keypoints.json").read_text()
    Path("cvat.json").write_text(held + "\n")
    code, _, said = call("import", "round 01", "--from", "cvat.json")
    assert code == 1
    assert "seqgcn: if somebody looked at all of these and they are right, say so with --accept-predictions" in said
    assert call("import", "round 01", "--from", "cvat.json", "--accept-predictions")[0] == 0


def test_interrupted(lab: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    words = ["select", "--ask", "center", "--dataset", "depth-folder", "--root", "lab", "--budget", "3", "--out"]
    assert call(*words, "whole", "--quiet")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr("seqgcn.rounds.select_round.hand_off_clicks", interrupted)
        code, _, said = call(*words, "half")
    assert code == 130
    start = "seqgcn: interrupted; hands that were found are kept. Go on with: seqgcn "
    assert said.splitlines()[-1].startswith(start)
    assert call(*shlex.split(said.splitlines()[-1].removeprefix(start)), "--quiet")[0] == 0
    named = ("round.yaml", "report.html")
    whole, half = content(Path("whole")), content(Path("half"))
    assert {name: data for name, data in half.items() if name not in named} == {
        name: data for name, data in whole.items() if name not in named
    }


def test_an_import_that_breaks_off_before_its_centers_are_there(
    lab: dict[str, Tensor], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same again takes the place of what was left of it."""

    def interrupted(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    export = clicked("round 01", lab)
    with monkeypatch.context() as patch:
        patch.setattr("seqgcn.rounds.click_import.write_text", interrupted)
        assert call("import", "round 01", "--from", export)[0] == 130
    assert not Path("round 01/centers.csv").exists()
    assert call("import", "round 01", "--from", export)[0] == 0
    assert [path.name for path in sorted(Path("round 01").glob("imported-*"))] == ["imported-1.csv"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_import_killed_at_any_step(lab: dict[str, Tensor], call: Call) -> None:
    """Nothing is lost, and the same again ends as if nothing had been."""
    picks = picks_of(Path("round 01"))
    assert call("import", "round 01", "--from", clicked("round 01", lab, "1.json", skip=picks[3:]))[0] == 0
    rows = Path("round 01/centers.csv").read_text().splitlines(keepends=True)
    Path("round 01/centers.csv").write_text("".join(row for row in rows if "no hand" not in row))
    clicked("round 01", lab, "2.json")
    events = killing.import_killed_at_any_step(
        Path("round 01"), "2.json", "centers.csv", content, lambda folder: call("import", folder, "--from", "2.json")[0]
    )
    assert {"before replace centers.csv", "before replace imported-.csv", "before unlink .owner"} <= set(events)
