"""From answers that name classes to labels: the way back into a round."""

import csv
import filecmp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqgcn.annotation.class_checks import CheckedClasses, ClassLabel, check_classes
from seqgcn.annotation.class_exports import read_class_export
from seqgcn.annotation.class_tasks import RECORD, ClassTask, ClassTasks, read_class_tasks
from seqgcn.config.registry import task
from seqgcn.config.select import CENTER, SelectConfig
from seqgcn.datasets.item_lists import read_items
from seqgcn.exceptions import ConfigError, DataFileError, RunFolderError
from seqgcn.rounds.answers import keep_answers, tables_of_classes
from seqgcn.rounds.exports import TASKS, free_record
from seqgcn.rounds.known_classes import COLUMNS, is_class_table, read_class_table
from seqgcn.utils.class_names import fault_of_name, twins
from seqgcn.utils.files import csv_text, write_text
from seqgcn.utils.locks import locked
from seqgcn.utils.validation import name_some

CLASS_LABELS = "labels.csv"
"""File of all classes there are after a round, a table item,class."""

HANDED_OFF = ("label_studio.json", "coco_classes.json", "classes.csv", RECORD)


@dataclass(frozen=True, eq=False)
class ImportedClasses:
    """What came of an import of classes.

    Args:
        checked: Answers that are new labels now, or would be, and what is wrong with the others.
        labels: The file that holds all labels now; None if nothing was taken.
        record: The file that says how the new ones came about; None if there are none.
        told: What is to be known of the new ones, in sentences.
    """

    checked: CheckedClasses
    labels: Path | None = None
    record: Path | None = None
    told: tuple[str, ...] = ()


def is_class_round(folder: str | Path, config: SelectConfig) -> bool:
    """Whether a round is of items that have classes; those of earlier versions have no such tasks."""
    if asks_for_classes(folder):
        return True
    if config.ask == CENTER or config.targets is not None:
        return False
    return config.dataset is None or task("dataset", config.dataset) != "pose"


def asks_for_classes(folder: str | Path) -> bool:
    """Whether a round's folder has tasks that ask for classes."""
    return (Path(folder) / TASKS / RECORD).is_file()


def import_classes(
    folder: str | Path,
    config: SelectConfig,
    exports: Sequence[str | Path],
    *,
    labelled: int = 0,
    partial: bool = False,
    new_classes: Sequence[str] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> ImportedClasses:
    """Take classes back into a round: all labels in one step or, on any problem, none.

    The labels go into `labels.csv` of the round's folder, a table item,class, together with those that there were
    before the round; `imported-N.csv` records who said so and what was predicted. The same export again, or one of the
    same project with more annotations, adds what is new.

    Args:
        folder: Of the round.
        config: What the round was asked.
        exports: Files of Label Studio (JSON, JSON-MIN, CSV), CVAT for images (XML), COCO, or tables item,class.
        labelled: How many labels there were when the round began: that many must still be there.
        partial: Add what is right, whatever is wrong with the rest.
        new_classes: Classes that may be new; an empty list stands for all that are not similar to a known one.
        renamed: Classes to be taken for others, as those that were mistyped.

    Raises:
        ConfigError: A class cannot be called so.
        DataFileError: A file is missing or damaged.
        RunFolderError: The round was not finished, another process is at work in its folder, or that cannot be written.
    """
    folder = Path(folder)
    for name in (*(new_classes or ()), *(renamed or {}).values()):
        if fault := fault_of_name(name):
            raise ConfigError(f"the class {name!r} {fault}")
    if pair := twins(new_classes or ()):
        raise ConfigError(f"new classes: {pair[0]!r} and {pair[1]!r} are spellings of one name; give one, and rename")
    with locked(folder):
        tasks = _read_tasks(folder)
        known = read_known_items(folder)
        held = _held(folder, config, tasks, known, labelled)
        answers = [answer for path in exports for answer in read_class_export(_checked(Path(path), folder))]
        checked = check_classes(answers, tasks, known, new_classes=new_classes, renamed=renamed, labeled=held)
        there = (*tasks.classes, *(name for name in dict.fromkeys(held.values()) if name))
        result = ImportedClasses(checked)
        tables = tables_of_classes(checked.valid, checked.problems)
        wrong = len({problem.item for problem in checked.problems})
        target = folder / CLASS_LABELS
        if (checked.problems and not (partial and checked.valid)) or not (checked.valid or held):
            keep_answers(folder, exports, tables, taken=0, refused=wrong, again=checked.again)
            return result
        record = None
        if checked.valid:
            # The labels count, and come last. Of an import that was cut off before, the record is written anew.
            record = free_record(folder, held)
            write_text(record, _record(checked.valid))
        if checked.valid or not target.exists():
            _write_labels(target, held, checked.valid, known)
        told, taken = tuple(_told(checked.valid, there)), len(checked.valid)
        keep_answers(folder, exports, tables, taken=taken, refused=wrong, again=checked.again, record=record, told=told)
        return ImportedClasses(checked, target, record, told)


def next_classes(folder: str | Path, config: SelectConfig) -> list[str]:
    """The classes to name in a round after one: those named there, and new ones that annotators added.

    Args:
        folder: Of the round.
        config: What it was asked.

    Raises:
        DataFileError: A file is damaged.
    """
    path, named = Path(folder) / CLASS_LABELS, list(config.classes)
    # Without names, a folder of pictures and rows of features have the classes of the table.
    own = config.targets is not None or config.dataset not in (None, "image-folder")
    if not asks_for_classes(folder) or not path.is_file() or not (named or own):
        return named
    tasks = read_class_tasks(Path(folder) / TASKS)
    classes, _ = read_class_table(str(path), read_known_items(Path(folder)), blank=True)
    new = [name for name in classes if name not in tasks.classes]
    return [*named, *(name for name in new if name not in named)]


def _read_tasks(folder: Path) -> ClassTasks:
    if asks_for_classes(folder):
        return read_class_tasks(folder / TASKS)
    listed = folder / TASKS / "frames.txt"
    if not (folder / "picks.csv").is_file() or not listed.is_file():
        raise RunFolderError(
            f"{folder / TASKS / RECORD} is missing; if the round was not finished, go on with seqgcn select --out "
            f"{folder} --resume, else restore that file"
        )
    # Rounds of earlier versions have a list alone.
    return ClassTasks((), tuple(ClassTask(item) for item in read_items(listed)))


def read_known_items(folder: Path) -> list[str]:
    """Names of all items that a round picked from.

    Raises:
        DataFileError: The round's file that lists them is missing or damaged.
    """
    path = folder / "represents.csv"
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.reader(file, strict=True)
            if next(rows, [])[:1] != ["item"]:
                raise DataFileError(f"{path} is damaged: its first column must be item; restore it, or select again")
            return [row[0] for row in rows if row]
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, DataFileError):
            raise
        raise DataFileError(f"{path} cannot be read ({error}); restore it, or select again") from error


