"""What the hand pose data sets have in common: frames on disk, their poses, and the crops networks see."""

import copy
import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from seqgcn.datasets.hands.cache import Cropped, CropStore, cache_folder, open_or_build, source_key
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.datasets.hands.crop import FULL_SCALE, DepthImage, centre_of_mass, crop
from seqgcn.datasets.hands.crop_options import CropOptions as CropOptions
from seqgcn.datasets.hands.crop_options import strictly as strictly
from seqgcn.datasets.hands.frames import CropBatch as CropBatch
from seqgcn.datasets.hands.frames import HandFrames as HandFrames
from seqgcn.datasets.hands.landmarks.found import Landmarks, LandmarkSource
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning
from seqgcn.training import Progress
from seqgcn.utils.validation import name_some

UNREADABLE = torch.full((3,), torch.nan)
"""The centre, in a cache of crops, of a frame that could not be read."""


def in_words(skipped: Mapping[str, int]) -> str:
    """How many frames were left out for which reasons: `"73 missing image, 5 rotated copy"`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())


class HandDataset:
    """Frames of one part of a data set with their poses. Nothing is decoded before it is asked for.

    Args:
        name: Of data set and part, usable in a file name.
        root: Folder of the frames.
        files: Path of each frame below `root`, as in the release; n of them.
        sequences: Name of the sequence (video) of each frame, `[n]`.
        joints: Poses in this package's axes (x right, y down, z away), `[n, J, 3]` float32, mm; NaN in rows
            without a label.
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
        ArgumentError: Lengths that differ, or centres without the option.
    """

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
            raise ArgumentError(f"{name}: centres from a file and the option centers go together")
        if centres is not None and centres.shape != (n, 3):
            raise ArgumentError(f"{name}: {n} frames need centres [{n}, 3], got {list(centres.shape)}")
        self._given_centres, self._lenient = centres, lenient
        self.sides, self.detector_joints = sides, dict(detector_joints or {})
        self.skipped: dict[str, int] = dict(skipped or {})
        self._store: CropStore | None = None
        self._kept = torch.arange(n)
        self._found: Centers | None = None
        self._known = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.files)

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
    def labelled(self) -> Tensor:
        """Which frames have a whole pose, `[n]` bool."""
        return self.joints.isfinite().flatten(1).all(dim=1)

    @property
    def lenient(self) -> bool:
        """Whether frames that cannot be read are left out and counted, if they are few."""
        return self._lenient

    def subset(self, ids: Tensor) -> Self:
        """The frames with these ids, `[m]` int64, as a data set of its own; its crops are a cache of their own."""
        if ids.dtype != torch.int64 or ids.dim() != 1:
            raise ArgumentError(
                f"{self.name}: ids must be int64 [m], got {ids.dtype} {list(ids.shape)}; use mask.nonzero().flatten()"
            )
        if self._store is not None:
            raise ArgumentError(f"{self.name}: take a subset before the crops are made")
        chosen = copy.copy(self)
        chosen._take(ids)
        chosen._given_centres = None if self._given_centres is None else self._given_centres[ids]
        chosen._found = None
        chosen._known = torch.isin(ids, self._known).nonzero().flatten()
        chosen.skipped, chosen._kept = dict(self.skipped), torch.arange(len(ids))
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
            from seqgcn.datasets.hands.centers.finding import find_centers  # SciPy is needed there alone
            from seqgcn.datasets.hands.centers.mass import centers_of_mass

            crop = self.options.crop
            given = torch.full((len(self), 3), torch.nan) if self._given_centres is None else self._given_centres
            if crop == "file" or bool(given.isfinite().all()):
                self._found = Centers.given(given, "file")
            elif crop == "oracle":
                self._found = Centers.given(self.joints.mean(dim=1), "oracle")
            elif crop == "mass":
                self._found = centers_of_mass(self, progress)
            else:
                self._found = find_centers(self, self._known, given, progress=progress)
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
        store = open_or_build(
            folder, self.name, self._key(), len(self), self.options.size, self._crop, progress=progress
        )
        unreadable = self._unreadable(store)
        empty = torch.from_numpy(~store.found) & ~unreadable
        if empty.any():
            self._leave_out(empty)
        if unreadable.any():
            rest = (~unreadable[self._kept]).nonzero().flatten()
            self._take(rest)
            self._kept = self._kept[rest]
        self._store = store
        return self

    @property
    def frames(self) -> HandFrames:
        """Crops of all frames, for learners. The first use builds the cache if there is none."""
        store = self.prepare()._opened
        centres = torch.from_numpy(store.centres)[self._kept]
        offset = None if self._found is None else self._found.offset
        source = LandmarkSource(self._landmarks_of, self.landmark_weights)
        return HandFrames(store.crops, self._kept, centres, self.cube, self.skeleton, self.mirror, source, offset)

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
        return self.landmarks(torch.searchsorted(self._kept, index), progress)

    @property
    def fingerprint(self) -> str:
        """Short hash of crops and poses; another value means other data. The same files elsewhere are the same data."""
        digest = hashlib.blake2b(self.prepare()._opened.content.encode(), digest_size=8)
        mirror = self.mirror if isinstance(self.mirror, bool) else self.mirror.tolist()
        digest.update(repr((mirror, self.skeleton.joints)).encode())
        digest.update(self.joints.contiguous().numpy().data)
        digest.update(self._kept.numpy().data)
        if self._found is not None and self._found.offset is not None:
            # Learners shift training crops by it.
            digest.update(f"{self._found.offset:.3f}".encode())
        return digest.hexdigest()

    @property
    def _opened(self) -> CropStore:
        assert self._store is not None  # noqa: S101  # for mypy: prepare has just been called
        return self._store

    def _key(self) -> str:
        options = self.options
        rule: tuple[object, ...]
        if options.crop == "mass":
            rule = (options.crop, options.near, options.far)
        else:
            known = self.joints if options.crop == "oracle" else self.find().points
            name = options.crop if options.crop in ("file", "oracle") else "found"
            rule = (name, hashlib.blake2b(known.contiguous().numpy().tobytes()).hexdigest())
        cubes = hashlib.blake2b(self.cube.numpy().tobytes()).hexdigest()
        return source_key(self.root, self.files, (options.size, rule, self.camera_key(), cubes, self.decoding))

    def camera_key(self) -> object:
        """What tells all cameras; of one, itself, as it was when there was only one."""
        cameras = self.cameras
        if len(cameras) == 1:
            return cameras[0]
        number = {camera: i for i, camera in enumerate(cameras)}
        which = np.array([number[camera] for camera in self._cameras], np.int64)
        return cameras, hashlib.blake2b(which.tobytes()).hexdigest()

    def _crop(self, i: int) -> Cropped:
        camera, cube, size = self.camera_of(i), float(self.cube[i]), self.options.size
        nothing = torch.full((size, size), FULL_SCALE, dtype=torch.int16)
        try:
            image = self.depth(i)
        except DataFileError:
            if not self._lenient:
                raise
            return Cropped(nothing, UNREADABLE, False)
        centre: Tensor | None
        if self._found is None:
            centre = centre_of_mass(image, camera, cube, self.options.near, self.options.far)
        else:
            centre = self._found.points[i]
            if self.options.crop not in ("file", "oracle") and bool(centre.isnan().any()):
                centre = None
        pixels: Tensor | None = None
        if centre is not None:
            try:
                pixels = crop(image, centre, cube, camera, size)
            except ArgumentError as error:
                raise DataFileError(f"{self.root / self.files[i]}: {error}") from error
        if centre is None or pixels is None:
            return Cropped(nothing, torch.zeros(3) if centre is None else centre, False)
        return Cropped(pixels, centre, True)

    def _unreadable(self, store: CropStore) -> Tensor:
        """Which frames could not be read, `[n]` bool; says which, and raises if they are too many."""
        unreadable = torch.from_numpy(np.isnan(store.centres[:, 0]) & ~store.found)
        ids = unreadable.nonzero().flatten().tolist()
        if not ids:
            return unreadable
        what = f"{self.name}: {len(ids):,} of {len(self):,} frames cannot be read"
        names = name_some([self.files[i] for i in ids])
        try:
            self.depth(ids[0])
            why = f"{self.files[ids[0]]} can be read now: remove its crops from the cache, and they are made anew"
        except DataFileError as error:
            why = f"the first: {error}"
        if not self._lenient or len(ids) > len(self) / 10:
            raise DataFileError(f"{what}{', more than a tenth' if self._lenient else ''}: {names}; {why}")
        warnings.warn(f"{what} and are left out: {names}; {why}", SeqGCNWarning, stacklevel=3)
        self.skipped["unreadable"] = len(ids)
        return unreadable

    def _leave_out(self, empty: Tensor) -> None:
        names = [self.files[i] for i in empty.nonzero().flatten().tolist()]
        count, some = len(names), name_some(names)
        what = f"{self.name}: {count:,} of {len(self):,} frames have no depth inside the cube"
        skip = self.options.skip_empty
        from seqgcn.datasets.hands.centers.finding import likely_cause

        if skip is False or (skip is None and count > len(self) / 10):
            raise DataFileError(
                f"{what}{'' if skip is False else ', more than a tenth'}: {some} below {self.root}. "
                f"{likely_cause(self, empty)}; or leave these frames out with skip_empty"
            )
        if count == len(self):
            raise DataFileError(f"{self.name}: no frame below {self.root} has depth inside its cube")
        warnings.warn(f"{what} and are left out: {some}", SeqGCNWarning, stacklevel=3)
        kept = (~empty).nonzero().flatten()
        self.skipped["no depth inside the cube"] = count
        self._take(kept)
        self._kept = kept

    def _take(self, ids: Tensor) -> None:
        self.files = [self.files[i] for i in ids.tolist()]
        self.sequence, self.joints, self.cube = self.sequence[ids], self.joints[ids], self.cube[ids]
        self._cameras, self._mirror = [self._cameras[i] for i in ids.tolist()], self._mirror[ids]
        self.sides = None if self.sides is None else self.sides[ids]
