"""Every configuration of the evidence benchmarks is one that can be run."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from seqgcn.config.run import RunConfig, SelectorSpec, resolve
from seqgcn.evaluation import MAX_CONFIRMATORY

FOLDER = Path(__file__).parents[1] / "benchmarks" / "evidence"
PLANS = sorted(path for path in FOLDER.glob("*.yaml") if "run" in yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_it_resolves(path: Path) -> None:
    plan: dict[str, Any] = yaml.safe_load(path.read_text())
    config = RunConfig(**plan["run"])
    for text in config.selector:
        resolved = resolve(config, SelectorSpec.parse(text))
        assert resolved.keys() == {"selector", "learner", "dataset"}
    assert plan["claim"].endswith("?")
    assert set(plan["confirmatory"]) < set(config.selector)
    assert "random" in config.selector
    assert len(plan["confirmatory"]) <= MAX_CONFIRMATORY
    # Curves are compared over the seeds, so there must be several.
    assert len(config.seeds) >= 3


def test_the_published_figure_is_drawn_to_a_thousand_labels() -> None:
    plan = next(yaml.safe_load(path.read_text()) for path in PLANS if path.stem == "icvl")
    run = plan["run"]
    assert run["initial"] + run["cycles"] * run["budget"] == 1000
    assert plan["references"] is True
    assert "22,068" in plan["note"]
