from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgcn.exceptions import ArgumentError
from seqgcn.learners import Ensemble, HandPose, SmallCNNClassifier, TorchLearner, extended
from seqgcn.learners.nets import SmallCNN
from seqgcn.selectors import BALD, EnsembleSelector, LearningLoss, Variance
from seqgcn.selectors.extensions import EnsembleOptions, LossPrediction

pytestmark = pytest.mark.usefixtures("narrow")


def cnn(**changes: Any) -> SmallCNNClassifier:
    return SmallCNNClassifier(
        **{"num_classes": 4, "epochs": 2, "batch_size": 8, "device": "cpu", "width": 0.25} | changes
    )


def ensemble(learner: Any = None, seed: int = 0, warm_start: bool = False, **members: Any) -> Ensemble:
    options = EnsembleOptions(**{"n_members": 3} | members)
    return Ensemble(learner=learner or cnn(), members=options, seed=seed, warm_start=warm_start)


def weights(learner: Any) -> Tensor:
    return torch.cat([value.flatten().double() for value in learner.state().values()])


def test_the_mean_of_the_members_counts(images: Tensor, targets: Tensor) -> None:
    fitted = ensemble().fit(images, targets)
    assert len(fitted.members_) == 3
    data = fitted.describe(images, ("x", "prob", "prob_samples", "image"))
    assert data.prob_samples.shape == (20, 3, 4)
    for number, member in enumerate(fitted.members_):
        assert torch.equal(data.prob_samples[:, number], member.predict_proba(images))
    torch.testing.assert_close(data.prob, data.prob_samples.mean(dim=1))
    assert torch.equal(fitted.predict(images), data.prob.argmax(dim=1))
    assert fitted.score(images, targets) == pytest.approx(float((fitted.predict(images) == targets).float().mean()))
    assert torch.equal(data.x, fitted.members_[0].describe(images, ("x",)).x)
    assert torch.equal(data.image, images)


def test_poses_give_the_members_joints(hands: Any) -> None:
    frames, joints = hands()
    fitted = ensemble(HandPose(epochs=2, batch_size=8, device="cpu")).fit(frames, joints)
    data = fitted.describe(frames, ("x", "target_samples"))
    assert data.target_samples.shape == (8, 3, 9)
    predicted = [member.predict(frames) for member in fitted.members_]
    assert torch.equal(data.target_samples, torch.stack(predicted, dim=1).flatten(2))
    torch.testing.assert_close(fitted.predict(frames), torch.stack(predicted).mean(dim=0))
    assert fitted.score(frames, joints) == pytest.approx(float((fitted.predict(frames) - joints).norm(dim=2).mean()))
    assert fitted.outputs == ("x", "image", "target_samples")


def test_in_what_members_differ(images: Tensor, targets: Tensor) -> None:
    def first_weights(**members: Any) -> list[Tensor]:
        fitted = ensemble(cnn(lr=1e-12, dropout=0.0), **members).fit(images, targets)
        return [next(member.module_.parameters()).detach() for member in fitted.members_]

    one, two, three = first_weights(same_initialisation=True)
    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)
    torch.testing.assert_close(one, three, atol=1e-6, rtol=0)
    one, two, _ = first_weights()
    assert (one - two).abs().max() > 0.01
    trained = ensemble(same_initialisation=True).fit(images, targets)
    assert not torch.equal(*(weights(member) for member in trained.members_[:2]))  # another batch order

    orders = [member.batch_seed for member in ensemble(same_batches=True).fit(images, targets).members_]
    assert len(set(orders)) == 1
    assert len({member.batch_seed for member in trained.members_}) == 3
    wide = ensemble(width=2.0).fit(images, targets)
    assert wide.members_[0].width == 0.5
    assert len(weights(wide.members_[0])) > 2 * len(weights(trained.members_[0]))


def test_the_state_of_another_ensemble_is_refused(images: Tensor, targets: Tensor) -> None:
    fitted = ensemble().fit(images, targets)
    with pytest.raises(ArgumentError, match="this state is not that of an ensemble of 2"):
        ensemble(n_members=2).restore(fitted.state())
    with pytest.raises(ArgumentError, match="restore needs num_classes"):
        ensemble(cnn(num_classes=None)).restore(fitted.state())


