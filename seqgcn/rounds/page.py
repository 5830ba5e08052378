"""The report of a round, one page to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from seqgcn.annotation import Preview, Tasks, read_tasks
from seqgcn.annotation.tasks import IMAGES
from seqgcn.config.select import CENTER
from seqgcn.coverage.k_center import tame
from seqgcn.datasets.hands.centers.found import DOUBTFUL
from seqgcn.datasets.hands.colours import NO_HAND
from seqgcn.datasets.hands.crop import FULL_SCALE
from seqgcn.datasets.hands.crop_views import frame_picture
from seqgcn.datasets.hands.hand_dataset import HandDataset, HandFrames, in_words
from seqgcn.datasets.hands.landmarks.names import mapping_in_words
from seqgcn.exceptions import DataFileError
from seqgcn.learners.batches import count_held_out
from seqgcn.learners.ensemble import Ensemble
from seqgcn.learners.fitted import VALIDATION_ACCURACY, VALIDATION_ERROR
from seqgcn.learners.protocol import Learner
from seqgcn.report.html import Picture, RoundView, Table, round_page
from seqgcn.report.html.answers import with_answers
from seqgcn.report.html.poses import Poses
from seqgcn.report.html.round import SHEET
from seqgcn.report.html.sheet import LARGE, SMALL, SURE, UNSURE, cross, depth_image_of, fit, image_of, pack, skeleton
from seqgcn.rounds.answers import REPORT, predicted_pose, read_answers
from seqgcn.rounds.exports import TASKS
from seqgcn.rounds.inputs import RoundPool
from seqgcn.rounds.result import RoundResult
from seqgcn.training import Progress
from seqgcn.utils.files import write_text
from seqgcn.utils.processors import workers

_OF_ITSELF = {"least-confidence": "the learner in its prediction"}
"""What selectors are confident of, where that is not an item's being labeled."""


def write_report(
    folder: Path, result: RoundResult, record: Mapping[str, Any], progress: Progress | None = None
) -> None:
    """Write the page of a round into its folder.

    Args:
        folder: Of the round; the tasks are there already.
        result: What the round came to.
        record: What `round.yaml` holds.
        progress: Told about it, as stage `"report"`.
    """
    if progress is not None:
        progress("report", 0, 1)
    write_text(folder / REPORT, with_answers(round_page(_view(folder, result, record)), read_answers(folder)))
    if progress is not None:
        progress("report", 1, 1)


def _view(folder: Path, result: RoundResult, record: Mapping[str, Any]) -> RoundView:
    pool, picks = result.pool, result.selection.index
    shown = picks[:SHEET]
    represented, details = result.represented, result.selection.details
    # Distances of a pool whose squares would overflow are told as they are; places on the map need no scale.
    x = tame(result.data.x, torch.linalg.vector_norm(result.data.x, torch.inf, dim=1))[0]
    confidence = details.get("confidence")
    tasks = read_tasks(folder / TASKS) if pool.frames is not None and len(picks) else None
    return RoundView(
        pool=pool.name,
        selector=result.selector,
        items=pool.items,
        x=x.numpy(),
        space=_space(result, record),
        labelled=pool.labelled.numpy(),
        picks=picks.numpy(),
        score=result.selection.score.numpy(),
        by=represented.by.numpy(),
        distance=represented.distance.numpy(),
        nearest=represented.labelled.numpy(),
        before=represented.before.numpy(),
        stands_for=represented.stands_for.numpy(),
        confidence=None if confidence is None else confidence.numpy(),
        confidence_of=_OF_ITSELF.get(result.selector, "being labeled"),
        losses={name: value.tolist() for name, value in details.items() if name.endswith("loss") and value.dim() == 1},
        curves=result.curves,
        error=_error(result),
        learning=_learning(result, record),
        poses=_poses(pool, tasks) if tasks and result.ask != CENTER else None,
        sheet=_sheet(folder, pool, tasks, shown),
        told=_predicted(result.learner, pool, shown),
        small=_small(pool),
        notes=_notes(result, record, tasks.predicted_by if tasks else ""),
        seed=record["select"]["seed"],
        command=record["command"],
        settings=[*_settings(record), *(_landmarks(pool) if tasks and tasks.predicted_by else ())],
    )


