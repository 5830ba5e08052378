import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_releases import RECORDED, write_bighand, write_folder, write_icvl, write_msra, write_nyu
from PIL import Image

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.hands import ICVL, MSRA, NYU, BigHand, DepthFolder
from seqgcn.exceptions import ArgumentError, ConfigError, DataFileError, MissingFileError
from seqgcn.rounds.inputs import (
    RoundPool,
    candidates_of,
    costs_of,
    pool_of_dataset,
    pool_of_features,
    thumbnails_of,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")

Read = Callable[..., RoundPool]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The pool that options give, its crops small and cached in the test's own folder."""
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))

    def call(dataset: str, **options: Any) -> RoundPool:
        settings = options.pop("set", {})
        if dataset not in ("image-folder", "digits"):
            settings = {"dataset.crop_size": 32, **settings}
        config = SelectConfig(dataset=dataset, set=settings, **options)
        return pool_of_dataset(config, config.settle()["dataset"])

    return call


def write(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


# features


@pytest.fixture
def features(tmp_path: Path) -> Callable[..., SelectConfig]:
    values = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    return lambda **options: SelectConfig(features=str(tmp_path / "x.npy"), **options)


def test_numbered_features(tmp_path: Path, features: Callable[..., SelectConfig]) -> None:
    pool = pool_of_features(features(labelled=write(tmp_path / "l.txt", "4", "0")))
    assert (pool.name, list(pool.items), pool.names, len(pool)) == ("x.npy", list("012345"), None, 6)
    assert pool.labelled.tolist() == [4, 0]
    assert (pool.targets, pool.inputs, pool.frames, pool.classes) == (None, None, None, ())
    assert pool_of_features(features()).labelled.shape == (0,)
    assert pool_of_features(features(labelled=write(tmp_path / "none.txt"))).labelled.dtype == torch.int64


def test_named_features(tmp_path: Path, features: Callable[..., SelectConfig]) -> None:
    names = ("v/1.png", "v/2.png", "a, b", "<b>", "=x", "'")
    options = {"items": write(tmp_path / "n.txt", *names)}
    pool = pool_of_features(features(labelled=write(tmp_path / "l.txt", "<b>", "v/2.png"), **options))
    assert (pool.items, pool.names, pool.labelled.tolist()) == (names, names, [3, 1])
    with pytest.raises(DataFileError, match=r"l\.txt, line 2: 'v/3\.png' is not the name of an item; is it 'v/"):
        pool_of_features(features(labelled=write(tmp_path / "l.txt", "<b>", "v/3.png"), **options))
    with pytest.raises(DataFileError, match=r"n\.txt names 2 items, but .*x\.npy has 6 rows"):
        pool_of_features(features(items=write(tmp_path / "n.txt", "a", "b")))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f4"])
def test_memory_mapped_features_are_not_copied(tmp_path: Path, kind: Any, order: Any) -> None:
    values = np.asarray(np.random.default_rng(1).normal(size=(9, 4)), kind, order=order)
    path = tmp_path / "x.npy"
    np.save(path, values)
    pool = pool_of_features(SelectConfig(features=str(path)))
    assert pool.x is not None
    assert torch.equal(pool.x, torch.from_numpy(values.astype(values.dtype.newbyteorder("="))))
    # What is written into the file shows, unless its byte order is foreign and it had to be turned.
    changed = np.load(path, mmap_mode="r+")
    changed[2, 1] = 77
    changed.flush()
    assert bool(pool.x[2, 1] == 77) == (kind != ">f4")


def test_half_precision_features(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 2), np.float16))
    pool = pool_of_features(SelectConfig(features=str(tmp_path / "x.npy")))
    assert pool.x is not None
    assert (pool.x.dtype, pool.x.sum()) == (torch.float32, 6)


