"""How often the hand is found in rendered scenes: by the rule, and by a localizer after 20, 50 and 200 labels.

python benchmarks/evidence/finding_hands.py [--out FILE.json]

200 frames of each scene in ten sequences. Distances are to the mean of the joints, on which crops by the truth are
centered, and to the middle of the palm (mean of wrist and finger bases), which is what clicks are for. The localizer is
trained on frames of other sequences of mixed scenes. Its confidence and the rule's are those of
`dataset.crop=localizer` and `rule`. Clicks: 20 or 50 frames of the scene, chosen as `select --ask center` does, are
clicked on the middle of the palm with an error of 5 px (standard deviation, along each axis); their depth is the
surface under the click and 12 mm. The other frames are found as with the resulting file of centers, `crop="auto"`.

False confidence: share of frames that are not doubtful, and more than 80 mm from the palm. The hand is the one that is
labeled: in half of the sequences of objects another one is in view, nearer to the camera, and a center on that counts
as wrong. The last table says how many frames of all scenes are within 40 mm of what is looked for, by confidence.

`--by` measures a part; of the others, what --out holds already stays.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn import CoreSet
from seqgcn.annotation.depths import BEHIND_SKIN
from seqgcn.annotation.preview import surface_at
from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.combining import may_mirror, rival_doubt, steadied
from seqgcn.datasets.hands.centers.files import center_rows
from seqgcn.datasets.hands.centers.finding import by_rule
from seqgcn.datasets.hands.centers.found import DOUBTFUL, RIGHT, Centers
from seqgcn.datasets.hands.centers.localizer import HeldOut, Localizer, out_of_fold, shrink
from seqgcn.datasets.hands.centers.rule import Candidate, candidates_of
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.rounds.clicks import thumbnails, with_doubt

SCENES = ("bare", "arm", "body", "table", "objects", "mixed")
LABELS = (20, 50, 200)
SOURCES = ("rule", "localizer", "clicks")
CLICKS = (20, 50)
NOISE = 5.0
"""Standard deviation of a click along each axis, px."""

BASES = 6
"""The first joints of the renderer's skeleton: the wrist and the bases of the fingers."""

BINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)


class Scene(NamedTuple):
    """Frames as they are found in: all that is needed of them, at once."""

    hands: DepthFolder
    grids: np.ndarray
    candidates: list[list[Candidate]]


