"""Seeds derived from what they are for, so that any step can be re-run alone with the same bits."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(seed: int, *purpose: int | str) -> int:
    """Seed for one purpose: a 63-bit hash of ``(seed, *purpose)``, the same on every machine.

    Args:
        seed: The user's seed.
        purpose: What the seed is for, for example ``(cycle, "learner")``.

    >>> derive_seed(0, 3, "learner") == derive_seed(0, 3, "learner")
    True
    >>> derive_seed(0, 3, "learner") == derive_seed(0, 4, "learner")
    False
    """
    key = "/".join(str(part) for part in (seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: int | str) -> torch.Generator:
    """CPU generator seeded for one purpose; draws are the same whatever device the data is on."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Run a block under a seeded global RNG of the CPU and of `device`, then put the old states back.

    Networks initialize and drop out from the global state, which takes no generator argument.
    `torch.manual_seed` would also reseed every other GPU; only the generators restored here are touched.
    """
    device = torch.device(device)
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
