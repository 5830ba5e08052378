"""What annotators did on a running Label Studio, into a round's folder: an export as if carried by hand."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgcn.annotation.annotations import read_json
from seqgcn.config.run import as_config_errors
from seqgcn.exceptions import ConfigError, DataFileError, ServerError
from seqgcn.integrations.label_studio import LabelStudio, Project
from seqgcn.rounds.record import read_round
from seqgcn.rounds.server_tasks import Pushed, ServerTasks, read_pushed, read_server_tasks, server_of
from seqgcn.utils.files import write_text
from seqgcn.utils.locks import locked
from seqgcn.utils.messages import log
from seqgcn.utils.validation import check_number


@dataclass(frozen=True)
class Counts:
    """How far annotators are with a round.

    Args:
        done: Frames that as many people answered as are asked for, of whom somebody submitted.
        skipped: Frames that all of them skipped.
        partly: Frames that fewer people answered than are asked for.
        drafts: Frames that nobody answered, but somebody began.
        open: Frames that nobody touched.
        lost: Frames of the round that are not in the project any more.
    """

    done: int
    skipped: int
    partly: int
    drafts: int
    open: int
    lost: int

    @property
    def finished(self) -> bool:
        """Whether nothing is left to wait for."""
        return not (self.partly or self.drafts or self.open)

    @property
    def begun(self) -> bool:
        """Whether there is anything to take."""
        return bool(self.done or self.skipped or self.partly or self.drafts)

    def __str__(self) -> str:
        total = self.done + self.skipped + self.partly + self.drafts + self.open
        partly = f"{self.partly:,} by some of their annotators, " if self.partly else ""
        text = f"{self.done:,} of {total:,} done, {partly}{self.skipped:,} skipped, {self.drafts:,} drafts, "
        lost = f"; {self.lost:,} are not in the project (seqgcn push adds them)" if self.lost else ""
        return f"{text}{self.open:,} open{lost}"


@dataclass(frozen=True)
class Pulled:
    """What came of a pull.

    Args:
        export: File in the round's folder with the round's tasks and what was answered, as Label Studio exports them;
            None if nobody began.
        counts: How far annotators are.
        server: Where they are at work.
    """

    export: Path | None
    counts: Counts
    server: Pushed


def pull(
    folder: str | Path,
    url: str | None = None,
    *,
    project: int | None = None,
    wait: bool = False,
    every: float = 30.0,
    token: str | None = None,
    told: Callable[[Counts], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Export what annotators did with a round's tasks into its folder, for `import_labels`.

    `pulled-N.json` holds the round's tasks as Label Studio exports them, with the names of their annotators. It is
    kept, and each pull that finds something new writes another.

    Args:
        folder: Of the round.
        url: Address of the server; by default that of the push.
        project: Number of the project; by default that of the push. Tasks that were imported there by hand are this
            round's by their items.
        wait: Until every task is submitted or skipped.
        every: Seconds between looks at the server, if it waits.
        token: Access token; by default that of `LABEL_STUDIO_API_KEY` or of the netrc file.
        told: Called with the counts whenever they change, if it waits.
        sleep: Passes the time.

    Raises:
        ConfigError: An argument cannot be used, or there is no token.
        RunFolderError: The round was not finished, or another process is at work in its folder.
        DataFileError: A file of the round is missing or damaged.
        ServerError: The server cannot be reached or refuses, or the project or the round's tasks are not there.
    """
    folder = Path(folder)
    with as_config_errors():
        check_number("every", every, low=1)
    read_round(folder, resume=False)
    tasks, held = read_server_tasks(folder), read_pushed(folder)
    if held is None and (url is None or project is None):
        raise ConfigError(
            f"{folder} was not pushed; do that first (seqgcn push), or name where its tasks were imported by hand, "
            "with --label-studio URL and --project ID"
        )
    if held is not None and project not in (None, held.project):
        raise ConfigError(f"the tasks of {folder} are in project {held.project}, not {project}; leave --project out")
    server = LabelStudio(server_of(folder, url, held, "pull"), token)
    server.version()
    number = held.project if held else int(project or 0)
    found = server.project(number)
    there = _there(server, tasks, number)
    if wait:
        there = _wait(server, tasks, found, there, every, told, sleep)
    exported = server.export(number, [task["id"] for task in there.values()])
    counts = _count(tasks, tasks.of_round(exported), found.annotators)
    pushed = Pushed(server.url, number, found.title)
    if not counts.begun:
        return Pulled(None, counts, pushed)
    _name_annotators(exported, server.users())
    with locked(folder):
        return Pulled(_keep(folder, exported), counts, pushed)


