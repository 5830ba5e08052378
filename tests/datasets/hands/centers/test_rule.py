"""The rule that finds a hand where nothing is labeled."""

import math

import numpy as np
import pytest
import torch
from datasets.hands.centers.rooms import ROOM_CAMERA, film_two_hands
from hand_scenes import CAMERA, Depth, Scene
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgcn.datasets.hands.centers.found import DOUBTFUL
from seqgcn.datasets.hands.centers.palms import Palm, grid_of, palms_of
from seqgcn.datasets.hands.centers.rule import (
    Candidate,
    another_hand,
    candidates_of,
    confidence_of,
    follow,
    hand_score,
    steady,
)
from seqgcn.datasets.hands.crop import DepthImage, centre_of_mass

PALM = Palm(row=0, column=0, depth=500.0, radius=30.0, fingers=2, limbs=1, far_arc=0.1, area=14_000.0, at_end=True)


def look(depth: Depth) -> list[Candidate]:
    return candidates_of(DepthImage(torch.from_numpy(depth)), CAMERA, 250.0, 10.0, 1500.0)


def off(candidate: Candidate, *palm: float) -> float:
    return math.dist(candidate.center, palm)


def test_a_hand_in_front_of_a_torso_is_found_where_center_of_mass_is_not() -> None:
    depth = Scene().torso(800).hand(-120, 0, 500).forearm(-120, 0, 500, 75).frame()
    mass = centre_of_mass(DepthImage(torch.from_numpy(depth)), CAMERA, 250.0, 10.0, 1500.0)
    assert mass is not None
    assert math.dist(mass.tolist(), (-120, 0, 500)) > 150
    assert off(look(depth)[0], -120, 0, 500) < 40


@pytest.mark.parametrize("angle", [0, 45, 90, 180, 270])
def test_the_forearm_in_one_surface_with_the_hand_is_cut_off(angle: int) -> None:
    depth = Scene().hand(0, 0, 600, angle + 180).forearm(0, 0, 600, angle, rise=0).frame()
    assert off(look(depth)[0], 0, 0, 600) < 45


def test_the_forearm_may_leave_the_picture() -> None:
    depth = Scene().hand(-100, 0, 450, 180).forearm(-100, 0, 450, 0, length=600, rise=0).frame()
    assert off(look(depth)[0], -100, 0, 450) < 45


def test_something_nearer_than_the_hand_is_passed_over() -> None:
    depth = (
        Scene().torso(900).hand(-80, -40, 600).forearm(-80, -40, 600, 80).bar((-400, 170, 380), (400, 170, 380), 160)
    )
    assert off(look(depth.frame())[0], -80, -40, 600) < 45


def test_two_hands_are_two_candidates() -> None:
    depth = (
        Scene().torso(900, x=0).hand(-170, 0, 550).forearm(-170, 0, 550, 80).hand(170, 0, 560).forearm(170, 0, 560, 80)
    )
    best = sorted(look(depth.frame())[:2], key=lambda candidate: candidate.center[0])
    assert off(best[0], -170, 0, 550) < 45
    assert off(best[1], 170, 0, 560) < 45


def test_a_table_behind_is_no_hand() -> None:
    scene = Scene().hand(0, 30, 600, 90).forearm(0, 30, 600, -90, length=500)
    v = np.mgrid[: CAMERA.height, : CAMERA.width][0]
    table = (900 - 0.4 * v).astype(np.float32)
    depth = np.minimum(scene.depth, table)
    assert off(look(depth)[0], 0, 30, 600) < 45


def test_a_frame_with_a_hand_alone_has_its_center_of_mass_for_certain() -> None:
    depth = Scene().hand(20, 10, 400).frame()
    mass = centre_of_mass(DepthImage(torch.from_numpy(depth)), CAMERA, 250.0, 10.0, 1500.0)
    assert mass is not None
    (only,) = look(depth)
    assert only.center == pytest.approx(mass.tolist())
    assert only.score == 1


def test_nothing_measured_is_no_candidate() -> None:
    assert look(np.zeros((480, 640), np.float32)) == []
    assert grid_of(DepthImage(torch.zeros(480, 640)), CAMERA, 10, 1500) is None


def test_a_wall_is_found_with_little_confidence() -> None:
    candidates = look(np.full((480, 640), 700, np.float32))
    assert all(confidence_of(candidates, i) < 0.3 for i in range(len(candidates)))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(480, 640), (24, 32), (1, 1), (480, 3)]))
