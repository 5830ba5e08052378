"""Data sets of one's own: what is taken, what becomes of it, and what is said of the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from seqgcn import Random
from seqgcn.datasets import Digits, as_dataset
from seqgcn.datasets.conversion import read_source
from seqgcn.datasets.item_dataset import Items, hash_of, match_classes, targets_of
from seqgcn.datasets.registry import dataset_maker
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning
from seqgcn.runs.loop import ActiveLearning

N = 24
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 3, 6, 5), dtype=np.uint8)
LABELS = np.arange(N) % 3
NAMES = ["ant", "bee", "cat"]
NOTHING = None


class Pictures(Dataset[Any]):
    """As torchvision's: a picture, transformed, and the number of its class."""

    def __init__(self, transform: Any = None, classes: Any = None) -> None:
        self.transform = transform or (lambda picture: picture)
        if classes:
            self.classes = classes

    def __len__(self) -> int:
        return N

    def __getitem__(self, item: int) -> Any:
        return self.transform(Image.fromarray(PIXELS[item].transpose(1, 2, 0))), int(LABELS[item])


class Given(Dataset[Any]):
    """Items as they are given."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item: int) -> Any:
        return self.items[item]


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Value: ...


class HuggingFace:
    """What of a `datasets.Dataset` is used: columns by name, and their features."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any] | None = None) -> None:
        self.held = columns
        self.column_names = list(columns)
        self.features = {name: (features or {}).get(name, Value()) for name in columns}

    def __len__(self) -> int:
        return len(next(iter(self.held.values())))

    def __getitem__(self, key: str) -> Any:
        return self.held[key]


class Table:
    """What of a pandas `DataFrame` is used: columns by name, comparison, and rows by a mask."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.held, self.columns, self.iloc = columns, list(columns), None

    def __len__(self) -> int:
        return len(next(iter(self.held.values())))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return np.array(self.held[key], dtype=object)
        return Table(
            {name: [v for v, kept in zip(values, key, strict=True) if kept] for name, values in self.held.items()}
        )


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """As torchvision's `ToTensor`."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = []
    for number in range(N):
        paths.append(str(tmp_path / f"{number:02}.png"))
        Image.fromarray(PIXELS[number].transpose(1, 2, 0)).save(paths[-1])
    return paths


EVERYTHING: dict[str, Any] = {
    "arrays": (PIXELS, LABELS),
    "arrays, channels last": (PIXELS.transpose(0, 2, 3, 1), LABELS),
    "tensors": (torch.tensor(PIXELS), torch.tensor(LABELS)),
    "floats from 0 to 1": (torch.tensor(PIXELS) / 255, LABELS.tolist()),
    "double floats": (PIXELS / 255, LABELS),
    "a TensorDataset": TensorDataset(torch.tensor(PIXELS), torch.tensor(LABELS)),
    "pictures": Pictures(),
    "pictures by ToTensor": Pictures(to_tensor),
    "a subset": Subset(Pictures(), range(N)),
    "items as mappings": Given([{"image": PIXELS[i], "label": LABELS[i]} for i in range(N)]),
    "a list of items": [(PIXELS[i], int(LABELS[i])) for i in range(N)],
    "Hugging Face": HuggingFace(
        {"image": [Image.fromarray(each.transpose(1, 2, 0)) for each in PIXELS], "label": LABELS.tolist()}
    ),
}


@pytest.mark.parametrize("kind", EVERYTHING)
def test_images_of_any_kind_are_the_same_images(kind: str) -> None:
    dataset = as_dataset((EVERYTHING[kind], (PIXELS[:5], LABELS[:5])), name="mine")
    assert dataset.train.inputs.dtype == torch.uint8
    assert torch.equal(dataset.train.inputs, torch.tensor(PIXELS))
    assert dataset.train.targets.tolist() == LABELS.tolist()
    assert (dataset.name, dataset.task, len(dataset.test)) == ("mine", "classification", 5)
    assert getattr(dataset, "classes") == ("0", "1", "2")  # noqa: B009  # not of every data set


def test_the_same_data_have_the_same_fingerprint() -> None:
    test = (PIXELS[:5], LABELS[:5])
    prints = {as_dataset((value, test)).fingerprint for value in EVERYTHING.values()}
    assert len(prints) == 1
    assert as_dataset(((PIXELS[::-1], LABELS), test)).fingerprint not in prints


