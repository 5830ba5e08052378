import socket
import threading
from collections.abc import Iterator

import pytest
from fake_label_studio import LEGACY, Answer, FakeLabelStudio, answering, jwt

from seqgcn.exceptions import ServerError
from seqgcn.integrations.label_studio import LabelStudio, connection
from seqgcn.integrations.label_studio.connection import Connection


@pytest.fixture
def fake() -> Iterator[FakeLabelStudio]:
    with FakeLabelStudio() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PAUSES", (0.0, 0.0))


def test_both_kinds_of_token(fake: FakeLabelStudio) -> None:
    assert LabelStudio(fake.url, LEGACY).version() == "1.23.2"
    assert LabelStudio(fake.url, fake.personal).version() == "1.23.2"


def test_a_personal_access_token_is_refreshed_when_its_minutes_are_over(fake: FakeLabelStudio) -> None:
    server = LabelStudio(fake.url, fake.personal)
    server.version()
    server.version()
    assert fake.calls.count(("POST", "/api/token/refresh/")) == 1
    fake.access.clear()
    assert server.new_project("abc", "", "<View/>").id == 1
    assert len(fake.projects) == 1
    assert fake.calls.count(("POST", "/api/token/refresh/")) == 2


@pytest.mark.parametrize(
    ("token", "message"),
    [("nope", r"Invalid token\.\); copy a new one"), (jwt("refresh", 9), "expired, was revoked, or is of another")],
)
def test_a_wrong_token(fake: FakeLabelStudio, token: str, message: str) -> None:
    with pytest.raises(ServerError, match=message) as caught:
        LabelStudio(fake.url, token).version()
    assert caught.value.status == 401
    assert token not in str(caught.value)


def test_a_server_that_has_no_legacy_tokens_any_more(fake: FakeLabelStudio) -> None:
    fake.legacy = False
    with pytest.raises(ServerError, match="make a personal access token"):
        LabelStudio(fake.url, LEGACY).version()


def test_a_server_that_has_no_personal_access_tokens_yet(fake: FakeLabelStudio) -> None:
    fake.hook = lambda method, path: Answer(404, {}) if "token" in path else None
    with pytest.raises(ServerError, match="use its legacy token"):
        LabelStudio(fake.url, fake.personal)._connection.get("/api/projects/")


def test_nobody_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServerError, match=f"cannot reach {url}"):
        LabelStudio(url, LEGACY).version()


def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"did not answer within 0\.05 s") as caught:
            LabelStudio(url, LEGACY, timeout=0.05).version()
    assert caught.value.passing


def test_what_is_no_web_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mail:

        def greet() -> None:
            client, _ = mail.accept()
            with client:
                client.recv(1000)
                client.sendall(b"220 mail.lab.org ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{mail.getsockname()[1]}"
        with pytest.raises(ServerError, match=f"what answers at {url} is no web server"):
            LabelStudio(url, LEGACY).version()
        thread.join()


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (200, b"<html><TITLE>\n Sign in </TITLE>", r"web page 'Sign in' \(a proxy"),
        (200, b"<html>", r"something else than JSON \(a proxy"),
        (200, b"", "something else than JSON; check"),
        (200, b"[]", "is no Label Studio"),
        (200, b'{"release": 5}', "is no Label Studio"),
        (401, b"<title>Proxy login</title>", "answers 401 with the web page 'Proxy login'"),
        (403, b'{"detail": "no"}', r"may not do that \(no\)"),
        (404, b"<title>nginx</title>", "answers 404 with the web page 'nginx'"),
        (500, b'{"detail": "database is locked"}', r"failed \(500, database is locked\)"),
        (502, b"<title>Bad Gateway</title>", "answers 502 with the web page 'Bad Gateway'"),
        (418, b'["tea"]', r"refuses /api/version/ \(418, \['tea'\]\)"),
        (418, b"{}", "no reason given"),
    ],
)
def test_other_answers(status: int, content: bytes, message: str) -> None:
    with answering(status, content) as url, pytest.raises(ServerError, match=message):
        LabelStudio(url, LEGACY).version()


def test_a_redirection_is_not_followed(fake: FakeLabelStudio) -> None:
    """A token must not go to another host."""
    fake.hook = lambda method, path: Answer(302, {}, headers=(("Location", "https://sso.lab.org/login"),))
    with pytest.raises(ServerError, match=r"redirects to https://sso\.lab\.org/login"):
        LabelStudio(fake.url, LEGACY).version()


def test_what_changes_nothing_is_tried_again(fake: FakeLabelStudio) -> None:
    answers = iter([Answer(503, {}), Answer(502, b"<html>"), None, None])
    fake.hook = lambda method, path: next(answers)
    assert LabelStudio(fake.url, LEGACY).version() == "1.23.2"


def test_what_changes_something_is_not_tried_again(fake: FakeLabelStudio) -> None:
    fake.hook = lambda method, path: Answer(503, {"detail": "busy"})
    with pytest.raises(ServerError, match="busy"):
        LabelStudio(fake.url, LEGACY).new_project("abc", "", "")
    assert fake.calls == [("POST", "/api/projects/")]


def test_a_wrong_value_is_named(fake: FakeLabelStudio) -> None:
    with pytest.raises(ServerError, match="title: Ensure this field has at least 3 characters"):
        Connection(fake.url, LEGACY).send("POST", "/api/projects/", {"title": "a"})


def test_an_answer_without_end(fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_BYTES", 5)
    with pytest.raises(ServerError, match="answers with more than"):
        LabelStudio(fake.url, LEGACY).version()


def test_nothing_shows_the_token(fake: FakeLabelStudio) -> None:
    server = LabelStudio(fake.url, LEGACY)
    assert LEGACY not in f"{server!r} {server._connection!r}"
