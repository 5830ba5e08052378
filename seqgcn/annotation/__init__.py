"""Hand-off of frames to labeling tools, and the way back from their exports to checked labels.

`write_tasks` draws the pictures and writes what Label Studio and CVAT import; `read_label_studio` and `read_coco` read
what these export; `check_annotations` accepts what is right and says what is not; `add_labels` writes it into the data
set's own label file. Each name is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.annotation.annotations import Annotation, Keypoint
    from seqgcn.annotation.automatic import Automatic
    from seqgcn.annotation.checked import Agreement, Checked, Labelled, Problem
    from seqgcn.annotation.checks import check_annotations
    from seqgcn.annotation.coco import read_coco
    from seqgcn.annotation.depths import Column, DepthSource, Mark, Prediction, Surface, read_depths
    from seqgcn.annotation.label_studio import read_label_studio
    from seqgcn.annotation.labels import add_labels, write_record
    from seqgcn.annotation.plausible import Plausibility
    from seqgcn.annotation.preview import Frame, PredictedKeypoint, Preview, digest_of, preview_name
    from seqgcn.annotation.quality import describe_labels
    from seqgcn.annotation.tasks import Tasks, frames_of, read_tasks, write_tasks
    from seqgcn.annotation.whole_frames import PALM, WholeFrame

__all__ = [
    "PALM",
    "Agreement",
    "Annotation",
    "Automatic",
    "Checked",
    "Column",
    "DepthSource",
    "Frame",
    "Keypoint",
    "Labelled",
    "Mark",
    "Plausibility",
    "PredictedKeypoint",
    "Prediction",
    "Preview",
    "Problem",
    "Surface",
    "Tasks",
    "WholeFrame",
    "add_labels",
    "check_annotations",
    "describe_labels",
    "digest_of",
    "frames_of",
    "preview_name",
    "read_coco",
    "read_depths",
    "read_label_studio",
    "read_tasks",
    "write_record",
    "write_tasks",
]

_MODULES = {
    "PALM": "whole_frames",
    "Agreement": "checked",
    "Annotation": "annotations",
    "Automatic": "automatic",
    "Checked": "checked",
    "Keypoint": "annotations",
    "Column": "depths",
    "DepthSource": "depths",
    "Frame": "preview",
    "PredictedKeypoint": "preview",
    "Labelled": "checked",
    "Mark": "depths",
    "Plausibility": "plausible",
    "Prediction": "depths",
    "Preview": "preview",
    "Problem": "checked",
    "Surface": "depths",
    "Tasks": "tasks",
    "WholeFrame": "whole_frames",
    "add_labels": "labels",
    "check_annotations": "checks",
    "describe_labels": "quality",
    "digest_of": "preview",
    "frames_of": "tasks",
    "preview_name": "preview",
    "read_coco": "coco",
    "read_depths": "depths",
    "read_label_studio": "label_studio",
    "read_tasks": "tasks",
    "write_record": "labels",
    "write_tasks": "tasks",
}

__getattr__, __dir__ = lazy(__name__, _MODULES)