def main() -> int:
    """Measure, print two tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file of the figures (default: none)")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES, help="which (default: all)")
    parser.add_argument("--seed", type=int, default=7, help="of the rendering (default: 7)")
    parser.add_argument("--by", nargs="+", choices=SOURCES, default=SOURCES, help="what finds hands (default: all)")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    all_found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    print(
        f"{'scene':9} {'by':10} {'labels':>6} {'within 40':>10} {'of palm':>8} {'median mm':>10} {'sure, > 80':>11} "
        f"{'doubtful':>9}"
    )

    def add(scene: str, source: str, labels: int, points: Tensor, confidence: Tensor, hands: DepthFolder) -> None:
        rows.append(_row(scene, source, labels, points, confidence, hands))
        true = hands.joints[:, :BASES] if source == "clicks" else hands.joints
        off = (points - true.mean(dim=1)).norm(dim=1).nan_to_num(torch.inf)
        if scene != "mixed":  # its scenes are in the others
            all_found.setdefault(f"{source} {labels or ''}".strip(), []).append((confidence, off))
        if arguments.out:
            _write(arguments.out, rows, arguments.by, all_found)

    with tempfile.TemporaryDirectory() as cache:
        scenes = {scene: _look(Path(cache) / scene, scene, arguments.seed, cache) for scene in arguments.scenes}
        rule = {name: by_rule(scene.candidates, scene.hands.sequence) for name, scene in scenes.items()}
        if "rule" in arguments.by:
            for name, scene in scenes.items():
                add(name, "rule", 0, rule[name].points, rule[name].confidence, scene.hands)
        if "localizer" in arguments.by:
            train = _look(Path(cache) / "train", "mixed", arguments.seed + 1, cache)
            for labels in LABELS:
                ids = np.linspace(0, len(train.hands) - 1, labels).round().astype(int)
                model, held = _learn(train, ids, arguments.seed)
                for name, scene in scenes.items():
                    points, confidence = _locate(model, held, train, ids, scene)
                    add(name, "localizer", labels, points, confidence, scene.hands)
        for name, scene in scenes.items() if "clicks" in arguments.by else ():
            for clicks in CLICKS:
                file = Path(cache) / f"{name}-{clicks}.csv"
                rest, after = _clicked(scene.hands, rule[name], clicks, file, arguments.seed)
                add(name, "clicks", clicks, after.points[rest], after.confidence[rest], scene.hands.subset(rest))
    for name, pairs in all_found.items():
        shown = "  ".join(f"{bin['from']:.1f}: {bin['within 40 mm']:.2f} of {bin['frames']}" for bin in _bins(pairs))
        print(f"{name:14} {shown}")
    return 0


def _write(
    out: Path, rows: list[dict[str, object]], by: Sequence[str], found: dict[str, list[tuple[Tensor, Tensor]]]
) -> None:
    """Rows of other sources stay as they are in the file."""
    held = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    kept = [row for row in held.get("found", []) if row["source"] not in by]
    bins = {name: row for name, row in held.get("by confidence", {}).items() if name.partition(" ")[0] not in by}
    bins |= {name: _bins(pairs) for name, pairs in found.items()}
    out.write_text(json.dumps({"found": rows + kept, "by confidence": bins}, indent=1) + "\n", encoding="utf-8")


def _look(root: Path, scene: str, seed: int, cache: str) -> Scene:
    write_dataset(root, "depth-folder", frames=200, sequences=10, scene=scene, seed=seed)  # type: ignore[arg-type]
    hands = DepthFolder(root, "all", options=CropOptions(crop="rule", cache=cache))
    grids, candidates = [], []
    for i in range(len(hands)):
        image = hands.depth(i)
        grids.append(shrink(image, hands.camera))
        options = hands.options
        candidates.append(candidates_of(image, hands.camera, float(hands.cube[i]), options.near, options.far))
    return Scene(hands, np.stack(grids), candidates)


def _clicked(hands: DepthFolder, rule: Centers, count: int, file: Path, seed: int) -> tuple[Tensor, Centers]:
    """Numbers of the frames that were not clicked, and the centers of all frames after so many clicks."""
    palms = hands.joints[:, :BASES].mean(dim=1)
    x, _ = thumbnails(hands)
    data = Data(x=with_doubt(x, rule), train_mask=torch.zeros(len(hands), dtype=torch.bool))
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
    return rest.nonzero().flatten(), DepthFolder(hands.root, "all", options=options).find()


def _learn(train: Scene, ids: np.ndarray, seed: int) -> tuple[Localizer, HeldOut]:
    hands, centers = train.hands, train.hands.joints[ids].mean(dim=1)
    grids, sequences = train.grids[ids], hands.sequence[ids].numpy()
    mirrored = may_mirror(centers, [train.candidates[i] for i in ids])
    held = out_of_fold(grids, hands.camera, centers, sequences, cube=250.0, seed=seed, mirrored=mirrored)
    model = Localizer.fit(grids, hands.camera, centers, cube=250.0, seed=seed, mirrored=mirrored)
    return model.calibrated(held), held


def _locate(model: Localizer, held: HeldOut, train: Scene, ids: np.ndarray, scene: Scene) -> tuple[Tensor, Tensor]:
    """Centers and confidence in a scene as a data set of labeled frames and these has them."""
    points, confidence = model.locate(scene.grids, scene.hands.camera)
    m = len(ids)
    doubted = rival_doubt(
        torch.cat((held.confidence, confidence)),
        torch.cat((held.points, points)),
        [*(train.candidates[i] for i in ids), *scene.candidates],
        torch.cat((train.hands.sequence[ids], scene.hands.sequence + len(train.hands))),
        torch.arange(m),
        held.error <= RIGHT,
    )
    return points, steadied(doubted[m:], points, scene.hands.sequence)


def _row(
    scene: str, source: str, labels: int, points: Tensor, confidence: Tensor, hands: DepthFolder
) -> dict[str, object]:
    def share(mask: Tensor) -> float:
        return round(float(mask.float().mean()), 3)

    sure = confidence >= DOUBTFUL
    off, palm = (
        (points - true).norm(dim=1).nan_to_num(torch.inf)
        for true in (hands.joints.mean(dim=1), hands.joints[:, :BASES].mean(dim=1))
    )
    row: dict[str, object] = {
        "scene": scene,
        "source": source,
        "labels": labels,
        "within 40 mm": share(off <= 40),
        "within 60 mm": share(off <= 60),
        "median mm": round(float(off.median()), 1),
        "within 40 mm of the palm": share(palm <= 40),
        "within 60 mm of the palm": share(palm <= 60),
        "sure and more than 80 mm off": share((palm > 80) & sure),
        "doubtful": share(~sure),
    }
    print(
        f"{scene:9} {source:10} {labels:6} {row['within 40 mm']:10} {row['within 40 mm of the palm']:8} "
        f"{row['median mm']:10} {row['sure and more than 80 mm off']:11} {row['doubtful']:9}",
        flush=True,
    )
    return row


def _bins(pairs: list[tuple[Tensor, Tensor]]) -> list[dict[str, float]]:
    """How many frames there are, and the share within 40 mm, for each range of confidence."""
    confidence, off = (torch.cat(values) for values in zip(*pairs, strict=True))
    bins = []
    for low, high in pairwise(BINS):
        inside = (confidence >= low) & (confidence < high)
        if inside.any():
            within = round(float((off[inside] <= 40).float().mean()), 3)
            bins.append({"from": low, "frames": int(inside.sum()), "within 40 mm": within})
    return bins


if __name__ == "__main__":
    sys.exit(main())
