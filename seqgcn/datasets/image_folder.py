"""One's own images: a folder of folders, one for each class."""

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from seqgcn.datasets.data_files import check_root
from seqgcn.datasets.dataset import ImageDataset, Split
from seqgcn.datasets.round_pool import RoundFiles, RoundPool, short_hash
from seqgcn.exceptions import DataFileError
from seqgcn.training import Progress
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_number, check_whole

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
DECODERS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The decoders for these suffixes and no other: a renamed file must not reach one that starts programs."""

_UNLISTABLE = re.compile("[\n\r\ud800-\udfff]")
"""What a name in a list, one a line, must not have: ends of lines, and bytes that are no UTF-8."""

LAYOUT = "expected FOLDER/CLASS/IMAGE, or FOLDER/train/CLASS/IMAGE and FOLDER/test/CLASS/IMAGE"


class ImageFolder(ImageDataset):
    """Images of one's own, each in the folder of its class, all decoded into memory.

    With class folders in ``root/train`` and ``root/test`` these are the pool and the test part. Otherwise the
    class folders are in `root` itself, and a random part of each class, the same in every run, is set aside.

    Read are BMP, GIF, JPEG, PNG, PPM, TIFF and WebP; of an animation the first picture. Other files and
    hidden ones are skipped. If all images are gray, they get one channel, else three. 16-bit gray is cut to
    its upper 8 bits, transparency is dropped, and photographs are turned upright as their EXIF data say.

    Args:
        root: The folder.
        image_size: Side in pixels of the square to which all images are resized (bilinear). Without it they
            keep their size, which must then be the same for all.
        test_fraction: Share of each class to set aside for the test part, at least one image; of no effect if
            there are ``root/train`` and ``root/test``.

    Raises:
        ArgumentError: `image_size` or `test_fraction` out of range.
        MissingFileError: `root` does not exist.
        DataFileError: Another layout, an image that cannot be read or is suspiciously large, images of
            different sizes, a class without an image or, in ``test``, unknown, a link out of the folder.
    """

    def __init__(self, root: str | Path, image_size: int | None = None, test_fraction: float = 0.2) -> None:
        if image_size is not None:
            check_whole("image_size", image_size)
        check_number("test_fraction", test_fraction, low=0, high=1, open_low=True, open_high=True)
        top = check_root(root, "the image folder").resolve()
        folders = _folders(top, top)
        if all(top / part in folders and _folders(top / part, top) for part in ("train", "test")):
            train, classes = _list_images(top / "train", top)
            test, _ = _list_images(top / "test", top, classes)
        else:
            everything, classes = _list_images(top, top)
            train, test = _set_aside(everything, test_fraction)
        images = _read_images([*train, *test], image_size)
        targets = torch.tensor([item.target for item in (*train, *test)])
        pool = len(train)
        super().__init__(
            name=top.name,
            train=Split(images[:pool], targets[:pool]),
            test=Split(images[pool:], targets[pool:]),
            classes=classes,
        )

    @classmethod
    def unsplit(cls, root: str | Path, image_size: int | None = None, test_fraction: float = 0.2) -> "UnsplitImages":
        """All images below the folder, whose folders mean nothing; of the arguments `test_fraction` neither."""
        del test_fraction
        return UnsplitImages(root, image_size)


@dataclass(frozen=True)
class UnsplitImages:
    """All images below a folder, of which a table tells the classes that are known.

    Args:
        root: The folder.
        image_size: As for `ImageFolder`.
    """

    root: str | Path
    image_size: int | None = None

    def round_pool(self, files: RoundFiles, progress: Progress | None = None) -> RoundPool:
        """What a round picks from.

        Raises:
            MissingFileError: The folder does not exist.
            DataFileError: An image or the table cannot be used.
        """
        del progress
        items, images = read_images_below(self.root, self.image_size)
        classes, known = files.classes(items)
        ids = sorted(known)
        digest = hashlib.blake2b(images.numpy().data, digest_size=8).hexdigest()
        return RoundPool(
            name=Path(self.root).resolve().name,
            items=items,
            labelled=torch.tensor(ids, dtype=torch.int64),
            inputs=images,
            targets=torch.tensor([known[item] for item in ids], dtype=torch.int64),
            classes=tuple(classes),
            picture=lambda item: Path(self.root).expanduser() / items[item],
            fingerprint=short_hash(digest, items, classes, known),
        )


def read_images_below(root: str | Path, image_size: int | None = None) -> tuple[list[str], torch.Tensor]:
    """All images in a folder and the folders in it, whatever these mean.

    Args:
        root: The folder.
        image_size: As for `ImageFolder`.

    Returns:
        Path of each image below the folder, by name, n of them, and the images `[n, 1 or 3, height, width]` uint8.

    Raises:
        MissingFileError: `root` does not exist.
        DataFileError: There is no image, or one cannot be used; see `ImageFolder`.
    """
    top = check_root(root, "the image folder").resolve()
    folders, paths = [top], []
    while folders:
        for path in _entries(folders.pop(), top):
            if path.is_dir():
                # A link to a folder that it lies in has no end.
                if not path.is_symlink():
                    folders.append(path)
            elif path.suffix.lower() in SUFFIXES:
                paths.append(path)
    if not paths:
        raise DataFileError(f"{top} has no image ({', '.join(SUFFIXES)}), nor have the folders in it")
    paths.sort()
    names = [path.relative_to(top).as_posix() for path in paths]
    for name in names:
        if _UNLISTABLE.search(name):
            raise DataFileError(f"{top}: the name {name!r} has a line break or is not UTF-8; rename it")
    images = _read_images([_Item(path, 0) for path in paths], image_size)
    return names, images


def read_image_files(files: Sequence[str | Path], image_size: int | None = None) -> torch.Tensor:
    """Images of a list of files, `[n, 1 or 3, height, width]` uint8.

    Args:
        files: Their paths.
        image_size: As for `ImageFolder`.

    Raises:
        DataFileError: One cannot be used; see `ImageFolder`.
    """
    return _read_images([_Item(Path(file).expanduser(), 0) for file in files], image_size)


class _Item(NamedTuple):
    path: Path
    target: int


def _entries(folder: Path, top: Path) -> list[Path]:
    """What is in a folder, by name, but for hidden entries.

    Raises:
        DataFileError: The folder cannot be read, or something in it is a link that leads out of `top`.
    """
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataFileError(f"{folder} cannot be read: {error.strerror}") from error
    for path in entries:
        if path.is_symlink():
            try:
                inside = path.resolve(strict=True).is_relative_to(top)
            except (OSError, RuntimeError):  # leads nowhere, or in a circle
                inside = False
            if not inside:
                raise DataFileError(f"{path} is a link that leads out of {top} or nowhere; copy the file instead")
    return entries


def _folders(folder: Path, top: Path) -> list[Path]:
    return [path for path in _entries(folder, top) if path.is_dir()]


def _list_images(folder: Path, top: Path, known: tuple[str, ...] | None = None) -> tuple[list[_Item], tuple[str, ...]]:
    """Images in the class folders of `folder`, sorted by class, and the classes: `known`, if given."""
    folders = _folders(folder, top)
    if not folders:
        raise DataFileError(f"{folder} has no class folders; {LAYOUT}")
    classes = known or tuple(path.name for path in folders)
    items = []
    for class_folder in folders:
        if class_folder.name not in classes:
            raise DataFileError(f"{class_folder}: this class is unknown, as {top / 'train'} has no such folder")
        entries = _entries(class_folder, top)
        images = [path for path in entries if path.suffix.lower() in SUFFIXES]
        deeper = [path for path in entries if path.is_dir()]
        if deeper:
            raise DataFileError(f"{deeper[0]} is a folder in a class folder; {LAYOUT}")
        if not images:
            raise DataFileError(f"{class_folder} has no image ({', '.join(SUFFIXES)}); {LAYOUT}")
        target = classes.index(class_folder.name)
        items += [_Item(path, target) for path in images]
    return items, classes


def _set_aside(items: list[_Item], test_fraction: float) -> tuple[list[_Item], list[_Item]]:
    """Pool and test part of items sorted by class: a fixed random part of each class, at least one image."""
    train: list[_Item] = []
    test: list[_Item] = []
    for target, group in groupby(items, key=lambda item: item.target):
        mine = list(group)
        if len(mine) == 1:
            raise DataFileError(
                f"{mine[0].path} is the only image of its class; add one, as both pool and test part need one"
            )
        size = min(max(round(test_fraction * len(mine)), 1), len(mine) - 1)
        aside = set(torch.randperm(len(mine), generator=generator(0, "test", target))[:size].tolist())
        for place, item in enumerate(mine):
            (test if place in aside else train).append(item)
    return train, test


def _read_images(items: list[_Item], image_size: int | None) -> torch.Tensor:
    """All images `[n, 1 or 3, height, width]` uint8; one channel if all are gray."""
    images: list[NDArray[np.uint8]] = []
    for path, _ in items:
        images.append(_read_image(path, image_size))
        if images[-1].shape[:2] != images[0].shape[:2]:
            (height, width), (first_height, first_width) = images[-1].shape[:2], images[0].shape[:2]
            raise DataFileError(
                f"{path} has {width} x {height} pixels, but {items[0].path} {first_width} x {first_height}; "
                "set image_size to resize all images, on the command line with --set dataset.image_size=N"
            )
    channels = max(image.shape[2] for image in images)
    stacked = np.empty((len(images), channels, *images[0].shape[:2]), np.uint8)
    for place, image in enumerate(images):
        stacked[place] = image.transpose(2, 0, 1)  # one channel is repeated
    return torch.from_numpy(stacked)


def _read_image(path: Path, image_size: int | None) -> NDArray[np.uint8]:
    """Pixels `[height, width, 1 or 3]`.

    Raises:
        DataFileError: It cannot be read or decoded, or has so many pixels that Pillow suspects an attack.
    """
    try:
        if not path.is_file():
            raise ValueError("not a regular file")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=DECODERS) as opened:
                # Modes of 32 bits; Pillow also opens 16-bit PNG and PPM files in mode I.
                if opened.mode == "F" or (opened.mode == "I" and opened.format == "TIFF"):
                    raise ValueError("values of 32 bits; save it with 8 or 16")
                image = _to_8_bits(ImageOps.exif_transpose(opened))
        if image_size is not None:
            image = image.resize((image_size, image_size), Image.Resampling.BILINEAR)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataFileError(f"{path} has too many pixels to be trusted ({error}); make it smaller") from error
    except Exception as error:  # decoders raise whatever the damaged bytes lead them to
        raise DataFileError(f"{path} cannot be read as an image ({type(error).__name__}: {error})") from error
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _to_8_bits(image: Image.Image) -> Image.Image:
    """The image in mode ``L`` if it is gray, else in ``RGB``."""
    if image.mode.startswith("I"):
        # Pillow's own conversion clips at 255, which turns nearly all of a 16-bit image white.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("1", "L", "LA", "La"):
        return image.convert("L")
    # A palette may have transparent colors, which Pillow only drops without a warning on the way over RGBA.
    return (image.convert("RGBA") if image.mode in ("P", "PA") else image).convert("RGB")
