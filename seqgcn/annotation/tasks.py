"""A round's hand-off: pictures, files for labeling tools, and a record of what was handed off."""

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from seqgcn.annotation.annotations import need, number, printable, read_record
from seqgcn.annotation.coco import make_coco
from seqgcn.annotation.cvat import make_cvat_labels
from seqgcn.annotation.label_studio import configuration, make_tasks
from seqgcn.annotation.preview import Frame, PredictedKeypoint, Preview
from seqgcn.datasets.hands.camera import Camera
from seqgcn.datasets.hands.hand_dataset import HandDataset
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.datasets.hands.text_rows import check_path
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.training import Progress
from seqgcn.utils.files import make_folder, write_bytes, write_text
from seqgcn.utils.processors import workers

IMAGES, RECORD = "images", "frames.json"
VERSION = 2
LOCAL_FILES = "/data/local-files/?d=images/"
"""Where Label Studio serves the pictures, if it is started with `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true`, its
`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT` is the folder of the tasks, and the project has a source storage of the type
*Local files* for ``images/``: a picture that is in no storage of the project is refused."""


@dataclass(frozen=True)
class Tasks:
    """What was handed off in a round.

    Args:
        camera: Of the frames; if they are of several, of the best.
        skeleton: Joints to be marked.
        previews: Of the frames, best first.
        cameras: Of each frame, if they are of several; else none.
        predicted_by: What predicted the joints, if it was no network trained on labels; else empty.
    """

    camera: Camera
    skeleton: Skeleton
    previews: tuple[Preview, ...]
    cameras: tuple[Camera, ...] = ()
    predicted_by: str = ""

    def camera_of(self, item: str) -> Camera:
        """The camera of a frame, by its path."""
        return self._cameras_by_item.get(item, self.camera)

    def find(self, frame: str) -> Preview | None:
        """The preview of a frame, by the frame's path or the preview's file name; None if it is not of this round.

        Label Studio puts eight hexadecimal digits and a dash before the name of a picture that is uploaded there.
        """
        return self._by_name.get(frame) or self._by_name.get(re.sub("^[0-9a-f]{8}-", "", frame))

    @cached_property
    def _cameras_by_item(self) -> dict[str, Camera]:
        return {preview.item: camera for preview, camera in zip(self.previews, self.cameras, strict=False)}

    @cached_property
    def _by_name(self) -> dict[str, Preview]:
        pairs = [(name, preview) for preview in self.previews for name in (preview.name, preview.item)]
        return dict(pairs)


class Drawable(Protocol):
    """A frame to be labelled: a `Frame`, or a `WholeFrame`."""

    @property
    def item(self) -> str:
        """Its path below the data set's root."""

    def draw(self, camera: Camera, joints: int) -> tuple[Preview, bytes]:
        """Its preview and the picture, a PNG."""


def frames_of(hands: HandDataset, ids: Tensor, joints: Tensor | None, scores: Tensor) -> list[Frame]:
    """Frames of a data set, to hand off.

    Args:
        hands: The data set.
        ids: Which frames, best first, `[m]` int64.
        joints: Predicted poses in this package's axes, `[m, J, 3]` mm, or None.
        scores: The selector's, `[m]`.
    """
    cropped = hands.frames
    return [
        Frame(
            item=hands.files[i],
            depth=partial(hands.depth, i),
            centre=cropped.centre[i],
            cube=float(cropped.cube[i]),
            joints=None if joints is None else joints[rank],
            score=float(scores[rank]),
        )
        for rank, i in enumerate(ids.tolist())
    ]


def write_tasks(
    folder: str | Path,
    frames: Sequence[Drawable],
    camera: Camera | Sequence[Camera],
    skeleton: Skeleton,
    *,
    told: str = "",
    absent: bool = False,
    image_prefix: str = LOCAL_FILES,
    predicted_by: str = "",
    model_version: str | None = None,
    progress: Progress | None = None,
) -> Tasks:
    """Draw the pictures and write what labeling tools import.

    Written are ``images/``, ``label_studio.json`` and ``label_studio.xml`` (tasks and labeling configuration),
    ``coco_keypoints.json`` and ``cvat_labels.json`` (annotations and labels for CVAT), ``frames.txt`` (the frames'
    paths, a line each) and at last ``frames.json``, from which `read_tasks` knows what was handed off. The same
    arguments give the same bytes.

    Args:
        folder: Made if it is not there; files in it are replaced, and pictures of other frames in ``images/`` removed.
        frames: To be labeled, best first; their depths are decoded in threads, several at once.
        camera: Theirs, or that of each.
        skeleton: Joints to be marked.
        told: What annotators read above the picture in Label Studio.
        absent: Whether they may say there that no hand is in the frame.
        image_prefix: What Label Studio is to find before each picture's name: the start of a web address.
        predicted_by: What predicted the joints, if it was no network trained on labels, such as `"mediapipe"`.
        model_version: What predicted the joints is called in Label Studio; by default `predicted_by`, or `"seqgcn"`.
        progress: Told about every frame, as stage `"previews"`.

    Raises:
        ArgumentError: There is no frame, one is there twice, or one cannot be drawn; there are not as many cameras.
        DataFileError: A frame cannot be read.
        RunFolderError: The folder cannot be written.
    """
    if not frames:
        raise ArgumentError("frames is empty: there is nothing to label")
    items = [frame.item for frame in frames]
    if len(set(items)) != len(items):
        twin = next(item for item in items if items.count(item) > 1)
        raise ArgumentError(f"frames: {twin} is there twice; each frame is labeled once")
    cameras = [camera] * len(frames) if isinstance(camera, Camera) else list(camera)
    if len(cameras) != len(frames):
        raise ArgumentError(f"camera must be one, or one of each of the {len(frames)} frames, got {len(cameras)}")
    setup = configuration(skeleton, told, absent)
    folder = Path(folder)
    make_folder(folder / IMAGES)
    previews = []
    for done, (preview, picture) in enumerate(_drawn(frames, cameras, len(skeleton)), start=1):
        write_bytes(folder / IMAGES / preview.name, picture)
        previews.append(preview)
        if progress is not None:
            progress("previews", done, len(frames))
    remove_others((folder / IMAGES).glob("*.png"), {preview.name for preview in previews})
    several = tuple(cameras) if len(set(cameras)) > 1 else ()
    tasks = Tasks(cameras[0], skeleton, tuple(previews), several, predicted_by)
    model_version = model_version or predicted_by or "seqgcn"
    write_text(folder / "label_studio.xml", setup)
    write_text(folder / "label_studio.json", as_json(make_tasks(previews, skeleton, image_prefix, model_version)))
    write_text(folder / "coco_keypoints.json", as_json(make_coco(previews, skeleton)))
    write_text(folder / "cvat_labels.json", as_json(make_cvat_labels(previews, skeleton)))
    write_text(folder / "frames.txt", "".join(f"{item}\n" for item in items))
    write_text(folder / RECORD, as_json(_record(tasks)))
    return tasks


