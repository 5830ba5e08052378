"""What is written down of a tensor or a text, and when two such entries agree.

Floating-point bits differ between processors and between versions of the libraries. So every entry of a tensor holds
its hash and, for other machines, its shape, sum and norm. Which of them counts is decided by `machine`: it holds the
versions and a hash of some arithmetic that has nothing to do with the package. Where that is what was recorded, hashes
must be equal.
"""

import hashlib
import json
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

TOLERANCE = 1e-3
"""Relative, of sums and norms on other machines."""

LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch-geometric")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def of_tensor(values: Any) -> dict[str, Any]:
    """Entry of a tensor, or of a list of numbers."""
    tensor = torch.as_tensor(values).detach().cpu().contiguous()
    numbers = tensor.double()
    finite = numbers[numbers.isfinite()]
    return {
        "sha256": digest(tensor.numpy().tobytes()),
        "type": f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}",
        "finite": finite.numel(),
        "sum": float(finite.sum()),
        "norm": float(finite.norm()),
    }


def of_weights(state: dict[str, Tensor]) -> dict[str, Any]:
    """Entry of a learner's `state()`: its keys in their order, each with type and shape, and all values."""
    held = {name: of_tensor(value) for name, value in state.items()}
    numbers = torch.cat([value.detach().double().flatten() for value in state.values()])
    return {
        "keys": [f"{name} {entry['type']}" for name, entry in held.items()],
        "values": {
            **of_tensor(numbers),
            "sha256": digest("".join(entry["sha256"] for entry in held.values()).encode()),
        },
    }


def of_text(text: str | bytes) -> dict[str, Any]:
    """Entry of a text that other machines may write other numbers into."""
    return {"sha256": digest(text.encode() if isinstance(text, str) else text)}


def machine() -> dict[str, str]:
    """What the bits depend on besides the package. One thread is assumed."""
    versions = {"torch": str(torch.__version__), **{name: version(name) for name in LIBRARIES}}
    return {**versions, "instructions": torch.backends.cpu.get_cpu_capability(), "arithmetic": _arithmetic()}


def _arithmetic() -> str:
    """Hash of a small training and of some linear algebra."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        images, net = torch.rand(8, 1, 24, 24), nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
        net.extend([nn.BatchNorm2d(8), nn.Conv2d(8, 16, 3), nn.Flatten(), nn.Linear(1296, 64), nn.Tanh()])
        net.extend([nn.Dropout(0.3), nn.Linear(64, 5)])
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images), torch.arange(8) % 5).backward()
            optimizer.step()
        with torch.autocast("cpu", torch.bfloat16):
            parts = [*net.state_dict().values(), net(images).float()]
        points = torch.rand(60, 37, dtype=torch.float64)
        parts += [torch.cdist(points.float(), points.float()), points.T @ points, points.exp().log_softmax(dim=1)]
        parts += [torch.linalg.svdvals(points), torch.randn(101).sigmoid(), torch.linalg.eigvalsh(points.T @ points)]
    parts.append(torch.from_numpy(np.linalg.svd(points.numpy(), compute_uv=False)))
    return digest(b"".join(part.detach().contiguous().numpy().tobytes() for part in parts))


def assert_agrees(found: Any, held: Any, *, exact: bool, where: str = "record") -> None:
    """Compare an entry, or a mapping of entries, with what is recorded.

    Args:
        found: What is computed now.
        held: What is recorded.
        exact: Whether this is a machine of the same arithmetic.
        where: Path of the entry, for the message.
    """
    if not isinstance(held, dict):
        assert json.loads(json.dumps(found)) == held, where
        return
    assert list(found) == list(held), where
    if "sha256" not in held:
        for key, value in held.items():
            assert_agrees(found[key], value, exact=exact, where=f"{where} > {key}")
    elif exact:
        assert found == held, where
    elif "norm" in held:
        assert (found["type"], found["finite"]) == (held["type"], held["finite"]), where
        # A sum may be near zero by cancellation; its error is in proportion to the norm.
        largest = TOLERANCE * held["norm"] * max(1, held["finite"]) ** 0.5
        assert found["sum"] == pytest.approx(held["sum"], rel=TOLERANCE, abs=largest + 1e-12), where
        assert found["norm"] == pytest.approx(held["norm"], rel=TOLERANCE, abs=1e-12), where
