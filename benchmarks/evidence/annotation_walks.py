"""Three walks of a new user to a second round, with two simulated annotators, every command timed.

python benchmarks/evidence/annotation_walks.py --out FOLDER

Depth frames (rendered), a folder of pictures without any label, and rows of features. The annotators are those of the
tests: they take Label Studio's tasks, click within 1 px of the joint, or name the class, and disagree now and then.
Writes results/annotation_walks.md; the seconds are of one machine, on which nothing else should run.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from results import RESULTS
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "tests"))

from annotation.annotator import label, together  # noqa: E402  # of the tests
from class_rounds import annotation  # noqa: E402

from seqgcn.config.registry import load  # noqa: E402


class Walk:
    """Commands run one after another in a folder, each with its seconds and the last line that it printed."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.rows: list[tuple[str, float, str]] = []
        folder.mkdir(parents=True)

    def run(self, *words: str) -> str:
        """Run `seqgcn WORDS`; whatever fails ends the walk."""
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "seqgcn", *words], cwd=self.folder, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        print(f"{self.name}: {' '.join(words)} ({seconds:.1f} s, exit code {done.returncode})", flush=True)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        said = [line for line in done.stdout.splitlines() if line.strip()]
        self.rows.append((" ".join(("seqgcn", *words)), seconds, said[0] if said else ""))
        return done.stdout


def frames(folder: Path) -> Walk:
    """Depth frames: 40 labels, a round of 10, two annotators, the next round."""
    walk = Walk("depth frames", folder)
    walk.run("render", "lab", "--layout", "depth-folder", "--frames", "120", "--sequences", "6")
    rows = (folder / "lab/labels.csv").read_text().splitlines(keepends=True)
    (folder / "labeled.csv").write_text("".join(rows[:41]))
    walk.run("check", "lab")
    quick = ["--set", "learner.epochs=5", "--set", "dataset.crop_size=64"]
    asked = ["--dataset", "depth-folder", "--root", "lab", "--labelled", "labeled.csv", "--budget", "10"]
    walk.run("select", *asked, "--min-gap", "5", "--out", "round-01", *quick)
    (folder / "export.json").write_text(json.dumps(_joints(folder)))
    walk.run("import", "round-01", "--from", "export.json")
    walk.run("report", "round-01")
    walk.run("select", "--continue", "round-01", "--out", "round-02")
    return walk


def _joints(folder: Path) -> list[dict[str, Any]]:
    """What two people export who click within a pixel of every joint."""
    hands: Any = load("dataset", "depth-folder")(root=str(folder / "lab"), crop_size=16).every_frame()
    poses = {item: hands.joints[number] for number, item in enumerate(hands.files)}
    exports = []
    for who in (1, 2):
        draw = np.random.default_rng(who)

        def click(_item: str, _joint: str, u: float, v: float, draw: Any = draw) -> tuple[float, float]:
            return u + draw.normal(0, 0.5), v + draw.normal(0, 0.5)

        tasks = folder / "round-01/tasks"
        exports.append(label(tasks, poses, hands.camera_of(0), hands.skeleton.joints, annotator=who, click=click))
    return together(*exports)


def pictures(folder: Path) -> Walk:
    """A flat folder of pictures of digits without any label: two rounds of classes."""
    walk = Walk("pictures", folder)
    data = load_digits()
    (folder / "pictures").mkdir()
    for number in range(300):
        pixels = (data.images[number] / 16 * 255).astype(np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(folder / f"pictures/img_{number:03d}.png")
    classes = [f"digit {number}" for number in range(10)]
    known = {f"img_{number:03d}.png": classes[data.target[number]] for number in range(300)}
    asked = ["--dataset", "image-folder", "--root", "pictures", "--budget", "20", "--classes", *classes]
    walk.run("select", *asked, "--selector", "typiclust", "--out", "round-01", "--set", "learner.epochs=5")
    _classes(folder, "round-01", known)
    walk.run("import", "round-01", "--from", "export.json", "--partial")
    walk.run("select", "--continue", "round-01", "--selector", "margin", "--out", "round-02")
    return walk


def features(folder: Path) -> Walk:
    """Rows of features with names: a round without labels, then one with a linear learner."""
    walk = Walk("rows of features", folder)
    data = load_digits()
    np.save(folder / "x.npy", data.data[:500].astype(np.float32))
    (folder / "names.txt").write_text("".join(f"row-{number}\n" for number in range(500)))
    known = {f"row-{number}": f"d{data.target[number]}" for number in range(500)}
    classes = sorted(set(known.values()))
    asked = ["--features", "x.npy", "--items", "names.txt", "--budget", "20", "--classes", *classes]
    walk.run("select", *asked, "--selector", "max-herding", "--out", "round-01")
    _classes(folder, "round-01", known)
    walk.run("import", "round-01", "--from", "export.json", "--partial")
    walk.run("select", "--continue", "round-01", "--selector", "posterior-design", "--out", "round-02")
    return walk


def _classes(folder: Path, round_name: str, known: dict[str, str]) -> None:
    """An export of two people; the second one errs in the last item."""
    tasks = json.loads((folder / round_name / "tasks/label_studio.json").read_text())
    made = []
    for number, task in enumerate(tasks, start=1):
        name = known[task["data"]["item"]]
        other = name if number < len(tasks) else next(each for each in sorted(set(known.values())) if each != name)
        given = [annotation(name, by=1, unique_id=f"a{number}"), annotation(other, by=2, unique_id=f"b{number}")]
        made.append({"id": number, "data": task["data"], "annotations": given, "drafts": [], "predictions": []})
    (folder / "export.json").write_text(json.dumps(made))


def table(walks: Sequence[Walk]) -> str:
    """The commands with their seconds."""
    where = f"{os.cpu_count()} processors, torch {torch.__version__}, Python {platform.python_version()}"
    lines = [f"Seconds on {where}. The first line that each command printed stands beside it.", ""]
    for walk in walks:
        total = sum(seconds for _, seconds, _ in walk.rows)
        lines += [f"## {walk.name.capitalize()}: {total:.0f} s", "", "| command | seconds | says |", "|---|---:|---|"]
        lines += [f"| `{words}` | {seconds:.1f} | {said} |" for words, seconds, said in walk.rows]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Walk all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out.resolve()
    walks = [walk(out / walk.__name__) for walk in (frames, pictures, features)]
    (RESULTS / "annotation_walks.md").write_text(table(walks))


if __name__ == "__main__":
    main()
