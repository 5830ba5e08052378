from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from seqgcn.datasets.hands.hand_dataset import CropBatch, HandFrames
from seqgcn.evaluation import MEAN_JOINT_ERROR
from seqgcn.exceptions import ArgumentError
from seqgcn.learners import HandPose, Learner, RestorableLearner
from seqgcn.learners.hand_pose import Net
from seqgcn.learners.nets import AWR
from seqgcn.learners.recipes import RECIPES

Hands = Callable[..., tuple[HandFrames, Tensor]]

NETS = get_args(Net)
SIZES = {"deep-prior": 48, "deep-prior-no-pca": 64, "deep-prior-plus": 48, "awr": 32}

pytestmark = pytest.mark.usefixtures("narrow")


def small(**changes: Any) -> HandPose:
    return HandPose(**{"epochs": 2, "batch_size": 8, "device": "cpu"} | changes)


def bits(learner: HandPose) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in learner.state().values())


def spread(joints: Tensor) -> float:
    """Error of always answering the mean, mm."""
    return float((joints - joints.mean(dim=0)).norm(dim=2).mean())


def counted(forward: Callable[[Tensor], Tensor], seen: list[int]) -> Callable[[Tensor], Tensor]:
    def count(images: Tensor) -> Tensor:
        seen.append(len(images))
        return forward(images)

    return count


def test_is_a_learner() -> None:
    assert isinstance(HandPose(), Learner)
    assert isinstance(HandPose(), RestorableLearner)
    assert HandPose.metric == MEAN_JOINT_ERROR
    assert HandPose().outputs == ("x", "target_samples", "image")
    assert HandPose(net="awr").outputs == ("x", "image")


@pytest.mark.parametrize("net", NETS)
def test_joints_without_labels_train_nothing(net: Net, hands: Hands) -> None:
    """Whatever stands there: what is learned of a joint that is never labeled does not depend on it."""
    frames, joints = hands(24, SIZES[net])
    partly = joints.clone()
    partly[::2, 1] = torch.nan
    learner = small(net=net, epochs=3, augment=False).fit(frames, partly)
    assert bool(learner.loss_.isfinite().all())
    assert bool(learner.validation_error_.isfinite().all())
    assert bool(learner.predict(frames).isfinite().all())
    assert learner.score(frames, partly) > 0
    assert bool(learner.item_losses(frames, partly).isfinite().all())


@pytest.mark.parametrize("net", NETS)
def test_unknown_joints_have_no_gradient(net: Net, hands: Hands) -> None:
    frames, joints = hands(8, SIZES[net])
    learner = small(net=net, epochs=1, validation=0.0).fit(frames, joints)
    module = learner.module_.train()
    crops = frames.batch(torch.arange(8))
    pose = learner.reference_frame.to_frame(joints, crops.centre, crops.cube)
    pose[:, 2] = torch.nan
    torch.manual_seed(0)
    loss, predicted = module.loss(crops.images, pose)
    predicted.retain_grad()
    loss.backward()
    assert bool(loss.isfinite())
    assert predicted.grad is not None
    assert float(predicted.grad[:, 2].abs().max()) == 0
    assert float(predicted.grad[:, :2].abs().max()) > 0


def test_the_published_recipes() -> None:
    assert set(RECIPES) == set(NETS)
    known = {net: (r.epochs, r.batch_size, r.lr, r.dropout, r.prior) for net, r in RECIPES.items()}
    assert known == {
        "deep-prior": (60, 64, 1e-3, 0.3, True),
        "deep-prior-no-pca": (60, 64, 1e-3, 0.0, False),
        "deep-prior-plus": (100, 128, 1e-3, 0.3, True),
        "awr": (40, 32, 1e-3, None, False),
    }
    rates = [RECIPES["deep-prior-plus"].schedule(epoch / 100) for epoch in (0, 1, 2, 50)]
    assert rates == pytest.approx([0.1, 0.1, np.exp(-0.08), np.exp(-2)])
    assert [RECIPES["awr"].schedule(epoch / 40) for epoch in (0, 29, 30, 39)] == [1, 1, 0.1, 0.1]
    assert RECIPES["deep-prior"].schedule(0.9) == 1


