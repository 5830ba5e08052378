from dataclasses import fields
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.selectors.learning_loss import LearningLoss


def test_it_picks_the_largest_predicted_losses() -> None:
    data = Data(
        loss_pred=torch.tensor([0.2, -1.0, 3.0, 9.0, 0.2]),
        train_mask=torch.tensor([False, False, False, True, False]),
    )
    selection = LearningLoss().select(data, 4)
    assert selection.index.tolist() == [2, 0, 4, 1]
    torch.testing.assert_close(selection.score, torch.tensor([3.0, 0.2, 0.2, -1.0]))
    assert selection.pseudo is None


def test_its_parameters_are_those_of_the_module_it_asks_for() -> None:
    ours, theirs = ({field.name: field.default for field in fields(kind)} for kind in (LearningLoss, LossPrediction))
    assert ours == theirs
    assert LearningLoss().extensions == (LossPrediction(),)
    changed: dict[str, Any] = {
        "modules": ("stages.0", "stages.1"),
        "weight": 0.5,
        "margin": 2.0,
        "detach_after": 0.25,
        "loss": "mse",
        "hidden_channels": 16,
    }
    assert LearningLoss(**changed).extensions == (LossPrediction(**changed),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modules": "stages.0"}, r"modules must be a tuple of module paths such as \('stages.0',\), got 'stages.0'"),
        ({"weight": -1.0}, "weight must be a number"),
        ({"margin": -1.0}, "margin must be a number"),
        ({"detach_after": 1.5}, r"detach_after must be a number in \[0, 1\], got 1.5"),
        ({"loss": "l1"}, "loss must be one of 'ranking', 'mse', got 'l1'"),
        ({"hidden_channels": 0}, "hidden_channels must be a whole number of at least 1, got 0"),
    ],
)
def test_unusable_parameters_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        LearningLoss(**change)
