import functools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from seqgcn.datasets.hands.camera import ICVL_CAMERA, Camera
from seqgcn.datasets.hands.centers import localizer
from seqgcn.datasets.hands.centers.localizer import HeldOut, Localizer, out_of_fold, shrink
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import ArgumentError

CAMERA = Camera(80, 80, 47.5, 35.5, 96, 72)
STEPS = 40


@functools.cache
def toys(n: int, seed: int = 0) -> tuple[np.ndarray, Tensor]:
    """Discs as large as a palm, in front of a plane: grids and the discs' middles, mm."""
    draws = torch.Generator().manual_seed(seed)
    v, u = torch.meshgrid(torch.arange(72.0), torch.arange(96.0), indexing="ij")
    grids, centers = [], []
    for _ in range(n):
        share = torch.rand(4, generator=draws)
        z = 400 + 300 * share[2]
        image = torch.stack((15 + 66 * share[0], 12 + 48 * share[1], z))
        center = CAMERA.to_world(image)
        x, y = (u - CAMERA.cx) / CAMERA.fx * z - center[0], (v - CAMERA.cy) / CAMERA.fy * z - center[1]
        wall = z + 200 + 300 * share[3] + 2 * v
        grids.append(shrink(DepthImage(torch.where(x.hypot(y) < 50, z, wall)), CAMERA))
        centers.append(center)
    return np.stack(grids), torch.stack(centers)


@functools.cache
def honestly() -> HeldOut:
    return held_out(toys(30)[1])


@functools.cache
def trained() -> Localizer:
    return Localizer.fit(toys(30)[0], CAMERA, toys(30)[1], cube=250, seed=0, steps=STEPS)


def held_out(centers: Tensor) -> HeldOut:
    grids, _ = toys(30)
    sequences = np.repeat(np.arange(3), 10)
    return out_of_fold(grids, CAMERA, centers, sequences, cube=250, folds=3, seed=0, steps=3)


def test_discs_are_found_in_frames_never_seen() -> None:
    grids, centers = toys(40, seed=1)
    points, confidence = trained().locate(grids, CAMERA)
    assert ((points - centers).norm(dim=1) < 40).float().mean() > 0.9
    assert points.shape == (40, 3)
    assert ((confidence >= 0) & (confidence <= 1)).all()


@functools.cache
def pairs(n: int, seed: int = 0) -> tuple[np.ndarray, Tensor]:
    """Two equal discs side by side, of which the left one is labeled: grids and the left discs' middles, mm."""
    draws = torch.Generator().manual_seed(seed)
    v, u = torch.meshgrid(torch.arange(72.0), torch.arange(96.0), indexing="ij")
    grids, centers = [], []
    for _ in range(n):
        share = torch.rand(4, generator=draws)
        z = 500 + 200 * share[2]
        depth = z + 200 + 2 * v
        for column in (34 - 12 * share[0], 62 + 12 * share[1]):
            center = CAMERA.to_world(torch.stack((column, 20 + 32 * share[3], z)))
            x, y = (u - CAMERA.cx) / CAMERA.fx * z - center[0], (v - CAMERA.cy) / CAMERA.fy * z - center[1]
            depth = torch.where(x.hypot(y) < 50, z, depth)
            if column < CAMERA.cx:
                centers.append(center)
        grids.append(shrink(DepthImage(depth), CAMERA))
    return np.stack(grids), torch.stack(centers)


def test_of_two_alike_the_left_one_is_learned_only_from_frames_that_are_not_mirrored() -> None:
    grids, centers = pairs(40, seed=1)

    def right(mirrored: bool) -> float:
        model = Localizer.fit(*pairs(30)[:1], CAMERA, pairs(30)[1], cube=250, seed=0, steps=60, mirrored=mirrored)
        return float(((model.locate(grids, CAMERA)[0] - centers).norm(dim=1) < 40).float().mean())

    assert right(mirrored=False) > 0.9
    assert right(mirrored=True) < 0.8


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_state_alone() -> None:
    grids, centers = toys(10)
    before = torch.random.get_rng_state()
    first, second, other = (
        Localizer.fit(grids, CAMERA, centers, cube=250, seed=seed, steps=3).locate(grids, CAMERA)[0]
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_frame_without_depth_has_no_center_and_no_confidence() -> None:
    grids = np.concatenate((toys(30)[0][:1], np.zeros((1, 72, 96), np.uint16)))
    points, confidence = trained().locate(grids, CAMERA)
    assert points[0].isfinite().all()
    assert points[1].isnan().all()
    assert confidence[1] < 0.01 < confidence[0]


def test_no_frames_give_no_centers() -> None:
    points, confidence = trained().locate(toys(30)[0][:0], CAMERA)
    assert points.shape == (0, 3)
    assert confidence.shape == (0,)


def test_frames_are_located_alike_alone_and_together() -> None:
    grids = toys(30)[0][:5]
    together = trained().locate(grids, CAMERA)[0]
    alone = torch.cat([trained().locate(grids[i : i + 1], CAMERA)[0] for i in range(5)])
    assert torch.allclose(together, alone, atol=0.1)


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    grids, centers = toys(10)
    Localizer.fit(grids, CAMERA, centers, cube=250, seed=0, steps=2, progress=lambda *step: told.append(step))
    assert told == [("localizer", 1, 1)]


def test_an_out_of_fold_center_never_follows_its_own_label() -> None:
    centers = toys(30)[1]
    wrong = centers.clone()
    wrong[12] += torch.tensor([80.0, 0.0, 0.0])
    honest, misled = honestly(), held_out(wrong)
    fold = slice(10, 20)
    assert torch.equal(honest.points[fold], misled.points[fold])
    assert torch.equal(honest.points[12], misled.points[12])
    assert not torch.equal(honest.points[:10], misled.points[:10])


def test_held_out_errors_are_those_of_the_points() -> None:
    centers, held = toys(30)[1], honestly()
    assert torch.allclose(held.error, (held.points - centers).norm(dim=1))
    near = held.error <= 125
    assert near.any()
    assert torch.allclose(held.residual, (held.points - centers)[near].square().mean(dim=0).sqrt())


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        ([0] * 4 + [1] * 2 + [2] * 2, [{0, 1, 2, 3}, {4, 5}, {6, 7}]),
        ([5, 5, 5, 1, 1, 1, 1, 1], [{3, 4, 5}, {6, 7, 0}, {1, 2}]),
    ],
)
def test_folds_are_sequences_or_contiguous_blocks(sequences: list[int], expected: list[set[int]]) -> None:
    assert [set(rows.tolist()) for rows in localizer._folds(np.array(sequences), 3)] == expected


