"""The one training loop: whatever this package trains, it trains here."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from seqgcn.exceptions import TrainingError
from seqgcn.utils.callbacks import Progress as Progress

Batch = TypeVar("Batch")


def train(
    module: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    *,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    autocast: torch.autocast | None = None,
    patience: int | None = None,
    after_epoch: Callable[[int], None] | None = None,
    progress: Progress | None = None,
    stage: str = "train",
) -> Tensor:
    """Minimize `loss` over `batches` for `epochs`; the module is left in training mode.

    Args:
        module: What is trained; only its mode is touched here.
        batches: Gives the batches of an epoch (from 0).
        loss: Scalar loss of a batch.
        optimizer: Holds the parameters.
        epochs: Passes over the batches.
        scheduler: Stepped after every epoch.
        autocast: Precision context for the forward pass.
        patience: Stop once the epoch's loss has not reached a new minimum for this many epochs.
        after_epoch: Called with the number of each epoch (from 0) that is done, for measurements; it may leave the
            module in evaluation mode.
        progress: Told about every epoch.
        stage: Its name for `progress`.

    Returns:
        Mean loss of each epoch run, `[epochs]`, on the CPU.

    Raises:
        TrainingError: The loss became NaN or infinite.
    """
    module.train()
    history: list[float] = []
    best_epoch = 0
    for epoch in range(epochs):
        total, steps = torch.zeros(()), 0
        for batch in batches(epoch):
            optimizer.zero_grad(set_to_none=True)
            with autocast or nullcontext():
                value = loss(batch)
            value.backward()
            optimizer.step()
            total, steps = total.to(value.device) + value.detach(), steps + 1
        if scheduler is not None:
            scheduler.step()
        history.append(float(total) / steps)
        if not torch.isfinite(total):
            raise TrainingError(
                f"{stage}: the loss became {history[-1]} in epoch {epoch + 1} of {epochs}; lower the learning rate"
            )
        if after_epoch is not None:
            after_epoch(epoch)
            module.train()
        if progress is not None:
            progress(stage, epoch + 1, epochs)
        if history[-1] < history[best_epoch]:
            best_epoch = epoch
        if patience is not None and epoch - best_epoch >= patience:
            break
    return torch.tensor(history)
