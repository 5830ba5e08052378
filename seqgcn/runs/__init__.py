"""Experiments that replay labeling on data whose labels are known: run, resumed, read back, compared."""

from typing import TYPE_CHECKING

from seqgcn.utils.lazy import lazy

if TYPE_CHECKING:
    from seqgcn.runs.active_learner import ActiveLearner
    from seqgcn.runs.journal import CycleRecord, Journal
    from seqgcn.runs.loop import ActiveLearning
    from seqgcn.runs.picks import Picks
    from seqgcn.runs.pool import Pool
    from seqgcn.runs.reader import RunFolder, RunFolders, read_runs
    from seqgcn.runs.run_set import RunSet

_HOMES = {
    "ActiveLearner": "active_learner",
    "ActiveLearning": "loop",
    "CycleRecord": "journal",
    "Journal": "journal",
    "Picks": "picks",
    "Pool": "pool",
    "RunFolder": "reader",
    "RunFolders": "reader",
    "RunSet": "run_set",
    "read_runs": "reader",
}

__all__ = [
    "ActiveLearner",
    "ActiveLearning",
    "CycleRecord",
    "Journal",
    "Picks",
    "Pool",
    "RunFolder",
    "RunFolders",
    "RunSet",
    "read_runs",
]

__getattr__, __dir__ = lazy(__name__, _HOMES)
