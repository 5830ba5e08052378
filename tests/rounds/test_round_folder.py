"""The folder of a round: what it may hold, who works in it, and going on with it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rounds.toys import FILES, answers, content, features, files, write

from seqgcn.config.select import SelectConfig
from seqgcn.exceptions import ConfigError, RunFolderError
from seqgcn.rounds.record import held_config
from seqgcn.rounds.select_round import Round
from seqgcn.utils.locks import LOCK, locked

pytestmark = pytest.mark.usefixtures("quick")


# the folder


def test_a_folder_that_holds_something_else(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    folder = tmp_path / "round"
    folder.mkdir()
    (folder / ".hidden").touch()
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(RunFolderError, match="holds other files; name a new or empty folder with --out"):
        Round(digits(), folder)
    assert content(folder) == {"thesis.tex": b"x"}
    (folder / "thesis.tex").unlink()
    Round(digits(), folder)()
    assert files(folder) == FILES
    with pytest.raises(RunFolderError, match="cannot make the folder"):
        Round(digits(), tmp_path / "labelled.txt")


def test_a_used_folder(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    folder = tmp_path / "round"
    Round(digits(), folder)()
    before = content(folder)
    with pytest.raises(RunFolderError, match="holds a round already: go on with --resume, or name another folder"):
        Round(digits(), folder)
    for changes, message in (
        ({"budget": 5}, r"holds another round \(budget is 4\.0 there, 5\.0 now\)"),
        ({"selector": "random"}, r"selector is first there, random now; selector\.least is False there, None now"),
        ({"set": {"learner.noise": 3}}, r"\(learner\.noise is 1\.0 there, 3\.0 now\)"),
    ):
        with pytest.raises(RunFolderError, match=message):
            Round(digits(**changes), folder, resume=True)
    assert Round(digits(), folder, resume=True).done
    # What was a default may be set to the same.
    assert Round(digits(set={"learner.noise": 1}, device="auto"), folder, resume=True).done
    assert content(folder) == before


def test_nothing_to_resume(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    with pytest.raises(RunFolderError, match=r"there is no round in .* to resume; without --resume one is begun"):
        Round(digits(), tmp_path / "round", resume=True)
    with pytest.raises(RunFolderError, match="there is no round in"):
        held_config(tmp_path / "round")
    assert not (tmp_path / "round").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not hold a round"),
        ("- 1", "does not hold a round"),
        ("select: 3", "does not hold a round"),
        ("select: {}\nparameters: 3", "does not hold a round"),
        ("select: {}\nparameters: {learner: 3}", "does not hold a round"),
        ("select: [", "cannot read"),
        ("select: !!python/object/apply:os.getcwd []", "cannot read"),
        ("select: {}\nparameters: {}\nenvironment: 3", "does not hold a round"),
        ("select: {}\nparameters: {}\nenvironment: {versions: 3}", "does not hold a round"),
        ("select: {bugdet: 3}\nparameters: {}\nenvironment: {versions: {}}", "has the unknown key bugdet"),
        ("select: {dataset: [a]}\nparameters: {}\nenvironment: {versions: {}}", "is damaged .*dataset must be"),
        ("select: {}\nparameters: {}\nenvironment: {versions: {}}", "is damaged .*give either --dataset"),
    ],
)
def test_a_damaged_record(tmp_path: Path, digits: Callable[..., SelectConfig], text: str, message: str) -> None:
    (tmp_path / "round").mkdir()
    (tmp_path / "round/round.yaml").write_text(text)
    with pytest.raises(RunFolderError, match=message):
        held_config(tmp_path / "round")
    with pytest.raises(RunFolderError, match=message):
        Round(digits(), tmp_path / "round", resume=True)


def test_two_at_once(tmp_path: Path, digits: Callable[..., SelectConfig], fits: list[int]) -> None:
    asked = Round(digits(), tmp_path / "round")
    with locked(tmp_path / "round"), pytest.raises(RunFolderError, match="is in use by process"):
        asked()
    assert fits == []
    asked()
    assert {path.name for path in (tmp_path / "round").iterdir() if path.name.startswith(".")} <= {LOCK}


def test_a_folder_that_cannot_be_written(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot make the folder"):
        Round(digits(), tmp_path / "file" / "round")


# going on


class Killed(BaseException):
    """Stands for a signal that nothing catches."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], list[str]]:
    """Die instead of giving a file its name, the n-th time from now on; returns the names so far."""

    def arm(number: int | None) -> list[str]:
        names: list[str] = []

        def replacing(old: Any, new: Any) -> None:
            if len(names) == number:
                raise Killed
            names.append(Path(new).name)
            os.rename(old, new)

        monkeypatch.setattr("os.replace", replacing)
        return names

    return arm