def test_fingerprint_of_features(tmp_path: Path, features: Callable[..., SelectConfig]) -> None:
    seen = {pool_of_features(features()).fingerprint}
    assert pool_of_features(features()).fingerprint in seen
    seen.add(pool_of_features(features(labelled=write(tmp_path / "l.txt", "1"))).fingerprint)
    seen.add(pool_of_features(features(labelled=write(tmp_path / "l.txt", "2"))).fingerprint)
    seen.add(pool_of_features(features(items=write(tmp_path / "n.txt", *"abcdef"))).fingerprint)
    values = np.load(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", values[:, ::-1])
    seen.add(pool_of_features(features()).fingerprint)
    np.save(tmp_path / "x.npy", values.reshape(9, 2))
    seen.add(pool_of_features(features()).fingerprint)
    assert len(seen) == 6


# hand frames


def test_files_of_labels_and_lists_of_names(tmp_path: Path, read: Read) -> None:
    root = tmp_path / "icvl"
    write_icvl(root)
    lines = (root / "Training/labels.txt").read_text().splitlines()
    whole = read("icvl", root=str(root))
    assert whole.name == "ICVL"
    assert whole.items == whole.names == [f"Training/Depth/{RECORDED}/image_{i:04d}.png" for i in range(4)]
    assert whole.labelled.tolist() == [0, 1, 2, 3]
    assert whole.targets is not None
    assert whole.frames is not None
    assert torch.equal(whole.targets, whole.frames.joints)
    part = read("icvl", root=str(root), labelled=write(tmp_path / "mine.txt", lines[3], lines[1]))
    assert part.labelled.tolist() == [1, 3]
    assert part.targets is not None
    assert torch.equal(part.targets, whole.targets[[1, 3]])
    listed = read("icvl", root=str(root), labelled=write(tmp_path / "list.txt", whole.items[3], whole.items[1]))
    assert listed.labelled.tolist() == [3, 1]
    assert listed.targets is not None
    assert torch.equal(listed.targets, whole.targets[[3, 1]])
    assert len({pool.fingerprint for pool in (whole, part, listed)}) == 3


def test_lists_that_do_not_fit(tmp_path: Path, read: Read) -> None:
    root = tmp_path / "icvl"
    write_icvl(root)
    labels = root / "Training/labels.txt"
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join(lines[:2]))
    name = f"Training/Depth/{RECORDED}/image_000"
    with pytest.raises(DataFileError, match=r"l\.txt: .*image_0002\.png is listed as labeled, but .* 1 more"):
        read("icvl", root=str(root), labelled=write(tmp_path / "l.txt", *(f"{name}{i}.png" for i in (1, 2, 3))))
    with pytest.raises(DataFileError, match=rf"l\.txt, line 2: '{name}9\.png' is not the name of an item; is it"):
        read("icvl", root=str(root), labelled=write(tmp_path / "l.txt", f"{name}0.png", f"{name}9.png"))
    # The same if it is the first, or if all are called as in the file of labels.
    with pytest.raises(DataFileError, match=rf"line 1: '{name}9\.png' is not the name of an item"):
        read("icvl", root=str(root), labelled=write(tmp_path / "l.txt", f"{name}9.png"))
    with pytest.raises(DataFileError, match=rf"line 1: '{RECORDED}/image_0001\.png' is not .*; is it 'Training/Depth"):
        read("icvl", root=str(root), labelled=write(tmp_path / "l.txt", f"{RECORDED}/image_0001.png"))
    with pytest.raises(DataFileError, match=r"l\.txt, line 1 has 2 numbers, expected 48"):
        read("icvl", root=str(root), labelled=write(tmp_path / "l.txt", f"{RECORDED}/image_0001.png 1 2"))
    with pytest.raises(MissingFileError, match=r"none\.txt does not exist"):
        read("icvl", root=str(root), labelled=str(tmp_path / "none.txt"))
    with pytest.raises(DataFileError, match="is a folder; give the path of a file"):
        read("icvl", root=str(root), labelled=str(tmp_path))


def test_names_with_blanks(tmp_path: Path, read: Read) -> None:
    root = tmp_path / "my lab"
    write_folder(root, {"seq 1": 3})
    pool = read("depth-folder", root=str(root), labelled=write(tmp_path / "l.txt", "seq 1/2.png"))
    assert pool.labelled.tolist() == [1]


