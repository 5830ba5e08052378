"""What is in view beside the hand: its arm, a person behind it, a table, things beside it and in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.rendering import RENDERED
from seqgcn.datasets.hands.rendering.clutter import FLESH, Clutter, beside, other_hand
from seqgcn.datasets.hands.rendering.held import Held
from seqgcn.datasets.hands.rendering.limbs import forearm
from seqgcn.datasets.hands.rendering.motion import MARGIN, Stage
from seqgcn.datasets.hands.rendering.raycast import render_depth
from seqgcn.datasets.hands.rendering.settings import SCENES, SceneName, Setting, turned
from seqgcn.datasets.hands.rendering.solids import Box, Cone, Ellipsoid, Solid, nearer, solids_depth
from seqgcn.datasets.hands.rendering.spheres import hand_spheres
from seqgcn.exceptions import DataFileError


def default_scene(layout: str) -> SceneName:
    """`"mixed"` for a lab's own layout, `"bare"` for those of releases, whose frames are mostly cut out already."""
    return "mixed" if layout == "depth-folder" else "bare"


def drawn_scenes(folder: str | Path) -> dict[tuple[str, int], SceneName]:
    """Scene of each sequence of a rendered folder, by part (`"train"` or `"test"`) and number from 1; none if bare.

    Raises:
        DataFileError: The folder was not rendered, or its `RENDERED.txt` was changed.
    """
    file = Path(folder) / RENDERED
    try:
        rows = file.read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeError) as error:
        raise DataFileError(f"{file} cannot be read: {error}; name a folder that `seqgcn render` wrote") from error
    scenes: dict[tuple[str, int], SceneName] = {}
    known = {str(scene): scene for scene in SCENES}
    for line, row in enumerate(rows, 2):
        part, number, scene = row.split() if len(row.split()) == 3 else ("", "", "")
        if not number.isdecimal() or scene not in known:
            raise DataFileError(
                f"{file}, line {line}: expected a part, a number and a scene, got {row!r}; render again"
            )
        scenes[part, int(number)] = known[scene]
    return scenes


class _Arm(NamedTuple):
    """How an arm is held.

    Args:
        bend: Added to the direction from the palm through the wrist, `[3]`; the arm comes from where it points to.
        shoulder: Where the upper arm ends, `[3]` mm.
        top: Normal of a table's top and how far this is from the camera, if there is one.
    """

    bend: Tensor
    shoulder: Tensor
    top: tuple[Tensor, float] | None = None

    def solids(self, pose: Tensor, scale: float) -> list[Solid]:
        """Around one pose, `[21, 3]` mm."""
        return forearm(pose, scale, self.bend, self.shoulder, self.top)


class _OtherHand(NamedTuple):
    """The left hand of the person whose right one is labeled, level with it or somewhat behind.

    Args:
        hands: Joints around 0, `[n, 21, 3]` mm.
        side: Of the image on which it is.
        behind: Of the other hand's middle, mm.
        high: Of the image's height, where it is.
        arm: Its arm.
    """

    hands: Tensor
    side: float
    behind: float
    high: float
    arm: _Arm

    def depth(self, i: int, pose: Tensor, scale: float, stage: Stage) -> Tensor:
        """Depth of it and its arm in frame i, `[h, w]` mm, 0 where there is nothing; `pose` of the other hand."""
        own = self.hands[i] * scale
        z = float(pose[:, 2].mean()) + self.behind
        balls = own.double(), torch.full((len(own),), FLESH * scale).double()
        joints = own + beside(balls, self.side, z, self.high, pose, scale, stage.camera)
        arm = solids_depth(self.arm.solids(joints, scale), stage.camera)
        return nearer(render_depth(*hand_spheres(joints, scale, forearm=False), stage.camera), arm)


def scene_depths(
    setting: Setting, stage: Stage, joints: Tensor, scale: float, draws: torch.Generator
) -> Iterator[Tensor | None]:
    """Depth of everything beside the hand, frame by frame.

    Args:
        setting: What there is.
        stage: Where the hand moves.
        joints: Of one sequence, finger-major, `[n, 21, 3]` mm.
        scale: Of the hand's flesh.
        draws: CPU generator of this sequence alone.

    Yields:
        n images, `[h, w]` float32 mm, 0 where there is nothing; `None` for a bare hand.
    """
    if setting.scene == "bare":
        for _ in joints:
            yield None
        return
    still: list[Solid] = []
    other = None
    if setting.scene == "body":
        still, arm, second = _person(stage, setting, draws)
        if setting.second:
            other = _other(second, setting, len(joints), draws)
    elif setting.scene == "table":
        still, arm = _table(stage, setting, draws)
    else:
        arm = _Arm(_bend(setting, 0.4, 0.5, 0.5), _outside(stage, setting, stage.far + 150))
    clutter = Clutter.draw(len(joints), draws) if setting.beside else None
    held = None if setting.held is None else Held.draw(setting.held, joints[0], scale, draws)
    # What stands still is seen once.
    background = solids_depth(still, stage.camera)
    for i, pose in enumerate(joints):
        solids = arm.solids(pose, scale) + ([] if held is None else held.solids(pose))
        depth = nearer(solids_depth(solids, stage.camera), background)
        if other is not None:
            depth = nearer(other.depth(i, pose, scale, stage), depth)
        yield depth if clutter is None else nearer(clutter.depth(i, pose, scale, stage.camera), depth)


def _bend(setting: Setting, right: float, down: float, away: float) -> Tensor:
    """A bend for an arm from below with its shoulder on the right, as this setting has it, `[3]`."""
    return turned(torch.tensor([right * setting.side, down, away]), setting.roll)