def test_normalized_images_and_vectors_stay_as_they_are() -> None:
    images = torch.randn(N, 3, 6, 5)
    assert torch.equal(read_source(images).inputs, images)
    rows = np.random.default_rng(1).normal(size=(N, 4))
    assert read_source(rows).inputs.dtype == torch.float32
    rows.flags.writeable = False
    assert torch.equal(read_source(rows).inputs, torch.tensor(rows).float())
    assert read_source(PIXELS[:, 0]).inputs.shape == (N, 1, 6, 5)


def test_files_in_a_table(files: list[str]) -> None:
    table = Table({"path": files, "label": [NAMES[label] for label in LABELS]})
    dataset: Any = as_dataset(table, name="table")
    with pytest.warns(SeqGCNWarning, match="no test part: 6 of 24 items"):
        train = dataset.train
    assert dataset.classes == ("ant", "bee", "cat")
    assert (len(train), len(train.files)) == (18, 18)
    number = files.index(train.files[3])
    assert torch.equal(train.inputs[3], torch.tensor(PIXELS[number]))
    assert train.targets[3] == LABELS[number]
    assert as_dataset((table, table), image_size=4).train.inputs.shape == (N, 3, 4, 4)


def test_a_table_may_say_which_part_a_row_is_of(files: list[str]) -> None:
    split = ["test" if number % 4 == 0 else "train" for number in range(N)]
    dataset = as_dataset(Table({"file": files, "class": LABELS.tolist(), "split": split}))  # type: ignore[arg-type]
    assert (len(dataset.train), len(dataset.test)) == (18, 6)
    assert dataset.test.files == tuple(files[::4])  # type: ignore[attr-defined]


def test_a_table_of_numbers() -> None:
    table = Table({"width": [1.0, 2.0, 3.0, 4.0], "height": [2, 2, 2, 2], "label": [0, 1, 0, 1]})
    dataset = as_dataset((table, table))
    assert dataset.train.inputs.tolist() == [[1.0, 2.0], [2.0, 2.0], [3.0, 2.0], [4.0, 2.0]]


def test_hugging_face_splits_and_names() -> None:
    part = HuggingFace({"img": list(PIXELS), "fine_label": LABELS.tolist()}, {"fine_label": ClassLabel(NAMES)})
    dataset = as_dataset({"train": part, "test": part})
    assert getattr(dataset, "classes") == ("ant", "bee", "cat")  # noqa: B009
    assert len(dataset.test) == N


def test_class_names_are_torchvisions() -> None:
    whole = Pictures(classes=NAMES)
    for value in (whole, Subset(whole, range(N))):
        assert getattr(as_dataset((value, value)), "classes") == ("ant", "bee", "cat")  # noqa: B009


class Renamed(Pictures):
    """The same pictures, whose classes are numbered in an order of their own."""

    def __init__(self, classes: list[str]) -> None:
        super().__init__(classes=classes)

    def __getitem__(self, item: int) -> Any:
        return super().__getitem__(item)[0], self.classes.index(NAMES[LABELS[item]])


def test_parts_that_number_classes_in_another_order_are_matched_by_name() -> None:
    for order in (["cat", "ant", "bee"], ["dog", "bee", "cat", "ant"]):
        dataset = as_dataset((Pictures(classes=NAMES), Renamed(order)))
        assert dataset.test.targets.tolist() == LABELS.tolist()
        assert dataset.classes == tuple(NAMES)  # type: ignore[attr-defined]


def test_labels_that_are_missing_stay_so_where_classes_are_matched() -> None:
    labels = match_classes(torch.tensor([0, -1, 1]), ("high", "low"), ("low", "high"), what="test")
    assert labels.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (["ant", "bee", "dog"], "'dog' of the test part.*ant, bee, dog, the pool ant, bee, cat"),
        (["ant", "bee", "bee"], "'bee' of the test part"),
        (["bee", "ant"], "class 2 of the test part"),
    ],
)
def test_classes_that_cannot_be_matched_are_refused(own: list[str], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        as_dataset((Pictures(classes=NAMES), Pictures(classes=own)))


def test_without_a_test_part_a_fixed_quarter_is_set_aside() -> None:
    first, second = as_dataset(Pictures()), as_dataset(Pictures())
    for dataset in (first, second):
        with pytest.warns(SeqGCNWarning, match=r"Pictures has no test part: 6 of 24 items.*\(train, test\)"):
            assert (len(dataset.train), len(dataset.test)) == (18, 6)
    assert torch.equal(first.test.inputs, second.test.inputs)


def test_joints_and_other_numbers_are_targets() -> None:
    joints = torch.randn(N, 4, 3)
    dataset = as_dataset(((PIXELS, joints), (PIXELS, joints)))
    assert dataset.task == "pose"
    assert torch.equal(dataset.train.targets, joints)
    assert as_dataset(((PIXELS, joints[:, 0, 0]), (PIXELS, joints[:, 0, 0]))).task == "pose"


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        ([0, None, 1, -1], [True, False, True, False]),
        (["a", None, "b", "a"], [True, False, True, True]),
        ([0.0, float("nan"), 1.0, 2.0], [True, False, True, True]),
        ([torch.ones(2, 3), None, torch.ones(2, 3), None], [True, False, True, False]),
    ],
)
def test_labels_that_are_not_known(labels: list[Any], known: list[bool]) -> None:
    (targets,), _ = targets_of([labels])
    items = Items(torch.zeros(4, 2), targets)
    assert items.labeled.tolist() == known
    dataset = as_dataset(((torch.zeros(4, 2), labels), (torch.zeros(4, 2), labels)), name="mine")
    with pytest.raises(
        ArgumentError, match=f"mine: {4 - sum(known)} of 4 items of the pool have no label.*ActiveLearner"
    ):
        _ = dataset.train


