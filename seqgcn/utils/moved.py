"""Modules that were moved can still be imported by their old names, with a warning that says the new one."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "catalogue": "config.registry",
    "checks": "utils.validation",
    "comparison": "runs.comparison",
    "datasets.base": "datasets.dataset",
    "datasets.files": "datasets.data_files",
    "datasets.folder": "datasets.image_folder",
    "datasets.hands.base": "datasets.hands.hand_dataset",
    "datasets.hands.folder": "datasets.hands.depth_folder",
    "datasets.hands.labels": "datasets.hands.text_rows",
    "datasets.hands.pools": "datasets.hands.splits",
    "datasets.hands.poses": "datasets.hands.splits",
    "datasets.named": "datasets.registry",
    "errors": "exceptions",
    "experiment": "runs.loop",
    "extensions": "selectors.extensions",
    "files": "utils.files",
    "folders": "runs.reader",
    "further": "runs.training_set",
    "generative": "selectors.adversarial",
    "herding": "coverage.facility_location",
    "journal": "runs.journal",
    "lazy": "utils.lazy",
    "learners.base": "learners.protocol",
    "learners.named": "learners.components",
    "learners.extend": "learners.extend_learner",
    "learners.inputs": "learners.frame_checks",
    "locks": "utils.locks",
    "pool": "runs.pool",
    "processors": "utils.processors",
    "progress": "utils.progress",
    "report.html.runs": "runs.run_page",
    "report.html.selectors": "runs.comparison_page",
    "rounds.choice": "rounds.constraints",
    "rounds.config": "config.select",
    "rounds.gap": "config.gap",
    "rounds.features": "datasets.feature_files",
    "rounds.item_lists": "datasets.item_lists",
    "rounds.lists": "datasets.item_lists",
    "rounds.pool": "rounds.inputs",
    "rounds.round": "rounds.select_round",
    "scoring": "cli.scoring",
    "seeding": "utils.seeding",
    "selectors.base": "selectors.selector",
    "selectors.gcn": "selectors.sequential_gcn",
    "skactiveml": "integrations.skactiveml",
    "summaries": "runs.summary",
}
"""Old names below the package, and where what they named is now."""


class _Alias:
    """Loads a module by another name: as the same object, not as a copy."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self.name)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # Importing gave the module the alias's specification.
        module.__spec__ = self.spec


class MovedModules:
    """Finds old names; asked only for what is not found otherwise.

    Args:
        package: The package in which modules were moved.
        moved: For each old name below it, the new one.
    """

    def __init__(self, package: str, moved: Mapping[str, str]) -> None:
        self.names = {f"{package}.{old}": f"{package}.{new}" for old, new in moved.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module of an old name is loaded from; None for all others."""
        new = self.names.get(fullname)
        if new is None:
            return None
        warnings.warn(f"{fullname} is now {new}; import it by that name", DeprecationWarning, stacklevel=2)
        return ModuleSpec(fullname, _Alias(new))  # type: ignore[arg-type]  # importlib.abc costs as much as the package


def install() -> None:
    """Let the package's old names be found."""
    sys.meta_path.append(MovedModules("seqgcn", MOVED))
