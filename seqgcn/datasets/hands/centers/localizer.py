r"""A learned localizer: from about 20 labeled frames on, where the hand is in a whole frame.

Frames are shrunk to a small grid (`grid`). A fully convolutional network scores the surfaces in it (`heat_map`). It is
trained for a fixed number of steps, each on other views of the labeled frames (`grid_augmentation`).

Confidence is the estimated chance that the center lies within 40 mm. It is logistic in

    s = log(mass / (1 - mass)) - log((second + e) / (mass + e)) / 2,

where `mass` is the weight of the heat map's strongest place and `second` that of the strongest elsewhere. The two
coefficients are fitted to out-of-fold predictions, shrunk towards `UNCALIBRATED`, which serves where there are none.

A frame that was not labeled is looked at by the networks of all folds as well. The center is where most agree, and
confidence is less the fewer do (`voting`).
"""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.found import RIGHT
from seqgcn.datasets.hands.centers.grid import Grids, check_grids, grid_camera, shrink
from seqgcn.datasets.hands.centers.grid_augmentation import change
from seqgcn.datasets.hands.centers.heat_map import Found, HeatMap, decode, heat_loss, surface, surface_points
from seqgcn.datasets.hands.centers.voting import trust, vote
from seqgcn.exceptions import ArgumentError
from seqgcn.training import Progress, train
from seqgcn.utils.seeding import derive_seed, generator, seeded
from seqgcn.utils.validation import check_number, check_whole, kind_of, name_rows

__all__ = ["Calibration", "HeldOut", "Localizer", "grid_camera", "out_of_fold", "shrink"]

_STEPS, _STEPS_AN_EPOCH = 200, 10
_BATCH = 12
_LEARNING_RATE = 4e-3
_LOOK_AT_ONCE = 64
_MIN_FRAMES = 2


class Calibration(NamedTuple):
    """Confidence = sigmoid(intercept + slope s)."""

    intercept: float
    slope: float


UNCALIBRATED = Calibration(-1.5, 0.7)
"""Cautious: of other sequences than those labeled a network is surer than it should be."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Centers of m labeled frames, each by a network that has not seen the frame's label.

    Args:
        points: `[m, 3]` mm; NaN where the frame has no depth.
        confidence: `[m]`, 0 to 1; calibrated on the other folds.
        error: Distance to the labeled center, `[m]` mm; infinite where there is no point.
        residual: Root mean square of the difference along x, y and z, `[3]` mm, of the points within half a cube of
            their labels: what a crop around a found center is off by. NaN if there is none.
        calibration: Of all folds together, for the localizer trained on all frames.
        networks: Of the folds.
    """

    points: Tensor
    confidence: Tensor
    error: Tensor
    residual: Tensor
    calibration: Calibration
    networks: tuple[HeatMap, ...] = ()


@dataclass(frozen=True, eq=False)
class Localizer:
    """Finds the center of the hand in shrunk frames; made by `fit`.

    Args:
        network: Trained, in evaluation mode.
        cube: Side of the hand's cube, mm.
        calibration: From the heat map's peaks to a confidence.
        others: Networks of the folds, which look at new frames too.
        mirrored: Whether they were trained on mirrored frames too, and look at frames both ways.
    """

    network: HeatMap
    cube: float
    calibration: Calibration = UNCALIBRATED
    others: tuple[HeatMap, ...] = ()
    mirrored: bool = True

    @classmethod
    def fit(
        cls,
        grids: NDArray[Any],
        camera: Camera,
        centers: Tensor,
        *,
        cube: float,
        seed: int,
        steps: int = _STEPS,
        mirrored: bool = True,
        progress: Progress | None = None,
    ) -> "Localizer":
        """Train on labeled frames; the same bits for the same seed and number of threads on a CPU.

        Args:
            grids: From `shrink`, `[m, 72, 96]` mm.
            camera: Of the full frames.
            centers: Of the hands, `[m, 3]` mm, x right, y down, z away from the camera.
            cube: Side of the hand's cube, mm.
            seed: Of initial weights and augmentation.
            steps: Batches, whatever m; rounded up to whole tens above 10.
            mirrored: Whether frames are also seen mirrored. Where two hands are in view, only left and right may tell
                which one is labeled, and a localizer that is to learn it must not be.
            progress: Told after every ten steps, as stage `"localizer"`.

        Raises:
            ArgumentError: Shapes, or fewer than two frames; centers that are not finite or not in front of the camera;
                or most centers have no measured surface near them.
        """
        depth, centers = _check_labels(grids, camera, centers, cube)
        check_whole("seed", seed, low=0)
        check_whole("steps", steps)
        small = grid_camera(camera)
        usable = _near_surface(depth, small, centers, cube).nonzero().flatten()
        depth, centers = depth[usable], centers[usable]
        with seeded(derive_seed(seed, "localizer")):
            network = HeatMap()
        draws = generator(seed, "localizer", "batches")
        optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=1e-3)
        each = min(_STEPS_AN_EPOCH, steps)
        epochs = math.ceil(steps / each)
        batch = _Batches(depth, centers, small, cube, draws, mirrored)
        train(
            network,
            lambda _: (batch.draw() for _ in range(each)),
            lambda pair: heat_loss(network, *pair, small, cube),
            optimizer=optimizer,
            epochs=epochs,
            scheduler=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, eta_min=_LEARNING_RATE / 50),
            progress=progress,
            stage="localizer",
        )
        return cls(network.eval(), float(cube), mirrored=mirrored)

    def locate(self, grids: NDArray[Any], camera: Camera) -> tuple[Tensor, Tensor]:
        """Centers `[n, 3]` mm, NaN in a frame without depth, and their confidence `[n]`, 0 to 1.

        Args:
            grids: From `shrink`, `[n, 72, 96]` mm.
            camera: Of the full frames.

        Raises:
            ArgumentError: Another shape.
        """
        grids = check_grids(grids)
        found = [self._find(grids, camera, network) for network in (self.network, *self.others)]
        points, strength, agreed = vote(
            torch.stack([each.points for each in found]), torch.stack([_strength(each) for each in found])
        )
        return points, _confidence(strength, self.calibration) * trust(agreed)

    def calibrated(self, held_out: HeldOut) -> "Localizer":
        """The same with the confidence that out-of-fold predictions of the same frames allow, and their networks."""
        return replace(self, calibration=held_out.calibration, others=held_out.networks)

    def _find(self, grids: Grids, camera: Camera, network: HeatMap) -> Found:
        small = grid_camera(camera)
        parts = [
            decode(network, _depth(grids[i : i + _LOOK_AT_ONCE]), small, self.cube, self.mirrored)
            for i in range(0, len(grids), _LOOK_AT_ONCE)
        ]
        if not parts:
            return Found(torch.empty(0, 3), torch.empty(0), torch.empty(0))
        return Found(*(torch.cat(values) for values in zip(*parts, strict=True)))


