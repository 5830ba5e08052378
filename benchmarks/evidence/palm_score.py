"""Weights by which the rule judges places that may be hands, fitted on rendered scenes.

python benchmarks/evidence/palm_score.py

Renders frames of every scene, looks at all places that the rule looks at, and fits a logistic regression of whether the
middle of the palm (mean of wrist and finger bases) is within 60 mm. Prints WEIGHTS and BIAS of
seqgcn/datasets/hands/centers/rule.py, and the share of frames whose best place is right, on sequences left out.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.palms import grid_of
from seqgcn.datasets.hands.centers.rule import features_of, places_of
from seqgcn.datasets.hands.centers.wrist import hand_at
from seqgcn.datasets.hands.rendering import write_dataset

SCENES = ("arm", "body", "table", "objects")
RIGHT = 60.0
BASES = 6
"""The first joints of the renderer's skeleton: the wrist and the bases of the fingers."""


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=480, help="of each scene (default: 480)")
    parser.add_argument("--sequences", type=int, default=24, help="of each scene (default: 24)")
    parser.add_argument("--seed", type=int, default=100, help="of the rendering (default: 100)")
    arguments = parser.parse_args()
    rows: list[tuple[str, int, int, tuple[float, ...], float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for scene in SCENES:
            root = Path(folder) / scene
            write_dataset(
                root,
                "depth-folder",
                frames=arguments.frames,
                sequences=arguments.sequences,
                scene=scene,
                seed=arguments.seed,
            )
            rows += _look_at(root, scene, folder)
    x = np.array([row[3] for row in rows])
    right = np.array([row[4] < RIGHT for row in rows])
    for left_out in (0, 1):
        seen = np.array([row[1] % 2 != left_out for row in rows])
        model = _fit(x[seen], right[seen])
        print(f"sequences left out {left_out}:", _best(rows, model.decision_function(x), ~seen))
    model = _fit(x, right)
    print("WEIGHTS =", tuple(round(float(value), 2) for value in model.coef_[0]))
    print("BIAS =", round(float(model.intercept_[0]), 2))


def _fit(x: np.ndarray, right: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=0.3, max_iter=3000).fit(x, right)


def _look_at(root: Path, scene: str, cache: str) -> list[tuple[str, int, int, tuple[float, ...], float]]:
    hands = DepthFolder(root, "all", options=CropOptions(cache=cache))
    rows = []
    for i in range(len(hands)):
        camera = hands.camera_of(i)
        grid = grid_of(hands.depth(i), camera, 10, 1500)
        if grid is None:
            continue
        palms = places_of(grid, camera)
        front = min((palm.depth for palm in palms), default=0.0)
        true = hands.joints[i, :BASES].mean(dim=0)
        for palm in palms:
            off = float((torch.tensor(hand_at(grid, camera, palm.row, palm.column).center) - true).norm())
            rows.append((scene, int(hands.sequence[i]), i, features_of(palm, palm.depth - front), off))
    return rows


def _best(
    rows: list[tuple[str, int, int, tuple[float, ...], float]], score: np.ndarray, mask: np.ndarray
) -> dict[str, str]:
    """Share of frames whose best place is right, and of those that have a right one, by scene."""
    frames: dict[tuple[str, int], list[tuple[float, bool]]] = {}
    for k in np.flatnonzero(mask).tolist():
        scene, _, frame, _, off = rows[k]
        frames.setdefault((scene, frame), []).append((float(score[k]), off < RIGHT))
    told = {}
    for scene in SCENES:
        places = [found for key, found in frames.items() if key[0] == scene]
        best, any_right = (
            np.mean([f(found) for found in places]) for f in (lambda p: max(p)[1], lambda p: any(q[1] for q in p))
        )
        told[scene] = f"{best:.2f} of {any_right:.2f}"
    return told


if __name__ == "__main__":
    main()
