import math
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from seqgcn.exceptions import TrainingError
from seqgcn.training import train


def parabola(dtype: torch.dtype = torch.float32) -> tuple[nn.Linear, torch.optim.Optimizer]:
    """A module of one weight, 1, and plain gradient descent at rate 0.1."""
    module = nn.Linear(1, 1, bias=False, dtype=dtype)
    nn.init.ones_(module.weight)
    return module, torch.optim.SGD(module.parameters(), lr=0.1)


def once(_epoch: int) -> list[None]:
    return [None]


def scripted(values: list[float], *, patience: int | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
    """Train on losses that are known beforehand."""
    module, optimizer = parabola(dtype)
    losses = iter(values)
    return train(
        module,
        once,
        lambda _: module.weight.sum() * 0 + next(losses),
        optimizer=optimizer,
        epochs=len(values),
        patience=patience,
    )


def test_each_batch_is_a_step_and_the_history_their_mean() -> None:
    module, optimizer = parabola()
    seen = []

    def batches(epoch: int) -> Iterable[float]:
        seen.append(epoch)
        return [1.0, 3.0]

    history = train(
        module, batches, lambda factor: factor * module.weight.square().sum() / 2, optimizer=optimizer, epochs=2
    )
    weight, expected = 1.0, []
    for _ in range(2):
        losses = []
        for factor in (1.0, 3.0):
            losses.append(factor * weight**2 / 2)
            weight -= 0.1 * factor * weight
        expected.append(sum(losses) / 2)
    assert seen == [0, 1]
    assert history.tolist() == pytest.approx(expected)
    assert module.weight.item() == pytest.approx(weight)


def test_the_module_trains_in_training_mode() -> None:
    module, optimizer = parabola()
    module.eval()
    modes = []

    def loss(_: None) -> Tensor:
        modes.append(module.training)
        return module.weight.sum()

    train(module, once, loss, optimizer=optimizer, epochs=2)
    assert modes == [True, True]
    assert module.training


def test_no_epochs_train_nothing() -> None:
    module, optimizer = parabola()
    assert train(module, once, lambda _: module.weight.sum(), optimizer=optimizer, epochs=0).shape == (0,)
    assert module.weight.item() == 1


def test_the_scheduler_steps_once_an_epoch() -> None:
    module, optimizer = parabola()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2])
    rates = []

    def batches(_epoch: int) -> list[int]:
        rates.append(optimizer.param_groups[0]["lr"])
        return [0, 1, 2]

    train(module, batches, lambda _: module.weight.sum(), optimizer=optimizer, epochs=3, scheduler=scheduler)
    assert rates == pytest.approx([0.1, 0.1, 0.01])


def test_autocast_covers_the_forward_pass_only() -> None:
    module, optimizer = parabola()
    dtypes = []

    def loss(_: None) -> Tensor:
        out: Tensor = module(torch.ones(1, 1))
        dtypes.append(out.dtype)
        return out.float().sum()

    autocast = torch.autocast("cpu", dtype=torch.bfloat16)
    train(module, once, loss, optimizer=optimizer, epochs=2, autocast=autocast)
    assert dtypes == [torch.bfloat16] * 2
    assert module.weight.grad is not None
    assert module.weight.grad.dtype == torch.float32


def test_progress_counts_the_epochs() -> None:
    calls = []
    module, optimizer = parabola()
    train(
        module,
        once,
        lambda _: module.weight.sum(),
        optimizer=optimizer,
        epochs=3,
        progress=lambda *call: calls.append(call),
        stage="fit",
    )
    assert calls == [("fit", 1, 3), ("fit", 2, 3), ("fit", 3, 3)]


@pytest.mark.parametrize(
    ("patience", "epochs"),
    [(None, 8), (1, 3), (2, 7), (3, 8)],  # minima in epochs 1, 2, 4 and 5, counted from 1
)
def test_patience_waits_for_a_new_minimum(patience: int | None, epochs: int) -> None:
    losses = [5.0, 4.0, 4.0, 3.0, 2.0, 2.0, 3.0, 2.5]
    assert scripted(losses, patience=patience).tolist() == losses[:epochs]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_broken_loss_is_an_error_that_says_when(broken: float) -> None:
    with pytest.raises(TrainingError, match=rf"train: the loss became {broken} in epoch 2 of 3; lower the learning"):
        scripted([1.0, broken, 1.0])


def test_double_precision_losses_are_compared_in_double_precision() -> None:
    losses = [1 + 2e-12, 1 + 1e-12, 1.0]
    assert len(scripted(losses, patience=1)) == 2
    assert len(scripted(losses, patience=1, dtype=torch.float64)) == 3


def test_after_epoch_comes_before_progress_and_may_switch_the_mode() -> None:
    module, optimizer = parabola()
    told: list[object] = []

    def after_epoch(epoch: int) -> None:
        told.append(epoch)
        module.eval()

    def batches(_epoch: int) -> list[None]:
        assert module.training
        return [None]

    train(
        module,
        batches,
        lambda _: module.weight.sum(),
        optimizer=optimizer,
        epochs=2,
        after_epoch=after_epoch,
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    assert told == [0, ("train", 1, 2), 1, ("train", 2, 2)]
    assert module.training
