"""How frames are cropped around the hand."""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

from seqgcn.exceptions import ArgumentError
from seqgcn.utils.validation import check_choice, check_number, check_whole

Crop = Literal["auto", "file", "localizer", "rule", "detector", "mass", "oracle"]
"""Where the centers of crops are from."""

CROPS: tuple[Crop, ...] = ("auto", "file", "localizer", "rule", "detector", "mass", "oracle")


@dataclass(frozen=True, kw_only=True)
class CropOptions:
    """How frames are cropped, the same for pool and test.

    Args:
        size: Pixels along a crop's side.
        crop: Where the center of each frame's cube is from. `"auto"`: of frames in the file of centers, that; of the
            others the rule, and where it is in doubt the detector, if it is installed, and a localizer, if 20 frames
            are labeled or in the file (beside a file also where the rule is sure). `"file"`: `centers`; frames without
            one are left out. `"localizer"`: a small network, trained on the labeled frames, that finds the hand in the
            whole frame. `"rule"`: the place that looks most like a palm at the end of a limb, followed through each
            sequence. `"detector"`: a detector made for color pictures, on shaded depth (extra `[mediapipe]`). `"mass"`:
            center of mass between `near` and `far`, refined once inside the cube, as in DeepPrior; right only where
            nothing but the hand is in that range. `"oracle"`: the mean of the true joints; it tells a selector about
            labels it must not know, so it is for upper bounds only.
        centers: File of centers: CSV with the header `frame,x,y,z` (mm) or `frame,u,v,d` (px, px, mm), in which a row
            `frame,no hand,,` leaves a frame out, or, as beside the released data sets, a line x y z (mm) a frame in the
            order of the labels and in the release's axes.
        near: Nearest depth at which a hand may be, mm.
        far: Farthest depth at which it may be, mm.
        cache: Folder of crop caches; by default `SEQGCN_CACHE` or the user's cache folder.
        skip_empty: Whether frames without depth inside the cube are left out and counted, or an error; by default they
            are left out if they are a tenth at most.
        centre: Older name of `crop`; it wins where both are given.
        centres: Older name of `centers`; it wins where both are given.

    Raises:
        ArgumentError: One cannot be used.
    """

    size: int = 128
    crop: Crop = "auto"
    centers: str | None = None
    near: float = 10.0
    far: float = 1500.0
    cache: str | None = None
    skip_empty: bool | None = None
    centre: Crop | None = None
    centres: str | None = None

    def __post_init__(self) -> None:
        check_whole("size", self.size, low=16)
        for new, old in (("crop", "centre"), ("centers", "centres")):
            if getattr(self, old) is not None:
                object.__setattr__(self, new, getattr(self, old))
                object.__setattr__(self, old, None)
        check_choice("crop", self.crop, CROPS)
        check_number("near", self.near, low=0)
        check_number("far", self.far, low=self.near, open_low=True)
        if (self.centers is None) if self.crop == "file" else (self.centers is not None and self.crop != "auto"):
            raise ArgumentError(
                f"crop='file' and the path of the centers go together; got crop={self.crop!r} and "
                f"centers={self.centers!r}"
            )


class CropKeywords(TypedDict, total=False):
    """Fields of `CropOptions` as keywords of a hand data set; `crop_size` is its `size`."""

    crop_size: int
    crop: Crop
    centers: str | None
    near: float
    far: float
    cache: str | None
    skip_empty: bool | None


def crop_options(options: CropOptions | None, keywords: CropKeywords, strict: bool = False) -> CropOptions:
    """How a data set crops, by its arguments.

    Args:
        options: As given; by default the usual ones.
        keywords: What differs from them.
        strict: Whether frames without depth in the cube are an error if nothing is said about them.

    Raises:
        ArgumentError: An option cannot be used, or there is none of that name.
    """
    values: dict[str, Any] = dict(keywords)
    unknown = sorted(set(values) - set(CropKeywords.__annotations__))
    if unknown:
        raise ArgumentError(
            f"no argument {unknown[0]!r}; those about crops are {', '.join(CropKeywords.__annotations__)}"
        )
    if "crop_size" in values:
        values["size"] = check_whole("crop_size", values.pop("crop_size"), low=16)
    chosen = replace(options or CropOptions(), **values)
    return replace(chosen, skip_empty=False) if strict and chosen.skip_empty is None else chosen
