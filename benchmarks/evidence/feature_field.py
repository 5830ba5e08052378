"""Selectors on rows of features with a linear learner: nine sets, three budgets, paired over seeds.

python benchmarks/evidence/feature_field.py run --data FOLDER --out runs/feature-field
python benchmarks/evidence/feature_field.py report --out runs/feature-field

FOLDER holds cifar-10-batches-bin/ and cora/ (Planetoid's raw files); sets whose files are missing are left out and
named. `feature_field.yaml` is the plan: sets, budgets, seeds and selectors, fixed before the first run of these seeds.
Each cell (set, budget, selector, seed) is one line of a JSON-lines file, and is not computed again.
"""

import argparse
import json
import pickle
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from results import RESULTS
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from torch import Tensor
from torch.nn import functional as F

from seqgcn.config.registry import make
from seqgcn.evaluation import holm, wilcoxon_p
from seqgcn.learners import LinearLearner
from seqgcn.selectors import for_cycle
from seqgcn.utils.seeding import derive_seed

HERE = Path(__file__).parent
PLAN: dict[str, Any] = yaml.safe_load((HERE / "feature_field.yaml").read_text())


class Table(NamedTuple):
    """Features [n, d] float32 and targets: classes [n] int64, or numbers [n, k] float32."""

    x: Tensor
    y: Tensor


def standardized(x: NDArray[Any]) -> NDArray[Any]:
    """Columns of mean 0 and deviation 1."""
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def from_sklearn(load: Callable[[], Any], *, numbers: bool = False, scale: bool = True) -> Table:
    """A table that scikit-learn carries."""
    data = load()
    x = standardized(data.data) if scale else data.data / 16
    y = standardized(data.target[:, None]).astype(np.float32) if numbers else data.target.astype(np.int64)
    return Table(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y))