def remove_others(pictures: Iterable[Path], names: Collection[str]) -> None:
    """Remove pictures of an earlier hand-off into the folder, which somebody could be given to label."""
    for path in pictures:
        if path.name not in names:
            with suppress(OSError):
                path.unlink()


def _drawn(frames: Sequence[Drawable], cameras: Sequence[Camera], joints: int) -> Iterator[tuple[Preview, bytes]]:
    """Previews in order, some ahead; decoding and packing release the interpreter's lock, so a thread a core pays."""
    rest, threads = zip(frames, cameras, strict=True), workers()
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(_draw, *each, joints) for each in islice(rest, 2 * threads))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting += [pool.submit(_draw, *each, joints) for each in islice(rest, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _draw(frame: Drawable, camera: Camera, joints: int) -> tuple[Preview, bytes]:
    return frame.draw(camera, joints)


def as_json(content: Any) -> str:
    """JSON as it is handed off."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _record(tasks: Tasks) -> dict[str, Any]:
    several = {"cameras": [asdict(camera) for camera in tasks.cameras]} if tasks.cameras else {}
    return {
        "version": VERSION,
        "camera": asdict(tasks.camera),
        **several,
        **({"predicted_by": tasks.predicted_by} if tasks.predicted_by else {}),
        "joints": list(tasks.skeleton.joints),
        "bones": [list(bone) for bone in tasks.skeleton.bones],
        "frames": [_preview_record(preview) for preview in tasks.previews],
    }


def _preview_record(preview: Preview) -> dict[str, Any]:
    content = asdict(preview)
    if preview.confidence is None:
        del content["confidence"]
    return content


def read_tasks(folder: str | Path) -> Tasks:
    """What was handed off, from the folder that `write_tasks` wrote.

    Raises:
        MissingFileError: It was not finished, or is another folder.
        DataFileError: Its record is damaged or of another version.
    """
    path = Path(folder) / RECORD
    content = read_record(path, VERSION)
    try:
        camera = _camera(content["camera"])
        cameras = tuple(map(_camera, content.get("cameras", ())))
        predicted_by = need(content.get("predicted_by", ""), str, f"{path}: predicted_by")
        skeleton = Skeleton(tuple(content["joints"]), tuple((first, last) for first, last in content["bones"]))
        previews = tuple(_preview(frame, len(skeleton), str(path)) for frame in content["frames"])
    except (LookupError, TypeError, ValueError) as error:
        raise DataFileError(f"{path} is damaged ({printable(error, 200)}); restore it, or select again") from error
    if cameras and len(cameras) != len(previews):
        raise DataFileError(f"{path} is damaged ({len(cameras)} cameras of {len(previews)} frames); select again")
    return Tasks(camera, skeleton, previews, cameras, predicted_by)


def _camera(content: dict[str, Any]) -> Camera:
    return Camera(**{**content, "axes": tuple(content["axes"])})


def _preview(content: dict[str, Any], joints: int, where: str) -> Preview:
    predicted = tuple(
        None
        if place is None
        else PredictedKeypoint(
            number(place[0], where), number(place[1], where), number(place[2], where), bool(place[3])
        )
        for place in content["predicted"]
    )
    if len(predicted) != joints:
        raise ValueError(f"{len(predicted)} predictions for {joints} joints")
    whole = {key: int(number(content[key], where)) for key in ("left", "top", "width", "height", "zoom")}
    if min(whole["width"], whole["height"], whole["zoom"]) < 1:
        raise ValueError("an empty box")
    near, far, score = (number(content[key], where) for key in ("near", "far", "score"))
    item, name = check_path(content["item"], where), check_path(content["name"], where)
    digest = need(content["digest"], str, f"{where}: a digest")
    sure = content.get("confidence")
    return Preview(
        item=item,
        name=name,
        **whole,
        near=near,
        far=far,
        score=score,
        predicted=predicted,
        digest=digest,
        confidence=None if sure is None else number(sure, where),
    )
