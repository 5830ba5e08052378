"""What is asked of a network of a user's own: one layer's output, its dropout, and weights from a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError
from seqgcn.utils.validation import kind_of, name_some

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def check_fields(learner: Any) -> None:
    """Check that what a subclass sets in its body is a field, as a dataclass takes nothing else.

    Raises:
        ArgumentError: It is not, and has no effect.
    """
    for each in fields(learner):
        default = vars(type(learner)).get(each.name, MISSING)
        if each.init and default is not MISSING and default is not each.default:
            raise ArgumentError(
                f"{type(learner).__name__}.{each.name} has no effect; write @dataclass above the class, and a type "
                f"behind the name ({each.name}: {type(default).__name__} = {default!r})"
            )


def check_layers(module: nn.Module, embedding: str, samples: int) -> None:
    """Check that a network has the layer that embeds, and dropout where passes with some are asked for.

    Raises:
        ArgumentError: It has not.
    """
    known = [path for path, _ in module.named_modules() if path]
    if embedding not in known:
        raise ArgumentError(
            f"embedding must name a layer of the network, got {embedding!r}; {type(module).__name__} has "
            f"{name_some(sorted(known, key=lambda path: path.count('.')), 20)}"
        )
    if samples and not any(isinstance(layer, _DROPOUT) for layer in module.modules()):
        raise ArgumentError(f"samples is {samples}, but {type(module).__name__} has no layer of dropout")


def checked_logits(output: Any, b: int) -> Tensor:
    """What a network gave for b items, if it is logits `[b, classes]`.

    Raises:
        ArgumentError: It is not.
    """
    if not isinstance(output, Tensor) or output.dim() != 2 or len(output) != b:
        raise ArgumentError(
            f"the network must give logits [{b}, classes], got {kind_of(output)}; wrap it in one that does"
        )
    return output


@contextmanager
def watching(module: nn.Module, path: str) -> Iterator[Callable[[int], Tensor]]:
    """Within, what a layer put out in the network's last pass; called with b, the number of items, it is `[b, d]`."""
    seen: dict[str, Any] = {}

    def keep(_layer: nn.Module, _inputs: Any, output: Any) -> None:
        seen["x"] = output.clone() if isinstance(output, Tensor) else output  # as the next may work in place

    def embedding(b: int) -> Tensor:
        output = seen.pop("x", None)
        if not isinstance(output, Tensor) or output.dim() < 2 or len(output) != b:
            raise ArgumentError(
                f"the layer {path} must put out a tensor of {b} rows, one an item, got {kind_of(output)}; "
                "name another with embedding"
            )
        return output.mean(dim=(2, 3)) if output.dim() == 4 else output.flatten(1)

    handle = module.get_submodule(path).register_forward_hook(keep)
    try:
        yield embedding
    finally:
        handle.remove()


@contextmanager
def dropping(module: nn.Module) -> Iterator[None]:
    """The network in evaluation mode but for its dropout."""
    for layer in module.modules():
        if isinstance(layer, _DROPOUT):
            layer.train()
    try:
        yield
    finally:
        module.eval()


def read_checkpoint(path: str, prefix: str) -> dict[str, Tensor]:
    """Weights of a checkpoint, by name without the prefix.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It holds no such weights that can be read safely.
    """
    try:
        held = torch.load(Path(path).expanduser(), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MissingFileError(f"checkpoint {path} does not exist") from error
    except Exception as error:  # a damaged file can make torch's reader trip over anything
        raise DataFileError(
            f"cannot read the checkpoint {path} ({type(error).__name__}). Only tensors and plain values are read, as "
            "anything else in a checkpoint could run code. If you trust it, save its weights alone: "
            "torch.save(torch.load(PATH, weights_only=False)['state_dict'], 'weights.pt')"
        ) from error
    held = held.get("state_dict", held) if isinstance(held, dict) else {}
    state = {key: value for key, value in held.items() if isinstance(key, str) and isinstance(value, Tensor)}
    chosen = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    if not chosen:
        names = f"it has {name_some(list(state))}; prefix is what they begin with" if state else "it has none at all"
        raise DataFileError(f"the checkpoint {path} has no weights that begin with {prefix!r}; {names}")
    return chosen


def load_checkpoint(module: nn.Module, weights: dict[str, Tensor], path: str, prefix: str) -> None:
    """Put weights of a checkpoint, their names without the prefix, into a network.

    Raises:
        DataFileError: They are those of another network.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split(":", 1)[-1].split())
        raise DataFileError(
            f"the checkpoint {path} is of another network than {type(module).__name__}, or its names have another "
            f"prefix{_advice(module, weights, prefix)}: {reason[:500]}"
        ) from error


def _advice(module: nn.Module, weights: dict[str, Tensor], prefix: str) -> str:
    """How to say what the names begin with, as in the file if a name there ends like one of the network."""
    if set(weights) == set(module.state_dict()):
        return ""
    name = next(iter(module.state_dict()), "")
    found = [key.removesuffix(name) for key in weights if name and key.endswith(f".{name}")]
    right = f"{prefix}{found[0]}" if found else "model."
    return (
        f" than {prefix!r} (prefix={right!r}; in a subclass a field, prefix: str = {right!r}; on the command line "
        f"--set learner.prefix={right})"
    )
