"""What is drawn for each sequence: its scene, where the arm comes from, and what else is in view or in the hand."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from seqgcn.utils.seeding import generator

SceneName = Literal["bare", "arm", "body", "table", "objects", "mixed"]
SCENES: tuple[SceneName, ...] = ("bare", "arm", "body", "table", "objects", "mixed")
"""What may be in view beside the hand; `"mixed"` is another one in each sequence."""

DRAWN: tuple[SceneName, ...] = ("arm", "body", "table", "objects")
"""What `"mixed"` draws from."""

ArmFrom = Literal["below", "above", "left", "right"]
HeldKind = Literal["ball", "box", "bar"]
HELD: tuple[HeldKind, ...] = ("ball", "box", "bar")

ROLLS: dict[ArmFrom, float] = {"below": 0.0, "above": 180.0, "left": 90.0, "right": -90.0}
"""How far hands are turned in the image, clockwise, for the arm to come from there, degrees."""

BELOW = 0.5
"""Share of sequences whose arm comes from below; the others share the rest."""

HOLDS = 0.25
"""Share of sequences of `"body"` and `"table"` whose hand holds something."""

SECOND = 0.4
"""Share of sequences of `"body"` in which the person's other hand is raised too."""

MOST_LYING = 3
"""Things on a table."""


class Setting(NamedTuple):
    """What one sequence shows besides the hand.

    Args:
        scene: Any but `"mixed"`.
        side: -1 for an arm whose shoulder is on the left of the image, 1 on the right.
        arm_from: Where in the image the forearm comes from.
        held: What the hand holds, if anything.
        second: Whether the person's other hand is raised too.
        lying: How many things lie on the table.
        beside: Whether two things are nearer to the camera, one on each side of the hand.
    """

    scene: SceneName
    side: float = 1.0
    arm_from: ArmFrom = "below"
    held: HeldKind | None = None
    second: bool = False
    lying: int = 0
    beside: bool = False

    @property
    def roll(self) -> float:
        """How far the hand is turned in the image, clockwise, degrees; 0 where it points up."""
        return ROLLS[self.arm_from]


def scene_of(name: SceneName, seed: int, part: str, number: int) -> SceneName:
    """Scene of one sequence. Each four sequences of a mixed part have all four, in an order drawn for these four."""
    if name != "mixed":
        return name
    block, place = divmod(number, len(DRAWN))
    order = torch.randperm(len(DRAWN), generator=generator(seed, "scenes", part, block))
    return DRAWN[int(order[place])]


def setting_of(name: SceneName, seed: int, part: str, number: int) -> Setting:
    """Setting of one sequence of a part, by the name asked for."""
    return draw_setting(scene_of(name, seed, part, number), generator(seed, "setting", part, number))


def draw_setting(scene: SceneName, draws: torch.Generator) -> Setting:
    """A setting of any scene but `"mixed"`."""
    if scene == "bare":
        return Setting(scene)
    share = torch.rand(5, generator=draws).tolist()
    # All hands drawn are right ones, and that of a person who faces the camera is on the left of the image.
    side = 1.0 if share[0] < 0.5 and scene != "body" else -1.0
    setting = Setting(scene, side, _arm_from(scene, side, share[1]))
    held = HELD[min(int(share[2] * len(HELD)), len(HELD) - 1)]
    if scene == "objects":
        # Things beside the hand, one in it, or both.
        return setting._replace(beside=share[3] < 2 / 3, held=held if share[3] > 1 / 3 else None)
    if scene == "arm":
        return setting
    setting = setting._replace(held=held if share[3] < HOLDS else None)
    if scene == "body":
        return setting._replace(second=share[4] < SECOND)
    return setting._replace(lying=int(share[4] * (MOST_LYING + 1)))


def turned(vector: Tensor, degrees: float) -> Tensor:
    """A vector `[3]` turned in the image, clockwise."""
    angle = torch.tensor(degrees).deg2rad()
    x, y, z = vector.unbind()
    return torch.stack((x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos(), z))


def _arm_from(scene: SceneName, side: float, share: float) -> ArmFrom:
    if share < BELOW:
        return "below"
    # A person's arm does not cross the body.
    aside: tuple[ArmFrom, ...] = ("left", "right")
    if scene == "body":
        aside = ("right",) if side > 0 else ("left",)
    others: tuple[ArmFrom, ...] = ("above", *aside)
    return others[min(int((share - BELOW) / (1 - BELOW) * len(others)), len(others) - 1)]