class _Batches:
    """Random labeled grids seen anew; every frame comes once before any comes again."""

    def __init__(
        self, depth: Tensor, centers: Tensor, small: Camera, cube: float, draws: torch.Generator, mirrored: bool
    ) -> None:
        self.depth, self.centers, self.small, self.cube, self.draws = depth, centers, small, cube, draws
        self.mirrored = mirrored
        self.order = torch.empty(0, dtype=torch.int64)

    def draw(self) -> tuple[Tensor, Tensor]:
        while len(self.order) < _BATCH:
            self.order = torch.cat((self.order, torch.randperm(len(self.depth), generator=self.draws)))
        rows, self.order = self.order[:_BATCH], self.order[_BATCH:]
        return change(self.depth[rows], self.centers[rows], self.small, self.cube, self.draws, mirrored=self.mirrored)


def out_of_fold(
    grids: NDArray[Any],
    camera: Camera,
    centers: Tensor,
    sequences: NDArray[np.int64],
    *,
    cube: float,
    folds: int = 4,
    seed: int,
    steps: int = _STEPS,
    mirrored: bool = True,
    progress: Progress | None = None,
) -> HeldOut:
    """Center of every labeled frame by a localizer trained without the frame's fold.

    Folds are made of whole sequences if there are as many sequences as folds, else of contiguous blocks of frames in
    order of sequence and row: neighboring frames are near-duplicates and would give labels away.

    Args:
        grids: From `shrink`, `[m, 72, 96]` mm.
        camera: Of the full frames.
        centers: Of the hands, `[m, 3]` mm.
        sequences: Number of each frame's sequence, `[m]`.
        cube: Side of the hand's cube, mm.
        folds: How many; fewer if there are fewer frames.
        seed: Of everything random; each fold has its own.
        steps: Batches for each fold.
        mirrored: As of `Localizer.fit`.
        progress: Told about every fold, as stage `"localizer folds"`.

    Raises:
        ArgumentError: As `Localizer.fit`; fewer than three frames; another number of sequences.
    """
    _, checked = _check_labels(grids, camera, centers, cube)
    check_whole("folds", folds, low=2)
    if len(checked) <= _MIN_FRAMES:
        raise ArgumentError(f"out-of-fold centers need at least {_MIN_FRAMES + 1} labeled frames, got {len(checked)}")
    parts = _folds(_check_sequences(sequences, len(checked)), folds)
    grids = check_grids(grids)
    points, strength = torch.full((len(grids), 3), math.nan), torch.zeros(len(grids))
    fold = torch.empty(len(grids), dtype=torch.int64)
    networks = []
    for k, rows in enumerate(parts):
        rest = np.setdiff1d(np.arange(len(grids)), rows)
        model = Localizer.fit(
            grids[rest],
            camera,
            checked[rest],
            cube=cube,
            seed=derive_seed(seed, "fold", k),
            steps=steps,
            mirrored=mirrored,
        )
        found = model._find(grids[rows], camera, model.network)
        networks.append(model.network)
        points[rows], strength[rows], fold[rows] = found.points, _strength(found), k
        if progress is not None:
            progress("localizer folds", k + 1, len(parts))
    difference = points - checked
    error = difference.norm(dim=1).nan_to_num(nan=math.inf)
    right = (error <= RIGHT).float()
    confidence = torch.empty(len(grids))
    for k in range(len(parts)):
        # A frame's own label must not move its own confidence either.
        confidence[fold == k] = _confidence(strength[fold == k], _calibrate(strength[fold != k], right[fold != k]))
    near = difference[error <= cube / 2]
    residual = near.square().mean(dim=0).sqrt() if len(near) else torch.full((3,), math.nan)
    return HeldOut(points, confidence, error, residual, _calibrate(strength, right), tuple(networks))


