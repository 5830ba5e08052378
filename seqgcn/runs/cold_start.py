"""How items are described, and what picks among them, before any of them is labeled."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgcn.config.registry import load
from seqgcn.config.select import LABEL_FREE
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.selectors.selector import Selector
from seqgcn.utils.validation import kind_of

COLD_START = "typiclust"
"""What picks where nothing is labeled and the selector asked for learns from labels."""

THUMBNAIL = 16
"""Pixels along the side of the thumbnails that describe items before anything is learned."""


def thumbnails_of(inputs: HandFrames | Tensor) -> Tensor:
    """What describes items of which none is labelled: small gray pictures as vectors, `[n, d]` float32.

    Args:
        inputs: Hand frames, or images `[n, c, h, w]` uint8.
    """
    blocks: Iterable[Tensor]
    if isinstance(inputs, HandFrames):
        blocks = (inputs.batch(ids).images for ids in torch.arange(len(inputs)).split(1024))
    else:
        blocks = (part.float().mean(dim=1, keepdim=True) / 255 for part in inputs.split(1024))
    # Of pictures smaller than that, as many pixels as there are.
    return torch.cat([F.adaptive_avg_pool2d(part, min(THUMBNAIL, *part.shape[2:])).flatten(1) for part in blocks])


def describe_unlabeled(inputs: Any) -> Tensor:
    """Embeddings `[n, d]` of items when there is nothing to train on: thumbnails of images, else the rows themselves.

    Raises:
        ArgumentError: The items are neither images nor vectors.
    """
    if isinstance(inputs, HandFrames) or (isinstance(inputs, Tensor) and inputs.dim() == 4):
        return thumbnails_of(inputs)
    if isinstance(inputs, Tensor) and inputs.dim() == 2:
        return inputs.float()
    raise ArgumentError(
        f"nothing is labeled yet, and items given as {kind_of(inputs)} cannot be described without a trained learner; "
        "give first labels: labels={item: label, ...}"
    )


def needs_no_label(selector: Selector) -> bool:
    """Whether a selector can be asked when nothing is labeled, by embeddings alone.

    One of the user's own is taken to know what it needs; if that is labels, its message says so.
    """
    if selector.missing(("x",)):
        return False
    label_free = any(type(selector) is load("selector", name) for name in LABEL_FREE)
    return label_free or not type(selector).__module__.startswith("seqgcn.selectors.")


def first_choice(selector: Selector, inputs: Any) -> tuple[Selector | None, Tensor]:
    """What picks when nothing is labeled in place of a selector, if it learns from labels, and what describes items.

    Raises:
        ArgumentError: The items cannot be described without a learner.
    """
    x = describe_unlabeled(inputs)
    if needs_no_label(selector):
        return None, x
    warnings.warn(
        f"nothing is labeled yet, which {type(selector).__name__} needs: {COLD_START} picks instead, among items "
        "described without a learner",
        SeqGCNWarning,
        stacklevel=4,
    )
    return load("selector", COLD_START)(), x