def _space(result: RoundResult, record: Mapping[str, Any]) -> str:
    if result.ask == CENTER:
        return "the space of thumbnails of whole frames"
    if result.pool.x is not None:
        return "the space of the given features"
    return "the space of thumbnails" if result.learner is None else f"the embedding of {record['select']['learner']}"


def _error(result: RoundResult) -> str:
    """The learner's error on held-out labels, a figure with its unit; empty where none was measured."""
    if errors := result.curves.get(VALIDATION_ERROR):
        return f"{errors[-1]:.1f} mm"
    accuracies = result.curves.get(VALIDATION_ACCURACY)
    return f"{100 - accuracies[-1]:.0f} %" if accuracies else ""


def _learning(result: RoundResult, record: Mapping[str, Any]) -> list[str]:
    """What is known about the learner's error."""
    if result.learner is None:
        return []
    if not getattr(result.learner, "needs_labels", True):
        return ["The learner is not trained, and its error on the labels was not measured."]
    error = _error(result)
    if not error:
        return ["The learner measured no error on held-out labels."]
    share = record["parameters"].get("learner", {}).get("validation")
    known = isinstance(share, int | float) and not isinstance(share, bool)
    count = f"{count_held_out(len(result.pool.labelled), share):,} " if known else ""
    if isinstance(result.learner, Ensemble):
        who = f"On the {count}labeled items that each of its members held out from training"
    else:
        who = f"On the {count}labeled items held out from its training"
    if error.endswith("mm"):
        return [
            f"{who}, the learner is {error} off in the mean over joints. That flatters it where frames are from "
            "videos, as frames beside the held-out ones were trained on, and where labeled frames are unlike the rest."
        ]
    return [f"{who}, the learner has {error} wrong. That flatters it where labeled items are unlike the rest."]


def _notes(result: RoundResult, record: Mapping[str, Any], predicted_by: str) -> list[str]:
    pool, asked = result.pool, record["select"]["selector"]
    notes = []
    if result.ask == CENTER:
        notes += _to_click(result)
    if predicted_by:
        notes.append(
            f"The joints to start from are of {predicted_by}, which no label has taught; see each one before it is "
            "taken."
        )
    if pool.centers is not None:
        summary = pool.centers.summary()
        notes.append(f"{summary[0].upper()}{summary[1:]}.")
    if asked.partition(":")[0] != result.selector:
        notes.append(f"Nothing was labeled yet, which {asked} needs: {result.selector} picked instead.")
    if result.missing:
        notes.append(f"{result.missing:,} picks fewer than asked for: the minimal gap leaves no more.")
    if result.unused:
        notes.append(f"{result.unused}.")
    barred = len(pool) - len(pool.labelled) - int(result.data.pool_mask.sum())
    if barred:
        notes.append(f"{barred:,} of the items without a label could not be picked (candidates, exclude).")
    if pool.frames is not None and pool.frames.skipped:
        notes.append(f"Frames left out of the pool: {in_words(pool.frames.skipped)}.")
    return notes


def _to_click(result: RoundResult) -> list[str]:
    """What a round of clicks is about."""
    centers = result.pool.centers
    assert centers is not None  # noqa: S101  # for mypy
    doubtful = int(centers[result.selection.index].doubtful.sum())
    return [
        "To be clicked is one point a frame, the middle of the palm. Pictures show whole frames; a cross is where the "
        f"hand is thought to be, orange where that is doubtful: in {doubtful:,} of these {len(result.selection):,}.",
        "Labeled means here that a center or a pose is known.",
    ]


def _settings(record: Mapping[str, Any]) -> list[Table]:
    asked = {key.replace("_", "-"): value for key, value in record["select"].items() if value not in (None, "", {})}
    parameters = {
        f"{kind}.{key}": value for kind, values in record["parameters"].items() for key, value in values.items()
    }
    environment = record.get("environment", {})
    known = {key: value for key, value in environment.items() if key != "versions"}
    conditions = {**environment.get("versions", {}), **known, "fingerprint": record.get("fingerprint")}
    tables = {
        "Options": asked,
        "Parameters of selector, learner and data set": parameters,
        "Versions and machine": {key: value for key, value in conditions.items() if value is not None},
    }
    return [
        Table(
            title=title,
            header=["name", "value"],
            rows=[[key, _text(value)] for key, value in rows.items()],
            text=(0, 1),
        )
        for title, rows in tables.items()
    ]


