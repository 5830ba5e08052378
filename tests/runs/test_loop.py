import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.utils.data import TensorDataset
from torch_geometric.data import Data

import seqgcn
from seqgcn import CoreSet, Margin, Random
from seqgcn.datasets import Digits, ImageDataset
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.learners import SmallCNNClassifier
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.runs.loop import ActiveLearning, environment
from seqgcn.selectors import Selection, Selector

CYCLES, BUDGET = 4, 5

Start = Callable[..., ActiveLearning]


@pytest.fixture
def start(toy: ImageDataset, fake_learner: type) -> Start:
    """A loop over the toy data, with whatever else is asked."""

    def make(selector: Selector | None = None, learner: Any = None, **options: Any) -> ActiveLearning:
        options = {"budget": BUDGET, "cycles": CYCLES, "seed": 3} | options
        return ActiveLearning(toy, learner or fake_learner(num_classes=4), selector or CoreSet(), **options)

    return make


def same(records: list[CycleRecord]) -> list[CycleRecord]:
    """Records without what a second run may have differently."""
    return [replace(record, seconds={}) for record in records]


def test_labels_grow_by_the_picks(start: Start) -> None:
    records = list(start())
    assert [record.cycle for record in records] == list(range(CYCLES + 1))
    assert [len(record.labelled) for record in records] == [BUDGET * (cycle + 1) for cycle in range(CYCLES + 1)]
    for before, after in itertools.pairwise(records):
        assert len(before.picks) == len(before.scores) == BUDGET
        assert after.labelled == before.labelled + before.picks
    assert len(set(records[-1].labelled)) == BUDGET * (CYCLES + 1)
    assert records[-1].picks == records[-1].scores == ()


def test_what_a_record_holds(start: Start) -> None:
    record = next(iter(start(Margin())))
    assert record.metric.keys() == {"accuracy"}
    assert 0 <= record.metric["accuracy"] <= 1
    assert list(record.seconds) == ["train", "test", "embed", "select"]
    assert all(value >= 0 for value in record.seconds.values())
    assert record.seeds.keys() == {"run", "learner", "subset", "selector"}
    assert record.seeds["run"] == 3
    assert list(record.scores) == sorted(record.scores, reverse=True)
    assert record.environment["versions"].keys() >= {"seqgcn", "python", "torch", "torch-geometric", "numpy"}
    assert record.environment["versions"]["seqgcn"] == seqgcn.__version__
    assert record.environment["threads"] == torch.get_num_threads()
    assert record.environment["device"] == "cpu"
    assert record.environment["machine"]


def test_environment_of_a_learner_without_a_device(fake_learner: type) -> None:
    assert environment(fake_learner(device=None))["device"] == "cpu"


def test_learner_and_selector_work_on_the_right_items(
    start: Start, toy: ImageDataset, monkeypatch: pytest.MonkeyPatch, fake_learner: type
) -> None:
    fitted: list[tuple[torch.Tensor, torch.Tensor, int]] = []
    fit = fake_learner.fit  # type: ignore[attr-defined]

    def spy(self: Any, inputs: torch.Tensor, targets: torch.Tensor, **options: Any) -> Any:
        fitted.append((inputs, targets, self.seed))
        return fit(self, inputs, targets, **options)

    monkeypatch.setattr(fake_learner, "fit", spy)
    original = start()
    records = list(original)
    for record, (inputs, targets, seed) in zip(records, fitted, strict=True):
        assert seed == record.seeds["learner"]
        ids = torch.tensor(record.labelled)
        assert torch.equal(inputs, toy.train.inputs[ids])
        assert torch.equal(targets, toy.train.targets[ids])
    assert not hasattr(original.learner, "means_"), "each cycle trains a clone"


class Estimator(BaseEstimator):
    def fit(self, inputs: Any, targets: Any) -> Any: ...

    def predict(self, inputs: Any) -> Any: ...


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        ("dataset", Digits, r"the class Digits; make an object of it: Digits\(\)"),
        (
            "dataset",
            TensorDataset(torch.zeros(2)),
            r"TensorDataset has no labels to replay: give arrays.*ActiveLearner",
        ),
        ("dataset", 3, "int is no data set .*lacks name, train, test, .*ImageD"),
        ("dataset", Data(x=torch.zeros(2, 2)), "Data is no data set .*lacks name, train, test, fingerprint; .*ImageD"),
        ("learner", SmallCNNClassifier, r"the class SmallCNNClassifier; make an object of it: SmallCNNClassifier\(\)"),
        ("learner", Estimator(), r"Estimator is no learner: it lacks metric, .*, score, describe; .*predict_proba"),
        ("learner", nn.Linear(2, 2), r"Linear is no learner: it lacks metric, .*TorchLearner\(module=net"),
        ("learner", None, "NoneType is no learner: it lacks .*TorchLearner"),
        ("selector", CoreSet, r"the class CoreSet; make an object of it: CoreSet\(\)"),
        ("selector", "core-set", r"str is no selector: .*CoreGCN\(\)"),
        ("selector", None, "NoneType is no selector"),
    ],
)
def test_what_is_no_part_of_a_loop_is_refused_with_the_way_out(
    toy: ImageDataset, fake_learner: type, part: str, wrong: Any, message: str
) -> None:
    parts = {"dataset": toy, "learner": fake_learner(), "selector": CoreSet()} | {part: wrong}
    with pytest.raises(ArgumentError, match=message):
        ActiveLearning(**parts, budget=1, cycles=1)


