"""What strategies add to training, in the loop: pseudo-labels, generated items, extensions of the learner."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from seqgcn import Random
from seqgcn.datasets import Digits, ImageDataset
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.learners import Ensemble, SmallCNNClassifier
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.loop import ActiveLearning
from seqgcn.selectors import BALD, CEAL, EnsembleSelector, LearningLoss, Query, Selection, Selector
from seqgcn.selectors.extensions import EnsembleOptions, Generated

CYCLES, BUDGET = 3, 5


@dataclass(frozen=True, kw_only=True)
class Making(Selector):
    """Random picks; for each item it picked, an image of its own that is one gray level darker."""

    requires: ClassVar[tuple[str, ...]] = ()
    seed: int = 0

    def generate(self, images: Tensor, targets: Tensor, picked: Tensor, **_others: Any) -> Generated | None:
        if not picked.any():
            return None
        source = picked.nonzero().squeeze(1)
        return Generated(images=images[source].clamp(min=1) - 1, targets=targets[source], source=source)

    def pick(self, query: Query) -> Selection:
        return Random(seed=self.seed).select(query.data, query.budget)


class Spy:
    """Notes what a learner is fitted to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, learner: Any) -> None:
        self.seen: list[tuple[Tensor, Tensor]] = []
        fit = learner.fit

        def noting(this: Any, inputs: Tensor, targets: Tensor, **options: Any) -> Any:
            self.seen.append((inputs, targets))
            return fit(this, inputs, targets, **options)

        monkeypatch.setattr(learner, "fit", noting)


def loop(toy: ImageDataset, learner: Any, selector: Selector, **options: Any) -> ActiveLearning:
    return ActiveLearning(toy, learner, selector, **{"budget": BUDGET, "cycles": CYCLES, "seed": 3} | options)


def timeless(records: list[CycleRecord]) -> list[CycleRecord]:
    return [replace(record, seconds={}) for record in records]


TRUSTING = CEAL(delta=0.5, decay=0.0)


def test_pseudo_labels_are_trained_on_for_one_cycle_and_never_become_labels(
    toy: ImageDataset, fake_learner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch, fake_learner)
    records = list(loop(toy, fake_learner(num_classes=4), TRUSTING))
    assert all(record.pseudo["items"] for record in records[:-1])
    assert records[-1].pseudo == {}
    for number, record in enumerate(records):
        inputs, targets = spy.seen[number]
        labelled, trusted = list(record.labelled), records[number - 1].pseudo["items"] if number else []
        assert not set(labelled) & set(trusted)
        assert torch.equal(inputs, toy.train.inputs[labelled + trusted])
        assert torch.equal(targets[: len(labelled)], toy.train.targets[labelled])
        assert targets[len(labelled) :].tolist() == (records[number - 1].pseudo["targets"] if number else [])
        assert len(labelled) == BUDGET * (number + 1)
        assert not set(record.picks) & set(record.pseudo.get("items", []))


def test_pseudo_labels_are_what_the_learner_says_not_the_truth(
    toy: ImageDataset, fake_learner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_learner, "predict", lambda self, inputs, progress=None: torch.full((len(inputs),), 3))
    record = next(iter(loop(toy, fake_learner(num_classes=4), TRUSTING)))
    assert set(record.pseudo["targets"]) == {3}
    assert set(toy.train.targets[record.pseudo["items"]].tolist()) != {3}


def test_generated_items_are_trained_on_and_recorded_apart(
    toy: ImageDataset, fake_learner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch, fake_learner)
    records = list(loop(toy, fake_learner(num_classes=4), Making()))
    assert records[0].generated == {}
    for number, record in enumerate(records[1:], start=1):
        picked = list(record.labelled[BUDGET:])
        assert record.generated == {"source": picked, "targets": toy.train.targets[picked].tolist()}
        inputs, targets = spy.seen[number]
        assert len(inputs) == len(targets) == len(record.labelled) + len(picked)
        assert torch.equal(inputs[len(record.labelled) :], toy.train.inputs[picked].clamp(min=1) - 1)


@pytest.mark.parametrize("selector", [TRUSTING, Making()], ids=["pseudo", "generated"])
def test_resume_gives_the_same_records(
    toy: ImageDataset, fake_learner: Any, tmp_path: Path, selector: Selector
) -> None:
    whole = list(loop(toy, fake_learner(num_classes=4), selector))
    for done in range(CYCLES + 2):
        journal = Journal(tmp_path / f"{done}.jsonl")
        for record in whole[:done]:
            journal.append(record)
        resumed = list(loop(toy, fake_learner(num_classes=4), selector, journal=journal))
        assert timeless(resumed) == timeless(whole)
        assert timeless(journal.read()) == timeless(whole)


