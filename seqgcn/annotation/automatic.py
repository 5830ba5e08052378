"""Depths of all joints of a hand at once: the depth map, the lengths of bones in known labels, and the prediction.

A click says on which ray from the camera a joint lies. Where on it, several things tell with different certainty, and
the lengths of bones tie the joints of a hand together. With depths d of the joints, the energy

    E(d) = sum_j S_j(d_j) + sum_j ((d_j - p_j) / e)^2 + sum_(i,j) ((|X_i - X_j| - L_ij) / s_ij)^2

is that of a tree: S is how far a joint in sight is from the skin and half the thickness of the finger (a joint that is
hidden is anywhere behind the skin), p the prediction and e the network's error on held-out labels, L and s the median
length of a bone in the labels and its spread. The sum-product algorithm gives the distribution exp(-E / 2) of each
joint's depth; its mode is taken, and the mean distance from the mode is the error to be expected.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.annotation.depths import Depth, Mark, Prediction, Surface
from seqgcn.annotation.preview import Preview
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.skeleton import Skeleton

STEP = 3.0
"""mm between two depths that are tried."""

BEYOND = 20.0
"""mm in front of and behind the hand's cube that are tried, too."""

SKIN = 3.0
"""mm by which a joint in sight is off the skin and half the thickness of the finger."""

WRONG, FIRM, FARTHEST = 12.0, 100.0, 200.0
"""Largest cost of a joint far behind the skin, which something hides, of one in front of it, and of a bone."""

SPREAD, LEAST_SPREAD = 0.05, 2.0
"""Least spread of a bone's length: this share of it, and so many mm."""

SNAP = 2 * STEP
"""mm from the skin within which the depth map's own value is taken."""

SCALE, LEAST_BONES = (0.75, 1.3), 6
"""How much smaller or larger a hand can be than those of the labels, and bones in sight that it takes to tell."""

BONES = "bone lengths"
"""Name of what decided, where the depth map did not."""


class Bones(NamedTuple):
    """Lengths of the bones of known hands.

    Args:
        pairs: Joints at both ends.
        length: Median length, `[b]` mm.
        spread: How far lengths are from it, `[b]` mm.
    """

    pairs: tuple[tuple[int, int], ...]
    length: Tensor
    spread: Tensor


def bone_lengths(poses: Tensor, skeleton: Skeleton) -> Bones:
    """Lengths in known labels; of bones that these have.

    Args:
        poses: `[n, J, 3]` mm; joints that are not finite do not count.
        skeleton: Names the bones.
    """
    kept, lengths, spreads = [], [], []
    for first, last in dict.fromkeys(skeleton.bones):
        found = (poses[:, first] - poses[:, last]).norm(dim=1)
        found = found[found.isfinite()]
        if len(found):
            kept.append((first, last))
            lengths.append(float(found.median()))
            # 1.4826 times the median deviation is the standard deviation of a normal distribution.
            spreads.append(1.4826 * float((found - found.median()).abs().median()))
    length = torch.tensor(lengths, dtype=torch.float64)
    spread = torch.tensor(spreads, dtype=torch.float64).maximum(SPREAD * length).clamp(min=LEAST_SPREAD)
    return Bones(tuple(kept), length, spread)