def test_a_data_set_is_not_read_to_see_what_it_is(toy: ImageDataset, fake_learner: type) -> None:
    ActiveLearning(toy, fake_learner(), CoreSet(), budget=1, cycles=1)
    assert "fingerprint" not in vars(toy)


def test_same_seed_same_run(start: Start) -> None:
    assert same(list(start(Margin()))) == same(list(start(Margin())))
    assert next(iter(start())).labelled != next(iter(start(seed=4))).labelled


def test_initial_labels_and_learner_seeds_do_not_depend_on_the_selector(start: Start) -> None:
    runs = [list(start(selector)) for selector in (Random(), Random(seed=8), Margin(), CoreSet())]
    for run in runs:
        assert run[0].labelled == runs[0][0].labelled
        assert run[0].metric == runs[0][0].metric
        assert [record.seeds for record in run] == [record.seeds for record in runs[0]]
    assert runs[0][0].picks == runs[1][0].picks, "the loop sets the selector's seed"
    assert len({run[-1].labelled for run in runs}) == 3
    seeds = [record.seeds[purpose] for record in runs[0] for purpose in ("learner", "subset", "selector")]
    assert len(set(seeds)) == len(seeds)


def test_initial(start: Start) -> None:
    records = list(start(initial=8, cycles=2))
    assert [len(record.labelled) for record in records] == [8, 13, 18]
    # The first of them are the same whatever their number.
    assert next(iter(start(initial=5))).labelled == records[0].labelled[:5]


@dataclass(frozen=True, kw_only=True)
class Spy(Random):
    """Random, and remembers what it was shown."""

    seen: list[Data]

    def pick(self, query: Any) -> Selection:
        self.seen.append(query.data)
        return super().pick(query)


def test_selector_sees_the_whole_pool_or_a_subset(start: Start) -> None:
    whole, part, same_part = Spy(seen=[]), Spy(seen=[]), Spy(seen=[])
    for selector, subset in ((whole, None), (part, 10), (same_part, 10)):
        records = list(start(selector, subset=subset))
    assert [data.n_id.tolist() for data in whole.seen] == [list(range(60))] * CYCLES
    for data, record in zip(part.seen, records, strict=False):
        labelled = data.n_id[data.train_mask].tolist()
        assert sorted(record.labelled) == labelled
        assert int((~data.train_mask).sum()) == 10
        # The journalled seed is enough to draw the subset again.
        draw = torch.Generator().manual_seed(record.seeds["subset"])
        others = sorted(set(range(60)) - set(record.labelled))
        chosen = [others[each] for each in torch.randperm(len(others), generator=draw)[:10]]
        assert data.n_id[~data.train_mask].tolist() == sorted(chosen)
        assert set(record.picks) <= set(chosen)
    assert [data.n_id.tolist() for data in part.seen] == [data.n_id.tolist() for data in same_part.seen]
    assert len({tuple(data.n_id[~data.train_mask].tolist()) for data in part.seen}) == CYCLES
    # A subset larger than what is left is all that is left.
    assert len(list(start(subset=58))) == CYCLES + 1


