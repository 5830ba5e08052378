from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.backends import cudnn
from torch.distributions import Bernoulli, Normal, kl_divergence

from seqgcn.datasets import Digits
from seqgcn.exceptions import ArgumentError, TrainingError
from seqgcn.selectors.adversarial import (
    VAE,
    AdversarialOptions,
    ImageDiscriminator,
    _held,
    _steady_convolutions,
    negative_elbo,
    reconstruct,
    resized,
    train_vaal,
    train_vae_acgan,
)

CPU = torch.device("cpu")
TINY = AdversarialOptions(image_size=8, latent_channels=3, hidden_channels=4, steps=4, batch_size=6)
SMALL = AdversarialOptions(image_size=8, latent_channels=16, hidden_channels=16, steps=400)


def pictures(n: int = 20, size: tuple[int, ...] = (1, 8, 8), seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def first(count: int, n: int = 20) -> Tensor:
    return torch.arange(n) < count


def error(made: Tensor, images: Tensor) -> float:
    return float((made.float() - images.float()).square().mean())


# parts


def test_the_loss_is_that_of_a_beta_vae() -> None:
    draw = torch.Generator().manual_seed(0)
    images, logits = torch.rand(5, 2, 4, 4, generator=draw).round(), torch.randn(5, 2, 4, 4, generator=draw)
    mean, log_variance = torch.randn(5, 3, generator=draw), torch.randn(5, 3, generator=draw)
    misfit = -Bernoulli(logits=logits).log_prob(images).flatten(1).sum(dim=1)
    divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    for beta in (0.0, 1.0, 4.0):
        torch.testing.assert_close(
            negative_elbo(logits, images, mean, log_variance, beta), (misfit + beta * divergence).mean()
        )


def test_images_are_resized_to_means_of_what_each_pixel_covers() -> None:
    images = pictures(3, (2, 8, 12))
    small = resized(images, 4)
    assert (small.dtype, small.shape) == (torch.float32, (3, 2, 4, 4))
    blocks = images.double().view(3, 2, 4, 2, 4, 3).mean(dim=(3, 5)) / 255
    torch.testing.assert_close(small.double(), blocks, atol=1e-6, rtol=0)
    square = torch.rand(3, 1, 8, 8, dtype=torch.float64)
    assert torch.equal(resized(square, 8), square)
    assert torch.equal(resized(square, 16)[:, :, ::2, 1::2], square)


@pytest.mark.parametrize("num_classes", [0, 3])
@pytest.mark.parametrize("image_size", [4, 8, 20])
def test_networks_give_the_shapes_they_say(image_size: int, num_classes: int) -> None:
    images = torch.rand(5, 2, image_size, image_size)
    targets = torch.tensor([0, 1, 2, 1, 0]) if num_classes else None
    logits, mean, log_variance = VAE(2, image_size, 7, 3, num_classes)(images, targets)
    assert logits.shape == images.shape
    assert mean.shape == log_variance.shape == (5, 7)
    real, kind = ImageDiscriminator(2, image_size, 3, 4)(images)
    assert (real.shape, kind.shape) == ((5,), (5, 4))


def test_codes_are_drawn_with_the_deviation_the_encoder_says() -> None:
    torch.manual_seed(0)
    vae = VAE(1, 4, 2, 2)
    vae.encode = lambda images: (  # type: ignore[method-assign]
        torch.tensor([3.0, -1.0]).expand(len(images), 2),
        torch.tensor([2.0, -4.0]).expand(len(images), 2),
    )
    vae.decode = lambda code, targets: code  # type: ignore[method-assign]
    with torch.random.fork_rng():
        codes = vae(torch.zeros(20_000, 1, 4, 4))[0]
    assert codes.mean(dim=0).tolist() == pytest.approx([3, -1], abs=0.1)
    assert codes.std(dim=0).log().tolist() == pytest.approx([1, -2], abs=0.05)


def test_a_held_module_passes_gradients_on_but_takes_none() -> None:
    module, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.rand(5, 3, requires_grad=True)
    (expected,) = torch.autograd.grad(module(x).sum(), x)
    _held(module, x).sum().backward()
    assert torch.equal(x.grad, expected)
    assert all(parameter.grad is None for parameter in module.parameters())


# the game for labels


def test_the_autoencoder_learns_both_kinds_of_images() -> None:
    images = Digits().train.inputs
    labelled = first(100, len(images))
    game = train_vaal(images, labelled, ~labelled, SMALL)
    assert game.loss[-20:].mean() < game.loss[0]
    begun = train_vaal(images, labelled, ~labelled, replace(SMALL, steps=1))
    with torch.no_grad():
        made, at_first = (
            255 * vae.decode(vae.encode(resized(images, 8))[0]).sigmoid() for vae in (game.vae, begun.vae)
        )
    for kind in (labelled, ~labelled):
        assert error(made[kind], images[kind]) < error(at_first[kind], images[kind]) / 2
        # Better than the mean image, which an untrained network does not reach either.
        mean = images[kind].float().mean(dim=0)
        assert error(made[kind], images[kind]) < 0.65 * error(mean, images[kind])


def test_the_adversary_makes_the_discriminator_wrong_more_often() -> None:
    images, targets = Digits().train.inputs, Digits().train.targets
    labelled = (targets < 5) & (torch.arange(len(targets)) % 2 == 0)
    options = replace(SMALL, steps=300, lr=3e-3)
    alone, against = (
        train_vaal(images, labelled, ~labelled, replace(options, adversary_weight=weight)) for weight in (0.0, 5.0)
    )
    assert against.discriminator_loss[-50:].mean() > alone.discriminator_loss[-50:].mean() + 0.05


@pytest.mark.parametrize("steps", [1, 2, 5, 100])
def test_the_discriminator_is_trained_every_second_step(steps: int) -> None:
    calls: list[tuple[str, int, int]] = []
    game = train_vaal(
        pictures(), first(8), ~first(8), replace(TINY, steps=steps), progress=lambda *call: calls.append(call)
    )
    assert game.loss.shape == (steps,)
    assert game.discriminator_loss.shape == ((steps + 1) // 2,)
    assert calls == [("vaal", step + 1, steps) for step in range(steps)]


def test_precision_is_that_of_the_images() -> None:
    images = pictures().float() / 255
    whole, single = (train_vaal(some, first(8), ~first(8), TINY) for some in (pictures(), images))
    assert torch.equal(whole.logit, single.logit)
    assert single.logit.dtype == torch.float32
    assert train_vaal(images.double(), first(8), ~first(8), TINY).logit.dtype == torch.float64


# the game for looks


def test_what_is_made_has_the_size_and_kind_of_its_source() -> None:
    images, targets = pictures(12, (3, 9, 6)), torch.arange(12) % 4
    vae = train_vae_acgan(images, targets, TINY, num_classes=4, device=CPU).vae
    made = reconstruct(vae, images, targets, 8, CPU)
    assert (made.dtype, made.shape) == (torch.uint8, images.shape)


def test_the_class_asked_for_is_the_class_made() -> None:
    digits = Digits()
    images, targets = digits.train[torch.arange(150)].inputs, digits.train.targets[:150]
    vae = train_vae_acgan(images, targets, SMALL, num_classes=10, device=CPU).vae
    judge = LogisticRegression(max_iter=500).fit(digits.test.inputs.flatten(1) / 255, digits.test.targets)
    for shift in (0, 3):
        wanted = (targets + shift) % 10
        seen = judge.predict(reconstruct(vae, images, wanted, 8, CPU).flatten(1) / 255)
        assert (torch.from_numpy(seen) == wanted).float().mean() > 0.8

    begun = train_vae_acgan(images, targets, replace(SMALL, steps=1), num_classes=10, device=CPU).vae
    rebuilt, at_first = (error(reconstruct(some, images, targets, 8, CPU), images) for some in (vae, begun))
    assert rebuilt < at_first / 2
    assert rebuilt < 0.65 * error(images.float().mean(dim=0), images)


def looks(adversary_weight: float) -> dict[str, Tensor]:
    """What a trained discriminator says, each image right or wrong: digits 8 and 9 are asked for, but never shown."""
    split, options = Digits().train, replace(SMALL, steps=200, lr=3e-3, adversary_weight=adversary_weight)
    images, targets = (part[split.targets < 8] for part in (split.inputs, split.targets))
    vae, discriminator = train_vae_acgan(images, targets, options, num_classes=10, device=CPU)
    asked, draw = torch.arange(1000) % 10, torch.Generator().manual_seed(0)
    with torch.no_grad():
        real, kind = discriminator(resized(images, 8))
        made, made_kind = discriminator(vae.decode(torch.randn(1000, 16, generator=draw), asked).sigmoid())
    told = made_kind.argmax(dim=1) == asked
    return {
        "real passes": real > 0,
        "made passes": made > 0,
        "class of real": kind.argmax(dim=1) == targets,
        "class of made": told,
        "class never shown": told[asked >= 8],
    }


def test_the_discriminator_tells_real_from_made_unless_it_is_fooled() -> None:
    alone, against = ({what: float(right.float().mean()) for what, right in looks(w).items()} for w in (0.0, 5.0))
    assert alone["real passes"] > 0.85
    assert alone["made passes"] < 0.3
    # The discriminator itself is not trained to be fooled.
    assert alone["made passes"] + 0.1 < against["made passes"] < 0.8
    for told in (alone, against):
        assert told["class of real"] > 0.9
    # Images of random codes are of the class they are made for, and the more so for the adversary's word.
    assert against["class of made"] > 0.95
    assert against["class never shown"] > max(0.9, alone["class never shown"])


def test_both_games_repeat_and_leave_global_states_alone() -> None:
    def both() -> list[Tensor]:
        vae = train_vae_acgan(pictures(), torch.arange(20) % 3, TINY, num_classes=3, device=CPU).vae
        return [train_vaal(pictures(), first(8), ~first(8), TINY).logit, *vae.state_dict().values()]

    before = torch.random.get_rng_state()
    once = both()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert all(torch.equal(a, b) for a, b in zip(once, both(), strict=True))


# settings of convolutions


def settings() -> dict[str, Any]:
    names = ("enabled", "deterministic", "benchmark", "benchmark_limit", "fp32_precision")
    parts = {part: getattr(cudnn, part) for part in ("conv", "rnn") if hasattr(cudnn, part)}
    values = {name: getattr(cudnn, name) for name in names if hasattr(cudnn, name)}
    return values | {part: precision.fp32_precision for part, precision in parts.items()}


@pytest.fixture
def unusual(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Settings that a user may have changed."""
    monkeypatch.setattr(cudnn, "benchmark", True)
    if not hasattr(cudnn, "conv"):
        yield settings()
        return
    usual = cudnn.conv.fp32_precision
    cudnn.conv.fp32_precision = "ieee"
    yield settings()
    cudnn.conv.fp32_precision = usual


def test_games_on_a_cpu_change_no_setting_of_convolutions(unusual: dict[str, Any]) -> None:
    seen: list[dict[str, Any]] = []

    def look(*_call: object) -> None:
        seen.append(settings())

    train_vaal(pictures(), first(8), ~first(8), TINY, progress=look)
    train_vae_acgan(pictures(), torch.arange(20) % 3, TINY, num_classes=3, device=CPU, progress=look)
    assert seen == [unusual] * 8
    assert settings() == unusual


def test_convolutions_on_a_gpu_are_deterministic_and_all_else_is_the_users(unusual: dict[str, Any]) -> None:
    # The settings are there without a GPU too, so its name is enough.
    with _steady_convolutions(torch.device("cuda")):
        assert settings() == unusual | {"deterministic": True, "benchmark": False}
    assert settings() == unusual
    with pytest.raises(KeyError), _steady_convolutions(torch.device("cuda")):
        raise KeyError
    assert settings() == unusual


# what goes wrong


def test_divergence_is_reported() -> None:
    wild = replace(TINY, lr=1e30, steps=3)
    with pytest.raises(TrainingError, match=r"vaal: .* lower the learning rate"):
        train_vaal(pictures(), first(8), ~first(8), wild)
    with pytest.raises(TrainingError, match=r"bgadl: .* lower the learning rate"):
        train_vae_acgan(pictures(), torch.arange(20) % 3, wild, num_classes=3, device=CPU)
    # One step is enough to break a network whose loss was still a number.
    with pytest.raises(TrainingError, match="vaal: the last step diverged"):
        train_vaal(pictures(), first(8), ~first(8), replace(wild, steps=1))
    vae = train_vae_acgan(pictures(), torch.arange(20) % 3, replace(wild, steps=1), num_classes=3, device=CPU).vae
    with pytest.raises(TrainingError, match="bgadl: the last step diverged"):
        reconstruct(vae, pictures(), torch.arange(20) % 3, 8, CPU)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 30}, "image_size must be a multiple of 4, got 30"),
        ({"image_size": 0}, "image_size must be a whole number of at least 4, got 0"),
        ({"latent_channels": 0}, "latent_channels must be a whole number of at least 1"),
        ({"hidden_channels": 2.5}, "hidden_channels must be a whole number"),
        ({"steps": 0}, "steps must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"beta": -1}, "beta must be a number in"),
        ({"adversary_weight": -1}, "adversary_weight must be a number in"),
        ({"lr": 0}, "lr must be a number in"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_unusable_options_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        AdversarialOptions(**change)
