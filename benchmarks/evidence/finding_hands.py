"""How often the hand is found in rendered scenes: by the rule, by a localizer after 20, 50 and 200 labels, by clicks.

python benchmarks/evidence/finding_hands.py [--out FILE.json]

200 frames of each scene in ten sequences. The rule: distance of its center to the middle of the palm (mean of wrist
and finger bases), over all frames. The localizer: trained on frames of other sequences of mixed scenes, distance to the
mean of the joints, which is what it learns. Clicks: 20 or 50 frames of the scene, chosen as `select --ask center` does,
are clicked on the middle of the palm with an error of 5 px (standard deviation, along each axis); their depth is the
surface under the click and 12 mm. The other frames are found as with the resulting file of centers, `crop="auto"`, and
compared with the middle of the palm. False confidence: share of frames that are not doubtful (rule, clicks) or whose
confidence is at least 0.5 (localizer), and more than 80 mm off.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn import CoreSet
from seqgcn.annotation.depths import BEHIND_SKIN
from seqgcn.annotation.preview import surface_at
from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.files import center_rows
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.datasets.hands.centers.localizer import Localizer, out_of_fold, shrink
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.rounds.clicks import thumbnails, with_doubt

SCENES = ("bare", "arm", "body", "table", "objects", "mixed")
LABELS = (20, 50, 200)
CLICKS = (20, 50)
NOISE = 5.0
BASES = 6


def main() -> int:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file of the figures (default: none)")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES, help="which (default: all)")
    parser.add_argument("--seed", type=int, default=7, help="of the rendering (default: 7)")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    print(
        f"{'scene':9} {'by':10} {'labels':>6} {'within 40':>10} {'within 60':>10} {'median mm':>10} {'sure, > 80':>11}"
    )
    with tempfile.TemporaryDirectory() as cache:
        for scene in arguments.scenes:
            hands = _render(Path(cache) / scene, scene, arguments.seed, cache)
            found = hands.find()
            palms = hands.joints[:, :BASES].mean(dim=1)
            rows.append(_row(scene, "rule", 0, found.points, palms, ~found.doubtful))
            for clicks in CLICKS:
                rest, after = _clicked(hands, palms, clicks, Path(cache) / f"{scene}-{clicks}.csv", arguments.seed)
                rows.append(_row(scene, "clicks", clicks, after.points[rest], palms[rest], ~after.doubtful[rest]))
        if arguments.scenes[-1] != "mixed":
            return _write(arguments.out, rows)
        train = _render(Path(cache) / "train", "mixed", arguments.seed + 1, cache)
        grids, tests = _grids(train), _grids(hands)
        for labels in LABELS:
            ids = np.linspace(0, len(train) - 1, labels).round().astype(int)
            centers = train.joints[ids].mean(dim=1)
            held = out_of_fold(
                grids[ids], train.camera, centers, train.sequence[ids].numpy(), cube=250.0, seed=arguments.seed
            )
            model = Localizer.fit(grids[ids], train.camera, centers, cube=250.0, seed=arguments.seed).calibrated(held)
            points, confidence = model.locate(tests, hands.camera)
            rows.append(_row("mixed", "localizer", labels, points, hands.joints.mean(dim=1), confidence >= 0.5))
    return _write(arguments.out, rows)


def _write(out: Path | None, rows: list[dict[str, object]]) -> int:
    if out:
        out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _render(root: Path, scene: str, seed: int, cache: str) -> DepthFolder:
    write_dataset(root, "depth-folder", frames=200, sequences=10, scene=scene, seed=seed)  # type: ignore[arg-type]
    return DepthFolder(root, "all", options=CropOptions(crop="rule", cache=cache))


def _clicked(hands: DepthFolder, palms: Tensor, count: int, file: Path, seed: int) -> tuple[Tensor, Centers]:
    """Frames that were not clicked, and the centers of all frames after so many clicks."""
    x, _ = thumbnails(hands)
    data = Data(x=with_doubt(x, hands.find()), train_mask=torch.zeros(len(hands), dtype=torch.bool))
    picks = CoreSet().select(data, count).index
    places = hands.camera.to_image(palms.double())[:, :2]
    places += NOISE * torch.randn(places.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    clicks = {}
    for i in picks.tolist():
        u, v = places[i].tolist()
        surface = surface_at(hands.depth(i), u, v, hands.options.near, hands.options.far)
        if surface is not None:  # else it is left out
            point = torch.tensor([u, v, surface + BEHIND_SKIN["palm"]], dtype=torch.float64)
            clicks[hands.files[i]] = hands.camera.to_world(point).tolist()
    file.write_text(center_rows(clicks, []), encoding="utf-8")
    options = replace(hands.options, crop="auto", centers=str(file))
    rest = torch.ones(len(hands), dtype=torch.bool)
    rest[picks] = False
    return rest, DepthFolder(hands.root, "all", options=options).find()


def _grids(hands: DepthFolder) -> np.ndarray:
    return np.stack([shrink(hands.depth(i), hands.camera) for i in range(len(hands))])


def _row(scene: str, source: str, labels: int, points: Tensor, true: Tensor, sure: Tensor) -> dict[str, object]:
    off = (points - true).norm(dim=1).nan_to_num(torch.inf)
    row: dict[str, object] = {
        "scene": scene,
        "source": source,
        "labels": labels,
        "within 40 mm": round(float((off <= 40).float().mean()), 3),
        "within 60 mm": round(float((off <= 60).float().mean()), 3),
        "median mm": round(float(off.median()), 1),
        "sure and more than 80 mm off": round(float(((off > 80) & sure).float().mean()), 3),
        "doubtful": round(1 - float(sure.float().mean()), 3),
    }
    print(
        f"{scene:9} {source:10} {labels:6} {row['within 40 mm']:10} {row['within 60 mm']:10} {row['median mm']:10} "
        f"{row['sure and more than 80 mm off']:11}",
        flush=True,
    )
    return row


if __name__ == "__main__":
    sys.exit(main())
