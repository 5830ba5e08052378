"""One round: train on what is labeled, describe all items, pick, and write down which and why."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any, cast

import torch
from sklearn.base import clone
from torch_geometric.data import Data

from seqgcn.annotation.tasks import IMAGES
from seqgcn.config.registry import CATALOGUE, load
from seqgcn.config.run import FINGERPRINT, as_config_errors
from seqgcn.config.select import CENTER, LABEL_FREE, SelectConfig
from seqgcn.datasets.hands.centers.detector import detector_available
from seqgcn.datasets.hands.hand_dataset import HandFrames
from seqgcn.exceptions import ConfigError
from seqgcn.learners.components import changes, new_learner, sources
from seqgcn.learners.devices import resolve_device
from seqgcn.learners.extend_learner import check_served, extended, with_classes, with_task
from seqgcn.learners.fitted import curves_of
from seqgcn.learners.protocol import Learner, RestorableLearner
from seqgcn.learners.weight_files import restore_weights, save_weights
from seqgcn.rounds.clicks import hand_off_clicks, pool_of_clicks
from seqgcn.rounds.constraints import Videos, choose, most_items
from seqgcn.rounds.exports import TASKS, picture_prefix
from seqgcn.rounds.handoff import LABELS, hand_off
from seqgcn.rounds.inputs import (
    RoundPool,
    candidates_of,
    costs_of,
    pool_of_dataset,
    pool_of_features,
    short_hash,
)
from seqgcn.rounds.page import write_report
from seqgcn.rounds.record import (
    LABELLED,
    check_same,
    options_as_yaml,
    parameters_as_yaml,
    read_round,
    round_directory,
)
from seqgcn.rounds.result import TRAINING, RoundResult, read_curves
from seqgcn.rounds.tables import picks_table, represent, represents_table
from seqgcn.rounds.train_on import trained_pool
from seqgcn.runs.cold_start import COLD_START as COLD_START
from seqgcn.runs.cold_start import thumbnails_of
from seqgcn.runs.pool import Pool
from seqgcn.runs.stages import Stages
from seqgcn.selectors.adapter import new_selector
from seqgcn.selectors.selector import Selection, Selector
from seqgcn.training import Progress
from seqgcn.utils.environment import machine, other_conditions
from seqgcn.utils.files import remove_leftovers, write_text
from seqgcn.utils.messages import log

PICKS, REPRESENTS, WEIGHTS = "picks.csv", "represents.csv", "learner.pt"

CROPS = "crops"
"""Key of what is known of hands' crops in `round.yaml`."""


