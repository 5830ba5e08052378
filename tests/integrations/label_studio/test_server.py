from collections.abc import Iterator
from typing import Any

import pytest
from fake_label_studio import LEGACY, Answer, FakeLabelStudio

from seqgcn.exceptions import ServerError
from seqgcn.integrations.label_studio import LabelStudio, server
from seqgcn.integrations.label_studio.server import upload_name


@pytest.fixture(params=["", "/labels"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeLabelStudio]:
    """At the root of its host, and below a path."""
    with FakeLabelStudio(request.param) as found:
        yield found


def test_projects(fake: FakeLabelStudio) -> None:
    studio = LabelStudio(fake.url, LEGACY)
    assert studio.new_project("r1", "of a round", "<View/>", annotators=2).title == "round r1"
    long = studio.new_project("x" * 80, "", "<View/>")
    assert (len(long.title), long.annotators) == (50, 1)
    assert [(each.id, each.description) for each in studio.projects()] == [(1, "of a round"), (2, "")]
    studio.change_project(1, label_config="<View></View>")
    assert studio.project(1) == (1, "round r1", "of a round", "<View></View>", 2)
    with pytest.raises(ServerError, match=r"no project 7 .* there are 1 \(round r1\), 2 \(x"):
        studio.project(7)
    assert studio.page(2) == f"{fake.url}/projects/2"


def test_there_is_no_project_at_all(fake: FakeLabelStudio) -> None:
    with pytest.raises(ServerError, match="there is none"):
        LabelStudio(fake.url, LEGACY).project(1)


def test_pictures_are_shown_where_they_were_uploaded(fake: FakeLabelStudio) -> None:
    studio = LabelStudio(fake.url, LEGACY)
    files = [
        (upload_name(f"{letter}.png", content), content) for letter, content in (("a", b"1\r\n--"), ("b", b"\x00"))
    ]
    found = studio.upload(3, files)
    assert studio.uploads(3) == found
    assert studio.uploads(4) == {}
    assert [studio.fetch(found[name]) for name, _ in files] == [b"1\r\n--", b"\x00"]
    assert studio.fetch("/data/upload/none.png") is None
    assert all(address.startswith(f"{fake.root}/data/upload/3/") for address in found.values())


def test_an_upload_that_is_too_large_goes_in_parts(fake: FakeLabelStudio) -> None:
    studio = LabelStudio(fake.url, LEGACY)
    fake.most_bytes = 1500
    files = [(f"{letter}.png", letter.encode() * 900) for letter in "abc"]
    assert set(studio.upload(1, files)) == {"a.png", "b.png", "c.png"}
    with pytest.raises(ServerError, match=r"refuses 2,\d\d\d bytes at once"):
        studio.upload(1, [("d.png", b"d" * 2000)])


def test_a_server_that_loses_what_it_took(fake: FakeLabelStudio) -> None:
    fake.hook = lambda method, path: Answer(200, []) if path.endswith("file-uploads") else None
    with pytest.raises(ServerError, match=r"took a\.png, but does not list it"):
        LabelStudio(fake.url, LEGACY).upload(1, [("a.png", b"")])


def test_lists_of_several_pages(fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PAGE", 2)
    studio = LabelStudio(fake.url, LEGACY)
    studio.add_tasks(1, [{"data": {"item": f"{number}.png"}} for number in range(5)])
    studio.add_tasks(2, [{"data": {"item": "other.png"}}])
    found = studio.tasks(1)
    assert [task["data"]["item"] for task in found] == [f"{number}.png" for number in range(5)]
    assert [task["id"] for task in studio.export(1, [task["id"] for task in found])] == [1, 2, 3, 4, 5]
    assert studio.tasks(3) == []


def test_users(fake: FakeLabelStudio) -> None:
    studio = LabelStudio(fake.url, LEGACY)
    assert studio.users()[2] == {"id": 2, "email": "bo@lab.org", "first_name": "", "last_name": ""}
    fake.hook = lambda method, path: Answer(403, {"detail": "no"})
    assert studio.users() == {}


@pytest.mark.parametrize("content", [5, [5], {"tasks": 5}, {"file_upload_ids": 5}])
def test_answers_of_another_api(fake: FakeLabelStudio, content: Any) -> None:
    fake.hook = lambda method, path: Answer(200, content)
    studio = LabelStudio(fake.url, LEGACY)
    for call in (lambda: studio.project(1), lambda: studio.tasks(1), lambda: studio.upload(1, [("a.png", b"")])):
        with pytest.raises(ServerError, match="answers something else than"):
            call()


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("sequence-001-000004-0123456789ab.png", "sequence-001-000004-0123456789ab-", ".png"),
        ("Hand é 2.JPG", "Hand-2-", ".jpg"),
        ("x" * 200 + ".bmp", "x" * 40 + "-", ".bmp"),
        ("ж", "picture-", ".png"),
    ],
)
def test_names_of_uploads(name: str, start: str, end: str) -> None:
    found = upload_name(name, b"content")
    assert found.startswith(start)
    assert found.endswith(end)
    assert found.isascii()
    assert found != upload_name(name, b"other")
