import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_label_studio import LEGACY, Answer, FakeLabelStudio

from seqgcn.exceptions import ConfigError, DataFileError, RunFolderError, ServerError
from seqgcn.integrations.label_studio.tokens import KEY, URL
from seqgcn.rounds.push import push
from seqgcn.utils.locks import locked


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelStudio]:
    monkeypatch.setenv(KEY, LEGACY)
    monkeypatch.delenv(URL, raising=False)
    with FakeLabelStudio() as server:
        yield server


@pytest.fixture
def folder(made: tuple[Path, Any], tmp_path: Path) -> Path:
    """A round that picked four frames."""
    return Path(shutil.copytree(made[0] / "round", tmp_path / "round-01"))


def another(folder: Path) -> Path:
    """A round like it that asks for frames of other names."""
    other = Path(shutil.copytree(folder, folder.with_name("round-02")))
    tasks = other / "tasks/label_studio.json"
    tasks.write_text(tasks.read_text().replace('"item": "', '"item": "other/'))
    (other / "project.yaml").unlink(missing_ok=True)
    return other


def handed_off(folder: Path) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = json.loads((folder / "tasks/label_studio.json").read_text())
    return tasks


def test_everything_arrives_once(folder: Path, fake: FakeLabelStudio) -> None:
    result = push(folder, fake.url)
    assert (result.added, result.there, result.uploaded) == (4, 0, 4)
    assert result.page == f"{fake.url}/projects/1"
    (project,) = fake.projects.values()
    assert project["title"] == "round-01"
    assert project["label_config"] == (folder / "tasks/label_studio.xml").read_text()
    pictures = {path: content for _, path, content in fake.files.values()}
    for task, there in zip(handed_off(folder), fake.tasks.values(), strict=True):
        assert there["predictions"] == task["predictions"]
        assert {key: there["data"][key] for key in ("item", "rank", "score", "box")} == {
            key: task["data"][key] for key in ("item", "rank", "score", "box")
        }
        shown = pictures[there["data"]["image"].removeprefix("/data/")]
        assert shown == (folder / "tasks/images" / task["data"]["image"].rpartition("/")[2]).read_bytes()

    again = push(folder)
    assert (again.added, again.there, again.uploaded) == (0, 4, 0)
    assert (len(fake.projects), len(fake.tasks), len(fake.files)) == (1, 4, 4)


def test_where_it_went_is_noted_and_the_token_is_not(folder: Path, fake: FakeLabelStudio) -> None:
    result = push(folder, f"{fake.url}/", token=fake.personal)
    noted = yaml.safe_load((folder / "project.yaml").read_text())
    assert noted == {"url": fake.url, "project": 1, "title": "round-01"}
    assert (result.pushed.url, result.pushed.project) == (fake.url, 1)
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert not any(secret.encode() in content for secret in (LEGACY, fake.personal) for content in files)


@pytest.mark.parametrize(
    "cut", ["/api/projects/1/import", "/api/projects/1/file-uploads", "/api/tasks/", "project.yaml"]
)
def test_what_was_cut_off_goes_on(folder: Path, fake: FakeLabelStudio, cut: str) -> None:
    """Between project and its note, between upload and tasks, and the like: nothing is made twice."""
    if cut == "project.yaml":
        push(folder, fake.url)
        (folder / "project.yaml").unlink()
        fake.tasks.clear()
    else:
        calls: list[str] = []

        def break_off(method: str, path: str) -> Answer | None:
            calls.append(path)
            # The pictures go there first, then the tasks.
            late = path == cut and calls.count(path) == (2 if path.endswith("import") else 1)
            return Answer(500, {"detail": "killed"}) if late else None

        fake.hook = break_off
        with pytest.raises(ServerError, match="killed"):
            push(folder, fake.url)
        fake.hook = lambda method, path: None
    assert push(folder, fake.url).added == 4
    assert (len(fake.projects), len(fake.tasks), len(fake.files)) == (1, 4, 4)


