"""What mediapipe's landmarks are worth before anything is labeled: as joints to correct, and as a space to cover.

python benchmarks/evidence/detector_joints.py [FOLDER ...] [--out FILE.json]

Needs the extra [mediapipe]. Rendered: 200 frames of each scene in ten sequences, 21 joints, crops as without any option
(crop=auto). Found: the palm (mean of wrist and finger bases) is within 40 mm of where it is; the errors are of these.

What correcting costs, against clicking: putting a joint in its place is one action, whether it is clicked anew or
dragged; a predicted joint that is less than 5 px off stays, and costs a glance, of which five make an action. Frames
without a prediction cost as many actions as they have joints. Nothing is said of time: a drag also needs a look.

Coverage: 20 and 50 frames of the pool of all rendered frames, picked by k-center greedy from a first frame that the
seed draws, or by TypiClust, in the space of thumbnails or of landmarks; and at random. Of each pool frame, the mean
distance of its true joints, relative to the wrist, from those of its nearest pick: mean and largest over the pool, mm.

FOLDER: real depth folders (camera.yaml and frames) with palms.csv (frame,u,v: the middle of the palm, px). In how many
frames a hand is seen, and how far the middle of its palm is from the mark at the surface's depth, mm.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn import TypiClust
from seqgcn.coverage.k_center import k_center_greedy
from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.landmarks.found import Landmarks
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.learners.landmarks import embed
from seqgcn.rounds.inputs import thumbnails_of

SCENES = ("bare", "arm", "mixed")
PALM = (0, 1, 5, 9, 13, 17)
NEAR, HIT = 40.0, 60.0
MOVED, RIGHT, GLANCE = 5.0, 10.0, 0.2
SURE = 0.6
BUDGETS, SEEDS = (20, 50), tuple(range(5))


def main() -> int:
    """Measure, print tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, help="JSON file of the figures; a table .md beside it (default: none)")
    parser.add_argument("--frames", type=int, default=200, help="of each scene (default: 200)")
    parser.add_argument("--seed", type=int, default=7, help="of the rendering (default: 7)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[dict[str, Any]] = []
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with tempfile.TemporaryDirectory() as cache:
        for number, scene in enumerate(SCENES):
            root = Path(cache) / scene
            seed = arguments.seed + number
            write_dataset(root, "depth-folder", frames=arguments.frames, sequences=10, scene=scene, seed=seed)  # type: ignore[arg-type]
            hands = DepthFolder(root, "all", options=CropOptions(size=64, cache=cache, skip_empty=True)).prepare()
            started = time.perf_counter()
            landmarks = hands.landmarks()
            speed = len(hands) / (time.perf_counter() - started)
            rows += [_joints(scene, hands, landmarks, 0.0, speed), _joints(scene, hands, landmarks, SURE, speed)]
            print(json.dumps(rows[-2]), json.dumps(rows[-1]), sep="\n", flush=True)
            relative = hands.joints - hands.joints[:, :1]
            parts.append((thumbnails_of(hands.frames), embed(landmarks, hands.frames), relative))
        thumbnails, poses, true = (torch.cat(each) for each in zip(*parts, strict=True))
        coverage = _coverage({"thumbnails": thumbnails, "landmarks": poses}, true)
        real = [_real(folder, cache) for folder in arguments.folders]
    for row in [*coverage, *real]:
        print(json.dumps(row), flush=True)
    if arguments.out:
        figures = {"joints": rows, "coverage": coverage, "real": real}
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        tables = [_table(part) for part in (rows, coverage, real) if part]
        arguments.out.with_suffix(".md").write_text("\n".join(tables), encoding="utf-8")
    return 0


def _joints(scene: str, hands: DepthFolder, landmarks: Landmarks, least: float, speed: float) -> dict[str, Any]:
    """Errors of the joints of frames whose score is at least so much, and what it costs to correct them."""
    given = landmarks.found & (landmarks.score >= least)
    predicted, true = landmarks.joints(hands.landmark_weights), hands.joints
    finger = Landmarks.none(len(hands))
    order = hands.landmark_weights.argmax(dim=1)
    finger.points[:, order] = true
    off = (landmarks.points[:, PALM].mean(dim=1) - finger.points[:, PALM].mean(dim=1)).norm(dim=1)
    hit = given & (off <= NEAR)
    mm = (predicted - true).norm(dim=2)[hit]
    pixels = _pixels(hands, predicted, true)
    moved = (pixels[given] > MOVED).float().sum(dim=1)
    joints = true.shape[1]
    effort = torch.full((len(hands),), float(joints))
    effort[given] = moved + GLANCE * (joints - moved)
    # The renderer's hands are right ones, unless camera.yaml says otherwise.
    left = torch.zeros(len(hands), dtype=torch.bool) if hands.sides is None else hands.sides == 1
    return {
        "scene": scene,
        "score from": least,
        "frames": len(hands),
        "given": _share(given),
        "found within 40 mm": _share(hit),
        "joint error mm, median": round(float(mm.median()), 1),
        "joint error mm, mean": round(float(mm.mean()), 1),
        "joint error px, median": round(float(pixels[hit].median()), 1),
        "joint error px, mean": round(float(pixels[hit].mean()), 1),
        "joints within 10 px": _share(pixels[hit] <= RIGHT),
        "joints measured": _share(landmarks.measured[hit]),
        "joints to move, of those given": round(float(moved.mean()) / joints, 3),
        "actions, of clicking all": round(float(effort.mean()) / joints, 3),
        "right side": _share(landmarks.left[hit] == left[hit]),
        "frames/s": round(speed, 2),
    }


def _pixels(hands: DepthFolder, predicted: Tensor, true: Tensor) -> Tensor:
    """How far joints are apart in the image, `[n, J]` px."""
    there = predicted.isfinite().flatten(1).all(dim=1)
    apart = torch.full(predicted.shape[:2], torch.nan)
    places = [hands.camera.to_image(joints[there])[..., :2] for joints in (predicted, true)]
    apart[there] = (places[0] - places[1]).norm(dim=2)
    return apart


def _share(values: Tensor) -> float:
    return round(float(values.float().mean()), 3)


def _coverage(spaces: dict[str, Tensor], true: Tensor) -> list[dict[str, Any]]:
    n = len(true)
    apart = torch.stack([(true - true[i]).norm(dim=2).mean(dim=1) for i in range(n)])
    rows = []
    for budget in BUDGETS:
        ways: dict[str, list[Tensor]] = {"random": []}
        for seed in SEEDS:
            draw = torch.Generator().manual_seed(seed)
            order = torch.randperm(n, generator=draw)
            ways["random"].append(order[:budget])
            for space, x in spaces.items():
                rest = k_center_greedy(x, order[:1], budget - 1)
                ways.setdefault(f"k-center, {space}", []).append(torch.cat((order[:1], rest)))
                data = Data(x=x, train_mask=torch.zeros(n, dtype=torch.bool))
                picks = TypiClust(seed=seed).select(data, budget).index
                ways.setdefault(f"typiclust, {space}", []).append(picks)
        for name, picked in ways.items():
            nearest = [apart[:, picks].min(dim=1).values for picks in picked]
            means = [float(distances.mean()) for distances in nearest]
            largest = [float(distances.max()) for distances in nearest]
            rows.append(
                {
                    "budget": budget,
                    "picked by": name,
                    "mean mm": round(fmean(means), 2),
                    "sd of means": round(stdev(means), 2),
                    "largest mm": round(fmean(largest), 1),
                    "sd of largest": round(stdev(largest), 1),
                    "seeds": len(SEEDS),
                }
            )
    return rows


def _real(folder: Path, cache: str) -> dict[str, Any]:
    with open(folder / "palms.csv", newline="", encoding="utf-8-sig") as file:
        marks = {row["frame"]: (float(row["u"]), float(row["v"])) for row in csv.DictReader(file)}
    hands = DepthFolder(folder, "all", options=CropOptions(size=64, cache=cache, skip_empty=True)).prepare()
    ids = torch.tensor([i for i, file in enumerate(hands.files) if file in marks])
    landmarks = hands.landmarks(ids)
    palms = landmarks.points[:, PALM].mean(dim=1)
    off = []
    for palm, i in zip(palms, ids.tolist(), strict=True):
        if not bool(palm.isfinite().all()):
            continue
        u, v = (round(each) for each in marks[hands.files[i]])
        around = hands.depth(i).depth.numpy()[max(v - 3, 0) : v + 4, max(u - 3, 0) : u + 4]
        z = float(np.median(around[around > 0])) if (around > 0).any() else float(palm[2])
        off.append(float((hands.camera_of(i).to_world(torch.tensor([u, v, z])) - palm).norm()))
    return {
        "set": folder.name,
        "frames": len(ids),
        "given": len(off),
        "palm within 60 mm": sum(distance <= HIT for distance in off),
        "median mm": round(float(np.median(off)), 1) if off else "",
        "largest mm": round(max(off), 1) if off else "",
        "score, median": round(float(landmarks.score[landmarks.found].median()), 2) if off else "",
        "taken for left": int(landmarks.left.sum()),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
