"""Rounds that ask for one click a frame: the middle of the palm, in pictures of whole frames.

Nothing has to be labeled for that, and no network for poses is trained. Frames are described by thumbnails of their
whole depth and by how doubtful the hand is that was found in them, so that what covers the thumbnails covers doubtful
frames too. What is clicked goes into a file of centers (`click_import`).
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqgcn.annotation import PALM, WholeFrame, write_tasks
from seqgcn.annotation.tasks import LOCAL_FILES
from seqgcn.config.select import CENTER, DEPTH_FRAMES, SelectConfig
from seqgcn.datasets.hands.centers.files import read_center_file
from seqgcn.datasets.hands.centers.found import SOURCES, Centers
from seqgcn.datasets.hands.centers.grid import COLUMNS, ROWS, shrink
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.folder_splits import FolderSplits
from seqgcn.datasets.hands.hand_dataset import HandDataset, in_words
from seqgcn.datasets.hands.looking import look_at_frames
from seqgcn.datasets.registry import dataset_maker
from seqgcn.exceptions import ConfigError, DataFileError
from seqgcn.rounds.exports import TASKS
from seqgcn.rounds.inputs import RoundPool, check_lists, labelled_hands, list_hands, short_hash
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.validation import name_some

CELL = 6
"""Cells of the localizer's grid along the side of one of a thumbnail."""

TOLD = (
    "Click the middle of the palm (of the back of the hand, if that is what you see) of the hand to be annotated. "
    "A point that is there already is a guess: move it, or submit it if it is right. No hand: say so, or skip."
)
"""What annotators read above each picture."""

UNREADABLE = 0.1
"""Share of frames that cannot be read from which on that is an error."""


def pool_of_clicks(config: SelectConfig, parameters: Mapping[str, Any], *, progress: Progress | None) -> RoundPool:
    """Whole frames, of which those with a center or a pose count as labeled; nothing is cropped.

    Args:
        config: Which data set, and what is labeled.
        parameters: The data set's own.
        progress: Told about the frames, as stages `"thumbnails"` and `"hands"`.

    Raises:
        ConfigError: The data set has no depth frames in files, or the file of centers does not name its frames.
        DataFileError: A file cannot be used, or more than a tenth of the frames cannot be read.
    """
    assert config.dataset is not None  # noqa: S101  # for mypy
    dataset = dataset_maker(config.dataset, config.root)(**parameters)
    if not isinstance(dataset, FolderSplits):
        raise ConfigError(
            f"--ask {CENTER} is for data sets of depth frames in files ({', '.join(DEPTH_FRAMES)}), not for "
            f"{config.dataset}"
        )
    hands, listed = list_hands(config, dataset)
    _check_names(dataset.centers, hands)
    if hands.skipped:
        log.info(f"{hands.name}: {len(hands):,} frames; left out: {in_words(hands.skipped)}")
    check_lists(config, hands.files)
    labelled = labelled_hands(hands, listed)
    hands.learn_from(labelled)
    x, read = thumbnails(hands, progress)
    unfit = _unfit(hands, x, read)
    found = hands.find(progress)
    log.info(f"{hands.name}: {found.summary()}")
    known = torch.from_numpy(found.source == SOURCES.index("file")) & found.points.isfinite().all(dim=1)
    known[labelled] = True
    return RoundPool(
        name=dataset.name,
        items=hands.files,
        labelled=known.nonzero().flatten(),
        x=with_doubt(x, found),
        frames=hands,
        centers=found,
        unfit=unfit,
        fingerprint=short_hash(hands.camera_key(), labelled.tolist(), _digest(x), _digest(found.points)),
    )


