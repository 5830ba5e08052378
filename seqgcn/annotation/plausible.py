"""Can a hand be like this? Poses that were annotated, against the labels there are, the depth map and the prediction.

An export that is mirrored, or in which fingers are swapped, has all its joints, on the picture, and annotators agree.
What gives it away: joints in sight that are beside the hand; bones that are longer in the picture than in space; and a
hand that looks more like the mirror image of those in the labels than like them.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.annotation.automatic import Bones, bone_lengths
from seqgcn.annotation.checked import Labelled, Problem
from seqgcn.annotation.depths import Mark, Surface
from seqgcn.annotation.preview import Preview
from seqgcn.annotation.tasks import Tasks
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.utils.validation import name_some

BESIDE = 0.25
"""Share of the joints in sight under which nothing of the hand was measured: more cannot be."""

LEAST_IN_SIGHT = 5
"""Joints in sight it takes to tell."""

LONGER = 1.6
"""A bone's length in the picture by that in the labels: more cannot be, as hands differ by a third at most."""

SLACK = 10.0
"""mm that bones may be longer besides: clicks are off, and skin moves over bones."""

MIRRORED = (1.0, 1.1)
"""Misfit to the labels by misfit to their mirror images: more is odd, or cannot be. True hands have 0.8 at most."""

UNITS = (2.5, 4.0)
"""Distance from the prediction by the network's error on held-out labels: more is odd, or cannot be."""

LEAST_MM = 40.0
"""A distance from the prediction that is shorter is never more than a good network's bad frame."""

SURE_LABELS = 100
"""Labels from which on the error on the held-out tenth of them says what the network's error is."""

LEAST_LABELS = 5
"""Labels it takes to tell a left hand from a right one; at most `MOST_LABELS` are compared with."""

MOST_LABELS = 500

LEAST_JOINTS = 8
"""Joints it takes to tell."""

IMPOSSIBLE = "impossible pose: "
"""How these problems begin."""


class Doubts(NamedTuple):
    """What does not look like a hand.

    Args:
        impossible: What cannot be, frame by frame.
        odd: What should be looked at, frame by frame.
    """

    impossible: tuple[Problem, ...]
    odd: tuple[Problem, ...]


