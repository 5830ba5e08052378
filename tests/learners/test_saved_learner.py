"""Learners as files."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError, DataFileError, MissingPackageError, RunFolderError
from seqgcn.learners import Ensemble, SmallCNNClassifier, TorchLearner
from seqgcn.selectors.extensions import EnsembleOptions, LossPrediction


@dataclass
class Plain(TorchLearner):
    """Arguments of every kind that JSON holds, and one that it does not."""

    embedding: str = "1"
    widths: tuple[int, ...] = (4, 3)
    names: list[str] = field(default_factory=lambda: ["a"])
    settings: dict[str, Any] = field(default_factory=lambda: {"tuple": (1, 2.5), "none": None})
    hook: Any = None

    def build(self, num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, self.widths[0]), nn.Linear(self.widths[0], num_classes))


def small(**changes: Any) -> SmallCNNClassifier:
    return SmallCNNClassifier(**{"epochs": 1, "device": "cpu", "width": 0.25} | changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def header_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        held: dict[str, str] = file.metadata()
        return held


def rewrite(path: Path, **changes: str) -> None:
    save_file({"module_.weight": torch.zeros(1)}, path, {**header_of(path), **changes})


def test_a_file_is_tensors_with_arguments_as_json(path: Path, images: Tensor, targets: Tensor) -> None:
    fitted = small(milestones=(1, 2), loss_prediction=LossPrediction(modules=("hidden",))).fit(images, targets)
    fitted.save(path)
    header = header_of(path)
    assert header["class"] == "seqgcn.learners:SmallCNNClassifier"
    assert json.loads(header["parameters"])["width"] == 0.25
    with safe_open(path, framework="pt") as file:
        assert set(file.keys()) == {*fitted.state(), "in_channels_", "num_classes_"}
    loaded = SmallCNNClassifier.load(path)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.num_classes is None  # although there are as many as then
    assert loaded.num_classes_ == 4


def test_arguments_keep_their_types(path: Path, images: Tensor, targets: Tensor) -> None:
    Plain(epochs=1, lr=torch.tensor(0.25).item()).fit(images, targets).save(path)
    loaded = Plain.load(path)
    assert (loaded.widths, loaded.names, loaded.settings) == ((4, 3), ["a"], {"tuple": (1, 2.5), "none": None})
    assert loaded.lr == 0.25
    assert Plain.load(path, names=["b"]).names == ["b"]


@pytest.mark.parametrize("hook", [len, [len], {"a": len}, Path("x"), (object(),)])
def test_what_is_no_plain_value_is_given_again(path: Path, images: Tensor, targets: Tensor, hook: Any) -> None:
    Plain(epochs=1, hook=hook).fit(images, targets).save(path)
    with pytest.raises(
        ArgumentError, match=r"does not hold hook \(\w+\), .* give it again: Plain.load\(.*, hook=\.\.\."
    ):
        Plain.load(path)
    assert Plain.load(path, hook=len).hook is len


def test_an_ensemble_of_ones_own_learner_is_given_it_again(path: Path, images: Tensor, targets: Tensor) -> None:
    fitted = Ensemble(learner=Plain(epochs=1), members=EnsembleOptions(n_members=2)).fit(images, targets)
    fitted.save(path)
    with pytest.raises(ArgumentError, match=r"learner \(Plain\)"):
        Ensemble.load(path)
    loaded = Ensemble.load(path, learner=Plain(epochs=1))
    assert loaded.members == EnsembleOptions(n_members=2)
    assert torch.equal(loaded.predict(images), fitted.predict(images))


def test_a_checkpoint_is_not_needed_any_more(tmp_path: Path, path: Path, images: Tensor, targets: Tensor) -> None:
    torch.save(Plain().build(4).state_dict(), tmp_path / "weights.pt")
    fitted = Plain(epochs=1, checkpoint=str(tmp_path / "weights.pt")).fit(images, targets)
    fitted.save(path)
    (tmp_path / "weights.pt").unlink()
    assert torch.equal(Plain.load(path).predict_proba(images), fitted.predict_proba(images))


def test_what_a_header_names_is_not_imported(
    path: Path, images: Tensor, targets: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path.parent / "evil_module.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(path.parent))
    small().fit(images, targets).save(path)
    rewrite(path, **{"class": "evil_module:Learner"})
    with pytest.raises(ArgumentError, match="holds a learner of the class evil_module:Learner"):
        SmallCNNClassifier.load(path)
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"parameters": "{"}, DataFileError, "no readable constructor arguments"),
        ({"parameters": "[1]"}, DataFileError, "no readable constructor arguments"),
        ({"parameters": '{"loss_prediction": {"strange": 1}}'}, DataFileError, "no readable constructor arguments"),
        ({"parameters": '{"widht": 1}'}, ArgumentError, "does not take the arguments .*widht"),
        ({"parameters": '{"width": "wide"}'}, ArgumentError, "width must be a number"),
        ({"parameters": "{}"}, ArgumentError, "restore needs num_classes"),
        ({"parameters": '{"num_classes": 4}'}, ArgumentError, "another network than a SmallCNNClassifier"),
        ({"format": "99"}, DataFileError, "is of format 99, this version reads 1; update seqgcn"),
    ],
)
def test_headers_that_do_not_fit(
    path: Path, images: Tensor, targets: Tensor, changes: dict[str, str], error: type[Exception], message: str
) -> None:
    small().fit(images, targets).save(path)
    rewrite(path, **changes)
    with pytest.raises(error, match=message):
        SmallCNNClassifier.load(path)


def test_tensors_alone_are_no_learner(path: Path) -> None:
    save_file({"x": torch.zeros(3)}, path)
    with pytest.raises(DataFileError, match=r"holds tensors, but no learner; learner\.save"):
        SmallCNNClassifier.load(path)


def test_without_safetensors_or_a_folder(
    path: Path, images: Tensor, targets: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = small().fit(images, targets)
    with pytest.raises(RunFolderError, match=r"cannot write .*nowhere"):
        fitted.save(path.parent / "nowhere" / "model.safetensors")
    fitted.save(path)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for call in (lambda: fitted.save(path), lambda: SmallCNNClassifier.load(path)):
        with pytest.raises(MissingPackageError, match=r'needs safetensors: pip install "seqgcn\[safetensors\]"'):
            call()
