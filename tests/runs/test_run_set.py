from pathlib import Path
from typing import Any

import pytest
import yaml
from small_runs import MANY, SMALL, content, run, same

from seqgcn.config.run import RunConfig, read_config
from seqgcn.evaluation import ACCURACY
from seqgcn.exceptions import ConfigError, RunFolderError
from seqgcn.runs.journal import Journal
from seqgcn.runs.reader import curve_of, read_runs
from seqgcn.runs.run_set import RunSet, free_folder
from seqgcn.runs.summary import compare_with_random

pytestmark = pytest.mark.usefixtures("fakes")


def test_single_run(tmp_path: Path) -> None:
    events = run(tmp_path / "new" / "run")
    folder = tmp_path / "new" / "run"
    assert set(content(folder)) == {"config.yaml", "journal.jsonl", "curve.png"}
    assert [event.record for event in events] == Journal(folder / "journal.jsonl").read()
    assert not any(event.replayed for event in events)
    assert (folder / "curve.png").read_text() == "Toy, pool of 60, small-cnn, 4 labels a cycle: {'margin': {1: 4}}"


def test_configuration_is_resolved_and_can_be_read_back(tmp_path: Path) -> None:
    values = SMALL | {"selector": ["core-gcn:k=5"], "set": {"selector.epochs": 2, "learner.noise": "1e-1"}}
    run(tmp_path, values)
    held = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert held["selector"] == ["core-gcn"]
    assert held["initial"] == held["budget"] == 4
    assert held["set"]["selector.k"] == 5
    assert held["set"]["selector.epochs"] == 2
    assert held["set"]["selector.hidden_channels"] == 128
    assert held["set"]["learner.noise"] == 0.1
    assert held["set"]["dataset.noise"] == 120
    assert held["fingerprint"]
    run(tmp_path / "again", read_config(tmp_path / "config.yaml"))
    assert same(tmp_path / "again")["."] == same(tmp_path)["."]
    # The very same run, so that it may go on in the first folder.
    assert len(run(tmp_path, values, resume=True)) == 4


def test_several_selectors_and_seeds(tmp_path: Path) -> None:
    events = run(tmp_path, MANY)
    names = [f"{selector}/seed-{seed}" for selector in MANY["selector"] for seed in MANY["seeds"]]
    assert set(content(tmp_path)) == {"config.yaml", "curve.png", "comparison.md"} | {
        f"{name}/{file}" for name in names for file in ("config.yaml", "journal.jsonl", "curve.png")
    }
    order = [(event.run.seed, event.run.spec.name) for event in events[::4]]
    assert order == [(seed, name) for seed in (0, 1) for name in MANY["selector"]]
    journals = same(tmp_path)
    for seed in (0, 1):
        first = [journals[f"{selector}/seed-{seed}"][0] for selector in MANY["selector"]]
        assert len({row.labelled for row in first}) == 1
        assert len({tuple(row.seeds.items()) for row in first}) == 1
    assert journals["margin/seed-0"][0].labelled != journals["margin/seed-1"][0].labelled
    table = (tmp_path / "comparison.md").read_text()
    assert table.startswith("Toy, pool of 60, small-cnn, 4 labels a cycle\n\n")
    assert "margin" in table
    assert "core-set" in table
    assert "'core-set': {0: 4, 1: 4}" in (tmp_path / "curve.png").read_text()
    # Each run is what it would have been alone, in a folder that can go on alone.
    run(tmp_path / "alone", SMALL)
    assert same(tmp_path / "alone")["."] == journals["margin/seed-1"]
    assert len(run(tmp_path / "margin" / "seed-1", SMALL, resume=True)) == 4


def test_no_comparison_without_random(tmp_path: Path) -> None:
    run(tmp_path, MANY | {"selector": ["margin", "core-set"]})
    assert "comparison.md" not in content(tmp_path)
    run(tmp_path / "single", MANY | {"selector": ["random"]})
    assert "comparison.md" not in content(tmp_path / "single")


def test_only_finished_runs_are_compared(tmp_path: Path) -> None:
    events = iter(RunSet(RunConfig(**MANY), tmp_path))
    for _ in range(7):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert "comparison.md" not in content(tmp_path)
    assert "{'random': {0: 4}, 'margin': {0: 3}}" in (tmp_path / "curve.png").read_text()
    records = {name: {0: Journal(tmp_path / name / "seed-0" / "journal.jsonl").read()} for name in ("random", "margin")}
    assert compare_with_random(records, cycles=3, metric=ACCURACY) is None
    assert curve_of(records["random"][0]).labelled == (4, 8, 12, 16)


@pytest.mark.parametrize("values", [SMALL, MANY])
def test_a_used_folder_is_left_alone(tmp_path: Path, values: dict[str, Any]) -> None:
    run(tmp_path, values)
    before = content(tmp_path)
    for other in (values, SMALL | {"budget": 5}, MANY | {"seeds": [7]}):
        with pytest.raises(RunFolderError, match="holds a run already: go on with --resume, or name another folder"):
            run(tmp_path, other)
    assert content(tmp_path) == before


