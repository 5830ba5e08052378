"""Several sources of centers, and what they make each other doubt."""

import math

import numpy as np
import pytest
import torch

from seqgcn.datasets.hands.centers.combining import WRONG, may_mirror, rival_doubt, steadied, surer
from seqgcn.datasets.hands.centers.found import SOURCES, Centers
from seqgcn.datasets.hands.centers.rule import Candidate

HERE, THERE = (0.0, 0.0, 500.0), (300.0, 0.0, 500.0)
TWO_HANDS = [Candidate(HERE, 0.9), Candidate(THERE, 0.8)]


def centers(source: str, points: list[tuple[float, float, float]], confidence: list[float]) -> Centers:
    numbers = np.full(len(points), SOURCES.index(source), np.uint8)
    return Centers(torch.tensor(points), numbers, torch.tensor(confidence), torch.empty(0))


def doubted(right: list[bool], candidates: list[Candidate], sequences: list[int] | None = None) -> float:
    """What is left of the confidence in one more frame, with labeled frames like it, each of another sequence."""
    n = len(right) + 1
    left = rival_doubt(
        torch.ones(n),
        torch.tensor([HERE] * n),
        [candidates] * n,
        torch.arange(n) if sequences is None else torch.tensor(sequences),
        torch.arange(n - 1),
        torch.tensor(right, dtype=torch.bool),
    )
    return float(left[-1])


def test_two_hands_are_doubted_until_labels_show_that_the_localizer_tells_them_apart() -> None:
    assert doubted([], TWO_HANDS) == pytest.approx(0.2)
    assert doubted([False] * 60, TWO_HANDS) == pytest.approx(0.2)
    told_apart = 60 * 0.8 / (60 * 0.8 + WRONG)
    assert doubted([True] * 60, TWO_HANDS) == pytest.approx(1 - 0.8 * (1 - told_apart))


def test_many_labels_of_one_sequence_show_little_about_others_and_much_about_itself() -> None:
    elsewhere = doubted([True] * 60, TWO_HANDS, [0] * 60 + [1])
    assert elsewhere == pytest.approx(1 - 0.8 * (1 - 1 / (1 + WRONG)))
    assert doubted([True] * 60, TWO_HANDS, [0] * 61) == pytest.approx(1 - 0.8 * (1 - 48 / (48 + WRONG)))
    both = doubted([True] * 60, TWO_HANDS, [0] * 30 + [1] * 31)
    assert both == pytest.approx(1 - 0.8 * (1 - (24 + 1) / (24 + 1 + WRONG)))


def test_one_hand_or_none_seen_by_the_rule_is_no_reason_to_doubt() -> None:
    assert doubted([], TWO_HANDS[:1]) == 1
    assert doubted([], []) == 1


def test_the_localizer_decides_where_it_is_confident_and_else_the_surer() -> None:
    rule = centers("rule", [HERE] * 3, [0.9, 0.9, 0.1])
    learned = centers("localizer", [THERE] * 3, [0.6, 0.2, 0.2])
    apart = torch.arange(3)
    found = surer(rule, learned, apart)
    assert found.names == ["localizer", "rule", "localizer"]
    assert found.confidence.tolist() == pytest.approx([0.6, 0.9, 0.2])


def test_of_two_unsure_sources_the_one_on_a_smooth_path_is_taken() -> None:
    rule = centers("rule", [HERE] * 5, [0.40, 0.40, 0.30, 0.40, 0.40])
    learned = centers("localizer", [THERE] * 5, [0.10, 0.10, 0.35, 0.10, 0.10])
    assert surer(rule, learned, torch.zeros(5)).names == ["rule"] * 5


def test_nothing_found_by_one_source_leaves_the_other() -> None:
    nothing = (math.nan, math.nan, math.nan)
    found = surer(
        centers("rule", [HERE, nothing], [0.1, 0.0]), centers("localizer", [nothing] * 2, [0, 0]), torch.zeros(2)
    )
    assert found.names == ["rule", "rule"]
    assert found.points[0].tolist() == list(HERE)


def test_what_jumps_is_doubted_within_its_sequence_alone() -> None:
    points = torch.tensor([HERE, HERE, (900.0, 0.0, 500.0), HERE, HERE])
    assert steadied(torch.ones(5), points, torch.zeros(5)).tolist() == pytest.approx([1, 1, 0.3, 1, 1])
    assert steadied(torch.ones(5), points, torch.arange(5)).tolist() == [1] * 5


def test_a_localizer_learns_from_mirrored_frames_unless_labeled_ones_show_second_hands() -> None:
    here = torch.tensor([HERE] * 100)
    assert may_mirror(here, [[TWO_HANDS[0]]] * 100)
    assert may_mirror(here, [TWO_HANDS] * 2 + [[TWO_HANDS[0]]] * 98)
    assert not may_mirror(here, [TWO_HANDS] * 3 + [[TWO_HANDS[0]]] * 97)