def _landmarks(pool: RoundPool) -> list[Table]:
    """Which of mediapipe's landmarks the joints to start from are."""
    assert pool.frames is not None  # noqa: S101  # for mypy
    rows = [list(row) for row in mapping_in_words(pool.frames.skeleton, pool.frames.landmark_weights)]
    return [Table(title="Joints by mediapipe's landmarks", header=["joint", "landmark"], rows=rows, text=(0, 1))]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}={_text(each)}" for key, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _predicted(learner: Learner | None, pool: RoundPool, shown: Tensor) -> list[str]:
    """The likeliest class of each pick, in words."""
    predict = getattr(learner, "predict_proba", None)
    if predict is None or not len(shown):
        return []
    sure, best = torch.as_tensor(predict(pool.inputs[shown])).max(dim=1)
    names = [pool.classes[i] if i < len(pool.classes) else str(i) for i in best.tolist()]
    return [f"{name} ({share:.0%})" for name, share in zip(names, sure.tolist(), strict=True)]


def _sheet(folder: Path, pool: RoundPool, tasks: Tasks | None, shown: Tensor) -> list[Picture]:
    """Pictures of picks: of hand frames the ones that go to the annotators, with the predicted pose."""
    if pool.frames is not None:
        previews, bones = (tasks.previews[: len(shown)], tasks.skeleton.bones) if tasks else ((), ())
        with ThreadPoolExecutor(workers()) as threads:
            return list(
                threads.map(lambda each: _of_preview(folder / TASKS / IMAGES / each.name, each, bones), previews)
            )
    if _is_images(pool.inputs):
        return [pack(image_of(pool.inputs[i].numpy()), LARGE) for i in shown.tolist()]
    return []


def _of_preview(path: Path, preview: Preview, bones: Sequence[tuple[int, int]]) -> Picture:
    width, height = fit(preview.size, LARGE)
    places = [None if place is None else (place[0] * width, place[1] * height) for place in preview.shown()]
    strokes, what = skeleton(places, bones), "predicted skeleton"
    if preview.confidence is not None and places[0] is not None:
        colour = UNSURE if preview.confidence < DOUBTFUL else SURE
        strokes, what = [cross(places[0], colour)], "place where the hand is thought to be"
    with Image.open(path) as image:
        return pack(image, LARGE, strokes=strokes, shows="depth" + (f" with the {what}" if strokes else ""))


def _poses(pool: RoundPool, tasks: Tasks) -> Poses | None:
    """Poses as they are predicted and labeled; None where none was predicted."""
    assert pool.frames is not None  # noqa: S101  # for mypy
    picks = torch.stack([predicted_pose(each, tasks.camera_of(each.item)) for each in tasks.previews])
    if not bool(picks.isfinite().any()):
        return None
    return Poses(picks=picks.numpy(), labelled=pool.frames.joints[pool.labelled].double().numpy())


def _small(pool: RoundPool) -> Callable[[Sequence[int]], list[Picture]] | None:
    """What makes small pictures of items, where they are pictures."""
    if pool.frames is not None and pool.inputs is None:
        return partial(_whole, pool.frames)
    if isinstance(pool.inputs, HandFrames):
        frames = pool.inputs

        def hands(items: Sequence[int]) -> list[Picture]:
            crops = frames.crops[frames.index[torch.tensor(items)].numpy()]
            values = np.where(crops < FULL_SCALE, crops.astype(np.float32), np.nan)
            return [pack(depth_image_of(value), SMALL) for value in values]

        return hands
    if _is_images(pool.inputs):
        return lambda items: [pack(image_of(pool.inputs[i].numpy()), SMALL) for i in items]
    return None


def _whole(hands: HandDataset, items: Sequence[int]) -> list[Picture]:
    """Small pictures of whole frames; of one that cannot be read, an empty one."""

    def one(i: int) -> Picture:
        try:
            pixels = frame_picture(hands.depth(i), hands.options.near, hands.options.far)
        except DataFileError:
            pixels = np.full((SMALL * 3 // 4, SMALL, 3), NO_HAND, np.uint8)
        return pack(Image.fromarray(pixels), SMALL)

    with ThreadPoolExecutor(workers()) as threads:
        return list(threads.map(one, items))


def _is_images(inputs: Any) -> bool:
    return isinstance(inputs, Tensor) and inputs.dim() == 4 and inputs.dtype == torch.uint8