def _folds(sequences: NDArray[np.int64], folds: int) -> list[NDArray[np.intp]]:
    """Rows of each fold; none is empty."""
    names, counts = np.unique(sequences, return_counts=True)
    if len(names) < folds:
        order = np.argsort(sequences, kind="stable")
        return list(np.array_split(order, min(folds, len(order))))
    sizes = np.zeros(folds, np.int64)
    fold_of = {}
    for i in np.argsort(-counts, kind="stable"):
        smallest = int(sizes.argmin())
        fold_of[int(names[i])] = smallest
        sizes[smallest] += counts[i]
    chosen = np.array([fold_of[int(name)] for name in sequences])
    return [np.flatnonzero(chosen == k) for k in range(folds)]


def _strength(found: Found) -> Tensor:
    """The number s of which confidence is a function, `[n]`; -10 in a frame without depth."""
    mass = found.mass.clamp(1e-4, 1 - 1e-3)
    gap = ((found.mass + 1e-2) / (found.second + 1e-2)).log()
    return torch.where(found.mass > 0, mass.logit() + gap / 2, torch.tensor(-10.0))


def _confidence(strength: Tensor, calibration: Calibration) -> Tensor:
    return torch.sigmoid(calibration.intercept + calibration.slope * strength)


def _calibrate(strength: Tensor, right: Tensor) -> Calibration:
    """Logistic regression with a normal prior around `UNCALIBRATED`, by Newton's method."""
    prior = torch.tensor(UNCALIBRATED, dtype=torch.float64)
    # Where nearly all is right, the intercept could rise without end, and the weakest peaks would be trusted too: what
    # the frames tell goes into the slope.
    precision = torch.diag(torch.tensor([8.0, 0.5], dtype=torch.float64))
    x = torch.stack((torch.ones(len(strength)), strength), dim=1).double()
    y, beta = right.double(), prior.clone()
    for _ in range(30):
        p = torch.sigmoid(x @ beta)
        gradient = x.T @ (p - y) + precision @ (beta - prior)
        hessian = x.T @ (x * (p * (1 - p)).unsqueeze(1)) + precision
        beta = beta - torch.linalg.solve(hessian, gradient).clamp(-2, 2)
    # More strength never means less confidence, whatever a few frames say.
    return Calibration(float(beta[0]), max(float(beta[1]), 0.05))


def _depth(grids: Grids) -> Tensor:
    return torch.from_numpy(grids.astype(np.float32))


def _check_sequences(sequences: Any, m: int) -> NDArray[np.int64]:
    values = np.asarray(sequences)
    if values.shape != (m,) or values.dtype.kind not in "iu":
        raise ArgumentError(f"sequences must be whole numbers [{m}], one a frame, got {values.dtype} {values.shape}")
    return values.astype(np.int64)


def _check_labels(grids: Any, camera: Camera, centers: Any, cube: float) -> tuple[Tensor, Tensor]:
    depth = _depth(check_grids(grids))
    m = len(depth)
    check_number("cube", cube, low=0, open_low=True)
    if not isinstance(centers, Tensor) or centers.shape != (m, 3) or not centers.is_floating_point():
        raise ArgumentError(f"centers must be a floating-point tensor [{m}, 3] in mm, got {kind_of(centers)}")
    if m < _MIN_FRAMES:
        raise ArgumentError(f"a localizer needs at least {_MIN_FRAMES} labeled frames, better 20, got {m}")
    centers = centers.detach().cpu().float()
    wrong = ~(centers.isfinite().all(dim=1) & (centers[:, 2] > 0))
    if wrong.any():
        raise ArgumentError(
            f"centers must be finite and lie in front of the camera (z > 0 mm); {name_rows(wrong)} do not"
        )
    off = ~_near_surface(depth, grid_camera(camera), centers, cube)
    if off.float().mean() > 0.5:
        row = int(off.nonzero()[0])
        raise ArgumentError(
            f"centers: {int(off.sum())} of {m} have no measured surface within half a cube ({cube / 2:g} mm), for "
            f"example row {row}, {[round(value, 1) for value in centers[row].tolist()]}; are they x y z in mm (not "
            "meters, not u v d), and is this the frames' camera?"
        )
    return depth, centers


def _near_surface(depth: Tensor, small: Camera, centers: Tensor, cube: float) -> Tensor:
    """Whether anything was measured within half a cube of each center, `[m]` bool."""
    near = surface(depth)
    distance = (surface_points(near, small) - centers.view(-1, 1, 1, 3)).norm(dim=-1)
    found: Tensor = ((near > 0) & (distance <= cube / 2)).flatten(1).any(dim=1)
    return found
