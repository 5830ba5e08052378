"""Takes rounds through a running Label Studio as two annotators would, and stops where anything is not as it should be.

Arguments: an empty folder, address of the server, a legacy token of one user, a personal access token of another.
"""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from annotation.annotator import label  # noqa: E402
from hand_rounds import keep_labels, truth  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

from seqgcn import __version__  # noqa: E402
from seqgcn.exceptions import ServerError  # noqa: E402
from seqgcn.integrations.label_studio.connection import Connection  # noqa: E402

KILLED = """
import os, signal, sys
from seqgcn.cli import main
from seqgcn.integrations.label_studio import LabelStudio
LabelStudio.add_tasks = lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""

OF_THE_MACHINE = {r"process \d+ on \S+ \(since [^)]*\)": "process 1 on here (since then)", r"; [\d.]+ GB are free": ""}
"""What is left out of the record."""

Marks = Callable[[Path], dict[str, list[dict[str, Any]]]]
"""What somebody who knows would answer to a round, by item."""


def say(text: str) -> None:
    for pattern, instead in OF_THE_MACHINE.items():
        text = re.sub(pattern, instead, text)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def environment(token: str) -> dict[str, str]:
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return {
        **os.environ,
        "PYTHONPATH": path,
        "LABEL_STUDIO_API_KEY": token,
        "SEQGCN_CACHE": str(Path("cache").resolve()),
    }


class Walk:
    """Commands in the working directory, and the people who label.

    Args:
        url: Of the server.
        tokens: Of both.
    """

    def __init__(self, url: str, tokens: list[str]) -> None:
        self.url, self.tokens = url, tokens
        self.people = [Connection(url, token) for token in tokens]

    def run(self, line: str, code: int = 0, *, user: int = 0, within: str = "") -> str:
        """The output of a command of seqgcn, which is shown."""
        say(f"$ seqgcn {line}")
        words = [sys.executable, *(("-c", within) if within else ("-m", "seqgcn")), *shlex.split(line)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment(self.tokens[user]), check=False)
        text = done.stdout + done.stderr
        say(text.rstrip())
        assert done.returncode == code, f"exit code {done.returncode}, not {code}"
        return text

    def start(self, line: str) -> "subprocess.Popen[str]":
        say(f"$ seqgcn {line} &")
        words = [sys.executable, "-m", "seqgcn", *shlex.split(line)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            words, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment(self.tokens[0])
        )

    def project_of(self, folder: str) -> int:
        line = next(line for line in Path(folder, "project.yaml").read_text().splitlines() if "project:" in line)
        return int(line.partition(":")[2])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        found = self.people[0].get("/api/tasks/", {"project": project, "page_size": 500, "fields": "all"})["tasks"]
        return list(found)

    def label_next(self, user: int, project: int, answers: dict[str, list[dict[str, Any]]], skip: str = "") -> int:
        """Label what the server gives, one after the other, as its page does; how many."""
        count = 0
        while True:
            try:
                task = self.people[user].get(f"/api/projects/{project}/next")
            except ServerError as error:
                if error.status == 404:
                    return count
                raise
            item = task["data"]["item"]
            content = {"result": [] if item == skip else answers[item], "was_cancelled": item == skip}
            self.people[user].send("POST", f"/api/tasks/{task['id']}/annotations/", content)
            count += 1


def there_and_back(walk: Walk, first: str, following: str, answers: Marks, what: str) -> None:
    """Two rounds of a kind, one project, two annotators.

    Args:
        walk: The server.
        first: Folder of a round that picked 6 items.
        following: What else `select --continue` is told, to pick 4 more.
        answers: Of the annotators.
        what: They label, for what is shown.
    """
    say(f"\n# {what}: killed between upload and tasks, then again, then once more")
    push = f"push {first} --label-studio {walk.url} --annotators 2"
    walk.run(push, -signal.SIGKILL, within=KILLED)
    project = walk.project_of(first)
    assert not walk.tasks(project)
    assert "0 pictures uploaded, 6 tasks added" in walk.run(push)
    assert "0 pictures uploaded, 0 tasks added" in walk.run(f"push {first}")
    tasks = walk.tasks(project)
    assert len(tasks) == 6
    uploads = walk.people[0].get(f"/api/projects/{project}/file-uploads", {"all": "true"})
    assert len(uploads) == 6
    handed_off = json.loads(Path(first, "tasks/label_studio.json").read_text())
    predicted = {task["data"]["item"]: task.get("predictions", []) for task in handed_off}
    for task in tasks:
        assert [each["result"] for each in task["predictions"]] == [
            each["result"] for each in predicted[task["data"]["item"]]
        ]
        for person in walk.people:
            shown = person.fetch(task["data"]["image"])
            assert shown is not None
            assert shown in [path.read_bytes() for path in Path(first, "tasks/images").iterdir()]
    say(f"{len(tasks)} tasks with their predictions, {len(uploads)} uploads, every picture shown to both annotators")

    say(f"\n# {what}: waiting, interrupted")
    walk.run(f"pull {first}", 1)
    waiting = walk.start(f"pull {first} --wait --every 1")
    assert waiting.stdout is not None
    say(waiting.stdout.readline().rstrip())
    waiting.send_signal(signal.SIGINT)
    say(waiting.communicate(timeout=60)[0].rstrip())
    assert waiting.returncode == 130

    say(f"\n# {what}: waiting while two annotators label, of whom one skips a picture")
    waiting = walk.start(f"pull {first} --wait --every 1")
    known = answers(Path(first))
    assert walk.label_next(0, project, known, skip=list(known)[2]) >= 5
    say("ann@lab.org is done")
    time.sleep(2.5)
    walk.label_next(1, project, known)
    say("bo@lab.org is done")
    output = waiting.communicate(timeout=120)[0]
    say(output.rstrip())
    assert waiting.returncode == 0
    assert "6 of 6 done" in output
    assert "ann@lab.org" in Path(first, "pulled-1.json").read_text()

    say(f"\n# {what}: the next round in the same project, pushed with a personal access token")
    second = first.replace("1", "2")
    walk.run(f"select --continue {first} --budget 4 --out {second} --quiet {following}")
    told = walk.run(f"push {second} --label-studio {walk.url} --project {project} --annotators 1", user=1)
    assert "4 tasks added" in told
    assert len(walk.tasks(project)) == 10
    known = answers(Path(second))
    items = list(known)
    mine = {
        task["data"]["item"]: task["id"]
        for task in walk.tasks(project)
        if task["data"]["round"] != tasks[0]["data"]["round"]
    }
    for item in items[:2]:
        walk.people[1].send("POST", f"/api/tasks/{mine[item]}/annotations/", {"result": known[item]})
    walk.people[1].send("POST", f"/api/tasks/{mine[items[2]]}/drafts", {"result": known[items[2]]})
    assert "2 of 4 done, 0 skipped, 1 drafts, 1 open" in walk.run(f"pull {second}", 1, user=1)
    walk.run(f"pull {second} --partial", user=1)
    for item in items[2:]:
        walk.people[0].send("POST", f"/api/tasks/{mine[item]}/annotations/", {"result": known[item]})
    assert "4 of 4 done" in walk.run(f"pull {second}", user=1)


def joints(walk: Walk) -> None:
    """Rendered hands, marked where their joints are."""
    hands: list[Any] = []

    def answers(folder: Path) -> dict[str, list[dict[str, Any]]]:
        hands[:] = hands or [truth("depth-folder", Path("lab"))]
        poses = dict(zip(hands[0].files, hands[0].joints, strict=True))
        marked = label(folder / "tasks", poses, hands[0].camera, hands[0].skeleton.joints)
        return {task["data"]["item"]: task["annotations"][0]["result"] for task in marked}

    walk.run("render lab --layout depth-folder --frames 60 --sequences 3 --scene bare")
    keep_labels("depth-folder", Path("lab"), Path("labeled.csv"), 20)
    quick = "--set learner.epochs=2 --set dataset.crop_size=48 --set dataset.crop=mass --set dataset.accept_crops=true"
    walk.run(
        f"select --dataset depth-folder --root lab --labelled labeled.csv --budget 6 --out joints-1 --quiet {quick}"
    )
    there_and_back(walk, "joints-1", "", answers, "joints")
    by_hand(walk, answers(Path("joints-1")), quick)


def classes(walk: Walk) -> None:
    """Pictures of three kinds, called what they are."""
    draw = random.Random(0)
    kinds = {
        "circle": ImageDraw.ImageDraw.ellipse,
        "cross": ImageDraw.ImageDraw.line,
        "square": ImageDraw.ImageDraw.rectangle,
    }
    for number in range(45):
        kind = sorted(kinds)[number % 3]
        picture = Image.new("L", (32, 32), draw.randrange(40))
        left, top, side = draw.randrange(12), draw.randrange(12), draw.randrange(10, 20)
        drawn = ImageDraw.Draw(picture)
        kinds[kind](drawn, (left, top, left + side, top + side), fill=255)
        path = Path("pictures", kind, f"{number:02d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    items = sorted(str(path.relative_to("pictures")) for path in Path("pictures").rglob("*.png"))
    rows = [f"{item},{item.partition('/')[0]}" for item in items[::4]]
    Path("known.csv").write_text("\n".join(["item,class", *rows, ""]))

    def answers(folder: Path) -> dict[str, list[dict[str, Any]]]:
        asked = json.loads((folder / "tasks/label_studio.json").read_text())
        region = {"id": "a", "from_name": "class", "to_name": "image", "type": "choices"}
        return {
            item: [{**region, "value": {"choices": [item.partition("/")[0]]}}]
            for item in (task["data"]["item"] for task in asked)
        }

    quick = "--set learner.epochs=2 --set dataset.test_fraction=0.1"
    walk.run(
        f"select --dataset image-folder --root pictures --labelled known.csv --budget 6 --out classes-1 --quiet {quick}"
    )
    there_and_back(walk, "classes-1", "", answers, "classes")


def by_hand(walk: Walk, answers: dict[str, list[dict[str, Any]]], quick: str) -> None:
    """Files carried by hand: pictures below one document root, shown where the project has a storage of local files."""
    say("\n# files carried by hand: --document-root, a storage of local files, an export")
    words = f"--labelled labeled.csv --budget 6 --quiet {quick} --document-root ."
    walk.run(f"select --dataset depth-folder --root lab --out rounds/hand-1 {words}")
    tasks = json.loads(Path("rounds/hand-1/tasks/label_studio.json").read_text())
    asks = Path("rounds/hand-1/tasks/label_studio.xml").read_text()
    person = walk.people[0]
    project = person.send("POST", "/api/projects/", {"title": "by hand", "label_config": asks})["id"]
    person.send("POST", f"/api/projects/{project}/import", tasks)
    picture = tasks[0]["data"]["image"]
    assert person.fetch(picture) is None
    say(f"{picture}: not shown")
    storage = {"project": project, "title": "rounds", "path": str(Path("rounds").resolve()), "use_blob_urls": True}
    person.send("POST", "/api/storages/localfiles/", storage)
    assert person.fetch(picture) == Path(picture.partition("?d=")[2]).read_bytes()
    say(f"{picture}: shown, with a storage of the folder rounds")
    try:
        root = {**storage, "path": str(Path().resolve())}
        person.send("POST", "/api/storages/localfiles/", root)
        say("the document root is taken as a storage")
    except ServerError as error:
        say(f"the document root as a storage: {error}")
    for task in walk.tasks(project):
        person.send("POST", f"/api/tasks/{task['id']}/annotations/", {"result": answers[task["data"]["item"]]})
    walk.run(f"pull rounds/hand-1 --label-studio {walk.url} --project {project}")


def main() -> None:
    folder, url, *tokens = sys.argv[1:]
    os.chdir(folder)
    walk = Walk(url, tokens)
    version = walk.people[0].get("/api/version/")["release"]
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, seqgcn {__version__}, Label Studio {version}")
    start = time.monotonic()
    for kind in (joints, classes):
        kind(walk)
    say(f"\nall as it should be, in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
