import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from seqgcn.datasets import ImageDataset
from seqgcn.exceptions import ArgumentError, RunFolderError
from seqgcn.learners import SmallCNNClassifier
from seqgcn.learners.weight_files import restore_weights, save_weights


@pytest.fixture
def fitted(toy: ImageDataset, fake_learner: Any) -> Any:
    return fake_learner(num_classes=4).fit(toy.train.inputs, toy.train.targets)


def test_what_comes_back_is_what_was_learned(tmp_path: Path, toy: ImageDataset, fitted: Any, fake_learner: Any) -> None:
    save_weights(fitted, tmp_path / "a.pt")
    again = fake_learner(num_classes=4)
    assert restore_weights(again, tmp_path / "a.pt") is again
    described, before = (each.describe(toy.test.inputs, ["x"]).x for each in (again, fitted))
    assert torch.equal(described, before)
    save_weights(again, tmp_path / "b.pt")
    restored = restore_weights(fake_learner(num_classes=4), tmp_path / "b.pt")
    assert torch.equal(restored.state()["means_"], fitted.state()["means_"])


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pt"
    save_weights(fitted, path)
    before = path.read_bytes()

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunFolderError, match=r"cannot write .*a\.pt: No space left on device"):
        save_weights(fitted, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class Evil:
    def __reduce__(self) -> Any:
        return print, ("it ran",)


def test_damaged_files_and_pickles_are_refused(
    tmp_path: Path, fitted: Any, fake_learner: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pt"
    save_weights(fitted, path)
    whole = path.read_bytes()
    torch.save(Evil(), tmp_path / "evil.pt")
    contents = (b"", b"no weights", whole[: len(whole) // 2], pickle.dumps(Evil()), (tmp_path / "evil.pt").read_bytes())
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(RunFolderError, match=r"cannot read .*a\.pt, what a learner has learned \(.*restore it"):
            restore_weights(fake_learner(), path)
    with pytest.raises(RunFolderError, match=r"cannot read .*none\.pt.*FileNotFoundError"):
        restore_weights(fake_learner(), tmp_path / "none.pt")
    assert capsys.readouterr().out == ""


def test_weights_of_another_learner(tmp_path: Path, fitted: Any) -> None:
    save_weights(fitted, tmp_path / "a.pt")
    with pytest.raises(ArgumentError, match="another network than a SmallCNNClassifier: it has no mean_"):
        restore_weights(SmallCNNClassifier(num_classes=4, device="cpu"), tmp_path / "a.pt")

    def refused(_state: Any) -> None:
        raise ArgumentError("this state is another's")

    fitted.restore = refused
    with pytest.raises(ArgumentError, match="this state is another's"):
        restore_weights(fitted, tmp_path / "a.pt")
