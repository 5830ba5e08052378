"""Rendered hands: moving hands seen by a depth camera, written in the layouts of the official data sets.

Figures measured on rendered hands compare methods with each other; they say little about real cameras.
Each name is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.datasets.hands.rendering.dataset import write_dataset, write_nyu
    from seqgcn.datasets.hands.rendering.kinematics import Hand, HandPose
    from seqgcn.datasets.hands.rendering.motion import Stage, film
    from seqgcn.datasets.hands.rendering.raycast import render_depth
    from seqgcn.datasets.hands.rendering.scenes import drawn_scenes
    from seqgcn.datasets.hands.rendering.sensor import SENSORS, Sensor
    from seqgcn.datasets.hands.rendering.settings import SCENES
    from seqgcn.datasets.hands.rendering.spheres import hand_spheres, nyu_spheres

VERSION = 1
"""Of what is rendered; with another number the same arguments give other frames."""

RENDERED = "RENDERED.txt"
"""File beside the official ones that says what they are, so that no figure passes for one on real frames."""

__all__ = [
    "RENDERED",
    "SCENES",
    "SENSORS",
    "VERSION",
    "Hand",
    "HandPose",
    "Sensor",
    "Stage",
    "drawn_scenes",
    "film",
    "hand_spheres",
    "nyu_spheres",
    "render_depth",
    "write_dataset",
    "write_nyu",
]

_MODULES = {
    "SCENES": "settings",
    "SENSORS": "sensor",
    "Hand": "kinematics",
    "HandPose": "kinematics",
    "Sensor": "sensor",
    "Stage": "motion",
    "drawn_scenes": "scenes",
    "film": "motion",
    "hand_spheres": "spheres",
    "nyu_spheres": "spheres",
    "render_depth": "raycast",
    "write_dataset": "dataset",
    "write_nyu": "dataset",
}

__getattr__, __dir__ = lazy(__name__, _MODULES)
