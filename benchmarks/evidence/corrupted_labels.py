"""What the checks say about a folder of rendered frames with one mistake each, and how long they take.

python benchmarks/evidence/corrupted_labels.py

Writes results/corrupted_labels.json and .md. No mistake may be accepted in silence, and nothing may be found in the
folder as it was rendered, in any scene.
"""

import json
import os
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from corruptions import CORRUPTIONS, Corruption

from seqgcn.datasets.hands import DepthFolder
from seqgcn.datasets.hands.checks import check_dataset
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.exceptions import DataFileError

RESULTS = Path(__file__).parent / "results"
FRAMES, SEQUENCES, SEED = 48, 4, 3
COPIES = 50
MANY = 400
"""Frames rendered for the measurement, each of which is there `COPIES` times, in a sequence each."""


def said_of(corruption: Corruption, rendered: Path, folder: Path) -> list[str]:
    """What is said about a copy of a folder with a mistake in it; nothing if it is accepted."""
    shutil.copytree(rendered, folder)
    corruption.make(folder)
    try:
        return [
            f"{finding.kind}: {finding}".replace(f"{folder}/", "").replace(str(folder), "FOLDER")
            for finding in check_dataset(DepthFolder(folder, "all")).findings
        ]
    except DataFileError as error:
        return [f"refused: {error}".replace(f"{folder}/", "")]


def large_folder(home: Path) -> Path:
    """20,000 frames."""
    small = write_dataset(home / "small", "depth-folder", frames=MANY, sequences=8, seed=SEED)
    large = home / "large"
    large.mkdir()
    shutil.copyfile(small / "camera.yaml", large / "camera.yaml")
    header, *rows = (small / "labels.csv").read_text(encoding="utf-8").splitlines()
    lines = [header]
    for copy in range(COPIES):
        for folder in sorted(small.glob("sequence_*")):
            (large / f"{copy:02d}_{folder.name}").mkdir()
            for file in folder.iterdir():
                os.link(file, large / f"{copy:02d}_{folder.name}" / file.name)
        lines += [f"{copy:02d}_{row}" for row in rows]
    (large / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return large


def measure(home: Path) -> dict[str, Any]:
    """Seconds to read the labels of 20,000 frames, and to check them."""
    folder = large_folder(home)
    start = time.perf_counter()
    hands = DepthFolder(folder, "all")
    read = time.perf_counter()
    report = check_dataset(hands)
    end = time.perf_counter()
    return {
        "frames": len(hands),
        "read_s": round(read - start, 2),
        "check_s": round(end - read, 2),
        "findings": len(report.findings),
    }


def main() -> None:
    """Try all, and write the table."""
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        rendered = write_dataset(home / "rendered", "depth-folder", frames=FRAMES, sequences=SEQUENCES, seed=SEED)
        for number, corruption in enumerate((Corruption("nothing", lambda _: None, "", ""), *CORRUPTIONS)):
            said = said_of(corruption, rendered, home / str(number))
            named = bool(said) and said[0].startswith(corruption.kind) and corruption.says in said[0]
            rows.append({"mistake": corruption.name, "said": said, "named": named})
            shutil.rmtree(home / str(number))
        measured = measure(home)
    silent = [row["mistake"] for row in rows[1:] if not row["said"]]
    configuration = {"frames": FRAMES, "sequences": SEQUENCES, "seed": SEED, "scene": "mixed"}
    result = {"configuration": configuration, "silent": silent, "rows": rows, "time": measured}
    (RESULTS / "corrupted_labels.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "corrupted_labels.md").write_text(table(rows, measured), encoding="utf-8")
    print((RESULTS / "corrupted_labels.md").read_text(encoding="utf-8"))


def table(rows: list[dict[str, Any]], measured: dict[str, Any]) -> str:
    """The result in Markdown."""
    right = sum(row["named"] for row in rows[1:])
    lines = [
        "# Labels with one mistake each, and what is said",
        "",
        f"{FRAMES} rendered frames of {SEQUENCES} mixed scenes. {len(rows) - 1} mistakes: "
        f"{sum(bool(row['said']) for row in rows[1:])} are found, and of {right} the cause is named. In the folder "
        f"without a mistake, {len(rows[0]['said']) or 'nothing'} is found.",
        "",
        f"{measured['frames']:,} frames with labels: {measured['check_s']:.1f} s to check, after "
        f"{measured['read_s']:.1f} s to read them ({os.cpu_count()} CPU cores, one thread); "
        f"{measured['findings'] or 'nothing'} found.",
        "",
        "| mistake | what is said |",
        "|---|---|",
    ]
    for row in rows[1:]:
        said = "<br>".join(row["said"]).replace("|", "\\|") or "**nothing**"
        lines.append(f"| {row['mistake']} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
