import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hand_rounds
import pytest
from annotation.annotator import label
from fake_label_studio import LEGACY, Answer, FakeLabelStudio
from hand_rounds import truth

from seqgcn.integrations.label_studio.tokens import KEY, URL

Call = Callable[..., tuple[int, list[str], str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with frames in ICVL's layout, three labels, and a round that picked four other frames."""
    return hand_rounds.four_of_ten(tmp_path_factory.mktemp("made"))


@pytest.fixture
def fake(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelStudio]:
    """The server; the working directory has a copy of the round, called `round 01`."""
    hand_rounds.add_mean_pose(monkeypatch.setitem)
    monkeypatch.setenv("SEQGCN_CACHE", str(made / "cache"))
    monkeypatch.setenv(KEY, LEGACY)
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "round", "round 01")
    with FakeLabelStudio() as server:
        yield server


@pytest.fixture
def answers(made: Path, fake: FakeLabelStudio) -> dict[str, Any]:
    """What somebody who knows would mark in each frame, by item."""
    hands = truth("icvl", made / "icvl")
    poses = dict(zip(hands.files, hands.joints, strict=True))
    export = label(Path("round 01/tasks"), poses, hands.camera, hands.skeleton.joints)
    return {task["data"]["item"]: task["annotations"][0]["result"] for task in export}


def test_there_and_back(fake: FakeLabelStudio, answers: dict[str, Any], call: Call) -> None:
    assert call("push", "round 01", "--label-studio", fake.url) == (
        0,
        [
            "4 pictures uploaded, 4 tasks added to project 1 (round 01)",
            f"label: {fake.url}/projects/1",
            "then: seqgcn pull 'round 01'",
        ],
        f"seqgcn: Label Studio 1.23.2 at {fake.url}\n",
    )
    code, lines, _ = call("push", "round 01")
    assert (code, lines[0]) == (0, "0 pictures uploaded, 0 tasks added to project 1 (round 01), 4 were there")

    code, lines, said = call("pull", "round 01")
    assert (code, lines) == (1, ["0 of 4 done, 0 skipped, 0 drafts, 4 open"])
    assert said == f"seqgcn: nothing is submitted yet: {fake.url}/projects/1\n"

    *most, last = answers
    for item in most:
        fake.annotate(item, answers[item])
    code, lines, said = call("pull", "round 01", "--joint-depth", "prediction")
    assert (code, lines[:2]) == (1, ["3 of 4 done, 0 skipped, 0 drafts, 1 open", "export: round 01/pulled-1.json"])
    assert "nobody annotated it" in lines[3]
    assert "nothing was added" in said

    code, lines, _ = call("pull", "round 01", "--joint-depth", "prediction", "--partial")
    assert (code, lines[-2]) == (0, "all labels: round 01/labels.txt")
    fake.annotate(last, answers[last])
    code, lines, _ = call("pull", "round 01", "--joint-depth", "prediction")
    assert (code, lines[0]) == (0, "4 of 4 done, 0 skipped, 0 drafts, 0 open")
    assert "3 more frames have that label already, or are of earlier rounds." in lines
    assert lines[-1] == "next: seqgcn select --continue 'round 01' --out FOLDER"


def test_the_options_of_import_count(fake: FakeLabelStudio, answers: dict[str, Any], call: Call) -> None:
    call("push", "round 01", "--label-studio", fake.url)
    for item in answers:
        fake.annotate(item, answers[item])
    code, lines, _ = call("pull", "round 01", "--joint-depth", "surface+offset", "prediction")
    assert code == 0
    assert any("surface+offset" in line for line in lines)


def test_waiting(fake: FakeLabelStudio, answers: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    call("push", "round 01", "--label-studio", fake.url)
    asked = 0

    def annotate(method: str, path: str) -> Answer | None:
        nonlocal asked
        if path == "/api/tasks/":
            asked += 1
            if asked == 2:
                for item in answers:
                    fake.annotate(item, answers[item])
        return None

    fake.hook = annotate
    code, lines, said = call("pull", "round 01", "--wait", "--every", "1", "--joint-depth", "prediction")
    assert (code, lines[0]) == (0, "4 of 4 done, 0 skipped, 0 drafts, 0 open")
    assert said == "0 of 4 done, 0 skipped, 0 drafts, 4 open\n"


def test_interrupted(fake: FakeLabelStudio, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("seqgcn.integrations.label_studio.server.LabelStudio.add_tasks", interrupted)
        code, _, said = call("push", "round 01", "--label-studio", fake.url)
    assert code == 130
    again = f"seqgcn push 'round 01' --label-studio {fake.url}"
    assert said.splitlines()[-1] == f"seqgcn: interrupted; what is on the server stays there. Go on with: {again}"
    assert call("push", "round 01")[0] == 0
    monkeypatch.setattr("seqgcn.rounds.pull._wait", interrupted)
    code, lines, said = call("pull", "round 01", "--wait")
    assert (code, lines) == (130, [])
    assert said == "seqgcn: interrupted; nothing was taken. Take what is done with: seqgcn pull 'round 01' --partial\n"
    assert not list(Path("round 01").glob("pulled-*"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("push", "nowhere"), 1, "there is no round in nowhere"),
        (("push", "round 01"), 2, "which Label Studio? seqgcn push 'round 01' --label-studio URL"),
        (("push", "round 01", "--label-studio", "localhost:8080"), 2, "'localhost:8080' is no address of a server"),
        (("push", "round 01", "--label-studio", "http://127.0.0.1:9"), 1, "cannot reach http://127.0.0.1:9"),
        (("push", "round 01", "--annotators", "0"), 2, "annotators must be"),
        (("pull", "nowhere"), 1, "there is no round in nowhere"),
        (("pull", "round 01"), 2, "round 01 was not pushed"),
        (("pull", "round 01", "--project", "hands"), 2, "--project hands: seqgcn pull needs the project's number"),
        (("pull", "round 01", "--every", "0"), 2, "every must be"),
    ],
)
def test_problems(
    fake: FakeLabelStudio,
    call: Call,
    arguments: tuple[str, ...],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seqgcn.integrations.label_studio.connection.PAUSES", ())
    found, lines, said = call(*arguments)
    assert (found, lines) == (code, [])
    assert said.startswith(f"seqgcn: {message}")


def test_no_token(fake: FakeLabelStudio, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(KEY)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    code, _, said = call("push", "round 01", "--label-studio", fake.url)
    assert code == 2
    assert said.startswith(f"seqgcn: no access token for {fake.url}")
    assert not Path("round 01/project.yaml").exists()


def test_a_wrong_token(fake: FakeLabelStudio, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "wrong")
    code, _, said = call("push", "round 01", "--label-studio", fake.url)
    assert code == 1
    assert f"copy a new one from the page Account & Settings of Label Studio into {KEY}" in said
