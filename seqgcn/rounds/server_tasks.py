"""What of a round goes to a labeling server and which project it went to, in the round's folder."""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from seqgcn.annotation.annotations import need, read_json
from seqgcn.annotation.tasks import IMAGES
from seqgcn.exceptions import ConfigError, DataFileError, MissingFileError, RunFolderError
from seqgcn.integrations.label_studio import check_url
from seqgcn.integrations.label_studio.tokens import URL
from seqgcn.rounds.exports import TASKS
from seqgcn.utils.files import write_text

PROJECT = "project.yaml"
"""File of a round's folder that names the project its tasks are in: address of the server, number and title."""

TASK_LIST, CONFIGURATION = "label_studio.json", "label_studio.xml"

ROUND = "round"
"""Key of a task's data that tells the rounds of a project apart."""


@dataclass(frozen=True)
class ServerTasks:
    """What a round asks annotators, as Label Studio imports it.

    Args:
        folder: Of the round.
        tasks: With their data and predictions, best first.
        configuration: What annotators are shown and asked, XML.
    """

    folder: Path
    tasks: tuple[dict[str, Any], ...]
    configuration: str

    @cached_property
    def id(self) -> str:
        """What no other round has, of what is asked."""
        asked = [{key: value for key, value in task["data"].items() if key != "image"} for task in self.tasks]
        return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=6).hexdigest()

    def picture(self, task: Mapping[str, Any]) -> Path | None:
        """The file of a task's picture; None if it shows none, as one of a row of features.

        Raises:
            MissingFileError: It is not there.
        """
        address = task["data"].get("image")
        if address is None:
            return None
        name = max((name for name in self._pictures if address.endswith(quote(name))), key=len, default="")
        if not name:
            raise MissingFileError(
                f"{self.folder / TASKS / IMAGES} lacks the picture of {task['data']['item']}; restore it"
            )
        return self.folder / TASKS / IMAGES / name

    @cached_property
    def _pictures(self) -> tuple[str, ...]:
        try:
            return tuple(os.listdir(self.folder / TASKS / IMAGES))
        except OSError:
            return ()

    def of_round(self, tasks: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """The tasks of a project that are this round's, by item; of two of one item the first.

        A task without a round was imported by hand. It is taken for this one's where the item is.
        """
        items = {task["data"]["item"] for task in self.tasks}
        found: dict[str, dict[str, Any]] = {}
        for key in (self.id, None):
            for task in tasks:
                data = task.get("data")
                if isinstance(data, dict) and data.get(ROUND) == key and data.get("item") in items:
                    found.setdefault(data["item"], dict(task))
        return found


def read_server_tasks(folder: Path) -> ServerTasks:
    """What a round asks annotators.

    Raises:
        RunFolderError: It was not finished.
        DataFileError: A file is damaged.
    """
    path = folder / TASKS / TASK_LIST
    if not path.is_file():
        raise RunFolderError(
            f"{path} is missing: if the round was not finished, go on with seqgcn select --out "
            f"{shlex.quote(str(folder))} --resume, else restore that file"
        )
    tasks = need(read_json(path), list, str(path))
    for number, task in enumerate(tasks, start=1):
        data = need(need(task, dict, f"{path}, task {number}").get("data"), dict, f"{path}, task {number}: the data")
        need(data.get("item"), str, f"{path}, task {number}: the item")
        need(data.get("image", ""), str, f"{path}, task {number}: the image")
    try:
        configuration = (folder / TASKS / CONFIGURATION).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError(f"{folder / TASKS / CONFIGURATION} cannot be read ({error}); restore it") from error
    return ServerTasks(folder, tuple(tasks), configuration)


@dataclass(frozen=True)
class Pushed:
    """Where the tasks of a round are.

    Args:
        url: Address of the server.
        project: Number of the project.
        title: Its name.
    """

    url: str
    project: int
    title: str

    def write(self, folder: Path) -> None:
        """Write it into a round's folder."""
        content = {"url": self.url, "project": self.project, "title": self.title}
        write_text(folder / PROJECT, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_pushed(folder: Path) -> Pushed | None:
    """Where the tasks of a round are, as its folder has it; None if it has not.

    Raises:
        DataFileError: The file is damaged.
    """
    path = folder / PROJECT
    try:
        content = yaml.safe_load(path.read_bytes())
        found = Pushed(check_url(str(content["url"])), int(content["project"]), str(content.get("title", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as error:
        raise DataFileError(
            f"{path} is damaged; write url and project into it, or delete it and name them with --label-studio and "
            "--project"
        ) from error
    return found


def server_of(folder: Path, url: str | None, held: Pushed | None, command: str) -> str:
    """Address of the server of a round: as given, as its folder has it, or of `LABEL_STUDIO_URL`.

    Raises:
        ConfigError: There is none, or the round is on another.
    """
    given = check_url(url) if url else None
    if held is None:
        given = given or (check_url(os.environ[URL]) if os.environ.get(URL) else None)
        if given is None:
            raise ConfigError(f"which Label Studio? seqgcn {command} {shlex.quote(str(folder))} --label-studio URL")
        return given
    if given not in (None, held.url):
        raise ConfigError(
            f"the tasks of {folder} are on {held.url} (project {held.project}), not on {given}; leave --label-studio "
            f"out, or delete {folder / PROJECT} to use the other"
        )
    return held.url