def _there(server: LabelStudio, tasks: ServerTasks, project: int) -> dict[str, dict[str, Any]]:
    """The round's tasks in the project, by item."""
    found = tasks.of_round(server.tasks(project))
    if not found:
        raise ServerError(
            f"project {project} of {server.url} has no task of {tasks.folder}; push it again (seqgcn push), or name "
            "another project with --project"
        )
    return found


def _wait(
    server: LabelStudio,
    tasks: ServerTasks,
    project: Project,
    there: dict[str, dict[str, Any]],
    every: float,
    told: Callable[[Counts], None] | None,
    sleep: Callable[[float], None],
) -> dict[str, dict[str, Any]]:
    """The round's tasks in the project, when all are answered."""
    counts, shown, away = _count(tasks, there, project.annotators), None, False
    while True:
        if counts != shown and told is not None:
            told(counts)
        shown = counts
        if counts.finished:
            return there
        sleep(every)
        try:
            there = _there(server, tasks, project.id)
        except ServerError as error:
            if not error.passing:
                raise
            # Servers are restarted at night; whoever waits until morning has no use for an error.
            if not away:
                log.warning(f"{error}; waiting until it is back")
            away = True
        else:
            away, counts = False, _count(tasks, there, project.annotators)


def _count(tasks: ServerTasks, found: Mapping[str, Mapping[str, Any]], annotators: int) -> Counts:
    states = [_state(task, annotators) for task in found.values()]
    of_each = {state: states.count(state) for state in ("done", "skipped", "partly", "drafts", "open")}
    return Counts(**of_each, lost=len(tasks.tasks) - len(found))


def _state(task: Mapping[str, Any], annotators: int) -> str:
    """How far a task is, of a list of tasks or of an export."""
    annotations = task.get("annotations")
    if isinstance(annotations, list):
        submitted = sum(not entry.get("was_cancelled") for entry in annotations if isinstance(entry, dict))
        skipped = len(annotations) - submitted
    else:
        submitted, skipped = int(task.get("total_annotations") or 0), int(task.get("cancelled_annotations") or 0)
    if not submitted + skipped:
        return "drafts" if task.get("drafts") else "open"
    if submitted + skipped < annotators:
        return "partly"
    return "done" if submitted else "skipped"


def _name_annotators(exported: Iterable[dict[str, Any]], users: Mapping[int, dict[str, Any]]) -> None:
    """Write who annotated in place of the number, which says nothing outside of the server."""
    for task in exported:
        for entry in task.get("annotations") or ():
            if isinstance(entry, dict) and entry.get("completed_by") in users:
                entry["completed_by"] = users[entry["completed_by"]]


def _keep(folder: Path, exported: list[dict[str, Any]]) -> Path:
    """The file of an export: a new one, or the last if that has the same."""
    number = 1
    while (folder / f"pulled-{number}.json").exists():
        number += 1
    last = folder / f"pulled-{number - 1}.json"
    if number > 1:
        try:
            if _lasting(read_json(last)) == _lasting(exported):
                return last
        except DataFileError:
            log.warning(f"{last} cannot be read any more; what was pulled now is beside it")
    path = folder / f"pulled-{number}.json"
    write_text(path, json.dumps(exported, indent=1, ensure_ascii=False) + "\n")
    return path


def _lasting(value: Any) -> Any:
    """Without what a server says otherwise each time, such as how many minutes ago something was made."""
    if isinstance(value, dict):
        return {key: _lasting(each) for key, each in value.items() if key != "created_ago"}
    return [_lasting(each) for each in value] if isinstance(value, list) else value