def test_there_are_no_more_folds_than_frames() -> None:
    assert [rows.tolist() for rows in localizer._folds(np.zeros(3, np.int64), 4)] == [[0], [1], [2]]


def test_confidence_is_calibrated_to_the_share_that_is_right() -> None:
    draws = torch.Generator().manual_seed(0)
    strength = 3 * torch.randn(2000, generator=draws)
    right = (torch.rand(2000, generator=draws) < torch.sigmoid(1.3 * strength - 0.5)).float()
    fitted = localizer._calibrate(strength, right)
    assert math.isclose(fitted.slope, 1.3, abs_tol=0.15)
    assert math.isclose(fitted.intercept, -0.5, abs_tol=0.2)


def test_calibration_rises_with_strength_and_is_defined_without_any_frame() -> None:
    upside_down = localizer._calibrate(torch.tensor([-3.0, -2.0, 2.0, 3.0] * 20), torch.tensor([1.0, 1.0, 0, 0] * 20))
    assert upside_down.slope > 0
    assert localizer._calibrate(torch.empty(0), torch.empty(0)) == pytest.approx(localizer.UNCALIBRATED)
    right = localizer._calibrate(torch.full((50,), 2.0), torch.ones(50))
    wrong = localizer._calibrate(torch.full((50,), 2.0), torch.zeros(50))
    assert right.intercept > wrong.intercept


def test_a_localizer_takes_the_calibration_of_its_held_out_frames() -> None:
    held = honestly()
    assert trained().calibrated(held).calibration == held.calibration
    assert trained().calibration == localizer.UNCALIBRATED


def fit(centers: object, **changes: object) -> None:
    arguments = {"cube": 250, "seed": 0, "steps": 1} | changes
    Localizer.fit(toys(30)[0], CAMERA, centers, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c[:5], r"\[30, 3\].*\[5, 3\]"),
        (lambda c: c.long(), "int64"),
        (lambda c: c.numpy(), "ndarray"),
        (lambda c: c.where(torch.arange(30).unsqueeze(1) != 4, torch.nan), "rows 4"),
        (lambda c: -c, "in front of the camera"),
        (lambda c: c / 1000, "30 of 30.*not meters"),
        (lambda c: CAMERA.to_image(c) + torch.tensor([400.0, 300.0, 0.0]), "not u v d"),
    ],
)
def test_centers_that_cannot_be_meant_are_refused(change: object, named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        fit(change(toys(30)[1]))  # type: ignore[operator]


@pytest.mark.parametrize(
    "changes", [{"cube": 0}, {"cube": float("nan")}, {"seed": -1}, {"seed": 1.5}, {"steps": 0}], ids=str
)
def test_numbers_out_of_range_are_named(changes: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(changes))):
        fit(toys(30)[1], **changes)


def test_a_few_labels_without_a_surface_cost_themselves_alone() -> None:
    centers = toys(30)[1].clone()
    centers[3] = torch.tensor([0.0, 0.0, 3000.0])
    fit(centers)


def test_one_frame_is_too_few() -> None:
    with pytest.raises(ArgumentError, match=r"at least 2.*got 1"):
        Localizer.fit(toys(30)[0][:1], CAMERA, toys(30)[1][:1], cube=250, seed=0)
    with pytest.raises(ArgumentError, match="got 2"):
        out_of_fold(toys(30)[0][:2], CAMERA, toys(30)[1][:2], np.arange(2), cube=250, seed=0)


def test_sequences_of_other_frames_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"sequences.*30.*\(29,\)"):
        out_of_fold(toys(30)[0], CAMERA, toys(30)[1], np.arange(29), cube=250, seed=0)


def test_another_camera_of_the_same_scene_finds_the_same_point() -> None:
    grids, centers = toys(40, seed=1)
    # The same image by a lens of the same view with more pixels: only the grid's camera counts.
    camera = Camera(160, 160, 95.5, 71.5, 192, 144)
    points, _ = trained().locate(grids, camera)
    assert ((points - centers).norm(dim=1) < 40).float().mean() > 0.9
    assert camera != ICVL_CAMERA
