import os
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image

from seqgcn.datasets import ImageFolder
from seqgcn.datasets.image_folder import read_images_below
from seqgcn.exceptions import ArgumentError, DataFileError, MissingFileError

RED, GREEN = (255, 0, 0), (0, 255, 0)


def save(path: Path, color: Any = RED, size: tuple[int, int] = (6, 4), mode: str = "RGB", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **options)
    return path


def write(root: Path, cats: int = 10, dogs: int = 5) -> Path:
    """Image i of a class has i in its blue channel."""
    for name, count, color in (("cat", cats, RED), ("dog", dogs, GREEN)):
        for i in range(count):
            save(root / name / f"{i:03}.png", (*color[:2], i))
    return root


def test_a_fixed_part_of_each_class_is_set_aside(tmp_path: Path) -> None:
    dataset = ImageFolder(write(tmp_path / "pets"))
    assert (dataset.name, dataset.classes) == ("pets", ("cat", "dog"))
    assert dataset.train.targets.bincount().tolist() == [8, 4]
    assert dataset.test.targets.bincount().tolist() == [2, 1]
    assert dataset.train.inputs.shape == (12, 3, 4, 6)
    both = torch.cat([dataset.train.inputs, dataset.test.inputs])
    seen = sorted((int(image[1, 0, 0]) // 255, int(image[2, 0, 0])) for image in both)
    assert seen == [(0, i) for i in range(10)] + [(1, i) for i in range(5)]
    assert dataset.fingerprint == ImageFolder(str(tmp_path / "pets")).fingerprint


@pytest.mark.parametrize(("fraction", "expected"), [(0.001, [1, 1]), (0.5, [5, 2]), (0.999, [9, 4])])
def test_both_parts_have_every_class(tmp_path: Path, fraction: float, expected: list[int]) -> None:
    dataset = ImageFolder(write(tmp_path), test_fraction=fraction)
    assert dataset.test.targets.bincount().tolist() == expected


def test_train_and_test_folders(tmp_path: Path) -> None:
    write(tmp_path / "train", 3, 2)
    save(tmp_path / "test" / "dog" / "a.png", (0, 255, 9))
    dataset = ImageFolder(tmp_path)
    assert dataset.train.targets.tolist() == [0, 0, 0, 1, 1]
    assert dataset.train.inputs[:, 2, 0, 0].tolist() == [0, 1, 2, 0, 1]
    assert dataset.test.targets.tolist() == [1]
    assert dataset.test.inputs[0, :, 0, 0].tolist() == [0, 255, 9]


def test_classes_called_train_and_test(tmp_path: Path) -> None:
    for name in ("train", "test", "rails"):
        save(tmp_path / name / "a.png")
        save(tmp_path / name / "b.png")
    assert ImageFolder(tmp_path).classes == ("rails", "test", "train")


def test_unknown_class(tmp_path: Path) -> None:
    write(tmp_path / "train")
    write(tmp_path / "test")
    save(tmp_path / "test" / "cow" / "a.png")
    with pytest.raises(DataFileError, match=r"test.cow: this class is unknown"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".jpeg", ".JPG", ".png", ".ppm", ".tif", ".tiff", ".webp"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        save(tmp_path / "cat" / f"{name}{suffix}", (200, 0, 0))
    image = ImageFolder(tmp_path).train.inputs[0]
    assert image.shape == (3, 4, 6)
    assert (image[:, 0, 0].int() - torch.tensor([200, 0, 0])).abs().max() <= 3


def test_grey_images_get_one_channel(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "a.png", 100, mode="L")
    save(tmp_path / "cat" / "b.png", 1, mode="1")
    save(tmp_path / "cat" / "c.png", (50, 9), mode="LA")
    dataset = ImageFolder(tmp_path)
    images = torch.cat([dataset.train.inputs, dataset.test.inputs])
    assert images.shape == (3, 1, 4, 6)
    assert sorted(images[:, 0, 0, 0].tolist()) == [50, 100, 255]


def test_grey_among_colour_gets_three_channels(tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "a.png", 100, mode="L")
    save(tmp_path / "test" / "cat" / "a.png", RED)
    dataset = ImageFolder(tmp_path)
    assert dataset.train.inputs[0, :, 0, 0].tolist() == [100, 100, 100]
    assert dataset.test.inputs[0, :, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_keeps_its_upper_bits(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 255, 256], [0x1234, 0x8000, 0xFFFF]], np.uint16)
    (tmp_path / "cat").mkdir()
    for name in ("a", "b"):
        Image.fromarray(values).save(tmp_path / "cat" / f"{name}{suffix}")
    assert ImageFolder(tmp_path).train.inputs[0].tolist() == [[[0, 0, 1], [0x12, 0x80, 0xFF]]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_images_are_refused(tmp_path: Path, mode: str) -> None:
    for name in ("a", "b"):
        save(tmp_path / "cat" / f"{name}.tif", 3, mode=mode)
    with pytest.raises(DataFileError, match=r"\.tif cannot be read .*save it with 8 or 16"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize(("mode", "color"), [("P", 0), ("RGBA", (7, 8, 9, 100)), ("CMYK", (0, 0, 0, 0))])
def test_other_modes_become_rgb(tmp_path: Path, mode: str, color: Any) -> None:
    suffix = ".jpg" if mode == "CMYK" else ".png"
    options = {"transparency": b"\x00\x80"} if mode == "P" else {}
    for name in ("a", "b"):
        save(tmp_path / "cat" / f"{name}{suffix}", color, mode=mode, **options)
    pixel = ImageFolder(tmp_path).train.inputs[0, :, 0, 0].tolist()
    assert pixel == {"P": [0, 0, 0], "RGBA": [7, 8, 9], "CMYK": [255, 255, 255]}[mode]


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to show it
    for name in ("a", "b"):
        save(tmp_path / "cat" / f"{name}.jpg", exif=exif)
    assert ImageFolder(tmp_path).train.inputs.shape == (1, 3, 6, 4)


def test_sizes_must_be_the_same(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "a.png", size=(6, 4))
    save(tmp_path / "cat" / "b.png", size=(6, 5))
    with pytest.raises(DataFileError, match=r"\.png has 6 x \d pixels, but .*\.png 6 x \d; set image_size") as caught:
        ImageFolder(tmp_path)
    assert str(caught.value).endswith(", on the command line with --set dataset.image_size=N")
    assert ImageFolder(tmp_path, image_size=8).train.inputs.shape == (1, 3, 8, 8)


def test_resizing_is_bilinear(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.array([[0, 100], [100, 200]], np.uint8)).save(tmp_path / "cat" / f"{name}.png")
    assert ImageFolder(tmp_path, image_size=1).train.inputs.flatten().tolist() == [100]


@pytest.mark.parametrize(
    "arguments", [{"image_size": 0}, {"image_size": 2.5}, {"test_fraction": 0}, {"test_fraction": 1}]
)
def test_arguments(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        ImageFolder(write(tmp_path), **arguments)


def test_hidden_and_other_files_are_skipped(tmp_path: Path) -> None:
    write(tmp_path)
    expected = ImageFolder(tmp_path).fingerprint
    (tmp_path / "readme.txt").touch()
    (tmp_path / "cat" / "Thumbs.db").touch()
    (tmp_path / "cat" / ".hidden.png").touch()
    (tmp_path / ".git").mkdir()
    assert ImageFolder(tmp_path).fingerprint == expected


def test_no_class_folders(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="has no class folders; expected FOLDER/CLASS/IMAGE"):
        ImageFolder(tmp_path)
    with pytest.raises(MissingFileError, match="nowhere does not exist"):
        ImageFolder(tmp_path / "nowhere")


def test_class_without_images(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "cow").mkdir()
    with pytest.raises(DataFileError, match=r"cow has no image \(\.bmp, "):
        ImageFolder(tmp_path)


def test_folder_in_a_class_folder(tmp_path: Path) -> None:
    write(tmp_path / "train")
    with pytest.raises(DataFileError, match=r"train.cat is a folder in a class folder; expected"):
        ImageFolder(tmp_path)


def test_single_image_of_a_class(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"000\.png is the only image of its class"):
        ImageFolder(write(tmp_path, dogs=1))


def test_unreadable_images(tmp_path: Path) -> None:
    path = write(tmp_path) / "cat" / "003.png"
    content = path.read_bytes()
    for damaged in (b"", b"no image", content[: len(content) - 30]):
        path.write_bytes(damaged)
        with pytest.raises(DataFileError, match=r"003\.png cannot be read as an image"):
            ImageFolder(tmp_path)


def test_only_the_named_formats_are_decoded(tmp_path: Path) -> None:
    path = write(tmp_path) / "cat" / "003.png"
    Image.new("RGB", (6, 4)).save(path, format="EPS")
    with pytest.raises(DataFileError, match=r"003\.png cannot be read as an image \(UnidentifiedImageError"):
        ImageFolder(tmp_path)


@pytest.mark.parametrize("limit", [20, 10])
def test_decompression_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Pillow warns above its limit and raises above twice the limit; the images have 24 pixels."""
    write(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataFileError, match=r"000\.png has too many pixels|\.png has too many pixels to be trusted"):
        ImageFolder(tmp_path)


def test_links_within_the_folder(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "dog" / "again.png").symlink_to(tmp_path / "cat" / "000.png")
    assert len(ImageFolder(tmp_path).train) == 13


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path / "pets")
    (tmp_path / "link").symlink_to(tmp_path / "pets")
    assert len(ImageFolder(tmp_path / "link").train) == 12


@pytest.mark.parametrize("place", ["cat/x.png", "cow", "test"])
def test_links_out_of_the_folder(tmp_path: Path, place: str) -> None:
    root = write(tmp_path / "pets")
    write(root / "train")
    outside = write(tmp_path / "elsewhere")
    (root / place).symlink_to(outside / "cat" / "000.png" if "." in place else outside)
    with pytest.raises(DataFileError, match=r"is a link that leads out of .*pets"):
        ImageFolder(root)


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "cat" / "x.png").symlink_to("x.png")
    with pytest.raises(DataFileError, match=r"x\.png is a link that leads out of .* or nowhere"):
        ImageFolder(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe(tmp_path: Path) -> None:
    write(tmp_path)
    os.mkfifo(tmp_path / "cat" / "x.png")
    with pytest.raises(DataFileError, match=r"x\.png cannot be read as an image .*not a regular file"):
        ImageFolder(tmp_path)


def test_the_command_line_can_read_the_type_hints() -> None:
    hints = get_type_hints(ImageFolder.__init__)
    assert (hints["root"], hints["image_size"], hints["test_fraction"]) == (str | Path, int | None, float)


# images in any folders


def test_all_images_below_a_folder(tmp_path: Path) -> None:
    for number, name in enumerate(["b.png", "a/z.png", "a/b/1.JPG", "a/b/c/2.png"]):
        save(tmp_path / name, (0, 0, 10 * number))
    save(tmp_path / ".trash" / "x.png")
    save(tmp_path / "a" / ".x.png")
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "a" / "empty.png").mkdir()
    names, images = read_images_below(tmp_path)
    assert names == ["a/b/1.JPG", "a/b/c/2.png", "a/z.png", "b.png"]
    assert (images.shape, images.dtype) == ((4, 3, 4, 6), torch.uint8)
    assert images[1:, 2, 0, 0].tolist() == [30, 10, 0]
    assert read_images_below(str(tmp_path), 8)[1].shape == (4, 3, 8, 8)


def test_grey_images_below_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 100, mode="L")
    assert read_images_below(tmp_path)[1].tolist() == [[[[100] * 6] * 4]]
    save(tmp_path / "a" / "b.png", RED)
    assert read_images_below(tmp_path)[1].shape == (2, 3, 4, 6)


def test_what_is_no_folder_of_images(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere does not exist"):
        read_images_below(tmp_path / "nowhere")
    (tmp_path / "a").mkdir()
    with pytest.raises(DataFileError, match=r"has no image \(\.bmp, .*\), nor have the folders in it"):
        read_images_below(tmp_path)
    save(tmp_path / "a" / "1.png")
    save(tmp_path / "b" / "2.png", size=(3, 3))
    with pytest.raises(DataFileError, match=r"2\.png has 3 x 3 pixels, but .*1\.png 6 x 4; set image_size"):
        read_images_below(tmp_path)
    (tmp_path / "b" / "2.png").write_bytes(b"no image")
    with pytest.raises(DataFileError, match=r"2\.png cannot be read as an image"):
        read_images_below(tmp_path)


def test_links_below_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "pets"
    save(root / "a" / "1.png")
    (root / "a" / "2.png").symlink_to("1.png")
    # Followed, these two would never end.
    (root / "a" / "up").symlink_to("..")
    (root / "a" / "here").symlink_to(".")
    assert read_images_below(root)[0] == ["a/1.png", "a/2.png"]
    save(tmp_path / "out" / "1.png")
    (root / "b").symlink_to(tmp_path / "out")
    with pytest.raises(DataFileError, match="b is a link that leads out of"):
        read_images_below(root)


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX alone")
@pytest.mark.parametrize("name", [b"\xff.png", b"a\nb.png", b"a\rb.png"])
def test_names_no_list_could_hold(tmp_path: Path, name: bytes) -> None:
    save(tmp_path / "1.png").rename(tmp_path / os.fsdecode(name))
    with pytest.raises(DataFileError, match="has a line break or is not UTF-8; rename it"):
        read_images_below(tmp_path)


def test_odd_names_that_are_fine(tmp_path: Path) -> None:
    for name in ("a, b.png", '"x".png', "at\u202f9.png", "<script>alert(1)<.png", "=cmd().png"):
        save(tmp_path / name)
    assert len(read_images_below(tmp_path)[0]) == 5
