"""How near crops are to the hand in real frames whose palms were marked by eye.

python benchmarks/evidence/real_frames.py FOLDER [--out FILE.json]

FOLDER is a depth folder (camera.yaml and frames) with palms.csv (frame,u,v: the middle of the palm, px), or holds such
folders. For each way of finding the hand (rule, center of mass, and with the extra [mediapipe] the detector): the share
of marked frames whose center is within 60 mm of the mark, the median and the largest distance, mm. The mark's depth is
that of the surface there, or where nothing was measured that of the center.
"""

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.detector import detector_available
from seqgcn.exceptions import SeqGCNError

HIT = 60.0
Point = tuple[float, float, float]


def main() -> int:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="JSON file of the figures (default: none)")
    arguments = parser.parse_args()
    homes = sorted(path.parent for path in arguments.folder.rglob("palms.csv"))
    if not homes:
        print(f"there is no palms.csv in or below {arguments.folder}", file=sys.stderr)
        return 1
    rows = []
    for home in homes:
        try:
            rows += _measure(home)
        except SeqGCNError as error:
            print(f"{home}: {error}", file=sys.stderr)
            return 1
    print(f"{'frames of':24} {'center by':10} {'within 60 mm':>13} {'median mm':>10} {'largest mm':>11}")
    for row in rows:
        hits = f"{row['hits']} of {row['frames']}"
        print(f"{row['set']:24} {row['source']:10} {hits:>13} {row['median']:10.0f} {row['largest']:11.0f}")
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _measure(home: Path) -> list[dict[str, object]]:
    with open(home / "palms.csv", newline="", encoding="utf-8-sig") as file:
        marks = {row["frame"]: (float(row["u"]), float(row["v"])) for row in csv.DictReader(file)}
    crops = ("auto", "rule", "detector", "mass") if detector_available() else ("auto", "rule", "mass")
    ways = {crop: _by(home, crop) for crop in crops}
    rows = []
    hands = DepthFolder(home, "all", options=CropOptions(crop="rule"))
    for source, center in ways.items():
        off = [
            _distance(hands, i, marks[file], center(hands, i)) for i, file in enumerate(hands.files) if file in marks
        ]
        hits = sum(distance <= HIT for distance in off)
        figures = {"median": float(np.median(off)), "largest": max(off)}
        rows.append({"set": home.name, "source": source, "frames": len(off), "hits": hits, **figures})
    return rows


def _by(home: Path, crop: str) -> Callable[[DepthFolder, int], Point | None]:
    options = CropOptions(size=32, crop=crop, skip_empty=True)  # type: ignore[arg-type]
    hands = DepthFolder(home, "all", options=options).prepare()
    points = dict(zip(hands.files, hands.centers.points.tolist(), strict=True))
    return lambda all_hands, i: points.get(all_hands.files[i])


def _distance(hands: DepthFolder, i: int, mark: tuple[float, float], center: Point | None) -> float:
    if center is None or not all(map(math.isfinite, center)):
        return math.inf
    depth, camera = hands.depth(i).depth.numpy(), hands.camera_of(i)
    u, v = round(mark[0]), round(mark[1])
    around = depth[max(v - 3, 0) : v + 4, max(u - 3, 0) : u + 4]
    z = float(np.median(around[around > 0])) if (around > 0).any() else center[2]
    point = camera.to_world(torch.tensor([*mark, z]))
    return math.dist(point.tolist(), center)


if __name__ == "__main__":
    sys.exit(main())