def write_release(name: str, root: Path) -> list[str]:
    """A tiny data set, and the names of its items."""
    if name == "icvl":
        write_icvl(root)
        return [f"Training/Depth/{RECORDED}/image_{i:04d}.png" for i in range(4)]
    if name == "hands17":
        write_bighand(root, 4)
        return [f"images/image_D{i:08d}.png" for i in range(1, 5)]
    if name == "depth-folder":
        write_folder(root, {"a": 4})
        return [f"a/{i}.png" for i in range(1, 5)]
    if name == "nyu":
        write_nyu(root, {"train": 3, "test": 1})
        return [f"train/depth_1_{i:07d}.png" for i in range(1, 4)]
    write_msra(root, {"P0/5": 1, "P1/5": 2, "P2/1": 1})
    return ["P1/5/000000_depth.bin", "P1/5/000001_depth.bin", "P2/1/000000_depth.bin"]


@pytest.mark.parametrize("name", ["icvl", "hands17", "depth-folder", "nyu", "msra"])
def test_an_empty_file_is_nothing_labelled(tmp_path: Path, read: Read, name: str) -> None:
    items = write_release(name, tmp_path / "data")
    pool = read(name, root=str(tmp_path / "data"), labelled=write(tmp_path / "none"))
    assert list(pool.items) == items
    assert pool.labelled.shape == (0,)
    assert pool.targets is not None
    assert len(pool.targets) == 0
    assert thumbnails_of(pool.inputs).shape == (len(items), 256)
    some = read(name, root=str(tmp_path / "data"), labelled=write(tmp_path / "some", items[1]))
    assert some.labelled.tolist() == [1]


def test_without_a_file_what_the_release_labels_counts(tmp_path: Path, read: Read) -> None:
    for name in ("hands17", "depth-folder", "nyu", "msra"):
        write_release(name, tmp_path / name)
        pool = read(name, root=str(tmp_path / name))
        assert len(pool.labelled) == len(pool)


def test_every_frame_of_each_data_set(tmp_path: Path) -> None:
    made = {"icvl": ICVL, "hands17": BigHand, "depth-folder": DepthFolder, "nyu": NYU, "msra": MSRA}
    for name, kind in made.items():
        items = write_release(name, tmp_path / name)
        dataset = kind.splits(root=str(tmp_path / name))
        assert dataset.every_frame().files == items
        (tmp_path / "none").touch()
        if dataset.lists_frames:
            assert not dataset.every_frame(str(tmp_path / "none")).labelled.any()
            with pytest.raises(ArgumentError, match=r"oracle_centres.* needs the poses of all frames"):
                kind.splits(root=str(tmp_path / name), oracle_centres=True).every_frame()
        else:
            with pytest.raises(ArgumentError, match="which of them are labeled so far must be a list of their paths"):
                dataset.every_frame(str(tmp_path / "none"))


def test_what_was_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    write_icvl(tmp_path / "icvl")
    config = SelectConfig(dataset="icvl", root=str(tmp_path / "icvl"), set={"dataset.crop_size": 32})
    pool_of_dataset(config, config.settle()["dataset"])
    assert messages[0] == "icvl-all: 4 frames; left out: 2 rotated copy"


def test_crops_a_network_cannot_take_are_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    write_icvl(tmp_path / "icvl")
    config = SelectConfig(dataset="icvl", root=str(tmp_path / "icvl"), set={"dataset.crop_size": 33})

    def refuse(size: int) -> None:
        raise ArgumentError(f"no crops of {size} px")

    with pytest.raises(ArgumentError, match="no crops of 33 px"):
        pool_of_dataset(config, config.settle()["dataset"], crop_check=refuse)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("option", ["exclude", "candidates", "cost", "labelled"])
