"""Centers of all frames of a data set, by what the options ask for; kept beside the crops."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.datasets.hands.cache import cache_errors, cache_folder, source_key, waiting_lock
from seqgcn.datasets.hands.centers.anchors import follow_known
from seqgcn.datasets.hands.centers.candidate_table import CandidateTable
from seqgcn.datasets.hands.centers.combining import (
    CONFIDENT,
    JUMPED,
    may_mirror,
    other_hands,
    rival_doubt,
    steadied,
    surer,
)
from seqgcn.datasets.hands.centers.detector import detector_available
from seqgcn.datasets.hands.centers.found import DOUBTFUL, RIGHT, SOURCES, Centers, jumps
from seqgcn.datasets.hands.centers.grid import COLUMNS, ROWS, shrink
from seqgcn.datasets.hands.centers.rule import VERSION, Candidate, confidence_of, follow
from seqgcn.datasets.hands.centers.searching import search_frames
from seqgcn.datasets.hands.crop import mean_of_known
from seqgcn.datasets.hands.looking import look_in_blocks
from seqgcn.datasets.hands.skeleton import palm_joints
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.training import Progress
from seqgcn.utils.messages import log

if TYPE_CHECKING:
    from seqgcn.datasets.hands.centers.localizer import Localizer
    from seqgcn.datasets.hands.hand_dataset import HandDataset

WHOLE = 0.75
"""Share of the joints of which the middle of a hand is the mean."""

LEAST_LABELS = 20
"""Labeled frames from which on a localizer is trained."""

UNSURE = 0.05
"""Share of doubtful frames, or of labeled ones where the rule is off, above which a localizer is worth its training."""

OFF = 60.0
"""mm between a center and the true one from which on it is off."""

FAR_OFF = 80.0
"""mm between a center and the true one from which on the hand was missed."""

AROUND = 3
"""Places of the rule around which the detector looks."""

AT_ONCE = 1024
"""Frames that a localizer looks at at once: shrunk, all of half a million would take 7 GB."""

LOOKED_AT = 5
"""Frames looked at to tell why hands are not where they should be."""


def find_centers(
    hands: "HandDataset",
    known: Tensor,
    given: Tensor,
    *,
    progress: Progress | None = None,
) -> Centers:
    """Find the hand in every frame, or open what was found before.

    Args:
        hands: The frames.
        known: Numbers of the frames whose poses a localizer may learn from, `[m]`.
        given: Centers from a file, `[n, 3]` mm, NaN where it has none. They stay as they are, and a localizer learns
            from them too.
        progress: Told about it, as stage `"hands"`.

    Raises:
        DataFileError: A frame cannot be read (of a lenient data set, these have no center).
        RunFolderError: The cache cannot be written.
    """
    folder = cache_folder(hands.options.cache)
    targets = _targets(hands, known, given)
    known = targets.isfinite().all(dim=1).nonzero().flatten()
    path = folder / f"{hands.name}-centers-{_key(hands, known, targets)}.npz"
    with cache_errors(folder):
        held = _read(path, len(hands))
        if held is not None:
            return _with_given(held, given)
        folder.mkdir(parents=True, exist_ok=True)
        with waiting_lock(folder / f".{path.stem}.lock"):
            held = _read(path, len(hands))
            if held is None:
                held = _look(hands, known, targets, given, progress)
                _write(path, held)
    return _with_given(held, given)


def _targets(hands: "HandDataset", known: Tensor, given: Tensor) -> Tensor:
    """Centers that a localizer may learn from, `[n, 3]` mm, NaN elsewhere: those of a file, else of known poses.

    The center of a pose is the mean of its joints, if at most a quarter of them have no label. Beside centers of a
    file, which may be palms that somebody clicked, it is the middle of the palm, unless frames with both tell that the
    mean is nearer: a hand's two differ by 50 mm.
    """
    labeled = torch.isin(torch.arange(len(hands)), known)
    whole = hands.joints.isfinite().all(dim=2).float().mean(dim=1) >= WHOLE
    centers = mean_of_known(hands.joints).masked_fill(~whole.unsqueeze(1), torch.nan)
    in_file, palm = given.isfinite().all(dim=1), palm_joints(hands.skeleton)
    if palm and bool(in_file.any()):
        palms, both = hands.joints[:, palm].mean(dim=1), in_file & labeled & centers.isfinite().all(dim=1)
        off = (
            [(each[both] - given[both]).norm(dim=1).nanmedian() for each in (palms, centers)] if both.any() else [0, 1]
        )
        centers = palms if off[0] < off[1] else centers
    centers = centers.masked_fill(~labeled.unsqueeze(1), torch.nan)
    return torch.where(in_file.unsqueeze(1), given, centers)


def _with_given(found: Centers, given: Tensor) -> Centers:
    known = given.isfinite().all(dim=1)
    return replace(
        found,
        points=torch.where(known.unsqueeze(1), given, found.points),
        source=np.where(known.numpy(), np.uint8(SOURCES.index("file")), found.source),
        confidence=found.confidence.masked_fill(known, 1.0),
    )


def _look(
    hands: "HandDataset",
    known: Tensor,
    targets: Tensor,
    given: Tensor,
    progress: Progress | None,
) -> Centers:
    if hands.options.crop == "localizer":
        _check_labels(hands, known)
    candidates = search_frames(hands, progress)
    found = _choose(hands, known, targets, given, candidates, progress)
    if hands.options.crop == "auto":
        found = follow_known(found, candidates, targets, hands.sequence)
    return replace(found, others=other_hands(found.points, candidates))


def _choose(
    hands: "HandDataset",
    known: Tensor,
    targets: Tensor,
    given: Tensor,
    candidates: CandidateTable,
    progress: Progress | None,
) -> Centers:
    if hands.options.crop == "localizer":
        return _by_localizer(hands, known, targets, candidates, progress)
    found = by_rule(candidates, hands.sequence)
    if hands.options.crop == "detector" or (hands.options.crop == "auto" and bool(found.doubtful.any())):
        found = _by_detector(hands, candidates, found, progress)
    unsure = float(found.doubtful.float().mean())
    in_file = given.isfinite().all(dim=1)
    # Who gave centers of some frames wants the others found alike, even where the rule is sure.
    asked = bool(in_file.any()) and float((~in_file).float().mean()) > UNSURE
    enough = len(known) >= LEAST_LABELS and len(hands.cameras) == 1
    if hands.options.crop != "auto" or not enough:
        return found
    labeled = known[~in_file[known]]
    off = _share_off(found.points[labeled], targets[labeled], OFF) if len(labeled) else 0.0
    if not asked and max(unsure, off) <= UNSURE:
        return found
    what = "labeled or in the file of centers" if in_file.any() else "labeled"
    log.info(
        f"{hands.name}: the rule is in doubt in {unsure:.0%} of the frames, and more than {OFF:g} mm off in "
        f"{off:.0%} of those with labels; a localizer is trained on {len(known):,} that are {what}"
    )
    localizer = _by_localizer(hands, known, targets, candidates, progress)
    # Of the known frames, the localizer's centers are out of fold.
    worth = [_misses(each.points[known], targets[known]) for each in (localizer, found)]
    return surer(found, localizer, hands.sequence, DOUBTFUL if worth[0] < worth[1] else CONFIDENT)


def _misses(points: Tensor, true: Tensor) -> tuple[float, float]:
    """How bad m centers `[m, 3]` mm are: the share that is missing or far off, and the median of the distance."""
    distance = (points - true).norm(dim=1).nan_to_num(torch.inf)
    return _share_off(points, true, FAR_OFF), float(distance.median())


def _share_off(points: Tensor, true: Tensor, mm: float) -> float:
    """Share of m centers `[m, 3]` that are missing or more than so many mm off."""
    return float((~((points - true).norm(dim=1) <= mm)).float().mean())


def _by_detector(
    hands: "HandDataset",
    candidates: CandidateTable,
    rule: Centers,
    progress: Progress | None,
) -> Centers:
    """The detector's centers: of all frames where it alone is asked for, else of those in which the rule is in doubt.

    It looks at the whole frame, then at what the rule has found there.
    """
    from seqgcn.datasets.hands.centers.detector import HandDetector

    alone = hands.options.crop == "detector"
    if not alone and not detector_available():
        log.info(f"{hands.name}: a detector could help where the rule is in doubt; pip install 'seqgcn[mediapipe]'")
        return rule
    points, confidence, source = rule.points.clone(), rule.confidence.clone(), rule.source.copy()
    if alone:
        points[:], confidence[:], source[:] = torch.nan, 0, SOURCES.index("detector")
    asked = range(len(hands)) if alone else rule.doubtful.nonzero().flatten().tolist()
    with HandDetector() as detector:
        for done, i in enumerate(asked, 1):
            try:
                image = hands.depth(i)
            except DataFileError:
                if not hands.lenient:
                    raise
                continue
            camera, cube = hands.camera_of(i), float(hands.cube[i])
            found = detector.detect(image, camera, cube=cube)
            found = found or detector.detect(image, camera, [each.center for each in candidates[i][:AROUND]], cube)
            if found:
                points[i], confidence[i] = torch.tensor(found[0].center), found[0].score
                source[i] = SOURCES.index("detector")
            if progress is not None:
                progress("detector", done, len(asked))
    confidence[jumps(points, hands.sequence)] *= JUMPED
    return replace(rule, points=points, source=source, confidence=confidence)


def _check_labels(hands: "HandDataset", known: Tensor) -> None:
    if len(hands.cameras) > 1:
        raise ArgumentError(
            f"{hands.name}: a localizer learns from frames of one camera, and these are of {len(hands.cameras)}; set "
            "crop to rule, or give a file of centers"
        )
    if len(known) < LEAST_LABELS:
        raise ArgumentError(
            f"{hands.name}: a localizer needs {LEAST_LABELS} labeled frames, and {len(known):,} may be used; set crop "
            "to auto or rule until there are as many (a replay of labeling, seqgcn run, has none)"
        )


def _by_localizer(
    hands: "HandDataset",
    known: Tensor,
    targets: Tensor,
    candidates: CandidateTable,
    progress: Progress | None,
) -> Centers:
    from seqgcn.datasets.hands.centers.localizer import Localizer, out_of_fold

    camera = hands.camera
    grids = _grids_of(hands, known)
    labels, cube = targets[known], float(hands.cube.max())
    mirrored = may_mirror(labels, [candidates[i] for i in known.tolist()])
    how: dict[str, Any] = {"cube": cube, "seed": 0, "mirrored": mirrored, "progress": progress}
    held = out_of_fold(grids, camera, labels, hands.sequence[known].numpy(), **how)
    model = Localizer.fit(grids, camera, labels, **how)
    points, confidence = _locate_all(hands, model.calibrated(held), progress)
    # Crops of the frames it learned from must be as far off as all others.
    points[known], confidence[known] = held.points, held.confidence
    confidence = rival_doubt(confidence.nan_to_num(0), points, candidates, hands.sequence, known, held.error <= RIGHT)
    confidence = steadied(confidence, points, hands.sequence)
    source = np.full(len(hands), SOURCES.index("localizer"), np.uint8)
    return Centers(points.float(), source, confidence.float(), held.error.float(), residual=held.residual.float())


def _grids_of(hands: "HandDataset", ids: Tensor) -> NDArray[np.uint16]:
    """Shrunk frames, `[m, 72, 96]` mm; empty where one cannot be read."""
    grids = np.zeros((len(ids), ROWS, COLUMNS), np.uint16)
    for k, i in enumerate(ids.tolist()):
        try:
            grids[k] = shrink(hands.depth(i), hands.camera)
        except DataFileError:
            if not hands.lenient:
                raise
    return grids


def _locate_all(hands: "HandDataset", model: "Localizer", progress: Progress | None) -> tuple[Tensor, Tensor]:
    """A localizer's centers of all frames, `[n, 3]` mm, and their confidence; `AT_ONCE` shrunk frames are held."""
    grids, filled, parts = np.zeros((AT_ONCE, ROWS, COLUMNS), np.uint16), 0, []
    for block in look_in_blocks(hands, lambda image, _i: shrink(image, hands.camera), progress):
        for grid in block:
            grids[filled] = 0 if grid is None else grid
            filled += 1
            if filled == AT_ONCE:
                parts.append(model.locate(grids, hands.camera))
                filled = 0
    if filled:
        parts.append(model.locate(grids[:filled], hands.camera))
    points, confidence = (torch.cat(values) for values in zip(*parts, strict=True))
    return points, confidence


