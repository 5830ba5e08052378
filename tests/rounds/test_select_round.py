"""What a round picks, and writes down of it."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hand_releases import write_folder
from PIL import Image
from rounds.toys import FEATURE_FILES, FILES, First, answers, content, features, files, picked, write
from torch_geometric.data import Data

from seqgcn.config.registry import CATALOGUE, Entry, load
from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands import HandFrames, Skeleton
from seqgcn.exceptions import ArgumentError, ConfigError, DataFileError, SeqGCNError
from seqgcn.learners import Ensemble, HandPose, SmallCNNClassifier, extended
from seqgcn.learners.extend_learner import with_classes
from seqgcn.rounds.record import held_config
from seqgcn.rounds.result import RoundResult
from seqgcn.rounds.select_round import COLD_START, LABEL_FREE, Round
from seqgcn.selectors import EnsembleSelector
from seqgcn.selectors.selector import Selector

pytestmark = pytest.mark.usefixtures("quick")


# what a round does


def test_a_round_on_a_data_set(tmp_path: Path, digits: Callable[..., SelectConfig], fits: list[int]) -> None:
    result = Round(digits(), tmp_path / "round")()
    assert fits == [8]
    assert isinstance(result, RoundResult)
    x, index = result.data.x, result.selection.index
    assert index.tolist() == sorted(range(8, 60), key=lambda i: -float(x[i, 0]))[:4]
    assert picked(tmp_path / "round") == [str(i) for i in index.tolist()]
    assert files(tmp_path / "round") == FILES
    assert len(list((tmp_path / "round/tasks/images").iterdir())) == 4
    assert (tmp_path / "round/tasks/frames.txt").read_text().split() == picked(tmp_path / "round")
    assert result.data.train_mask.nonzero().flatten().tolist() == list(range(8))
    with open(tmp_path / "round/represents.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0] for row in rows] == [str(i) for i in range(60)]
    assert {row[1] for row in rows} <= {str(i) for i in [*range(8), *index.tolist()]}
    before, after = result.represented.radius
    assert result.summary().splitlines() == [
        "first picked 4 of 52 unlabeled items of Toy (8 labeled)",
        f"first: {', '.join(picked(tmp_path / 'round'))}",
        f"largest distance to a labeled item: {before:.4g}, {after:.4g} once these are labeled",
    ]


def test_what_is_recorded(tmp_path: Path, digits: Callable[..., SelectConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = digits(labelled="labelled.txt", selector="first:least=true", set={"learner.noise": 2}, seed=3)
    Round(config, "my round")
    held = yaml.safe_load((tmp_path / "my round/round.yaml").read_text())
    assert held["select"]["labelled"] == str(tmp_path / "labelled.txt")
    assert held["select"]["set"] == {"learner.noise": 2}
    assert held["parameters"]["selector"] == {"least": True}
    assert held["parameters"]["learner"]["noise"] == 2.0
    assert held["command"] == (
        "seqgcn select --out 'my round' --dataset digits --labelled labelled.txt --learner small-cnn "
        "--selector first:least=true --budget 4 --seed 3 --device cpu --set learner.noise=2"
    )
    environment = held["environment"]
    assert (environment["device"], environment["threads"]) == ("cpu", torch.get_num_threads())
    assert environment["versions"]["torch"] == torch.__version__
    again = SelectConfig(**held_config(tmp_path / "my round"))
    assert again == replace(config, labelled=str(tmp_path / "labelled.txt"))


def test_the_first_labels_need_not_hold_every_class(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    labelled = write(tmp_path / "two.txt", 0, 4, 1)
    learner: Any = Round(digits(labelled=labelled), tmp_path / "round")().learner
    assert (learner.num_classes, learner.means_.shape[0]) == (4, 4)


def test_with_classes() -> None:
    plain = SmallCNNClassifier(device="cpu")
    assert with_classes(plain, 7).get_params()["num_classes"] == 7
    assert plain.num_classes is None
    chosen = SmallCNNClassifier(num_classes=3, device="cpu")
    assert with_classes(chosen, 7) is chosen
    members = with_classes(extended(plain, EnsembleSelector(n_members=2).extensions), 7)
    assert members.get_params()["learner__num_classes"] == 7


def test_same_seed_same_picks(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    found = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        for selector in ("random", "margin"):
            folder = tmp_path / f"{selector}-{name}"
            Round(digits(selector=selector, seed=seed, budget=20), folder)()
            found[folder.name] = answers(folder)
    assert found["random-a"] == found["random-b"]
    assert found["margin-a"] == found["margin-b"]
    assert found["random-a"]["picks.csv"] != found["random-c"]["picks.csv"]
    assert found["random-a"]["learner.pt"] != found["random-c"]["learner.pt"]


def test_features_are_described_by_themselves(tmp_path: Path) -> None:
    config = features(tmp_path)
    result = Round(config, tmp_path / "round")()
    x = np.load(tmp_path / "x.npy", mmap_mode="r+")
    assert result.selection.index.tolist() == (np.argsort(-x[6:, 0]) + 6)[:5].tolist()
    assert list(content(tmp_path / "round")) == FEATURE_FILES
    assert result.learner is None
    # Not even to look at them were they copied.
    x[0, 0] = 123
    x.flush()
    assert result.data.x[0, 0] == 123


def test_parameters_reach_selector_and_learner(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    plain = Round(digits(), tmp_path / "a")()
    least = Round(digits(set={"selector.least": True, "learner.noise": 0.0}), tmp_path / "b")()
    x: Any = least.data.x
    assert least.selection.index.tolist() == sorted(range(8, 60), key=lambda i: float(x[i, 0]))[:4]
    assert not torch.equal(plain.data.x, x)


# what may be picked, and at what cost


def test_lists_costs_and_a_gap_together(tmp_path: Path) -> None:
    names = [f"v{i // 10}/{i % 10:03d}.png" for i in range(40)]
    config = features(
        tmp_path,
        items=write(tmp_path / "names.txt", *names),
        labelled=write(tmp_path / "known.txt", *names[:6]),
        candidates=write(tmp_path / "c.txt", *names[4:38]),
        exclude=write(tmp_path / "e.txt", *names[30:34]),
        cost=write(tmp_path / "cost.csv", "item,cost", *(f"{name},{1 + i % 3}" for i, name in enumerate(names))),
        min_gap=3,
        budget=7.5,
    )
    result = Round(config, tmp_path / "round")()
    index = result.selection.index.tolist()
    assert set(index) <= set(range(6, 38)) - set(range(30, 34))
    assert sum(1 + i % 3 for i in index) <= 7.5
    assert all(abs(i - j) >= 3 for i in index for j in index if i != j and i // 10 == j // 10)
    x, left, expected = result.data.x, 7.5, []
    for i in sorted(set(range(6, 38)) - set(range(30, 34)), key=lambda i: -float(x[i, 0])):
        near = any(i // 10 == j // 10 and abs(i - j) < 3 for j in expected)
        if not near and 1 + i % 3 <= left:
            expected.append(i)
            left -= 1 + i % 3
    assert index == expected[: len(index)]


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"labelled": "all.txt"}, ConfigError, "all 60 items of Toy have a label; name those that count .* --labelled"),
        (
            {"candidates": "none.txt"},
            ConfigError,
            "--candidates and --exclude leave none of the 52 items without a lab",
        ),
        ({"budget": 53}, ConfigError, "budget is 53, but only 52 items are unlabeled and may be picked"),
        ({"min_gap": 30, "budget": 3}, ConfigError, "only 2 candidates are 30 frames apart"),
        ({"cost": "cost.csv", "budget": 0.5}, ConfigError, r"budget is 0\.5, but the cheapest candidate costs 1$"),
        ({"exclude": "list.txt"}, DataFileError, r"list\.txt, line 2: 'x' is not the number of an item, 0 to 59"),
        ({"candidates": "list.txt"}, DataFileError, r"list\.txt, line 2: 'x' is not the number"),
        ({"labelled": "list.txt"}, DataFileError, r"list\.txt, line 2: 'x' is not the number"),
        ({"cost": "list.txt"}, DataFileError, r"list\.txt, line 1: the header must be item,cost"),
        ({"selector": "learning-loss"}, ConfigError, "learning-loss with the learner small-cnn|has no parameter"),
        ({"selector": "variance"}, ConfigError, "variance with the learner small-cnn: Variance needs target_samples"),
        ({"set": {"learner.noise": -1}}, ConfigError, "small-cnn: noise must not be negative"),
        ({"device": "abacus"}, ConfigError, "device 'abacus' cannot be used here"),
        ({"root": "here"}, ConfigError, "the data set digits reads no files; leave --root out"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(
    tmp_path: Path,
    digits: Callable[..., SelectConfig],
    fits: list[int],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    kind: type[SeqGCNError],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "list.txt", 9, "x")
    write(tmp_path / "all.txt", *range(60))
    write(tmp_path / "none.txt")
    write(tmp_path / "cost.csv", "item,cost", *(f"{i},{1 + i % 2}" for i in range(60)))
    with pytest.raises(kind, match=message):
        Round(digits(**changes), tmp_path / "round")
    assert not (tmp_path / "round").exists()
    assert fits == []


@pytest.mark.parametrize(("name", "what"), [("ceal", "labels that it predicts"), ("bgadl", "items that it generates")])
def test_what_a_selector_adds_to_training_is_left_out_and_said(
    tmp_path: Path,
    digits: Callable[..., SelectConfig],
    name: str,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    messages: list[str],
) -> None:
    monkeypatch.setitem(CATALOGUE["learner"], "small-cnn", Entry("seqgcn.learners:SmallCNNClassifier", "the real one"))
    settings = {"learner.epochs": 1, "learner.dropout": 0.5, "learner.samples": 3}
    Round(digits(selector=name, set=settings), tmp_path / "round")()
    note = f"{name} would also train on {what}; a round trains on what people labeled, and on nothing else"
    assert messages == [note]
    assert f"{note}." in (tmp_path / "round/report.html").read_text()


# nothing labeled yet


@pytest.mark.parametrize("name", list(CATALOGUE["selector"]))
def test_selectors_that_need_no_label(name: str) -> None:
    """`LABEL_FREE` has those that read embeddings alone and answer with nothing labeled, and no others."""
    selector: Selector = load("selector", name)()
    x = torch.rand(30, 3, generator=torch.Generator().manual_seed(0))
    alone = not selector.missing(("x",))
    try:
        found = len(selector.select(Data(x=x, train_mask=torch.zeros(30, dtype=torch.bool)), 4)) if alone else 0
    except ArgumentError:
        found = 0
    assert (found == 4) == (name in LABEL_FREE)
    assert COLD_START in LABEL_FREE


@pytest.mark.parametrize("name", [*LABEL_FREE, "core-gcn", "discriminative"])
def test_features_without_a_label(tmp_path: Path, name: str, messages: list[str]) -> None:
    result = Round(features(tmp_path, labelled=None, selector=name), tmp_path / "round")()
    assert len(result.selection) == 5
    assert result.selector == (name if name in LABEL_FREE else COLD_START)
    other = [f"nothing is labeled yet, which {name} needs: typiclust picks instead"]
    assert messages == ([] if name in LABEL_FREE else other)
    after = result.represented.radius[1]
    assert f"largest distance to a labeled item: {after:.4g} once these are labeled" in result.summary()
    with open(tmp_path / "round/picks.csv", newline="") as file:
        assert all(row["nearest labelled item"] == row["distance"] == "" for row in csv.DictReader(file))


def test_a_selector_of_ones_own_is_asked_with_nothing_labelled(tmp_path: Path, messages: list[str]) -> None:
    config = features(tmp_path, labelled=None, selector=f"{First.__module__}:First")
    result = Round(config, tmp_path / "round")()
    assert (result.selector, messages) == (config.selector, [])
    assert result.selection.index.tolist() == result.data.x[:, 0].argsort(descending=True)[:5].tolist()


@pytest.mark.parametrize("name", ["margin", "random", "bald", "ensemble"])
def test_images_without_a_label(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    monkeypatch.setitem(CATALOGUE["learner"], "small-cnn", Entry("seqgcn.learners:SmallCNNClassifier", "the real one"))
    (tmp_path / "pets").mkdir()
    for i in range(6):
        Image.fromarray(np.full((9, 9), 40 * i, np.uint8)).save(tmp_path / "pets" / f"{i}.png")
    config = SelectConfig(dataset="image-folder", root=str(tmp_path / "pets"), selector=name, budget=2)
    result = Round(config, tmp_path / "round")()
    assert result.learner is None
    assert result.data.x.shape == (6, 81)
    assert messages[0] == "nothing is labeled yet: items are described by thumbnails, as there is nothing to train on"
    assert len(picked(tmp_path / "round")) == 2


def test_hand_frames_without_a_label(tmp_path: Path) -> None:
    write_folder(tmp_path / "lab", {"a": 4, "b": 3}, labelled=())
    config = SelectConfig(
        dataset="depth-folder", root=str(tmp_path / "lab"), budget=3, min_gap=2, set={"dataset.crop_size": 128}
    )
    result = Round(config, tmp_path / "round")()
    assert (result.learner, result.selector, result.data.x.shape) == (None, COLD_START, (7, 256))
    assert len(picked(tmp_path / "round")) >= 2
    assert {"tasks/label_studio.json", "tasks/coco_keypoints.json"} <= set(content(tmp_path / "round"))


# every selector on features


@pytest.mark.parametrize("name", list(CATALOGUE["selector"]))
def test_every_selector_on_features(tmp_path: Path, name: str) -> None:
    selector: Selector = load("selector", name)()
    known = {field for field in ("epochs",) if hasattr(selector, field)}
    config = features(tmp_path, selector=name, set={f"selector.{field}": 3 for field in known})
    if selector.missing(("x",)):
        with pytest.raises(ConfigError, match=r"of every item, and --features give embeddings alone; selectors that"):
            Round(config, tmp_path / "round")
        assert not (tmp_path / "round").exists()
        return
    assert len(Round(config, tmp_path / "round")().selection) == 5
    assert len(set(picked(tmp_path / "round")) - {str(i) for i in range(6)}) == 5


def test_selectors_that_work_on_features_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Round(features(tmp_path, selector="margin"), tmp_path / "round")
    assert str(caught.value) == (
        "margin needs prob of every item, and --features give embeddings alone; selectors that need no more: core-gcn, "
        "uncertain-gcn, core-set, discriminative, typiclust, probcover, lcmd, max-herding, graph-herding, "
        "posterior-design, random, first"
    )


def test_the_data_stays_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Data] = []

    def to(self: Data, *_device: Any) -> Data:
        # What moving does to the one it is called on.
        self.x = self.x.clone()
        seen.append(self)
        return self

    monkeypatch.setattr(Data, "to", to)
    result = Round(features(tmp_path), tmp_path / "round")()
    assert result.data.x.data_ptr() != seen[0].x.data_ptr()


def test_the_shift_of_training_crops_is_written_down(tmp_path: Path, digits: Callable[..., SelectConfig]) -> None:
    asked = Round(digits(), tmp_path / "round")
    assert asked._crops() == {}  # no hands
    summary = SimpleNamespace(summary=lambda: "crops: 9 by localizer; 0 of 9 doubtful")
    nothing = torch.empty(0)
    crops = HandFrames(np.empty((0, 8, 8), np.int16), nothing, nothing, nothing, Skeleton(("palm",), ()), offset=13.25)
    asked.pool = SimpleNamespace(centers=summary, inputs=crops)
    for learner in (HandPose(), Ensemble(learner=HandPose())):
        asked.learner = learner
        assert asked._crops()["crops"] == {
            "centers": "crops: 9 by localizer; 0 of 9 doubtful",
            "training crops are shifted by, mm": 13.25,
        }
