"""COCO keypoints, which CVAT imports and exports.

Places are pixels of the picture from its left and top edge. Of the three numbers of a keypoint the last is 0 if the
joint is not labeled, 1 if it is hidden and 2 if it is visible; joints of the skeleton are counted from 1 (https://cocodataset.org/#format-data).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqgcn.annotation.annotations import (
    Annotation,
    Keypoint,
    fault_of,
    file_name,
    key_of,
    need,
    number,
    printable,
    read_json,
)
from seqgcn.annotation.preview import Preview
from seqgcn.datasets.hands.skeleton import Skeleton
from seqgcn.exceptions import DataFileError

CATEGORY = "hand"


def make_coco(previews: Sequence[Preview], skeleton: Skeleton) -> dict[str, Any]:
    """Images, the category of hands, and an annotation for each predicted pose.

    Box and area are those of the smallest box around the labeled keypoints.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, preview in enumerate(previews, start=1):
        width, height = preview.size
        images.append({"id": image, "file_name": preview.name, "width": width, "height": height})
        places = preview.shown()
        known = [(width * place[0], height * place[1]) for place in places if place is not None]
        if not known:
            continue
        left, top = (min(axis) for axis in zip(*known, strict=True))
        right, bottom = (max(axis) for axis in zip(*known, strict=True))
        points = [(0.0, 0.0, 0) if p is None else (width * p[0], height * p[1], 1 if p[2] else 2) for p in places]
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": 1,
                "keypoints": [value for point in points for value in point],
                "num_keypoints": len(known),
                "segmentation": [],  # datumaro, and so CVAT, wants one
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "iscrowd": 0,
            }
        )
    category = {
        "id": 1,
        "name": CATEGORY,
        "supercategory": "",
        "keypoints": list(skeleton.joints),
        "skeleton": [[first + 1, last + 1] for first, last in skeleton.bones],
    }
    return {"info": {}, "licenses": [], "images": images, "categories": [category], "annotations": annotations}


def read_coco(path: str | Path) -> list[Annotation]:
    """Annotations of a COCO keypoints file, one for each annotation of a category that has keypoints.

    An annotation none of whose joints is labeled says that there is no hand: CVAT writes that where all points are
    marked as outside. COCO does not say who annotated: an `annotator` among the `attributes` does, or else the file's
    name stands for the person. An annotation that is damaged, such as a box without keypoints, is one with a fault.

    Raises:
        MissingFileError: There is no such file.
        DataFileError: It is too large, no JSON, or not COCO keypoints.
    """
    path = Path(path)
    content = read_json(path)
    keys = ("images", "categories", "annotations")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise DataFileError(f"{path} must be an object with the lists {', '.join(keys)}; export COCO keypoints")
    images = _by_id(path, content["images"], "image")
    joints = {
        key: [need(joint, str, f"{path}, category {printable(key)}: a keypoint") for joint in names]
        for key, category in _by_id(path, content["categories"], "category").items()
        if isinstance(names := category.get("keypoints"), list) and names
    }
    if not joints:
        raise DataFileError(f"{path} has no category with keypoints; export COCO keypoints, not instances")
    annotations = []
    for place, entry in enumerate(content["annotations"], start=1):
        where = f"{path}, annotation {place}"
        try:
            found = _entry(need(entry, dict, where), images, joints, where, path)
        except DataFileError as error:
            found = Annotation(_frame(entry, images), printable(path.name), where, (), faults=(fault_of(error, where),))
        if found is not None:
            annotations.append(found)
    return annotations


def _entry(
    entry: dict[str, Any],
    images: Mapping[int | str, dict[str, Any]],
    joints: Mapping[int | str, Sequence[str]],
    where: str,
    path: Path,
) -> Annotation | None:
    """An annotation; None if it is of a category without keypoints."""
    category = key_of(entry.get("category_id"), f"{where}: category_id")
    if category not in joints:
        return None
    image = images.get(key_of(entry.get("image_id"), f"{where}: image_id"))
    if image is None:
        raise DataFileError(f"{where} is of an image that the file does not list")
    return _annotation(entry, image, joints[category], where, path)


def _frame(entry: Any, images: Mapping[int | str, dict[str, Any]]) -> str:
    """Which frame a damaged annotation is of; empty if it does not say."""
    key = entry.get("image_id") if isinstance(entry, dict) else None
    name = images.get(key, {}).get("file_name") if isinstance(key, int | str) else None
    return file_name(name) if isinstance(name, str) else ""


def _by_id(path: Path, entries: list[Any], what: str) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for place, entry in enumerate(entries, start=1):
        where = f"{path}, {what} {place}"
        key = key_of(need(entry, dict, where).get("id"), f"{where}: the id")
        if key in found:
            raise DataFileError(f"{where} has the id {printable(key)} of an earlier one")
        found[key] = entry
    return found


def _annotation(
    entry: Mapping[str, Any], image: Mapping[str, Any], joints: Sequence[str], where: str, path: Path
) -> Annotation:
    name = need(image.get("file_name"), str, f"{where}: file_name of its image")
    width, height = (number(image.get(key), f"{where}: {key} of its image") for key in ("width", "height"))
    if entry.get("keypoints") is None:
        raise DataFileError(f"{where}: a box or polygon without keypoints; delete it in the tool, or mark the joints")
    values = need(entry["keypoints"], list, f"{where}: keypoints")
    if not values:
        raise DataFileError(f"{where}: keypoints is empty, as of a tracked skeleton whose points are all outside")
    if len(values) != 3 * len(joints):
        raise DataFileError(
            f"{where} has {len(values)} numbers of keypoints, but its category {len(joints)} joints of 3"
        )
    if width <= 0 or height <= 0:
        raise DataFileError(f"{where}: its image is said to have {width:g} x {height:g} pixels")
    keypoints = []
    for i, joint in enumerate(joints):
        x, y, visible = (number(value, f"{where}: {printable(joint)}") for value in values[3 * i : 3 * i + 3])
        if visible not in (0, 1, 2):
            raise DataFileError(f"{where}: visibility of {printable(joint)} must be 0, 1 or 2, got {visible:g}")
        if visible:
            keypoints.append(Keypoint(joint, x / width, y / height, visible == 1))
    attributes = entry.get("attributes")
    annotator = attributes.get("annotator") if isinstance(attributes, dict) else None
    who = printable(annotator) if isinstance(annotator, str) and annotator else printable(path.name)
    return Annotation(
        file_name(name),
        who,
        where,
        tuple(keypoints),
        frozenset({(width, height)}),
        absent=not keypoints,
        submitted=False,
    )
