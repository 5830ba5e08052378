import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotation.annotator import label
from fake_label_studio import LEGACY, Answer, FakeLabelStudio
from hand_rounds import labels_of, picks_of

from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.exceptions import ConfigError, ServerError
from seqgcn.integrations.label_studio import connection
from seqgcn.integrations.label_studio.tokens import KEY, URL
from seqgcn.rounds.handoff import import_labels
from seqgcn.rounds.pull import Counts, pull
from seqgcn.rounds.push import push


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelStudio]:
    monkeypatch.setenv(KEY, LEGACY)
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.setattr(connection, "PAUSES", ())
    with FakeLabelStudio() as server:
        yield server


@pytest.fixture
def folder(made: tuple[Path, Any], tmp_path: Path, fake: FakeLabelStudio) -> Path:
    """A round of four frames that was pushed."""
    folder = Path(shutil.copytree(made[0] / "round", tmp_path / "round-01"))
    push(folder, fake.url)
    return folder


@pytest.fixture
def answers(folder: Path, icvl: HandDataset) -> dict[str, Any]:
    """What somebody who knows would mark in each frame, by item."""
    poses = dict(zip(icvl.files, icvl.joints, strict=True))
    export = label(folder / "tasks", poses, icvl.camera, icvl.skeleton.joints)
    return {task["data"]["item"]: task["annotations"][0]["result"] for task in export}


def test_what_is_done_comes_back_and_becomes_labels(
    folder: Path,
    fake: FakeLabelStudio,
    answers: dict[str, Any],
    icvl: HandDataset,
    made: tuple[Path, Any],
    mean_pose: None,
) -> None:
    for item, result in answers.items():
        fake.annotate(item, result)
    pulled = pull(folder)
    assert pulled.counts == Counts(done=4, skipped=0, partly=0, drafts=0, open=0, lost=0)
    assert pulled.export == folder / "pulled-1.json"
    imported = import_labels(folder, made[1], [pulled.export], joint_depth=("prediction",))
    assert imported.labels == folder / "labels.txt"
    assert {name for each in imported.checked.valid for name in each.annotators} == {"ann@lab.org"}
    assert set(picks_of(folder)) <= set(labels_of(folder, "icvl", icvl.root))


def test_how_far_they_are(folder: Path, fake: FakeLabelStudio, answers: dict[str, Any]) -> None:
    first, second, third, fourth = answers
    assert pull(folder).export is None
    fake.annotate(first, answers[first])
    fake.skip(first, user=2)
    fake.skip(second)
    fake.draft(third, answers[third])
    pulled = pull(folder)
    assert pulled.counts == Counts(done=1, skipped=1, partly=0, drafts=1, open=1, lost=0)
    assert str(pulled.counts) == "1 of 4 done, 1 skipped, 1 drafts, 1 open"
    assert pulled.export is not None
    assert len(json.loads(pulled.export.read_text())) == 4
    del fake.tasks[fake.of_item(fourth)["id"]]
    assert str(pull(folder).counts).endswith("; 1 are not in the project (seqgcn push adds them)")


def test_two_annotators(folder: Path, fake: FakeLabelStudio, answers: dict[str, Any]) -> None:
    fake.projects[1]["maximum_annotations"] = 2
    first, second, *_ = answers
    for item in answers:
        fake.annotate(item, answers[item])
    fake.annotate(first, answers[first], user=2)
    fake.skip(second, user=2)
    counts = pull(folder).counts
    assert counts == Counts(done=2, skipped=0, partly=2, drafts=0, open=0, lost=0)
    assert "2 by some of their annotators" in str(counts)
    assert not counts.finished
    exported = json.loads((folder / "pulled-1.json").read_text())
    assert [entry["completed_by"]["email"] for entry in exported[0]["annotations"]] == ["ann@lab.org", "bo@lab.org"]


def test_each_export_is_kept(folder: Path, fake: FakeLabelStudio, answers: dict[str, Any]) -> None:
    first, second, third, _ = answers
    fake.annotate(first, answers[first])
    fake.draft(third, [])
    assert pull(folder).export == folder / "pulled-1.json"
    fake.of_item(third)["drafts"][0]["created_ago"] = "4 minutes"
    assert pull(folder).export == folder / "pulled-1.json"
    fake.annotate(second, answers[second])
    assert pull(folder).export == folder / "pulled-2.json"
    (folder / "pulled-2.json").write_text("{")
    assert pull(folder).export == folder / "pulled-3.json"


def test_other_rounds_of_the_project_stay_out(folder: Path, fake: FakeLabelStudio, answers: dict[str, Any]) -> None:
    fake.tasks[9] = {**fake.tasks[1], "id": 9, "data": {**fake.tasks[1]["data"], "round": "another"}}
    fake.tasks[10] = {**fake.tasks[1], "id": 10, "data": {"image": "x.png"}}
    fake.annotate(next(iter(answers)), [])
    exported = json.loads(Path(pull(folder).export or "").read_text())
    assert [task["id"] for task in exported] == [1, 2, 3, 4]


def test_tasks_that_were_imported_by_hand(folder: Path, fake: FakeLabelStudio, answers: dict[str, Any]) -> None:
    (folder / "project.yaml").unlink()
    for task in fake.tasks.values():
        del task["data"]["round"]
        fake.annotate(task["data"]["item"], answers[task["data"]["item"]])
    with pytest.raises(ConfigError, match="was not pushed"):
        pull(folder, fake.url)
    assert pull(folder, fake.url, project=1).counts.done == 4


def test_waiting(folder: Path, fake: FakeLabelStudio, answers: dict[str, Any], messages: list[str]) -> None:
    told, waited, items = [], [], iter(answers)

    def annotate(seconds: float) -> None:
        waited.append(seconds)
        fake.hook = lambda method, path: Answer(503, {"detail": "restarting"}) if len(waited) in (3, 4) else None
        if len(waited) not in (2, 3, 4):
            item = next(items)
            fake.annotate(item, answers[item])

    pulled = pull(folder, wait=True, every=5, told=lambda counts: told.append(counts.done), sleep=annotate)
    assert pulled.counts.done == 4
    assert told == [0, 1, 2, 3, 4]
    assert waited == [5] * 7
    assert len([line for line in messages if "restarting" in line and "waiting until it is back" in line]) == 1


def test_waiting_ends_where_the_token_counts_no_more(folder: Path, fake: FakeLabelStudio) -> None:
    def revoke(seconds: float) -> None:
        fake.legacy = False

    with pytest.raises(ServerError, match="legacy tokens no more"):
        pull(folder, wait=True, sleep=revoke)


def test_problems(folder: Path, fake: FakeLabelStudio) -> None:
    with pytest.raises(ConfigError, match="every must be"):
        pull(folder, every=0)
    with pytest.raises(ConfigError, match="in project 1, not 2"):
        pull(folder, project=2)
    with pytest.raises(ConfigError, match="not on http://other"):
        pull(folder, "http://other")
    fake.tasks.clear()
    with pytest.raises(ServerError, match=r"project 1 .* has no task of .*round-01; push it again"):
        pull(folder)
    fake.projects.clear()
    with pytest.raises(ServerError, match="no project 1"):
        pull(folder)