class Automatic:
    """Depths from whatever is surest: see the module.

    Args:
        surface: The depth map.
        poses: Known labels, `[n, J, 3]` mm.
        skeleton: Names the joints and the bones.
        error: Mean joint error of the network on held-out labels, mm; None if it is not known, and the prediction does
            not count.
        most: mm of expected error above which a depth is not to be believed.
    """

    name = "auto"

    def __init__(
        self, surface: Surface, poses: Tensor, skeleton: Skeleton, error: float | None = None, most: float = 10.0
    ) -> None:
        self._surface, self._error, self._most = surface, error, most
        self._bones = bone_lengths(poses.double(), skeleton)
        self._tree = _tree(self._bones.pairs, len(skeleton))
        self._found: dict[tuple[str, int], Depth] = {}

    def look(self, preview: Preview, camera: Camera, marks: Sequence[Mark]) -> None:
        """Find the depths of a frame's joints, each marked once; `depth` then has them."""
        skin = [self._surface.skin(preview, mark) for mark in marks]
        behind = torch.tensor([self._surface.offsets[mark.joint] for mark in marks], dtype=torch.float64)
        nothing = float("nan")
        seen = torch.tensor([nothing if each is None else each for each in skin], dtype=torch.float64) + behind
        hidden = torch.tensor([mark.hidden for mark in marks])
        places = torch.tensor([[mark.u, mark.v] for mark in marks], dtype=torch.float64)
        grid = torch.arange(max(preview.near - BEYOND, 1.0), preview.far + BEYOND, STEP, dtype=torch.float64)
        predicted = [Prediction().depth(preview, mark) for mark in marks]
        guess = torch.tensor([each if isinstance(each, float) else nothing for each in predicted], dtype=torch.float64)
        points = _on_rays(camera, places, grid)
        number_of = {mark.joint: i for i, mark in enumerate(marks)}
        tree = [(number_of[a], number_of.get(b, -1), bone) for a, b, bone in self._tree if a in number_of]
        likely = _marginals(
            -0.5 * self._costs(grid, seen, hidden, guess), points, tree, self._ties(camera, places, seen, hidden, tree)
        )
        for i, mark in enumerate(marks):
            self._found[preview.item, mark.joint] = self._choose(grid, likely[i], seen[i], hidden[i], guess[i])

    def depth(self, preview: Preview, mark: Mark) -> Depth | str:
        """Depth of a joint of a frame that was looked at, or why there is none."""
        return self._found.get((preview.item, mark.joint), "the frame was not looked at")

    def _costs(self, grid: Tensor, seen: Tensor, hidden: Tensor, guess: Tensor) -> Tensor:
        """What each depth costs each joint by itself, `[m, g]`."""
        off = grid - seen.unsqueeze(1)
        squared = (off / SKIN) ** 2
        behind = torch.where(hidden.unsqueeze(1), torch.zeros_like(off), squared.clamp(max=WRONG))
        costs = torch.where(off < 0, squared.clamp(max=FIRM), behind).nan_to_num(nan=0.0)
        if self._error is not None:
            costs = costs + (((grid - guess.unsqueeze(1)) / max(self._error, SKIN)) ** 2).nan_to_num(nan=0.0)
        return costs

    def _ties(
        self, camera: Camera, places: Tensor, seen: Tensor, hidden: Tensor, tree: Sequence[tuple[int, int, int]]
    ) -> Mapping[int, tuple[float, float]]:
        """Length and spread of each bone of the tree for this hand, which may be smaller or larger than others."""
        flat = torch.cat([places, seen.unsqueeze(1)], dim=1)
        flat = camera.to_world(flat.masked_fill(seen.isnan().unsqueeze(1), torch.nan))
        ratios = [
            float((flat[i] - flat[j]).norm() / self._bones.length[bone])
            for i, j, bone in tree
            if j >= 0 and not hidden[i] and not hidden[j] and bool((seen[i] + seen[j]).isfinite())
        ]
        scale = float(torch.tensor(ratios).median().clamp(*SCALE)) if len(ratios) >= LEAST_BONES else 1.0
        lengths, spreads = self._bones.length.tolist(), self._bones.spread.tolist()
        return {bone: (scale * lengths[bone], spreads[bone]) for _, j, bone in tree if j >= 0}

    def _choose(self, grid: Tensor, likely: Tensor, seen: Tensor, hidden: Tensor, guess: Tensor) -> Depth:
        mm, source = float(grid[likely.argmax()]), BONES if self._bones.pairs else Prediction.name
        if not hidden and abs(mm - float(seen)) <= SNAP:
            mm, source = float(seen), Surface.name
        elif abs(mm - float(guess)) <= STEP / 2:
            mm = float(guess)
        error = float((likely * (grid - mm).abs()).sum())
        why = f"{self.name}: unsure by {error:.0f} mm, more than {self._most:g}{', as it is hidden' if hidden else ''}"
        return Depth(mm, source, error, why if error > self._most else "")


def _on_rays(camera: Camera, places: Tensor, grid: Tensor) -> Tensor:
    """Points `[m, g, 3]` mm at these depths on the rays of these places."""
    m, g = len(places), len(grid)
    uvd = torch.cat([places.unsqueeze(1).expand(m, g, 2), grid.view(1, g, 1).expand(m, g, 1)], dim=2)
    return camera.to_world(uvd.reshape(-1, 3)).view(m, g, 3)


def _tree(pairs: Sequence[tuple[int, int]], joints: int) -> list[tuple[int, int, int]]:
    """Each joint with its parent (-1 of a root) and the bone to it, parents first; bones that close a ring are left."""
    near: dict[int, list[tuple[int, int]]] = {joint: [] for joint in range(joints)}
    for bone, (first, last) in enumerate(pairs):
        near[first].append((last, bone))
        near[last].append((first, bone))
    order: list[tuple[int, int, int]] = []
    seen = set[int]()
    for root in range(joints):
        waiting = deque([] if root in seen else [(root, -1, -1)])
        while waiting:
            joint, parent, through = waiting.popleft()
            if joint not in seen:
                seen.add(joint)
                order.append((joint, parent, through))
                waiting += [(other, joint, bone) for other, bone in near[joint] if other not in seen]
    return order


def _marginals(
    alone: Tensor, points: Tensor, tree: Sequence[tuple[int, int, int]], ties: Mapping[int, tuple[float, float]]
) -> Tensor:
    """Probability of each depth of each joint, `[m, g]`, by the sum-product algorithm.

    Args:
        alone: Logarithm of what each joint says by itself, `[m, g]`.
        points: `[m, g, 3]` mm.
        tree: As `_tree`.
        ties: Length and spread of bones, mm.
    """
    total, up, tied = list(alone), dict[int, Tensor](), dict[int, Tensor]()
    for joint, parent, bone in reversed(tree):
        if parent >= 0:
            length, spread = ties[bone]
            apart = torch.cdist(points[parent], points[joint])
            tied[joint] = (-0.5 * ((apart - length) / spread) ** 2).clamp(min=-FARTHEST / 2)
            up[joint] = torch.logsumexp(tied[joint] + total[joint], dim=1)
            total[parent] = total[parent] + up[joint]
    for joint, parent, _ in tree:
        if parent >= 0:
            total[joint] = total[joint] + torch.logsumexp(tied[joint] + (total[parent] - up[joint]).unsqueeze(1), dim=0)
    return torch.stack(total).softmax(dim=1)