@pytest.mark.parametrize("net", NETS)
def test_none_is_the_recipe_and_numbers_override_it(net: str, hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def fake_train(_module: Any, batches: Any, _loss: Any, **options: Any) -> Tensor:
        seen.update(options, batch=len(next(iter(batches(0)))[0]))
        return torch.zeros(1)

    monkeypatch.setattr("seqgcn.learners.network.train", fake_train)
    frames, joints = hands(140, SIZES[net])
    HandPose(net=net, validation=0, device="cpu").fit(frames, joints)
    recipe = RECIPES[net]
    assert isinstance(seen["optimizer"], torch.optim.Adam)
    group = seen["optimizer"].param_groups[0]
    assert (seen["epochs"], seen["batch"], group["initial_lr"]) == (recipe.epochs, recipe.batch_size, recipe.lr)
    assert all(parameter.requires_grad for parameter in group["params"])
    HandPose(net=net, epochs=3, batch_size=5, lr=0.5, weight_decay=0.1, device="cpu").fit(frames, joints)
    group = seen["optimizer"].param_groups[0]
    assert (seen["epochs"], seen["batch"], group["initial_lr"], group["weight_decay"]) == (3, 5, 0.5, 0.1)


@pytest.mark.parametrize(
    ("net", "options", "bound"),
    [
        ("deep-prior", {"epochs": 250, "dropout": 0.0}, 8),
        ("deep-prior-no-pca", {"epochs": 80}, 3),
        ("deep-prior-plus", {"epochs": 100, "dropout": 0.0, "lr": 3e-3}, 8),
        ("awr", {"epochs": 100}, 5),
    ],
)
def test_overfits_eight_frames(net: str, options: dict[str, Any], bound: float, hands: Hands) -> None:
    frames, joints = hands(8, SIZES[net])
    learner = small(net=net, augment=False, **options).fit(frames, joints)
    assert learner.score(frames, joints) < bound < spread(joints) / 5
    assert learner.loss_.shape == (options["epochs"],)
    assert learner.loss_[-1] < learner.loss_[0] / 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "size", "options"),
    [
        ("deep-prior", 64, {"epochs": 300, "dropout": 0.0}),
        ("deep-prior-no-pca", 64, {"epochs": 150}),
        ("deep-prior-plus", 64, {"epochs": 80, "dropout": 0.0}),
        ("awr", 32, {"epochs": 80}),
    ],
)
def test_the_published_networks_overfit(net: str, size: int, options: dict[str, Any], hands: Hands) -> None:
    frames, joints = hands(8, size)
    learner = small(net=net, augment=False, **options).fit(frames, joints)
    assert learner.score(frames, joints) < 14 < spread(joints) / 4


@pytest.mark.parametrize(
    "changes",
    [
        {"net": "deep-prior-plus"},
        {"epochs": 3},
        {"batch_size": 5},
        {"lr": 0.01},
        {"weight_decay": 0.1},
        {"dropout": 0.1},
        {"augment": False},
        {"shift": 20.0},
        {"rotation": 10.0},
        {"scale": 0.2},
        {"components": 2},
        {"validation": 0.5},
        {"precision": "bfloat16"},
    ],
)
def test_every_parameter_changes_the_result(changes: dict[str, Any], hands: Hands) -> None:
    frames, joints = hands(16)
    assert bits(small().fit(frames, joints)) != bits(small(**changes).fit(frames, joints))


def test_crops_are_shifted_by_what_a_localizer_is_off_unless_a_shift_is_set(hands: Hands) -> None:
    frames, joints = hands(16)
    off = replace(frames, offset=20.0)
    assert off[torch.arange(3)].offset == 20
    assert small().shift_of(frames) == 5
    assert small().shift_of(off) == 20
    assert small(shift=7.0).shift_of(off) == 7
    assert small(augment=False).shift_of(off) == 0
    assert bits(small().fit(off, joints)) == bits(small(shift=20.0).fit(frames, joints))
    assert bits(small(shift=5.0).fit(off, joints)) == bits(small().fit(frames, joints))


def test_crops_that_miss_the_labeled_hand_are_not_trained_on(hands: Hands) -> None:
    frames, joints = hands(16)
    # As wide as the cube to the side: the crop is around another hand.
    joints[3] += torch.tensor([200.0, 0, 0])
    rest = torch.tensor([i for i in range(16) if i != 3])
    learner = small(validation=0.0).fit(frames, joints)
    assert learner.left_out_ == 1
    assert bits(learner) == bits(small(validation=0.0).fit(frames[rest], joints[rest]))


def test_where_most_crops_miss_the_hand_all_are_trained_on(hands: Hands) -> None:
    frames, joints = hands(16)
    assert small().fit(frames, joints + torch.tensor([200.0, 0, 0])).left_out_ == 0


