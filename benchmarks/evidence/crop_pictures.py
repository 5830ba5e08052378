"""Pictures of crops that go wrong, and of the same frames with the cure, for the docs page on finding the hand.

python benchmarks/evidence/crop_pictures.py [--out docs/pictures]

Rendered scenes. Each pair shows frames of the sequence in which the first way is off the most often, of those that the
second cures: center of mass against the search for the hand where a person is in view; the search in a range that holds
nearer things against a range that starts behind them. Sequences without a cure are printed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.rendering import write_dataset
from seqgcn.report import crops_figure

OFF = 80.0
"""mm from the mean of the joints beyond which a crop counts as wrong."""


def main() -> int:
    """Render, find and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder (default: docs/pictures)")
    parser.add_argument("--seed", type=int, default=7, help="of the rendering (default: 7)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache:
        body = _render(Path(cache) / "body", "body", arguments.seed)
        _pair(body, cache, arguments.out, "mass", {"crop": "mass"}, {"crop": "rule"})
        objects = _render(Path(cache) / "objects", "objects", arguments.seed)
        _pair(objects, cache, arguments.out, "near", {"crop": "rule"}, {"crop": "rule", "behind": True})
    return 0


def _render(root: Path, scene: str, seed: int) -> Path:
    write_dataset(root, "depth-folder", frames=200, sequences=10, scene=scene, seed=seed)  # type: ignore[arg-type]
    return root


def _pair(root: Path, cache: str, out: Path, name: str, wrong: dict[str, object], cure: dict[str, object]) -> None:
    hands = _open(root, cache, wrong)
    missed, behind = _off(hands) > OFF, cure.pop("behind", False)
    for number in sorted(hands.sequence.unique().tolist(), key=lambda each: -int(missed[hands.sequence == each].sum())):
        ids = (hands.sequence == number).nonzero().flatten()
        if behind:
            cure["near"] = 50.0 * ((float(hands.joints[ids][..., 2].min()) - 30) // 50)
        cured = _open(root, cache, cure).subset(ids)
        if not (_off(cured) > OFF).any():
            break
        print(f"{name}: {cure} is no cure in sequence {number}")
    for options, which, shown in ((wrong, "wrong", _open(root, cache, wrong).subset(ids)), (cure, "right", cured)):
        said = ", ".join(f"{key} {value:g}" if key == "near" else f"crop={value}" for key, value in options.items())
        print(f"{name} {which}: {said}: {int((_off(shown) > OFF).sum())} of {len(shown)} more than {OFF:g} mm off")
        crops_figure(shown, out / f"{name}_{which}.png", title=said, most=4)


def _open(root: Path, cache: str, options: dict[str, object]) -> DepthFolder:
    return DepthFolder(root, "all", options=CropOptions(size=64, cache=cache, **options))  # type: ignore[arg-type]


def _off(hands: DepthFolder) -> Tensor:
    return (hands.find().points - hands.joints.mean(dim=1)).norm(dim=1).nan_to_num(torch.inf)


if __name__ == "__main__":
    sys.exit(main())
