"""What is computed and written today is what is recorded, and what an earlier version began can be gone on with."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from byte_for_byte import begun, names, of_folders, of_learners, of_selectors, record
from byte_for_byte.digests import assert_agrees, of_tensor, of_weights

HELD = record.read()

Agrees = Callable[[Any, Any], None]


@pytest.fixture(scope="session")
def exact() -> bool:
    """Whether hashes count on this machine."""
    return record.is_of_this_machine()


@pytest.fixture
def agrees(exact: bool) -> Agrees:
    return lambda found, held: assert_agrees(found, held, exact=exact)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What rounds are of, and a cache of its crops."""
    folder = tmp_path_factory.mktemp("inputs")
    of_folders.write_inputs(folder)
    return folder


@pytest.fixture
def here(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a copy of it."""
    shutil.copytree(inputs, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SEQGCN_CACHE", str(inputs / "cache"))
    return tmp_path / "here"


def test_the_record_is_of_the_whole_catalogue_there_was() -> None:
    assert len(HELD["selectors"].keys() & set(names.catalogue("selector"))) == len(HELD["selectors"]) == 26
    assert list(HELD["learners"]) == list(of_learners.cases())
    # One needs an extra and has no weights of its own, the others came later.
    trained = set(names.catalogue("learner")) - {"mediapipe", "linear", "knn", "gp"}
    assert trained <= {name.partition(",")[0] for name in HELD["learners"]}


@pytest.mark.parametrize("name", HELD["selectors"])
def test_selector(name: str, exact: bool) -> None:
    found, held = of_selectors.entry(name), HELD["selectors"][name]
    if name in of_selectors.TRAINED and not exact:
        for seed in held:
            assert list(found[seed]["details"]) == list(held[seed]["details"])
            assert found[seed]["score"]["type"] == held[seed]["score"]["type"]
    else:
        assert_agrees(found, held, exact=exact)


@pytest.mark.parametrize("name", HELD["learners"])
def test_learner(name: str, exact: bool) -> None:
    found, held = of_learners.cases()[name](), HELD["learners"][name]
    if "bfloat16" in name and not exact:
        # Processors round it in different places.
        assert found["weights"]["keys"] == held["weights"]["keys"]
    else:
        assert_agrees(found, held, exact=exact)


def test_loop_in_memory(agrees: Agrees) -> None:
    agrees(of_folders.of_journal(names.loop()), HELD["loop"])


@pytest.mark.parametrize("name", HELD["runs"])
def test_run(name: str, tmp_path: Path, agrees: Agrees) -> None:
    agrees(of_folders.run(name, tmp_path / name), HELD["runs"][name])


def test_rendered_frames(here: Path, agrees: Agrees) -> None:
    agrees(of_folders.entry(here / "frames"), HELD["inputs"])


@pytest.mark.parametrize("name", HELD["rounds"])
def test_round(name: str, here: Path, agrees: Agrees) -> None:
    agrees(of_folders.select(name, here), HELD["rounds"][name])


def test_run_begun_by_an_earlier_version_is_resumed(tmp_path: Path, agrees: Agrees) -> None:
    folder = begun.unpack(begun.RUN, tmp_path)
    before = {path: path.read_text() for path in folder.rglob("journal.jsonl")}
    assert sorted(len(text.splitlines()) for text in before.values()) == [1, 3]
    of_folders.call("run", "--resume", "--out", str(folder), *of_folders.QUIET)
    assert all(path.read_text().startswith(text) for path, text in before.items())
    found, held = of_folders.entry(folder), HELD["runs"]["warm"]
    assert found["names"] == held["names"]
    agrees(found, held)


def test_labels_are_imported_into_a_round_of_an_earlier_version(here: Path, exact: bool) -> None:
    folder = begun.unpack(begun.ROUND, here)
    # Pictures are not kept; whoever labels has seen them.
    of_folders.call("select", "--out", "again", *of_folders.ROUNDS["hands"], *of_folders.QUIET)
    shutil.copytree("again/tasks/images", folder / "tasks/images")
    found, held = of_folders.imported(folder), HELD["rounds"]["hands"]["imported"]
    assert found["picks"] == held["picks"]
    for name in ("labels.csv", "imported-1.csv"):
        assert_agrees(found["files"][name], held["files"][name], exact=exact)


def test_round_of_an_earlier_version_goes_on_after_its_training(here: Path, exact: bool) -> None:
    folder = begun.unpack(begun.TRAINED_ROUND, here)
    weights = (folder / "learner.pt").read_bytes()
    if not exact:
        # Crops, of which the fingerprint is, have other last bits here.
        of_folders.call("select", "--out", "again", *of_folders.ROUNDS["hands"], *of_folders.QUIET)
        document = yaml.safe_load((folder / "round.yaml").read_text())
        document["fingerprint"] = yaml.safe_load(Path("again/round.yaml").read_text())["fingerprint"]
        (folder / "round.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    of_folders.call("select", "--resume", "--out", str(folder), *of_folders.QUIET)
    assert (folder / "learner.pt").read_bytes() == weights
    assert_agrees(of_folders.entry(folder), HELD["rounds"]["hands"]["selected"], exact=exact)


def test_round_of_an_earlier_version_goes_on_from_its_beginning(here: Path, agrees: Agrees) -> None:
    folder = begun.unpack(begun.OPEN_ROUND, here)
    of_folders.call("select", "--resume", "--out", str(folder), *of_folders.QUIET)
    agrees(of_folders.entry(folder), HELD["rounds"]["features"]["selected"])


def test_one_bit_counts_where_hashes_do() -> None:
    values = torch.rand(50, generator=torch.Generator().manual_seed(0))
    other = values.clone()
    other[7] = torch.nextafter(other[7], torch.tensor(2.0))
    held = {"x": of_tensor(values)}
    assert_agrees({"x": of_tensor(values)}, held, exact=True)
    assert_agrees({"x": of_tensor(other)}, held, exact=False)
    with pytest.raises(AssertionError, match="record > x"):
        assert_agrees({"x": of_tensor(other)}, held, exact=True)


@pytest.mark.parametrize("exact", [True, False])
def test_other_values_shapes_and_keys_count_everywhere(exact: bool) -> None:
    values = torch.rand(50, generator=torch.Generator().manual_seed(0))
    held = {"w": of_weights({"a": values, "b": values[:3]}), "picks": [1, 2]}
    for state in (
        {"a": values * 1.01, "b": values[:3]},
        {"a": values, "c": values[:3]},
        {"b": values[:3], "a": values},
        {"a": values.double(), "b": values[:3]},
        {"a": values.view(5, 10), "b": values[:3]},
    ):
        with pytest.raises(AssertionError, match="record > w"):
            assert_agrees({"w": of_weights(state), "picks": [1, 2]}, held, exact=exact)
    with pytest.raises(AssertionError, match="record > picks"):
        assert_agrees({"w": held["w"], "picks": [2, 1]}, held, exact=exact)
    with pytest.raises(AssertionError, match="record"):
        assert_agrees({"w": held["w"]}, held, exact=exact)


def test_a_layout_is_all_but_numbers() -> None:
    assert of_folders.layout("a: 1.5e-3\nb: 2\n") == of_folders.layout("b: -17.25\na: 3\n")
    assert of_folders.layout("a: 1\n") != of_folders.layout("c: 1\n")


def test_what_arrived_since_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journal.jsonl").write_text(json.dumps({"cycle": 0, "seconds": {"train": 1.5}}))
    before = of_folders.entry(tmp_path)
    (tmp_path / "journal.jsonl").write_text(json.dumps({"cycle": 0, "seconds": {"train": 9.0}, "more": 3}))
    (tmp_path / "learner.safetensors").touch()
    assert of_folders.entry(tmp_path) != before
    monkeypatch.setattr(names, "ARRIVED", frozenset({"more"}))
    monkeypatch.setattr(names, "NEW_FILES", frozenset({"learner.safetensors"}))
    assert of_folders.entry(tmp_path) == before
