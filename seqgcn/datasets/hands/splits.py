"""Hand pose data sets as the loop takes them: a pool to label from and a test part, cropped by the same rule."""

import copy
import warnings
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch

from seqgcn.datasets.hands.centers.doubt import check_crops, check_mass
from seqgcn.datasets.hands.checks.using import check_part
from seqgcn.datasets.hands.crop import mean_of_known
from seqgcn.datasets.hands.cropping import in_words
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.rendering import RENDERED
from seqgcn.datasets.round_pool import RoundFiles, RoundPool, pool_of_items
from seqgcn.exceptions import ArgumentError, SeqGCNWarning
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_instance, check_whole

Part = Literal["train", "test"]

_SIZE: Mapping[Part, str] = {"train": "pool", "test": "test"}


class HandSplits:
    """A pool and a test part of hand frames, whose crops are made by `prepare`.

    Args:
        train: The pool. Selection only ever sees its crops.
        test: What the learner is scored on.
        name: For tables and pictures; by default the title of the pool's data set.
        accept_crops: Go on even if most crops are doubtful.
        accept_labels: Go on even if labels look wrong.

    Raises:
        ArgumentError: The parts have other joints or are cropped in other ways.
    """

    task: ClassVar[str] = "pose"

    def __init__(
        self,
        train: HandDataset,
        test: HandDataset,
        *,
        name: str | None = None,
        accept_crops: bool = False,
        accept_labels: bool = False,
    ) -> None:
        for part, hands in (("train", train), ("test", test)):
            if not isinstance(hands, HandDataset):
                check_instance(part, hands)
                raise ArgumentError(f"{part} must be a HandDataset, such as ICVL(root, {part!r}), got {type(hands)}")
        if train.skeleton.joints != test.skeleton.joints:
            raise ArgumentError(
                f"{train.name} has {len(train.skeleton)} joints and {test.name} {len(test.skeleton)}; pool and test "
                "part must have the same ones"
            )
        if _rule(train) != _rule(test):
            raise ArgumentError(
                f"{train.name} is cropped with {train.options}, but {test.name} with {test.options}; give both the same"
            )
        self.accept_crops, self.accept_labels = accept_crops, accept_labels
        self._given: dict[Part, HandDataset] = {"train": train, "test": test}
        self._called = name
        self._start()

    def _start(self) -> None:
        self._hands: dict[Part, HandDataset] = {}  # none before `prepare`
        self._sizes: dict[Part, int | None] = {"train": None, "test": None}

    def _read(self, part: Part) -> HandDataset:
        """Labels and list of frames of one part."""
        return self._given[part]

    def _make(self, progress: Progress | None) -> None:
        """Bring about the files that `_read` reads, where they are not simply there."""

    @property
    def crop_size(self) -> int:
        """Pixels along a crop's side."""
        return self._given["train"].options.size

    @property
    def title(self) -> str:
        """The data set's title."""
        return self._given["train"].title

    @property
    def name(self) -> str:
        """The data set's name, for tables and pictures, and what else a reader must know."""
        if self._called is not None:
            return self._called
        train = self._given["train"]
        note = train.published_note if self.references else ""
        return told_name(self.title, note, self._oracle, is_rendered(train.root))

    @property
    def references(self) -> Mapping[str, float]:
        """Published results that may stand beside an error measured here: mean joint errors, mm."""
        test = self._given["test"]
        return {} if self._sizes["test"] is not None or is_rendered(test.root) else test.published

    @property
    def _oracle(self) -> bool:
        return self._given["train"].options.crop == "oracle"

    def limit(self, pool_size: int | None = None, test_size: int | None = None) -> Self:
        """The same data set with fewer frames: a fixed random subset of the pool and of the test part.

        Raises:
            ArgumentError: A size is not at least 1, or the crops are made already.
        """
        if pool_size is None and test_size is None:
            return self
        if self._hands:
            raise ArgumentError("limit a pose data set before its crops are made")
        sizes: dict[Part, int | None] = {"train": pool_size, "test": test_size}
        for part, size in sizes.items():
            if size is not None:
                check_whole(f"{_SIZE[part]} size", size)
        limited = copy.copy(self)
        limited._start()
        limited._sizes = {part: self._sizes[part] if size is None else size for part, size in sizes.items()}
        return limited

    def prepare(self, progress: Progress | None = None) -> None:
        """Read the labels and open the crop caches, building them where there are none.

        Raises:
            DataFileError: Files are missing, damaged or of another data set.
            RunFolderError: The caches cannot be written.
        """
        if self._hands:
            return
        self._make(progress)
        both: dict[Part, HandDataset] = {}
        # Both are read before either is cropped: what is wrong with the labels is found at once.
        for part in _SIZE:
            hands = self._read(part)
            if hands.skipped:
                log.info(f"{hands.name}: {len(hands):,} frames; left out: {in_words(hands.skipped)}")
            both[part] = check_part(self._limited(part, hands), self.accept_labels)
        if self._oracle:
            log.warning(
                f"{self.title}: crops are centered on the true joints, so selection knows labels it must not know"
            )
        for hands in both.values():
            hands.locate(progress)
            check_crops(hands, self.accept_crops)
        for hands in both.values():
            hands.prepare(progress)
            check_mass(hands, self.accept_crops)
            _check_centres(hands)
        self._hands = both

    @property
    def train(self) -> HandDataset:
        """The pool, cropped. Selection only ever sees its inputs."""
        return self.hands("train")

    @property
    def test(self) -> HandDataset:
        """What the learner is scored on, cropped."""
        return self.hands("test")

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of sources, crops and poses; another value means other data."""
        self.prepare()
        return "-".join(hands.fingerprint for hands in self._hands.values())

    def hands(self, part: Part) -> HandDataset:
        """The frames of a part, cropped."""
        self.prepare()
        return self._hands[part]

    def round_pool(self, files: RoundFiles, progress: Progress | None = None) -> RoundPool:
        """What a round picks from: the pool, of which the listed frames are labeled.

        Raises:
            DataFileError: A file cannot be used.
        """
        self.prepare(progress)
        return pool_of_items(self, files, frames=self.train)

    def _limited(self, part: Part, hands: HandDataset) -> HandDataset:
        size = self._sizes[part]
        if size is None:
            return hands
        if size > len(hands):
            raise ArgumentError(
                f"{_SIZE[part]} size must be at most {len(hands)}, the frames of {hands.name}, got {size}"
            )
        return hands.subset(torch.randperm(len(hands), generator=generator(0, _SIZE[part]))[:size].sort().values)


def _rule(hands: HandDataset) -> tuple[object, ...]:
    """What pool and test part must have in common."""
    options = hands.options
    return options.size, options.crop, options.near, options.far


def is_rendered(root: Path) -> bool:
    """Whether the frames below a folder are those that `seqgcn render` wrote."""
    return (root.expanduser() / RENDERED).is_file()


def told_name(title: str, note: str, oracle: bool, rendered: bool) -> str:
    """A data set's title, and what else a reader must know of it."""
    return f"{title}{note}{', oracle centres' if oracle else ''}{' (rendered)' if rendered else ''}"


