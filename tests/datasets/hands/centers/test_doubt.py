"""Crops that are likely wrong end a command before anything is trained on them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hand_releases import save_grey
from hand_scenes import CAMERA, Scene

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.doubt import check_mass, goes_beyond
from seqgcn.datasets.hands.crop import FULL_SCALE
from seqgcn.exceptions import DataFileError


def _crop(*boxes: tuple[slice, slice]) -> np.ndarray:
    crop = np.full((1, 32, 32), FULL_SCALE, np.int16)
    for rows, columns in boxes:
        crop[0, rows, columns] = 0
    return crop


@pytest.mark.parametrize(
    ("boxes", "beyond"),
    [
        ([(slice(8, 24), slice(8, 24))], False),  # a hand
        ([(slice(8, 24), slice(8, 24)), (slice(24, 32), slice(11, 21))], False),  # with a forearm
        ([(slice(8, 24), slice(8, 24)), (slice(22, 32), slice(22, 32))], False),  # that leaves at a corner
        ([(slice(8, 32), slice(0, 32))], True),  # a chest below a head
        ([(slice(0, 32), slice(0, 32))], True),  # a wall
        ([(slice(20, 32), slice(0, 32))], False),  # the edge of a table
    ],
)
def test_what_goes_on_beyond_the_cube_is_no_hand(boxes: list[tuple[slice, slice]], beyond: bool) -> None:
    assert goes_beyond(_crop(*boxes)).tolist() == [beyond]


def _folder(root: Path, people: int, hands: int) -> DepthFolder:
    root.mkdir()
    camera = {"fx": CAMERA.fx, "fy": CAMERA.fy, "cx": CAMERA.cx, "cy": CAMERA.cy, "cube": 250, "joints": ["palm"]}
    (root / "camera.yaml").write_text(json.dumps(camera), encoding="utf-8")
    hand = Scene().hand(-120, 0, 500)
    person = Scene().torso(800).hand(-120, 0, 500).forearm(-120, 0, 500, 75)
    for i in range(people + hands):
        save_grey(root / f"a/{i}.png", (person if i < people else hand).frame().astype(np.uint16))
    return DepthFolder(root, "all", options=CropOptions(size=32, crop="mass", cache=root.parent / "cache"))


def about_mass(messages: list[str]) -> list[str]:
    return [message for message in messages if "crops by mass" in message]


def test_most_crops_by_mass_on_chests_end_the_command(tmp_path: Path, messages: list[str]) -> None:
    hands = _folder(tmp_path / "lab", people=2, hands=1)
    with pytest.raises(DataFileError, match=r"2 of 3(?s:.*)a/0\.png, a/1\.png(?s:.*)--accept-crops"):
        check_mass(hands, False)
    check_mass(hands, True)
    assert len(about_mass(messages)) == 2


def test_a_few_are_said(tmp_path: Path, messages: list[str]) -> None:
    check_mass(_folder(tmp_path / "lab", people=1, hands=2), False)
    (message,) = about_mass(messages)
    assert "1 of 3" in message


def test_hands_alone_are_nothing_to_speak_of(tmp_path: Path, messages: list[str]) -> None:
    check_mass(_folder(tmp_path / "lab", people=0, hands=2), False)
    assert not about_mass(messages)