@pytest.mark.parametrize("net", NETS)
def test_mirrored_frames_give_mirrored_answers(net: str, hands: Hands) -> None:
    frames, joints = hands(12, SIZES[net])
    flip = torch.tensor([-1.0, 1.0, 1.0])
    left = replace(frames, crops=np.ascontiguousarray(frames.crops[:, :, ::-1]), centre=frames.centre * flip)
    right = small(net=net).fit(frames, joints)
    same = small(net=net).fit(replace(left, mirror=True), joints * flip)
    assert torch.equal(right.loss_, same.loss_)
    torch.testing.assert_close(same.predict(replace(left, mirror=True)), right.predict(frames) * flip)
    torch.testing.assert_close(same.validation_error_, right.validation_error_)
    if net.startswith("deep-prior") and net != "deep-prior-no-pca":
        ours = right.describe(frames, ("target_samples",)).target_samples
        mirrored = same.describe(replace(left, mirror=True), ("target_samples",)).target_samples
        torch.testing.assert_close(mirrored, ours * flip.repeat(3))


@pytest.mark.parametrize("net", ["deep-prior", "awr"])
def test_some_mirrored_frames_give_mirrored_answers(net: str, hands: Hands) -> None:
    """Hands of both sides: every other frame is as a mirror shows it."""
    frames, joints = hands(12, SIZES[net])
    left = torch.arange(12) % 2 == 1
    flip = torch.where(left.unsqueeze(1), torch.tensor([-1.0, 1.0, 1.0]), torch.ones(3))
    crops = np.where(left.numpy()[:, None, None], frames.crops[:, :, ::-1], frames.crops)
    both = replace(frames, crops=np.ascontiguousarray(crops), centre=frames.centre * flip, mirror=left)
    right = small(net=net, validation=0.3).fit(frames, joints)
    same = small(net=net, validation=0.3).fit(both, joints * flip.unsqueeze(1))
    assert torch.equal(right.loss_, same.loss_)
    torch.testing.assert_close(same.validation_error_, right.validation_error_)
    torch.testing.assert_close(same.predict(both), right.predict(frames) * flip.unsqueeze(1))
    some = torch.tensor([7, 2, 9])
    torch.testing.assert_close(same.predict(both[some]), same.predict(both)[some])
    if net == "deep-prior":
        ours = right.describe(frames, ("target_samples",)).target_samples
        samples = same.describe(both, ("target_samples",)).target_samples
        torch.testing.assert_close(samples, ours * flip.repeat(1, 3).unsqueeze(1))


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (2, 1), (5, 4)])
def test_few_poses_have_few_components(n: int, rank: int, hands: Hands) -> None:
    frames, joints = hands(n)
    learner = small(augment=False, epochs=20).fit(frames, joints)
    assert learner.components_ == rank
    assert learner.predict(frames).isfinite().all()
    augmented = small().fit(frames, joints)
    assert rank < augmented.components_ <= 9
    assert small(components=2).fit(frames, joints).components_ == 2


def test_the_prior_is_frozen(hands: Hands) -> None:
    frames, joints = hands()
    first, second = (small(epochs=epochs, weight_decay=0.1).fit(frames, joints).module_.prior for epochs in (1, 5))
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.bias, second.bias)


@pytest.mark.parametrize("net", NETS)
def test_a_single_frame(net: str, hands: Hands) -> None:
    frames, joints = hands(1, SIZES[net])
    learner = small(net=net).fit(frames, joints)
    assert learner.predict(frames).shape == (1, 3, 3)
    assert len(learner.validation_error_) == 0
    assert list(learner.curves_) == ["training loss"]


def test_changes_keep_image_and_pose_together(hands: Hands) -> None:
    frames, joints = hands(200, 64)
    learner = small(net="awr", shift=15.0, scale=0.2, validation=0.0, epochs=1).fit(frames[torch.arange(8)], joints[:8])
    plain = AWR.to_frame(joints, frames.centre, frames.cube)
    moved = 0
    for images, pose in learner._batches(frames, joints, torch.device("cpu"), 0, 1):
        column, row = (((pose[:, 1, axis] + 1) / 2 * 64).long().clamp(0, 63) for axis in (0, 1))
        seen, depth = images[torch.arange(len(images)), 0, row, column], pose[:, 1, 2]
        # The joint's disc is at its place with its depth, or behind a nearer one.
        inside = (pose[:, 1].abs() < 0.95).all(dim=1)
        assert (seen[inside] <= depth[inside] + 0.01).all()
        assert inside.float().mean() > 0.7
        moved += int((torch.cdist(pose.flatten(1), plain.flatten(1)).min(dim=1).values > 1e-4).sum())
    assert 130 < moved < 170


