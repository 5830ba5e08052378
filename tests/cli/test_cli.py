import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from seqgcn.cli import main
from seqgcn.config.registry import CATALOGUE
from seqgcn.config.run import options
from seqgcn.runs.journal import CycleRecord, Journal
from seqgcn.utils.locks import LOCK, OWNER

SMALL = ("--selector", "margin", "--budget", "4", "--cycles", "3", "--seed", "1")


def records(folder: Path) -> list[CycleRecord]:
    return [replace(row, seconds={}) for row in Journal(folder / "journal.jsonl").read()]


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder but those that hold its lock, of which an empty one stays."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (LOCK, OWNER)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The help text of a command, unwrapped."""
    monkeypatch.setenv("COLUMNS", "400")

    def call(*command: str) -> str:
        with pytest.raises(SystemExit) as caught:
            main([*command, "--help"])
        assert caught.value.code == 0
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("command", [(), ("run",), ("selectors",), ("learners",), ("datasets",)])
def test_help_of_every_command(shown: Callable[..., str], command: tuple[str, ...]) -> None:
    assert f"usage: seqgcn {' '.join(command)}".rstrip() in shown(*command)


def test_selectors_are_listed_with_source_needs_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selectors"]) == 0
    lines = capsys.readouterr().out.splitlines()
    about = {line.split(":")[0]: lines[number + 1].strip() for number, line in enumerate(lines) if line[0] != " "}
    assert set(about) == set(CATALOGUE["selector"])
    assert about["random"] == "the baseline; for classification and pose; reads nothing; 1 training a cycle"
    assert about["bald"] == (
        "Gal et al., ICML 2017; for classification; reads prob_samples; 1 training, 1 pass, passes with dropout a cycle"
    )
    assert about["suggestive-annotation"].split("; ")[2] == "reads x, and prob_samples or target_samples"
    assert about["ensemble"].endswith("1 training, 1 pass, a training and a pass for each further member a cycle")


def test_the_cycle_is_not_for_the_user_to_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--selector", "ceal", "--set", "selector.cycle=3", "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    assert "selector.cycle cannot be set: it comes from the cycle it is in" in capsys.readouterr().err


def test_a_wrong_module_leaves_no_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--selector", "learning-loss", "--set", "selector.modules=layer9", "--out", str(tmp_path / "a")]
    assert main(arguments) == 2
    assert "the network has no module 'layer9'; SmallCNN has head, body, hidden" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_every_option_is_in_the_help_with_its_default(shown: Callable[..., str]) -> None:
    text = shown("run")
    assert all(command in shown() for command in ("run", "render", "evaluate", "selectors", "learners", "datasets"))
    joined = re.sub(r"\n {10,}", " ", text)  # the help of a long option begins on the next line
    lines = {line.split()[0].rstrip(","): line for line in joined.splitlines() if line.startswith("  --")}
    for option in options():
        line = lines[f"--{option.name.replace('_', '-')}"]
        default = option.metadata.get("shown", option.default)
        if isinstance(default, tuple):
            default = " ".join(map(str, default))
        expected = {False: "off", None: "none"}.get(default, default) if option.name != "set" else "none"
        assert line.endswith(f"default: {expected})"), line
        assert option.metadata["help"] in line
        assert option.metadata.get("unit", "") in line
    assert set(lines) == {f"--{option.name.replace('_', '-')}" for option in options()} | {
        "--out",
        "--resume",
        "--config",
        "--quiet",
        "--threads",
        "--test-subject",
        "--features",
        "--targets",
        "--items",
        "--test-items",
        "--accept-crops",
        "--accept-labels",
    }
    assert all("default: " in line for line in lines.values())
    unbroken = re.sub(r"-\n {10,}", "-", text)  # nor need a name of several words be on one line
    for entries in CATALOGUE.values():
        assert all(name in unbroken for name in entries)


