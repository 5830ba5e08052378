"""A round's tasks onto a running Label Studio: project, pictures and predictions, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgcn.config.run import as_config_errors
from seqgcn.exceptions import ConfigError, DataFileError, ServerError
from seqgcn.integrations.label_studio import LabelStudio, Project, extended_configuration
from seqgcn.integrations.label_studio.server import UPLOAD_BYTES, UPLOAD_FILES, upload_name
from seqgcn.rounds.record import read_round
from seqgcn.rounds.server_tasks import PROJECT, ROUND, Pushed, ServerTasks, read_pushed, read_server_tasks, server_of
from seqgcn.training import Progress
from seqgcn.utils.locks import locked
from seqgcn.utils.messages import log
from seqgcn.utils.validation import check_whole, name_some

TASKS_AT_ONCE = 50
"""Tasks of one request."""

MARK = "Round {} of seqgcn."
"""Description of a project that was made for a round: it is found again if this was killed before it was noted."""


@dataclass(frozen=True)
class PushResult:
    """What came of a push.

    Args:
        pushed: Where the tasks are.
        page: Address of the project's page.
        added: Tasks that are new there.
        there: Tasks that were there before.
        uploaded: Pictures that were uploaded.
    """

    pushed: Pushed
    page: str
    added: int
    there: int
    uploaded: int


def push(
    folder: str | Path,
    url: str | None = None,
    *,
    project: int | str | None = None,
    annotators: int | None = None,
    token: str | None = None,
    progress: Progress | None = None,
) -> PushResult:
    """Bring a round's tasks onto a Label Studio server; again, it adds what is not there yet.

    A project is made, or one that asks the same is used. The pictures are uploaded, and the tasks point at them there,
    so that the server needs no folder of this machine and a project may hold many rounds. The address and the number of
    the project are noted in `project.yaml` of the round's folder; the token is not.

    Args:
        folder: Of the round, finished.
        url: Address of the server; by default that of an earlier push of the round, or of `LABEL_STUDIO_URL`.
        project: Number or name of the project. A name that is not there yet is given to a new one. By default that of
            an earlier push, else a new one named after the folder.
        annotators: How many people label each frame; by default one, or as the project has it.
        token: Access token; by default that of `LABEL_STUDIO_API_KEY` or of the netrc file.
        progress: Told about the pictures, as stage `"pictures"`, and the tasks, as stage `"tasks"`.

    Raises:
        ConfigError: An argument cannot be used, or there is no token.
        RunFolderError: The round was not finished, or another process is at work in its folder.
        DataFileError: A picture or another file of the round is missing or damaged.
        ServerError: The server cannot be reached or refuses, or the project is not there or asks something else.
    """
    folder = Path(folder)
    if annotators is not None:
        with as_config_errors():
            check_whole("annotators", annotators)
    read_round(folder, resume=False)
    with locked(folder):
        tasks, held = read_server_tasks(folder), read_pushed(folder)
        server = LabelStudio(server_of(folder, url, held, "push"), token)
        log.info(f"Label Studio {server.version()} at {server.url}")
        found = _project(server, tasks, project, held, annotators)
        pushed = Pushed(server.url, found.id, found.title)
        if pushed != held:
            pushed.write(folder)
        there = tasks.of_round(server.tasks(found.id))
        new = [task for task in tasks.tasks if task["data"]["item"] not in there]
        addresses, uploaded = _upload(server, found.id, tasks, new, progress)
        for start in range(0, len(new), TASKS_AT_ONCE):
            batch = new[start : start + TASKS_AT_ONCE]
            server.add_tasks(found.id, [_pointed(task, addresses, tasks.id) for task in batch])
            if progress is not None:
                progress("tasks", start + len(batch), len(new))
    return PushResult(pushed, server.page(found.id), len(new), len(there), uploaded)


def _project(
    server: LabelStudio, tasks: ServerTasks, wanted: int | str | None, held: Pushed | None, annotators: int | None
) -> Project:
    """The project of a round, which asks what the round asks."""
    found = _find(server, tasks, wanted, held)
    if found is None:
        title = wanted if isinstance(wanted, str) else tasks.folder.resolve().name
        return server.new_project(title, MARK.format(tasks.id), tasks.configuration, annotators or 1)
    try:
        configuration = extended_configuration(found.configuration, tasks.configuration)
    except ValueError as error:
        raise ServerError(
            f"project {found.id} ({found.title}) of {server.url} asks something else than {tasks.folder}: {error}; "
            "name another project, or a new one, with --project NAME"
        ) from error
    changes: dict[str, Any] = {} if configuration == found.configuration else {"label_config": configuration}
    if annotators is not None:
        changes["maximum_annotations"] = annotators
    if changes:
        server.change_project(found.id, **changes)
    return found


def _find(server: LabelStudio, tasks: ServerTasks, wanted: int | str | None, held: Pushed | None) -> Project | None:
    number = wanted if isinstance(wanted, int) else None
    if isinstance(wanted, str) and wanted.strip().isdecimal():
        number = int(wanted)
    if held is not None:
        if wanted is not None and wanted != held.title and number != held.project:
            raise ConfigError(
                f"the tasks of {tasks.folder} are in project {held.project} ({held.title}) of {held.url} already; "
                f"leave --project out, or delete {tasks.folder / PROJECT} to push them to another as well"
            )
        try:
            return server.project(held.project)
        except ServerError as error:
            if error.status != 404:
                raise
            raise ServerError(f"{error}. If it was deleted, delete {tasks.folder / PROJECT} and push again") from error
    if number is not None:
        return server.project(number)
    if isinstance(wanted, str):
        same = [project.id for project in server.projects() if project.title == wanted]
        if len(same) > 1:
            numbers = name_some([str(each) for each in same])
            raise ConfigError(f"{server.url} has {len(same)} projects named {wanted}: {numbers}; give a number")
    else:
        mark = MARK.format(tasks.id)
        same = [project.id for project in server.projects() if project.description == mark]
    return server.project(same[0]) if same else None


def _upload(
    server: LabelStudio, project: int, tasks: ServerTasks, new: Sequence[Mapping[str, Any]], progress: Progress | None
) -> tuple[dict[str, str], int]:
    """Addresses on the server of the pictures of new tasks, by item, and how many had to be uploaded."""
    pictures = [(task["data"]["item"], path) for task in new if (path := tasks.picture(task)) is not None]
    there = server.uploads(project) if pictures else {}
    addresses: dict[str, str] = {}
    waiting: list[tuple[str, str, bytes]] = []
    uploaded, size = 0, 0

    def flush() -> None:
        nonlocal uploaded, size
        found = server.upload(project, [(name, content) for _, name, content in waiting])
        addresses.update({item: found[name] for item, name, _ in waiting})
        if not uploaded:
            _, name, content = waiting[0]
            _check_shown(server, found[name], content)
        uploaded += len(waiting)
        waiting.clear()
        size = 0

    for number, (item, path) in enumerate(pictures, start=1):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
        name = upload_name(path.name, content)
        if name in there:
            addresses[item] = there[name]
        else:
            if waiting and size + len(content) > UPLOAD_BYTES:
                flush()
            waiting.append((item, name, content))
            size += len(content)
        if len(waiting) == UPLOAD_FILES or (waiting and number == len(pictures)):
            flush()
        if progress is not None:
            progress("pictures", number, len(pictures))
    return addresses, uploaded


def _check_shown(server: LabelStudio, address: str, content: bytes) -> None:
    """Make sure that annotators will see the picture, and not an error in its place."""
    if server.fetch(address) != content:
        raise ServerError(
            f"{server.url} took a picture, but does not show it at {address}: look at its log, and whether its folder "
            "of uploads (LABEL_STUDIO_BASE_DATA_DIR) can be written"
        )


def _pointed(task: Mapping[str, Any], addresses: Mapping[str, str], round_id: str) -> dict[str, Any]:
    """A task that points at its picture on the server, if it has one."""
    data = task["data"]
    image = {"image": addresses[data["item"]]} if data["item"] in addresses else {}
    return {**task, "data": {**data, **image, ROUND: round_id}}