def _checked(path: Path, folder: Path) -> Path:
    """The path, if it is not of what was handed off."""
    for name in HANDED_OFF:
        handed_off = folder / TASKS / name
        if path.is_file() and handed_off.is_file() and filecmp.cmp(path, handed_off, shallow=False):
            raise DataFileError(f"{path} is what was handed off, without any label; give what people made of it")
    return path


def _held(folder: Path, config: SelectConfig, tasks: ClassTasks, known: Sequence[str], labelled: int) -> dict[str, str]:
    """Class of each item that is labeled: as imported so far, else as the user's table has it now, else as it was."""
    path = folder / CLASS_LABELS
    if not path.exists():
        own = Path(config.labelled or "").expanduser()
        # Where it was moved, what it held counts.
        if not own.is_file() or not is_class_table(own, known):
            return dict(tasks.labeled)
        path = own
    classes, numbers = read_class_table(str(path), known, blank=True)
    held = {known[item]: classes[number] if number >= 0 else "" for item, number in numbers.items()}
    if len(held) < labelled:
        raise DataFileError(
            f"{path} has {len(held):,} labels, but there were {labelled:,} when the round was begun; restore it"
        )
    return held


def _record(labels: Sequence[ClassLabel]) -> str:
    rows = [(each.item, each.name, each.predicted, "; ".join(each.annotators)) for each in labels]
    return csv_text([("item", "class", "predicted class", "annotators"), *rows])


def _write_labels(target: Path, held: Mapping[str, str], labels: Sequence[ClassLabel], known: Sequence[str]) -> None:
    everything = {**held, **{label.item: label.name for label in labels}}
    write_text(target, csv_text([COLUMNS, *((item, everything[item]) for item in known if item in everything)]))


def _told(labels: Sequence[ClassLabel], known: Sequence[str]) -> list[str]:
    if not labels:
        return []
    names = [label.name for label in labels]
    counts = ", ".join(f"{name} {names.count(name):,}" for name in dict.fromkeys(sorted(names)))
    told = [f"{len(labels):,} labels are new: {counts}"]
    predicted = [label for label in labels if label.predicted]
    if predicted:
        right = sum(label.name == label.predicted for label in predicted)
        told.append(f"{right:,} of {len(predicted):,} are of the class that was predicted")
    new = [name for name in dict.fromkeys(names) if name not in known]
    if new:
        told.append(f"new classes: {name_some(new)}")
    return told