class Round:
    """One annotation round in a folder of its own: the items that a selector picks from the unlabeled ones.

    The folder gets `round.yaml` (the configuration, versions and seeds) when the round begins, `training.json` and
    `learner.pt` (curves and weights) when the learner is trained, then `represents.csv`, `tasks` for labeling tools,
    `report.html`, and at last `picks.csv`, with which the round is done.

    Args:
        config: What to select from, and how.
        folder: Where; made if it is not there.
        resume: Go on with what the folder holds, under the same configuration.
        progress: Told about every stage.

    Raises:
        ConfigError: A component or parameter is unknown or of the wrong type, or the learner cannot serve the selector.
        DataFileError: A file cannot be used.
        RunFolderError: The folder holds a round and `resume` is False, holds another one, or cannot be written.
    """

    def __init__(
        self,
        config: SelectConfig,
        folder: str | Path,
        *,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.config, self.folder, self.progress = config, Path(folder), progress
        self.directory = round_directory(self.folder)
        self.parameters = config.settle()
        with as_config_errors():
            resolve_device(config.device)
            self.selector = new_selector(config.spec.name, self.parameters["selector"])
        learner = self._new_learner() if config.learner else None
        self._check_served(learner)
        if config.root is not None and _inside(self.folder, Path(config.root)):
            raise ConfigError(
                f"{self.folder} lies in {config.root}, among the data, where its pictures would be taken for frames; "
                "name a folder elsewhere with --out"
            )
        self.image_prefix = picture_prefix(config, self.folder)
        if not resume:
            self.directory.check_free()
        self.pool = self._read_pool(learner)
        if learner is not None and config.targets is not None and self.pool.targets is not None:
            learner = with_task(learner, "regression" if self.pool.targets.is_floating_point() else "classification")
            self._check_served(learner)
        self.candidates = candidates_of(config, self.pool)
        self.terms: dict[str, Any] = {
            "costs": costs_of(config, self.pool, self.candidates),
            "videos": Videos.of(self.pool.items) if config.min_gap else None,
            "min_gap": config.min_gap,
        }
        self._check_left()
        with as_config_errors():
            # Before anything is trained.
            most_items(self.candidates, config.budget, **self.terms)
        for note in self.terms["videos"].notes if self.terms["videos"] else ():
            log.info(f"{note}; their order counts" if isinstance(config.min_gap, int) else note)
        if self.pool.frames is not None and config.ask != CENTER and config.dataset not in LABELS:
            log.info(
                f"{config.dataset} has labels of all its frames in its own files, so that none can be imported; when "
                "these picks are labeled, go on with seqgcn select --continue and a --labelled list"
            )
        self.learner = learner
        self._claim(resume)

    def __call__(self) -> RoundResult:
        """Do the round and write it down.

        Raises:
            TrainingError: The learner or the selector diverged.
            RunFolderError: Another process is at work in the folder, or it cannot be written.
        """
        with self.directory.locked():
            # What was not whole yet when a process was killed must not go to the annotators.
            for folder in (self.folder / TASKS, self.folder / TASKS / IMAGES):
                remove_leftovers(folder)
            return self._answer()

    def _answer(self) -> RoundResult:
        pool, config = self.pool, self.config
        stages = self._stages()
        learner = self._trained(stages)
        data = self._described(stages)
        data.train_mask = torch.zeros(len(pool), dtype=torch.bool)
        data.train_mask[pool.labelled] = True
        data.pool_mask = self.candidates
        name, selector = self._selector_in_force()
        with as_config_errors():
            selection = choose(
                stages.chooser(selector),
                # Data.to moves what it is called on; all that follows is done on the CPU.
                copy.copy(data).to(resolve_device(config.device)),
                config.budget,
                **self.terms,
                progress=self.progress,
            )
        unused = _unused(name, selector, selection)
        if unused:
            log.warning(unused)
        index = selection.index
        represented = represent(data.x, data.train_mask, index, progress=self.progress)
        write_text(self.folder / REPRESENTS, represents_table(pool.items, represented))
        if len(index) and config.ask == CENTER:
            hand_off_clicks(self.folder, pool, index, selection.score, self.progress, self.image_prefix)
        elif len(index):
            hand_off(self.folder, pool, index, selection.score, learner, self.progress, self.image_prefix)
        result = RoundResult(
            pool=pool,
            data=data,
            selection=selection,
            represented=represented,
            selector=name,
            learner=learner,
            curves=read_curves(self.folder),
            missing=int(config.budget) - len(index) if config.cost is None else 0,
            unused=unused,
            ask=config.ask,
        )
        write_report(self.folder, result, read_round(self.folder), self.progress)
        write_text(self.folder / PICKS, picks_table(pool.items, selection, represented, pool.centers))
        return result

    @property
    def done(self) -> bool:
        """Whether the folder holds the picks already."""
        return (self.folder / PICKS).exists()

    def _new_learner(self) -> Learner:
        """An unfitted learner as the configuration has it."""
        config = self.config
        with as_config_errors(f"{config.learner}: "):
            learner = new_learner(config.learner, self.parameters["learner"], config.device)
            return extended(learner, self.selector.extensions)

    def _check_served(self, learner: Learner | None) -> None:
        text = self.config.selector
        if learner is not None:
            with as_config_errors(f"{text} with the learner {self.config.learner}: "):
                check_served(learner, self.selector)
                if "x" not in learner.outputs:
                    raise ConfigError(
                        f"a round needs embeddings x of every item, and the learner gives {', '.join(learner.outputs)}"
                    )
        elif self.selector.missing(("x",)):
            wants = ", ".join(self.selector.missing(("x",)))
            fitting = [name for name in CATALOGUE["selector"] if not load("selector", name)().missing(("x",))]
            given = "--features give embeddings" if self.config.ask != CENTER else "frames are described by thumbnails"
            raise ConfigError(
                f"{text} needs {wants} of every item, and {given} alone; selectors that need no more: "
                f"{', '.join(fitting if self.config.ask != CENTER else LABEL_FREE)}"
            )

    def _check_left(self) -> None:
        """Say why no item is left to pick, if none is."""
        pool = self.pool
        if len(pool.labelled) == len(pool) and self.config.ask == CENTER:
            raise ConfigError(
                f"all {len(pool):,} frames of {pool.name} have a center or a pose already, so that none is left to "
                "click; name those that count as labeled so far with --labelled FILE, a list of frames"
            )
        if len(pool.labelled) == len(pool):
            raise ConfigError(
                f"all {len(pool):,} items of {pool.name} have a label; name those that count as labeled so far with "
                "--labelled FILE, a list of items or a file of labels"
            )
        if not self.candidates.any():
            raise ConfigError(
                f"--candidates and --exclude leave none of the {len(pool) - len(pool.labelled):,} items without a label"
            )

    def _read_pool(self, learner: Learner | None) -> RoundPool:
        with as_config_errors():
            if self.config.dataset is None:
                return pool_of_features(self.config)
            if self.config.ask == CENTER:
                parameters = self.parameters["dataset"]
                return pool_of_clicks(self.config, parameters, progress=self.progress)
            return pool_of_dataset(
                self.config,
                self.parameters["dataset"],
                crop_check=getattr(learner, "check_size", None),
                progress=self.progress,
            )

    def _selector_in_force(self) -> tuple[str, Selector]:
        """What picks: with nothing labeled, something that needs no label."""
        name = self.config.spec.name
        # A user's own selector knows best what it needs; if that is labels, its message says so.
        own = name not in CATALOGUE["selector"] and not self.selector.missing(("x",))
        if len(self.pool.labelled) or name in LABEL_FREE or own:
            return name, self.selector
        log.warning(f"nothing is labeled yet, which {name} needs: {COLD_START} picks instead")
        return COLD_START, load("selector", COLD_START)()

    def _stages(self) -> Stages:
        """The stages of a cycle, of which a round has one: the first."""
        pool, learner = trained_pool(self.pool, self.config), self.learner
        targets = pool.targets
        if learner is not None and len(pool.labelled) and pool.classes:
            learner = with_classes(learner, len(pool.classes))
        known = Pool(len(pool))
        known.reveal(pool.labelled.tolist(), cycle=0)
        if targets is not None:
            everything = targets.new_zeros(len(pool), *targets.shape[1:])
            everything[pool.labelled] = targets
            targets = everything
        return Stages(
            inputs=pool.inputs,
            targets=targets,
            learner=learner,
            selector=self.selector,
            pool=known,
            seed=self.config.seed,
            extras=False,
            progress=self.progress,
        )

    def _trained(self, stages: Stages) -> Learner | None:
        """The learner, trained on what is labeled; by an earlier attempt, if it got that far."""
        pool = self.pool
        if stages.learner is None or pool.targets is None:
            return None
        learner = cast(Learner, clone(stages.learner)).set_params(seed=stages.seeds["learner"])
        weights = self.folder / WEIGHTS
        if len(pool.labelled) == 0:
            stages.fitted = None if getattr(learner, "needs_labels", True) else learner
        elif weights.exists() and isinstance(learner, RestorableLearner):
            stages.fitted = restore_weights(learner, weights)
        else:
            stages.train()
            self._keep(stages.fitted)
        return stages.fitted

    def _keep(self, learner: Learner | None) -> None:
        """Write down what was learned, and say what was left out."""
        if left_out := getattr(learner, "left_out_", 0):
            log.warning(
                f"{left_out} of {len(self.pool.labelled)} labeled frames are not trained on: their crops miss the hand"
            )
        write_text(self.folder / TRAINING, json.dumps(curves_of(learner)) + "\n")
        if isinstance(learner, RestorableLearner):
            save_weights(learner, self.folder / WEIGHTS)

    def _described(self, stages: Stages) -> Data:
        """What the selector reads of every item, and the embeddings."""
        pool = self.pool
        if pool.x is not None:
            return Data(x=pool.x)
        if stages.fitted is None:
            poses = pool.frames is not None and detector_available()
            hint = "; --learner mediapipe describes them by poses" if poses else ""
            log.info(
                f"nothing is labeled yet: items are described by thumbnails, as there is nothing to train on{hint}"
            )
            return Data(x=thumbnails_of(pool.inputs))
        return stages.describe(None, self.selector, always=("x",))

    def _crops(self) -> dict[str, Any]:
        """What is known of the crops, and what training makes of it."""
        if self.pool.centers is None:
            return {}
        crops: dict[str, Any] = {"centers": self.pool.centers.summary()}
        frames = self.pool.inputs
        member = getattr(self.learner, "learner", self.learner)  # of an ensemble
        if isinstance(frames, HandFrames) and (shift_of := getattr(member, "shift_of", None)):
            crops["training crops are shifted by, mm"] = round(shift_of(frames), 3)
        return {CROPS: crops}

    def _claim(self, resume: bool) -> None:
        """Write what is asked for into the folder, or make sure that it is what is already there."""
        costs = None if self.terms["costs"] is None else self.terms["costs"].tolist()
        document = {
            "select": options_as_yaml(self.config),
            "parameters": parameters_as_yaml(self.parameters),
            LABELLED: len(self.pool.labelled),
            **self._crops(),
            FINGERPRINT: {
                "items": short_hash(tuple(self.pool.items)),
                "labelled items": short_hash(self.pool.labelled.tolist()),
                "candidates": short_hash(self.candidates.tolist()),
                "costs": short_hash(costs),
                "what is in the items, or their labels,": self.pool.fingerprint,
            },
        }
        if not resume:
            self.directory.claim(lambda: self._begun(document))
            return
        held = check_same(self.folder, document)
        if not self.done:
            notes = changes(held.get("sources"), self._sources())
            if changes(held.get("sources"), sources(self.learner, None)) and (self.folder / WEIGHTS).exists():
                # It may be its embedding that was mended; an hour of training is not thrown away unasked.
                notes.append(f"the training of before is kept; delete {self.folder / WEIGHTS} to train anew")
            self.directory.warn([*notes, *other_conditions(held["environment"], self._machine())])

    def _begun(self, document: dict[str, Any]) -> dict[str, Any]:
        """The record of a new round: what is asked, how to ask it again, and in which environment it is answered."""
        self.directory.check_free()
        return {
            **document,
            "command": self.config.command(self.folder),
            "environment": self._machine(),
            "sources": self._sources(),
        }

    def _machine(self) -> dict[str, Any]:
        return machine(resolve_device(self.config.device))

    def _sources(self) -> dict[str, str]:
        return sources(self.learner, self.selector)


def _unused(name: str, selector: Selector, selection: Selection) -> str:
    """What a selector would add to training, where there is a training after its picks; nothing for most."""
    what = "items that it generates" if type(selector).generate is not Selector.generate else ""
    what = what or ("labels that it predicts" if selection.pseudo is not None else "")
    return what and f"{name} would also train on {what}; a round trains on what people labeled, and on nothing else"


def _inside(folder: Path, root: Path) -> bool:
    return Path(os.path.abspath(folder)).is_relative_to(os.path.abspath(root.expanduser()))
