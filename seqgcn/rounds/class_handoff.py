"""From picks to tasks that ask for classes: their pictures and what the learner takes them for."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from seqgcn.annotation.class_tasks import ClassTask, ClassTasks, finite, write_class_tasks
from seqgcn.annotation.preview import preview_name
from seqgcn.annotation.tasks import LOCAL_FILES
from seqgcn.datasets.image_folder import read_image_files
from seqgcn.datasets.round_pool import RoundPool, class_name
from seqgcn.exceptions import DataFileError
from seqgcn.learners.protocol import Learner
from seqgcn.report.html.sheet import image_of
from seqgcn.training import Progress
from seqgcn.utils.messages import log

SHOWN = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
"""What browsers show; pictures of other formats become PNG."""

LEAST_SIDE = 256
"""Pixels of the longer side of a picture, to which smaller ones are enlarged."""


def hand_off_classes(
    folder: Path,
    pool: RoundPool,
    index: Tensor,
    score: Tensor,
    learner: Learner | None,
    *,
    image_prefix: str = LOCAL_FILES,
    progress: Progress | None = None,
) -> None:
    """Write tasks that ask for the class of each pick.

    Files of pictures are copied as they are where browsers show them; those that are small are enlarged.

    Args:
        folder: Of the tasks.
        pool: The items.
        index: Numbers of the picks, best first, `[b]`.
        score: Theirs, `[b]`.
        learner: What predicts the classes to begin with; None if nothing was trained.
        image_prefix: What stands before the names of the pictures in the tasks of Label Studio.
        progress: Told about every picture.
    """
    ids = index.tolist()
    files = [None if pool.picture is None else pool.picture(i) for i in ids]
    drawn = isinstance(pool.inputs, Tensor) and pool.inputs.dim() == 4 and pool.inputs.dtype == torch.uint8
    pictured = drawn or all(file is not None for file in files)
    # Without names of classes, their numbers are shown.
    labeled = pool.label_names()
    classes = pool.classes or tuple(sorted({name for name in labeled.values() if name}, key=_in_order))
    tasks = []
    for i, file, value, (name, share) in zip(ids, files, score.tolist(), _predicted(pool, index, learner), strict=True):
        item = pool.items[i]
        # A prediction that cannot be chosen would not be shown.
        name, share = (name, share) if name in classes else ("", None)
        tasks.append(
            ClassTask(
                item=item,
                picture=_picture_name(item, file) if pictured else "",
                score=finite(value),
                predicted=name,
                probability=share,
            )
        )
    # Of rows of features, many are only interested in the picks.
    if not classes and pool.inputs is not None:
        log.info(
            "no class is known yet: annotators write the names of classes. Name them with --classes to have a button "
            "for each"
        )
    pictures = _pictures(pool, ids, files) if pictured else ()
    write_class_tasks(
        folder,
        ClassTasks(tuple(classes), tuple(tasks), labeled),
        pictures,
        image_prefix=image_prefix,
        progress=progress,
    )


def _in_order(name: str) -> tuple[int, str]:
    return (int(name) if name.isdigit() else 0, name)


def _predicted(pool: RoundPool, index: Tensor, learner: Learner | None) -> list[tuple[str, float | None]]:
    """Likeliest class of each pick and its probability; nothing where none is predicted."""
    if learner is None or pool.inputs is None:
        return [("", None)] * len(index)
    inputs, predict = pool.inputs[index], getattr(learner, "predict_proba", None)
    if predict is None and "prob" not in learner.outputs:
        return [(class_name(pool.classes, int(number)), None) for number in learner.predict(inputs).tolist()]
    prob = learner.describe(inputs, ("prob",)).prob if predict is None else predict(inputs)
    sure, best = torch.as_tensor(prob).max(dim=1)
    return [
        (class_name(pool.classes, number), finite(share))
        for number, share in zip(best.tolist(), sure.tolist(), strict=True)
    ]


def _picture_name(item: str, file: Path | None) -> str:
    name = preview_name(item)
    suffix = "" if file is None else file.suffix.lower()
    # What is not copied is drawn as a PNG.
    return name if suffix not in SHOWN or (file is not None and _is_small(file)) else f"{name[:-4]}{suffix}"


def _is_small(file: Path) -> bool:
    try:
        with Image.open(file) as image:
            return max(image.size) < LEAST_SIDE
    except Exception:  # decoders raise whatever the damaged bytes lead them to; reading it will say what is wrong
        return True


def _pictures(pool: RoundPool, ids: list[int], files: list[Path | None]) -> Iterator[bytes]:
    """The files of pictures that annotators see."""
    for i, file in zip(ids, files, strict=True):
        if file is None:
            yield _drawn(pool.inputs[i])
        elif file.suffix.lower() in SHOWN and not _is_small(file):
            try:
                yield file.read_bytes()
            except OSError as error:
                raise DataFileError(f"{file} cannot be read: {error.strerror}") from error
        else:
            yield _drawn(read_image_files([file])[0])


def _drawn(pixels: Tensor) -> bytes:
    """A PNG of an image `[c, h, w]` uint8, enlarged by a whole number if it is small."""
    image: Any = image_of(pixels.numpy())
    times = max(1, -(-LEAST_SIDE // max(image.size)))
    if times > 1:
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
