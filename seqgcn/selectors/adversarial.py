"""Small networks that generate images, and the two adversarial trainings that selectors use them in.

In both, the loss of each side keeps the weights of the other fixed, so one step on the sum of the losses updates both
sides, and the package's one training loop serves. Lengths are counted in steps: training time does not grow with the
pool.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.backends import cudnn

from seqgcn.exceptions import ArgumentError, TrainingError
from seqgcn.training import Progress, train
from seqgcn.utils.seeding import derive_seed, generator, seeded
from seqgcn.utils.validation import check_number, check_whole

_SCORED_AT_A_TIME = 512

Batch = TypeVar("Batch")


@dataclass(frozen=True, kw_only=True)
class AdversarialOptions:
    """Sizes of the networks and options of their training.

    Args:
        image_size: Images are resized to squares of this many pixels a side, a multiple of 4.
        latent_channels: Size of an image's code.
        hidden_channels: Channels of the first convolution; the second has twice as many.
        beta: Weight of the divergence of the codes from the standard normal distribution.
        adversary_weight: Weight of the discriminator's term in the loss of the VAE.
        steps: Steps of Adam.
        batch_size: Images a step, of each kind that a step takes.
        lr: Adam's learning rate.
        seed: Of initial weights, batches and codes.
    """

    image_size: int = 32
    latent_channels: int = 32
    hidden_channels: int = 32
    beta: float = 1.0
    adversary_weight: float = 1.0
    steps: int = 1000
    batch_size: int = 64
    lr: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("latent_channels", "hidden_channels", "steps", "batch_size"):
            check_whole(name, getattr(self, name))
        if check_whole("image_size", self.image_size, low=4) % 4:
            raise ArgumentError(f"image_size must be a multiple of 4, got {self.image_size}")
        check_number("beta", self.beta, low=0)
        check_number("adversary_weight", self.adversary_weight, low=0)
        check_number("lr", self.lr, low=0, open_low=True)
        check_whole("seed", self.seed, low=0)


class VAE(nn.Module):
    """Variational autoencoder of square images in [0, 1] (Kingma, Welling, ICLR 2014); conditional with classes.

    Two convolutions of stride 2 and a linear layer each way.

    Args:
        in_channels: Color channels.
        image_size: Pixels a side, a multiple of 4.
        latent_channels: Size of a code.
        hidden_channels: Channels of the first convolution; the second has twice as many.
        num_classes: Classes that the decoder is told; 0 for none.

    Shapes:
        - **input:** `[b, in_channels, image_size, image_size]`, and classes `[b]` int64 if there are some
        - **output:** logits of the pixels `[b, in_channels, image_size, image_size]`, mean and log-variance of the
          codes `[b, latent_channels]`
    """

    def __init__(
        self, in_channels: int, image_size: int, latent_channels: int, hidden_channels: int, num_classes: int = 0
    ) -> None:
        super().__init__()
        side, wide = image_size // 4, 2 * hidden_channels
        self.num_classes = num_classes
        self.encoder = nn.Sequential(
            *_halvings(in_channels, hidden_channels), nn.Linear(wide * side**2, 2 * latent_channels)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_channels + num_classes, wide * side**2),
            nn.ReLU(),
            nn.Unflatten(1, (wide, side, side)),
            nn.ConvTranspose2d(wide, hidden_channels, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(hidden_channels, in_channels, 4, stride=2, padding=1),
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the images' codes."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, code: Tensor, targets: Tensor | None = None) -> Tensor:
        """Logits of the pixels of codes, and of classes where the decoder is told them."""
        if targets is not None:
            code = torch.cat([code, F.one_hot(targets, self.num_classes).to(code)], dim=1)
        logits: Tensor = self.decoder(code)
        return logits

    def forward(self, images: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the pixels under a random code of each image, and what the code was drawn from."""
        mean, log_variance = self.encode(images)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decode(code, targets), mean, log_variance


