"""Which joints that annotators were given are trained on: those that somebody moved, or confirmed, or all.

Annotators correct predictions; what they did to each joint is in `imported-N.csv` beside the labels of each round.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from torch import Tensor

from seqgcn.config.select import SelectConfig
from seqgcn.datasets.round_pool import RoundPool
from seqgcn.exceptions import ConfigError
from seqgcn.rounds.record import ROUND
from seqgcn.utils.messages import log

PREDICTION = "prediction"
"""What `imported-N.csv` says in its column `answer` of a joint that nobody moved."""


def trained_pool(pool: RoundPool, config: SelectConfig) -> RoundPool:
    """The same items, of which those are labeled that are trained on; NaN stands for joints that are not.

    Args:
        pool: Of the round.
        config: With `train_on`, and the file of labels, beside which the records are.

    Raises:
        ConfigError: No joint is left to train on.
    """
    if pool.frames is None or pool.targets is None or config.labelled is None or config.train_on == "all":
        return pool
    answers = read_answers(Path(config.labelled))
    if not answers:
        return pool
    joints, targets = pool.frames.skeleton.joints, pool.targets.clone()
    known = targets.isfinite().all(dim=2)
    for row, number in enumerate(pool.labelled.tolist()):
        given = answers.get(pool.items[number])
        if given is not None:
            targets[row, ~_counts(given, joints, config.train_on)] = torch.nan
    left = targets.isfinite().all(dim=2)
    without = int(known.sum() - left.sum())
    if not without:
        return pool
    if not bool(left.any()):
        raise ConfigError(f"train-on {config.train_on} leaves no joint to train on; train on all")
    log.info(
        f"{without:,} joints that nobody moved from where they were predicted are not trained on "
        f"(--train-on {config.train_on})"
    )
    rows = left.any(dim=1)
    return replace(pool, labelled=pool.labelled[rows], targets=targets[rows])


def _counts(given: Mapping[str, str], joints: tuple[str, ...], train_on: str) -> Tensor:
    """Which joints of a frame count, `[J]` bool."""
    moved = torch.tensor([given.get(joint) not in (PREDICTION, None) for joint in joints])
    return moved if train_on == "moved" else torch.full_like(moved, bool(moved.any()))


def read_answers(labels: Path) -> dict[str, dict[str, str]]:
    """What annotators did to each joint of each frame, by frame and joint, as records beside a file of labels say.

    Labels of earlier rounds are in the same file; their records are beside the labels that the round began with. Frames
    of which there is no record are not in it. A record that cannot be read is passed over.

    Args:
        labels: In the folder of a round; a file elsewhere has no records.
    """
    answers: dict[str, dict[str, str]] = {}
    folder, seen = labels.parent, set[Path]()
    while folder.resolve() not in seen and (folder / ROUND).is_file():
        seen.add(folder.resolve())
        for record in sorted(folder.glob("imported-*.csv"), key=_number, reverse=True):
            for frame, joints in _read_record(record).items():
                answers.setdefault(frame, joints)
        earlier = _labels_before(folder)
        if earlier is None:
            break
        folder = earlier.parent
    return answers


def _number(record: Path) -> int:
    digits = record.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() and len(digits) < 10 else 0


def _read_record(record: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    try:
        with open(record, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                # Records of earlier versions say no more than whether somebody moved it.
                answer = row.get("answer") or ("changed" if row.get("moved") == "1" else PREDICTION)
                if row.get("depth from"):
                    found.setdefault(row.get("frame") or "", {})[row.get("joint") or ""] = answer
    except (OSError, ValueError, csv.Error) as error:
        log.warning(f"{record} cannot be read ({error}); all joints of its frames are trained on")
        return {}
    return found


def _labels_before(folder: Path) -> Path | None:
    """The file of labels that a round began with."""
    try:
        held = yaml.safe_load((folder / ROUND).read_text(encoding="utf-8"))
        labels = held["select"]["labelled"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None
    return Path(labels) if isinstance(labels, str) else None
