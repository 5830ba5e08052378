"""Arms that go on from a hand's wrist in one surface."""

from itertools import pairwise

from torch import Tensor

from seqgcn.datasets.hands.rendering.joints import KNUCKLES
from seqgcn.datasets.hands.rendering.solids import Cone, Solid

FOREARM = 245.0
"""From wrist to elbow of an average adult, mm."""

_WIDTHS = ((0.0, 14.0, 14.0), (0.14, 13.0, 17.0), (0.5, 14.0, 26.0), (0.8, 13.0, 32.0), (1.0, 8.0, 31.0))
"""Share of the way to the elbow, half the distance between its two outer lines and the flesh around these, mm."""


def forearm(
    pose: Tensor,
    scale: float,
    bend: Tensor,
    shoulder: Tensor | None = None,
    top: tuple[Tensor, float] | None = None,
) -> list[Solid]:
    """The arm of one hand.

    Args:
        pose: Joints, finger-major, `[21, 3]` mm.
        scale: Of the flesh, 1 for an average adult.
        bend: Added to the unit vector from the palm through the wrist, `[3]`; the forearm lies in this direction.
        shoulder: Where the upper arm ends, `[3]` mm; without it the arm ends at the elbow.
        top: Normal `[3]` towards the camera and distance from it, mm, of a plane that the arm stays above.

    Returns:
        Cones, the first ones around the wrist as the palm's own flesh is.
    """
    wrist, knuckles = pose[0], pose[list(KNUCKLES)]
    straight = wrist - knuckles.mean(dim=0)
    toward = straight / straight.norm() + bend
    toward = toward / toward.norm()
    elbow = wrist + FOREARM * scale * toward
    if top is not None:
        # The flesh around the elbow, and a little room.
        under = -float(elbow @ top[0]) - top[1] + 36 * scale
        elbow = elbow + max(under, 0.0) * top[0]
    # As the palm is wide at the wrist; turning it with the arm would tear the surface there.
    across = 0.25 * (knuckles[0] - knuckles[3])
    unit = across / across.norm()
    centers = [(wrist + share * (elbow - wrist), half * scale * unit) for share, half, _ in _WIDTHS]
    centers[0] = (wrist, across)
    flesh = list(pairwise(radius for _, _, radius in _WIDTHS))
    solids: list[Solid] = []
    for side in (-1, 0, 1):
        line = [middle + side * aside for middle, aside in centers]
        solids += [Cone(a, b, (r * scale, s * scale)) for (a, b), (r, s) in zip(pairwise(line), flesh, strict=True)]
    if shoulder is not None:
        solids.append(Cone(elbow, shoulder, (33 * scale, 50 * scale)))
    return solids
