"""From the renderer's 21 joints to those of each data set, as weighted means of joints.

Where a data set's points are no anatomical joints (ICVL's palm; most of NYU's) they are placed as in its real poses,
seen in the palm's own axes.
"""

import functools
from typing import Literal

import torch
from torch import Tensor

from seqgcn.datasets.hands.skeleton import BIGHAND_FINGER_MAJOR, ICVL16, NYU36

Convention = Literal["icvl", "nyu", "msra", "bighand"]

KNUCKLES = (5, 9, 13, 17)
"""Roots of index, middle, ring and little finger among the 21 joints."""


@functools.cache
def joint_weights(convention: Convention) -> Tensor:
    """Weight of each of the renderer's joints in each of a data set's J, `[J, 21]`; rows sum to 1."""
    if convention == "msra":
        return torch.eye(21)[[0, *range(5, 21), *range(1, 5)]]
    if convention == "bighand":
        return torch.eye(21)[torch.tensor(BIGHAND_FINGER_MAJOR).argsort()]
    return _icvl() if convention == "icvl" else _nyu()


def _icvl() -> Tensor:
    weights = torch.zeros(len(ICVL16), 21)
    weights[0, [0, *KNUCKLES]] = torch.tensor([0.4, 0.15, 0.15, 0.15, 0.15])
    for finger in range(5):
        # Root, middle and tip; the thumb's root is its knuckle, not the joint at the wrist.
        places = (1, 2, 3) if finger == 0 else (0, 1, 3)
        for row, place in enumerate(places):
            weights[1 + 3 * finger + row, 1 + 4 * finger + place] = 1
    return weights


def _nyu() -> Tensor:
    weights = torch.zeros(len(NYU36), 21)
    for chain, root in enumerate((17, 13, 9, 5, 1)):
        mcp, pip, dip, tip = torch.eye(21)[root : root + 4]
        points = (tip, 0.7 * dip + 0.3 * tip, 0.4 * pip + 0.6 * dip, pip, (mcp + pip) / 2, mcp)
        weights[6 * chain : 6 * chain + 6] = torch.stack(points)
    wrist, index, middle, ring, pinky = torch.eye(21)[[0, *KNUCKLES]]
    base, across = wrist - 0.15 * (middle - wrist), 0.28 * (index - pinky)
    weights[30], weights[31] = wrist - 0.1 * (middle - wrist) - across, wrist - 0.1 * (middle - wrist) + across
    weights[32] = 0.3 * wrist + 0.55 * middle + 0.15 * ring
    weights[33] = 0.4 * wrist + 0.3 * ring + 0.3 * pinky
    weights[34], weights[35] = (base + 2 * weights[32]) / 3, base
    return weights
