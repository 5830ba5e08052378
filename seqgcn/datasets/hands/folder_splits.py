"""Pool and test part whose labels are read when they are asked for."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from seqgcn.datasets.hands.centers.doubt import check_crops, check_mass
from seqgcn.datasets.hands.checks.using import check_pool, left_out
from seqgcn.datasets.hands.crop_options import Crop, CropOptions
from seqgcn.datasets.hands.cropping import in_words
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.splits import HandSplits, Part, is_rendered, told_name
from seqgcn.datasets.round_pool import RoundFiles, RoundPool, short_hash
from seqgcn.exceptions import ArgumentError
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.validation import check_whole


@dataclass(kw_only=True, eq=False)
class DeferredSplits(HandSplits, ABC):
    """Parts whose labels are read by `prepare`.

    Args:
        crop_size: Pixels along a crop's side.
        train_centres: File of the pool's centers, a line x y z in mm for each row of its labels; by default centers
            of mass. HANDS17 and depth folders have one file for all frames: name it twice.
        test_centres: File of the test part's centers, likewise; give both or neither.
        oracle_centres: Center crops on the true joints. It tells selectors about labels they must not know.
        near: Nearest depth at which a hand may be, mm; the default takes all that was measured.
        far: Farthest depth at which it may be, mm; the default is an arm's length before a person at a desk.
        skip_empty: Leave out, and count, frames without depth inside the cube, or make them an error; by default they
            are left out if they are a tenth at most.
        cache: Folder of crop caches; by default `SEQGCN_CACHE` or the user's cache folder.
        crop: Where the centers of crops are from: auto (a file of centers, else the best of the others), file, rule
            (what looks most like a palm at the end of a limb), localizer (a network trained on the labeled frames),
            detector (on shaded depth, extra [mediapipe]), mass (center of mass between near and far) or oracle (the
            true joints, for upper bounds).
        centers: File of centers of some or all frames by name, with the header frame,x,y,z (mm) or frame,u,v,d (px,
            px, mm).
        accept_crops: Go on even if most crops are doubtful.
        accept_labels: Go on even if labels look wrong: of another unit, other axes, another hand or camera.
    """

    later_parameters: ClassVar[tuple[str, ...]] = ("accept_labels",)
    """Parameters that there were not from the start; at their defaults they are in no file."""

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
    accept_labels: bool = False

    def __post_init__(self) -> None:
        if (self.train_centres is None) != (self.test_centres is None):
            raise ArgumentError("train_centres and test_centres go together: pool and test must be cropped alike")
        given = [name for name in ("train_centres", "centers", "oracle_centres") if getattr(self, name)]
        if len(given) > 1:
            raise ArgumentError(f"crops are centered in one way, not by {' and '.join(given)}; leave one out")
        check_whole("crop_size", self.crop_size, low=16)
        self._start()
        self._options("train")

    @abstractmethod
    def _read(self, part: Part) -> HandDataset:
        """Labels and list of frames of one part."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The data set's title."""

    @property
    def name(self) -> str:
        """The data set's name, for tables and pictures, and what else a reader must know."""
        return told_name(self.title, "", self._oracle, rendered=False)

    @property
    def references(self) -> Mapping[str, float]:
        """Published results that may stand beside an error measured here: mean joint errors, mm."""
        return {}

    @property
    def _oracle(self) -> bool:
        return self.oracle_centres or self.crop == "oracle"

    def _options(self, part: Part) -> CropOptions:
        centers = self.train_centres if part == "train" else self.test_centres
        crop: Crop = "file" if centers is not None else self.crop
        return CropOptions(
            size=self.crop_size,
            crop="oracle" if self.oracle_centres else crop,
            centers=centers or self.centers,
            near=self.near,
            far=self.far,
            cache=self.cache,
            skip_empty=self.skip_empty,
        )