def by_rule(candidates: CandidateTable | Sequence[Sequence[Candidate]], sequence: Tensor) -> Centers:
    """The rule's centers.

    Args:
        candidates: Of each frame.
        sequence: Number of each frame's sequence, `[n]`.
    """
    n = len(candidates)
    points, confidence = torch.full((n, 3), torch.nan), torch.zeros(n)
    for number in sequence.unique().tolist():
        members = (sequence == number).nonzero().flatten().tolist()
        chosen = follow([candidates[i] for i in members])
        for i, choice in zip(members, chosen, strict=True):
            if choice >= 0:
                points[i] = torch.tensor(candidates[i][choice].center)
                confidence[i] = confidence_of(candidates[i], choice)
    source = np.full(n, SOURCES.index("rule"), np.uint8)
    return Centers(points, source, steadied(confidence, points, sequence), torch.empty(0))


def _key(hands: "HandDataset", known: Tensor, targets: Tensor) -> str:
    options = hands.options
    cubes = hashlib.blake2b(hands.cube.numpy().tobytes()).hexdigest()
    videos = hashlib.blake2b(hands.sequence.numpy().tobytes()).hexdigest()
    how: tuple[object, ...] = ("centers", VERSION, options.near, options.far, cubes, videos)
    how += (hands.camera_key(), hands.decoding)
    if options.crop == "auto":
        how += (detector_available(),)
    if options.crop in ("rule", "detector") or not len(known):
        return source_key(hands.root, hands.files, (*how, options.crop))
    if options.crop == "auto":
        how += ("followed",)
    labels = hashlib.blake2b(known.numpy().tobytes() + targets[known].contiguous().numpy().tobytes()).hexdigest()
    return source_key(hands.root, hands.files, (*how, options.crop, labels))


