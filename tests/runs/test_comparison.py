import csv
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_folders import ENVIRONMENT, record, write_run, write_runs

from seqgcn.cli import parser
from seqgcn.cli.options import given_options
from seqgcn.config.run import RunConfig
from seqgcn.exceptions import ArgumentError, ConfigError, RunFolderError
from seqgcn.runs.comparison import compare_runs
from seqgcn.runs.reader import read_runs
from seqgcn.utils.files import write_text

LOW, HIGH = (0.5, 0.6, 0.7), (0.5, 0.7, 0.8)
SEEDS = {0: LOW, 1: (0.4, 0.6, 0.7)}
BETTER = {0: HIGH, 1: (0.4, 0.65, 0.75)}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# which runs belong together


def test_runs_of_any_folders_are_one_selector_where_they_chose_by_one_rule(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": SEEDS, "core-gcn": BETTER})
    write_run(tmp_path / "b", HIGH, selector="core-gcn", seed=2, set={"selector.k": 10, "selector.epochs": 200})
    write_run(tmp_path / "c", HIGH, selector="core-gcn:graph=knn,k=5", seed=0)
    write_run(tmp_path / "d", LOW, seed=2)
    comparison = compare_runs([tmp_path / name for name in "abcd"])
    assert {name: sorted(runs) for name, runs in comparison.runs.items()} == {
        "random": [0, 1, 2],
        "core-gcn": [0, 1, 2],
        "core-gcn:graph=knn,k=5": [0],
    }
    assert [(row.selector, row.seeds) for row in comparison.rows] == [
        ("random", 3),
        ("core-gcn", 3),
        ("core-gcn:graph=knn,k=5", 1),
    ]
    assert comparison.notes == ()


def test_one_of_several_runs_stands_alone(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": SEEDS, "core-gcn:graph=knn": BETTER})
    below = tmp_path / "a" / "core-gcn_graph=knn" / "seed-1"
    comparison = compare_runs([tmp_path / "a" / "random" / "seed-1", below])
    assert {name: list(runs) for name, runs in comparison.runs.items()} == {"random": [1], "core-gcn:graph=knn": [1]}


def test_a_run_named_twice_or_run_twice_alike_counts_once(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": SEEDS, "margin": BETTER})
    other = replace(record(0, 0.5), seconds={"train": 9.0}, environment={**ENVIRONMENT, "threads": 4})
    again = [other, record(1, 0.7), record(2, 0.8)]
    write_run(tmp_path / "b", (), selector="margin", records=again)
    comparison = compare_runs([tmp_path / "a", tmp_path / "a" / "margin" / "seed-0", tmp_path / "b", tmp_path / "a"])
    assert [row.seeds for row in comparison.rows] == [2, 2]
    assert comparison.notes == ("not all runs were made under the same conditions: threads 1 and 4",)


def test_the_same_run_with_another_outcome_is_refused(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": SEEDS, "margin": BETTER})
    write_run(tmp_path / "b", (0.5, 0.7, 0.81), selector="margin")
    with pytest.raises(RunFolderError, match=r"a/margin/seed-0 and .*/b are both margin with seed 0, but differ"):
        compare_runs([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 20}, "initial is 10 in the first, 20 in the other"),
        ({"cycles": 3, "values": (*HIGH, 0.9)}, "cycles is 2 in the first, 3 in the other"),
        ({"set": {"learner.epochs": 4}}, "learner.epochs is None in the first, 4 in the other"),
        ({"warm_start": True}, "warm-start is False in the first, True in the other"),
        ({"subset": 100}, "subset is None in the first, 100 in the other"),
        (
            {"fingerprint": "f2", "set": {"dataset.noise": 3}},
            "fingerprint of the data is f1 in the first, f2 in the other; dataset.noise is None in the first, 3 in",
        ),
        (
            {"dataset": "rendered-hands", "learner": "deep-prior"},
            "metric is accuracy in the first, mean joint error in the other",
        ),
    ],
)
def test_other_experiments_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write_run(tmp_path / "a", LOW)
    write_run(tmp_path / "b", change.pop("values", HIGH), selector="margin", **change)
    with pytest.raises(RunFolderError, match="are of different experiments: ") as caught:
        compare_runs([tmp_path / "a", tmp_path / "b"])
    assert message in str(caught.value)


def test_what_does_not_change_the_experiment_may_differ(tmp_path: Path) -> None:
    write_run(tmp_path / "a", LOW, root="/data/here", device="cpu", set={"dataset.cache": "/one"})
    write_run(tmp_path / "b", HIGH, selector="margin", root="/data/there", set={"dataset.cache": "/two"})
    assert len(compare_runs([tmp_path / "a", tmp_path / "b"]).rows) == 2


def test_unfinished_runs_are_left_out_and_said(tmp_path: Path) -> None:
    write_runs(tmp_path / "a run", {"random": SEEDS, "margin": {0: HIGH, 1: (0.4,)}})
    never = tmp_path / "a run" / "margin" / "seed-2"
    text = (tmp_path / "a run" / "config.yaml").read_text()
    write_text(tmp_path / "a run" / "config.yaml", text.replace("- 1\n", "- 1\n- 2\n"))
    comparison = compare_runs([tmp_path / "a run"])
    assert not never.exists()
    assert [row.seeds for row in comparison.rows] == [2, 1]
    (note,) = comparison.notes
    assert "left out, as unfinished: random, seed 2 (0 of 3 cycles); margin, seed 1 (1 of 3 cycles)" in note
    assert note.endswith(f"To finish: seqgcn run --out '{tmp_path / 'a run'}' --resume")


# what there is to compare


def test_nothing_to_compare(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": SEEDS})
    write_run(tmp_path / "b", HIGH[:2], selector="margin")
    with pytest.raises(
        ConfigError, match=r"nothing to compare random with: finished runs are there of random \(seeds 0, 1"
    ):
        compare_runs([tmp_path / "a"], baseline="random")
    with pytest.raises(ConfigError, match="--baseline: random is not among them: no run is finished; left out"):
        compare_runs([tmp_path / "b"], baseline="random")
    with pytest.raises(ConfigError, match="nothing to compare: no run is finished; left out"):
        compare_runs([tmp_path / "b"])
    with pytest.raises(ConfigError, match="--baseline: margin is not among them"):
        compare_runs([tmp_path / "a", tmp_path / "b"], baseline="margin")


def test_a_selector_alone_is_shown_and_what_random_would_tell(tmp_path: Path) -> None:
    settings = {"selector.epochs": 200, "learner.epochs": 5, "learner.width": 1.0, "dataset.crop_size": 64}
    options = {"dataset": "rendered-hands", "learner": "deep-prior", "pool_size": 60, "set": settings}
    write_runs(tmp_path / "my runs", {"core-gcn": {3: HIGH, 0: LOW}}, **options)
    comparison = compare_runs([tmp_path / "my runs"])
    assert (comparison.baseline, len(comparison.rows), comparison.savings) == ("core-gcn", 1, {})
    (note,) = comparison.notes
    folder = f"{tmp_path}/my runs"
    run, _, again = note.partition("show: ")[2].partition(" && ")
    assert note.startswith("only core-gcn is there; what choosing gains over random picks")
    assert run.startswith(f"seqgcn run --out '{folder}-random' --dataset rendered-hands --learner deep-prior ")
    assert "--selector random --seeds 0 3 --budget 10 --cycles 2 --pool-size 60" in run
    assert "--set dataset.crop_size=64 --set learner.epochs=5" in run
    assert "selector." not in run
    assert "width" not in run, "the default"
    assert again == f"seqgcn compare '{folder}' '{folder}-random'"
    comparison.write(tmp_path / "out")
    assert "only core-gcn is there" in (tmp_path / "out/comparison.html").read_text()
    only = compare_runs([write_run(tmp_path / "r", HIGH)])
    assert only.baseline == "random"
    assert only.notes == ("only random is there; name the runs of another selector to compare it",)


def test_without_random_the_first_that_can_be_is_the_baseline(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"margin": {1: HIGH}, "core-gcn": SEEDS, "badge": {0: LOW, 1: LOW}})
    comparison = compare_runs([tmp_path / "a"])
    assert comparison.baseline == "margin"
    assert comparison.notes[-1].startswith("random is not there, so margin is the baseline; ")
    write_run(tmp_path / "b", HIGH, selector="lcmd", seed=0)
    assert compare_runs([tmp_path / "a", tmp_path / "b"]).baseline == "core-gcn"


def test_the_command_in_the_note_is_one(tmp_path: Path) -> None:
    options = {"warm_start": True, "set": {"learner.milestones": [3, 5]}}
    write_run(tmp_path / "a", HIGH, selector="core-gcn:graph=knn", seed=2, **options)
    note = compare_runs([tmp_path / "a"]).notes[0]
    words = shlex.split(note.partition("show: ")[2].partition(" && ")[0])
    arguments = parser().parse_args(words[1:])
    config = RunConfig(**given_options(arguments, RunConfig) | {"set": dict(arguments.set)})
    assert (config.selector, config.seeds, config.warm_start) == (("random",), (2,), True)
    assert config.set == {"learner.milestones": [3, 5]}


def test_no_seed_in_common(tmp_path: Path) -> None:
    write_run(tmp_path / "a", LOW)
    write_run(tmp_path / "b", HIGH, selector="margin", seed=1)
    with pytest.raises(ArgumentError, match=r"margin \(seeds \[1\]\) has no seed of random"):
        compare_runs([tmp_path / "a", tmp_path / "b"])


def test_a_bare_name_is_enough_where_one_alone_has_it(tmp_path: Path) -> None:
    names = ("core-gcn:graph=knn", "margin", "badge")
    write_runs(tmp_path / "a", dict.fromkeys(names, SEEDS))
    comparison = compare_runs([tmp_path / "a"], baseline="core-gcn", confirmatory=["badge"])
    assert comparison.baseline == "core-gcn:graph=knn"
    assert [row.confirmatory for row in comparison.rows] == [False, False, True]
    write_run(tmp_path / "b", LOW, selector="core-gcn:graph=knn,k=3")
    with pytest.raises(ConfigError, match="--baseline: core-gcn is several"):
        compare_runs([tmp_path / "a", tmp_path / "b"], baseline="core-gcn")
    with pytest.raises(ConfigError, match="--confirmatory: bald is not among them"):
        compare_runs([tmp_path / "a"], baseline="margin", confirmatory=["bald"])


# what comes out


def test_figures(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"margin": BETTER, "random": SEEDS})
    comparison = compare_runs([tmp_path / "a"])
    assert comparison.title == "digits, small-cnn, 10 labels a cycle"
    assert [row.selector for row in comparison.rows] == ["random", "margin"]
    assert comparison.rows[1].difference == pytest.approx((0.075 + 0.0375) / 2)
    saving = comparison.savings["margin"]
    assert (saving.level, saving.baseline_needed) == (pytest.approx(0.7), pytest.approx(30))
    table = comparison.table()
    assert " ± 1.8" in table
    assert "higher is better" in table
    assert f"{saving.saved:+.0f} of 30" in table


def test_where_lower_is_better(tmp_path: Path) -> None:
    pose = {"dataset": "rendered-hands", "learner": "deep-prior"}
    write_runs(tmp_path / "a", {"random": {0: (30, 25, 20)}, "lcmd": {0: (30, 20, 15)}}, **pose)
    comparison = compare_runs([tmp_path / "a"])
    assert comparison.metric.unit == "mm"
    assert comparison.savings["lcmd"].saved == pytest.approx(10)
    assert "lower is better" in comparison.table()
    comparison.write(tmp_path / "out")
    assert "better to the left" in (tmp_path / "out" / "comparison.html").read_text()


def test_enough_seeds_get_a_p_where_it_was_named_beforehand(tmp_path: Path) -> None:
    random = {seed: (0.5, 0.6, 0.7 + seed / 1000) for seed in range(8)}
    better = {seed: (0.5, 0.6, 0.75 + seed / 500) for seed in range(8)}
    write_runs(tmp_path / "a", {"random": random, "margin": better})
    assert compare_runs([tmp_path / "a"]).rows[1].p_holm is None
    assert compare_runs([tmp_path / "a"], confirmatory=["margin"]).rows[1].p_holm == pytest.approx(2 / 2**8)


def test_four_files_are_written_and_written_again(tmp_path: Path) -> None:
    write_runs(tmp_path / "a", {"random": SEEDS, "margin": BETTER, "core-gcn:graph=knn,k=5": {0: HIGH}})
    write_run(tmp_path / "b", HIGH[:1], selector="badge")
    comparison = compare_runs([tmp_path / "a", tmp_path / "b"], confirmatory=["margin"])
    out = tmp_path / "new" / "out"
    comparison.write(out)
    first = content(out)
    assert set(first) == {"comparison.md", "comparison.csv", "comparison.html", "curve.png"}
    comparison.write(out)
    assert content(out) == first
    assert first["curve.png"].startswith(b"\x89PNG")
    markdown = first["comparison.md"].decode()
    assert markdown.startswith(comparison.table())
    assert "Note: left out, as unfinished: badge, seed 0 (1 of 3 cycles)" in markdown
    assert f"- margin, seed 1: {tmp_path / 'a' / 'margin' / 'seed-1'}" in markdown
    rows = list(csv.DictReader(first["comparison.csv"].decode().splitlines()))
    assert [row["selector"] for row in rows] == ["random", "margin", "core-gcn:graph=knn,k=5"]
    assert float(rows[1]["difference"]) == pytest.approx(5.625)
    assert float(rows[1]["labels_saved"]) == pytest.approx(comparison.savings["margin"].saved)
    assert rows[0]["labels_saved"] == rows[2]["interval_low"] == ""
    assert all(row["unit"] == "%" and None not in row for row in rows)
    page = first["comparison.html"].decode()
    command = f"seqgcn compare {tmp_path / 'a'} {tmp_path / 'b'} --baseline random --confirmatory margin --out {out}"
    assert command in re.sub("</?span>", "", page)


def test_no_other_folder_is_written_into(tmp_path: Path) -> None:
    runs = write_runs(tmp_path / "a", {"random": SEEDS, "margin": BETTER})
    comparison = compare_runs([runs])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    comparison.write(tmp_path / "out")
    write_run(tmp_path / "run", LOW)
    (tmp_path / "run" / "comparison.csv").write_text("")
    before = {folder: content(tmp_path / folder) for folder in ("mine", "run")}
    for folder in before:
        with pytest.raises(RunFolderError, match="is not empty and holds no earlier comparison"):
            comparison.write(tmp_path / folder)
    assert {folder: content(tmp_path / folder) for folder in before} == before
    with pytest.raises(RunFolderError, match=r"cannot write the comparison into .*thesis\.tex"):
        comparison.write(tmp_path / "mine" / "thesis.tex")


# damaged folders


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"there is no run in .*: it holds no config.yaml"):
        read_runs(tmp_path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"selector": ["nonsense"]}, "unknown selector 'nonsense'"),
        ({"selector": ["..", "random"]}, r"config.yaml: unknown selector '\.\.'"),
        ({"selector": ["random"], "colour": 3}, "unknown key 'colour'"),
        ({"selector": ["random"], "budget": "many"}, "budget must be whole number, got 'many'"),
    ],
)
def test_a_damaged_configuration(tmp_path: Path, document: dict[str, Any], message: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(RunFolderError, match=message):
        read_runs(tmp_path)


def test_several_runs_where_one_must_be(tmp_path: Path) -> None:
    write_runs(tmp_path, {"random": SEEDS, "margin": SEEDS})
    document = {"selector": ["margin"], "seeds": [0, 1]}
    (tmp_path / "margin" / "seed-0" / "config.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(RunFolderError, match=r"margin/seed-0/config\.yaml must be of one selector and one seed"):
        read_runs(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"cycle": 2},
        {"metric": {}},
        {"metric": {"accuracy": "high"}},
        {"metric": {"accuracy": float("nan")}},
        {"metric": {"mean joint error": 0.7}},
        {"labelled": (1, 2)},
        {"scores": (1.0,)},
        {"seconds": {"train": None}},
        {"curves": {"loss": [None]}},
        {"curves": {"loss": 3}},
        {"pseudo": {"targets": 3}},
        {"picks": ("a",) * 10},
    ],
)
def test_a_damaged_journal(tmp_path: Path, changes: dict[str, Any]) -> None:
    rows = [record(0, 0.5), replace(record(1, 0.6), **changes)]
    write_run(tmp_path / "a", (), records=rows)
    with pytest.raises(RunFolderError, match=r"journal.jsonl, line 2 does not follow from the lines before it"):
        read_runs(tmp_path / "a")


def test_a_metric_nobody_knows(tmp_path: Path) -> None:
    write_run(tmp_path / "a", (), records=[record(0, 0.5, metric="charm")])
    with pytest.raises(RunFolderError, match="holds the metric 'charm', but small-cnn measures 'accuracy'"):
        read_runs(tmp_path / "a")
    write_run(tmp_path / "b", (), records=[record(0, 0.5, metric="charm")], learner="gone")
    with pytest.raises(RunFolderError, match="cannot tell whether a higher charm is better: unknown learner 'gone'"):
        read_runs(tmp_path / "b")
