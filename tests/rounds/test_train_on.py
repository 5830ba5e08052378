import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hand_rounds
import pytest
import torch
import yaml
from hand_rounds import answer, make_round, picks_of, take, truth

from seqgcn.annotation import read_tasks
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.round_pool import RoundPool
from seqgcn.exceptions import ConfigError
from seqgcn.rounds.select_round import Round
from seqgcn.rounds.train_on import read_answers, trained_pool

SKELETON = Skeleton(("wrist", "tip"), ((0, 1),))


def write(folder: Path, labelled: Path | None = None, **records: dict[tuple[str, str], str]) -> Path:
    """A round's folder with records, each of answers by frame and joint; its file of labels."""
    folder.mkdir(exist_ok=True)
    (folder / "round.yaml").write_text(yaml.safe_dump({"select": {"labelled": labelled and str(labelled)}}))
    for name, answers in records.items():
        with open(folder / f"imported-{name[1:]}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["frame", "joint", "depth from", "moved", "answer"])
            writer.writerows([*key, "auto", 0, each] for key, each in answers.items())
    return folder / "labels.csv"


def pool_of(*items: str) -> RoundPool:
    """All labeled."""
    frames: Any = SimpleNamespace(skeleton=SKELETON)
    n = len(items)
    return RoundPool(
        name="x", items=items, labelled=torch.arange(n), fingerprint="", targets=torch.ones(n, 2, 3), frames=frames
    )


def config_of(labelled: Path, train_on: str) -> SelectConfig:
    return SelectConfig(dataset="depth-folder", root="lab", labelled=str(labelled), train_on=train_on)


@pytest.mark.parametrize(
    ("train_on", "labelled", "trained"),
    [
        ("all", [0, 1, 2, 3], [[1, 1], [1, 1], [1, 1], [1, 1]]),
        ("confirmed", [0, 1, 3], [[1, 1], [1, 1], [1, 1]]),
        ("moved", [0, 1, 3], [[0, 1], [1, 1], [1, 1]]),
    ],
)
def test_what_is_trained_on(tmp_path: Path, train_on: str, labelled: list[int], trained: list[list[int]]) -> None:
    """One joint was moved, both, none, and the last frame is labeled in a file of the user's own."""
    answers = {
        **{("a", "wrist"): "prediction", ("a", "tip"): "changed"},
        **{("b", "wrist"): "manual", ("b", "tip"): "changed"},
        **{("c", "wrist"): "prediction", ("c", "tip"): "prediction"},
    }
    labels = write(tmp_path / "round", _1=answers)
    pool = trained_pool(pool_of("a", "b", "c", "own"), config_of(labels, train_on))
    assert pool.labelled.tolist() == labelled
    assert pool.targets is not None
    assert pool.targets.isfinite().all(dim=2).int().tolist() == trained


def test_earlier_rounds_have_records_of_their_own(tmp_path: Path) -> None:
    first = write(tmp_path / "1", tmp_path / "mine.csv", _1={("a", "tip"): "changed"}, _2={("b", "tip"): "prediction"})
    second = write(tmp_path / "2", first, _9={("c", "tip"): "prediction"}, _10={("c", "tip"): "manual"})
    assert read_answers(second) == {"a": {"tip": "changed"}, "b": {"tip": "prediction"}, "c": {"tip": "manual"}}
    assert read_answers(tmp_path / "mine.csv") == {}
    # Rounds that begin with each other's labels end, too.
    write(tmp_path / "1", second)
    assert set(read_answers(second)) == {"a", "b", "c"}


@pytest.mark.parametrize("text", ["", "frame;joint\na;b\n", "\xff", "frame,joint,depth from\n"])
def test_records_that_cannot_be_read_are_passed_over(tmp_path: Path, text: str) -> None:
    labels = write(tmp_path / "round", _1={("a", "tip"): "prediction"})
    (tmp_path / "round/imported-2.csv").write_text(text, encoding="latin1")
    assert read_answers(labels) == {"a": {"tip": "prediction"}}
    (tmp_path / "round/round.yaml").write_text("[")
    assert read_answers(labels) == {"a": {"tip": "prediction"}}


def test_records_of_earlier_versions_say_what_was_moved(tmp_path: Path) -> None:
    labels = write(tmp_path / "round")
    (tmp_path / "round/imported-1.csv").write_text(
        "frame,joint,depth from,hidden,moved\na,wrist,prediction,0,0\na,tip,prediction,0,1\n"
    )
    assert read_answers(labels) == {"a": {"wrist": "prediction", "tip": "changed"}}


def test_nothing_to_train_on(tmp_path: Path) -> None:
    labels = write(tmp_path / "round", _1={("a", "wrist"): "prediction", ("a", "tip"): "prediction"})
    with pytest.raises(ConfigError, match="train-on confirmed leaves no joint to train on"):
        trained_pool(pool_of("a"), config_of(labels, "confirmed"))
    with pytest.raises(ConfigError, match="train-on must be one of all, confirmed, moved, got 'some'"):
        config_of(labels, "some")


@pytest.mark.usefixtures("mean_pose")
def test_a_round_after_an_import(rendered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the thumbs were corrected; the network of the next round sees what was asked for."""
    root = rendered("depth-folder")
    hands = truth("depth-folder", root)
    mine = hand_rounds.keep_labels("depth-folder", root, tmp_path / "mine.csv", 3)
    folder = tmp_path / "round"
    config = make_round(folder, "depth-folder", root, labelled=str(mine))
    places = {
        (preview.item, joint): (guess.u, guess.v)
        for preview in read_tasks(folder / "tasks").previews
        for joint, guess in zip(hands.skeleton.joints, preview.predicted, strict=True)
        if guess is not None
    }

    def click(item: str, joint: str, u: float, v: float) -> tuple[float, float]:
        return (u, v) if "thumb" in joint else places[item, joint]

    export = answer(folder, hands, tmp_path / "export.json", click=click, origin="prediction")
    assert take(folder, config, [export], force=True).checked.problems == ()
    seen: list[Any] = []
    fit = hand_rounds.MeanPose.fit

    def watched(self: Any, inputs: Any, targets: Any, **rest: Any) -> Any:
        seen.append(targets)
        return fit(self, inputs, targets, **rest)

    monkeypatch.setattr(hand_rounds.MeanPose, "fit", watched)
    thumbs = torch.tensor(["thumb" in joint for joint in hands.skeleton.joints])
    for train_on in ("confirmed", "moved"):
        following = replace(config, labelled=str(folder / "labels.csv"), budget=1, train_on=train_on)
        Round(following, tmp_path / train_on)()
        known = seen.pop().isfinite().all(dim=2)
        assert len(known) == 3 + len(picks_of(folder))
        assert int(known.all(dim=1).sum()) == (len(known) if train_on == "confirmed" else 3)
        assert bool(known[:, thumbs].all())
