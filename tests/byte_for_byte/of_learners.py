"""What learners compute: weights, losses, descriptions and predictions after a fit of two epochs."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from byte_for_byte import names
from byte_for_byte.digests import of_tensor, of_weights
from torch import Tensor

COUNT, UNCONFIRMED = 20, 2
"""Items, and how many of the last were confirmed by nobody."""


def images() -> tuple[Tensor, Tensor]:
    """Pictures `[n, 1, 8, 8]` uint8 and their classes."""
    draw = torch.Generator().manual_seed(7)
    patterns, targets = torch.randint(0, 130, (4, 1, 8, 8), generator=draw), torch.arange(COUNT) % 4
    noise = torch.randint(0, 120, (COUNT, 1, 8, 8), generator=draw)
    return (patterns[targets] + noise).to(torch.uint8), targets


def hands(size: int) -> tuple[Any, Tensor]:
    """Hands of three joints, every third a left one, and their poses `[n, 3, 3]` mm."""
    draw = torch.Generator().manual_seed(11)
    crops = torch.randint(-32767, 32768, (COUNT, size // 4, size // 4), generator=draw)
    crops = crops.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2).to(torch.int16)
    centers = torch.tensor([10.0, -20.0, 400.0]) + torch.randint(-30, 31, (COUNT, 3), generator=draw)
    cubes = 190.0 + torch.randint(0, 21, (COUNT,), generator=draw)
    joints = centers.unsqueeze(1) + torch.randint(-80, 81, (COUNT, 3, 3), generator=draw)
    return names.hand_frames(crops, centers, cubes, torch.arange(COUNT) % 3 == 1), joints


def cases() -> dict[str, Callable[[], dict[str, Any]]]:
    """What to call for the entry of each learner."""
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    for name, learner in names.classifiers().items():
        found[name] = lambda learner=learner: _entry(learner, *images())
    for name, (learner, size) in names.pose_learners().items():
        found[name] = lambda learner=learner, size=size: _entry(learner, *hands(size))
    return found


def _entry(learner: Any, inputs: Any, targets: Tensor) -> dict[str, Any]:
    learner.fit(inputs, targets, unconfirmed=UNCONFIRMED)
    if learner.get_params().get("warm_start"):
        learner.set_params(seed=6)
        learner.fit(inputs[torch.arange(15)], targets[:15])
    attributes = tuple(name for name in learner.outputs if name != "image" or not isinstance(inputs, Tensor))
    described = learner.describe(inputs, attributes)
    entry = {
        "provides": list(learner.outputs),
        "weights": of_weights(learner.state()),
        "curves": {name: of_tensor(values) for name, values in learner.curves_.items()},
        "describe": {name: of_tensor(described[name]) for name in attributes},
        "predict": of_tensor(learner.predict(inputs)),
        "score": of_tensor([learner.score(inputs, targets)]),
    }
    if hasattr(learner, "predict_proba"):
        entry["predict_proba"] = of_tensor(learner.predict_proba(inputs))
    if hasattr(learner, "item_losses"):
        entry["item_losses"] = of_tensor(learner.item_losses(inputs, targets))
    restored = copy.deepcopy(learner).restore(learner.state())
    assert of_tensor(restored.predict(inputs)) == entry["predict"]
    return entry