def test_any_frame_gives_finite_candidates_in_front_of_the_camera(seed: int, shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(seed)
    depth = draw.choice([0, 200, 650, 700, 5000], size=shape).astype(np.float32) + draw.normal(0, 3, shape).astype(
        np.float32
    )
    for candidate in look(np.maximum(depth, 0)):
        assert all(map(math.isfinite, candidate.center))
        assert candidate.center[2] > 0
        assert 0 <= candidate.score <= 1


def test_holes_of_a_pixel_change_little() -> None:
    depth = Scene().torso(800).hand(-120, 0, 500).forearm(-120, 0, 500, 75).frame()
    holes = np.random.default_rng(0).random(depth.shape) < 0.01
    assert off(look(np.where(holes, 0, depth))[0], -120, 0, 500) < 40


def test_a_palm_has_its_radius_and_fingers() -> None:
    grid = grid_of(DepthImage(torch.from_numpy(Scene().hand(0, 0, 500).frame())), CAMERA, 10, 1500)
    assert grid is not None
    (palm, *_) = palms_of(grid, CAMERA)
    assert palm.radius == pytest.approx(42, abs=8)
    assert palm.fingers >= 2
    assert palm.far_arc == 0


def test_a_path_stays_with_what_moves_smoothly() -> None:
    hand = [Candidate((10.0 * i, 0.0, 500.0), 0.5) for i in range(7)]
    frames = [[here, Candidate((-300.0, 0.0, 700.0), 0.4)] for here in hand]
    frames[3] = [Candidate((-300.0, 0.0, 700.0), 0.6), hand[3]]
    assert follow(frames) == [0, 0, 0, 1, 0, 0, 0]


def test_a_path_passes_over_frames_without_a_candidate() -> None:
    here = [Candidate((0.0, 0.0, 500.0), 0.5)]
    assert follow([[], here, [], here]) == [-1, 0, -1, 0]
    assert follow([[], []]) == [-1, -1]


def test_two_hands_that_look_alike_are_in_doubt_and_places_on_the_same_arm_are_not() -> None:
    mine, beside, rival = (Candidate((x, 0.0, 500.0), score) for x, score in ((0.0, 0.8), (90.0, 0.7), (300.0, 0.7)))
    assert confidence_of([mine, beside], 0) == pytest.approx(0.8)
    assert another_hand([mine, beside], mine.center) is None
    assert confidence_of([mine, beside, rival], 0) == pytest.approx(0.8 * 0.3)
    other = another_hand([mine, beside, rival], (10.0, 0.0, 500.0))
    assert other is not None
    assert (other.center, other.score) == (rival.center, pytest.approx(0.7))
    assert another_hand([], mine.center) is None


def test_what_is_no_end_and_has_no_fingers_is_no_other_hand() -> None:
    mine, elbow = Candidate((0.0, 0.0, 500.0), 0.8), Candidate((300.0, 0.0, 500.0), 0.9, may_be_other=False)
    assert confidence_of([mine, elbow], 0) == pytest.approx(0.8)


def test_a_hand_a_little_behind_is_a_rival_as_one_beside_and_one_far_behind_is_less() -> None:
    mine = Candidate((0.0, 0.0, 500.0), 0.8)

    def sure_with(z: float, score: float) -> float:
        return confidence_of([mine, Candidate((300.0, 0.0, z), score, behind=z - 500)], 0)

    # Farther behind scores less; that it is farther does not make it less of a hand.
    assert sure_with(680, hand_score(PALM, 180)) == pytest.approx(sure_with(500, hand_score(PALM, 0)))
    assert sure_with(900, 0.7) > sure_with(680, 0.7)


def test_a_hand_that_something_parts_from_its_arm_is_a_rival() -> None:
    mine = Candidate((0.0, 0.0, 500.0), 0.9)
    without_arm = PALM._replace(limbs=0, far_arc=0.0)
    rival = Candidate((300.0, 0.0, 500.0), hand_score(without_arm, 0))
    unsure = confidence_of([mine, rival._replace(parted=True)], 0)
    assert unsure < confidence_of([mine, rival], 0)
    assert unsure < DOUBTFUL


def test_confidence_is_no_higher_than_what_is_usual_around_a_frame_where_the_hand_is_at_the_same_place() -> None:
    sure, here = np.full(40, 0.1), np.zeros((40, 3))
    sure[20] = 0.9
    assert steady(sure, here)[20] == pytest.approx((16 * 0.1 + 0.9) / 17)
    assert steady(sure, here)[[0, 19, 39]] == pytest.approx(0.1)
    here[20] = (400, 0, 0)
    assert steady(sure, here)[20] == pytest.approx(0.9)
    here[20] = math.nan
    assert steady(sure, here)[20] == pytest.approx(0.9)
    assert steady(np.array([0.7]), np.zeros((1, 3))) == pytest.approx(0.7)


def test_a_rendered_frame_with_two_hands_has_both_as_candidates_and_is_in_doubt() -> None:
    images, palms, others = film_two_hands(frames=4, seed=3)
    frames = [candidates_of(image, ROOM_CAMERA, 250.0, 10.0, 1500.0) for image in images]
    chosen = follow(frames)
    for candidates, choice, palm, other in zip(frames, chosen, palms, others, strict=True):
        for hand in (palm, other):
            assert min(off(candidate, *hand.tolist()) for candidate in candidates) < 60
        other_hand = another_hand(candidates, candidates[choice].center)
        assert other_hand is not None
        assert min(off(other_hand, *hand.tolist()) for hand in (palm, other)) < 60
        assert confidence_of(candidates, choice) < DOUBTFUL


@pytest.mark.parametrize(("elbow", "confidence"), [(0.5, 0.72), (0.8, 0.05), (0.9, 0.0)])
def test_of_both_ends_of_a_forearm_one_is_the_hand(elbow: float, confidence: float) -> None:
    """The elbow is no second hand; it counts as far as it might be the only one."""
    mine = Candidate((0.0, 0.0, 500.0), 0.9 if elbow == 0.5 else 0.82, forearm=(1.0, 0.0, 0.0))
    other = Candidate((300.0, 30.0, 520.0), elbow)
    found = confidence_of([mine, other], 0)
    assert found == pytest.approx(confidence, abs=0.06)
    aside = other._replace(center=(0.0, 300.0, 520.0))
    assert confidence_of([mine, aside], 0) == pytest.approx(mine.score * (1 - elbow), abs=0.01)


def test_the_blunt_end_of_a_forearm_does_not_make_the_hand_doubtful() -> None:
    depth = Scene().torso(900).hand(-120, 0, 500).forearm(-120, 0, 500, 80).frame()
    found = candidates_of(DepthImage(torch.from_numpy(depth)), CAMERA, 250.0, 10.0, 1500.0)
    assert math.dist(found[0].center, (-120, 0, 500)) < 60
    assert confidence_of(found, 0) > 0.45
