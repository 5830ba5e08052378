"""Labels that are wrong as a whole: units, axes, pixels, cameras, the order of joints, left for right."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqgcn.datasets.hands.checks.anatomy import (
    BENT,
    BENT_OF_MANY,
    LIKE_A_HAND,
    MANY,
    Change,
    anatomy_of,
    bend,
    other_order,
)
from seqgcn.datasets.hands.checks.findings import Finding, Kind
from seqgcn.datasets.hands.checks.readings import BAD, FEW, POOR, Found, better_reading
from seqgcn.datasets.hands.checks.surface import Looked, distances, fits
from seqgcn.datasets.hands.checks.words import cause_of, place
from seqgcn.utils.validation import name_some

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

ONE_SEQUENCE = 0.3
"""Fit of a sequence's frames below which it is looked at by itself."""

ENOUGH = 10
"""Frames from which on it can be told that labels are no better in their own frames than in others."""

ENOUGH_JOINTS = 20
"""Joints, in all frames together, from which on anything can be told."""

LIKE_OTHERS = 1.5
"""How many times better right labels fit their own frames at least, where they fit poorly."""

SIDES = {0: "right", 1: "left"}
"""The hand that files say, by its number in `HandDataset`."""

MOSTLY = 0.75
"""Share of frames whose fingers must be bent to the same side."""

KINDS: dict[str, Kind] = {
    "unit": "unit",
    "axes": "axes",
    "pixels": "pixels",
    "intrinsics": "intrinsics",
    "depth scale": "depth scale",
    "offset": "offset",
    "mirror": "hand",
}


def check_surface(hands: "HandDataset", frames: Sequence[Looked], poses: NDArray[np.float64]) -> list[Finding]:
    """Whether labels lie on what the camera saw; if not, what they are instead.

    Args:
        hands: The data set.
        frames: Labeled frames that were looked at.
        poses: Labels of all frames, `[n, J, 3]`.
    """
    given = fits(frames)
    usable = np.isfinite(given) & np.array([bool((frame.image.depth > 0).any()) for frame in frames], np.bool_)
    frames, given = [frame for frame, use in zip(frames, usable, strict=True) if use], given[usable]
    if sum(int(np.isfinite(frame.joints).all(axis=1).sum()) for frame in frames) < ENOUGH_JOINTS:
        return []
    found = better_reading(frames, given, hands.camera_path is not None)
    if found is not None:
        return [_misread(hands, frames, found)]
    moved = _other_frames(hands, frames, given, poses)
    if moved is not None:
        return [moved]
    if len(frames) >= FEW and (given.mean() < BAD or _as_good_as_any(frames, given)):
        return [_nowhere(hands, frames, float(given.mean()))]
    return list(_sequences(hands, frames, given))


def _as_good_as_any(frames: Sequence[Looked], given: NDArray[np.float64]) -> bool:
    """Whether labels fit their own frames hardly better than others."""
    if given.mean() >= POOR or len(frames) < ENOUGH:
        return False
    others = [
        replace(frame, joints=other.joints)
        for step in (3, 5, 7)
        for frame, other in zip(frames, [*frames[step:], *frames[:step]], strict=True)
    ]
    return bool(given.mean() < LIKE_OTHERS * np.nanmean(fits(others)))


def _sequences(hands: "HandDataset", frames: Sequence[Looked], given: NDArray[np.float64]) -> Iterator[Finding]:
    """Sequences whose labels are wrong while those of others are right."""
    number = hands.sequence[[frame.row for frame in frames]].numpy()
    bad = [each for each in np.unique(number).tolist() if given[number == each].mean() < ONE_SEQUENCE]
    bad = [each for each in bad if (number == each).sum() >= 2]
    if not bad:
        return
    chosen = np.isin(number, bad)
    some = [frame for frame, wrong in zip(frames, chosen.tolist(), strict=True) if wrong]
    names = name_some([hands.sequence_names[each] for each in bad], 3)
    found = better_reading(some, given[chosen], hands.camera_path is not None)
    if found is not None:
        yield _misread(hands, some, found, f"in {names}, ")
    elif len(some) >= FEW and given[chosen].mean() < BAD:
        yield _nowhere(hands, some, float(given[chosen].mean()), f"in {names}, ")


