"""Fakes for the loop and what is above it: a data set and a learner that take milliseconds."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
import torch
from logged import logged
from sklearn.base import BaseEstimator
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.config.registry import CATALOGUE, Entry
from seqgcn.datasets import ImageDataset, Split
from seqgcn.evaluation import ACCURACY, Metric
from seqgcn.exceptions import ArgumentError
from seqgcn.utils.files import write_text

# Tensors this small gain nothing from a second thread, and lose much on a machine that is busy.
torch.set_num_threads(1)

LONGEST = ("test_readme.py", "test_notebooks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: at the end, the other processes would have nothing left to do beside them."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


class Toy(ImageDataset):
    """Four kinds of noisy 8 x 8 pictures: 60 in the pool, 20 to test."""

    shift: ClassVar[int] = 0

    def __init__(self, noise: int = 120) -> None:
        draw = torch.Generator().manual_seed(7)
        patterns = torch.randint(0, 130, (4, 1, 8, 8), generator=draw)
        targets = torch.arange(80) % 4
        pixels = patterns[targets] + torch.randint(0, noise, (80, 1, 8, 8), generator=draw) + self.shift
        split = Split(pixels.to(torch.uint8), targets)
        super().__init__(
            name="Toy", train=split[torch.arange(60)], test=split[torch.arange(60, 80)], classes=("a", "b", "c", "d")
        )


class ToyFiles(Toy):
    """The same, as if it were read from files."""

    def __init__(self, root: str, noise: int = 120) -> None:
        super().__init__(noise)


class FakeLearner(BaseEstimator):
    """Nearest class mean, with a little noise of its seed; `warm_start` mixes the last fit's means in."""

    metric: ClassVar[Metric] = ACCURACY
    outputs: ClassVar[tuple[str, ...]] = ("x", "prob")
    num_classes_: int
    means_: Tensor

    def __init__(
        self,
        num_classes: int | None = None,
        device: str = "cpu",
        seed: int = 0,
        warm_start: bool = False,
        noise: float = 1.0,
    ) -> None:
        self.num_classes, self.device, self.seed, self.warm_start, self.noise = (
            num_classes,
            device,
            seed,
            warm_start,
            noise,
        )

    def check_parameters(self) -> None:
        if self.noise < 0:
            raise ArgumentError(f"noise must not be negative, got {self.noise}")

    def fit(self, inputs: Tensor, targets: Tensor, *, unconfirmed: int = 0, progress: Any = None) -> Self:
        pixels, count = inputs.flatten(1).double(), self.num_classes or int(targets.max()) + 1
        means = torch.full((count, pixels.shape[1]), 1e3, dtype=torch.float64)
        for target in targets.unique():
            means[target] = pixels[targets == target].mean(dim=0)
        draw = torch.Generator().manual_seed(self.seed)
        means += self.noise * torch.rand(means.shape, generator=draw, dtype=torch.float64)
        self.means_ = (means + self.means_) / 2 if self.warm_start and hasattr(self, "means_") else means
        if progress is not None:
            progress("train", 1, 1)
        return self

    def predict(self, inputs: Tensor, *, progress: Any = None) -> Tensor:
        return self._distances(inputs).argmin(dim=1)

    def score(self, inputs: Tensor, targets: Tensor, *, progress: Any = None) -> float:
        return float((self.predict(inputs) == targets).double().mean())

    def measure(self, predictions: Tensor, targets: Tensor) -> float:
        return float((predictions == targets).double().mean())

    def describe(self, inputs: Tensor, attributes: Collection[str], *, progress: Any = None) -> Data:
        distances = self._distances(inputs)
        values = {"x": distances, "prob": (-distances / 10).softmax(dim=1)}
        return Data(**{name: values[name] for name in attributes})

    def state(self) -> dict[str, Tensor]:
        return {"means_": self.means_.clone()}

    def restore(self, state: dict[str, Tensor]) -> Self:
        self.means_ = state["means_"]
        return self

    def _distances(self, inputs: Tensor) -> Tensor:
        return torch.cdist(inputs.flatten(1).double(), self.means_)


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What the package logs during a test, a line each."""
    with logged() as lines:
        yield lines


@pytest.fixture
def toy() -> ImageDataset:
    return Toy()


@pytest.fixture
def fake_learner() -> type[FakeLearner]:
    return FakeLearner


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> tuple[type[Toy], type[FakeLearner]]:
    """The fakes in place of the default data set and learner, and text in place of pictures."""
    module = FakeLearner.__module__
    monkeypatch.setitem(CATALOGUE["dataset"], "digits", Entry(f"{module}:Toy", "a toy"))
    monkeypatch.setitem(CATALOGUE["dataset"], "svhn", Entry(f"{module}:ToyFiles", "a toy of files"))
    monkeypatch.setitem(CATALOGUE["learner"], "small-cnn", Entry(f"{module}:FakeLearner", "a fake"))

    def write_counts(curves: Any, path: Path, *, title: str, **_options: Any) -> None:
        points = {name: {seed: len(curve.labelled) for seed, curve in runs.items()} for name, runs in curves.items()}
        write_text(path, f"{title}: {points}")

    monkeypatch.setattr("seqgcn.runs.summary.learning_curve", write_counts)
    return Toy, FakeLearner


@pytest.fixture
def fail_at_fit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException], None]:
    """Let the fake learner's n-th fit from now on (counted from 0) raise an error."""

    def arm(number: int, error: BaseException) -> None:
        count, fit = iter(range(1_000_000)), FakeLearner.fit

        def failing(self: FakeLearner, *arguments: Any, **options: Any) -> FakeLearner:
            if next(count) == number:
                raise error
            return fit(self, *arguments, **options)

        monkeypatch.setattr(FakeLearner, "fit", failing)

    return arm
