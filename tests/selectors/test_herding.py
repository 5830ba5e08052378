import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.exceptions import ArgumentError
from seqgcn.selectors.herding import MaxHerding, SuggestiveAnnotation


def pool(n: int = 40, labelled: int = 6) -> Data:
    draw = torch.Generator().manual_seed(0)
    return Data(
        x=torch.randn(n, 4, dtype=torch.float64, generator=draw),
        prob_samples=torch.randn(n, 5, 3, dtype=torch.float64, generator=draw).softmax(dim=2),
        target_samples=torch.randn(n, 5, 6, dtype=torch.float64, generator=draw),
        train_mask=torch.arange(n) < labelled,
    )


def greedy(kernel: Tensor, cover: Tensor, rows: list[int], columns: list[int], budget: int) -> list[int]:
    picks: list[int] = []
    for _ in range(budget):
        left = [i for i in rows if i not in picks]
        gain = (torch.maximum(kernel[left][:, columns], cover) - cover).sum(dim=1)
        picks.append(left[int((gain >= gain.max() - 1e-9).nonzero()[0])])
        cover = torch.maximum(cover, kernel[picks[-1], columns])
    return picks


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("labelled", [0, 6])
def test_max_herding_covers_the_candidates_as_the_plain_loop(labelled: int, normalize: bool) -> None:
    data = pool(labelled=labelled)
    x = torch.nn.functional.normalize(data.x, dim=1) if normalize else data.x
    kernel = torch.exp(-torch.cdist(x, x).square() / (2 * 0.5**2))
    columns = list(range(labelled, 40))
    middle = x[columns].mean(dim=0)
    rows = sorted(columns, key=lambda i: float((x[i] - middle).norm()))
    cover = kernel[:labelled, columns].amax(dim=0) if labelled else torch.zeros(40, dtype=torch.float64)
    selection = MaxHerding(sigma=0.5, normalize=normalize).select(data, 20)
    assert selection.index.tolist() == greedy(kernel, cover, rows, columns, 20)
    after = torch.maximum(cover, kernel[selection.index][:, columns].amax(dim=0))
    torch.testing.assert_close(selection.score.sum(), (after - cover).sum())


def test_max_herding_prefers_the_crowd_to_the_outlier() -> None:
    x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [99.0]])
    data = Data(x=x, train_mask=torch.zeros(6, dtype=torch.bool))
    assert MaxHerding(sigma=0.5, normalize=False).select(data, 3).index.tolist() == [1, 4, 5]


def test_max_herding_leaves_aside_nodes_outside_the_pool() -> None:
    data = pool()
    data.pool_mask = torch.arange(40) % 3 > 0
    inside = (data.pool_mask | data.train_mask).nonzero().flatten()
    alone = Data(x=data.x[inside], train_mask=data.train_mask[inside], pool_mask=data.pool_mask[inside])
    assert torch.equal(MaxHerding().select(data, 9).index, inside[MaxHerding().select(alone, 9).index])


def test_a_small_width_is_right_in_single_precision() -> None:
    data = pool()
    data.x = 1000 * data.x.float()
    single = MaxHerding(sigma=1.0, normalize=False).select(data, 30)
    data.x = data.x.double()
    double = MaxHerding(sigma=1.0, normalize=False).select(data, 30)
    assert torch.equal(single.index, double.index)
    assert single.score.dtype == torch.float32
    torch.testing.assert_close(single.score.double(), double.score)


@pytest.mark.parametrize("kind", ["prob_samples", "target_samples"])
def test_suggestive_annotation_is_the_formula(kind: str) -> None:
    data = pool()
    del data["target_samples" if kind == "prob_samples" else "prob_samples"]
    variance = data[kind].var(dim=1, correction=0).sum(dim=1)
    unlabelled = list(range(6, 40))
    uncertain = sorted(unlabelled, key=lambda i: -float(variance[i]))[:15]
    unit = data.x / data.x.norm(dim=1, keepdim=True)
    cosine = unit @ unit.T
    expected: list[int] = []
    for _ in range(5):
        covered = {
            i: float(cosine[[*expected, i]][:, unlabelled].amax(dim=0).sum()) for i in uncertain if i not in expected
        }
        expected.append(max(covered, key=lambda i: covered[i]))
    selection = SuggestiveAnnotation(factor=3).select(data, 5)
    assert selection.index.tolist() == expected
    reached = cosine[expected][:, unlabelled].amax(dim=0).sum()
    torch.testing.assert_close(selection.score.sum(), reached + len(unlabelled))
    torch.testing.assert_close(selection.details["uncertainty"], variance)


def test_with_a_factor_of_one_uncertainty_alone_decides_who() -> None:
    data = pool()
    selection = SuggestiveAnnotation(factor=1).select(data, 8)
    variance = selection.details["uncertainty"].masked_fill(data.train_mask, -1)
    assert set(selection.index.tolist()) == set(variance.topk(8).indices.tolist())


def test_class_probabilities_go_before_targets() -> None:
    assert SuggestiveAnnotation().reads(["target_samples", "prob_samples"]) == ("x", "prob_samples")
    both, alone = pool(), pool()
    del alone.target_samples
    picks = (SuggestiveAnnotation(factor=1).select(data, 8).index for data in (both, alone))
    assert torch.equal(*picks)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxHerding(sigma=0.0), r"sigma must be a number in \(0, inf\), got 0\.0"),
        (lambda: MaxHerding(sigma=True), r"sigma must be a number"),
        (lambda: MaxHerding(normalize=1), "normalize must be True or False, got 1"),
        (lambda: SuggestiveAnnotation(factor=0), "factor must be a whole number of at least 1, got 0"),
        (lambda: SuggestiveAnnotation(factor=2.5), "factor must be a whole number of at least 1, got 2.5"),
    ],
)
def test_unusable_parameters_are_refused(make: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()  # type: ignore[operator]
