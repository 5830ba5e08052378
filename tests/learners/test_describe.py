"""What learners describe items by besides embedding and probabilities: passes with dropout, losses, images."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

from seqgcn.exceptions import ArgumentError
from seqgcn.learners import HandPose, ImageClassifier, ResNet18Classifier, SmallCNNClassifier
from seqgcn.learners.nets import Classifier, ResNet18, SmallCNN, scaled
from seqgcn.selectors.extensions import LossPrediction
from seqgcn.utils.seeding import seeded

pytestmark = pytest.mark.usefixtures("narrow")

RANK = "loss rank correlation"


def cnn(**changes: Any) -> SmallCNNClassifier:
    quick = {"num_classes": 4, "epochs": 2, "batch_size": 8, "device": "cpu", "width": 0.25}
    return SmallCNNClassifier(**quick | changes)


def pose(**changes: Any) -> HandPose:
    return HandPose(**{"epochs": 2, "batch_size": 8, "device": "cpu", "validation": 0.0} | changes)


def weights(learner: Any) -> Tensor:
    return torch.cat([value.flatten().double() for value in learner.module_.state_dict().values()])


# passes with dropout


def test_passes_share_the_embedding_and_differ_by_dropout(images: Tensor, targets: Tensor) -> None:
    learner = cnn(samples=200, dropout=0.5).fit(images, targets)
    data = learner.describe(images, ("x", "prob", "prob_samples"))
    assert data.prob_samples.shape == (20, 200, 4)
    torch.testing.assert_close(data.prob_samples.sum(dim=2), torch.ones(20, 200))
    assert (data.prob_samples.std(dim=1) > 0).all()
    assert (data.prob_samples.mean(dim=1) - data.prob).abs().max() < 0.1
    again = learner.describe(images, ("prob_samples",))
    assert torch.equal(again.prob_samples, data.prob_samples)
    head = learner.module_.head
    torch.testing.assert_close(F.linear(data.x, head.weight, head.bias).softmax(dim=1).detach(), data.prob)


def test_dropout_leaves_evaluation_alone() -> None:
    with seeded(0):
        net: Classifier = SmallCNN(1, 3, width=4, embedding=64, dropout=0.5).eval()
        batch = torch.rand(5, 1, 8, 8)
        embedding, logits = net(batch)
        assert torch.equal(net(batch)[1], logits)
        assert torch.equal(net.classify(embedding, drop=False), logits)
        assert not torch.equal(net.classify(embedding, drop=True), logits)
        assert not torch.equal(net.train()(batch)[1], net(batch)[1])


@pytest.mark.parametrize("learner", [cnn(dropout=0.0), ResNet18Classifier()])
def test_without_dropout_there_are_no_passes(learner: ImageClassifier) -> None:
    assert "prob_samples" not in learner.outputs
    assert "prob_samples" in type(learner)(dropout=0.1).outputs


# capacity


def test_width_is_a_factor_on_the_channels(images: Tensor, targets: Tensor, hands: Any) -> None:
    assert scaled(0.5, (64, 3, 1)) == [32, 2, 1]
    narrow, wide = (cnn(width=width).fit(images, targets) for width in (0.25, 0.5))
    assert [learner.describe(images, ("x",)).x.shape[1] for learner in (narrow, wide)] == [32, 64]
    net = ResNet18Classifier(width=0.125).build(3, 10)
    assert isinstance(net, ResNet18)
    assert net.head.in_features == 64
    frames, joints = hands()
    made_for = {"size_": 64, "num_joints_": 3, "components_": 2}
    for name in ("deep-prior", "deep-prior-no-pca", "deep-prior-plus", "awr"):
        nets = (pose(net=name, width=width).make_network(made_for) for width in (0.5, 1.0))
        sizes = [sum(p.numel() for p in net.parameters()) for net in nets]
        assert sizes[0] < 0.7 * sizes[1]
    assert pose(width=0.5).fit(frames, joints).describe(frames, ("x",)).x.shape == (8, 32)


@pytest.mark.parametrize("learner", [cnn, pose])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0.0}, "width must be a number in"),
        ({"samples": 0}, "samples must be a whole number of at least 1"),
        ({"samples": 1}, "samples must be at least 2, as one pass never disagrees with itself"),
        ({"batch_seed": -1}, "batch_seed must be a whole number of at least 0"),
        ({"loss_prediction": True}, "loss_prediction must be None or a LossPrediction"),
    ],
)
def test_unusable_parameters(learner: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        learner(**change).check_parameters()


# predicted losses


def test_a_predicted_loss_of_images(images: Tensor, targets: Tensor) -> None:
    learner = cnn(loss_prediction=LossPrediction(), epochs=30).fit(images, targets)
    predicted = learner.describe(images, ("loss_pred", "prob_samples")).loss_pred
    assert torch.equal(predicted, learner.describe(images, ("loss_pred",)).loss_pred)
    assert predicted.shape == (20,)
    losses = learner.item_losses(images, targets)
    torch.testing.assert_close(losses, -learner.predict_proba(images).log()[torch.arange(20), targets])
    expected = spearmanr(predicted.numpy(), losses.numpy()).statistic
    assert learner.diagnose(images, targets) == {RANK: pytest.approx(expected)}
    assert expected > 0.4  # of what it was trained on
    assert cnn().fit(images, targets).diagnose(images, targets) == {}


def test_a_predicted_loss_of_poses(hands: Any) -> None:
    frames, joints = hands()
    for name in ("deep-prior", "awr"):
        learner = pose(net=name, loss_prediction=LossPrediction()).fit(frames, joints)
        wanted = ("loss_pred", "x") + (("target_samples",) if name == "deep-prior" else ())
        predicted = learner.describe(frames, wanted).loss_pred
        assert torch.equal(predicted, learner.describe(frames, ("loss_pred",)).loss_pred)
        distance = (learner.predict(frames) - joints).square().sum(dim=2).mean(dim=1)
        expected = distance / (frames.cube / 2).square()
        torch.testing.assert_close(learner.item_losses(frames, joints), expected, rtol=1e-4, atol=1e-6)
        assert learner.diagnose(frames, joints).keys() == {RANK}


def test_the_predictor_learns_and_stops_moving_the_network(images: Tensor, targets: Tensor, hands: Any) -> None:
    for make, given in ((cnn, (images, targets)), (pose, hands())):
        plain = weights(make(epochs=4).fit(*given))
        early, late, still = (
            make(epochs=4, loss_prediction=LossPrediction(detach_after=share, weight=weight)).fit(*given)
            for share, weight in ((0.0, 5.0), (1.0, 5.0), (0.0, 0.0))
        )
        torch.testing.assert_close(weights(early), plain)  # from the first epoch on, no gradient reaches it
        assert (weights(late) - plain).abs().max() > 1e-4
        trained, untrained = (torch.cat([p.flatten() for p in each.predictor_.parameters()]) for each in (early, still))
        assert (trained - untrained).abs().max() > 1e-4


def test_passes_with_dropout_leave_the_predicted_loss_alone(images: Tensor, targets: Tensor) -> None:
    learner = cnn(loss_prediction=LossPrediction(modules=("head", "hidden"))).fit(images, targets)
    both = learner.describe(images, ("prob_samples", "loss_pred"))
    assert torch.equal(both.loss_pred, learner.describe(images, ("loss_pred",)).loss_pred)


def test_what_was_set_after_the_fit_wants_another(images: Tensor, targets: Tensor, hands: Any) -> None:
    for make, given, samples in ((cnn, (images, targets), "prob_samples"), (pose, hands(), "target_samples")):
        learner = make(dropout=0.0).fit(*given).set_params(loss_prediction=LossPrediction(), dropout=0.5)
        with pytest.raises(ArgumentError, match=r"loss_prediction was set after this .* was fitted; fit it again"):
            learner.describe(given[0], ("loss_pred",))
        with pytest.raises(ArgumentError, match=r"dropout was set after this .* was fitted; fit it again"):
            learner.describe(given[0], (samples,))


def test_the_state_of_another_network_is_refused(images: Tensor, targets: Tensor) -> None:
    state = cnn().fit(images, targets).state()
    with pytest.raises(ArgumentError, match="another network than a SmallCNNClassifier: size mismatch"):
        cnn(width=0.5).restore(state)
    with pytest.raises(ArgumentError, match="another network than a SmallCNNClassifier: it has no predictor_"):
        cnn(loss_prediction=LossPrediction()).restore(state)


# images


def test_images_are_given_as_they_are(images: Tensor, targets: Tensor, hands: Any) -> None:
    assert cnn().fit(images, targets).describe(images, ("image",)).image is images
    frames, joints = hands()
    data = pose().fit(frames, joints).describe(frames, ("image",))
    assert data.keys() == ["image"]
    assert (data.image.dtype, data.image.shape) == (torch.uint8, (8, 1, 48, 48))
    crops = frames.batch(torch.arange(8), torch.device("cpu")).images
    assert (data.image.float() / 127.5 - 1 - crops).abs().max() < 0.005
    assert (data.image == 255).float().mean() > 0.3  # background
