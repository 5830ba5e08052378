"""One look at every frame of a data set."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from seqgcn.datasets.hands.cache import in_threads
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.exceptions import DataFileError
from seqgcn.training import Progress

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

T = TypeVar("T")


def look_at_frames(
    hands: "HandDataset", look: Callable[[DepthImage, int], T], progress: Progress | None, stage: str = "hands"
) -> list[T | None]:
    """What is seen in each frame; None in one that cannot be read.

    Args:
        hands: The frames.
        look: Called with each frame and its number, in several threads.
        progress: Told about them.
        stage: Name of the stage that it is told.

    Raises:
        DataFileError: A frame cannot be read, and the data set is not lenient.
    """
    return [each for block in look_in_blocks(hands, look, progress, stage) for each in block]


def look_in_blocks(
    hands: "HandDataset",
    look: Callable[[DepthImage, int], T],
    progress: Progress | None,
    stage: str = "hands",
    start: int = 0,
) -> Iterator[list[T | None]]:
    """The same, some frames at a time, in their order: for what is too large to be kept of all frames.

    Args:
        hands: The frames.
        look: Called with each frame and its number, in several threads.
        progress: Told about them.
        stage: Name of the stage that it is told.
        start: First frame to look at.

    Raises:
        DataFileError: A frame cannot be read, and the data set is not lenient.
    """

    def one(i: int) -> T | None:
        try:
            image = hands.depth(i)
        except DataFileError:
            if not hands.lenient:
                raise
            return None
        return look(image, i)

    done = start
    for block in in_threads(lambda i: one(start + i), len(hands) - start):
        done += len(block)
        yield block
        if progress is not None:
            progress(stage, done, len(hands))
