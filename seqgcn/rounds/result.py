"""What came of a round."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch_geometric.data import Data

from seqgcn.config.select import CENTER, JOINTS
from seqgcn.exceptions import RunFolderError
from seqgcn.learners.protocol import Learner
from seqgcn.rounds.inputs import RoundPool
from seqgcn.rounds.tables import Represented
from seqgcn.selectors.selector import Selection
from seqgcn.utils.validation import name_some

TRAINING = "training.json"


def read_curves(folder: Path) -> dict[str, list[float]]:
    """What a round's learner measured after each epoch, by name; nothing if there is no such record.

    Raises:
        RunFolderError: It cannot be read.
    """
    path = folder / TRAINING
    if not path.exists():
        return {}
    try:
        held = json.loads(path.read_bytes())
        return {str(name): [float(value) for value in curve] for name, curve in held.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunFolderError(f"cannot read {path} ({error}); restore it, or delete it and go without it") from error


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundResult:
    """What a round picked, and what it saw.

    Args:
        pool: The items.
        data: Their description.
        selection: The picks; their indices are numbers of items.
        represented: Which labeled item or pick each item is nearest to.
        selector: What picked, by its name in the catalogue.
        learner: What was trained, if anything was.
        curves: What it measured after each epoch, by name.
        missing: How many fewer picks there are than were asked for, as a gap left no more.
        unused: What of the selector has no effect in a round, a sentence; empty for most.
        ask: What annotators are asked for.
    """

    pool: RoundPool
    data: Data
    selection: Selection
    represented: Represented
    selector: str
    learner: Learner | None
    curves: Mapping[str, list[float]]
    missing: int = 0
    unused: str = ""
    ask: str = JOINTS

    def summary(self) -> str:
        """What a person wants to know first."""
        pool, picks = self.pool, self.selection.index.tolist()
        before, after = self.represented.radius
        left, clicked = len(pool) - len(pool.labelled), self.ask == CENTER
        known = f"{len(pool.labelled):,} {'with a center or a pose' if clicked else 'labeled'}"
        what = "frames without a known center" if clicked else "unlabeled items"
        lines = [f"{self.selector} picked {len(picks):,} of {left:,} {what} of {pool.name} ({known})"]
        if picks:
            lines.append(f"first: {name_some([pool.items[i] for i in picks])}")
            start = "" if before == float("inf") else f"{before:.4g}, "
            how = "frame that is known" if clicked else "labeled item"
            done = "clicked" if clicked else "labeled"
            lines.append(f"largest distance to a {how}: {start}{after:.4g} once these are {done}")
        if picks and clicked and pool.centers is not None:
            doubtful = int(pool.centers[self.selection.index].doubtful.sum())
            lines.append(f"of these {len(picks):,}, the hand that was found is doubtful in {doubtful:,}")
        if self.missing:
            lines.append(f"{self.missing:,} fewer than asked for: the gap leaves no more; lower it to get them")
        return "\n".join(lines)