def thumbnails(hands: HandDataset, progress: Progress | None = None) -> tuple[Tensor, NDArray[np.bool_]]:
    r"""What describes whole frames: how near what was measured is, in cells of a coarse grid.

    A cell is the mean over its pixels of :math:`(\text{far} - z) / (\text{far} - \text{near})`, 0 for what was not
    measured or lies outside of the two depths. Frames of all cameras have one size.

    Args:
        hands: The frames.
        progress: Told about them, as stage `"thumbnails"`.

    Returns:
        `[n, 192]` float32, 0 to 1, and which frames could be read, `[n]` bool.

    Raises:
        DataFileError: A frame cannot be read, and the data set is not lenient.
    """
    near, far = hands.options.near, hands.options.far

    def look(image: DepthImage, i: int) -> NDArray[np.float32]:
        depth = shrink(image, hands.camera_of(i)).astype(np.float32)
        nearness = np.where((depth > 0) & (depth >= near) & (depth <= far), (far - depth) / (far - near), 0)
        blocks = nearness.reshape(ROWS // CELL, CELL, COLUMNS // CELL, CELL)
        return np.asarray(blocks.mean(axis=(1, 3)).ravel(), np.float32)

    seen = look_at_frames(hands, look, progress, "thumbnails")
    blank = np.zeros(ROWS * COLUMNS // CELL**2, np.float32)
    x = np.stack([blank if each is None else each for each in seen])
    return torch.from_numpy(x), np.array([each is not None for each in seen])


def with_doubt(x: Tensor, found: Centers) -> Tensor:
    """Thumbnails and, as one more coordinate, how doubtful each center is, as far spread as frames are.

    The most doubtful frame is as far from the surest as a frame is from the mean of all, in the root mean square.

    Args:
        x: `[n, d]`.
        found: The centers, n.

    Returns:
        `[n, d + 1]`.
    """
    spread = (x - x.mean(dim=0)).square().sum(dim=1).mean().sqrt()
    doubt = 1 - found.confidence.nan_to_num(0).clamp(0, 1)
    return torch.cat((x, (spread * doubt).unsqueeze(1)), dim=1)


def hand_off_clicks(
    folder: Path,
    pool: RoundPool,
    index: Tensor,
    score: Tensor,
    progress: Progress | None,
    image_prefix: str = LOCAL_FILES,
) -> None:
    """Write what labeling tools take: pictures of whole frames, and tasks of one point, where a hand was found.

    Args:
        folder: Of the round.
        pool: The frames.
        index: Numbers of the picks, best first, `[b]`.
        score: Theirs, `[b]`.
        progress: Told about every frame.
        image_prefix: What stands before the names of the pictures in the tasks of Label Studio.
    """
    hands, centers = pool.frames, pool.centers
    assert hands is not None  # noqa: S101  # for mypy
    assert centers is not None  # noqa: S101
    frames = [
        WholeFrame(
            item=hands.files[i],
            depth=partial(hands.depth, i),
            near=hands.options.near,
            far=hands.options.far,
            center=centers.points[i],
            confidence=float(centers.confidence[i].nan_to_num(0).clamp(0, 1)),
            score=float(score[rank]),
        )
        for rank, i in enumerate(index.tolist())
    ]
    cameras = [hands.camera_of(i) for i in index.tolist()]
    write_tasks(
        folder / TASKS,
        frames,
        cameras,
        PALM,
        told=TOLD,
        absent=True,
        image_prefix=image_prefix,
        progress=progress,
    )


def _check_names(centers: str | None, hands: HandDataset) -> None:
    """Refuse centers without names: no further ones could be added to them."""
    if centers is None:
        return
    cameras = [hands.camera_of(i) for i in range(len(hands))]
    if read_center_file(centers, hands.files, cameras, root=hands.root).header is None:
        raise ConfigError(
            f"dataset.centers: {centers} does not name its frames, so that no center can be added to it; name them, "
            "with the header frame,x,y,z"
        )


def _unfit(hands: HandDataset, x: Tensor, read: NDArray[np.bool_]) -> Tensor:
    """Frames in which nothing can be clicked, `[n]` bool: they cannot be read, or nothing was measured in range."""
    lost = np.flatnonzero(~read).tolist()
    if lost:
        names = name_some([hands.files[i] for i in lost])
        what = f"{hands.name}: {len(lost):,} of {len(hands):,} frames cannot be read"
        if len(lost) > UNREADABLE * len(hands):
            raise DataFileError(f"{what}, more than a tenth: {names}")
        log.warning(f"{what} and are not asked for: {names}")
    black = (x == 0).all(dim=1) & torch.from_numpy(read)
    if black.any():
        names = name_some([hands.files[i] for i in black.nonzero().flatten().tolist()])
        log.warning(
            f"{hands.name}: {int(black.sum()):,} of {len(hands):,} frames have no depth from {hands.options.near:g} to "
            f"{hands.options.far:g} mm (near, far) and are not asked for: {names}"
        )
    return black | torch.from_numpy(~read)


def _digest(values: Tensor) -> str:
    return short_hash(values.contiguous().numpy().tobytes())