def test_limits_and_the_loop(fake_learner: type) -> None:
    part = (PIXELS, LABELS)
    dataset = as_dataset((part, part)).limit(12, 6)
    assert (len(dataset.train), len(dataset.test)) == (12, 6)
    records = list(ActiveLearning((part, part), fake_learner(), Random(), budget=4, cycles=1))
    assert [len(record.labelled) for record in records] == [4, 8]
    again = list(ActiveLearning((Pictures(), part), fake_learner(), Random(), budget=4, cycles=1))
    assert [record.metric for record in again] == [record.metric for record in records]


def test_a_data_set_of_the_package_is_itself() -> None:
    digits = Digits()
    assert as_dataset(digits) is digits
    assert "fingerprint" not in vars(digits)


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Pictures, r"the class Pictures; make an object of it: Pictures\(\)"),
        (3, "int is no data set"),
        (None, r"NoneType is no data set.*arrays \(inputs, labels\).*DataFrame"),
        ("cifar10", "str is no data set"),
        (PIXELS, "ndarray has no labels to replay.*ActiveLearner"),
        (Given([PIXELS[0], PIXELS[1]]), "Given has no labels to replay"),
        (DataLoader(Pictures()), "DataLoader gives items in its own order.*the Dataset behind it"),
        ((Endless(), Endless()), "Endless gives items in its own order"),
        ((PIXELS, LABELS[:5]), "24 inputs, but 5 labels"),
        ((PIXELS, [*LABELS[1:], 100_000]), "label 100000 is too large for a class of 24 items"),
        ((PIXELS, [*LABELS[1:], 2**60]), f"label {2**60} is too large"),
        (Given([]), "Given has no item"),
        (Given([(PIXELS[0], 0), (PIXELS[1, :, :3], 1)]), r"item 1 is torch.uint8 \[3, 3, 5\], but item 0 .*one size"),
        (Given([(PIXELS[0], 0, 1)]), "item 0 has 3 parts"),
        (Given([{"a": 1}]), "item 0 has a, and none is one of image"),
        (Given([(object(), 0)]), "item 0: object is no tensor"),
        ((PIXELS, ["a"] * 20 + [1] * 4), "all names of classes or all numbers, got 1"),
        ((np.array(["a", "b"]), [0, 1]), "inputs must be numbers"),
        (HuggingFace({"a": [1], "b": [2], "label": [0]}), r"columns a, b, label.*rename_column"),
        (Table({"a": ["x"], "label": [0]}), "none holds paths.*rename the column"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_way_out(wrong: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        as_dataset(wrong)


def test_a_name_on_the_command_line_that_stands_for_none_is_no_data_set() -> None:
    with pytest.raises(ArgumentError, match=r"NoneType is no data set.*arrays \(inputs, labels\)"):
        dataset_maker(f"{__name__}:NOTHING", None)()


def test_a_missing_file_is_named(files: list[str]) -> None:
    with pytest.raises(DataFileError, match=r"no\.png cannot be read"):
        as_dataset(Table({"path": [files[0], "no.png"], "label": [0, 1]}))  # type: ignore[arg-type]


def test_hashes_tell_types_and_shapes_apart() -> None:
    zeros = torch.zeros(4, dtype=torch.int64)
    assert len({hash_of(zeros), hash_of(zeros.view(2, 2)), hash_of(zeros.double()), hash_of(zeros + 1)}) == 4