class ImageDiscriminator(nn.Module):
    """Tells real images from made ones, and their class (AC-GAN: Odena, Olah, Shlens, ICML 2017).

    Args:
        in_channels: Color channels.
        image_size: Pixels a side, a multiple of 4.
        hidden_channels: Channels of the first convolution; the second has twice as many.
        num_classes: Classes.

    Shapes:
        - **input:** `[b, in_channels, image_size, image_size]`
        - **output:** logits of being real `[b]`, logits of the classes `[b, num_classes]`
    """

    def __init__(self, in_channels: int, image_size: int, hidden_channels: int, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_halvings(in_channels, hidden_channels),
            nn.Linear(2 * hidden_channels * (image_size // 4) ** 2, 1 + num_classes),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of being real, and of the classes."""
        logits = self.layers(images)
        return logits[:, 0], logits[:, 1:]


def negative_elbo(logits: Tensor, images: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0) -> Tensor:
    r"""Loss of a beta-VAE (Higgins et al., ICLR 2017) in nats an image.

    .. math:: -\log p(x \mid z) + \beta \, \mathrm{KL}(q(z \mid x) \,\|\, N(0, I))

    with pixels that are Bernoulli probabilities.

    Args:
        logits: Of the pixels, `[b, c, h, w]`.
        images: `[b, c, h, w]` in [0, 1].
        mean: Of the codes, `[b, latent]`.
        log_variance: Of the codes, `[b, latent]`.
        beta: Weight of the divergence.
    """
    misfit = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum() / 2
    return (misfit + beta * divergence) / len(images)


def resized(images: Tensor, image_size: int) -> Tensor:
    """Images as squares of `image_size` pixels a side, in [0, 1]; uint8 becomes float32.

    Area interpolation: each pixel is the mean of what it covers.
    """
    pixels = images if images.is_floating_point() else images.float() / 255
    return F.interpolate(pixels, size=(image_size, image_size), mode="area")


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedVAAL:
    """The networks that `train_vaal` trained, and the discriminator's output for every image.

    Args:
        logit: Of being labeled, `[n]`.
        loss: Of the VAE, `[steps]`.
        discriminator_loss: Of its steps, `[(steps + 1) // 2]`.
        vae: The VAE.
    """

    logit: Tensor
    loss: Tensor
    discriminator_loss: Tensor
    vae: VAE


def train_vaal(
    images: Tensor,
    labelled: Tensor,
    unlabelled: Tensor,
    options: AdversarialOptions,
    *,
    progress: Progress | None = None,
) -> TrainedVAAL:
    r"""Train a beta-VAE against a discriminator that tells labeled from unlabeled images by their codes.

    VAAL (Sinha, Ebrahimi, Darrell, ICCV 2019): the VAE minimizes :math:`-\mathrm{ELBO} - \lambda \log D(\mu(x))` over
    labeled and unlabeled images, in as many of each a step; the discriminator, in every second step, the binary
    cross-entropy of :math:`D(\mu(x))`, the probability that an image is labeled.

    Args:
        images: `[n, c, h, w]` uint8, or floating point in [0, 1].
        labelled: Mask of the labeled images, `[n]`, at least one.
        unlabelled: Mask of the unlabeled ones, `[n]`, at least one.
        options: Sizes and training.
        progress: Told about every step, as stage `"vaal"`.

    Raises:
        TrainingError: Training diverged.
    """
    sides = [mask.nonzero().squeeze(1) for mask in (labelled, unlabelled)]
    draw = generator(options.seed, "vaal", "batches")
    size, device = options.batch_size, images.device
    losses: tuple[list[Tensor], list[Tensor]] = ([], [])
    with _repeatable(options.seed, "vaal", device):
        vae = VAE(images.shape[1], options.image_size, options.latent_channels, options.hidden_channels)
        discriminator = nn.Sequential(nn.Linear(options.latent_channels, 128), nn.ReLU(), nn.Linear(128, 128))
        discriminator.extend([nn.ReLU(), nn.Linear(128, 1), nn.Flatten(0)])
        both = nn.ModuleList([vae, discriminator])
        both.to(device, images.dtype if images.is_floating_point() else torch.float32)
        is_labelled = torch.arange(2 * size, device=device) < size

        def batches(step: int) -> Iterator[tuple[int, Tensor]]:
            ids = [side[torch.randint(len(side), (size,), generator=draw).to(device)] for side in sides]
            yield step, resized(images[torch.cat(ids)], options.image_size)

        def loss(batch: tuple[int, Tensor]) -> Tensor:
            step, pixels = batch
            logits, mean, log_variance = vae(pixels)
            fooled = F.softplus(-_held(discriminator, mean)).mean()
            total = negative_elbo(logits, pixels, mean, log_variance, options.beta) + options.adversary_weight * fooled
            losses[0].append(total.detach())
            if step % 2 == 0:
                told_apart = F.binary_cross_entropy_with_logits(discriminator(mean.detach()), is_labelled.to(pixels))
                losses[1].append(told_apart.detach())
                total = total + told_apart
            return total

        _train(both, batches, loss, options, progress, "vaal")
        with torch.no_grad():
            blocks = (resized(some, options.image_size) for some in images.split(_SCORED_AT_A_TIME))
            logit = torch.cat([discriminator(vae.encode(block)[0]) for block in blocks])
    return TrainedVAAL(
        logit=_finite(logit, "vaal"),
        loss=torch.stack(losses[0]).cpu(),
        discriminator_loss=torch.stack(losses[1]).cpu(),
        vae=vae,
    )


class TrainedVAEACGAN(NamedTuple):
    """The networks that `train_vae_acgan` trained: a conditional VAE and the discriminator it was trained against."""

    vae: VAE
    discriminator: ImageDiscriminator


def train_vae_acgan(
    images: Tensor,
    targets: Tensor,
    options: AdversarialOptions,
    *,
    num_classes: int,
    device: torch.device,
    progress: Progress | None = None,
) -> TrainedVAEACGAN:
    r"""Train a VAE-ACGAN: a conditional VAE whose images pass for real ones of the class they are made for.

    The generative part of BGADL (Tran, Do, Reid, Carneiro, ICML 2019): the encoder e and the generator g minimize
    -ELBO and, weighted, what the discriminator says of reconstructions :math:`g(e(x), y)` and of images of random
    codes and classes: that they are made, and of another class. The discriminator minimizes its cross-entropies of
    real or made, and of the class, on both.

    Args:
        images: `[n, c, h, w]` uint8, n > 0.
        targets: Their classes, `[n]` int64.
        options: Sizes and training.
        num_classes: Classes.
        device: Where to train.
        progress: Told about every step, as stage `"bgadl"`.

    Raises:
        TrainingError: Training diverged.
    """
    draw = generator(options.seed, "bgadl", "batches")
    with _repeatable(options.seed, "bgadl", device):
        channels, side, hidden = images.shape[1], options.image_size, options.hidden_channels
        vae = VAE(channels, side, options.latent_channels, hidden, num_classes)
        discriminator = ImageDiscriminator(channels, side, hidden, num_classes)
        both = nn.ModuleList([vae, discriminator]).to(device)

        def batches(_step: int) -> Iterator[tuple[Tensor, Tensor]]:
            ids = torch.randint(len(images), (options.batch_size,), generator=draw).to(images.device)
            yield resized(images[ids].to(device), side), targets[ids].to(device)

        def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
            pixels, classes = batch
            logits, mean, log_variance = vae(pixels, classes)
            other = torch.randint_like(classes, num_classes)
            made = torch.cat([logits, vae.decode(torch.randn_like(mean), other)]).sigmoid()
            made_for = torch.cat([classes, other])
            real, kind = _held(discriminator, made)
            exposed = F.softplus(-real).mean() + F.cross_entropy(kind, made_for)
            total = negative_elbo(logits, pixels, mean, log_variance, options.beta) + options.adversary_weight * exposed
            real, kind = discriminator(pixels)
            total = total + F.softplus(-real).mean() + F.cross_entropy(kind, classes)
            real, kind = discriminator(made.detach())
            return total + F.softplus(real).mean() + F.cross_entropy(kind, made_for)

        _train(both, batches, loss, options, progress, "bgadl")
    return TrainedVAEACGAN(vae, discriminator)


@torch.no_grad()
def reconstruct(vae: VAE, images: Tensor, targets: Tensor, image_size: int, device: torch.device) -> Tensor:
    """Images g(e(x), y) of the size and kind of `images`, e(x) the mean code: `[m, c, h, w]` uint8 on their device.

    Args:
        vae: A conditional VAE on `device`.
        images: `[m, c, h, w]` uint8.
        targets: The class to make each for, `[m]` int64.
        image_size: The VAE's.
        device: Where it is.

    Raises:
        TrainingError: The VAE diverged.
    """
    made = []
    for some, classes in zip(images.split(_SCORED_AT_A_TIME), targets.split(_SCORED_AT_A_TIME), strict=True):
        mean, _ = vae.encode(resized(some.to(device), image_size))
        pixels = _finite(vae.decode(mean, classes.to(device)), "bgadl").sigmoid()
        pixels = F.interpolate(pixels, size=images.shape[2:], mode="bilinear", antialias=True)
        made.append((255 * pixels).round().to(torch.uint8).to(images.device))
    return torch.cat(made)


def _halvings(in_channels: int, hidden_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, hidden_channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(hidden_channels, 2 * hidden_channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
    ]


def _held(module: nn.Module, x: Tensor) -> Any:
    """The module's output for x; gradients flow to x, but not to the module."""
    return torch.func.functional_call(module, {name: p.detach() for name, p in module.named_parameters()}, (x,))


@contextmanager
def _repeatable(seed: int, purpose: str, device: torch.device) -> Iterator[None]:
    """A seeded block in which convolutions on a GPU give the same bits each time."""
    with seeded(derive_seed(seed, purpose), device), _steady_convolutions(device):
        yield


@contextmanager
def _steady_convolutions(device: torch.device) -> Iterator[None]:
    # Not `cudnn.flags`, which also sets the precision, and fails where its user has set that by another name.
    if device.type != "cuda":
        yield
        return
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def _train(
    both: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    options: AdversarialOptions,
    progress: Progress | None,
    stage: str,
) -> None:
    """One step of both sides an epoch."""
    optimizer = torch.optim.Adam(both.parameters(), lr=options.lr)
    train(both, batches, loss, optimizer=optimizer, epochs=options.steps, progress=progress, stage=stage)


def _finite(values: Tensor, stage: str) -> Tensor:
    if not values.isfinite().all():
        raise TrainingError(f"{stage}: the last step diverged; lower the learning rate")
    return values
