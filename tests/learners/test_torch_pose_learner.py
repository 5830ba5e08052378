"""Any network that estimates hand poses as a learner, on networks of a few weights."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from seqgcn.datasets.hands import CropBatch, HandFrames
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.learners import HandPose, TorchPoseLearner

Hands = Callable[..., tuple[HandFrames, Tensor]]
SEEN: list[Tensor] = []


class Net(nn.Module):
    """Poses of crops of 48 px: `flat` gives [b, 3J], else [b, J, 3]."""

    def __init__(self, joints: int = 3, width: int = 12, flat: bool = True) -> None:
        super().__init__()
        self.flat = flat
        self.body = nn.Sequential(nn.AvgPool2d(6), nn.Flatten(), nn.Linear(64, width), nn.Tanh())
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(width, 3 * joints)

    def forward(self, crops: Tensor) -> Tensor:
        output: Tensor = self.head(self.drop(self.body(crops)))
        return output if self.flat else output.unflatten(1, (-1, 3))


class Knows(nn.Module):
    """Tells each crop by its pixels, and gives the pose that it was told."""

    crops: Tensor
    poses: Tensor

    def __init__(self, crops: Tensor, poses: Tensor) -> None:
        super().__init__()
        self.layer = nn.Flatten()
        self.register_buffer("crops", crops.flatten(1))
        self.register_buffer("poses", poses)

    def forward(self, crops: Tensor) -> Tensor:
        return self.poses[torch.cdist(self.layer(crops), self.crops).argmin(dim=1)]


@dataclass
class Mine(TorchPoseLearner):
    embedding: str = "body"
    width: int = 5

    def build(self, num_joints: int) -> nn.Module:
        return Net(num_joints, self.width)


def learner(**options: Any) -> TorchPoseLearner:
    return TorchPoseLearner(
        **{"module": Net, "embedding": "body", "epochs": 2, "batch_size": 8, "device": "cpu", **options}
    )


def normalised(frames: HandFrames, joints: Tensor, left: bool) -> Tensor:
    """The frame of reference, written out once more."""
    poses = (joints - frames.centre[:, None]) / (frames.cube[:, None, None] / 2)
    return poses * torch.tensor([-1.0 if left else 1.0, 1.0, 1.0])


def test_is_for_poses() -> None:
    assert (learner().task, learner().metric.name) == ("pose", "mean joint error")


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("flat", [False, True])
def test_the_true_pose_in_half_cube_sides_has_no_error(hands: Hands, left: bool, flat: bool) -> None:
    frames, joints = hands(12)
    frames = replace(frames, mirror=left)
    assert len(frames.cube.unique()) == 12
    crops = torch.from_numpy(frames.crops).float() / 32767
    truth = normalised(frames, joints, left)
    net = Knows(crops.flip(2) if left else crops, truth.flatten(1) if flat else truth)
    fitted = learner(module=net, embedding="layer", epochs=0).fit(frames, joints)
    torch.testing.assert_close(fitted.predict(frames), joints)
    assert fitted.score(frames, joints) < 1e-3
    some = torch.tensor([7, 2, 9])
    torch.testing.assert_close(fitted.predict(frames[some]), joints[some])
    # 0.1 of half a cube side off, along all axes or one.
    fitted.module_.poses += 0.1 if flat else torch.tensor([0.1, 0.0, 0.0])
    off = 0.1 * float(frames.cube.mean()) / 2 * (3**0.5 if flat else 1)
    assert fitted.score(frames, joints) == pytest.approx(off, rel=1e-4)


def test_hands_of_both_sides_are_each_answered_as_seen(hands: Hands) -> None:
    frames, joints = hands(12)
    left = torch.arange(12) % 3 == 1
    frames = replace(frames, mirror=left)
    crops = torch.from_numpy(frames.crops).float() / 32767
    crops = torch.where(left.view(-1, 1, 1), crops.flip(2), crops)
    sides = torch.where(left.view(-1, 1, 1), normalised(frames, joints, True), normalised(frames, joints, False))
    fitted = learner(module=Knows(crops, sides), embedding="layer", epochs=0).fit(frames, joints)
    torch.testing.assert_close(fitted.predict(frames), joints)
    some = torch.tensor([7, 2, 9])
    torch.testing.assert_close(fitted.predict(frames[some]), joints[some])


@pytest.mark.parametrize("left", [False, True])
def test_is_trained_in_the_same_frame_of_reference(hands: Hands, left: bool) -> None:
    class Spy(Mine):
        def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
            assert predicted.shape == targets.shape
            SEEN.append(targets)
            return super().loss(predicted, targets)

    frames, joints = hands(6)
    frames = replace(frames, mirror=left)
    SEEN.clear()
    Spy(epochs=1, batch_size=6).fit(frames, joints.double())
    (seen,) = SEEN
    order = seen[:, 0, 0].argsort()
    expected = normalised(frames, joints, left)
    torch.testing.assert_close(seen[order], expected[expected[:, 0, 0].argsort()])


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("left", [False, True])
def test_says_what_hand_pose_says_with_its_network(hands: Hands, left: bool) -> None:
    class Inside(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, crops: Tensor) -> Tensor:
            pose: Tensor = self.net(crops)[1]
            return pose

    frames, joints = hands(10)
    frames = replace(frames, mirror=left)
    theirs = HandPose(epochs=1, samples=400, device="cpu").fit(frames, joints)
    ours = learner(module=Inside(theirs.module_), embedding="net", epochs=0)
    with pytest.raises(ArgumentError, match="the layer net must put out a tensor of 2 rows, one an item, got tuple"):
        ours.fit(frames, joints)
    ours = learner(module=Inside(theirs.module_), embedding="net.body", epochs=0).fit(frames, joints)
    torch.testing.assert_close(ours.predict(frames), theirs.predict(frames))
    assert torch.equal(ours.describe(frames, ("image",)).image, theirs.describe(frames, ("image",)).image)


@pytest.mark.parametrize("left", [False, True])
def test_describes_in_the_order_of_the_frames(hands: Hands, left: bool) -> None:
    frames, joints = hands(30)
    frames = replace(frames, mirror=left)
    fitted = learner(samples=500).fit(frames, joints)
    assert fitted.outputs == ("x", "target_samples", "image")
    data = fitted.describe(frames, ("x", "target_samples", "image"))
    assert set(data.keys()) == {"x", "target_samples", "image"}
    assert data.x.shape == (30, 12)
    assert data.target_samples.shape == (30, 500, 9)
    assert data.image.shape == (30, 1, 48, 48)
    assert data.image.dtype == torch.uint8
    torch.testing.assert_close(fitted.describe(frames[torch.arange(20, 30)], ("x",)).x, data.x[20:])
    # Passes with dropout lie around the prediction, which has the center added.
    middle = data.target_samples.mean(dim=1).unflatten(1, (3, 3)) + frames.centre.unsqueeze(1)
    assert float((middle - fitted.predict(frames)).norm(dim=2).mean()) < 3
    assert float(data.target_samples.std(dim=1).mean()) > 1
    assert not fitted.module_.training


def test_learns(hands: Hands) -> None:
    frames, joints = hands(40)
    fitted = learner(module=lambda: Net(width=64), epochs=60, lr=0.01).fit(frames, joints)
    assert fitted.score(frames, joints) < 0.5 * learner(epochs=0).fit(frames, joints).score(frames, joints)
    assert fitted.loss_[-1] < fitted.loss_[0] / 4


def test_augmentation_changes_the_training(hands: Hands) -> None:
    frames, joints = hands(20)
    plain, changed = (learner(augment=augment).fit(frames, joints).loss_ for augment in (False, True))
    assert not torch.equal(plain, changed)


def test_warm_start_takes_no_other_joints_and_a_state_no_other_network(hands: Hands) -> None:
    frames, joints = hands(20)
    once = learner(warm_start=True).fit(frames, joints)
    assert int(once.state()["num_joints_"]) == 3
    with pytest.raises(ArgumentError, match=r"joints must be \[20, 3, 3\], mm, one row a frame, got \[20, 2, 3\]"):
        once.fit(frames, joints[:, :2])
    with pytest.raises(ArgumentError, match="another network"):
        Mine().restore(once.state())


def test_inheriting_adds_parameters_and_is_told_the_joints(hands: Hands) -> None:
    frames, joints = hands(20)
    mine = clone(Mine(width=9, epochs=1)).fit(frames, joints[:, :2])
    assert mine.predict(frames).shape == (20, 2, 3)
    assert mine.describe(frames, ("x",)).x.shape == (20, 9)
    with pytest.raises(ArgumentError, match=r"joints must be \[20, 5, 3\]"):
        Mine(num_joints=5).fit(frames, joints)


def test_what_can_be_overridden_is_used(hands: Hands) -> None:
    class Other(Mine):
        def prepare(self, crops: CropBatch) -> Tensor:
            assert crops.centre.shape == (len(crops.images), 3)
            assert crops.cube.shape == (len(crops.images),)
            return 1 - super().prepare(crops)

        def optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.SGD(parameters, lr=self.lr)

    frames, joints = hands(20)
    other, mine = Other(epochs=0).fit(frames, joints), Mine(epochs=0).fit(frames, joints)
    assert not torch.equal(other.predict(frames), mine.predict(frames))
    trained = Other(epochs=1, lr=0.0001).fit(frames, joints)
    steps = trained.state()["module_.head.weight"] - other.state()["module_.head.weight"]
    assert 0 < float(steps.abs().max()) < 5e-4  # Adam's are as long as lr


def test_more_than_the_pose_may_be_given_in_training(hands: Hands) -> None:
    class Two(Net):
        def forward(self, crops: Tensor) -> Any:
            pose = super().forward(crops)
            return (pose, pose.tanh()) if self.training else pose

    class Both(TorchPoseLearner):
        def loss(self, predicted: Any, targets: Tensor) -> Tensor:
            SEEN.append(targets)
            return sum(torch.nn.functional.l1_loss(each, targets.flatten(1)) for each in predicted)

    frames, joints = hands(20)
    SEEN.clear()
    fitted = Both(module=Two, embedding="body", epochs=1, device="cpu").fit(frames, joints)
    assert SEEN
    assert fitted.predict(frames).shape == (20, 3, 3)


@pytest.mark.parametrize(("wrap", "prefix"), [(False, ""), (True, "model.")])
def test_starts_from_a_checkpoint(tmp_path: Path, hands: Hands, wrap: bool, prefix: str) -> None:
    frames, joints = hands(20)
    trained = learner(seed=4).fit(frames, joints)
    state: dict[str, Any] = {f"{prefix}{key}": value for key, value in trained.module_.state_dict().items()}
    if wrap:
        state = {"epoch": 3, "state_dict": {**state, "criterion.weight": torch.ones(4)}, "hyper_parameters": {"lr": 1}}
    path = str(tmp_path / "last.ckpt")
    torch.save(state, path)
    mine = learner(checkpoint=path, prefix=prefix, epochs=0)
    mine.check_parameters()
    assert torch.equal(mine.fit(frames, joints).predict(frames), trained.predict(frames))
    assert mine.curves_ == {}
    if wrap:
        message = (
            r"another prefix than '' \(prefix='model.'; in a subclass a field, prefix: str = 'model.'; .*Missing key"
        )
        with pytest.raises(DataFileError, match=message):
            learner(checkpoint=path, epochs=0).fit(frames, joints)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": None}, "module must be .* got NoneType; or override build of TorchPoseLearner"),
        ({"embedding": "boddy"}, "embedding must name a layer of the network, got 'boddy'; Net has body, drop, head, "),
        ({"augment": 1}, "augment"),
        ({"num_joints": 0}, "num_joints"),
    ],
)
def test_refuses_parameters(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        learner(**options).check_parameters()


def test_refuses_what_it_cannot_use(hands: Hands) -> None:
    frames, joints = hands(12)
    fitted = learner().fit(frames, joints)
    images = torch.zeros(12, 1, 48, 48)
    for refused in (lambda: learner().fit(images, joints), lambda: fitted.predict(images)):
        with pytest.raises(ArgumentError, match=r"frames must be HandFrames, as .* gives, got Tensor"):
            refused()
    with pytest.raises(ArgumentError, match="there are no frames"):
        fitted.describe(frames[torch.arange(0)], ("x",))
    with pytest.raises(ArgumentError, match="not fitted yet"):
        learner().predict(frames)
    with pytest.raises(
        ArgumentError, match=r"joints must be a floating-point tensor \[12, J, 3\], mm, got torch.int64"
    ):
        learner().fit(frames, joints.long())
    with pytest.raises(ArgumentError, match=r"are missing \(NaN\)"):
        learner().fit(frames, joints * float("nan"))
    with pytest.raises(ArgumentError, match=r"joints must be \[12, 3, 3\]"):
        fitted.score(frames, joints[:, :2])
    with pytest.raises(ArgumentError, match=r"cannot output target_samples.*learner.samples=20"):
        fitted.describe(frames, ("target_samples",))


class Wrong(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.body, self.head = kind, nn.Flatten(), nn.Linear(48 * 48, 12)

    def forward(self, crops: Tensor) -> Any:
        output = self.head(self.body(crops))
        turned = output[:, :9].unflatten(1, (3, 3)).unsqueeze(1)
        return {"many": output, "nested": turned, "tuple": (output, output), "mean": output[0, :9]}[self.kind]


@pytest.mark.parametrize(
    ("kind", "got"),
    [
        ("many", r"torch.float32 \[2, 12\]"),
        ("nested", r"torch.float32 \[2, 1, 3, 3\]"),
        ("tuple", "tuple"),
        ("mean", r"torch.float32 \[9\]"),
    ],
)
def test_refuses_other_shapes_before_it_trains(hands: Hands, kind: str, got: str) -> None:
    frames, joints = hands(12)
    stages: list[str] = []
    message = rf"must give joints \[2, 3, 3\] or \[2, 9\], got {got}; build is told how many joints there are"
    with pytest.raises(ArgumentError, match=message):
        learner(module=Wrong(kind)).fit(frames, joints, progress=lambda *told: stages.append(told[0]))
    assert stages == []


def test_joints_without_labels_are_what_the_network_gives(hands: Hands) -> None:
    seen: list[Tensor] = []

    @dataclass(kw_only=True, eq=False, repr=False)
    class Own(TorchPoseLearner):
        def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
            seen.append((predicted - targets).detach())
            return super().loss(predicted, targets)

    frames, joints = hands(24)
    joints[:, 1] = torch.nan
    learner = Own(module=Net, embedding="body", epochs=2, batch_size=8, device="cpu").fit(frames, joints)
    assert all(bool(off.isfinite().all()) and float(off[:, 1].abs().max()) == 0 for off in seen)
    assert bool(learner.validation_error_.isfinite().all())