@dataclass(kw_only=True, eq=False)
class FolderSplits(DeferredSplits):
    """Parts read from a folder. Frames that `seqgcn render` wrote there are called rendered.

    Args:
        kind: The class of the parts, such as `ICVL`; see `HandDataset.splits`.
        root: The folder.
        strict: A missing image or a count other than the release's is an error, not a warning.
        parameters: Other arguments of the class.
    """

    kind: type[HandDataset]
    root: str
    strict: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lists_frames(self) -> bool:
        """Whether frames that no label names yet are found in the folder too."""
        return self.kind.lists_frames

    @property
    def title(self) -> str:
        """The data set's title."""
        return self.kind.title_of(self.root, self.parameters)

    def every_frame(self, labels: str | None = None) -> HandDataset:
        """Every frame that could be picked, not cropped yet; also those without a pose (NaN), if they may be listed.

        Args:
            labels: File of poses in the data set's own grammar; by default the one in the folder.

        Raises:
            ArgumentError: The data set's files hold poses of all its frames, so that `labels` is of no use; or crops
                are to be centered on poses that nobody knows yet.
            DataFileError: Files are missing, damaged or of another data set.
        """
        if self._oracle and self.lists_frames:
            raise ArgumentError(
                "crop=oracle (oracle_centres) needs the poses of all frames; those that are to be labeled have none"
            )
        if labels is not None and not self.lists_frames:
            raise ArgumentError(
                f"{self.kind.title} has poses of all its frames in its own files; which of them are labeled so far "
                "must be a list of their paths, one a line"
            )
        return self._of("all", labels=labels) if self.lists_frames else self._of("train")

    def list_frames(self, files: RoundFiles) -> tuple[HandDataset, Path | None]:
        """Every frame, not cropped yet, and the list of those that count as labeled, if there is one.

        Raises:
            DataFileError: A file cannot be used.
        """
        file = files.labels
        listed = file is not None and (not self.lists_frames or files.is_list(Path(self.root).expanduser()))
        return self.every_frame(None if listed or file is None else str(file)), file if listed else None

    def round_pool(self, files: RoundFiles, progress: Progress | None = None) -> RoundPool:
        """What a round picks from: every frame, of which those with a pose, or in a list, are labeled.

        Raises:
            DataFileError: A file cannot be used, or a frame cannot be read.
        """
        hands, listed = self.list_frames(files)
        if hands.skipped:
            log.info(f"{hands.name}: {len(hands):,} frames; left out: {in_words(hands.skipped)}")
        files.check(hands.files)
        names = hands.files
        checked = check_pool(hands, self.accept_labels)
        hands = checked.hands
        hands.left_out = left_out(names, hands)
        hands.learn_from(checked.trusted(files.labeled_frames(hands, listed)))
        hands.locate(progress)
        check_crops(hands, self.accept_crops)
        hands.prepare(progress)
        check_mass(hands, self.accept_crops)
        # Once more, as frames that turned out to be empty may have been left out.
        hands.left_out = left_out(names, hands)
        labeled = checked.trusted(files.labeled_frames(hands, listed))
        return RoundPool(
            name=self.name,
            items=hands.files,
            labelled=labeled,
            inputs=hands.frames,
            targets=hands.joints[labeled],
            frames=hands,
            centers=hands.centers,
            unfit=checked.unfit,
            left_out=hands.left_out,
            fingerprint=short_hash(hands.fingerprint, labeled.tolist()),
        )

    def _read(self, part: Part) -> HandDataset:
        return self._of(part)

    def _of(self, split: Literal["train", "test", "all"], **listing: Any) -> HandDataset:
        make: Any = self.kind
        options = self._options("test" if split == "test" else "train")
        hands: HandDataset = make(self.root, split, strict=self.strict, options=options, **self.parameters, **listing)
        return hands

    @property
    def rendered(self) -> bool:
        """Whether the frames are not those of the release but rendered ones in its layout."""
        return is_rendered(Path(self.root))

    @property
    def name(self) -> str:
        """The data set's name, for tables and pictures, and what else a reader must know."""
        return told_name(self.title, self.kind.published_note if self.references else "", self._oracle, self.rendered)

    @property
    def references(self) -> Mapping[str, float]:
        """Published results that may stand beside an error measured here: mean joint errors, mm."""
        limited = self._sizes["test"] is not None
        return {} if limited or self.rendered else self.kind.published_of(self.parameters)
