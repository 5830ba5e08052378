"""What is in view beside the hand: its forearm, a person behind it, a table, things nearer to the camera.

Nothing here moves the hand or covers it: frames of all scenes have the same hands and labels.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from seqgcn.datasets.hands.rendering import RENDERED
from seqgcn.datasets.hands.rendering.clutter import Clutter
from seqgcn.datasets.hands.rendering.limbs import forearm
from seqgcn.datasets.hands.rendering.motion import MARGIN, Stage
from seqgcn.datasets.hands.rendering.solids import Box, Cone, Ellipsoid, Solid, nearer, solids_depth
from seqgcn.errors import DataFileError
from seqgcn.seeding import generator

SceneName = Literal["bare", "arm", "body", "table", "objects", "mixed"]
SCENES: tuple[SceneName, ...] = ("bare", "arm", "body", "table", "objects", "mixed")
DRAWN: tuple[SceneName, ...] = ("arm", "body", "table", "objects")
"""What `"mixed"` draws from."""


def default_scene(layout: str) -> SceneName:
    """`"mixed"` for a lab's own layout, `"bare"` for those of releases, whose frames are mostly cut out already."""
    return "mixed" if layout == "depth-folder" else "bare"


def scene_of(name: SceneName, seed: int, part: str, number: int) -> SceneName:
    """Scene of one sequence. Each four sequences of a mixed part have all four, in an order drawn for these four."""
    if name != "mixed":
        return name
    block, place = divmod(number, len(DRAWN))
    order = torch.randperm(len(DRAWN), generator=generator(seed, "scenes", part, block))
    return DRAWN[int(order[place])]


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


def scene_depths(
    name: SceneName, stage: Stage, joints: Tensor, scale: float, draws: torch.Generator
) -> Iterator[Tensor | None]:
    """Depth of everything beside the hand, frame by frame.

    Args:
        name: Any but `"mixed"`.
        stage: Where the hand moves.
        joints: Of one sequence, finger-major, `[n, 21, 3]` mm.
        scale: Of the hand's flesh.
        draws: CPU generator of this sequence alone.

    Yields:
        n images, `[h, w]` float32 mm, 0 where there is nothing; `None` for a bare hand.
    """
    if name == "bare":
        for _ in joints:
            yield None
        return
    side = 1.0 if float(torch.rand((), generator=draws)) < 0.5 else -1.0
    still: list[Solid] = []
    clutter = None
    if name == "body":
        still, arm = _person(stage, side, draws)
    elif name == "table":
        still, arm = _table(stage, side, draws)
    else:
        # The shoulder is below the image.
        shoulder = torch.tensor([250 * side, 1.2 * _lowest(stage) + 100, stage.far + 150])
        arm = _Arm(torch.tensor([0.4 * side, 0.5, 0.5]), shoulder)
        clutter = Clutter.draw(len(joints), draws) if name == "objects" else None
    # What stands still is seen once.
    background = solids_depth(still, stage.camera)
    for i, pose in enumerate(joints):
        depth = nearer(solids_depth(arm.solids(pose, scale), stage.camera), background)
        yield depth if clutter is None else nearer(clutter.depth(i, pose, scale, stage.camera), depth)


def _lowest(stage: Stage) -> float:
    """Where the image's lower edge is at the stage's far end, mm below its center."""
    return (stage.camera.height - 1 - stage.camera.cy) / stage.camera.fy * stage.far


def _person(stage: Stage, side: float, draws: torch.Generator) -> tuple[list[Solid], _Arm]:
    """Torso and head 180 to 230 mm behind where the hand can be, with one shoulder for its arm."""
    share = torch.rand(4, generator=draws).tolist()
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
        # The other arm hangs.
        Cone(place(-side * 185, -165, 5), place(-side * 225, 90, -10), (52 * size, 42 * size)),
        Cone(place(-side * 225, 90, -10), place(-side * 215, 320, -90), (42 * size, 30 * size)),
    ]
    return solids, _Arm(torch.tensor([0.5 * side, 0.5, 0.7]), shoulder=place(side * 185, -165, 0))


def _table(stage: Stage, side: float, draws: torch.Generator) -> tuple[list[Solid], _Arm]:
    """A table's top, seen 40 to 65 degrees from above, as near as hands anywhere on the stage allow."""
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
    top = Box(middle, torch.stack((right, forward, normal)), half)
    # Of someone who stands on the camera's side of the table.
    shoulder = torch.tensor([250 * side, lowest + 150, stage.near])
    return [top], _Arm(torch.tensor([0.4 * side, 0.9, 0.0]), shoulder, top=(normal, level))
