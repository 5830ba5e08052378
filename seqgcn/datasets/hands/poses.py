"""Hand pose data sets as the loop takes them: a pool to label from and a test part, cropped by the same rule."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from seqgcn.datasets.hands.centers.doubt import check_crops, check_mass
from seqgcn.datasets.hands.crop_options import Crop
from seqgcn.datasets.hands.hand_dataset import CropOptions, HandDataset, HandFrames, in_words
from seqgcn.datasets.hands.rendering import RENDERED
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_whole

Part = Literal["train", "test"]

_SIZE: Mapping[Part, str] = {"train": "pool", "test": "test"}


@dataclass(frozen=True, eq=False)
class PosePart:
    """Frames of one part with their poses.

    Args:
        inputs: What learners see, n frames.
        targets: Poses, `[n, J, 3]` float32, mm.
        files: Path of each frame as in the release.
    """

    inputs: HandFrames
    targets: Tensor
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(kw_only=True, eq=False)
class PoseDataset(ABC):
    """A pool and a test part of hand frames; labels are read, and crops made, by `prepare`.

    Args:
        crop_size: Pixels along a crop's side.
        train_centres: File of the pool's centres, a line x y z in mm for each row of its labels; by default centres
            of mass. HANDS17 and depth folders have one file for all frames: name it twice.
        test_centres: The same for the test part; give both or neither.
        oracle_centres: Centre crops on the true joints. It tells selectors about labels they must not know.
        near: Nearest depth at which a hand may be, mm; the default takes all that was measured.
        far: Farthest depth at which it may be, mm; the default is an arm's length before a person at a desk.
        skip_empty: Leave out, and count, frames without depth inside the cube, or make them an error; by default they
            are left out if they are a tenth at most.
        crop: Where the centers of crops are from: auto (a file of centers, else the best of the others), file, rule
            (what looks most like a palm at the end of a limb), localizer (a network trained on the labeled frames),
            detector (on shaded depth, extra [mediapipe]), mass (center of mass between near and far) or oracle (the
            true joints, for upper bounds).
        centers: File of centers of some or all frames by name, with the header frame,x,y,z (mm) or frame,u,v,d (px,
            px, mm).
        accept_crops: Go on even if most crops are doubtful.
        cache: Folder of crop caches; by default `SEQGCN_CACHE` or the user's cache folder.
    """

    crop_size: int = 128
    train_centres: str | None = None
    test_centres: str | None = None
    oracle_centres: bool = False
    near: float = 10.0
    far: float = 1500.0
    skip_empty: bool | None = None
    cache: str | None = None
    crop: Crop = "auto"
    centers: str | None = None
    accept_crops: bool = False

    task: ClassVar[str] = "pose"
    title: ClassVar[str]
    published: ClassVar[Mapping[str, float]] = {}
    """Mean joint errors, mm, of systems trained on all labels and tested on the whole test part."""

    def __post_init__(self) -> None:
        if (self.train_centres is None) != (self.test_centres is None):
            raise ArgumentError("train_centres and test_centres go together: pool and test must be cropped alike")
        given = [name for name in ("train_centres", "centers", "oracle_centres") if getattr(self, name)]
        if len(given) > 1:
            raise ArgumentError(f"crops are centered in one way, not by {' and '.join(given)}; leave one out")
        check_whole("crop_size", self.crop_size, low=16)
        self._parts: dict[Part, PosePart] = {}  # none before `prepare`
        self._hands: dict[Part, HandDataset] = {}
        self._sizes: dict[Part, int | None] = {"train": None, "test": None}
        self._options("train")

    @abstractmethod
    def _read(self, part: Part, options: CropOptions) -> HandDataset:
        """Labels and list of frames of one part."""

    def _make(self, progress: Progress | None) -> None:  # noqa: B027  # most have their files
        """Bring about the files that `_read` reads, where they are not simply there."""

    @property
    def name(self) -> str:
        """The data set's name, for tables and pictures, and what else a reader must know."""
        return f"{self._title}, oracle centres" if self._oracle else self._title

    @property
    def _oracle(self) -> bool:
        return self.oracle_centres or self.crop == "oracle"

    @property
    def references(self) -> Mapping[str, float]:
        """Published results that may stand beside an error measured here."""
        return self.published if self._sizes["test"] is None else {}

    @property
    def _title(self) -> str:
        return self.title

    def limit(self, pool_size: int | None = None, test_size: int | None = None) -> Self:
        """The same data set with fewer frames: a fixed random subset of the pool and of the test part.

        Raises:
            ArgumentError: A size is not at least 1, or the crops are made already.
        """
        if pool_size is None and test_size is None:
            return self
        if self._parts:
            raise ArgumentError("limit a pose data set before its crops are made")
        sizes: dict[Part, int | None] = {"train": pool_size, "test": test_size}
        for part, size in sizes.items():
            if size is not None:
                check_whole(f"{_SIZE[part]} size", size)
        limited = replace(self)
        limited._sizes = {part: self._sizes[part] if size is None else size for part, size in sizes.items()}
        return limited

    def prepare(self, progress: Progress | None = None) -> None:
        """Read the labels and open the crop caches, building them where there are none.

        Raises:
            DataFileError: Files are missing, damaged or of another data set.
            RunFolderError: The caches cannot be written.
        """
        if self._parts:
            return
        self._make(progress)
        parts: dict[Part, PosePart] = {}
        # Both are read before either is cropped: what is wrong with the labels is found at once.
        for part in ("train", "test"):
            hands = self._read(part, self._options(part))
            if hands.skipped:
                log.info(f"{hands.name}: {len(hands):,} frames; left out: {in_words(hands.skipped)}")
            self._hands[part] = self._limited(part, hands)
        if self._oracle:
            log.warning(
                f"{self.title}: crops are centred on the true joints, so selection knows labels it must not know"
            )
        for hands in self._hands.values():
            hands.locate(progress)
            check_crops(hands, self.accept_crops)
        for part, hands in self._hands.items():
            hands.prepare(progress)
            check_mass(hands, self.accept_crops)
            _check_centres(hands)
            parts[part] = PosePart(hands.frames, hands.joints, tuple(hands.files))
        self._parts = parts

    @property
    def train(self) -> PosePart:
        """The pool. Selection only ever sees its inputs."""
        return self._part("train")

    @property
    def test(self) -> PosePart:
        """What the learner is scored on."""
        return self._part("test")

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of sources, crops and poses; another value means other data."""
        self.prepare()
        return "-".join(hands.fingerprint for hands in self._hands.values())

    def hands(self, part: Part) -> HandDataset:
        """The frames behind a part: names, sequences, camera, raw depth."""
        self.prepare()
        return self._hands[part]

    def _part(self, part: Part) -> PosePart:
        self.prepare()
        return self._parts[part]

    def _options(self, part: Part) -> CropOptions:
        centres = self.train_centres if part == "train" else self.test_centres
        crop: Crop = "file" if centres is not None else self.crop
        crop = "oracle" if self.oracle_centres else crop
        return CropOptions(
            size=self.crop_size,
            crop=crop,
            centers=centres or self.centers,
            near=self.near,
            far=self.far,
            cache=self.cache,
            skip_empty=False if self.skip_empty is None and getattr(self, "strict", False) else self.skip_empty,
        )

    def _limited(self, part: Part, hands: HandDataset) -> HandDataset:
        size = self._sizes[part]
        if size is None:
            return hands
        if size > len(hands):
            raise ArgumentError(
                f"{_SIZE[part]} size must be at most {len(hands)}, the frames of {hands.name}, got {size}"
            )
        return hands.subset(torch.randperm(len(hands), generator=generator(0, _SIZE[part]))[:size].sort().values)


def _check_centres(hands: HandDataset) -> None:
    """Warn where crops miss the hand: the nearest thing that a camera sees may be a face or a table."""
    off = (hands.joints.mean(dim=1) - hands.frames.centre).abs() > hands.cube.unsqueeze(1) / 2
    missed = int(off.any(dim=1).sum())
    if missed > 0.05 * len(hands):
        warnings.warn(
            f"{hands.name}: the crops of {missed:,} of {len(hands):,} frames miss the hand; narrow near and far, or "
            "give files of centres",
            SeqGCNWarning,
            stacklevel=3,
        )


@dataclass(kw_only=True, eq=False)
class PoseFiles(PoseDataset):
    """A data set read from a folder. Frames that `seqgcn render` wrote there are called rendered.

    Args:
        root: The folder.
        strict: A missing image or a count other than the release's is an error, not a warning.
    """

    root: str
    strict: bool = False

    lists_frames: ClassVar[bool] = False
    """Whether frames that no label names yet are found in the folder too."""

    def every_frame(self, labels: str | None = None) -> HandDataset:
        """Every frame that could be picked, not cropped yet; also those without a pose (NaN), if they may be listed.

        Args:
            labels: File of poses in the data set's own grammar; by default the one in the folder.

        Raises:
            ArgumentError: The data set's files hold poses of all its frames, so that `labels` is of no use; or crops
                are to be centred on poses that nobody knows yet.
            DataFileError: Files are missing, damaged or of another data set.
        """
        if self._oracle and self.lists_frames:
            raise ArgumentError(
                "crop=oracle (oracle_centres) needs the poses of all frames; those that are to be labelled have none"
            )
        if labels is not None and not self.lists_frames:
            raise ArgumentError(
                f"{self.title} has poses of all its frames in its own files; which of them are labelled so far must be "
                "a list of their paths, one a line"
            )
        return self._list(self._options("train"), labels)

    def _list(self, options: CropOptions, labels: str | None) -> HandDataset:
        """Frames that could be picked, with the poses of a file: without `lists_frames` those to train on."""
        del labels
        return self._read("train", options)

    @property
    def rendered(self) -> bool:
        """Whether the frames are not those of the release but rendered ones in its layout."""
        return (Path(self.root).expanduser() / RENDERED).is_file()

    @property
    def name(self) -> str:
        """The data set's name, for tables and pictures, and what else a reader must know."""
        return f"{super().name} (rendered)" if self.rendered else super().name

    @property
    def references(self) -> Mapping[str, float]:
        """Published results that may stand beside an error measured here."""
        return {} if self.rendered else super().references
