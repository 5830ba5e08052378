"""Bayesian generative active deep learning."""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgcn.extensions import Generated
from seqgcn.generative import GameOptions, play_for_looks, reconstruct
from seqgcn.selectors.bayesian import BALD
from seqgcn.training import Progress


@dataclass(frozen=True, kw_only=True)
class BGADL(GameOptions, BALD):
    r"""BALD, with a generated image beside every image it picked (Tran, Do, Reid, Carneiro, ICML 2019).

    The labelled images train a VAE-ACGAN, and each picked image :math:`x^*` of class :math:`y^*` gives

    .. math:: x' = g(e(x^*), y^*)

    to train on beside it, e(x) the mean code. Every cycle makes the images of all picks so far anew with the
    generator it has trained, where the paper keeps those of earlier cycles: what a cycle trains on then depends on
    nothing but the labels. The paper's discriminator shares its classifier with the learner; here the learner may be
    any, so the discriminator has its own.

    The score is that of `BALD`. The arguments, those of `GameOptions`, say how images are made, and change no pick of
    the cycle at hand.
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
            images: Labelled images, `[n, c, h, w]` uint8.
            targets: Their classes, `[n]`.
            picked: Which of them were picked by this selector, `[n]` bool; the others only train the generator.
            num_classes: Classes.
            device: Where to train it.
            progress: Told about every step, as stage `"bgadl"`.

        Raises:
            TrainingError: Training diverged.
        """
        if not picked.any():
            return None
        # As for `select`: it trains, also where the caller has switched gradients off.
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False):
            vae = play_for_looks(images, targets, self, num_classes=num_classes, device=device, progress=progress)
            source = picked.nonzero().squeeze(1)
            made = reconstruct(vae, images[source], targets[source], self.image_size, device)
            return Generated(images=made, targets=targets[source], source=source)
