"""All checks of a data set of hand frames, in the order in which they make sense."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqgcn.datasets.hands.checks.cameras import check_depths, check_lens
from seqgcn.datasets.hands.checks.findings import CheckReport, Finding, Kind
from seqgcn.datasets.hands.checks.frames import empty_rows, frozen_rows, sizes_of
from seqgcn.datasets.hands.checks.labels import bad_labels
from seqgcn.datasets.hands.checks.readings import floating
from seqgcn.datasets.hands.checks.surface import Looked, fits
from seqgcn.datasets.hands.checks.whole import check_hand, check_order, check_surface, labels_path
from seqgcn.exceptions import ArgumentError, DataFileError
from seqgcn.utils.seeding import generator
from seqgcn.utils.validation import check_whole

if TYPE_CHECKING:
    from seqgcn.datasets.hands.hand_dataset import HandDataset

SAMPLE = 48
"""Labeled frames that are decoded."""

OF_EACH = 3
"""Frames of each sequence that are looked at, where there are many sequences."""

MOST = 180
"""Frames that are decoded at most for that."""

POSES = 20_000
"""Labels at most that are checked by their numbers."""

MANY = 0.25
"""Share of the labels above which single wrong ones are no single ones."""

CURES: dict[Kind, tuple[str, str, str]] = {
    "size": ("a pose of another size than the others", "a typing error or another unit in these rows", "labels"),
    "stray joint": ("a joint far from the rest of the hand", "a typing error in these rows", "labels"),
    "jump": ("a label far from those of the frames before and after", "a label of another frame or hand", "labels"),
    "copied label": (
        "the label of another frame, which does not fit this one",
        "a label that was carried on",
        "labels",
    ),
    "off": ("a label where the camera saw no hand", "a label of another frame", "labels"),
    "frozen": ("the same picture as the frame before", "the camera or the recorder stood still", "frames"),
    "empty": ("no depth at all", "the camera saw nothing, or the file was not written to its end", "frames"),
}
EXPECTED: dict[Kind, str] = {
    "size": "a hand of the usual size",
    "stray joint": "joints of one hand",
    "jump": "a hand that moves on",
    "copied label": "a label of its own",
    "off": "joints on the hand's surface",
    "frozen": "a new picture",
    "empty": "a hand",
}


def check_dataset(hands: "HandDataset", *, sample: int = SAMPLE, seed: int = 0) -> CheckReport:
    """Check frames, camera and labels of a data set before anything is trained on them.

    Looked for are labels in other units (m, cm), in other axes (y up, x to the left, x and y exchanged), of pixels
    (u v d), of another camera or of other frames, in another order of joints, and of the other hand; intrinsics of
    another resolution; a wrong `depth_scale`; and single frames that are empty or frozen, or whose label is copied,
    jumps, or has a stray joint. Numbers of all labels are checked; depth is decoded of a sample. Joints without a
    label (NaN) are left out of all checks. No crops are made.

    Args:
        hands: The frames, such as `DepthFolder(root, "all")`; none needs a label.
        sample: How many labeled frames are decoded at least.
        seed: Decides which.

    Returns:
        What was found; `report.wrong` is empty if nothing is wrong as a whole.

    Raises:
        ArgumentError: `hands` is no hand data set, or `sample` is below 1.
        DataFileError: None of the frames looked at can be read.
    """
    if not hasattr(hands, "camera_of"):
        raise ArgumentError(f"hands must be a HandDataset, such as DepthFolder(root, 'all'), got {type(hands)}")
    check_whole("sample", sample)
    return _Check(hands, sample, seed)()


class _Check:
    def __init__(self, hands: "HandDataset", sample: int, seed: int) -> None:
        self.hands, self.sample, self.seed = hands, sample, seed
        self.poses: NDArray[np.float64] = hands.joints.double().numpy()
        self.labeled = hands.joints.isfinite().all(dim=2).any(dim=1).nonzero().flatten().numpy()
        self.decoded: dict[int, Looked | None] = {}

    def __call__(self) -> CheckReport:
        hands = self.hands
        sizes = sizes_of(hands)
        empty = empty_rows(hands, sizes)
        frozen = frozen_rows(hands, sizes, empty)
        labeled = np.setdiff1d(self.labeled, empty)
        rows = self._chosen(labeled)
        frames = [each for each in map(self._look, rows) if each is not None]
        others = self._chosen(np.setdiff1d(np.arange(len(hands)), empty), few=True)
        seen = [each for each in map(self._look, others) if each is not None]
        findings = self._whole(frames, labeled) or []
        fitting = fits(frames)
        if not any(finding.kind != "order" for finding in findings):
            findings = [*check_depths(hands, seen), *findings]
            if not (len(fitting) and np.nanmean(fitting) >= 0.5):
                findings = [*check_lens(hands), *findings]
        elif lens := check_lens(hands):
            # What the sizes of the pictures say themselves needs no guess.
            findings = [*lens, *(each for each in findings if each.kind not in ("intrinsics", "off"))]
        single = self._single(labeled, frames) if not any(f.kind not in ("order", "hand") for f in findings) else []
        single += self._of("frozen", frozen) + self._of("empty", empty)
        return CheckReport(
            name=hands.name,
            findings=(*findings, *single),
            frames=len(hands),
            labeled=len(self.labeled),
            looked_at=tuple(frame.row for frame in frames),
            fit=float(np.nanmean(fitting)) if len(fitting) else float("nan"),
        )

    def _whole(self, frames: list[Looked], labeled: NDArray[np.int64]) -> list[Finding]:
        findings = check_surface(self.hands, frames, self.poses)
        some = self._some(labeled)
        order, change = check_order(self.hands, self.poses[some], some)
        # Numbers that are no millimeters are in no order of hands either, and releases keep the order that is known.
        unknown = change is not None and np.isnan(change.off)
        findings += [] if unknown and (findings or self.hands.labels_path is None) else order
        # What is wrong already would only be said again in other words.
        if not findings and change is None:
            findings += check_hand(self.hands, self.poses[some], some)
        return findings

    def _single(self, labeled: NDArray[np.int64], frames: list[Looked]) -> list[Finding]:
        some = self._some(labeled)
        bad = bad_labels(self.hands, self.poses[some], some, self._look)
        known = {*bad.size, *bad.stray, *bad.jump, *bad.copied}
        off = sorted(self._floating(frames, labeled) - known)
        found: list[Finding] = []
        kinds: tuple[tuple[Kind, list[int]], ...] = (
            ("size", bad.size),
            ("stray joint", bad.stray),
            ("jump", bad.jump),
            ("copied label", bad.copied),
            ("off", off),
        )
        many = len(known) + len(off) > MANY * len(labeled) and len(labeled) >= 8
        for kind, rows in kinds:
            found += self._of(kind, rows, whole=many)
        return found

    def _floating(self, frames: list[Looked], labeled: NDArray[np.int64]) -> set[int]:
        """Labels that hang in the air; if there is one among those looked at, more are."""
        found = {frame.row for frame in frames if floating(frame)}
        if found and len(frames) < len(labeled):
            for row in np.setdiff1d(labeled, [frame.row for frame in frames])[: 2 * MOST].tolist():
                looked = self._look(row)
                if looked is not None and floating(looked):
                    found.add(row)
        return found

    def _of(self, kind: Kind, rows: list[int], *, whole: bool = False) -> list[Finding]:
        if not rows:
            return []
        found, cause, about = CURES[kind]
        hands = self.hands
        n = len(self.labeled) if about == "labels" else len(hands)
        return [
            Finding(
                kind=kind,
                whole=whole,
                file=labels_path(hands) if about == "labels" else hands.root,
                frame=hands.files[rows[0]],
                found=f"{len(rows):,} of {n:,} {'labeled frames' if about == 'labels' else 'frames'} have {found}",
                expected=EXPECTED[kind],
                cause=cause,
                cure=f"Correct these {about}" if whole else "They are left out",
                rows=tuple(rows),
            )
        ]

    def _some(self, labeled: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(labeled) <= POSES:
            return labeled
        start = int(torch.randint(0, len(labeled) - POSES + 1, (1,), generator=generator(self.seed, "check poses")))
        return labeled[start : start + POSES]

    def _chosen(self, rows: NDArray[np.int64], *, few: bool = False) -> list[int]:
        """Some of these frames, of all sequences."""
        name = "check all" if few else "check"
        order = rows[torch.randperm(len(rows), generator=generator(self.seed, name)).numpy()]
        if few:
            return sorted(order[:5].tolist())
        sequence = self.hands.sequence.numpy()
        count: dict[int, int] = {}
        chosen: list[int] = []
        for row in order.tolist():
            number = int(sequence[row])
            if count.get(number, 0) < OF_EACH and len(chosen) < MOST:
                count[number] = count.get(number, 0) + 1
                chosen.append(row)
        have = set(chosen)
        chosen += [row for row in order.tolist() if row not in have][: max(0, self.sample - len(chosen))]
        return sorted(chosen)

    def _look(self, row: int) -> Looked | None:
        if row not in self.decoded:
            try:
                image: Any = self.hands.depth(row)
            except DataFileError:
                self.decoded[row] = None
            else:
                self.decoded[row] = Looked(row, image, self.hands.camera_of(row), self.poses[row])
        return self.decoded[row]