def test_learns_from_changed_frames(hands: Hands) -> None:
    frames, joints = hands(8, 64)
    learner = small(net="deep-prior-no-pca", epochs=150).fit(frames, joints)
    assert learner.score(frames, joints) < spread(joints) / 2


def test_frames_held_out_are_measured_and_never_trained_on(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, joints = hands(30)
    learner = small(validation=0.2, epochs=3)
    trained: list[int] = []
    measured: list[int] = []
    batch = HandFrames.batch

    def spy(self: HandFrames, ids: Tensor, device: Any = "cpu") -> CropBatch:
        (trained if learner.module_.training else measured).extend(self.index[ids].tolist())
        return batch(self, ids, device)

    monkeypatch.setattr(HandFrames, "batch", spy)
    learner.fit(frames, joints)
    assert len(set(measured)) == 6
    assert len(measured) == 3 * 6
    assert sorted(trained) == sorted(3 * sorted(set(range(30)) - set(measured)))
    held_out, kept = learner._split(30)
    assert learner.validation_error_.shape == (3,)
    assert learner.validation_error_[-1] == pytest.approx(learner.score(frames[held_out], joints[held_out]))
    assert list(learner.curves_) == ["training loss", "validation error (mm)"]
    # Measuring leaves no trace.
    assert bits(small(validation=0.0, epochs=3).fit(frames[kept], joints[kept])) == bits(learner)


def test_describe_gives_what_is_asked_in_one_pass(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, joints = hands(130)
    learner = small(samples=7).fit(frames[torch.arange(12)], joints[:12])
    seen: list[int] = []
    monkeypatch.setattr(learner.module_.body, "forward", counted(learner.module_.body.forward, seen))
    data = learner.describe(frames, ("x", "target_samples"))
    assert sum(seen) == 130
    assert len(seen) > 1
    assert (data.x.shape, data.target_samples.shape) == ((130, 64), (130, 7, 9))
    assert data.x.dtype == data.target_samples.dtype == torch.float32
    assert not data.x.requires_grad
    assert learner.describe(frames, ["x"]).keys() == ["x"]
    again = learner.describe(frames, {"target_samples"})
    assert torch.equal(again.target_samples, data.target_samples)
    torch.testing.assert_close(learner.describe(frames[torch.arange(3)], ["x"]).x, data.x[:3])


def test_samples_lie_around_the_prediction(hands: Hands) -> None:
    frames, joints = hands(8)
    learner = small(epochs=20, samples=400, dropout=0.1).fit(frames, joints)
    samples = learner.describe(frames, ["target_samples"]).target_samples
    expected = (learner.predict(frames) - frames.centre.unsqueeze(1)).flatten(1)
    deviation = samples.std(dim=1)
    assert (deviation > 0).all()
    assert ((samples.mean(dim=1) - expected).abs() / deviation).mean() < 0.3
    assert samples.abs().max() < 300


@pytest.mark.parametrize("options", [{"net": "awr"}, {"dropout": 0.0}])
def test_no_samples_without_dropout(options: dict[str, Any], hands: Hands) -> None:
    frames, joints = hands()
    learner = small(**options).fit(frames, joints)
    with pytest.raises(ArgumentError, match=r"cannot output target_samples; it .* dropout above 0"):
        learner.describe(frames, ("x", "target_samples"))
    assert learner.describe(frames, ("x",)).x.shape[0] == 8


def test_describe_refuses_what_it_cannot_provide(hands: Hands) -> None:
    frames, joints = hands()
    with pytest.raises(ArgumentError, match="cannot output loss_pred, prob; it outputs x, target_samples, image"):
        small().fit(frames, joints).describe(frames, ("x", "prob", "loss_pred"))


def test_bfloat16_on_the_cpu(hands: Hands) -> None:
    frames, joints = hands(8, 64)
    learner = small(net="deep-prior-no-pca", precision="bfloat16", epochs=60, augment=False).fit(frames, joints)
    assert learner.predict(frames).dtype == torch.float32
    x = learner.describe(frames, ("x",)).x
    assert x.dtype == torch.float32
    assert torch.equal(x, x.bfloat16().float())
    assert learner.score(frames, joints) < spread(joints) / 4