def test_what_was_deleted_there_is_added_again(folder: Path, fake: FakeLabelStudio) -> None:
    push(folder, fake.url)
    lost = fake.tasks.pop(2)
    result = push(folder)
    assert (result.added, result.there, result.uploaded) == (1, 3, 0)
    assert fake.of_item(lost["data"]["item"])["data"] == lost["data"]


def test_tasks_that_were_imported_by_hand_count(folder: Path, fake: FakeLabelStudio) -> None:
    push(folder, fake.url)
    for task, there in zip(handed_off(folder), fake.tasks.values(), strict=True):
        there["data"] = task["data"]
    assert push(folder).added == 0


@pytest.mark.parametrize("project", [1, "1", "hands"])
def test_rounds_share_a_project(folder: Path, fake: FakeLabelStudio, project: int | str) -> None:
    push(folder, fake.url, project="hands")
    result = push(another(folder), fake.url, project=project)
    assert (result.added, result.there, result.uploaded) == (4, 0, 0)  # the same pictures
    assert (len(fake.projects), len(fake.tasks)) == (1, 8)
    assert len({task["data"]["round"] for task in fake.tasks.values()}) == 2


def test_a_frame_that_two_rounds_ask_for(folder: Path, fake: FakeLabelStudio) -> None:
    """As one that was skipped in the first."""
    push(folder, fake.url, project="hands")
    other = another(folder)
    tasks = handed_off(folder)
    tasks[0]["data"]["rank"] = 9
    (other / "tasks/label_studio.json").write_text(json.dumps(tasks))
    assert push(other, fake.url, project="hands").added == 4


def test_without_a_project_each_round_has_its_own(folder: Path, fake: FakeLabelStudio) -> None:
    push(folder, fake.url)
    push(another(folder), fake.url)
    assert [project["title"] for project in fake.projects.values()] == ["round-01", "round-02"]


def test_an_empty_project_gets_the_configuration(folder: Path, fake: FakeLabelStudio) -> None:
    fake.projects[1] = {"id": 1, "title": "mine", "description": "", "label_config": "<View></View>"}
    push(folder, fake.url, project="mine", annotators=2)
    assert fake.projects[1]["label_config"] == (folder / "tasks/label_studio.xml").read_text()
    assert fake.projects[1]["maximum_annotations"] == 2


def test_a_project_that_asks_something_else(folder: Path, fake: FakeLabelStudio) -> None:
    theirs = (
        '<View><Image name="image" value="$image"/>'
        '<Choices name="class" toName="image"><Choice value="cat"/></Choices></View>'
    )
    fake.projects[1] = {"id": 1, "title": "cats", "description": "", "label_config": theirs}
    with pytest.raises(ServerError, match=r"project 1 \(cats\) .* lacks the"):
        push(folder, fake.url, project=1)
    assert fake.projects[1]["label_config"] == theirs
    assert not fake.tasks
    assert not (folder / "project.yaml").exists()


def test_a_project_that_is_not_there(folder: Path, fake: FakeLabelStudio) -> None:
    with pytest.raises(ServerError, match="no project 7"):
        push(folder, fake.url, project=7)
    for number in (1, 2):
        fake.projects[number] = {"id": number, "title": "twin", "description": "", "label_config": ""}
    with pytest.raises(ConfigError, match="2 projects named twin: 1, 2"):
        push(folder, fake.url, project="twin")
    push(folder, fake.url)
    del fake.projects[3]
    with pytest.raises(ServerError, match=r"no project 3 .*delete .*project\.yaml"):
        push(folder)