def _lowest(stage: Stage) -> float:
    """Where the image's lower edge is at the stage's far end, mm below its center."""
    return (stage.camera.height - 1 - stage.camera.cy) / stage.camera.fy * stage.far


def _outside(stage: Stage, setting: Setting, z: float) -> Tensor:
    """A shoulder that is out of the image, where the arm comes from, `[3]` mm."""
    camera, beyond = stage.camera, 1.2 * _lowest(stage) + 100
    if setting.arm_from in ("left", "right"):
        beyond = 1.2 * (camera.width - 1 - camera.cx) / camera.fx * stage.far + 100
    return turned(torch.tensor([250 * setting.side, beyond, z]), setting.roll)


def _person(stage: Stage, setting: Setting, draws: torch.Generator) -> tuple[list[Solid], _Arm, _Arm]:
    """Torso and head 180 to 230 mm behind where the hand can be, the hand's arm and the other one."""
    share, side = torch.rand(4, generator=draws).tolist(), setting.side
    x, y = 120 * (share[0] - 0.5), 150 + 120 * share[1]
    # The chest's front is 115 mm before its middle; hands reach MARGIN before and behind theirs at the least.
    z = stage.far + 180 + 50 * share[2] + 115
    size = 0.95 + 0.1 * share[3]
    middle = torch.tensor([x, y, z])

    def place(right: float, down: float, away: float) -> Tensor:
        offset: Tensor = size * torch.tensor([right, down, away])
        return middle + offset

    solids: list[Solid] = [
        Ellipsoid(middle, size * torch.tensor([175.0, 300.0, 115.0])),
        Ellipsoid(place(0, -90, 0), size * torch.tensor([185.0, 150.0, 112.0])),
        Ellipsoid(place(0, -390, -10), size * torch.tensor([76.0, 110.0, 95.0])),
        Cone(place(0, -385, -100), place(0, -365, -112), (9 * size, 13 * size)),
        Cone(place(0, -330, 15), place(0, -200, 20), (55 * size, 62 * size)),
        *(Cone(place(0, -200, 10), place(s * 165, -170, 10), (66 * size, 58 * size)) for s in (-1, 1)),
    ]
    if not setting.second:
        solids += [
            # The other arm hangs.
            Cone(place(-side * 185, -165, 5), place(-side * 225, 90, -10), (52 * size, 42 * size)),
            Cone(place(-side * 225, 90, -10), place(-side * 215, 320, -90), (42 * size, 30 * size)),
        ]
    arms = [_Arm(torch.tensor([0.5 * s, 0.5, 0.7]), shoulder=place(s * 185, -165, 0)) for s in (side, -side)]
    return solids, arms[0], arms[1]


def _other(arm: _Arm, setting: Setting, frames: int, draws: torch.Generator) -> _OtherHand:
    share = torch.rand(2, generator=draws).tolist()
    return _OtherHand(other_hand(frames, draws), -setting.side, -20 + 120 * share[0], 0.3 + 0.4 * share[1], arm)


def _table(stage: Stage, setting: Setting, draws: torch.Generator) -> tuple[list[Solid], _Arm]:
    """A table's top with things on it, seen 40 to 65 degrees from above, as near as hands on the stage allow."""
    share = torch.rand(3, generator=draws)
    down = (40 + 25 * share[0]).deg2rad()
    lowest = _lowest(stage)
    # Towards the camera: the top is where normal.x = -level, and all hands are above it.
    normal = torch.stack((torch.zeros(()), -down.cos(), -down.sin()))
    level = float(down.cos() * lowest + down.sin() * (stage.far + 3 * MARGIN) + 30 * share[1])
    forward = torch.stack((torch.zeros(()), -down.sin(), down.cos()))
    right = torch.tensor([1.0, 0, 0])
    # Where the camera looks at it, and its far edge somewhat behind that.
    seen = torch.tensor([0.0, 0.0, level / float(down.sin())])
    half = torch.tensor([650.0, 450.0, 15.0])
    middle = seen - half[2] * normal + (150 * float(share[2]) - 150) * forward
    solids: list[Solid] = [Box(middle, torch.stack((right, forward, normal)), half)]
    solids += [_lying(seen, right, forward, normal, each) for each in torch.rand((setting.lying, 5), generator=draws)]
    if setting.arm_from == "below":
        # Of someone who stands on the camera's side of the table.
        shoulder = torch.tensor([250 * setting.side, lowest + 150, stage.near])
    else:
        shoulder = _outside(stage, setting, stage.far)
    return solids, _Arm(_bend(setting, 0.4, 0.9, 0.0), shoulder, top=(normal, level))


def _lying(seen: Tensor, right: Tensor, forward: Tensor, normal: Tensor, share: Tensor) -> Solid:
    """A box, bar or ball on a table's top, at most 55 mm high so that it is below all hands."""
    on = seen + (500 * share[0] - 250) * right + (300 * share[1] - 150) * forward
    height = 10 + 17 * float(share[2])
    angle = float(share[3]) * torch.pi
    along = right * torch.tensor(angle).cos() + forward * torch.tensor(angle).sin()
    middle = on + height * normal
    kind = int(share[4] * 3)
    if kind == 0:
        return Box(
            middle,
            torch.stack((along, torch.linalg.cross(normal, along), normal)),
            torch.tensor([30.0 + 3 * height, 60.0 - height, height]),
        )
    if kind == 1:
        return Cone(middle - 70 * along, middle + 70 * along, (height, height))
    return Ellipsoid(middle, torch.full((3,), height))
