"""Why a predicted loss is trained by rank and not by squared error: results/loss_prediction.json and .png.

python benchmarks/evidence/loss_prediction.py

Digits, small CNN. The scale of the loss shrinks while the task is learned, and the squared error follows it; what a
strategy needs of the predicted loss is the order of the items, here of the test images, by Spearman's correlation.
"""

import argparse
import json
import os
import platform
from importlib.metadata import version
from typing import Any, Literal, get_args

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from results import RESULTS

from seqgcn.datasets import Digits, Split
from seqgcn.learners import SmallCNNClassifier
from seqgcn.learners.loss_prediction import rank_correlation
from seqgcn.report.page import COLOURS, GREY, MARKERS, page
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.seeding import generator

Loss = Literal["ranking", "mse"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
NAMES = {"ranking": "ranking loss", "mse": "squared error"}

LABELS = (50, 100, 200, 400, 800)
SHOWN = 400
"""Number of labels whose every epoch is shown."""

Runs = dict[str, dict[int, dict[str, list[list[float]]]]]
"""For each loss and number of labels what was measured, seeds by epochs."""

CLAIM = "Does a module that learns to predict the loss rank unseen images better when trained by rank than by value?"


def measure(loss: Loss, labelled: Split, test: Split, seed: int) -> dict[str, list[float]]:
    """Train once; after each epoch, mean real losses of both splits, and of the test images the rank correlation."""
    epochs: dict[str, list[float]] = {"training loss": [], "test loss": [], "rank correlation": []}

    def after_epoch(stage: str, _done: int, _of: int) -> None:
        if stage != "train":
            return
        learner.module_.eval()
        actual = learner.item_losses(test.inputs, test.targets)
        predicted = learner.describe(test.inputs, ["loss_pred"]).loss_pred
        epochs["training loss"].append(float(learner.item_losses(labelled.inputs, labelled.targets).mean()))
        epochs["test loss"].append(float(actual.mean()))
        epochs["rank correlation"].append(rank_correlation(predicted, actual))
        learner.module_.train()

    learner = SmallCNNClassifier(num_classes=10, loss_prediction=LossPrediction(loss=loss), device="cpu", seed=seed)
    learner.fit(labelled.inputs, labelled.targets, progress=after_epoch)
    curves = {name: [round(value, 6) for value in values] for name, values in epochs.items()}
    return {**curves, "accuracy": [round(learner.score(test.inputs, test.targets), 6)]}


def run(seeds: int) -> Runs:
    """Train with each loss, number of labels and seed."""
    digits = Digits()
    runs: Runs = {loss: {} for loss in LOSSES}
    for count in LABELS:
        for loss in LOSSES:
            by_seed = []
            for seed in range(seeds):
                order = torch.randperm(len(digits.train), generator=generator(seed, "labelled"))
                by_seed.append(measure(loss, digits.train[order[:count]], digits.test, seed))
            runs[loss][count] = {name: [measured[name] for measured in by_seed] for name in by_seed[0]}
            print(
                f"{count} labels, {NAMES[loss]}: {at_end(runs, 'rank correlation')[NAMES[loss]][count]:.3f}", flush=True
            )
    return runs


def at_end(runs: Runs, name: str) -> dict[str, dict[int, float]]:
    """For each loss and number of labels what was measured after training, mean over seeds."""
    return {
        NAMES[loss]: {
            count: round(float(np.mean([row[-1] for row in by_seed[name]])), 4) for count, by_seed in of.items()
        }
        for loss, of in runs.items()
    }


def band(axes: Axes, x: Any, values: np.ndarray, rank: int, label: str, marker: str = "") -> None:
    """Mean over seeds `[seeds, x]` as a line, and all seeds as a band."""
    axes.fill_between(x, values.min(axis=0), values.max(axis=0), color=COLOURS[rank], alpha=0.15, linewidth=0)
    axes.plot(x, values.mean(axis=0), color=COLOURS[rank], marker=marker, label=label)


def draw(runs: Runs, seeds: int) -> None:
    """Write the picture."""
    shown = runs["ranking"][SHOWN]
    epochs = np.arange(1, len(shown["test loss"][0]) + 1)
    accuracies = at_end(runs, "accuracy")
    stop = round(LossPrediction().share * len(epochs)) + 0.5
    caption = (
        f"Digits, small CNN, {seeds} seeds: mean, and range over seeds. Left and middle: {SHOWN} labels; right of the "
        "dotted line no gradient flows from the predictor into the network. Left: network trained with the ranking "
        "loss. Middle and right: Spearman's correlation of predicted and real loss of 450 test images. Accuracy with "
        f"{SHOWN} labels: " + ", ".join(f"{means[SHOWN]:.2%} beside the {loss}" for loss, means in accuracies.items())
    )
    title = "A loss predicted by rank, and by value while it shrinks"
    with page(RESULTS / "loss_prediction.png", title, f"{caption}.", (11.0, 4.6)) as figure:
        left, middle, right = figure.subplots(1, 3)
        for rank, name in enumerate(("training loss", "test loss"), 2):
            band(left, epochs, np.array(shown[name]), rank, name.removesuffix(" loss") + " images")
        left.set_yscale("log")
        left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        left.set_ylabel("mean real loss (nats)")
        for rank, loss in enumerate(LOSSES):
            band(middle, epochs, np.array(runs[loss][SHOWN]["rank correlation"]), rank, NAMES[loss])
            values = np.stack([np.array(runs[loss][count]["rank correlation"])[:, -1] for count in LABELS], axis=1)
            band(right, LABELS, values, rank, NAMES[loss], MARKERS[rank])
        for axes in (left, middle):
            axes.axvline(stop, color=GREY, linestyle=":", linewidth=1)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        middle.set_ylabel("rank correlation on test images")
        right.sharey(middle)
        right.set_xscale("log")
        right.set_xticks(LABELS, [str(count) for count in LABELS])
        right.minorticks_off()
        right.set_xlabel("labels, after training")
        for axes in (left, middle, right):
            axes.legend(framealpha=1, edgecolor="white")


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds (default: 5)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = run(arguments.seeds)
    result = {
        "claim": CLAIM,
        "machine": f"{os.cpu_count()} CPU cores",
        "threads": 1,
        "configuration": {"dataset": "digits", "learner": "small-cnn", "labels": LABELS, "seeds": arguments.seeds},
        "versions": {"python": platform.python_version()}
        | {each: version(each) for each in ("seqgcn", "torch", "numpy", "scipy")},
        "after training, mean over seeds": {name: at_end(runs, name) for name in ("rank correlation", "accuracy")},
        "runs": runs,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "loss_prediction.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(runs, arguments.seeds)


if __name__ == "__main__":
    main()
