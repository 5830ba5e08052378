"""What was renamed is still accepted by its former name, with a warning that says the new one."""

import dataclasses
import inspect
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from sklearn.base import clone
from torch_geometric.data import Data

from seqgcn.config import RunConfig, SelectorSpec
from seqgcn.config.registry import make
from seqgcn.config.run import resolve
from seqgcn.exceptions import ArgumentError
from seqgcn.learners import Ensemble, SmallCNNClassifier
from seqgcn.learners.components import check_learner
from seqgcn.selectors import EnsembleSelector, LearningLoss, Query, Selection, Selector
from seqgcn.selectors.adapter import as_selector
from seqgcn.selectors.extensions import EnsembleOptions, LossPrediction, Members
from tests.conftest import FakeLearner


@pytest.mark.parametrize("kind", [EnsembleOptions, EnsembleSelector])
def test_members_are_n_members(kind: Any) -> None:
    with pytest.warns(DeprecationWarning, match="n_members"):
        options = kind(members=3)
    assert options == kind(n_members=3)
    with pytest.warns(DeprecationWarning, match="n_members"):
        assert options.members == 3
    assert [item.name for item in dataclasses.fields(kind)].count("n_members") == 1
    assert "members" not in inspect.signature(kind).parameters
    assert dataclasses.replace(options, n_members=4).n_members == 4
    assert Members is EnsembleOptions


@pytest.mark.parametrize("kind", [LossPrediction, LearningLoss])
def test_share_is_detach_after(kind: Any) -> None:
    with pytest.warns(DeprecationWarning, match="detach_after"):
        assert kind(share=0.25) == kind(detach_after=0.25)


def test_a_former_name_beside_the_new_one_is_refused() -> None:
    refused = pytest.raises(ArgumentError, match=r"members and n_members.*give n_members")
    with pytest.warns(DeprecationWarning, match="n_members"), refused:
        EnsembleOptions(members=3, n_members=4)  # type: ignore[call-arg]


@pytest.mark.parametrize("text", ["ensemble:members=3", "ensemble:n_members=3"])
def test_files_keep_the_former_names_of_parameters(text: str) -> None:
    values = resolve(RunConfig(selector=(text,)), SelectorSpec.parse(text))["selector"]
    assert values["members"] == 3
    assert "n_members" not in values
    assert make("selector", "ensemble", values) == EnsembleSelector(n_members=3)


def test_a_selector_may_say_needs_and_either() -> None:
    with pytest.warns(DeprecationWarning, match="requires"):

        @dataclasses.dataclass(frozen=True, kw_only=True)
        class Old(Selector):
            needs: ClassVar[tuple[str, ...]] = ("x",)
            either: ClassVar[tuple[str, ...]] = ("prob", "prob_samples")

            def pick(self, query: Query) -> Selection:
                return query.highest(query.features()[:, 0])

    assert (Old.requires, Old.requires_any) == (("x",), ("prob", "prob_samples"))
    assert Old().reads(["x", "prob_samples"]) == ("x", "prob_samples")
    with pytest.warns(DeprecationWarning, match="requires"):
        assert Old().needs == ("x",)
    with pytest.warns(DeprecationWarning, match="reads"):
        assert Old().wanted(["x", "prob"]) == ("x", "prob")
    data = Data(x=torch.tensor([[1.0], [3.0]]), train_mask=torch.tensor([False, False]))
    assert Old().select(data, 1).index.tolist() == [1]


def test_an_object_that_only_selects_may_say_needs() -> None:
    class Last:
        needs = ("prob",)

        def select(self, data: Data, budget: int) -> Any:
            return data.pool_mask.nonzero().flatten()[-budget:]

    assert as_selector(Last()).reads(["x", "prob"]) == ("prob",)


def test_a_learner_that_inherits_may_write_provides() -> None:
    with pytest.warns(DeprecationWarning, match="outputs"):

        class Fewer(SmallCNNClassifier):
            @property
            def provides(self) -> tuple[str, ...]:
                return ("x",)

    assert Fewer().outputs == ("x",)
    with pytest.warns(DeprecationWarning, match="outputs"):
        assert SmallCNNClassifier().provides == SmallCNNClassifier().outputs


def test_a_learner_that_inherits_nothing_may_have_provides() -> None:
    written = {key: value for key, value in vars(FakeLearner).items() if key not in ("outputs", "__dict__")}
    old: Any = type("Old", FakeLearner.__bases__, {**written, "provides": ("x", "prob")})
    with pytest.warns(DeprecationWarning, match="outputs"):
        assert check_learner(old()).outputs == ("x", "prob")
    assert check_learner(clone(old())).outputs == ("x", "prob")


def test_a_file_of_an_ensemble_of_the_last_version_is_read(tmp_path: Path) -> None:
    learner = Ensemble(
        learner=SmallCNNClassifier(epochs=1, width=0.25, device="cpu"), members=EnsembleOptions(n_members=2)
    )
    images = torch.arange(20 * 64, dtype=torch.float32).reshape(20, 1, 8, 8).remainder(251).to(torch.uint8)
    learner.fit(images, torch.arange(20) % 2).save(tmp_path / "a.safetensors")
    content = (tmp_path / "a.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].replace(b"EnsembleOptions", b"Members").replace(b"n_members", b"members")
    (tmp_path / "b.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    loaded = Ensemble.load(tmp_path / "b.safetensors")
    assert loaded.members == learner.members
    assert loaded.predict(images).equal(learner.predict(images))
