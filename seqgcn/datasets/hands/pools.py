"""The hand pose data sets as the loop takes them, by the names that they have on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from seqgcn.datasets.hands.bighand import BigHand
from seqgcn.datasets.hands.depth_folder import DepthFolder
from seqgcn.datasets.hands.hand_dataset import CropOptions, HandDataset
from seqgcn.datasets.hands.icvl import ICVL
from seqgcn.datasets.hands.msra import MSRA
from seqgcn.datasets.hands.nyu import NYU
from seqgcn.datasets.hands.poses import Part, PoseFiles


@dataclass(kw_only=True, eq=False)
class ICVLPoses(PoseFiles):
    """ICVL (Tang et al., CVPR 2014): 16 joints, 1,596 test frames.

    Args:
        original_only: Leave out the in-plane rotations: 22,068 frames instead of 330,933.
        cube: Side of the crop's cube, mm.
    """

    original_only: bool = True
    cube: float = 250.0

    title: ClassVar[str] = "ICVL"
    lists_frames: ClassVar[bool] = True
    published: ClassVar[Mapping[str, float]] = {
        "DeepModel": 11.56,
        "DeepPrior": 10.4,
        "DeepPrior++": 8.1,
        "Ren-4x6x6": 7.63,
        "Ren-9x6x6": 7.31,
        "DenseReg": 7.3,
        "SHPR-Net": 7.22,
        "HandPointNet": 6.94,
        "Pose-REN": 6.79,
        "CrossInfoNet": 6.73,
        "Point-to-Point": 6.3,
        "V2V": 6.28,
        "JGR-P2O": 6.02,
    }

    def _read(self, part: Part, options: CropOptions) -> HandDataset:
        return ICVL(
            self.root,
            part,
            original_only=self.original_only,
            cube=self.cube,
            strict=self.strict,
            options=options,
        )

    def _list(self, options: CropOptions, labels: str | None) -> HandDataset:
        return ICVL(
            self.root,
            "all",
            original_only=self.original_only,
            cube=self.cube,
            strict=self.strict,
            labels=labels,
            options=options,
        )


@dataclass(kw_only=True, eq=False)
class NYUPoses(PoseFiles):
    """NYU (Tompson et al., ToG 2014): 14 evaluated of 36 joints, 72,757 frames and 8,252 to test.

    Args:
        joints: The 14 evaluated joints, or all 36.
        cube: Side of the crop's cube, mm.
        second_cube: The same for the second test subject, whose hand is smaller.
    """

    joints: Literal["evaluated", "all"] = "evaluated"
    cube: float = 300.0
    second_cube: float = 250.0

    title: ClassVar[str] = "NYU"
    published: ClassVar[Mapping[str, float]] = {
        "DeepPrior": 19.73,
        "DeepModel": 17.04,
        "3DCNN": 14.1,
        "Ren-4x6x6": 13.39,
        "Ren-9x6x6": 12.69,
        "DeepPrior++": 12.24,
        "Pose-REN": 11.81,
        "SHPR-Net": 10.78,
        "HandPointNet": 10.54,
        "DenseReg": 10.2,
        "CrossInfoNet": 10.08,
        "Point-to-Point": 9.1,
        "V2V": 8.42,
        "JGR-P2O": 8.29,
    }

    @property
    def references(self) -> Mapping[str, float]:
        """Published results on the 14 joints that everybody reports."""
        return super().references if self.joints == "evaluated" else {}

    def _read(self, part: Part, options: CropOptions) -> HandDataset:
        return NYU(
            self.root,
            part,
            joints=self.joints,
            cube=self.cube,
            second_cube=self.second_cube,
            strict=self.strict,
            options=options,
        )


@dataclass(kw_only=True, eq=False)
class MSRAPoses(PoseFiles):
    """MSRA15 (Sun et al., CVPR 2015): 21 joints, nine subjects of whom one is left out to test.

    Args:
        test_subject: Number of the subject left out, 0 to 8.
    """

    test_subject: int = 0

    title: ClassVar[str] = "MSRA15"
    published: ClassVar[Mapping[str, float]] = {
        "Ren-9x6x6": 9.7,
        "3DCNN": 9.6,
        "DeepPrior++": 9.5,
        "Pose-REN": 8.65,
        "HandPointNet": 8.5,
        "CrossInfoNet": 7.86,
        "SHPR-Net": 7.76,
        "Point-to-Point": 7.7,
        "V2V": 7.59,
        "JGR-P2O": 7.55,
        "DenseReg": 7.2,
    }

    @property
    def _title(self) -> str:
        beside = "; published: means over all nine" if self.references else ""
        return f"{self.title}, tested on subject {self.test_subject}{beside}"

    def _read(self, part: Part, options: CropOptions) -> HandDataset:
        return MSRA(self.root, part, test_subject=self.test_subject, strict=self.strict, options=options)


@dataclass(kw_only=True, eq=False)
class BigHandPoses(PoseFiles):
    """HANDS17 / HANDS19 / BigHand2.2M (Yuan et al., CVPR 2017): 21 joints, 957,032 training frames.

    Args:
        test_fraction: Share of the training frames held out to test, as the official test labels are not public.
        cube: Side of the crop's cube, mm.
    """

    test_fraction: float = 0.1
    cube: float = 300.0

    title: ClassVar[str] = "HANDS17"
    lists_frames: ClassVar[bool] = True

    def _read(self, part: Part, options: CropOptions) -> HandDataset:
        return BigHand(
            self.root,
            part,
            test_fraction=self.test_fraction,
            cube=self.cube,
            strict=self.strict,
            options=options,
        )

    def _list(self, options: CropOptions, labels: str | None) -> HandDataset:
        return BigHand(self.root, "all", cube=self.cube, strict=self.strict, labels=labels, options=options)


@dataclass(kw_only=True, eq=False)
class FolderPoses(PoseFiles):
    """A lab's own depth frames with camera.yaml and labels.csv; those without a label are left out and counted.

    Args:
        test_fraction: Share of the frames held out to test.
        cube: Side of the crop's cube, mm; by default as camera.yaml says.
        depth: Pattern of the frames' paths below the folder, such as */depth/*.png; by default all frames there are.
    """

    test_fraction: float = 0.2
    cube: float | None = None
    depth: str | None = None

    title: ClassVar[str] = "depth folder"
    lists_frames: ClassVar[bool] = True

    @property
    def _title(self) -> str:
        return Path(self.root).name or self.title

    def _read(self, part: Part, options: CropOptions) -> HandDataset:
        return DepthFolder(
            self.root,
            part,
            test_fraction=self.test_fraction,
            cube=self.cube,
            strict=self.strict,
            depth=self.depth,
            options=options,
        )

    def _list(self, options: CropOptions, labels: str | None) -> HandDataset:
        return DepthFolder(
            self.root, "all", cube=self.cube, strict=self.strict, labels=labels, depth=self.depth, options=options
        )