def _misread(hands: "HandDataset", frames: Sequence[Looked], found: Found, where: str = "") -> Finding:
    shown = max(frames, key=lambda frame: float(fits([frame], found.reading)[0]))
    cause, cure = cause_of(found.reading, shown.camera)
    of_camera = found.reading.key in ("depth scale", "intrinsics")
    return Finding(
        kind=KINDS[found.reading.key],
        whole=True,
        file=camera_path(hands) if of_camera else labels_path(hands),
        frame=hands.files[shown.row],
        found=f"{where}{found.given:.0%} of the joints lie on what the camera saw; {_example(hands, shown)}",
        expected=f"60% or more, and it is {found.fit:.0%} if that is put right",
        cause=cause,
        cure=cure,
        rows=tuple(frame.row for frame in frames),
    )


def _nowhere(hands: "HandDataset", frames: Sequence[Looked], fit: float, where: str = "") -> Finding:
    shown = frames[0]
    return Finding(
        kind="off",
        whole=True,
        file=labels_path(hands),
        frame=hands.files[shown.row],
        found=f"{where}{fit:.0%} of the joints lie on what the camera saw; {_example(hands, shown)}",
        expected="60% or more",
        cause="labels of other frames, of another camera (such as the color camera), or in other axes",
        cure="Compare the page of seqgcn check with the frames: labels need x right, y down, z away from the depth "
        "camera, in mm, and rows that name their own frames",
        rows=tuple(frame.row for frame in frames),
    )


def _example(hands: "HandDataset", shown: Looked) -> str:
    """A joint, and what the camera saw there."""
    off = distances(shown)
    known = np.flatnonzero(~np.isnan(off))
    joint = int(known[np.abs(off[known]).argmin()])
    name, at = hands.skeleton.joints[joint], place(shown.joints[joint])
    if not np.isfinite(off[joint]):
        return f"{name} is at {at}, where nothing was measured"
    return f"{name} is at {at}, where the surface is at {shown.joints[joint][2] - off[joint]:.0f} mm"


def _other_frames(
    hands: "HandDataset", frames: Sequence[Looked], given: NDArray[np.float64], poses: NDArray[np.float64]
) -> Finding | None:
    """Labels that fit other frames of their sequence: rows were joined in another order."""
    if given.mean() >= POOR or len(frames) < FEW:
        return None
    tries: dict[str, dict[int, int]] = {}
    sequence = hands.sequence.numpy()
    for number in np.unique(sequence[[frame.row for frame in frames]]).tolist():
        rows = np.flatnonzero(sequence == number).tolist()
        as_text = sorted(rows, key=lambda row: hands.files[row])
        tries.setdefault("names sorted as text (10 before 2)", {}).update(zip(as_text, rows, strict=True))
        tries.setdefault("the reverse order", {}).update(zip(rows, rows[::-1], strict=True))
        for step in (1, -1, 2, -2, 5, -5, 10, -10):
            what = f"each label is {abs(step)} frames {'late' if step > 0 else 'early'}"
            shifted = dict(zip(rows, rows[step:] if step > 0 else [-1] * -step + rows, strict=False))
            tries.setdefault(what, {}).update(shifted)
    best, cause = 0.0, ""
    for what, source in tries.items():
        held = [
            Looked(frame.row, frame.image, frame.camera, poses[source[frame.row]])
            for frame in frames
            if source.get(frame.row, -1) >= 0
        ]
        fit = float(np.nanmean(fits(held))) if len(held) >= FEW else 0.0
        if fit > best + 0.04:
            best, cause = fit, what
    if best < max(POOR, float(given.mean()) + 0.2):
        return None
    return Finding(
        kind="frames",
        whole=True,
        file=labels_path(hands),
        frame=hands.files[frames[0].row],
        found=f"{given.mean():.0%} of the joints lie on what the camera saw",
        expected=f"60% or more, and it is {best:.0%} with labels of other frames",
        cause=f"the labels are joined to the wrong frames: {cause}",
        cure="Write the name of each row's own frame into its first column",
        rows=tuple(frame.row for frame in frames),
    )