def test_a_wrong_list_is_found_before_crops_are_made(
    tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    write_icvl(tmp_path / "icvl")
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("item,cost\nnowhere.png,1\n" if option == "cost" else "nowhere.png\n")
    config = SelectConfig(
        dataset="icvl", root=str(tmp_path / "icvl"), set={"dataset.crop_size": 32}, **{option: str(wrong)}
    )
    with pytest.raises(DataFileError, match=r"nowhere.png' is not the name of an item"):
        pool_of_dataset(config, config.settle()["dataset"])
    assert not (tmp_path / "cache").exists()


def test_the_root(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    write_icvl(tmp_path / "icvl")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert read("icvl", root="~/icvl").fingerprint == read("icvl", root="icvl").fingerprint
    shutil.copyfile("icvl/Training/labels.txt", "mine.txt")
    assert len(read("icvl", root="icvl", labelled="~/mine.txt").labelled) == 4
    with pytest.raises(ConfigError, match="the data set icvl needs --root DIR, the folder that holds its files"):
        read("icvl")
    with pytest.raises(ConfigError, match="the data set digits reads no files; leave --root out"):
        read("digits", root="icvl")


# images


def save_images(root: Path, n: int = 6, mode: str = "RGB") -> list[str]:
    names = [f"{'ab'[i % 2]}/{i}.png" for i in range(n)]
    draw = np.random.default_rng(0)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (20, 24, 3) if mode == "RGB" else (20, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return sorted(names)


def test_images_and_their_classes(tmp_path: Path, read: Read) -> None:
    names = save_images(tmp_path / "pets")
    table = write(tmp_path / "l.csv", "item,class", "b/5.png,dog", '"a/2.png","cat, big"', "a/0.png,dog")
    pool = read("image-folder", root=str(tmp_path / "pets"), labelled=table)
    assert (pool.name, pool.items, pool.classes) == ("pets", names, ("cat, big", "dog"))
    assert [names[i] for i in pool.labelled.tolist()] == ["a/0.png", "a/2.png", "b/5.png"]
    assert pool.targets is not None
    assert pool.targets.tolist() == [1, 0, 1]
    assert pool.inputs.shape == (6, 3, 20, 24)
    resized = read("image-folder", root=str(tmp_path / "pets"), labelled=table, set={"dataset.image_size": 8})
    assert resized.inputs.shape == (6, 3, 8, 8)
    renamed = write(tmp_path / "m.csv", "item,class", "b/5.png,dog", "a/2.png,ant", "a/0.png,dog")
    other = read("image-folder", root=str(tmp_path / "pets"), labelled=renamed)
    assert len({each.fingerprint for each in (pool, resized, other)}) == 3


@pytest.mark.parametrize("lines", [(), ("item,class",)])
def test_images_without_a_label_yet(tmp_path: Path, read: Read, lines: tuple[str, ...]) -> None:
    save_images(tmp_path / "pets")
    pool = read("image-folder", root=str(tmp_path / "pets"), labelled=write(tmp_path / "l.csv", *lines))
    assert (pool.labelled.shape, pool.classes) == ((0,), ())
    assert len(read("image-folder", root=str(tmp_path / "pets")).labelled) == 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a/0.png",), r"l\.csv, line 1: the header must be item,class, got 'a/0\.png'"),
        (("item,class", "a/0.png,x", "a/9.png,y"), r"l\.csv, line 3: 'a/9\.png' is not the name of an item; is it 'a/"),
        (("item,class", "a/0.png,x", "a/0.png,y"), r"l\.csv, line 3: 'a/0\.png' is in line 2 already"),
        (("item,class", "a/0.png, "), r"l\.csv, line 2: 'a/0\.png' has no class; leave it out until it has"),
        (("item,class", "a/0.png"), r"l\.csv, line 2 has 1 cells, expected 2"),
    ],
)
def test_wrong_classes(tmp_path: Path, read: Read, lines: tuple[str, ...], message: str) -> None:
    save_images(tmp_path / "pets")
    with pytest.raises(DataFileError, match=message):
        read("image-folder", root=str(tmp_path / "pets"), labelled=write(tmp_path / "l.csv", *lines))


# items without files


@pytest.mark.usefixtures("fakes")
def test_items_with_numbers(tmp_path: Path, read: Read) -> None:
    pool = read("digits", labelled=write(tmp_path / "l.txt", "59", "0"))
    assert (pool.name, pool.items[:3], pool.names, pool.classes) == ("Toy", ["0", "1", "2"], None, ("a", "b", "c", "d"))
    assert pool.labelled.tolist() == [59, 0]
    assert pool.targets is not None
    assert pool.targets.tolist() == [3, 0]
    with pytest.raises(
        DataFileError, match=r"l\.txt, line 2: '60' is not the number of an item, 0 to 59; to list names"
    ):
        read("digits", labelled=write(tmp_path / "l.txt", "59", "60"))


def test_rendered_hands_have_names_and_frames(tmp_path: Path, read: Read) -> None:
    sizes = {"dataset.frames": 6, "dataset.sequences": 2, "dataset.test_frames": 2}
    pool = read("rendered-hands", set=sizes)
    assert len(pool) == 6
    assert pool.frames is not None
    assert pool.items == pool.frames.files
    assert len(pool.labelled) == 0
    some = read("rendered-hands", set=sizes, labelled=write(tmp_path / "l.txt", pool.items[4]))
    assert some.labelled.tolist() == [4]
    assert some.targets is not None
    assert torch.equal(some.targets, pool.frames.joints[4:5])


# thumbnails


def test_thumbnails_of_hand_frames(tmp_path: Path, read: Read) -> None:
    write_folder(tmp_path / "lab", {"a": 3})
    pool = read("depth-folder", root=str(tmp_path / "lab"))
    found = thumbnails_of(pool.inputs)
    expected = pool.inputs.batch(torch.arange(3)).images.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))
    torch.testing.assert_close(found, expected.flatten(1))
    assert found.shape == (3, 256)


