"""What should pick the first labels, when nothing has been learned yet: results/cold_start_digits and _hands.

python benchmarks/evidence/cold_start.py digits
python benchmarks/evidence/cold_start.py hands

Every selector that reads embeddings alone and needs no label picks from thumbnails, as `seqgcn select` has it do where
nothing is labeled; a learner is trained on what it picked. The points of a curve are batches of their own, not cycles.
"""

import argparse
import time
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from results import write_result
from torch_geometric.data import Data

from seqgcn.config.registry import load
from seqgcn.datasets import Digits
from seqgcn.datasets.hands.rendered import RenderedHands
from seqgcn.evaluation import Curve
from seqgcn.learners import HandPose, SmallCNNClassifier
from seqgcn.rounds.inputs import thumbnails_of
from seqgcn.rounds.select_round import LABEL_FREE
from seqgcn.selectors.selector import for_cycle


@dataclass(frozen=True)
class Plan:
    """A data set, what learns it, and how many labels are picked at first."""

    dataset: Any
    learner: Any
    labels: tuple[int, ...]
    seeds: tuple[int, ...]
    note: str = ""


def plan_of(name: str) -> Plan:
    """The plan with a name."""
    if name == "digits":
        return Plan(Digits(), SmallCNNClassifier(num_classes=10, device="cpu"), (10, 20, 40, 80), tuple(range(10)))
    pose = HandPose(epochs=40, validation=0.0, device="cpu")
    return Plan(RenderedHands(), pose, (20, 40, 80), (0, 1, 2), "Rendered; says little about real cameras.")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("digits", "hands"))
    name = parser.parse_args().name
    torch.set_num_threads(1)
    plan = plan_of(name)
    plan.dataset.prepare()
    train, test = plan.dataset.train, plan.dataset.test
    x = thumbnails_of(train.inputs)
    data = Data(x=x, train_mask=torch.zeros(len(x), dtype=torch.bool))
    curves: dict[str, dict[int, Curve]] = {}
    seconds: dict[str, list[float]] = {}
    for selector in sorted(LABEL_FREE, key=lambda each: each != "random"):
        for seed in plan.seeds:
            scores = []
            for budget in plan.labels:
                start = time.perf_counter()
                picks = for_cycle(load("selector", selector)(), seed=seed, cycle=0).select(data, budget).index
                seconds.setdefault(selector, []).append(time.perf_counter() - start)
                learner = plan.learner.set_params(seed=seed).fit(train.inputs[picks], train.targets[picks])
                scores.append(learner.score(test.inputs, test.targets))
            curves.setdefault(selector, {})[seed] = Curve(labelled=plan.labels, metric=tuple(scores))
            print(selector, seed, [round(score, 4) for score in scores], flush=True)
    table = write_result(
        f"cold_start_{name}",
        curves,
        claim="Nothing is labelled yet: which selector picks the best first labels from thumbnails?",
        title=f"{plan.dataset.name}, pool of {len(train):,}, first labels picked from thumbnails",
        configuration={"labels": plan.labels, "seeds": plan.seeds, "learner": repr(plan.learner)},
        confirmatory=[],
        threads=1,
        note=plan.note,
        metric=plan.learner.metric,
        seconds={selector: {"select": fmean(each)} for selector, each in seconds.items()},
    )
    print(table)


if __name__ == "__main__":
    main()
