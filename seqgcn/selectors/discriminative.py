"""Discriminative active learning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP

from seqgcn.exceptions import TrainingError
from seqgcn.selectors.selector import Query, Selection, Selector
from seqgcn.training import train
from seqgcn.utils.seeding import derive_seed, generator, seeded
from seqgcn.utils.validation import check_number, check_whole

_SCORED_AT_A_TIME = 8192

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class DiscriminativeAL(Selector):
    r"""Picks what a classifier tells most surely from the labeled nodes (Gissin, Shalev-Shwartz 2019).

    .. math:: \arg\max_{i \in U} p(\mathrm{unlabeled} \mid x_i)

    in several mini-queries: each trains a new classifier of labeled against unlabeled on the standardized
    embeddings `x`, takes its share of the budget, and counts what it took as labeled from then on. The classifier,
    an MLP of three hidden layers, stops early, at an accuracy in training at which it has not yet learned the
    unlabeled nodes one by one.

    The released code trains on up to ten unlabeled nodes for each labeled one. Here an epoch takes every labeled
    node and as many unlabeled ones, drawn anew: both kinds count the same, and time goes with the labels, not with
    the pool.

    Picks come in the order of the mini-queries, and the score is :math:`p(\mathrm{unlabelled})` in the pick's own, so
    it may rise from one to the next. Details: `confidence` `[n]`, p(labeled) in the first mini-query; `accuracy` and
    `epochs`, of each mini-query's training.

    Args:
        queries: Rounds of mini-queries; with a smaller budget, one a pick.
        hidden_channels: Size of each hidden layer.
        epochs: Longest training of a classifier.
        accuracy: Training stops after an epoch in which this share was classified right.
        lr: Adam's learning rate.
        batch_size: Nodes a step.
        seed: Of initial weights and batches.
    """

    requires: ClassVar[tuple[str, ...]] = ("x",)

    queries: int = 10
    hidden_channels: int = 256
    epochs: int = 100
    accuracy: float = 0.98
    lr: float = 1e-3
    batch_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("queries", "hidden_channels", "epochs", "batch_size"):
            check_whole(name, getattr(self, name))
        check_number("accuracy", self.accuracy, low=0, high=1, open_low=True)
        check_number("lr", self.lr, low=0, open_low=True)
        check_whole("seed", self.seed, low=0)

    def pick(self, query: Query) -> Selection:
        """Pick for a checked query."""
        x = query.features()
        query.require_labels(type(self).__name__)
        labelled, candidates = query.labelled.clone(), query.candidates.clone()
        x = _standardised(x, labelled | candidates)
        shares = [len(share) for share in torch.arange(query.budget).tensor_split(min(self.queries, query.budget))]
        index, logits, fits = [], [], []
        for number, share in enumerate(shares):
            fit = self._fit(x, labelled, candidates, number)
            nodes = candidates.nonzero().squeeze(1)
            # By the logit, as probabilities near 1 round to 1.
            values, order = fit.logit[nodes].sort(descending=True, stable=True)
            index.append(nodes[order[:share]])
            logits.append(values[:share])
            fits.append(fit)
            labelled[index[-1]], candidates[index[-1]] = True, False
            if query.progress is not None:
                query.progress("discriminate", number + 1, len(shares))
        details = {
            "confidence": (-fits[0].logit).sigmoid(),
            "accuracy": torch.tensor([fit.accuracy for fit in fits]),
            "epochs": torch.tensor([fit.epochs for fit in fits]),
        }
        return Selection(index=torch.cat(index), score=torch.cat(logits).sigmoid(), details=details)

    def _fit(self, x: Tensor, labelled: Tensor, unlabelled: Tensor, number: int) -> "_Fit":
        sides = [mask.nonzero().squeeze(1) for mask in (labelled, unlabelled)]
        size, device = len(sides[0]), x.device
        draw = generator(self.seed, "discriminative", number, "batches")
        correct = torch.zeros((), device=device)

        def batches(_epoch: int) -> Iterator[Batch]:
            drawn = sides[1][torch.randint(len(sides[1]), (size,), generator=draw).to(device)]
            nodes = torch.cat([sides[0], drawn])
            is_unlabelled = (torch.arange(2 * size, device=device) >= size).to(x.dtype)
            for ids in torch.randperm(2 * size, generator=draw).to(device).split(self.batch_size):
                yield x[nodes[ids]], is_unlabelled[ids]

        def loss(batch: Batch) -> Tensor:
            logit = model(batch[0]).squeeze(1)
            correct.add_(((logit > 0) == (batch[1] > 0)).sum())
            return F.binary_cross_entropy_with_logits(logit, batch[1])

        with seeded(derive_seed(self.seed, "discriminative", number), device):
            model: nn.Module = MLP(
                in_channels=x.shape[1], hidden_channels=self.hidden_channels, out_channels=1, num_layers=4, norm=None
            ).to(x)
            optimizer = torch.optim.Adam(model.parameters(), lr=self.lr)
            epochs, accuracy = 0, 0.0
            # An epoch a call, as the training loop itself stops by the loss alone.
            while epochs < self.epochs and accuracy < self.accuracy:
                correct.zero_()
                train(model, batches, loss, optimizer=optimizer, epochs=1, stage="discriminate")
                epochs, accuracy = epochs + 1, float(correct) / (2 * size)
        with torch.no_grad():
            logit = torch.cat([model(rows) for rows in x.split(_SCORED_AT_A_TIME)]).squeeze(1)
        if not logit.isfinite().all():
            raise TrainingError("discriminate: the last step diverged; lower the learning rate")
        return _Fit(logit, accuracy, epochs)


class _Fit(NamedTuple):
    """What a classifier says: logit of being unlabeled `[n]`, its accuracy in the last epoch, epochs trained."""

    logit: Tensor
    accuracy: float
    epochs: int


def _standardised(x: Tensor, seen: Tensor) -> Tensor:
    """Features of mean 0 and deviation 1 over the nodes seen; a constant one is 0 there."""
    std, mean = torch.std_mean(x[seen], dim=0, correction=0)
    return (x - mean) / torch.where(std > 0, std, 1)