def test_thumbnails_of_images(tmp_path: Path, read: Read) -> None:
    save_images(tmp_path / "pets")
    colour = read("image-folder", root=str(tmp_path / "pets"))
    found = thumbnails_of(colour.inputs)
    assert (found.shape, found.dtype) == ((6, 256), torch.float32)
    assert ((found >= 0) & (found <= 1)).all()
    torch.testing.assert_close(found.mean(dim=1), colour.inputs.float().mean(dim=(1, 2, 3)) / 255, rtol=0.1, atol=0)
    save_images(tmp_path / "grey", mode="L")
    grey = read("image-folder", root=str(tmp_path / "grey"), set={"dataset.image_size": 5})
    torch.testing.assert_close(thumbnails_of(grey.inputs), grey.inputs.float().flatten(1) / 255)


# what may be picked


def test_candidates_and_costs(tmp_path: Path, features: Callable[..., SelectConfig]) -> None:
    config = features(
        labelled=write(tmp_path / "l.txt", "1"),
        candidates=write(tmp_path / "c.txt", "5", "1", "2", "3"),
        exclude=write(tmp_path / "e.txt", "3", "0"),
        cost=write(tmp_path / "cost.csv", "item,cost", "5,2.5", "2,1"),
    )
    pool = pool_of_features(config)
    candidates = candidates_of(config, pool)
    assert candidates.tolist() == [False, False, True, False, False, True]
    costs = costs_of(config, pool, candidates)
    assert costs is not None
    assert costs.nan_to_num(-1).tolist() == [-1, -1, 1, -1, -1, 2.5]
    with pytest.raises(DataFileError, match=r"cost\.csv has no cost of 0, 3, 4; add it, or leave them out with --excl"):
        costs_of(config, pool, torch.ones(6, dtype=torch.bool) & (torch.arange(6) != 1))


def test_all_but_what_is_labelled(tmp_path: Path, features: Callable[..., SelectConfig]) -> None:
    config = features(labelled=write(tmp_path / "l.txt", "1"))
    pool = pool_of_features(config)
    assert candidates_of(config, pool).tolist() == [True, False, True, True, True, True]
    assert costs_of(config, pool, candidates_of(config, pool)) is None


@pytest.mark.parametrize("option", ["candidates", "exclude"])
def test_lists_with_wrong_items(tmp_path: Path, features: Callable[..., SelectConfig], option: str) -> None:
    config = features(**{option: write(tmp_path / "list.txt", "1", "6")})
    with pytest.raises(DataFileError, match=r"list\.txt, line 2: '6' is not the number of an item, 0 to 5"):
        candidates_of(config, pool_of_features(config))
