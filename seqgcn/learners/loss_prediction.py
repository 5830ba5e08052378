r"""Learning loss: a module on top of a network that learns to predict each item's loss (Yoo, Kweon, CVPR 2019).

Each of several intermediate outputs is average-pooled, passed through linear(128) and relu; all are concatenated and
linear(1) gives the predicted loss l^ (section 3.2). It is trained beside the task,

    (1/B) sum_i l_i + lambda (2/B) sum_pairs max(0, -sign(l_i, l_j) (l^_i - l^_j) + xi),

by which of two items has the larger loss (section 3.3), not by how large the losses are: they shrink while the task is
learned, and a squared error would mostly follow that.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import nan
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.validation import name_some

RANK_CORRELATION = "loss rank correlation"
"""Name of the metric in a run's journal."""


class LossPredictor(nn.Module):
    """Predicts an item's loss from what a network's modules put out on the way, read by forward hooks.

    Neither holds the other as a submodule: both keep their own parameters, `state_dict` and device. Initial weights
    are drawn from the global generator.

    Args:
        network: What it is attached to until `remove`.
        options: Which modules, and how many features of each; without modules, the network's own `loss_modules`.
        example: A batch the network can be called with; it is passed through once, in evaluation mode, to see sizes.
        channels: Instead of an example, how many channels each module puts out.

    Raises:
        ArgumentError: A path leads to no module, or to one that is not run exactly once or puts out neither
            `[b, c, h, w]` nor `[b, c]`; or no path is given and the network names none.
    """

    def __init__(
        self,
        network: nn.Module,
        options: LossPrediction,
        example: Tensor | None = None,
        *,
        channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.options, self._detach = options, False
        self.paths = find_modules(network, options.modules)
        if channels is None:
            if example is None:
                raise ArgumentError("a LossPredictor needs an example of a batch, or the channels of each module")
            channels = _channels(network, self.paths, example)
        hidden = options.hidden_channels
        device = next((weight.device for weight in network.parameters()), torch.device("cpu"))
        self.features = nn.ModuleList(nn.Linear(c, hidden, device=device) for c in channels)
        self.head = nn.Linear(hidden * len(channels), 1, device=device)
        self._seen: dict[str, Tensor] = {}
        # Hooks are bound methods, not closures, so that a copy of both network and predictor is wired to itself.
        self._handles = [
            network.get_submodule(path).register_forward_hook(partial(self._keep, path)) for path in self.paths
        ]

    def begin(self, epoch: int, epochs: int) -> None:
        """Note in which epoch, from 0, training is: late ones do not train the network by this module's loss."""
        self._detach = detached(epoch, epochs, self.options.detach_after)

    def loss(self, actual: Tensor) -> Tensor:
        """What to add to the mean task loss of the batch that last went through the network, of losses `[b]`."""
        return prediction_loss(self.options, self.predict(detach=self._detach), actual)

    def predict(self, *, detach: bool = False) -> Tensor:
        """Predicted losses `[b]` of the batch that last went through the network; takes what the hooks have kept.

        Args:
            detach: Whether no gradient flows into the network.

        Raises:
            ArgumentError: Nothing went through the network since the last time.
        """
        missing = [path for path in self.paths if path not in self._seen]
        if missing:
            raise ArgumentError(
                f"nothing has gone through {name_some(missing)} of the network since the last prediction; "
                "call the network on a batch, then predict"
            )
        seen, self._seen = self._seen, {}
        pooled = [seen[path].detach() if detach else seen[path] for path in self.paths]
        prediction: Tensor = self(pooled)
        return prediction

    def forward(self, pooled: Sequence[Tensor]) -> Tensor:
        """Predicted losses `[b]` from the pooled output `[b, c]` of each module."""
        weight = self.head.weight
        # bfloat16 would make ties of losses that differ by less than a percent.
        with torch.autocast(weight.device.type, enabled=False):
            hidden = [layer(x.to(weight.dtype)).relu() for layer, x in zip(self.features, pooled, strict=True)]
            losses: Tensor = self.head(torch.cat(hidden, dim=1)).squeeze(1)
        return losses

    def remove(self) -> None:
        """Take the hooks off the network; this can predict no more."""
        for handle in self._handles:
            handle.remove()
        self._seen = {}

    def _keep(self, path: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        # Pooled at once, as a feature map is large and the next module may work in place, a rectifier for one.
        self._seen[path] = output.mean(dim=(2, 3)) if output.dim() == 4 else output.clone()

    def __getstate__(self) -> dict[str, Any]:
        # What a pass left behind belongs to its graph, which can be neither copied nor pickled.
        return self.__dict__ | {"_seen": {}}


def attach(
    options: LossPrediction | None, network: nn.Module, example: Tensor, before: LossPredictor | None = None
) -> LossPredictor | None:
    """The predictor a learner trains along: the one it has, a new one if the options are others, none without them."""
    if before is not None and before.options == options:
        return before
    if before is not None:
        before.remove()
    return None if options is None else LossPredictor(network, options, example)


def saved_channels(state: Mapping[str, Tensor]) -> list[int]:
    """Channels of each module that a learner's saved loss predictor reads.

    Raises:
        KeyError: The learner did not predict its loss.
    """
    names = [f"predictor_.features.{number}.weight" for number in range(len(state))]
    return [state[name].shape[1] for number, name in enumerate(names) if number == 0 or name in state]


def prediction_loss(options: LossPrediction, predicted: Tensor, actual: Tensor) -> Tensor:
    """What to add to the mean task loss: `options.weight` times the ranking loss or the mean squared error.

    Args:
        options: Weight, margin and kind.
        predicted: Predicted losses `[b]`.
        actual: Task losses of the same items `[b]`; no gradient flows into them.

    Raises:
        ArgumentError: Other shapes.
    """
    if options.loss == "mse":
        _check_losses(predicted, actual)
        return options.weight * F.mse_loss(predicted, actual.detach())
    return options.weight * ranking_loss(predicted, actual, options.margin)


def ranking_loss(predicted: Tensor, actual: Tensor, margin: float) -> Tensor:
    r"""Mean over pairs (i, b-1-i) of max(0, -sign(l_i, l_j) (l^_i - l^_j) + xi), sign +1 if l_i > l_j, else -1.

    Yoo and Kweon, equation 2. Of an odd batch the middle item, which would be its own pair, is left out; of fewer than
    two items the loss is 0.

    Args:
        predicted: Predicted losses l^ `[b]`.
        actual: Task losses l `[b]`; no gradient flows into them.
        margin: xi.

    Raises:
        ArgumentError: Other shapes.
    """
    _check_losses(predicted, actual)
    pairs = len(predicted) // 2
    sign = 2.0 * (actual > actual.flip(0))[:pairs] - 1
    terms = (margin - sign * (predicted - predicted.flip(0))[:pairs]).relu()
    return terms.sum() / max(pairs, 1)


def detached(epoch: int, epochs: int, share: float) -> bool:
    """Whether in an epoch, counted from 0, gradients no longer flow from the predictor into the network.

    >>> [detached(epoch, 200, 0.6) for epoch in (0, 119, 120)]
    [False, False, True]
    """
    return epoch >= round(share * epochs)


def rank_correlation(predicted: Tensor, actual: Tensor) -> float:
    """Spearman's correlation of predicted and real losses `[n]`, -1 to 1; nan if either is the same for all items.

    Raises:
        ArgumentError: Other shapes.
    """
    _check_losses(predicted, actual)
    x, y = (values.detach().cpu().double().numpy() for values in (predicted, actual))
    if len(x) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return nan
    return float(spearmanr(x, y).statistic)


def _check_losses(predicted: Tensor, actual: Tensor) -> None:
    if predicted.dim() != 1 or predicted.shape != actual.shape:
        raise ArgumentError(
            "predicted and actual losses must be one number an item, both [b], "
            f"got {list(predicted.shape)} and {list(actual.shape)}"
        )


def find_modules(network: nn.Module, modules: Sequence[str]) -> tuple[str, ...]:
    """The paths asked for, or else the network's own; all lead to modules.

    Raises:
        ArgumentError: One does not, or there are none.
    """
    paths = tuple(modules) or tuple(getattr(network, "loss_modules", ()))
    # Outermost first, as a list of all would fill the screen.
    known = sorted((path for path, _ in network.named_modules() if path), key=lambda path: path.count("."))
    listed = f"{type(network).__name__} has {name_some(known, 20)}"
    if not paths:
        raise ArgumentError(
            f"{type(network).__name__} does not say which modules to predict its loss from; name some, "
            f"LossPrediction(modules=('PATH', ...)): {listed}"
        )
    unknown = [repr(path) for path in paths if path not in known]
    if unknown:
        raise ArgumentError(f"the network has no module {name_some(unknown)}; {listed}")
    return paths


def _channels(network: nn.Module, paths: Sequence[str], example: Tensor) -> list[int]:
    """Channels of the output of each module."""
    outputs: dict[str, list[Any]] = {path: [] for path in paths}

    def look(path: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        outputs[path].append(output)

    handles = [network.get_submodule(path).register_forward_hook(partial(look, path)) for path in outputs]
    try:
        with _evaluating(network), torch.no_grad():
            network(example)
    finally:
        for handle in handles:
            handle.remove()
    return [_channels_of(path, outputs[path], len(example)) for path in paths]


def _channels_of(path: str, outputs: list[Any], b: int) -> int:
    if len(outputs) != 1:
        raise ArgumentError(
            f"module {path!r} is run {len(outputs)} times in a pass of the network, not once; name another module"
        )
    output = outputs[0]
    if not isinstance(output, Tensor) or output.dim() not in (2, 4) or len(output) != b:
        got = list(output.shape) if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise ArgumentError(
            f"module {path!r} must put out [b, c, h, w] or [b, c], got {got} for b = {b}; name another module"
        )
    return output.shape[1]


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, then each of its modules in the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
