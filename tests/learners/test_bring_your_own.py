"""A user's own learner and selector take part in `run` and `select` by import path."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from seqgcn.cli import main

NETWORK = '''
"""A learner in the words of a user."""

from dataclasses import dataclass

from torch import nn

from seqgcn.learners import TorchLearner


class Net(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Sigmoid())
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        return self.head(self.features(images))


@dataclass
class MyLearner(TorchLearner):
    embedding: str = "features"
    epochs: int = 2
    width: int = 8

    def build(self, num_classes):
        return Net(self.width, num_classes)
'''

PLAIN = '''
"""The protocol alone, by nearest class means, without a type hint."""

import torch
from sklearn.base import BaseEstimator
from torch_geometric.data import Data

from seqgcn.evaluation import ACCURACY


def len_of(values):
    return len(values)


class MyLearner(BaseEstimator):
    metric = ACCURACY
    outputs = ("x", "prob")

    def __init__(self, power=2, scales=(1, 2), note=None, hook=len_of, seed=0):
        self.power, self.scales, self.note, self.hook, self.seed = power, scales, note, hook, seed

    def check_parameters(self):
        pass

    def fit(self, inputs, targets, *, unconfirmed=0, progress=None):
        pixels = inputs.flatten(1).float()
        self.classes_ = targets.unique()
        self.means_ = torch.stack([pixels[targets == target].mean(dim=0) for target in self.classes_])
        return self

    def distances(self, inputs):
        return torch.cdist(inputs.flatten(1).float(), self.means_, p=float(self.power))

    def predict(self, inputs, *, progress=None):
        return self.classes_[self.distances(inputs).argmin(dim=1)]

    def score(self, inputs, targets, *, progress=None):
        return float((self.predict(inputs) == targets).float().mean())

    def describe(self, inputs, attributes, *, progress=None):
        x = self.distances(inputs)
        values = {"x": x, "prob": (-x).softmax(dim=1)}
        return Data(**{name: values[name] for name in attributes})
'''

SELECTOR = '''
"""A selector of a user's own."""

from dataclasses import dataclass

from seqgcn.selectors import Selector


@dataclass(frozen=True, kw_only=True)
class MySelector(Selector):
    axis: int = 0

    requires = ("x",)

    def pick(self, query):
        return query.highest(query.features()[:, self.axis])