def test_the_threshold_shrinks_with_the_cycle(toy: ImageDataset, fake_learner: Any) -> None:
    records = list(loop(toy, fake_learner(num_classes=4), CEAL(delta=0.5, decay=0.5)))
    assert [bool(record.pseudo.get("items")) for record in records] == [True, False, False, False]


@pytest.mark.parametrize("broken", ["picks", "labelled"])
def test_bad_pseudo_labels_do_not_get_into_the_journal(
    toy: ImageDataset, fake_learner: Any, tmp_path: Path, broken: str
) -> None:
    class Broken(CEAL):
        def pick(self, query: Query) -> Selection:
            selection = super().pick(query)
            nodes = selection.index[:2] if broken == "picks" else query.labelled.nonzero().squeeze(1)[:2]
            return replace(selection, pseudo=nodes)

    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(ArgumentError, match="is pseudo-labeled, but labeled already"):
        list(loop(toy, fake_learner(num_classes=4), Broken(), journal=journal))
    assert journal.read() == []


def test_an_ensemble_of_the_users_own_resumes_with_its_weights(tmp_path: Path) -> None:
    dataset = Digits().limit(pool_size=60, test_size=40)
    learner = Ensemble(
        learner=SmallCNNClassifier(epochs=1, device="cpu", width=0.25), members=EnsembleOptions(n_members=2)
    )
    options: dict[str, Any] = {"budget": 10, "cycles": 1, "warm_start": True}
    whole = list(ActiveLearning(dataset, learner, BALD(), **options))
    journal = Journal(tmp_path / "journal.jsonl")
    next(iter(ActiveLearning(dataset, learner, BALD(), **options, journal=journal)))
    assert timeless(list(ActiveLearning(dataset, learner, BALD(), **options, journal=journal))) == timeless(whole)


def test_a_journal_whose_pseudo_labels_are_labelled_is_refused(
    toy: ImageDataset, fake_learner: Any, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    first = next(iter(loop(toy, fake_learner(num_classes=4), TRUSTING, journal=journal)))
    line = json.loads(journal.path.read_text())
    line["pseudo"]["items"][0] = first.labelled[0]
    journal.path.write_text(json.dumps(line) + "\n")
    with pytest.raises(RunFolderError, match=r"line 1 does not follow .*is pseudo-labeled, but labeled already"):
        list(loop(toy, fake_learner(num_classes=4), TRUSTING, journal=journal))


def test_a_learner_that_cannot_serve_is_told_how_it_could(toy: ImageDataset, fake_learner: Any) -> None:
    with pytest.raises(ArgumentError, match=r"BALD needs prob_samples of every item, .* \(it gives x, prob\)$"):
        loop(toy, fake_learner(num_classes=4), BALD())
    without = SmallCNNClassifier(dropout=0.0)
    with pytest.raises(ArgumentError, match=r"BALD needs prob_samples .* \(learner.dropout=0.25"):
        loop(toy, without, BALD())
    with pytest.raises(ArgumentError, match="FakeLearner has no parameter loss_prediction"):
        loop(toy, fake_learner(num_classes=4), LearningLoss())


def test_a_path_that_does_not_exist_is_named_before_the_first_label_is_spent() -> None:
    learner = SmallCNNClassifier(epochs=1, device="cpu")
    with pytest.raises(ArgumentError, match=r"the network has no module 'layer9'; SmallCNN has .*body, hidden"):
        ActiveLearning(Digits(), learner, LearningLoss(modules=("layer9",)), budget=10, cycles=1)


@pytest.mark.parametrize("selector", [LearningLoss(), EnsembleSelector(n_members=2), BALD()], ids=repr)
def test_real_learners_are_extended_and_resumed(selector: Selector, tmp_path: Path) -> None:
    dataset = Digits().limit(pool_size=60, test_size=40)
    learner = SmallCNNClassifier(epochs=2, device="cpu", width=0.25, samples=5)

    def run(journal: Journal | None = None) -> list[CycleRecord]:
        options: dict[str, Any] = {"budget": 10, "cycles": 2, "warm_start": True, "journal": journal}
        return list(ActiveLearning(dataset, learner, selector, **options))

    whole = run()
    names = {"accuracy", "loss rank correlation"} if isinstance(selector, LearningLoss) else {"accuracy"}
    assert all(record.metric.keys() == names for record in whole)
    journal = Journal(tmp_path / "journal.jsonl")
    started = iter(ActiveLearning(dataset, learner, selector, budget=10, cycles=2, warm_start=True, journal=journal))
    next(started)
    assert timeless(run(journal)) == timeless(whole)