def random_convolutions(images: Tensor, *, size: int, channels: int, seed: int) -> Tensor:
    """Two random convolutional layers with rectification and pooling, then 64 principal components, [n, 64]."""
    draw = torch.Generator().manual_seed(seed)
    first = torch.randn(channels, images.shape[1], size, size, generator=draw)
    second = torch.randn(2 * channels, channels, 3, 3, generator=draw)
    first -= first.mean(dim=(1, 2, 3), keepdim=True)
    maps = []
    for some in images.split(500):
        hidden = F.max_pool2d(F.relu(F.conv2d(some, first, padding=size // 2)), 2)
        hidden = F.relu(F.conv2d(hidden / hidden.std(), second - second.mean(dim=(1, 2, 3), keepdim=True), padding=1))
        maps.append(F.adaptive_avg_pool2d(hidden, 2).flatten(1))
    values = PCA(64, random_state=0).fit_transform(standardized(torch.cat(maps).numpy()))
    return torch.from_numpy((values / values.std()).astype(np.float32))


def digits_convolved() -> Table:
    """Digits through random convolutions."""
    data = load_digits()
    images = torch.from_numpy(data.images).float().unsqueeze(1) / 16
    return Table(random_convolutions(images, size=3, channels=16, seed=0), torch.from_numpy(data.target).long())


def cifar(root: Path, n: int = 2500) -> tuple[Tensor, Tensor]:
    """The first n training images of CIFAR-10, [n, 3, 32, 32] in [0, 1], and classes."""
    raw = np.fromfile(root / "cifar-10-batches-bin" / "data_batch_1.bin", np.uint8).reshape(-1, 3073)[:n]
    images = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255)
    return images, torch.from_numpy(raw[:, 0].astype(np.int64))


def gradients_of_cifar(root: Path) -> Table:
    """Histograms of oriented gradients, 4 x 4 cells of 9 orientations, beside mean colors of 4 x 4 cells."""
    images, y = cifar(root)
    gray = images.mean(dim=1).numpy()
    across, down = np.gradient(gray, axis=2), np.gradient(gray, axis=1)
    length, turn = np.hypot(across, down), (np.arctan2(down, across) % np.pi) / np.pi * 9
    low, share = np.floor(turn).astype(int) % 9, turn - np.floor(turn)
    cells = []
    for bin_ in range(9):
        weight = length * ((low == bin_) * (1 - share) + ((low + 1) % 9 == bin_) * share)
        cells.append(weight.reshape(len(gray), 4, 8, 4, 8).sum(axis=(2, 4)))
    histogram = np.stack(cells, axis=-1).reshape(len(gray), -1)
    histogram /= np.linalg.norm(histogram, axis=1, keepdims=True).clip(1e-6)
    colors = F.adaptive_avg_pool2d(images, 4).flatten(1).numpy()
    return Table(torch.from_numpy(np.hstack([histogram, colors - colors.mean(axis=0)]).astype(np.float32)), y)


def convolved_cifar(root: Path) -> Table:
    """CIFAR-10 through random convolutions."""
    images, y = cifar(root)
    return Table(random_convolutions(images - images.mean(), size=5, channels=32, seed=0), y)


def cora(root: Path) -> Table:
    """Words of Cora's papers averaged twice over its edges (SGC, Wu et al., ICML 2019), 64 singular vectors."""

    def held(name: str) -> Any:
        return pickle.loads((root / "cora" / f"ind.cora.{name}").read_bytes(), encoding="latin1")  # noqa: S301

    test = [int(line) for line in (root / "cora" / "ind.cora.test.index").read_text().split()]
    x = np.vstack([held("allx").toarray(), held("tx").toarray()])
    y = np.vstack([held("ally"), held("ty")])
    x[test], y[test] = x[sorted(test)], y[sorted(test)]
    links = np.eye(len(x))
    for node, others in held("graph").items():
        links[node, others] = links[others, node] = 1
    scale = links.sum(axis=1) ** -0.5
    links = scale[:, None] * links * scale
    values = TruncatedSVD(64, random_state=0).fit_transform(links @ (links @ x))
    return Table(torch.from_numpy((values / values.std()).astype(np.float32)), torch.from_numpy(y.argmax(axis=1)))


def hands() -> Table:
    """Thumbnails 16 x 16 of rendered hand sequences, and the pose around its mean, cm; one split for pool and test."""
    from seqgcn.datasets.hands.rendered import RenderedHands

    data = RenderedHands(frames=2000, sequences=20, test_frames=10, crop_size=64)
    data.prepare()
    crops = data.train.inputs.crops[:2000].astype(np.float32)
    small = F.adaptive_avg_pool2d(torch.from_numpy(crops).unsqueeze(1), 16).flatten(1).numpy()
    values = PCA(64, random_state=0).fit_transform(small)
    joints = data.train.targets[:2000]
    poses = (joints - joints.mean(dim=1, keepdim=True)).flatten(1) / 10
    return Table(torch.from_numpy((values / values.std()).astype(np.float32)), poses.float())


SETS: Mapping[str, Callable[[Path], Table]] = {
    "digits": lambda _: from_sklearn(load_digits, scale=False),
    "digits-conv": lambda _: digits_convolved(),
    "breast-cancer": lambda _: from_sklearn(load_breast_cancer),
    "wine": lambda _: from_sklearn(load_wine),
    "cora": cora,
    "cifar-hog": gradients_of_cifar,
    "cifar-conv": convolved_cifar,
    "diabetes": lambda _: from_sklearn(load_diabetes, numbers=True),
    "hands": lambda _: hands(),
}


def one_run(table: Table, name: str, seed: int, initial: int, budget: int, cycles: int) -> dict[str, Any]:
    """The learner's measure after each cycle, and the seconds that selection took."""
    draw = np.random.default_rng(derive_seed(seed, "feature field"))
    order = draw.permutation(len(table.x))
    test, pool = order[: len(order) // 5], order[len(order) // 5 :]
    labeled = list(draw.permutation(pool)[:initial])
    classes = not table.y.is_floating_point()
    curve, seconds = [], 0.0
    for cycle in range(cycles + 1):
        learner = LinearLearner(num_classes=int(table.y.max()) + 1 if classes else None, predicts="auto")
        learner.fit(table.x[labeled], table.y[labeled])
        curve.append(learner.score(table.x[test], table.y[test]))
        if cycle == cycles:
            break
        selector = for_cycle(make("selector", name, {}), seed=derive_seed(seed, cycle, "selector"), cycle=cycle)
        start = time.perf_counter()
        data = learner.describe(table.x[pool], selector.reads(learner.outputs))
        data.train_mask = torch.from_numpy(np.isin(pool, labeled))
        labeled += pool[selector.select(data, budget).index.numpy()].tolist()
        seconds += time.perf_counter() - start
    return {"curve": curve, "seconds": round(seconds, 3)}


def budgets(table: Table) -> dict[str, tuple[int, int]]:
    """Initial labels and labels a cycle, by the name of the budget."""
    n = int(len(table.x) * 0.8)
    unit = 8 if table.y.is_floating_point() else max(int(table.y.max()) + 1, 4)
    cycles = PLAN["cycles"]
    return {
        "few": (2 * unit, unit),
        "middle": (min(10 * unit, n // 6), min(5 * unit, n // (6 * cycles) + 1)),
        "third": (n // 15, n // (3 * cycles) - n // (15 * cycles)),
    }


def main() -> None:
    """Run cells that are missing, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "report"])
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--paper", action="store_true", help="run the GCN selectors, which take most of the time")
    parser.add_argument("--only", nargs="+", default=list(SETS), choices=list(SETS), metavar="SET")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.command == "report":
        report(arguments.out)
        return
    torch.set_num_threads(1)
    for name in arguments.only:
        try:
            table = SETS[name](arguments.data)
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}")
            continue
        run_set(name, table, arguments.out / f"{name}.jsonl", paper=arguments.paper)


def run_set(name: str, table: Table, path: Path, *, paper: bool) -> None:
    """All cells of a set that its file does not hold yet: those of the paper's selectors, or the others."""
    done = {tuple(json.loads(line)["cell"]) for line in path.read_text().splitlines()} if path.exists() else set()
    kind = "poses" if table.y.is_floating_point() else "classes"
    cells = [
        (name, budget, selector, seed)
        for group in ("selectors", "paper")
        for seed in range(PLAN["seeds"])
        for budget in budgets(table)
        for selector in PLAN[group][kind]
    ]
    for cell in cells:
        if cell in done or (cell[2] in PLAN["paper"][kind]) != paper:
            continue
        initial, step = budgets(table)[cell[1]]
        result = one_run(table, cell[2], cell[3], initial, step, PLAN["cycles"])
        with path.open("a") as file:
            file.write(json.dumps({"cell": cell, "initial": initial, "step": step, **result}) + "\n")
    print(f"{name}: done", flush=True)


def areas(folder: Path) -> dict[tuple[str, str], dict[str, dict[int, float]]]:
    """Mean of the cycles' measures, higher being better, by set and budget, selector and seed."""
    found: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            held = json.loads(line)
            name, budget, selector, seed = held["cell"]
            poses = name in PLAN["numbers"]
            value = fmean(held["curve"][1:]) * (-1 if poses else 100)
            found.setdefault((name, budget), {}).setdefault(selector, {})[seed] = value
    return found


def report(folder: Path) -> None:
    """Differences to random and to the peer, ranks over sets, and seconds; written beside the other results."""
    found = areas(folder)
    rows, ranks, record = [], {}, {}
    for (name, budget), values in found.items():
        poses = name in PLAN["numbers"]
        peer = "lcmd" if poses else "margin"
        seeds = sorted(set.intersection(*(set(each) for each in values.values())))
        table = {selector: np.array([each[seed] for seed in seeds]) for selector, each in values.items()}
        named = [selector for selector in PLAN["confirmatory"] if selector in table]
        adjusted = {
            other: holm({s: wilcoxon_p((table[s] - table[other]).tolist()) for s in named if s != other})
            for other in ("random", peer)
        }
        for selector, each in table.items():
            cells = [name, budget, selector, f"{abs(each.mean()):.2f}"]
            held: dict[str, Any] = {"mean": float(abs(each.mean())), "values": each.tolist(), "seeds": seeds}
            for other in ("random", peer):
                apart = each - table[other]
                error = apart.std(ddof=1) / len(apart) ** 0.5 if len(apart) > 1 else float("nan")
                p = adjusted[other].get(selector)
                shown = f" (p {p:.3f})" if p is not None and selector != other else ""
                cells.append("-" if selector == other else f"{apart.mean():+.2f} ± {error:.2f}{shown}")
                held[f"to {other}"] = {"mean": float(apart.mean()), "error": float(error), "holm p": p}
            rows.append(cells)
            record.setdefault(f"{name}, {budget}", {})[selector] = held
        if not poses:
            order = stats.rankdata([-values_.mean() for values_ in table.values()])
            for selector, rank in zip(table, order, strict=True):
                ranks.setdefault(selector, []).append(float(rank))
    complete = {name: each for name, each in ranks.items() if len(each) == max(map(len, ranks.values()))}
    friedman = stats.friedmanchisquare(*complete.values()).pvalue if len(complete) > 2 else float("nan")
    document = {"plan": PLAN, "cells": record, "ranks": ranks, "friedman p": float(friedman)}
    (RESULTS / "feature_field.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / "feature_field.md").write_text(markdown(rows, complete, float(friedman)))


def markdown(rows: list[list[str]], ranks: Mapping[str, list[float]], friedman: float) -> str:
    """The tables."""
    ordered = sorted(ranks, key=lambda name: fmean(ranks[name]))
    lines = [
        "Mean over the cycles: accuracy in points (higher is better), or root mean squared error (lower is better; "
        "differences are signed so that above 0 is better). ± is the standard error over seeds; p is Holm's, of the "
        "comparisons named in the plan. The peer is margin for classes, lcmd for numbers.",
        "",
        f"Mean rank over class sets and budgets (Friedman p {friedman:.2g}):",
        "",
        "| selector | mean rank | sets and budgets |",
        "|---|---:|---:|",
        *(f"| {name} | {fmean(ranks[name]):.2f} | {len(ranks[name])} |" for name in ordered),
        "",
        "| set | budget | selector | mean | to random | to the peer |",
        "|---|---|---|---:|---:|---:|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
