"""Hands rendered on first use: a pose data set that needs no files."""

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

from seqgcn.datasets.hands.cache import cache_errors, cache_folder, waiting_lock
from seqgcn.datasets.hands.crop_options import Crop
from seqgcn.datasets.hands.folder_splits import DeferredSplits
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.icvl import ICVL
from seqgcn.datasets.hands.release import MISSING
from seqgcn.datasets.hands.rendering import VERSION, write_dataset
from seqgcn.datasets.hands.splits import Part
from seqgcn.exceptions import DataFileError, SeqGCNWarning
from seqgcn.training import Progress
from seqgcn.utils.messages import log
from seqgcn.utils.validation import check_whole


@dataclass(kw_only=True, eq=False)
class RenderedHands(DeferredSplits):
    """Rendered sequences in ICVL's layout; what is measured on them says little about real cameras.

    Frames are written once, into the cache folder, and then read like any ICVL data set. Test sequences show
    other subjects than the pool's.

    Args:
        crop_size: Pixels along a crop's side.
        frames: Frames in the pool.
        sequences: Sequences (videos) that the pool is divided into.
        test_frames: Frames in the test part.
        render_seed: Seed of subjects, movements and noise.
        cube: Side of the crop's cube, mm.
    """

    crop_size: int = 96
    frames: int = 3000
    sequences: int = 20
    test_frames: int = 1000
    render_seed: int = 0
    cube: float = 250.0
    crop: Crop = "mass"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low in (("frames", 1), ("sequences", 1), ("test_frames", 2)):
            check_whole(name, getattr(self, name), low=low)
        check_whole("render_seed", self.render_seed, low=0)

    @property
    def title(self) -> str:
        """The data set's title."""
        return "rendered hands"

    @property
    def folder(self) -> Path:
        """Where the frames are written: a data set in ICVL's layout."""
        what = (self.frames, self.sequences, self.test_frames, self.render_seed)
        return cache_folder(self.cache) / f"rendered-v{VERSION}-{'-'.join(map(str, what))}"

    def _make(self, progress: Progress | None) -> None:
        folder = self.folder
        with cache_errors(folder.parent):
            if folder.is_dir():
                return
            log.info(f"rendering {self.frames + self.test_frames:,} frames to {folder}")
            folder.parent.mkdir(parents=True, exist_ok=True)
            with waiting_lock(folder.with_name(f".{folder.name}.lock")):
                # What a killed process has left of it.
                for half in folder.parent.glob(f".{folder.name}.*"):
                    if half.is_dir():
                        shutil.rmtree(half, ignore_errors=True)
                if not folder.is_dir():
                    write_dataset(
                        folder,
                        "icvl",
                        frames=self.frames,
                        sequences=self.sequences,
                        test_frames=self.test_frames,
                        seed=self.render_seed,
                        progress=progress,
                    )

    def _read(self, part: Part) -> HandDataset:
        with warnings.catch_warnings():
            # That these are fewer frames than ICVL's own is no news.
            warnings.simplefilter("ignore", SeqGCNWarning)
            hands = ICVL(self.folder, part, cube=self.cube, options=self._options(part))
        if MISSING in hands.skipped:
            raise DataFileError(f"{self.folder} has lost frames; delete it, and it is rendered anew")
        return hands