def test_a_round_stays_where_it_was_pushed(
    folder: Path, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(folder, fake.url)
    with pytest.raises(ConfigError, match=f"are on {fake.url} .*not on http://other"):
        push(folder, "http://other")
    with pytest.raises(ConfigError, match="in project 1"):
        push(folder, project="another")
    monkeypatch.setenv(URL, "http://other")
    assert push(folder, project="round-01").there == 4


def test_the_server_of_the_environment(folder: Path, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--label-studio URL"):
        push(folder)
    monkeypatch.setenv(URL, fake.url)
    assert push(folder).added == 4


def test_a_server_that_does_not_show_the_pictures(folder: Path, fake: FakeLabelStudio) -> None:
    fake.hook = lambda method, path: Answer(404, {}) if path.startswith("/data/") else None
    with pytest.raises(ServerError, match="does not show it at /data/upload/1/"):
        push(folder, fake.url)
    assert not fake.tasks


def test_progress(folder: Path, fake: FakeLabelStudio) -> None:
    told: list[tuple[str, int, int]] = []
    push(folder, fake.url, progress=lambda *event: told.append(event))
    assert told == [*(("pictures", number, 4) for number in range(1, 5)), ("tasks", 4, 4)]


def test_many_pictures_go_in_batches(folder: Path, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqgcn.rounds.push.UPLOAD_FILES", 3)
    monkeypatch.setattr("seqgcn.rounds.push.TASKS_AT_ONCE", 3)
    assert push(folder, fake.url).uploaded == 4
    assert fake.calls.count(("POST", "/api/projects/1/import")) == 4
    monkeypatch.setattr("seqgcn.rounds.push.UPLOAD_BYTES", 1)
    for held in (fake.projects, fake.tasks, fake.files, fake.calls):
        held.clear()
    (folder / "project.yaml").unlink()
    assert push(folder, fake.url).uploaded == 4
    assert fake.calls.count(("POST", "/api/projects/1/import")) == 6


def test_what_is_no_finished_round(folder: Path, fake: FakeLabelStudio, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no round in"):
        push(tmp_path / "nowhere", fake.url)
    (folder / "tasks/label_studio.json").rename(folder / "kept.json")
    with pytest.raises(RunFolderError, match=r"label_studio\.json is missing.*--resume"):
        push(folder, fake.url)
    for content in ("{", "{}", "[5]", '[{"data": 5}]', '[{"data": {"image": "a"}}]'):
        (folder / "tasks/label_studio.json").write_text(content)
        with pytest.raises(DataFileError, match=r"label_studio\.json"):
            push(folder, fake.url)
    (folder / "kept.json").rename(folder / "tasks/label_studio.json")
    next((folder / "tasks/images").iterdir()).unlink()
    with pytest.raises(DataFileError, match="lacks the picture of"):
        push(folder, fake.url)
    (folder / "tasks/label_studio.xml").unlink()
    with pytest.raises(DataFileError, match=r"label_studio\.xml cannot be read"):
        push(folder, fake.url)


def test_items_without_pictures(folder: Path, fake: FakeLabelStudio) -> None:
    tasks = handed_off(folder)
    for task in tasks[:3]:
        del task["data"]["image"]
    (folder / "tasks/label_studio.json").write_text(json.dumps(tasks))
    result = push(folder, fake.url)
    assert (result.added, result.uploaded) == (4, 1)
    assert ["image" in task["data"] for task in fake.tasks.values()] == [False, False, False, True]


@pytest.mark.parametrize("content", ["", "5", "url: 5", "url: http://a", "url: http://a\nproject: x", "{"])
def test_a_damaged_note(folder: Path, fake: FakeLabelStudio, content: str) -> None:
    (folder / "project.yaml").write_text(content)
    with pytest.raises(DataFileError, match=r"project\.yaml is damaged"):
        push(folder, fake.url)


def test_one_process_at_a_time(folder: Path, fake: FakeLabelStudio) -> None:
    with locked(folder), pytest.raises(RunFolderError, match="in use by"):
        push(folder, fake.url)


@pytest.mark.parametrize("annotators", [0, -1, 1.5])
def test_annotators_are_a_number(folder: Path, fake: FakeLabelStudio, annotators: Any) -> None:
    with pytest.raises(ConfigError, match="annotators"):
        push(folder, fake.url, annotators=annotators)