def check_order(
    hands: "HandDataset", poses: NDArray[np.float64], rows: NDArray[np.int64]
) -> tuple[list[Finding], Change | None]:
    """Whether joints are in the order that their names say.

    Args:
        hands: The data set.
        poses: Of some frames, `[m, J, 3]`.
        rows: Their numbers, `[m]`.
    """
    whole = np.isfinite(poses).all(axis=(1, 2))
    poses, rows = poses[whole], rows[whole]
    if len(poses) < FEW:
        return [], None
    change = other_order(poses, hands.skeleton, hands.detector_joints)
    if change is None:
        return [], None
    joints = hands.skeleton.joints
    moved = [i for i in range(len(joints)) if change.places[i] != i][:3]
    finding = Finding(
        kind="order",
        whole=True,
        file=labels_path(hands),
        frame=hands.files[int(rows[0])],
        found="the joints are in another order than their names say; distances between them differ from those in hands "
        f"by {change.given:.2f} times what they vary",
        expected=f"{change.off:.2f} times, as it is with {_held(joints, change, moved)}"
        if moved
        else f"{LIKE_A_HAND:g} times at most",
        cause=f"the columns hold another order: {change.what}"
        if moved
        else "the columns hold an order that is not known, or the labels are of no hand",
        cure="Name the columns by what they hold"
        if hands.labels_path is None or hands.labels_path.suffix == ".csv"
        else "Write the joints in the order of this data set",
        rows=tuple(rows.tolist()),
    )
    return [finding], change


def _held(joints: Sequence[str], change: Change, moved: Sequence[int]) -> str:
    return ", ".join(f"{joints[i]} from the column {joints[int(change.places[i])]}" for i in moved)


def check_hand(hands: "HandDataset", poses: NDArray[np.float64], rows: NDArray[np.int64]) -> list[Finding]:
    """Whether labels are of the hand, left or right, that the files say, sequence by sequence."""
    if hands.sides is None:
        return []
    side = bend(poses, anatomy_of(hands.skeleton))
    known = np.isfinite(side)
    side, rows = side[known], rows[known]
    told = hands.sides.numpy()[rows]
    sequence = hands.sequence.numpy()[rows]
    numbers = np.unique(sequence).tolist()
    wrong: dict[str, list[int]] = {"left": [], "right": []}
    for number in numbers:
        here = sequence == number
        looks = _side_of(side[here], BENT, FEW)
        if looks is not None and told[here][0] >= 0 and looks != SIDES[told[here][0]]:
            wrong[looks].append(number)
    looks = _side_of(side, BENT_OF_MANY, MANY)
    if looks is not None and (told >= 0).all() and not any(SIDES[each] == looks for each in set(told.tolist())):
        wrong[looks] = numbers
    found = []
    for looks, concerned in wrong.items():
        if not concerned:
            continue
        some = rows[np.isin(sequence, concerned)]
        other = "left" if looks == "right" else "right"
        names = name_some([hands.sequence_names[number] for number in concerned], 3)
        everywhere = len(concerned) == len(numbers)
        found.append(
            Finding(
                kind="hand",
                whole=True,
                file=camera_path(hands),
                frame=hands.files[int(some[0])],
                found=f"{'' if everywhere else f'in {names}, '}fingers bend as those of a {looks} hand",
                expected=f"a {other} hand, as the files say with hand: {other}",
                cause=f"the frames show a {looks} hand, or frames and labels are mirrored left for right",
                cure=f"Write hand: {looks} into camera.yaml"
                + ("" if everywhere else " in the folder of these frames")
                + ", or mirror frames and labels back",
                rows=tuple(some.tolist()),
            )
        )
    return found


def _side_of(bent: NDArray[np.float64], least: float, frames: int) -> str | None:
    """Which hand it is by how far fingers are bent in some frames, `[m]`; None where that does not tell."""
    mean = bent.mean() if len(bent) else 0.0
    if len(bent) < frames or abs(mean) < least or (np.sign(bent) == np.sign(mean)).mean() < MOSTLY:
        return None
    return "left" if mean < 0 else "right"


def labels_path(hands: "HandDataset") -> Path:
    """The file of labels, as far as it is known."""
    return hands.labels_path or hands.root


def camera_path(hands: "HandDataset") -> Path:
    """The file that describes the camera, if there is one."""
    return hands.camera_path or hands.root