def test_the_parser_imports_nothing_heavy() -> None:
    code = (
        "import sys, seqgcn.cli; seqgcn.cli.parser().format_help(); "
        "heavy = {'torch', 'torch_geometric', 'matplotlib', 'sklearn', 'scipy', 'numpy', 'PIL', 'yaml', 'networkx'}; "
        "print(*heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("seqgcn 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("rnu",), "invalid choice: 'rnu'"),
        (("run", "--bugdet", "3"), "unrecognized arguments: --bugdet"),
        (("run", "--budget", "many"), "argument --budget: invalid int value: 'many'"),
        (("run", "--set", "selector.margin"), "'selector.margin' must be KEY=VALUE, for example selector.margin=0.2"),
        (("run", "--seeds"), "expected at least one argument"),
        (("select",), "the following arguments are required: --out"),
        (("select", "--out", "a", "--budget", "many"), "argument --budget: invalid float value: 'many'"),
        (("select", "--out", "a", "--min-gap", "1.5"), "argument --min-gap: min-gap must be a whole number of frames"),
        (("select", "--out", "a", "--set", "x"), "'x' must be KEY=VALUE"),
        (("select", "--out", "a", "--lablled", "x"), "unrecognized arguments: --lablled"),
    ],
)
def test_wrong_command_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--budget", "0"), 2, "budget must be at least 1, got 0"),
        (("--seeds", "1", "1"), 2, "seeds must hold at least one value and none twice"),
        (("--selector", "core-gnc"), 2, "unknown selector 'core-gnc'; did you mean core-gcn?"),
        (("--selector", "margin:k"), 2, "'k' must be KEY=VALUE"),
        (("--set", "learner.nois=1"), 2, "small-cnn has no parameter 'nois'; did you mean noise?"),
        (("--set", "learner.noise=-1"), 2, "small-cnn: noise must not be negative"),
        (("--config", "."), 2, "cannot read .: Is a directory"),
        (("--dataset", "cifar10"), 2, "the data set cifar10 needs --root DIR"),
        (("--config", "nowhere.yaml"), 1, "configuration file nowhere.yaml does not exist"),
        (
            ("--dataset", "cifar10", "--root", "nowhere"),
            1,
            "CIFAR-10: nowhere does not exist. Download the data from http",
        ),
        (("--dataset", "cifar10", "--root", "."), 1, "CIFAR-10 is not complete"),
        (("--dataset", "mnist", "--root", "."), 1, "train-images-idx3-ubyte"),
        (("--dataset", "image-folder", "--root", "."), 1, ""),
        (("--budget", "30"), 2, "30 initial labels and 8 cycles of 30 need 270 items, but Toy has 60"),
        (("--device", "abacus"), 2, "device 'abacus' cannot be used here"),
        (("--resume",), 1, "there is no run in runs/digits-small-cnn-core-gcn to resume; name its folder with --out"),
        (("--resume", "--out", "typo"), 1, "there is no run in typo to resume"),
    ],
)
@pytest.mark.usefixtures("fakes")
def test_problems(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seqgcn: ")
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(CATALOGUE))
def test_lists(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert main([f"{kind}s"]) == 0
    out = capsys.readouterr().out
    for name, entry in CATALOGUE[kind].items():
        assert f"{name}: {entry.summary}\n" in out
    expected = {
        "selector": "    selector.margin = 0.1  (number)",
        "learner": "    learner.optimizer = 'sgd'  (sgd | adam)",
        "dataset": "    dataset.train_files = None  (list of text or null)",
    }
    assert expected[kind] in out


def test_a_reader_that_has_seen_enough(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["learners"]) == 1
        monkeypatch.undo()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("fakes")
def test_single_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", *SMALL, "--out", str(tmp_path)]) == 0
    assert set(content(tmp_path)) == {"config.yaml", "journal.jsonl", "curve.png"}
    rows = records(tmp_path)
    out, err = capsys.readouterr()
    table = out.splitlines()
    assert table[1] == "margin, seed 1"
    assert table[2].split() == ["cycle", "labelled", "accuracy", "(%)", "train", "s", "embed", "s", "select", "s"]
    shown = [line.split()[:3] for line in table[3:7]]
    assert shown == [[str(r.cycle), str(len(r.labelled)), f"{100 * r.metric['accuracy']:.2f}"] for r in rows]
    assert f"run folder: {tmp_path}" in out
    assert f"learning curve: {tmp_path}/curve.png" in out
    assert err.splitlines()[0] == f"margin, seed 1: cycle 0, 4 labeled, accuracy {shown[0][2]} %"
    assert len(err.splitlines()) == 4


@pytest.mark.usefixtures("fakes")
def test_quiet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", *SMALL, "--selector", "random", "margin", "--out", str(tmp_path), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "comparison.md").exists()


@pytest.mark.usefixtures("fakes")
def test_several_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    several = ("--selector", "random", "margin", "--seeds", "0", "1")
    assert main(["run", *SMALL, *several, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for run in ("random/seed-0", "random/seed-1", "margin/seed-0", "margin/seed-1"):
        assert len(records(tmp_path / run)) == 4
        assert f"\n{run.replace('/seed-', ', seed ')}\n" in out
    assert (tmp_path / "comparison.md").read_text() in out


@pytest.mark.usefixtures("fakes")
def test_yaml_and_command_line_together(tmp_path: Path) -> None:
    settings = {"learner": {"noise": 2}, "dataset": {"noise": 100}}
    values = {"selector": "random", "budget": 3, "cycles": 2, "seed": 5, "set": settings}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(values))
    command = ["run", "--quiet", "--config", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "run")]
    assert main([*command, "--budget", "4", "--set", "learner.noise=3"]) == 0
    held = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (held["budget"], held["cycles"], held["seeds"], held["selector"]) == (4, 2, [5], ["random"])
    assert held["set"] == {"learner.noise": 3.0, "dataset.noise": 100}


@pytest.mark.usefixtures("fakes")
def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["run", *SMALL, "--quiet"]) == 0
    folders = [tmp_path / "runs" / name for name in ("digits-small-cnn-margin", "digits-small-cnn-margin-2")]
    assert sorted((tmp_path / "runs").iterdir()) == folders
    before = content(tmp_path)
    # The newest goes on, under its own configuration.
    assert main(["run", "--selector", "margin", "--quiet", "--resume"]) == 0
    assert content(tmp_path) == before


