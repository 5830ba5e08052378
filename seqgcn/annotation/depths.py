"""How far away a marked joint is: annotators click in a picture, which says nothing about depth.

The depth map gives the skin, not the bone, and nothing for a joint that is hidden. Which of the sources below answered
is recorded for each joint.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from seqgcn.annotation.annotations import printable
from seqgcn.annotation.preview import Preview, surface_at
from seqgcn.datasets.data_files import open_csv
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.skin import BEHIND_SKIN as BEHIND_SKIN
from seqgcn.datasets.hands.skin import ELSEWHERE, behind_skin
from seqgcn.datasets.hands.text_rows import coordinate
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError
from seqgcn.utils.validation import check_number


class Mark(NamedTuple):
    """A joint that was marked.

    Args:
        joint: Its number.
        u: px from the left of the sensor.
        v: px from its top.
        hidden: Whether it was said to be hidden.
    """

    joint: int
    u: float
    v: float
    hidden: bool


class DepthSource(Protocol):
    """Where depths come from."""

    name: str

    def depth(self, preview: Preview, mark: Mark) -> "float | Depth | str":
        """Depth of a joint that was marked in a frame, mm, or why there is none."""


class Prediction:
    """The depth that the network predicted for the joint."""

    name = "prediction"

    def depth(self, preview: Preview, mark: Mark) -> float | str:
        """Depth of a joint, mm, or why there is none."""
        predicted = preview.predicted[mark.joint]
        return "no prediction" if predicted is None else predicted.d


class Surface:
    """The depth map: the median around the place, and how far the joint lies behind the skin.

    The offset, along the camera's axis, is `BEHIND_SKIN` by the last word of the joint's name that is in it (6 mm for
    tips to 14 mm for the wrist; `index tip`, `INDEX_TIP` and `indexTip1` are all tips), and 9 mm if none is.

    Args:
        hands: Has the frames.
        offsets: mm by joint, instead of the default's.
        skeleton: Joints that are marked; by default those of the data set.

    Raises:
        ArgumentError: An offset is no number from 0 to 100, or of an unknown joint.
    """

    name = "surface+offset"

    def __init__(
        self, hands: HandDataset, offsets: Mapping[str, float] | None = None, *, skeleton: Skeleton | None = None
    ) -> None:
        given, joints = dict(offsets or {}), (skeleton or hands.skeleton).joints
        unknown = sorted(set(given) - set(joints))
        if unknown:
            raise ArgumentError(f"offsets: {', '.join(unknown)} is no joint; the joints are {', '.join(joints)}")
        for joint, offset in given.items():
            check_number(f"offset of {joint}", offset, low=0, high=100)
        self.offsets = tuple(given.get(joint, behind_skin(joint) or ELSEWHERE) for joint in joints)
        self._hands = hands
        self._place = {item: i for i, item in enumerate(hands.files)}
        self._last: tuple[str, DepthImage] | None = None

    def depth(self, preview: Preview, mark: Mark) -> float | str:
        """Depth of a joint, mm, or why there is none."""
        if mark.hidden:
            return "hidden, so that the depth map shows something else there"
        skin = self.skin(preview, mark)
        return "nothing of the hand was measured there" if skin is None else skin + self.offsets[mark.joint]

    def skin(self, preview: Preview, mark: Mark) -> float | None:
        """Depth of what was measured around a place, mm; None if nothing of the hand was."""
        if self._last is None or self._last[0] != preview.item:
            if preview.item not in self._place:
                raise DataFileError(
                    f"{self._hands.root / preview.item} was handed off, but is no longer in the data set"
                )
            self._last = (preview.item, self._hands.depth(self._place[preview.item]))
        return surface_at(self._last[1], mark.u, mark.v, preview.near, preview.far)


class Column:
    """Depths that were written down.

    Args:
        depths: mm by frame (its path, or the name of its preview) and joint.
        skeleton: Names the joints.
    """

    name = "column"

    def __init__(self, depths: Mapping[tuple[str, str], float], skeleton: Skeleton) -> None:
        self._depths, self._joints = depths, skeleton.joints

    def depth(self, preview: Preview, mark: Mark) -> float | str:
        """Depth of a joint, mm, or why there is none."""
        for frame in (preview.item, preview.name):
            if (frame, self._joints[mark.joint]) in self._depths:
                return self._depths[frame, self._joints[mark.joint]]
        return "the column has no depth for it"


class Depth(NamedTuple):
    """A joint's depth.

    Args:
        mm: Along the camera's axis.
        source: Name of the `DepthSource`, or of what it went by.
        error: How far off it is expected to be, mm, where that is known.
        unsure: Why it is not to be believed, if it is not.
    """

    mm: float
    source: str
    error: float | None = None
    unsure: str = ""


def find_depth(sources: Sequence[DepthSource], preview: Preview, mark: Mark) -> Depth | str:
    """Depth from the first source that has one, or why none has."""
    reasons = []
    for source in sources:
        found = source.depth(preview, mark)
        if not isinstance(found, str):
            return found if isinstance(found, Depth) else Depth(found, source.name)
        reasons.append(f"{source.name}: {found}")
    return "; ".join(reasons)


def read_depths(path: str | Path) -> dict[tuple[str, str], float]:
    """Depths, mm, by frame and joint, of a CSV file with the header ``frame,joint,depth``.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It is no such file, or a line has no positive depth or names a joint of a frame again.
    """
    if not os.path.isfile(path):
        raise MissingFileError(f"{path} is missing or not a regular file")
    depths: dict[tuple[str, str], float] = {}
    with open_csv(Path(path)) as rows:
        if [name.strip() for name in next(rows, [])] != ["frame", "joint", "depth"]:
            raise DataFileError(f"{path}, line 1 must be frame,joint,depth")
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != 3:
                raise DataFileError(f"{where} has {len(row)} cells, the header 3")
            key, depth = (row[0].strip(), row[1].strip()), coordinate(row[2].strip(), where)
            if depth <= 0 or key in depths:
                wrong = "is not in front of the camera" if depth <= 0 else "was given before"
                raise DataFileError(f"{where}: the depth of {printable(key[1])} in {printable(key[0])} {wrong}")
            depths[key] = depth
    return depths
