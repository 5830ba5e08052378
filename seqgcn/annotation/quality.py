"""What is to be known of new labels beyond their being faultless: where depths are from, and what looks odd."""

from collections import Counter
from collections.abc import Iterator, Sequence

from seqgcn.annotation.checks import Labelled
from seqgcn.annotation.depths import Surface
from seqgcn.annotation.preview import HIDDEN
from seqgcn.annotation.tasks import Tasks
from seqgcn.utils.validation import name_some


def describe_labels(labels: Sequence[Labelled], tasks: Tasks) -> list[str]:
    """Sentences for who reads them before the labels are used; none of no labels.

    Args:
        labels: New ones.
        tasks: What was handed off.
    """
    if not labels:
        return []
    sources = Counter(source for label in labels for source in label.sources if source)
    joints = sum(sources.values())
    listed = ", ".join(f"{source} {count:,}" for source, count in sources.most_common())
    without = [len(label.sources) - sum(map(bool, label.sources)) for label in labels]
    told = [f"depths of {joints:,} joints are from: {listed}"]
    if any(without):
        told.append(
            f"{sum(without):,} joints of {sum(map(bool, without)):,} frames are left out, as nobody marked them or "
            "their depth is unsure; they have no coordinates, and train nothing. To have them, mark them, give their "
            "depth with --joint-depth column auto --depths FILE, or take the next best with --joint-depth "
            "surface+offset prediction"
        )
    expected = [error for label in labels for error in label.expected if error is not None]
    if expected:
        told.append(f"these depths are expected to be off by {sum(expected) / len(expected):.1f} mm on average")
    still = sum(not moved and bool(source) for label in labels for moved, source in _columns(label))
    if still:
        told.append(f"{still:,} joints are where they were predicted; the column `moved` of the record tells which")
    odd = [place for label in labels for place in _before(label, tasks)]
    if odd:
        told.append(
            f"{len(odd):,} joints were measured more than {HIDDEN:g} mm nearer than predicted, and nobody said that "
            f"they are hidden: {name_some(odd)}. If something lies before them, that is what was measured; have them "
            "marked as hidden"
        )
    return told


def _columns(label: Labelled) -> Iterator[tuple[bool, str]]:
    return zip(label.moved, label.sources, strict=True)


def _before(label: Labelled, tasks: Tasks) -> list[str]:
    """Joints whose depth is likely that of something else, which hides them."""
    preview = tasks.find(label.item)
    if preview is None:
        return []
    columns = zip(tasks.skeleton.joints, label.joints[:, 2].tolist(), label.sources, preview.predicted, strict=True)
    return [
        f"{joint} in {label.item}"
        for joint, depth, source, predicted in columns
        if Surface.name in source and predicted is not None and predicted.d - depth > HIDDEN
    ]
