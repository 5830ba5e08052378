"""A small Label Studio: the calls that a round makes, answered as version 1.23 answers them, on the loopback alone."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

LEGACY = "0123456789abcdef0123456789abcdef01234567"
WHEN = "2026-01-05T09:30:00.000000Z"


class Answer(NamedTuple):
    """What is answered: JSON, or bytes of another kind."""

    status: int
    content: Any
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


Hook = Callable[[str, str], Answer | None]


def jwt(kind: str, number: int) -> str:
    """A token that looks like Label Studio's."""
    parts = ({"alg": "HS256"}, {"token_type": kind, "jti": number})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "x"]
    )


class FakeLabelStudio:
    """What it holds is public, and `annotate`, `skip` and `draft` are its annotators.

    Args:
        root: Path that the server is below.

    Attributes:
        hook: Asked before each request, by method and path; what it answers is the answer. May raise too.
        calls: Method and path of each request.
    """

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.files: dict[int, tuple[int, str, bytes]] = {}
        self.users = {1: "ann@lab.org", 2: "bo@lab.org"}
        self.personal, self.access = jwt("refresh", 0), set[str]()
        self.legacy = True
        self.hook: Hook = lambda method, path: None
        self.calls: list[tuple[str, str]] = []
        self.most_bytes = 10**9
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.root}"

    # What annotators do.

    def of_item(self, item: str) -> dict[str, Any]:
        return next(task for task in self.tasks.values() if task["data"]["item"] == item)

    def annotate(self, item: str, result: list[dict[str, Any]], user: int = 1, *, skipped: bool = False) -> None:
        task = self.of_item(item)
        number = 1 + sum(len(each["annotations"]) for each in self.tasks.values())
        task["annotations"].append(
            {
                "id": number,
                "completed_by": user,
                "result": result,
                "was_cancelled": skipped,
                "ground_truth": False,
                "created_at": WHEN,
                "updated_at": WHEN,
                "unique_id": f"00000000-0000-4000-8000-{number:012d}",
                "task": task["id"],
            }
        )

    def skip(self, item: str, user: int = 1) -> None:
        self.annotate(item, [], user, skipped=True)

    def draft(self, item: str, result: list[dict[str, Any]], user: int = 1) -> None:
        draft = {"id": 1, "user": self.users[user], "created_ago": "3\u00a0minutes", "result": result}
        self.of_item(item)["drafts"].append(draft)

    # What is answered.

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        parts = urlsplit(target)
        path, query = parts.path.removeprefix(self.root), parse_qs(parts.query)
        with self._lock:
            self.calls.append((method, path))
        given = self.hook(method, path)
        if given is not None:
            return given
        with self._lock:
            if path == "/api/version/":
                return Answer(200, {"release": "1.23.2"})
            if path == "/api/token/refresh/":
                return self._refresh(json.loads(body))
            told = self._unauthorized(headers.get("Authorization", ""))
            if told:
                return Answer(401, {"status_code": 401, "detail": told})
            for pattern, call in self._routes:
                found = re.fullmatch(pattern, f"{method} {path}")
                if found:
                    return call(self, *found.groups(), query=query, headers=headers, body=body)  # type: ignore[no-any-return, operator]
            return Answer(404, b"<html><title>Not found</title></html>", "text/html")

    def _refresh(self, content: dict[str, Any]) -> Answer:
        if content.get("refresh") != self.personal:
            return Answer(401, {"detail": "Token is invalid"})
        self.access.add(token := jwt("access", len(self.access)))
        return Answer(200, {"access": token})

    def _unauthorized(self, authorization: str) -> str:
        kind, _, token = authorization.partition(" ")
        if kind == "Bearer" and token in self.access:
            return ""
        if kind == "Token" and token == LEGACY:
            return "" if self.legacy else "legacy token authentication has been disabled for this organization"
        return "Invalid token."

    def _whoami(self, **_about: Any) -> Answer:
        return Answer(200, {"id": 1, "email": self.users[1]})

    def _users(self, **_about: Any) -> Answer:
        return Answer(200, [{"id": number, "email": email, "phone": ""} for number, email in self.users.items()])

    def _list_projects(self, query: dict[str, list[str]], **_about: Any) -> Answer:
        keys = query["include"][0].split(",")
        results = [{key: project[key] for key in keys} for project in self.projects.values()]
        return Answer(200, {"count": len(results), "next": None, "results": results})

    def _new_project(self, body: bytes, **_about: Any) -> Answer:
        content = {"description": "", "label_config": "<View></View>", "maximum_annotations": 1, **json.loads(body)}
        if not 3 <= len(content["title"]) <= 50:
            return Answer(400, {"validation_errors": {"title": ["Ensure this field has at least 3 characters."]}})
        number = len(self.projects) + 1
        self.projects[number] = {"id": number, **content}
        return Answer(201, self.projects[number])

    def _project(self, number: str, **_about: Any) -> Answer:
        if int(number) not in self.projects:
            return Answer(404, {"status_code": 404, "detail": "No Project matches the given query."})
        return Answer(200, self.projects[int(number)])

    def _change(self, number: str, body: bytes, **_about: Any) -> Answer:
        self.projects[int(number)].update(json.loads(body))
        return self._project(number)

    def _import(self, number: str, query: dict[str, list[str]], headers: Any, body: bytes, **_about: Any) -> Answer:
        if len(body) > self.most_bytes:
            return Answer(413, b"<html><title>413 Request Entity Too Large</title></html>", "text/html")
        if headers["Content-Type"].startswith("multipart/"):
            assert query == {"commit_to_project": ["false"]}
            message = BytesParser(policy=HTTP).parsebytes(
                b"Content-Type: %s\r\n\r\n" % headers["Content-Type"].encode() + body
            )
            ids = []
            for part in message.iter_parts():  # type: ignore[attr-defined]
                count = len(self.files) + 1
                path = f"upload/{number}/{count:08x}-{part.get_filename()}"
                self.files[count] = (int(number), path, part.get_payload(decode=True))
                ids.append(count)
            return Answer(201, {"task_count": len(ids), "file_upload_ids": ids})
        for content in json.loads(body):
            count = max(self.tasks, default=0) + 1
            lists: dict[str, Any] = {"annotations": [], "drafts": []}
            self.tasks[count] = {"id": count, "project": int(number), **lists, "predictions": [], **content}
        return Answer(201, {"task_count": len(json.loads(body)), "file_upload_ids": []})

    def _uploads(self, number: str, query: dict[str, list[str]], **_about: Any) -> Answer:
        wanted = None if query.get("all") == ["true"] else json.loads(query["ids"][0])
        found = [
            {"id": key, "file": path, "size": len(content)}
            for key, (project, path, content) in self.files.items()
            if project == int(number) and (wanted is None or key in wanted)
        ]
        return Answer(200, found)

    def _shown(self, path: str, **_about: Any) -> Answer:
        found = [content for _, held, content in self.files.values() if held == path]
        return Answer(200, found[0], "image/png") if found else Answer(404, {"detail": "Not found"})

    def _list_tasks(self, query: dict[str, list[str]], **_about: Any) -> Answer:
        mine = [task for task in self.tasks.values() if task["project"] == int(query["project"][0])]
        page, size = int(query["page"][0]), int(query["page_size"][0])
        shown = [
            {
                "id": task["id"],
                "data": task["data"],
                "drafts": task["drafts"],
                "total_annotations": sum(not each["was_cancelled"] for each in task["annotations"]),
                "cancelled_annotations": sum(each["was_cancelled"] for each in task["annotations"]),
            }
            for task in mine[(page - 1) * size : page * size]
        ]
        if page > 1 and not shown:
            return Answer(404, {"detail": "Invalid page."})
        return Answer(200, {"total": len(mine), "tasks": shown})

    def _export(self, number: str, query: dict[str, list[str]], **_about: Any) -> Answer:
        assert (query["exportType"], query["download_all_tasks"]) == (["JSON"], ["true"])
        wanted = set(map(int, query["ids[]"]))
        mine = [task for task in self.tasks.values() if task["project"] == int(number) and task["id"] in wanted]
        return Answer(200, mine)

    _routes: tuple[tuple[str, Callable[..., Answer]], ...] = (
        (r"GET /api/current-user/whoami", _whoami),
        (r"GET /api/users/", _users),
        (r"GET /api/projects/", _list_projects),
        (r"POST /api/projects/", _new_project),
        (r"GET /api/projects/(\d+)/", _project),
        (r"PATCH /api/projects/(\d+)/", _change),
        (r"POST /api/projects/(\d+)/import", _import),
        (r"GET /api/projects/(\d+)/file-uploads", _uploads),
        (r"GET /data/(upload/.*)", _shown),
        (r"GET /api/tasks/", _list_tasks),
        (r"GET /api/projects/(\d+)/export", _export),
    )


def _handler(fake: FakeLabelStudio) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = fake.answer(self.command, self.path, self.headers, body)
            content = answer.content if isinstance(answer.content, bytes) else json.dumps(answer.content).encode()
            self.send_response(answer.status)
            for name, value in (("Content-Type", answer.kind), *answer.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _respond  # noqa: N815

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


@contextmanager
def answering(status: int, content: bytes, kind: str = "text/html") -> Iterator[str]:
    """The address of a server that has one answer to everything."""
    with FakeLabelStudio() as fake:
        fake.hook = lambda method, path: Answer(status, content, kind)
        yield fake.url