class Plausibility:
    """What is known of hands.

    Args:
        surface: The depth map.
        poses: Known labels, `[n, J, 3]` mm, before this round.
        skeleton: Names the joints and the bones.
        error: Mean joint error of the network on held-out labels, mm, if it is known.
        sequences: Folders of the frames with known labels, of which the error is; None for those of all frames. A
            frame elsewhere may be as far from its prediction as it likes: it was picked since it is unlike the labels.
    """

    def __init__(
        self,
        surface: Surface,
        poses: Tensor,
        skeleton: Skeleton,
        error: float | None = None,
        sequences: Collection[str] | None = None,
    ) -> None:
        self._surface, self._skeleton, self._error = surface, skeleton, error
        self._sequences, self._sure = sequences, len(poses) >= SURE_LABELS
        self._bones: Bones = bone_lengths(poses.double(), skeleton)
        step = max(1, -(-len(poses) // MOST_LABELS))
        whole = poses[poses.isfinite().flatten(1).all(dim=1)].double()
        self._poses = whole[::step]

    def doubts(self, labels: Sequence[Labelled], tasks: Tasks) -> Doubts:
        """What does not look like a hand in new labels."""
        impossible, odd = list[Problem](), list[Problem]()
        for label in labels:
            preview = tasks.find(label.item)
            if preview is None:
                continue
            wrong, strange = self._look(label, preview, tasks.camera_of(label.item))
            who = "; ".join(label.annotators)
            impossible += [Problem(label.item, joint, who, IMPOSSIBLE + what) for joint, what in wrong]
            odd += [Problem(label.item, joint, who, what) for joint, what in strange]
        return Doubts(
            (*impossible, *_of_most(labels, {problem.item for problem in (*impossible, *odd)}, impossible)), tuple(odd)
        )

    def _look(
        self, label: Labelled, preview: Preview, camera: Camera
    ) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        joints = label.joints if label.guess is None else label.guess
        places = camera.to_image(joints)
        wrong = [*self._beside(label, preview, places), *self._too_long(places, camera)]
        odd: list[tuple[str, str]] = []
        for value, limits, what in (self._mirrored(joints), self._far(preview, places, camera)):
            if value > limits[1]:
                wrong.append(("", f"{what}, more than {limits[1]:g}"))
            elif value > limits[0]:
                odd.append(("", what))
        return wrong, odd

    def _beside(self, label: Labelled, preview: Preview, places: Tensor) -> list[tuple[str, str]]:
        """Whether joints are where there is no hand."""
        marks = [
            Mark(joint, u, v, False)
            for joint, (u, v, d) in enumerate(places.tolist())
            if d == d and not label.hidden[joint]  # not NaN
        ]
        beside = [mark for mark in marks if self._surface.skin(preview, mark) is None]
        if len(marks) < LEAST_IN_SIGHT or len(beside) <= BESIDE * len(marks):
            return []
        return [("", f"{len(beside)} of {len(marks)} joints in sight are beside the hand")]

    def _too_long(self, places: Tensor, camera: Camera) -> list[tuple[str, str]]:
        """Bones that are longer across the picture, at the depth of their nearer end, than they can be in space."""
        found = []
        for (first, last), length in zip(self._bones.pairs, self._bones.length.tolist(), strict=True):
            one, other = places[first], places[last]
            across = (one - other)[:2] * torch.minimum(one[2], other[2])
            mm = float((across / across.new_tensor([camera.fx, camera.fy])).norm())
            most = LONGER * length + SLACK
            if mm > most:
                joints = self._skeleton.joints
                what = f"it is {mm:.0f} mm from {joints[first]}, but {length:.0f} mm in the labels, at most {most:.0f}"
                found.append((joints[last], what))
        return found

    def _mirrored(self, joints: Tensor) -> tuple[float, tuple[float, float], str]:
        """How much better the pose fits the mirror images of known ones."""
        known = joints.isfinite().all(dim=1)
        if len(self._poses) < LEAST_LABELS or int(known.sum()) < LEAST_JOINTS:
            return 0.0, MIRRORED, ""
        fit, mirrored = _misfits(joints[known], self._poses[:, known])
        ratio = fit / max(mirrored, 1e-9)
        return ratio, MIRRORED, f"a hand of the other side: it fits mirrored labels {ratio:.2f} times better"

    def _far(self, preview: Preview, places: Tensor, camera: Camera) -> tuple[float, tuple[float, float], str]:
        """Distance from the prediction across the picture, by the network's error."""
        if not self._error:
            return 0.0, UNITS, ""
        off = [
            float(
                ((place - place.new_tensor(guess[:3]))[:2] / place.new_tensor([camera.fx, camera.fy])).norm() * guess.d
            )
            for place, guess in zip(places, preview.predicted, strict=True)
            if guess is not None and bool(place.isfinite().all())
        ]
        mm = sum(off) / len(off) if off else 0.0
        if mm < LEAST_MM:
            return 0.0, UNITS, ""
        units = mm / self._error
        alike = self._sequences is None or preview.item.rpartition("/")[0] in self._sequences
        limits = UNITS if self._sure and alike else (UNITS[0], float("inf"))
        return units, limits, f"{mm:.0f} mm from the prediction, {units:.1f} times the network's error"


def _misfits(pose: Tensor, known: Tensor) -> tuple[float, float]:
    """Least distance of a pose from known ones that are moved, turned and resized, and from their mirror images.

    By orthogonal Procrustes analysis (Schoenemann 1966; Kabsch 1976), of shapes of unit size.

    Args:
        pose: `[J, 3]`.
        known: `[n, J, 3]`.
    """
    shapes = [each - each.mean(dim=-2, keepdim=True) for each in (pose, known)]
    one, others = (each / each.flatten(-2).norm(dim=-1)[..., None, None].clamp(min=1e-9) for each in shapes)
    left, values, right = torch.linalg.svd(one.T @ others)
    turned = (torch.linalg.det(left) * torch.linalg.det(right)).sign()
    straight, mirrored = (values[:, 0] + values[:, 1] + sign * turned * values[:, 2] for sign in (1, -1))
    return tuple(float((1 - each.square()).clamp(min=0).sqrt().min()) for each in (straight, mirrored))  # type: ignore[return-value]


def _of_most(labels: Sequence[Labelled], doubtful: Collection[str], impossible: Sequence[Problem]) -> list[Problem]:
    """The other frames of annotators most of whose frames are odd or impossible: what is wrong with those is with all.

    One that is odd alone does not stand for others.
    """
    bad = {problem.item for problem in impossible}
    whole = Counter(label.annotators for label in labels)
    wrong = Counter(label.annotators for label in labels if label.item in doubtful)
    sure = {label.annotators for label in labels if label.item in bad}
    return [
        Problem(
            label.item,
            "",
            "; ".join(label.annotators),
            f"{IMPOSSIBLE}{wrong[label.annotators]} of {n} frames look odd or have one, and so this is not believed",
        )
        for label in labels
        if label.item not in bad
        and label.annotators in sure
        and 2 * wrong[label.annotators] > (n := whole[label.annotators])
    ]


def tell_odd(odd: Sequence[Problem]) -> list[str]:
    """A sentence about frames that should be looked at; none of none."""
    if not odd:
        return []
    told = [f"{problem.item} ({problem.what})" for problem in odd]
    return [f"{len(odd):,} frames look odd; look at them: {name_some(told)}"]
