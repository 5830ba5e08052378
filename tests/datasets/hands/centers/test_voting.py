"""Networks that agree, and that do not."""

import math

import pytest
import torch

from seqgcn.datasets.hands.centers.voting import trust, vote

HERE, THERE = [0.0, 0.0, 500.0], [300.0, 0.0, 500.0]


def test_most_networks_win_and_their_points_are_averaged() -> None:
    points = torch.tensor([[HERE], [[10.0, 0.0, 500.0]], [THERE], [[20.0, 0.0, 500.0]], [[600.0, 0.0, 500.0]]])
    strength = torch.tensor([[1.0], [2.0], [90.0], [3.0], [90.0]])
    point, chosen, share = vote(points, strength)
    assert point[0].tolist() == pytest.approx([10, 0, 500])
    assert chosen.item() == pytest.approx(2)
    assert share.item() == pytest.approx(0.5)


def test_a_single_network_agrees_with_itself() -> None:
    point, chosen, share = vote(torch.tensor([[HERE]]), torch.tensor([[1.5]]))
    assert (point[0].tolist(), chosen.item(), share.item()) == (HERE, 1.5, 1.0)


def test_networks_that_found_nothing_do_not_count_and_nothing_found_stays_nothing() -> None:
    nothing = [math.nan] * 3
    points = torch.tensor([[nothing, nothing], [HERE, nothing], [HERE, nothing]])
    point, chosen, share = vote(points, torch.tensor([[-10.0, -10.0], [2.0, -10.0], [2.0, -10.0]]))
    assert point[0].tolist() == HERE
    assert chosen.tolist() == [2, -10]
    assert point[1].isnan().all()
    assert share.tolist() == [0.5, 0]


def test_the_fewer_agree_the_less_is_left() -> None:
    left = trust(torch.tensor([0.0, 0.25, 0.5, 0.625, 0.75, 1.0]))
    assert left.tolist() == pytest.approx([0, 0.1, 0.3, 0.55, 0.8, 1])
