"""What the checks of a data set found."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from seqgcn.exceptions import DataFileError
from seqgcn.utils.messages import counted

Kind = Literal[
    "unit", "axes", "pixels", "intrinsics", "depth scale", "offset", "frames", "order", "hand", "off", "copied label",
    "jump", "size", "stray joint", "frozen", "empty",
]  # fmt: skip

OF_LABELS: tuple[Kind, ...] = ("copied label", "jump", "size", "stray joint", "off")
"""Kinds of findings about single frames after which the label is not used."""

IN_WORDS: dict[Kind, str] = {
    "copied label": "with the label of another frame",
    "jump": "whose label jumps away and back",
    "size": "whose label has not the size of a hand",
    "stray joint": "with a joint far from all others",
    "off": "whose label is where the camera saw no hand",
    "frozen": "the same picture as the frame before",
    "empty": "in which nothing was measured",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Args:
        kind: What it is about.
        whole: Whether labels or camera are wrong as a whole; else single frames are, which are left out.
        file: Where it is to be put right.
        frame: One that shows it.
        found: What was found, with numbers.
        expected: What was expected instead.
        cause: The likely cause.
        cure: What to do, with the option or key.
        rows: Numbers of the frames concerned; of what is wrong as a whole, of those looked at.
    """

    kind: Kind
    whole: bool
    file: Path
    frame: str
    found: str
    expected: str
    cause: str
    cure: str
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.found} (such as {self.frame}); expected {self.expected}. Likely cause: {self.cause}. "
            f"{self.cure}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckReport:
    """All findings about a data set.

    Args:
        name: Of the data set.
        findings: What is wrong; what is wrong as a whole first.
        frames: How many frames there are.
        labeled: How many have a label.
        looked_at: Numbers of the labeled frames whose depth was decoded.
        fit: Share of the joints in these that lie on the surface that the camera saw, 0 to 1; NaN without labels.
    """

    name: str
    findings: tuple[Finding, ...]
    frames: int
    labeled: int
    looked_at: tuple[int, ...] = ()
    fit: float = float("nan")

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is wrong as a whole."""
        return tuple(finding for finding in self.findings if finding.whole)

    def rows(self, *kinds: Kind) -> Tensor:
        """Which frames single findings of these kinds are about, `[n]` bool."""
        mask = torch.zeros(self.frames, dtype=torch.bool)
        for finding in self.findings:
            if not finding.whole and finding.kind in kinds:
                mask[list(finding.rows)] = True
        return mask

    @property
    def counts(self) -> dict[str, int]:
        """How many single frames are left out, by reason."""
        return self.counts_of(*IN_WORDS)

    def counts_of(self, *kinds: Kind) -> dict[str, int]:
        """The same of some kinds."""
        counts: Counter[str] = Counter()
        for finding in self.findings:
            if not finding.whole and finding.kind in kinds:
                counts[IN_WORDS[finding.kind]] += len(finding.rows)
        return dict(counts)

    def raise_wrong(self) -> None:
        """Raise what is wrong as a whole.

        Raises:
            DataFileError: With all of it.
        """
        if self.wrong:
            raise DataFileError(
                "\n".join(map(str, self.wrong))
                + "\nLook at it with seqgcn check; if the labels are right all the same, add --accept-labels"
            )

    def summary(self) -> str:
        """In a line."""
        looked = f", {counted(len(self.looked_at), 'frame')} looked at" if self.looked_at else ""
        fit = f", {self.fit:.0%} of their joints on the surface that the camera saw" if self.fit == self.fit else ""
        return f"{self.name}: {counted(self.frames, 'frame')}, {self.labeled:,} labeled{looked}{fit}"
