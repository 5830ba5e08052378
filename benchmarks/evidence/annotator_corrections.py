"""Which joints of a corrected prediction should be trained on: results/annotator_corrections.

python benchmarks/evidence/annotator_corrections.py

A network trained on 100 labeled frames predicts the joints of others, at random. A script corrects them as annotators
do: it moves only joints that are more than 5 mm off in the picture, to where they are, and in one frame of four, in a
hurry, none at all. Depths are the true ones, so that places alone differ. A new network is trained on the 100 labels
and on joints that were moved (`moved`), on all joints of frames in which one was (`confirmed`), or on all (`all`). All
is measured on frames of other subjects.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import Tensor

from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.learners import HandPose

RESULTS = Path(__file__).parent / "results"
FIRST, CORRECTED, EPOCHS = 100, (50, 150), 30
OFF, HURRIED = 5.0, 4
"""mm from where a joint is moved, and of how many frames one is submitted as it was given."""

KINDS = ("all", "confirmed", "moved")


def corrected(predicted: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Joints as they are submitted, `[n, J, 3]` mm, and which of them were moved, `[n, J]` bool."""
    off = (predicted - true)[..., :2].norm(dim=2)
    moved = off > OFF
    moved[::HURRIED] = False
    # The places of the prediction at the true depth: both on one ray.
    kept = predicted * (true[..., 2:] / predicted[..., 2:])
    return torch.where(moved.unsqueeze(2), true, kept), moved


def trained_on(joints: Tensor, moved: Tensor, kind: str) -> Tensor:
    """The same with NaN where nothing is trained on."""
    if kind == "all":
        return joints
    counts = moved if kind == "moved" else moved.any(dim=1, keepdim=True).expand_as(moved)
    return joints.masked_fill(~counts.unsqueeze(2), torch.nan)


def main() -> None:
    """Measure, print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how often (default: 3)")
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    begun = time.perf_counter()
    dataset = RenderedHands(frames=600, sequences=10, test_frames=200, crop_size=64)
    dataset.prepare()
    train, test = dataset.train, dataset.test
    learner = HandPose(epochs=EPOCHS, validation=0.0, device="cpu")
    errors: dict[tuple[str, int], list[float]] = {}
    before, shares = list[float](), list[float]()
    for seed in range(seeds):
        order = torch.randperm(len(train.targets), generator=torch.Generator().manual_seed(seed))
        first, rest = order[:FIRST], order[FIRST : FIRST + max(CORRECTED)]
        learner.set_params(seed=seed).fit(train.inputs[first], train.targets[first])
        before.append(learner.score(test.inputs, test.targets))
        joints, moved = corrected(learner.predict(train.inputs[rest]), train.targets[rest])
        shares.append(float(moved.float().mean()))
        for count in CORRECTED:
            for kind in KINDS:
                targets = trained_on(joints[:count], moved[:count], kind)
                known = targets.isfinite().all(dim=2).any(dim=1)
                ids = torch.cat([first, rest[:count][known]])
                learner.fit(train.inputs[ids], torch.cat([train.targets[first], targets[known]]))
                errors.setdefault((kind, count), []).append(learner.score(test.inputs, test.targets))
                print(seed, count, kind, round(errors[kind, count][-1], 2), flush=True)
    write(errors, before, shares, time.perf_counter() - begun)


def write(errors: dict[tuple[str, int], list[float]], before: list[float], shares: list[float], seconds: float) -> None:
    """Write results/annotator_corrections.json and .md."""
    rows = [("(the 100 labels)", 0, fmean(before), stdev(before), 0.0)]
    for (kind, count), values in errors.items():
        paired = [value - other for value, other in zip(values, errors["all", count], strict=True)]
        rows.append((kind, count, fmean(values), stdev(values), fmean(paired)))
    lines = [
        "Which joints of a corrected prediction should be trained on?",
        "",
        f"Rendered hands; {FIRST} labels, and frames in which joints more than {OFF:g} mm off were moved, "
        f"{fmean(shares):.0%} of all; one frame of {HURRIED} was submitted as it was given. Rendered; says little "
        "about real cameras.",
        "",
        "| trained on | corrected frames | mean joint error, mm | sd over seeds | minus all, mm |",
        "|---|---|---|---|---|",
        *(f"| {kind} | {count} | {mean:.2f} | {sd:.2f} | {less:+.2f} |" for kind, count, mean, sd, less in rows),
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "annotator_corrections.md").write_text("\n".join(lines) + "\n")
    result = {
        "first labels": FIRST,
        "epochs": EPOCHS,
        "moved from, mm": OFF,
        "submitted unchanged, one frame of": HURRIED,
        "share of joints moved": shares,
        "seconds": round(seconds),
        "error before, mm": before,
        "errors, mm": [{"trained on": kind, "frames": count, "mm": mm} for (kind, count), mm in errors.items()],
    }
    (RESULTS / "annotator_corrections.json").write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
