"""What the hand pose data sets have in common: frames on disk, their poses, and the crops networks see."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self, cast, overload

import torch
from torch import Tensor
from torch.utils.data import Dataset

from seqgcn.datasets.hands import cropping
from seqgcn.datasets.hands.cache import CropStore, cache_folder, open_or_build
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.choosing import centers_of
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.datasets.hands.crop import DepthImage
from seqgcn.datasets.hands.crop_options import CropOptions
from seqgcn.datasets.hands.cropping import in_words
from seqgcn.datasets.hands.frames import CropBatch, HandFrames
from seqgcn.datasets.hands.landmarks.found import Landmarks, LandmarkSource
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.splits_reader import SplitsReader
from seqgcn.datasets.selection import Ids, indices_of, one_index, selects_several
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.training import Progress

__all__ = ["CropBatch", "CropOptions", "HandDataset", "HandFrames", "in_words"]


class HandDataset(Dataset[tuple[Tensor, Tensor]]):
    """Frames of one part of a data set with their poses, as a torch `Dataset`; nothing is decoded until asked for.

    Item i is a pair of what a network sees and the pose: the crop, `[1, size, size]` float32 in [-1, 1], and the
    joints, `[J, 3]` mm, NaN where they have no label. Left hands are mirrored in both, where `mirror` says so. A slice,
    a list or a tensor of indices or a mask `[n]` bool selects frames: a `HandDataset` that shares the crops. The first
    item makes the crops of all frames; as frames that cannot be cropped may be left out then, call `prepare` before a
    `DataLoader` counts them.

    Args:
        name: Of data set and part, usable in a file name.
        root: Folder of the frames.
        files: Path of each frame below `root`, as in the release; n of them.
        sequences: Name of the sequence (video) of each frame, `[n]`.
        joints: Poses in this package's axes (x right, y down, z away), `[n, J, 3]` float32, mm; NaN in rows
            without a label, and of joints without one.
        cube: Side of each frame's cube, mm.
        camera: Of all frames, or of each, n of them.
        skeleton: Names of the J joints.
        read: Decodes a frame; gets the whole path.
        options: How to crop.
        centres: Centers from a file, `[n, 3]` float32 mm in this package's axes, with the option `centers`; NaN where
            it has none.
        skipped: How many frames were left out, by reason.
        mirror: Whether networks see left hands as right ones, and all are left; or which are, `[n]` bool.
        decoding: What `read` depends on besides the file, such as a scale; its `repr` decides when crops are made
            anew.
        sides: Of each frame, whether its files say that it shows a left hand (1), a right one (0) or nothing (-1),
            `[n]` int8; only told where a detector sees others.
        detector_joints: Landmarks of a detector (see `seqgcn.datasets.hands.landmarks.names`) that joints are the means
            of, by name; for joints whose names do not tell.
        lenient: Leave out, and count, frames that cannot be read, if they are a tenth at most; by default one is an
            error.

    Raises:
        ArgumentError: Lengths that differ, or centers without the option.
    """

    title: str = "hands"
    """Of the data set, for tables and pictures."""
    published: Mapping[str, float] = MappingProxyType({})
    """Mean joint errors, mm, of systems trained on all labels and tested on the whole test part."""
    published_note: ClassVar[str] = ""
    """What a reader must know about these."""
    lists_frames: ClassVar[bool] = False
    """Whether `split="all"` finds frames that no label names yet."""
    labels_path: Path | None = None
    """File of the labels, for messages, where there is one."""
    camera_path: Path | None = None
    """File that describes the camera, where the user wrote it."""
    left_out: tuple[str, ...] = ()
    """Names of frames that a round's lists may name although they were left out."""
    splits: ClassVar[SplitsReader] = SplitsReader()
    """Reads pool and test part from a folder, as in `ICVL.splits(root, crop_size=64)`."""

    def __init__(
        self,
        *,
        name: str,
        root: Path,
        files: Sequence[str],
        sequences: Sequence[str],
        joints: Tensor,
        cube: float | Tensor,
        camera: Camera | Sequence[Camera],
        skeleton: Skeleton,
        read: Callable[[Path], DepthImage],
        options: CropOptions | None = None,
        centres: Tensor | None = None,
        skipped: Mapping[str, int] | None = None,
        mirror: bool | Tensor = False,
        decoding: object = None,
        lenient: bool = False,
        sides: Tensor | None = None,
        detector_joints: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        n = len(files)
        if n == 0:
            why = f"left out: {in_words(skipped)}" if skipped else "its labels have no row for this part"
            raise DataFileError(f"{name}: no frame is left in {root} ({why})")
        if len(sequences) != n or joints.shape != (n, len(skeleton), 3):
            raise ArgumentError(
                f"{name}: {n} files, {len(sequences)} sequences and joints {list(joints.shape)} do not fit together "
                f"with a skeleton of {len(skeleton)} joints"
            )
        self.name, self.root, self.skeleton = name, root, skeleton
        self._cameras = [camera] * n if isinstance(camera, Camera) else list(camera)
        self._mirror = torch.full((n,), mirror) if isinstance(mirror, bool) else mirror.clone()
        if len(self._cameras) != n or self._mirror.shape != (n,):
            raise ArgumentError(
                f"{name}: {n} frames, but {len(self._cameras)} cameras and mirror {list(self._mirror.shape)}"
            )
        self.files = list(files)
        numbers = {sequence: number for number, sequence in enumerate(dict.fromkeys(sequences))}
        self.sequence_names = tuple(numbers)
        self.sequence = torch.tensor([numbers[sequence] for sequence in sequences])
        self.joints = joints.float()
        self.cube = torch.as_tensor(cube, dtype=torch.float32).expand(n).clone()
        if not bool(((self.cube >= 1) & (self.cube <= 1e5)).all()):
            raise ArgumentError(f"{name}: the cube's side must be 1 to 100,000 mm")
        self.read, self.decoding, self.options = read, decoding, options or CropOptions()
        if (self.options.centers is None) != (centres is None):
            raise ArgumentError(f"{name}: centers from a file and the option centers go together")
        if centres is not None and centres.shape != (n, 3):
            raise ArgumentError(f"{name}: {n} frames need centers [{n}, 3], got {list(centres.shape)}")
        self._given_centres, self.lenient = centres, lenient
        self.sides, self.detector_joints = sides, dict(detector_joints or {})
        self.skipped: dict[str, int] = dict(skipped or {})
        self._store: CropStore | None = None
        self._frames: HandFrames | None = None
        self._kept = torch.arange(n)
        self._found: Centers | None = None
        self._known = torch.empty(0, dtype=torch.int64)

    @classmethod
    def title_of(cls, root: str | Path, parameters: Mapping[str, Any]) -> str:
        """`title` of a data set that is read from a folder with these arguments."""
        del root, parameters
        return cls.title

    @classmethod
    def published_of(cls, parameters: Mapping[str, Any]) -> Mapping[str, float]:
        """`published` for a data set that is read with these arguments."""
        del parameters
        return cls.published

    @property
    def inputs(self) -> HandFrames:
        """What learners see."""
        return self.frames

    @property
    def targets(self) -> Tensor:
        """What they learn: the poses, `[n, J, 3]` float32, mm."""
        return self.joints

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]: ...

    @overload
    def __getitem__(self, index: Ids) -> Self: ...

    def __getitem__(self, index: int | Ids) -> tuple[Tensor, Tensor] | Self:
        """Item `index`, crop and joints; or the selected frames with the same crops."""
        if selects_several(index):
            self.prepare()
            return self._select(indices_of(index, len(self), self.name))
        return self.__getitems__([cast("int", index)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """Several items at once, as a `DataLoader` asks for them."""
        before = len(self)
        frames, n = self.frames, len(self)
        hint = f"; {before - n} were left out when the crops were made, so call prepare() first" if before > n else ""
        ids = torch.tensor([one_index(i, n, self.name, hint) for i in indices], dtype=torch.int64)
        return list(zip(frames.batch(ids).images, frames.reflect(self.joints[ids], ids), strict=True))

    def __getstate__(self) -> dict[str, Any]:
        # Workers make their own view of the crops, which they map from the cache themselves.
        return {**self.__dict__, "_frames": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {len(self):,} frames, {len(self.sequence_names)} sequences)"

    def depth(self, i: int) -> DepthImage:
        """Frame i, decoded.

        Raises:
            DataFileError: It cannot be read.
        """
        return self.read(self.root / self.files[i])

    @property
    def camera(self) -> Camera:
        """The camera of all frames.

        Raises:
            ArgumentError: They are of several; see `camera_of`.
        """
        cameras = set(self._cameras)
        if len(cameras) > 1:
            raise ArgumentError(
                f"{self.name} has frames of {len(cameras)} cameras; ask for that of a frame, camera_of(i)"
            )
        return cameras.pop()

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The different cameras, in the order of their first frames."""
        return tuple(dict.fromkeys(self._cameras))

    def camera_of(self, i: int) -> Camera:
        """The camera of frame i."""
        return self._cameras[i]

    @property
    def mirror(self) -> bool | Tensor:
        """Whether all frames are mirrored for networks, or none; if some are, which, `[n]` bool."""
        some = bool(self._mirror.any())
        return some if some == bool(self._mirror.all()) else self._mirror

    @property
    def prepared(self) -> bool:
        """Whether the crops are made."""
        return self._store is not None

    @property
    def labelled(self) -> Tensor:
        """Which frames have a pose, of at least one joint, `[n]` bool."""
        return self.joints.isfinite().all(dim=2).any(dim=1)

    def subset(self, ids: Tensor) -> Self:
        """The frames with these ids, `[m]` int64, as a data set of its own; its crops are a cache of their own."""
        if ids.dtype != torch.int64 or ids.dim() != 1:
            raise ArgumentError(
                f"{self.name}: ids must be int64 [m], got {ids.dtype} {list(ids.shape)}; use mask.nonzero().flatten()"
            )
        if self._store is not None:
            raise ArgumentError(
                f"{self.name}: take a subset before the crops are made; dataset[ids] has frames of the same crops"
            )
        chosen = self._select(ids)
        chosen._given_centres = None if self._given_centres is None else self._given_centres[ids]
        chosen._found = None
        chosen._known = torch.isin(ids, self._known).nonzero().flatten()
        chosen._kept = torch.arange(len(ids))
        return chosen

    def learn_from(self, ids: Tensor) -> Self:
        """Let a localizer learn from the poses of these frames, `[m]` int64, and of no others; return self.

        Raises:
            ArgumentError: The crops are made already.
        """
        if self._store is not None or self._found is not None:
            raise ArgumentError(f"{self.name}: say which frames are labeled before the hands are found")
        self._known = ids
        return self

    def find(self, progress: Progress | None = None) -> Centers:
        """Find the hand in every frame, if that is not done yet.

        Args:
            progress: Told about it, as stages `"hands"` and `"localizer"`.

        Raises:
            DataFileError: A frame cannot be read (of a lenient data set, these have no center).
            ArgumentError: A localizer is asked for, and there are too few labels.
        """
        if self._found is None:
            self._found = centers_of(self, self._known, self._given_centres, progress=progress)
        return self._found

    def locate(self, progress: Progress | None = None) -> None:
        """The same where centers are needed before the crops are made: all but centers of mass."""
        if self.options.crop != "mass":
            self.find(progress)

    @property
    def centers(self) -> Centers:
        """Center of each frame's cube, where it is from and how sure it is; makes the crops if there are none."""
        found, frames = self._found, self.frames
        if found is None:
            return Centers.given(frames.centre, "mass")
        return found[self._kept]

    def prepare(self, progress: Progress | None = None) -> Self:
        """Open the crop cache, building it first where there is none; return self.

        Args:
            progress: Told about the building, as stage `"crops"`.

        Raises:
            DataFileError: A frame cannot be read (of a lenient data set: more than a tenth), or has no depth inside
                its cube (unless these are skipped; the cache is kept in either case).
            RunFolderError: The cache cannot be written, or there is not enough room.
        """
        if self._store is not None:
            return self
        folder = cache_folder(self.options.cache)
        self.locate(progress)
        make = partial(cropping.crop_frame, self, self._found)
        store = open_or_build(
            folder, self.name, cropping.crop_key(self), len(self), self.options.size, make, progress=progress
        )
        unreadable = cropping.unreadable_frames(self, store)
        empty = cropping.empty_frames(self, torch.from_numpy(~store.found) & ~unreadable)
        for reason, frames in (("unreadable", unreadable), ("no depth inside the cube", empty)):
            if frames.any():
                self.skipped[reason] = int(frames.sum())
        kept = (~(unreadable | empty)).nonzero().flatten()
        if len(kept) < len(self):
            self._take(kept)
        self._store = store
        return self

    @property
    def frames(self) -> HandFrames:
        """Crops of all frames, for learners. The first use builds the cache if there is none."""
        store = self.prepare()._opened
        if self._frames is None:
            centres = torch.from_numpy(store.centres)[self._kept]
            offset = None if self._found is None else self._found.offset
            source = LandmarkSource(self._landmarks_of, self.landmark_weights)
            self._frames = HandFrames(
                store.crops, self._kept, centres, self.cube, self.skeleton, self.mirror, source, offset
            )
        return self._frames

    def landmarks(self, ids: Tensor | None = None, progress: Progress | None = None) -> Landmarks:
        """The 21 landmarks of mediapipe's model in frames, which need no label; makes the crops if there are none.

        They are kept beside the crops.

        Args:
            ids: Numbers of the frames, `[m]` int64; by default all.
            progress: Told about it, as stage `"landmarks"`.

        Raises:
            MissingPackageError: mediapipe is needed and not installed.
            DataFileError: A frame cannot be read.
            RunFolderError: What was found cannot be written.
        """
        from seqgcn.datasets.hands.landmarks.store import find_landmarks  # SciPy is needed there alone

        self.prepare(progress)
        return find_landmarks(self, torch.arange(len(self)) if ids is None else ids, progress=progress)

    @property
    def landmark_weights(self) -> Tensor:
        """Weight of each landmark in each joint, `[J, 21]`; NaN in the rows of joints that no landmark stands for."""
        from seqgcn.datasets.hands.landmarks.names import landmark_weights

        return landmark_weights(self.skeleton, self.detector_joints)

    def _landmarks_of(self, index: Tensor, progress: Progress | None) -> Landmarks:
        """Of frames by their numbers in the cache of crops."""
        order = self._kept.argsort()
        return self.landmarks(order[torch.searchsorted(self._kept[order], index)], progress)

    @property
    def fingerprint(self) -> str:
        """Short hash of crops and poses; another value means other data. The same files elsewhere are the same data."""
        return cropping.fingerprint_of(self, self.prepare()._opened, self._kept, self._found)

    @property
    def _opened(self) -> CropStore:
        assert self._store is not None  # noqa: S101  # for mypy: prepare has just been called
        return self._store

    def camera_key(self) -> object:
        """What tells all cameras: of one, itself."""
        return cropping.cameras_key(self._cameras)

    def _select(self, ids: Tensor) -> Self:
        chosen = copy.copy(self)
        chosen._take(ids)
        chosen.skipped = dict(self.skipped)
        return chosen

    def _take(self, ids: Tensor) -> None:
        """Keep frames of which crops and centers may be known already."""
        self._frames, self._kept = None, self._kept[ids]
        self.files = [self.files[i] for i in ids.tolist()]
        self.sequence, self.joints, self.cube = self.sequence[ids], self.joints[ids], self.cube[ids]
        self._cameras, self._mirror = [self._cameras[i] for i in ids.tolist()], self._mirror[ids]
        self.sides = None if self.sides is None else self.sides[ids]