def test_width_is_that_of_members_that_have_one(images: Tensor, targets: Tensor) -> None:
    @dataclass
    class Own(TorchLearner):
        embedding: str = "1"
        width: int = 3

        def build(self, num_classes: int) -> nn.Module:
            return nn.Sequential(nn.Flatten(), nn.Linear(64, self.width), nn.Linear(self.width, num_classes))

    fitted = ensemble(Own(epochs=1), width=2.5).fit(images, targets)
    assert [member.width for member in fitted.members_] == [8, 8, 8]
    assert fitted.describe(images, ("prob_samples",)).prob_samples.shape == (20, 3, 4)
    without = TorchLearner(module=Own(num_classes=4).build, embedding="1")
    ensemble(TorchLearner(module=lambda: Own().build(4), embedding="1", epochs=1)).fit(images, targets)
    with pytest.raises(ArgumentError, match="no parameter width"):
        ensemble(without, width=2.0).fit(images, targets)


def test_each_member_passes_over_the_items_once(images: Tensor, targets: Tensor, monkeypatch: Any) -> None:
    fitted = ensemble().fit(images, targets)
    passes: list[int] = []
    forward = SmallCNN.forward

    def counted(self: SmallCNN, batch: Tensor) -> tuple[Tensor, Tensor]:
        passes.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(SmallCNN, "forward", counted)
    data = fitted.describe(images, ("x", "prob_samples", "image"))
    assert passes == [20, 20, 20]
    assert set(data.keys()) == {"x", "prob_samples", "image"}


def test_curves_are_the_members_mean(hands: Any) -> None:
    frames, joints = hands(12)
    fitted = ensemble(HandPose(epochs=2, batch_size=8, device="cpu")).fit(frames, joints)
    mean = torch.stack([member.loss_ for member in fitted.members_]).mean(dim=0)
    torch.testing.assert_close(fitted.curves_["training loss"], mean)
    assert ensemble().curves_ == {}


def test_what_a_selector_adds_to_a_learner() -> None:
    plain = cnn(warm_start=True)
    assert extended(plain, BALD().extensions) is plain
    members = extended(plain, EnsembleSelector(n_members=2, width=0.5).extensions)
    assert isinstance(members, Ensemble)
    assert members.members == EnsembleOptions(n_members=2, width=0.5)
    assert members.warm_start is True
    predicting = extended(plain, LearningLoss(weight=0.5).extensions)
    assert predicting.loss_prediction == LossPrediction(weight=0.5)
    assert plain.loss_prediction is None
    own = cnn(loss_prediction=LossPrediction(weight=0.1))
    assert extended(own, LearningLoss().extensions).loss_prediction == LossPrediction(weight=0.1)
    assert not Variance().extensions


def test_what_cannot_be_extended(fake_learner: type) -> None:
    with pytest.raises(ArgumentError, match="FakeLearner has no parameter loss_prediction"):
        extended(fake_learner(), (LossPrediction(),))
    with pytest.raises(ArgumentError, match="FakeLearner has no parameter batch_seed, which an ensemble sets"):
        extended(fake_learner(), (EnsembleOptions(),)).check_parameters()
    with pytest.raises(ArgumentError, match="the learner is an ensemble already"):
        extended(ensemble(), (EnsembleOptions(),))
    with pytest.raises(ArgumentError, match=r"members must be EnsembleOptions\(n_members=...\)"):
        Ensemble(learner=cnn(), members=3).check_parameters()  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"learner is the class SmallCNNClassifier; make an object of it"):
        Ensemble(learner=SmallCNNClassifier, members=EnsembleOptions()).check_parameters()  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="members must be at least 2, as one network never disagrees with itself"):
        EnsembleOptions(n_members=1)
    with pytest.raises(ArgumentError, match="together make all members one"):
        EnsembleOptions(same_initialisation=True, same_batches=True)
