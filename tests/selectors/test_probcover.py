import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from seqgcn.coverage.k_center import k_center_greedy
from seqgcn.exceptions import ArgumentError
from seqgcn.graph import unit_rows
from seqgcn.selectors import probcover
from seqgcn.selectors.probcover import Balls, ProbCover, _greedy_cover
from seqgcn.utils.seeding import generator


def blobs(n: int = 300, groups: int = 4, seed: int = 0, spread: float = 1.0) -> Tensor:
    """Groups around random directions."""
    draw = torch.Generator().manual_seed(seed)
    member = torch.randint(groups, (n,), generator=draw)
    centres = 4 * torch.randn(groups, 8, generator=draw, dtype=torch.float64)
    return centres[member] + spread * torch.randn(n, 8, generator=draw, dtype=torch.float64)


def pool_of(x: Tensor, labelled: int = 0) -> Data:
    return Data(x=x, train_mask=torch.arange(len(x)) < labelled)


def on_circle(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def chord(degrees: float) -> float:
    return 2 * math.sin(math.radians(degrees) / 2)


def plain_cover(x: Tensor, delta: float, free: list[bool], budget: int) -> tuple[list[int], list[int], list[bool]]:
    """The greedy cover written out: sets, and every gain counted anew for every pick."""
    rows = x.tolist()
    ball = [{j for j in range(len(x)) if math.dist(rows[i], rows[j]) <= delta} for i in range(len(x))]
    left = set(range(len(x)))
    for i in range(len(x)):
        left -= set() if free[i] else ball[i]
    picks: list[int] = []
    gains: list[int] = []
    while len(picks) < budget:
        gain = [len(ball[i] & left) if free[i] and i not in picks else 0 for i in range(len(x))]
        if not max(gain):
            break
        picks.append(gain.index(max(gain)))
        gains.append(max(gain))
        left -= ball[picks[-1]]
    return picks, gains, [i not in left for i in range(len(x))]


@pytest.fixture(params=["remembered", "compared anew", "switched"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with balls remembered, compared anew, and begun with the first and ended with the second."""
    if request.param != "remembered":
        monkeypatch.setattr(probcover, "_BLOCK_ELEMENTS", 2_000)
        monkeypatch.setattr(probcover, "_MOST_PAIRS", 0 if request.param == "compared anew" else 100)
    return str(request.param)


@pytest.mark.parametrize("delta", [0.05, 0.3, 0.6, 1.2, 1.9])
@pytest.mark.parametrize("labelled", [0, 30])
def test_picks_are_those_of_the_rule_written_out(delta: float, labelled: int, store: str) -> None:
    x = unit_rows(blobs())[0]
    free = torch.arange(300) >= labelled
    balls = Balls(x, delta)
    pairs = int((torch.cdist(x, x) <= delta).sum())
    assert balls.degree.sum() == pairs
    assert (balls.halves is None) == {"remembered": False, "compared anew": True, "switched": pairs > 500}[store]
    picks, gains, covered = _greedy_cover(balls, free.numpy(), 60)
    expected = plain_cover(x, delta, free.tolist(), 60)
    assert (picks, gains, covered.tolist()) == expected


@pytest.mark.parametrize("delta", [0.4, 1.0])
def test_balls_hold_what_is_near(delta: float, store: str) -> None:
    x = unit_rows(blobs())[0]
    inside = torch.cdist(x, x) <= delta
    balls = Balls(x, delta)
    for nodes in ([], [7], [299], [0, 5, 80, 299], list(range(300))):
        counted = inside[nodes].sum(dim=0).tolist()
        assert balls.holding(np.array(nodes, dtype=np.int64)).tolist() == counted


def test_progress_is_told_strip_by_strip(store: str) -> None:
    calls: list[tuple[str, int, int]] = []
    Balls(unit_rows(blobs())[0], 0.5, lambda *call: calls.append(call))
    strips = 1 if store == "remembered" else 43  # of 7 nodes
    assert calls == [("balls", done, strips) for done in range(1, strips + 1)]


def theirs(x: Tensor, delta: float, labelled: Tensor, budget: int) -> list[int]:
    """Picks of scikit-activeml, ties by the lowest index instead of at random."""
    module = pytest.importorskip("skactiveml.pool._prob_cover")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "rand_argmax", lambda a, random_state: [int(np.nanargmax(a))])
        strategy = module.ProbCover(deltas=[delta], random_state=0)
        labels = np.where(labelled.numpy(), 0.0, np.nan)
        picks: list[int] = strategy.query(x.numpy(), labels, batch_size=budget).tolist()
    return picks


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("delta", "labelled", "least"), [(0.2, 0, 50), (0.3, 20, 10), (0.5, 0, 4)])
def test_picks_are_those_of_scikit_activeml(delta: float, labelled: int, least: int) -> None:
    x = unit_rows(blobs())[0]
    selection = ProbCover(delta=delta).select(pool_of(x, labelled), 50)
    gained = int((selection.score > 0).sum())  # beyond a full cover scikit-activeml draws at random
    assert gained >= least
    order = torch.randperm(300, generator=generator(0, "probcover"))
    expected = theirs(x[order], delta, order < labelled, gained)
    assert selection.index[:gained].tolist() == order[expected].tolist()


def test_the_largest_group_is_covered_first() -> None:
    x = on_circle(0, 1, 2, 3, 4, 90, 91, 92, 93, 180, 181, 182, 270)
    selection = ProbCover(delta=chord(2.5)).select(pool_of(x), 4)
    group = [0] * 5 + [1] * 4 + [2] * 3 + [3]
    assert [group[i] for i in selection.index.tolist()] == [0, 1, 2, 3]
    assert selection.index[0] == 2
    assert selection.score.tolist() == [5, 4, 3, 1]
    assert selection.details["covered"].all()


def test_labelled_balls_count_as_covered() -> None:
    x = on_circle(0, 1, 2, 90, 91, 180)
    data = pool_of(x)
    data.train_mask[0] = True
    selection = ProbCover(delta=chord(2.5)).select(data, 2)
    assert selection.index.tolist()[0] in (3, 4)
    assert selection.index.tolist()[1] == 5
    assert selection.score.tolist() == [2, 1]
    assert selection.details["covered"].all()
    few = ProbCover(delta=chord(2.5)).select(data, 1).details["covered"]
    assert few.tolist() == [True, True, True, True, True, False]


def test_beyond_a_full_cover_the_picks_are_those_of_k_center() -> None:
    x = unit_rows(blobs())[0]
    selection = ProbCover(delta=0.9).select(pool_of(x, 5), 40)
    gained = int((selection.score > 0).sum())
    assert 0 < gained < 40
    assert (selection.score[gained:] == 0).all()
    centres = torch.cat([torch.arange(5), selection.index[:gained]])
    assert selection.index[gained:].tolist() == k_center_greedy(x, centres, 40 - gained).tolist()


def test_nodes_outside_the_pool_take_no_part() -> None:
    x = blobs()
    data = pool_of(x, labelled=20)
    data.pool_mask = torch.arange(300) % 3 > 0
    selection = ProbCover().select(data, 50)
    taking_part = data.pool_mask | data.train_mask
    assert not selection.details["covered"][~taking_part].any()
    again = ProbCover().select(Data(x=x[taking_part], train_mask=data.train_mask[taking_part]), 50)
    assert torch.equal(taking_part.nonzero().squeeze(1)[again.index], selection.index)


@pytest.mark.parametrize("purity", [0.5, 0.9, 0.95, 1.0])
def test_the_estimate_is_the_largest_radius_pure_enough(purity: float) -> None:
    x = unit_rows(blobs(groups=6))[0]
    cluster = probcover.clusters(x, 6, seed=0)
    distance = torch.cdist(x, x)
    other = cluster.unsqueeze(1) != cluster

    def share(delta: float) -> float:
        impure = ((distance <= delta) & other).any(dim=1)
        return float((~impure).double().mean())

    selector = ProbCover(purity=purity, classes=6)
    delta = selector._estimate(x)
    assert share(delta) >= purity > share(delta * (1 + 2e-4))


def test_the_estimate_from_a_sample_is_near_that_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    x = unit_rows(blobs(2_000))[0]
    everyone, sample = [], []
    for seed in range(3):
        monkeypatch.setattr(probcover, "_SAMPLE", 2_000)
        everyone.append(ProbCover(classes=4, seed=seed)._estimate(x))
        monkeypatch.setattr(probcover, "_SAMPLE", 300)
        sample.append(ProbCover(classes=4, seed=seed)._estimate(x))
    assert sample == pytest.approx(everyone, rel=0.1)


def test_well_separated_classes_are_told_apart_by_the_estimated_radius() -> None:
    x = blobs(400, groups=5, seed=3, spread=0.05)
    selection = ProbCover(classes=5).select(pool_of(x), 5)
    assert selection.details["covered"].all()
    assert (selection.score > 0).all()
    assert 0 < float(selection.details["delta"]) < 2


def test_the_estimate_does_not_depend_on_the_budget_and_can_be_given_back() -> None:
    data = pool_of(blobs())
    few, more = (ProbCover().select(data, budget) for budget in (5, 30))
    assert torch.equal(few.index, more.index[:5])
    delta = few.details["delta"]
    assert torch.equal(delta, more.details["delta"])
    assert torch.equal(ProbCover(delta=float(delta)).select(data, 30).index, more.index)


def test_ties_do_not_follow_the_order_of_the_data() -> None:
    alone = torch.eye(60, dtype=torch.float64)  # every ball holds its own node alone
    picks = [ProbCover(delta=0.5, seed=seed).select(pool_of(alone), 20).index for seed in (0, 0, 1)]
    assert torch.equal(picks[0], picks[1])
    assert picks[0].tolist() != picks[2].tolist()
    assert picks[0].max() > 30


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"delta": 0.01}, {"delta": 1.99}, {"classes": 2}])
def test_equal_points_are_covered_by_one(options: dict[str, Any], dtype: torch.dtype) -> None:
    selection = ProbCover(**options).select(pool_of(torch.full((70, 5), 0.3, dtype=dtype)), 70)
    assert sorted(selection.index.tolist()) == list(range(70))
    assert selection.score.tolist() == [70] + [0] * 69
    assert selection.score.dtype == dtype
    assert 0 < selection.details["delta"] <= 2


@pytest.mark.parametrize("labelled", [0, 70])
def test_the_whole_pool_can_be_picked(labelled: int) -> None:
    x = blobs(150)
    x[3] = 0  # a row without direction
    for delta in (None, 0.01, 1.5):
        index = ProbCover(delta=delta).select(pool_of(x, labelled), 150 - labelled).index
        assert sorted(index.tolist()) == list(range(labelled, 150))


def test_fewer_nodes_than_classes() -> None:
    assert ProbCover().select(pool_of(torch.ones(1, 1)), 1).index.tolist() == [0]
    assert sorted(ProbCover().select(pool_of(blobs(4)), 4).index.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("delta", [0, -0.1, 2, 2.5, math.nan, math.inf, True, "0.5"])
def test_a_radius_out_of_range_is_refused(delta: Any) -> None:
    with pytest.raises(ArgumentError, match=r"delta must be a number in \(0, 2\), got"):
        ProbCover(delta=delta)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("purity", 0, r"purity must be a number in \(0, 1\]"),
        ("purity", 1.1, r"purity must be a number in \(0, 1\]"),
        ("classes", 1, "classes must be at least 2, as every ball is pure with one"),
        ("classes", 2.5, "classes must be a whole number"),
        ("seed", -1, "seed must be a whole number of at least 0"),
    ],
)
def test_unusable_parameters_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ProbCover(**{name: value})
