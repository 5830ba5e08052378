"""Bayesian generative active deep learning."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.adversarial import AdversarialOptions, reconstruct, train_vae_acgan
from seqgcn.selectors.bayesian import BALD
from seqgcn.selectors.extensions import Generated
from seqgcn.training import Progress
from seqgcn.utils.validation import check_mask, check_whole, kind_of, name_rows


@dataclass(frozen=True, kw_only=True)
class BGADL(AdversarialOptions, BALD):
    r"""BALD, with a generated image beside every image it picked (Tran, Do, Reid, Carneiro, ICML 2019).

    The labeled images train a VAE-ACGAN, and each picked image :math:`x^*` of class :math:`y^*` gives

    .. math:: x' = g(e(x^*), y^*)

    to train on beside it, e(x) the mean code. Every cycle makes the images of all picks so far anew with the
    generator it has trained, where the paper keeps those of earlier cycles: what a cycle trains on then depends on
    nothing but the labels. The paper's discriminator shares its classifier with the learner; here the learner may be
    any, so the discriminator has its own.

    The score is that of `BALD`. The arguments are those of `AdversarialOptions`: they set how images are generated and
    change no pick of the present cycle.
    """

    def generate(
        self,
        images: Tensor,
        targets: Tensor,
        picked: Tensor,
        *,
        num_classes: int,
        device: torch.device,
        progress: Progress | None = None,
    ) -> Generated | None:
        """An image beside each picked one, of its class; None as long as nothing is picked.

        Args:
            images: Labeled images, `[n, c, h, w]` uint8.
            targets: Their classes, `[n]` int64.
            picked: Which of them were picked by this selector, `[n]` bool; the others only train the generator.
            num_classes: Classes, at least two.
            device: Where to train it.
            progress: Told about every step, as stage `"bgadl"`.

        Raises:
            ArgumentError: One of these has another shape, type or range.
            TrainingError: Training diverged.
        """
        _check_items(images, targets, picked, num_classes)
        if not picked.any():
            return None
        # As for `select`: it trains, also where the caller has switched gradients off.
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
            trained = train_vae_acgan(images, targets, self, num_classes=num_classes, device=device, progress=progress)
            source = picked.nonzero().squeeze(1)
            made = reconstruct(trained.vae, images[source], targets[source], self.image_size, device)
            return Generated(images=made, targets=targets[source], source=source)


def _check_items(images: Any, targets: Any, picked: Any, num_classes: Any) -> None:
    if check_whole("num_classes", num_classes, low=0) < 2:
        raise ArgumentError(
            f"num_classes must be at least 2, got {num_classes}; pass how many classes the data set has, which in a "
            "run is the length of its `classes`"
        )
    if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.dim() != 4 or 0 in images.shape[1:]:
        raise ArgumentError(
            f"images must be a uint8 tensor [n, channels, height, width], got {kind_of(images)}; use "
            "(255 * images).round().to(torch.uint8) on values in [0, 1]"
        )
    if not isinstance(targets, Tensor) or targets.dtype != torch.int64 or targets.shape != images.shape[:1]:
        raise ArgumentError(
            f"targets must be an int64 tensor [{len(images)}], a class for each image, got {kind_of(targets)}; use "
            "targets.long() on class numbers of another type"
        )
    outside = (targets < 0) | (targets >= num_classes)
    if outside.any():
        raise ArgumentError(
            f"targets must be classes from 0 to {num_classes - 1}; {name_rows(outside)} are not. Number the classes "
            "from 0, or raise num_classes"
        )
    check_mask(picked, "picked", len(images))