@pytest.mark.parametrize("selector", ["first", "random", "core-gcn:epochs=3"])
def test_killed_between_any_two_files(
    tmp_path: Path,
    digits: Callable[..., SelectConfig],
    fits: list[int],
    killed_at: Callable[[int | None], list[str]],
    selector: str,
) -> None:
    config = digits(selector=selector)
    written = killed_at(None)
    curves = Round(config, tmp_path / "whole")().curves
    assert curves == {"training loss": [2.0, 0.5]}
    whole = answers(tmp_path / "whole")
    assert [name for name in written if not name.startswith(".") and not name.endswith(".png")] == [
        "round.yaml",
        "training.json",
        "learner.pt",
        "represents.csv",
        "coco_classes.json",
        "label_studio.xml",
        "label_studio.json",
        "cvat_labels.json",
        "classes.csv",
        "frames.txt",
        "classes.json",
        "report.html",
        "picks.csv",
    ]
    for number in range(len(written)):
        folder = tmp_path / str(number)
        killed_at(number)
        with pytest.raises(Killed):
            Round(config, folder)()
        killed_at(None)
        there = (folder / "round.yaml").exists()
        assert not (folder / "picks.csv").exists()
        fits.clear()
        trained = (folder / "learner.pt").exists()
        assert Round(config, folder, resume=there)().curves == curves
        assert fits == ([] if trained else [8])
        assert answers(folder) == whole
        assert files(folder) == FILES
        assert not list(folder.glob("**/.*.unfinished"))


def test_files_that_have_changed(tmp_path: Path, digits: Callable[..., SelectConfig], fakes: Any) -> None:
    lists = {
        "labelled": write(tmp_path / "labelled.txt", *range(8)),
        "exclude": write(tmp_path / "exclude.txt", 30),
        "candidates": write(tmp_path / "candidates.txt", *range(40)),
        "cost": write(tmp_path / "cost.csv", "item,cost", *(f"{i},1" for i in range(60))),
    }
    config = digits(**lists)
    Round(config, tmp_path / "round")
    more = {"labelled": "20\n", "exclude": "31\n", "candidates": "45\n"}
    named = {"labelled": "labelled items", "exclude": "candidates", "candidates": "candidates", "cost": "costs"}
    for key, name in lists.items():
        text = Path(name).read_text()
        Path(name).write_text(text.replace("58,1\n", "58,2\n") if key == "cost" else text + more[key])
        with pytest.raises(RunFolderError, match=rf"^{named[key]} changed since .* was begun; restore what"):
            Round(config, tmp_path / "round", resume=True)
        Path(name).write_text(text)
    # They may have moved, though.
    (tmp_path / "moved").mkdir()
    moved = {key: str(Path(name).rename(tmp_path / "moved" / key)) for key, name in lists.items()}
    asked = Round(digits(**moved), tmp_path / "round", resume=True)
    assert not asked.done
    asked()


def test_other_conditions_are_said(
    tmp_path: Path, digits: Callable[..., SelectConfig], monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    Round(digits(), tmp_path / "round")
    Round(digits(), tmp_path / "round", resume=True)
    assert messages == []
    monkeypatch.setattr("seqgcn.__version__", "9.9")
    other = "resumed under other conditions, so results may differ in the last bits: seqgcn was 0.1.0, is 9.9"
    asked = Round(digits(), tmp_path / "round", resume=True)
    assert messages == [f"{tmp_path / 'round'}: {other}"]
    asked()
    messages.clear()
    assert Round(digits(), tmp_path / "round", resume=True).done
    assert messages == []  # nothing is left to differ


def test_items_that_came_on_top(tmp_path: Path) -> None:
    Round(features(tmp_path), tmp_path / "round")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((41, 4), np.float32))
    with pytest.raises(RunFolderError, match=r"^items changed since"):
        Round(features(tmp_path), tmp_path / "round", resume=True)


@pytest.mark.parametrize("text", ["{", "[1]", '{"training loss": 3}', '{"training loss": ["a"]}'])
def test_a_damaged_record_of_the_training(tmp_path: Path, digits: Callable[..., SelectConfig], text: str) -> None:
    Round(digits(), tmp_path / "round")()
    (tmp_path / "round/training.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"cannot read .*training\.json .*restore it, or delete it"):
        Round(digits(), tmp_path / "round", resume=True)()


def test_other_images(tmp_path: Path, digits: Callable[..., SelectConfig], fakes: Any, monkeypatch: Any) -> None:
    Round(digits(), tmp_path / "round")
    monkeypatch.setattr(fakes[0], "shift", 1)
    with pytest.raises(RunFolderError, match="changed since"):
        Round(digits(), tmp_path / "round", resume=True)


def test_damaged_weights(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    Round(digits(), tmp_path / "round")
    (tmp_path / "round/learner.pt").write_bytes(b"no weights")
    with pytest.raises(RunFolderError, match=r"learner\.pt, what a learner has learned .* restore it, or start in an"):
        Round(digits(), tmp_path / "round", resume=True)()


def test_a_learner_without_weights_is_trained_again(
    tmp_path: Path, digits: Callable[..., SelectConfig], fits: list[int], fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgcn.rounds.select_round.RestorableLearner", ())
    asked = Round(digits(), tmp_path / "round")
    first, second = asked(), asked()
    assert fits == [8, 8]
    assert torch.equal(first.selection.index, second.selection.index)
    assert "learner.pt" not in content(tmp_path / "round")


def test_among_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = SelectConfig(dataset="depth-folder", root="lab", budget=2, device="cpu")
    for folder in (tmp_path / "lab/round", Path("lab"), Path("other/../lab/deep/round")):
        with pytest.raises(ConfigError, match=r"lies in lab, among the data, .* elsewhere with --out"):
            Round(config, folder)
    assert not (tmp_path / "lab").exists()