def _check_centres(hands: HandDataset) -> None:
    """Warn where crops miss the hand: the nearest thing that a camera sees may be a face or a table."""
    off = (mean_of_known(hands.joints) - hands.frames.centre).abs() > hands.cube.unsqueeze(1) / 2
    missed = int(off.any(dim=1).sum())
    if missed > 0.05 * len(hands):
        warnings.warn(
            f"{hands.name}: the crops of {missed:,} of {len(hands):,} frames miss the hand; narrow near and far, or "
            "give files of centers",
            SeqGCNWarning,
            stacklevel=3,
        )


_OLD = {
    "PoseDataset": "splits.HandSplits",
    "PoseFiles": "folder_splits.FolderSplits",
    "ICVLPoses": "icvl.ICVL.splits",
    "NYUPoses": "nyu.NYU.splits",
    "MSRAPoses": "msra.MSRA.splits",
    "BigHandPoses": "bighand.BigHand.splits",
    "FolderPoses": "depth_folder.DepthFolder.splits",
}
"""Older names, and where what they named is now."""


def __getattr__(name: str) -> Any:
    if name not in _OLD:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, path = _OLD[name].partition(".")
    warnings.warn(f"{name} is now seqgcn.datasets.hands.{_OLD[name]}", DeprecationWarning, stacklevel=2)
    return attrgetter(path)(import_module(f"seqgcn.datasets.hands.{module}"))