def test_selector_is_given_what_it_needs_and_no_more(start: Start, fake_learner: Any) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Wants(Spy):
        requires = ("prob",)

    nothing, probabilities = Spy(seen=[]), Wants(seen=[])
    list(start(probabilities, cycles=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(fake_learner, "describe")
        patch.setattr(fake_learner, "describe", None, raising=False)
        list(start(nothing, cycles=1))
    assert set(nothing.seen[0].keys()) == {"n_id", "train_mask"}
    assert set(probabilities.seen[0].keys()) == {"n_id", "train_mask", "prob"}
    assert probabilities.seen[0].prob.shape == (60, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 13}, "13 initial labels and 4 cycles of 13 need 65 items, but Toy has 60; lower the budget"),
        ({"initial": 41}, "41 initial labels and 4 cycles of 5 need 61"),
        ({"progress": True}, "progress must be a function.*got True"),
        ({"warm_start": "no"}, "warm_start must be True or False, got 'no'"),
        ({"budget": 0}, "budget must be a whole number of at least 1, got 0"),
        ({"cycles": -1}, "cycles must be"),
        ({"initial": 1.5}, "initial must be"),
        ({"subset": 4}, r"subset \(4\) must not be smaller than the budget \(5\)"),
    ],
)
def test_wrong_numbers(start: Start, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        start(**options)


def test_all_items_can_be_labelled(start: Start) -> None:
    assert len(set(list(start(budget=12))[-1].labelled)) == 60


def test_stop_and_look(start: Start, tmp_path: Path) -> None:
    loop = start(journal=Journal(tmp_path / "journal.jsonl"))
    cycles = iter(loop)
    first, second = next(cycles), next(cycles)
    assert second.labelled == first.labelled + first.picks
    cycles.close()  # type: ignore[attr-defined]
    assert [record.cycle for record in loop] == list(range(CYCLES + 1))
    assert same(list(loop)) == same(list(start()))


def test_a_cycle_is_on_the_disk_before_it_is_shown(start: Start, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for number, record in enumerate(start(journal=journal)):
        assert journal.read()[number] == record
        assert len(journal.read()) == number + 1


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("done", range(CYCLES + 2))
def test_resume_after_every_cycle(start: Start, tmp_path: Path, done: int, warm_start: bool) -> None:
    options: dict[str, Any] = {"selector": Margin(), "subset": 20, "warm_start": warm_start}
    expected = same(list(start(**options)))
    journal = Journal(tmp_path / "journal.jsonl")
    cycles = iter(start(journal=journal, **options))
    for _ in range(done):
        next(cycles)
    cycles.close()  # type: ignore[attr-defined]
    assert same(list(start(journal=journal, **options))) == expected
    assert same(journal.read()) == expected
    if done == CYCLES + 1:
        first = journal.path.read_bytes()
        assert list(start(journal=journal, **options)) == journal.read()
        assert journal.path.read_bytes() == first


@pytest.mark.parametrize("number", range(CYCLES + 1))
@pytest.mark.parametrize("warm_start", [False, True])
def test_resume_after_a_failing_learner(
    start: Start, tmp_path: Path, fail_at_fit: Callable[..., None], number: int, warm_start: bool
) -> None:
    expected = same(list(start(warm_start=warm_start)))
    journal = Journal(tmp_path / "journal.jsonl")
    fail_at_fit(number, RuntimeError("power cut"))
    with pytest.raises(RuntimeError, match="power cut"):
        list(start(journal=journal, warm_start=warm_start))
    assert same(journal.read()) == expected[:number]
    assert same(list(start(journal=journal, warm_start=warm_start))) == expected


def test_torn_line_is_computed_again(start: Start, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    expected = same(list(start(journal=journal)))
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-20])
    assert same(list(start(journal=journal))) == expected


def test_warm_start_differs_and_wants_a_learner_that_can(start: Start, fake_learner: type) -> None:
    warm, cold = list(start(Margin(), warm_start=True)), list(start(Margin()))
    assert (warm[0].picks, warm[0].metric) == (cold[0].picks, cold[0].metric)
    assert warm[-1].labelled != cold[-1].labelled

    class Forgetful(fake_learner):  # type: ignore[misc]
        state = None

    with pytest.raises(ArgumentError, match=r"needs a learner with state\(\) and restore\(\); Forgetful has none"):
        start(learner=Forgetful(), warm_start=True)


def cnn() -> SmallCNNClassifier:
    return SmallCNNClassifier(num_classes=4, epochs=2, device="cpu")


@pytest.mark.parametrize("warm_start", [False, True])
def test_network_resumes_bit_for_bit(start: Start, tmp_path: Path, warm_start: bool) -> None:
    options: dict[str, Any] = {"selector": Margin(), "warm_start": warm_start, "cycles": 3}
    expected = same(list(start(learner=cnn(), **options)))
    journal = Journal(tmp_path / "journal.jsonl")
    for _ in range(4):
        cycles = iter(start(learner=cnn(), journal=journal, **options))
        for _ in range(len(journal.read()) + 1):
            next(cycles)
        cycles.close()  # type: ignore[attr-defined]
    assert same(journal.read()) == expected
    weights = sorted(path.name for path in tmp_path.glob("*.pt"))
    assert weights == (["learner-2.pt", "learner-3.pt"] if warm_start else [])


def test_a_journal_of_other_runs_is_refused(start: Start, tmp_path: Path, fake_learner: Any) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    first = next(iter(start(Margin(), journal=journal)))
    before = journal.path.read_bytes()
    for other in (start(Random(), journal=journal), start(Margin(), fake_learner(noise=2), journal=journal)):
        with pytest.raises(RunFolderError, match="another selector, learner or data set"):
            list(other)
    assert journal.path.read_bytes() == before
    journal.path.write_text(replace(first, seeds={"run": 8}).to_line())
    with pytest.raises(RunFolderError, match="seed 8"):
        list(start(Margin(), journal=journal))


def test_the_learner_is_told_how_many_classes_there_are(start: Start) -> None:
    assert start(learner=cnn().set_params(num_classes=None)).learner.get_params()["num_classes"] == 4
    assert start(learner=cnn().set_params(num_classes=7)).learner.get_params()["num_classes"] == 7