def test_root_of_a_data_set_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reads no files; leave --root out"):
        run(tmp_path, SMALL | {"root": "elsewhere"})


def test_published_results_are_kept_with_a_run(tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "none")
    assert "references" not in (tmp_path / "none/config.yaml").read_text()
    monkeypatch.setattr(fakes[0], "references", {"Net": 0.9})
    run(tmp_path / "run")
    assert read_runs(tmp_path / "run").references == {"Net": 0.9}
    # They are no part of what was asked: others do not stand in the way of going on, or of doing it again.
    monkeypatch.setattr(fakes[0], "references", {"Net": 0.8, "Other": 0.7})
    run(tmp_path / "run", resume=True)
    assert RunConfig(**read_config(tmp_path / "run/config.yaml")).cycles == 3


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any, **_options: Any) -> None:
        raise RunFolderError("cannot write curve.png")

    monkeypatch.setattr("seqgcn.runs.summary.learning_curve", broken)
    with pytest.raises(RunFolderError, match=r"cannot write curve.png"):
        run(tmp_path)
    assert len(Journal(tmp_path / "journal.jsonl").read()) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selector": ["magrin"]}, "did you mean margin"),
        ({"set": {"selector.k": 3}}, "margin has no parameter 'k'"),
        ({"selector": ["core-gcn:k=0"]}, "core-gcn:k=0: k must be a whole number"),
        ({"set": {"learner.noise": -1}}, "small-cnn: noise must not be negative"),
        ({"dataset": "cifar10"}, "the data set cifar10 needs --root DIR"),
        ({"root": "here"}, "the data set digits reads no files; leave --root out"),
        ({"device": "abacus"}, "device 'abacus' cannot be used here"),
        ({"budget": 16}, "16 initial labels and 3 cycles of 16 need 64 items, but Toy has 60"),
        ({"subset": 2}, "subset"),
        ({"pool_size": 61}, "pool size must be between 1 and 60"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        RunSet(RunConfig(**SMALL | changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_learners_are_told_the_device_and_the_classes(
    tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int]] = []
    fit = fakes[1].fit

    def spy(self: Any, *arguments: Any, **options: Any) -> Any:
        told.append((self.device, self.num_classes))
        return fit(self, *arguments, **options)

    monkeypatch.setattr(fakes[1], "fit", spy)
    run(tmp_path, SMALL | {"device": "cpu:0"})
    assert set(told) == {("cpu:0", 4)}


def test_limits(tmp_path: Path) -> None:
    runs = RunSet(RunConfig(**SMALL, pool_size=30, test_size=7), tmp_path)
    assert (len(runs.dataset.train), len(runs.dataset.test)) == (30, 7)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunFolderError, match=r"cannot make the folder .*run: File exists"):
        run(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_free_folder(tmp_path: Path) -> None:
    config = RunConfig(**SMALL | {"selector": ["random", "core-gcn:graph=knn,k=5"]})
    stem = "digits-small-cnn-random-core-gcn_graph=knn_k=5"
    assert free_folder(config, tmp_path, resume=False) == tmp_path / stem
    with pytest.raises(RunFolderError, match=r"there is no run in .*random.* to resume; name its folder with --out"):
        free_folder(config, tmp_path, resume=True)
    for name in (stem, f"{stem}-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    assert free_folder(config, tmp_path, resume=False) == tmp_path / f"{stem}-3"
    assert free_folder(config, tmp_path, resume=True) == tmp_path / f"{stem}-2"


def test_what_a_learner_measures_besides_has_a_picture_of_its_own(
    tmp_path: Path, fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, learner = fakes
    measured = iter([{"calm": 0.5}, {"calm": float("nan")}, {"calm": 0.7}, {"calm": 0.9}])
    monkeypatch.setattr(learner, "diagnose", lambda *_data, **_options: next(measured), raising=False)
    run(tmp_path)
    records = Journal(tmp_path / "journal.jsonl").read()
    # JSON has no NaN: what is none is not written.
    assert [record.metric.get("calm") for record in records] == [0.5, None, 0.7, 0.9]
    assert curve_of([records[0], *records[2:]], "calm").metric == (0.5, 0.7, 0.9)
    assert "{1: 3}" in (tmp_path / "calm.png").read_text()
    assert "{1: 4}" in (tmp_path / "curve.png").read_text()


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("bald", r"BALD needs prob_samples of every item, .*; selectors that work with it: .*core-gcn.*badge"),
        ("ensemble", "FakeLearner has no parameter batch_seed, which an ensemble sets; selectors that work with it"),
        ("variance", r"Variance needs target_samples of every item, .*; selectors that work with it: .*random"),
        ("ensemble:members=1", "members must be at least 2"),
        ("probcover:delta=2.5", r"delta must be a number in \(0, 2\)"),
    ],
)
def test_selectors_that_the_learner_cannot_serve(tmp_path: Path, selector: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RunSet(RunConfig(**SMALL | {"selector": [selector]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