def _read(path: Path, n: int) -> Centers | None:
    """What was found before; None if there is nothing, or nothing that can be used."""
    try:
        with open(path, "rb") as content, np.load(content, allow_pickle=False) as held:
            points, source, confidence, error, others, residual = (
                held[key] for key in ("points", "source", "confidence", "error", "others", "residual")
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    if points.shape != (n, 3) or source.shape != (n,) or confidence.shape != (n,):
        return None
    return Centers(
        torch.from_numpy(points),
        source,
        torch.from_numpy(confidence),
        torch.from_numpy(error),
        torch.from_numpy(others),
        torch.from_numpy(residual),
    )


def _write(path: Path, found: Centers) -> None:
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.savez(
            file,
            points=found.points.numpy(),
            source=found.source,
            confidence=found.confidence.numpy(),
            error=found.error.numpy(),
            others=found.others.numpy(),
            residual=found.residual.numpy(),
        )
    os.replace(part, path)


def likely_cause(hands: "HandDataset", empty: Tensor) -> str:
    """The likeliest reason why frames have no depth where the hand should be, as advice.

    Args:
        hands: The frames.
        empty: Which have none, `[n]` bool.
    """
    near, far = hands.options.near, hands.options.far
    depths = []
    for i in empty.nonzero().flatten().tolist()[:LOOKED_AT]:
        depth = hands.depth(i).depth
        depths.append(depth[depth > 0])
    measured = torch.cat(depths)
    if len(measured) == 0:
        return "Nothing was measured in them: they are black"
    middle = float(measured.median())
    if middle < 100 or middle > 20_000:
        return (
            f"Their depth is {middle:.4g} mm in the middle, which no hand camera measures: check depth_scale, the mm a "
            "unit (1000 if units are meters, 0.1 if they are tenths of a mm, 1 where RealSense reports 0.001)"
        )
    if not near <= middle <= far and hands.options.centers is None:
        return f"Their depth is {middle:.4g} mm in the middle: set near and far, which are {near:g} and {far:g} mm"
    if hands.options.centers is not None:
        return (
            "Check the file of centers: are they x y z in mm (header frame,x,y,z), or u v d in px, px, mm "
            "(frame,u,v,d)? And are they in the order of the frames?"
        )
    return f"Check the cube and the depth range ({near:g} to {far:g} mm)"
