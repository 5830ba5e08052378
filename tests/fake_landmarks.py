"""A landmark model that is not there: hands are where a test says."""

from collections.abc import Callable
from typing import Any

import pytest

from seqgcn.datasets.hands.landmarks.search import Placed


class NoModel:
    """Takes the place of a model that is loaded."""

    def close(self) -> None:
        pass


def see_landmarks(patch: pytest.MonkeyPatch, find: Callable[[tuple[float, float, float]], Placed | None]) -> None:
    """Have mediapipe installed, and see in each frame what `find` says of the center of its crop."""

    def found(_look: Any, _image: Any, _camera: Any, center: tuple[float, float, float], _cube: float) -> Placed | None:
        return find(center)

    patch.setattr("seqgcn.datasets.hands.landmarks.store.LandmarkModel", NoModel)
    patch.setattr("seqgcn.datasets.hands.landmarks.store.find_joints", found)
    for user in ("learners.landmarks", "rounds.first_joints", "rounds.select_round"):
        patch.setattr(f"seqgcn.{user}.detector_available", lambda: True)


def lack_landmarks(patch: pytest.MonkeyPatch) -> None:
    """Have no mediapipe, whatever is installed."""
    for user in ("learners.landmarks", "rounds.first_joints", "rounds.select_round"):
        patch.setattr(f"seqgcn.{user}.detector_available", lambda: False)