'''

SHORT = ["--dataset", "digits", "--budget", "10", "--cycles", "1", "--pool-size", "60", "--test-size", "20", "--quiet"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, whose modules nobody knows afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def forget(*names: str) -> None:
    """As if the process were a new one."""
    for name in names:
        sys.modules.pop(name, None)


def run(*arguments: str) -> int:
    return main(["run", *SHORT, "--selector", "random", *arguments])


def records(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "journal.jsonl").read_text().splitlines()]


def test_a_network_in_thirty_lines(home: Path) -> None:
    assert len([line for line in NETWORK.splitlines() if line.strip()]) <= 30
    Path("my_pkg").mkdir()
    Path("my_pkg/my_mod.py").write_text(NETWORK)
    name = "my_pkg.my_mod:MyLearner"
    given = ["--learner", name, "--set", "learner.width=5", "--out", "out"]
    assert main(["run", *SHORT, "--selector", "core-gcn", "margin", "--set", "selector.epochs=2", *given]) == 0
    config = yaml.safe_load(Path("out/margin/seed-0/config.yaml").read_text())
    assert config["learner"] == name
    assert config["set"]["learner.width"] == 5
    assert config["set"]["learner.checkpoint"] is None
    held = records("out/margin/seed-0")[0]["environment"]
    assert list(held["sources"]) == [name]
    assert held["setup"]["learner"]["width"] == "5"
    assert main(["compare", "out", "--baseline", "margin", "--out", "compared"]) == 0
    assert main(["report", "out"]) == 0


def test_ensembles_and_learning_loss_of_ones_own_network(home: Path) -> None:
    Path("gaining.py").write_text(NETWORK)
    given = ["--learner", "gaining:MyLearner", "--set", "learner.flip=true", "--set", "learner.crop=1"]
    given += ["--selector", "ensemble:members=2", "learning-loss", "--set", "learner.precision=bfloat16"]
    assert main(["run", *SHORT, *given, "--set", "learner.validation=0.2", "--out", "out"]) == 0
    watched = records("out/learning-loss/seed-0")[0]
    assert "loss rank correlation" in watched["metric"]
    assert watched["environment"]["setup"]["learner"]["flip"] == "True"
    assert records("out/ensemble_members=2/seed-0")[0]["environment"]["setup"]["learner"]["class"] == "Ensemble"


def test_a_run_begun_before_there_were_such_parameters_goes_on(home: Path) -> None:
    Path("older.py").write_text(NETWORK)
    assert run("--learner", "older:MyLearner", "--out", "out") == 0
    settings = yaml.safe_load(Path("out/config.yaml").read_text())["set"]
    setup = records("out")[0]["environment"]["setup"]["learner"]
    for name in ("crop", "flip", "precision", "loss_prediction"):
        assert f"learner.{name}" not in settings
        assert name not in setup
    assert run("--learner", "older:MyLearner", "--set", "learner.crop=2", "--out", "other") == 0
    assert yaml.safe_load(Path("other/config.yaml").read_text())["set"]["learner.crop"] == 2


def test_found_from_the_current_directory_by_the_real_command(home: Path) -> None:
    Path("in_a_file.py").write_text(PLAIN)
    command = [str(Path(sys.executable).with_name("seqgcn")), "run", *SHORT, "--selector", "random"]
    command += ["--learner", "in_a_file:MyLearner", "--out", "out"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert len(records("out")) == 2


def test_the_protocol_alone_without_hints(home: Path) -> None:
    Path("plain.py").write_text(PLAIN)
    given = ["--learner", "plain:MyLearner", "--set", "learner.power=1", "--set", "learner.scales=[3, 4]"]
    assert run(*given, "--set", "learner.note=a text", "--out", "out") == 0
    setup = records("out")[0]["environment"]["setup"]["learner"]
    assert (setup["power"], setup["scales"], setup["note"]) == ("1", "(3, 4)", "'a text'")
    settings = yaml.safe_load(Path("out/config.yaml").read_text())["set"]
    # What YAML cannot hold stays what it is.
    assert {key for key in settings if key.startswith("learner.")} == {
        f"learner.{k}" for k in ("power", "scales", "note")
    }
    assert run(*given, "--set", "learner.note=a text", "--out", "out", "--resume") == 0


def test_a_run_without_out_has_a_folder_that_every_file_system_takes(home: Path) -> None:
    Path("unnamed.py").write_text(PLAIN)
    assert run("--learner", "unnamed:MyLearner") == 0
    assert [folder.name for folder in Path("runs").iterdir()] == ["digits-unnamed_MyLearner-random"]


def test_resume_says_that_the_source_has_changed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("changing.py")
    path.write_text(PLAIN)
    assert run("--learner", "changing:MyLearner", "--out", "out") == 0
    journal = Path("out/journal.jsonl")
    first = journal.read_text().splitlines()[0]
    journal.write_text(first + "\n")
    forget("changing")
    assert main(["run", "--out", "out", "--resume", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    journal.write_text(first + "\n")
    forget("changing")
    path.write_text(PLAIN + "\n# Another line.\n")
    assert main(["run", "--out", "out", "--resume", "--quiet"]) == 0
    assert "changing:MyLearner has changed since (hash" in capsys.readouterr().err
    before, after = (each["environment"]["sources"]["changing:MyLearner"] for each in records("out"))
    assert before != after


def test_a_comparison_notes_that_runs_are_of_different_sources(home: Path) -> None:
    for selector, end in (("random", ""), ("margin", "# Another line.")):
        forget("edited")
        Path("edited.py").write_text(f"{PLAIN}\n{end}\n")
        assert main(["run", *SHORT, "--learner", "edited:MyLearner", "--selector", selector, "--out", selector]) == 0
    assert main(["compare", "random", "margin", "--out", "compared"]) == 0
    assert "same conditions: edited:MyLearner " in Path("compared/comparison.md").read_text()


def test_select_and_resume(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("round_of_mine.py").write_text(NETWORK)
    np.savetxt("labelled.txt", np.arange(40), fmt="%d")
    given = ["--dataset", "digits", "--labelled", "labelled.txt", "--budget", "5", "--quiet", "--out", "round"]
    given += ["--learner", "round_of_mine:MyLearner", "--set", "learner.width=6", "--selector", "core-set"]
    assert main(["select", *given]) == 0
    document = yaml.safe_load(Path("round/round.yaml").read_text())
    assert document["parameters"]["learner"]["width"] == 6
    assert list(document["sources"]) == ["round_of_mine:MyLearner"]
    picks = Path("round/picks.csv").read_text()
    assert len(picks.splitlines()) == 6
    Path("round/picks.csv").unlink()
    forget("round_of_mine")
    Path("round_of_mine.py").write_text(NETWORK + "\n# Another line.\n")
    assert main(["select", "--out", "round", "--resume", "--quiet"]) == 0
    said = capsys.readouterr().err
    assert "round: round_of_mine:MyLearner has changed since" in said
    assert "the training of before is kept; delete round/learner.pt to train anew" in said
    # From the weights that were kept.
    assert Path("round/picks.csv").read_text() == picks


def test_parameters_called_as_options_are_no_paths(home: Path) -> None:
    network = NETWORK.replace("    width: int = 8\n", '    width: int = 8\n    features: str = "hidden"\n')
    Path("named_so.py").write_text(network)
    np.savetxt("labelled.txt", np.arange(40), fmt="%d")
    given = ["--dataset", "digits", "--labelled", "labelled.txt", "--budget", "5", "--quiet", "--out", "round"]
    given += ["--learner", "named_so:MyLearner", "--set", "learner.features=head.1", "--selector", "core-set"]
    assert main(["select", *given]) == 0
    document = yaml.safe_load(Path("round/round.yaml").read_text())
    assert document["parameters"]["learner"]["features"] == document["select"]["set"]["learner.features"] == "head.1"
    assert document["select"]["labelled"] == str(home / "labelled.txt")


def test_a_round_needs_embeddings(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("no_x.py").write_text(PLAIN.replace('("x", "prob")', '("prob",)'))
    given = ["--dataset", "digits", "--budget", "5", "--learner", "no_x:MyLearner", "--selector", "margin"]
    assert main(["select", *given, "--out", "round"]) == 2
    assert "a round needs embeddings x of every item, and the learner gives prob" in capsys.readouterr().err
    assert not Path("round").exists()


def test_hints_that_are_written_as_text_are_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("late.py").write_text("from __future__ import annotations\n" + NETWORK.replace('"""A learner', '# """A', 1))
    assert run("--learner", "late:MyLearner", "--set", "learner.width=much", "--out", "out") == 2
    assert "learner.width must be whole number" in capsys.readouterr().err
    assert run("--learner", "late:MyLearner", "--set", "learner.width=4", "--out", "out") == 0


def test_a_selector_with_and_without_settings(home: Path) -> None:
    Path("chooser.py").write_text(SELECTOR)
    Path("chosen_for.py").write_text(PLAIN)
    both = ["chooser:MySelector", "chooser:MySelector:axis=1"]
    given = [*SHORT, "--learner", "chosen_for:MyLearner", "--out", "out"]
    assert main(["run", *given, "--selector", *both, "core-set"]) == 0
    first, second = (records(f"out/chooser_MySelector{end}/seed-0") for end in ("", "_axis=1"))
    assert first[0]["picks"] != second[0]["picks"]
    assert list(first[0]["environment"]["sources"]) == ["chosen_for:MyLearner", "chooser:MySelector"]
    # Reading a run imports nothing that its files name.
    forget("chooser", "chosen_for")
    Path("chooser.py").unlink()
    assert main(["compare", "out", "--baseline", "core-set", "--out", "compared"]) == 0
    assert "chooser:MySelector" in Path("compared/comparison.md").read_text()
    np.save("emb.npy", np.random.default_rng(0).normal(size=(30, 4)))
    Path("chooser2.py").write_text(SELECTOR)
    Path("ids.txt").write_text("0\n1\n")
    select = ["select", "--features", "emb.npy", "--labelled", "ids.txt", "--budget", "3", "--quiet", "--out", "round"]
    assert main([*select, "--selector", "chooser2:MySelector:axis=2"]) == 0
    assert len(Path("round/picks.csv").read_text().splitlines()) == 4


ONE_METHOD = """
class Mine:
    def __init__(self, column=0, seed=0):
        self.column, self.seed = column, seed

    def select(self, data, budget):
        score = data.x[:, self.column].masked_fill(~data.pool_mask, float("-inf"))
        return score.topk(budget).indices
"""


def test_a_selector_that_inherits_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("one_method.py").write_text(ONE_METHOD)
    Path("plain_for_it.py").write_text(PLAIN)
    given = [*SHORT, "--learner", "plain_for_it:MyLearner", "--selector", "one_method:Mine:column=1", "--out", "out"]
    assert main(["run", *given]) == 0
    first = records("out")[0]
    assert len(first["picks"]) == 10
    assert list(first["environment"]["sources"]) == ["plain_for_it:MyLearner", "one_method:Mine"]
    assert first["environment"]["setup"]["selector"] == "Mine(column=1, seed=0)"
    assert main(["run", "--resume", "--out", "out", "--quiet"]) == 0
    np.save("emb.npy", np.arange(60.0).reshape(30, 2))
    select = ["select", "--features", "emb.npy", "--budget", "3", "--quiet", "--out", "round"]
    assert main([*select, "--selector", "one_method:Mine"]) == 0
    assert [line.split(",")[1] for line in Path("round/picks.csv").read_text().splitlines()[1:]] == ["29", "28", "27"]


MISTAKES = [
    ("no_such_module:X", "", "cannot import no_such_module for the learner no_such_module:X: ModuleNotFoundError"),
    ("broken:X", "import json\nraise RuntimeError('no licence')", "cannot import broken .* RuntimeError: no licence"),
    ("lacking:MyLearner", "class MyLerner: pass", "has no 'MyLearner'; did you mean MyLerner"),
    ("value:MyLearner", "MyLearner = 3", "has 'MyLearner', but that is no class"),
    (
        "empty:MyLearner",
        "class MyLearner:\n    def fit(self): pass",
        "empty:MyLearner: MyLearner is no learner: it lacks metric, outputs, check_parameters, predict, score, "
        "describe, get_params, set_params; .*TorchLearner",
    ),
    ("refusing:MyLearner", PLAIN.replace("self.power,", "1 / 0; self.power,"), "cannot be made: ZeroDivisionError"),
    ("seedless:MyLearner", PLAIN.replace("hook=len_of, seed=0", "hook=len_of, sed=0").replace("self.seed", "self.sed")
     .replace("hook, seed", "hook, sed"), "the constructor must take a seed"),
    ("altering:MyLearner", PLAIN.replace("= power,", "= [power],"), "cannot be copied for each cycle: RuntimeError"),
    ("posing:MyLearner", PLAIN.replace("metric =", "task = 'pose'\n    metric ="), "is for pose, but the data set dig"),
    ("asking:MyLearner", PLAIN.replace("power=2", "power"), "has no default for learner.power; give --set learner.po"),
    ("silent:MyLearner", PLAIN.replace('("x", "prob")', '("prob",)'), "core-set with the learner silent:MyLearner"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "source", "message"), MISTAKES, ids=[name for name, *_ in MISTAKES])
def test_mistakes_are_told(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, source: str, message: str
) -> None:
    if source:
        Path(f"{name.partition(':')[0]}.py").write_text(source)
    assert main(["run", *SHORT, "--selector", "core-set", "--learner", name, "--out", "out"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("seqgcn: ")
    assert len(told.splitlines()) == 1
    assert re.search(message, told), told
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("x = self.distances(inputs)", "x = self.distances(inputs[1:])"),
         "MyLearner.describe must give x as a tensor of 50 rows, one an item, got torch.float32"),
        (("return Data(", "return dict("), "MyLearner.describe must return a torch_geometric.data.Data, got dict"),
        (('"x": x', '"x": x.tolist()'), "must give x as a tensor of 50 rows, one an item, got list"),
    ],
)  # fmt: skip
def test_another_shape_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], message: str
) -> None:
    name = f"shape_{abs(hash(change))}"
    Path(f"{name}.py").write_text(PLAIN.replace(*change))
    given = ["--learner", f"{name}:MyLearner", "--subset", "50", "--out", "out"]
    assert main(["run", *SHORT, "--selector", "core-set", *given]) == 1
    assert message in capsys.readouterr().err.replace("60 rows", "50 rows")


def test_unknown_settings_of_your_own_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("set_of_mine.py").write_text(NETWORK)
    for setting, message in [
        ("learner.widht=3", "set_of_mine:MyLearner has no parameter 'widht'; did you mean width?"),
        ("learner.width=many", "learner.width must be whole number, got 'many'"),
        ("learner.seed=3", "learner.seed cannot be set: it comes from --seeds"),
    ]:
        assert run("--learner", "set_of_mine:MyLearner", "--set", setting, "--out", "out") == 2
        assert message in capsys.readouterr().err


def test_something_else_is_no_selector(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("not_one.py").write_text("class Mine:\n    pass\n")
    assert main(["run", *SHORT, "--selector", "not_one:Mine", "--out", "out"]) == 2
    told = capsys.readouterr().err
    assert "not_one:Mine: Mine is no selector: it must have a method select(data, budget)" in told


def test_a_checkpoint_is_part_of_what_is_recorded(home: Path) -> None:
    import torch

    Path("starts_from.py").write_text(NETWORK)
    sys.path.insert(0, str(home))
    from starts_from import Net  # type: ignore[import-not-found]

    torch.save(Net(8, 10).state_dict(), "weights.pt")
    assert run("--learner", "starts_from:MyLearner", "--set", "learner.checkpoint=weights.pt", "--out", "out") == 0
    held = yaml.safe_load(Path("out/config.yaml").read_text())["set"]["learner.checkpoint"]
    assert held == str(home / "weights.pt")
    assert len(records("out")[0]["environment"]["sources"]) == 2