@pytest.mark.usefixtures("fakes")
def test_used_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["run", *SMALL, "--out", str(tmp_path), "--quiet"]
    assert main(command) == 0
    before = content(tmp_path)
    assert main(command) == 1
    assert "holds a run already: go on with --resume, or name another folder with --out" in capsys.readouterr().err
    assert main([*command, "--resume", "--budget", "5"]) == 1
    assert "holds another run (budget is 4 there, 5 now)" in capsys.readouterr().err
    assert main([*command, "--resume", "--set", "learner.noise=4"]) == 1
    assert "(learner.noise is 1.0 there, 4.0 now)" in capsys.readouterr().err
    (tmp_path / "plan.yaml").write_text("budget: 6")
    assert main(["run", "--config", str(tmp_path / "plan.yaml"), "--out", str(tmp_path), "--resume"]) == 1
    assert "budget is 4 there, 6 now" in capsys.readouterr().err
    (tmp_path / "plan.yaml").unlink()
    assert content(tmp_path) == before


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("number", [0, 2])
def test_interrupt_and_resume(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fail_at_fit: Callable[..., None], number: int
) -> None:
    assert main(["run", *SMALL, "--out", str(tmp_path / "whole"), "--quiet"]) == 0
    fail_at_fit(number, KeyboardInterrupt())
    folder = tmp_path / "my run"
    assert main(["run", *SMALL, "--out", str(folder)]) == 130
    message = capsys.readouterr().err.splitlines()[-1]
    start = "seqgcn: interrupted; finished cycles are kept. Go on with: seqgcn "
    assert message.startswith(start)
    assert len(records(folder)) == number
    assert main([*shlex.split(message.removeprefix(start)), "--quiet"]) == 0
    assert records(folder) == records(tmp_path / "whole")
    assert content(folder)["config.yaml"] == content(tmp_path / "whole")["config.yaml"]


@pytest.mark.usefixtures("fakes")
def test_interrupt_before_the_first_cycle(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqgcn.runs.run_set.RunSet.__init__", interrupted)
    assert main(["run", *SMALL, "--out", str(tmp_path / "run")]) == 130
    assert capsys.readouterr() == ("", "seqgcn: interrupted\n")


@pytest.mark.usefixtures("fakes")
def test_other_conditions_are_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["run", *SMALL, "--out", str(tmp_path), "--quiet"]
    assert main(command) == 0
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    assert main([*command, "--resume"]) == 0
    assert capsys.readouterr().err == ""
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert main([*command, "--resume"]) == 0
    assert "results may differ in the last bits: threads was 1, is 7" in capsys.readouterr().err


def test_the_real_thing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = ("--pool-size", "60", "--test-size", "20", "--budget", "5", "--cycles", "1", "--device", "cpu")
    shorter = ("--set", "learner.epochs=1", "--set", "selector.epochs=2")
    assert main(["run", *sizes, *shorter, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert [len(row.labelled) for row in records(tmp_path)] == [5, 10]
    assert "core-gcn, seed 0" in capsys.readouterr().out


INTERRUPTED = """
import os, signal, sys
from seqgcn.cli import main
from seqgcn.learners import SmallCNNClassifier

# A background process may have been told to ignore the signal, and so would what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
fit = SmallCNNClassifier.fit

def interrupted(self, inputs, targets, progress):
    def signalled(*step):
        if len(inputs) == 9 and step[1] == 2:
            os.kill(os.getpid(), signal.SIGINT)
        progress(*step)

    return fit(self, inputs, targets, progress=signalled)

SmallCNNClassifier.fit = interrupted
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_real_interrupt(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = ("--selector", "margin", "--pool-size", "80", "--test-size", "50", "--budget", "3", "--cycles", "4")
    command = ["run", *sizes, "--set", "learner.epochs=3", "--device", "cpu"]
    folder, whole = tmp_path / "broken", tmp_path / "whole"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", INTERRUPTED, *command, "--out", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 130
    assert done.stderr.splitlines()[2:] == [
        f"seqgcn: interrupted; finished cycles are kept. Go on with: seqgcn run --out {folder} --resume"
    ]
    assert len(records(folder)) == 2
    assert main(["run", "--out", str(folder), "--resume", "--quiet"]) == 0
    assert capsys.readouterr().err == "", "no other conditions"
    assert main([*command, "--out", str(whole), "--quiet"]) == 0
    assert records(folder) == records(whole)


def test_a_path_the_system_refuses_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SMALL, "--out", "x" * 300]) == 1
    assert "seqgcn: " in (said := capsys.readouterr().err)
    assert "name too long" in said.lower()


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("datasets", "Nearest depth at which a hand may be, mm; the default takes all that was measured"),
        ("learners", "Standard deviation of the shift along each axis, mm; by default the localizer's error, else 5"),
        ("selectors", "Size of the GCN's hidden layer"),
    ],
)
def test_parameters_are_listed_with_their_meaning(command: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    assert f"\n        {line}\n" in capsys.readouterr().out
