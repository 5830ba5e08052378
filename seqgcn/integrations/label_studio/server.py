"""The calls of Label Studio's API that a round needs, and nothing else of it."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from seqgcn.exceptions import ServerError
from seqgcn.integrations.label_studio.connection import Connection
from seqgcn.integrations.label_studio.tokens import check_url, find_token
from seqgcn.utils.validation import name_some

PAGE = 200
"""Entries of a list that are asked for at once."""

UPLOAD_FILES, UPLOAD_BYTES = 20, 2**23
"""Files of one request, and bytes: servers take up to 100 files, and proxies often not more than 10 MB."""

SHORTEST, LONGEST = 3, 50
"""Letters of a project's title."""

PREFIX = re.compile(r"[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that was uploaded."""


class Project(NamedTuple):
    """A project of a server.

    Args:
        id: Its number.
        title: Its name.
        description: What stands below it.
        configuration: What its annotators are shown and asked, XML.
        annotators: How many people label each task.
    """

    id: int
    title: str
    description: str
    configuration: str
    annotators: int = 1


class LabelStudio:
    """A Label Studio server, as the owner of an access token may use it.

    Args:
        url: Its address, such as `"http://localhost:8080"`.
        token: A legacy token or a personal access token; by default that of `find_token`.
        timeout: Seconds that an answer may take.

    Raises:
        ConfigError: The address or the token cannot be used.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 120.0) -> None:
        self.url = check_url(url)
        self._connection = Connection(self.url, token or find_token(self.url), timeout=timeout)

    def __repr__(self) -> str:
        return f"LabelStudio({self.url!r})"

    def version(self) -> str:
        """Of the server, such as `"1.23.2"`; made sure that it is a Label Studio, and that the token counts there.

        Raises:
            ServerError: It cannot be reached, is something else, or does not accept the token.
        """
        about = self._connection.get("/api/version/")
        release = about.get("release") if isinstance(about, dict) else None
        if not isinstance(release, str):
            raise ServerError(f"what answers at {self.url} is no Label Studio; check the address")
        self._connection.get("/api/current-user/whoami")
        return release

    def project(self, number: int) -> Project:
        """The project of a number.

        Raises:
            ServerError: It is not there, or the token's owner may not see it.
        """
        try:
            return self._project(self._connection.get(f"/api/projects/{number}/"))
        except ServerError as error:
            if error.status == 404:
                raise ServerError(
                    f"{self.url} has no project {number} that the owner of the access token may see; there "
                    f"{self._listed()}",
                    status=404,
                ) from error
            raise

    def projects(self) -> Iterator[Project]:
        """All projects, without their configurations."""
        page = 1
        while True:
            query = {"page": page, "page_size": PAGE, "include": "id,title,description"}
            answer = self._connection.get("/api/projects/", query)
            entries = self._list(answer, "results")
            yield from map(self._project, entries)
            if not entries or not answer.get("next"):
                return
            page += 1

    def new_project(self, title: str, description: str, configuration: str, annotators: int = 1) -> Project:
        """A new project.

        Args:
            title: Its name; made 3 to 50 letters long.
            description: What stands below it.
            configuration: What annotators are shown and asked, XML.
            annotators: How many people label each task.
        """
        title = title if len(title) >= SHORTEST else f"round {title}"
        content = {
            "title": title if len(title) <= LONGEST else f"{title[: LONGEST - 3]}...",
            "description": description,
            "label_config": configuration,
            "maximum_annotations": annotators,
        }
        return self._project(self._connection.send("POST", "/api/projects/", content))

    def change_project(self, number: int, **values: Any) -> None:
        """Set fields of a project, such as `label_config` or `maximum_annotations`."""
        self._connection.send("PATCH", f"/api/projects/{number}/", values)

    def tasks(self, number: int) -> list[dict[str, Any]]:
        """All tasks of a project: their `id`, `data`, and how many annotations each has."""
        found: list[dict[str, Any]] = []
        page, total = 1, 1
        include = "id,data,total_annotations,cancelled_annotations,drafts"
        while len(found) < total:
            query = {"project": number, "page": page, "page_size": PAGE, "include": include}
            answer = self._connection.get("/api/tasks/", query)
            entries = self._list(answer, "tasks")
            found += entries
            if not entries:
                break
            total, page = int(answer.get("total", 0)), page + 1
        return found

    def add_tasks(self, number: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Add tasks with their predictions to a project."""
        self._connection.send("POST", f"/api/projects/{number}/import", list(tasks))

    def uploads(self, number: int) -> dict[str, str]:
        """Addresses of the files that the token's owner uploaded to a project, by the names they were uploaded by."""
        return self._addresses(self._connection.get(f"/api/projects/{number}/file-uploads", {"all": "true"}))

    def upload(self, number: int, files: Sequence[tuple[str, bytes]]) -> dict[str, str]:
        """Upload files to a project, without making tasks of them.

        Args:
            number: Of the project.
            files: Names, as of `upload_name`, and contents.

        Returns:
            Address of each on the server, by name.
        """
        try:
            answer = self._connection.upload(f"/api/projects/{number}/import", files, {"commit_to_project": "false"})
        except ServerError as error:
            if error.status == 413 and len(files) > 1:
                half = len(files) // 2
                return self.upload(number, files[:half]) | self.upload(number, files[half:])
            raise
        ids = answer.get("file_upload_ids") if isinstance(answer, dict) else None
        if not isinstance(ids, list):
            raise self._strange("an upload")
        found = self._addresses(self._connection.get(f"/api/projects/{number}/file-uploads", {"ids": str(ids)}))
        lost = [name for name, _ in files if name not in found]
        if lost:
            raise ServerError(f"{self.url} took {name_some(lost)}, but does not list it; look at the server's log")
        return found

    def fetch(self, address: str) -> bytes | None:
        """What the server shows at an address of `upload`; None if it refuses."""
        root = urlsplit(self.url).path
        return self._connection.fetch(address.removeprefix(root))

    def export(self, number: int, tasks: Sequence[int]) -> list[dict[str, Any]]:
        """Tasks of a project as its export in the format JSON has them, with annotations and drafts.

        Args:
            number: Of the project.
            tasks: Their numbers.
        """
        found: list[dict[str, Any]] = []
        for start in range(0, len(tasks), PAGE):
            query: list[tuple[str, Any]] = [("exportType", "JSON"), ("download_all_tasks", "true")]
            query += [("ids[]", task) for task in tasks[start : start + PAGE]]
            found += self._list({"tasks": self._connection.get(f"/api/projects/{number}/export", query)}, "tasks")
        return found

    def users(self) -> dict[int, dict[str, Any]]:
        """Names and addresses of the server's users, by number; empty if the token's owner may not see them."""
        try:
            entries = self._connection.get("/api/users/")
        except ServerError as error:
            if error.status in (403, 404):
                return {}
            raise
        keys = ("id", "email", "first_name", "last_name")
        listed = entries if isinstance(entries, list) else []
        return {
            user["id"]: {key: user.get(key, "") for key in keys}
            for user in listed
            if isinstance(user, dict) and isinstance(user.get("id"), int)
        }

    def page(self, number: int) -> str:
        """Address of a project's page."""
        return f"{self.url}/projects/{number}"

    def _listed(self) -> str:
        titles = [f"{project.id} ({project.title})" for project in self.projects()]
        return f"are {name_some(titles)}" if titles else "is none"

    def _project(self, entry: Any) -> Project:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
            raise self._strange("a project")
        title, description, configuration = (
            str(entry.get(key) or "") for key in ("title", "description", "label_config")
        )
        many = entry.get("maximum_annotations")
        return Project(entry["id"], title, description, configuration, many if isinstance(many, int) else 1)

    def _addresses(self, entries: Any) -> dict[str, str]:
        """Where uploaded files are, by name; the last of several."""
        root = urlsplit(self.url).path
        paths = [str(entry["file"]) for entry in self._list({"files": entries}, "files") if entry.get("file")]
        return {PREFIX.sub("", PurePosixPath(path).name, count=1): f"{root}/data/{path}" for path in paths}

    def _list(self, answer: Any, key: str) -> list[dict[str, Any]]:
        entries = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self._strange(f"a list of {key}")
        return entries

    def _strange(self, what: str) -> ServerError:
        return ServerError(
            f"{self.url} answers something else than {what}; this is tested with Label Studio 1.23, in its Community "
            "edition"
        )


def upload_name(name: str, content: bytes) -> str:
    """The name to upload a picture by: it reminds of its own, and no other picture has the same.

    A server may shorten what is long, and replace what is no letter; this it leaves as it is.

    Args:
        name: Of the picture's file.
        content: The file.
    """
    path = PurePosixPath(name)
    slug = re.sub(r"[^0-9A-Za-z]+", "-", path.stem).strip("-")[-40:].strip("-") or "picture"
    kind = path.suffix.lower() if re.fullmatch(r"\.[0-9A-Za-z]{1,5}", path.suffix) else ".png"
    return f"{slug}-{hashlib.blake2b(content, digest_size=6).hexdigest()}{kind}"
