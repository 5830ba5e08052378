import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hand_releases import write_folder

from seqgcn.cli import main
from seqgcn.config.registry import CATALOGUE
from seqgcn.config.run import options
from seqgcn.config.select import SelectConfig

pytestmark = pytest.mark.usefixtures("fakes")


def write(path: Path, *lines: Any) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A question about the toy digits, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "labelled.txt", *range(8))
    return [
        *("select", "--dataset", "digits", "--labelled", "labelled.txt", "--selector", "margin"),
        *("--budget", "4", "--device", "cpu"),
    ]


def picks(folder: Path | str) -> list[dict[str, str]]:
    with open(Path(folder) / "picks.csv", newline="") as file:
        return list(csv.DictReader(file))


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def answers(folder: Path) -> dict[str, bytes]:
    """All but the files that hold the command, and what of the training is forgotten with the process."""
    return {name: data for name, data in content(folder).items() if name not in ("round.yaml", "report.html")}


def test_every_option_is_in_the_help_with_its_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as caught:
        main(["select", "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in options(SelectConfig):
        assert f" --{option.name.replace('_', '-')} " in text
        assert option.metadata["help"] in text
    assert "they may cost together (default: 100)" in text
    assert "500ms where names are time stamps (frames, default: 0)" in text
    assert "(default: the data set's file of labels, if it may leave items out; else nothing)" in text
    assert text.count("default: ") == len(options(SelectConfig)) + sum(
        f" {flag} " in text
        for flag in ("--resume", "--continue", "--config", "--quiet", "--threads", "--accept-crops", "--accept-labels")
    )
    assert all(name in text for entries in CATALOGUE.values() for name in entries)


def test_the_help_imports_nothing_heavy() -> None:
    code = (
        "import contextlib, io, sys\nfrom seqgcn.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['select', '--help'])\n"
        "heavy = {'torch', 'torch_geometric', 'matplotlib', 'jinja2', 'sklearn', 'scipy', 'numpy', 'PIL', 'yaml'}\n"
        "print(*heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give either --dataset, and the folder of its files, or --features FILE"),
        (("--dataset", "digits", "--features", "x.npy"), 2, "give either --dataset"),
        (("--dataset", "digit"), 2, "unknown dataset 'digit'; did you mean digits?"),
        (("--dataset", "digits", "--selector", "magin"), 2, "unknown selector 'magin'; did you mean margin?"),
        (("--dataset", "digits", "--selector", "variance"), 2, "variance with the learner small-cnn: Variance needs"),
        (("--dataset", "digits", "--budget", "0"), 2, "budget must be above 0 and finite, got 0"),
        (("--dataset", "digits", "--budget", "2.5"), 2, "budget must be a whole number of items, got 2.5"),
        (("--dataset", "digits", "--budget", "61"), 2, "budget is 61, but only 60 items are unlabeled"),
        (("--dataset", "digits", "--set", "learner.nois=1"), 2, "has no parameter 'nois'; did you mean noise?"),
        (("--dataset", "icvl"), 2, "the data set icvl needs --root DIR"),
        (
            ("--dataset", "icvl", "--root", "nowhere"),
            1,
            "ICVL: nowhere does not exist. Download the data from https://",
        ),
        (("--dataset", "digits", "--labelled", "nowhere.txt"), 1, "nowhere.txt does not exist"),
        (("--dataset", "digits", "--labelled", "wrong.txt"), 1, "wrong.txt, line 2: '60' is not the number of an item"),
        (("--features", "nowhere.npy"), 1, "nowhere.npy does not exist"),
        (("--features", "wrong.txt"), 1, "wrong.txt is not known to hold features"),
        (("--features", "x.pt"), 1, "x.pt is refused: a .pt file is a pickle"),
        (("--config", "nowhere.yaml"), 1, "configuration file nowhere.yaml does not exist"),
        (("--config", "wrong.yaml"), 2, "wrong.yaml: unknown key 'bugdet'; did you mean budget?"),
        (("--resume",), 1, "there is no round in round to resume; without --resume one is begun there"),
        (("--resume", "--continue", "full"), 2, "--continue begins a round after another, --resume goes on with one"),
        (("--dataset", "digits", "--out", "full"), 1, "full holds other files; name a new or empty folder with --out"),
        (
            ("--dataset", "digits", "--budget", "5", "--out", "wrong.txt/a"),
            1,
            "cannot make the folder wrong.txt/a: Not a directory",
        ),
    ],
)
def test_problems(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "wrong.txt", 3, 60)
    write(tmp_path / "wrong.yaml", "bugdet: 3")
    (tmp_path / "full").mkdir()
    write(tmp_path / "full/notes.txt", "mine")
    before = content(tmp_path)
    assert main(["select", "--out", "round", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seqgcn: ")
    assert message in err
    assert content(tmp_path) == before
    assert not (tmp_path / "round").exists()


def test_a_round(capsys: pytest.CaptureFixture[str], digits: list[str]) -> None:
    assert main([*digits, "--out", "round-01"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "margin picked 4 of 52 unlabeled items of Toy (8 labeled)"
    assert lines[1] == f"first: {', '.join(row['item'] for row in picks('round-01'))}"
    assert "picks: round-01/picks.csv" in lines
    assert [row["rank"] for row in picks("round-01")] == ["1", "2", "3", "4"]


def test_quiet(capsys: pytest.CaptureFixture[str], digits: list[str]) -> None:
    assert main([*digits, "--out", "round", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_nothing_labelled_is_said(capsys: pytest.CaptureFixture[str], digits: list[str]) -> None:
    assert main([*digits, "--out", "round", "--labelled", write(Path("none.txt")), "--quiet"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "seqgcn: nothing is labeled yet: items are described by thumbnails, as there is nothing to train on",
        "seqgcn: nothing is labeled yet, which margin needs: typiclust picks instead",
    ]


def test_a_file_of_options(digits: list[str], tmp_path: Path) -> None:
    values = {"dataset": "digits", "labelled": "labelled.txt", "budget": 9, "set": {"learner": {"noise": 2}}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({**values, "min-gap": 1, "seed": 5}))
    assert main(["select", "--config", "plan.yaml", "--selector", "random", "--budget", "3", "--out", "a"]) == 0
    held = yaml.safe_load((tmp_path / "a/round.yaml").read_text())
    assert held["select"] == {
        **{o.name: o.default for o in options(SelectConfig) if o.name not in ("targets", "classes")},
        **{"dataset": "digits", "labelled": str(tmp_path / "labelled.txt"), "learner": "small-cnn"},
        **{"selector": "random", "budget": 3.0, "min_gap": 1, "seed": 5, "set": {"learner.noise": 2}},
    }
    # What it says of itself asks for the same.
    command = shlex.split(held["command"])
    assert main([*(word if word != "a" else "b" for word in command[1:]), "--quiet"]) == 0
    assert picks("a") == picks("b")


def test_the_record_of_another_round_as_options(digits: list[str]) -> None:
    assert main([*digits, "--budget", "3", "--seed", "4", "--out", "a", "--quiet"]) == 0
    assert main(["select", "--config", "a/round.yaml", "--out", "b", "--quiet"]) == 0
    assert picks("a") == picks("b")
    assert main(["select", "--config", "a/round.yaml", "--budget", "2", "--out", "c", "--quiet"]) == 0
    assert len(picks("c")) == 2


def test_a_used_folder(capsys: pytest.CaptureFixture[str], digits: list[str], tmp_path: Path) -> None:
    command = [*digits, "--out", "round", "--quiet"]
    assert main(command) == 0
    before = content(tmp_path)
    assert main(command) == 1
    assert (
        "round holds a round already: go on with --resume, or name another folder with --out" in capsys.readouterr().err
    )
    assert main(["select", "--out", "round", "--resume", "--quiet"]) == 0
    assert capsys.readouterr().err == "seqgcn: this round is done already: round/picks.csv\n"
    assert main(["select", "--out", "round", "--resume", "--budget", "5"]) == 1
    assert "round holds another round (budget is 4.0 there, 5.0 now)" in capsys.readouterr().err
    assert main(["select", "--out", "round", "--resume", "--set", "learner.noise=4"]) == 1
    assert "learner.noise is 1.0 there, 4.0 now" in capsys.readouterr().err
    write(tmp_path / "labelled.txt", *range(9))
    assert main(["select", "--out", "round", "--resume"]) == 1
    assert (
        "labelled items changed since round was begun; restore what was there, or name another folder"
        in capsys.readouterr().err
    )
    write(tmp_path / "labelled.txt", *range(8))
    assert content(tmp_path) == before


def test_interrupted_while_training(
    capsys: pytest.CaptureFixture[str], digits: list[str], tmp_path: Path, fail_at_fit: Callable[..., None]
) -> None:
    assert main([*digits, "--out", "whole", "--quiet"]) == 0
    fail_at_fit(0, KeyboardInterrupt())
    assert main([*digits, "--out", "my round"]) == 130
    message = capsys.readouterr().err.splitlines()[-1]
    start = "seqgcn: interrupted; nothing was trained yet. Go on with: seqgcn "
    assert message.startswith(start)
    assert set(content(tmp_path / "my round")) == {"round.yaml"}
    assert main([*shlex.split(message.removeprefix(start)), "--quiet"]) == 0
    assert answers(tmp_path / "my round") == answers(tmp_path / "whole")


def test_interrupted_before_the_round_is_begun(
    capsys: pytest.CaptureFixture[str], digits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seqgcn.rounds.select_round.pool_of_dataset", interrupted)
    assert main([*digits, "--out", "round"]) == 130
    # There is nothing to go on with.
    assert capsys.readouterr() == ("", "seqgcn: interrupted\n")
    assert not (tmp_path / "round").exists()


def test_resumed_from_elsewhere(
    digits: list[str], tmp_path: Path, fail_at_fit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "exclude.txt", 9, 10)
    command = [*digits, "--exclude", "~/exclude.txt"]
    assert main([*command, "--out", "whole", "--quiet"]) == 0
    fail_at_fit(0, KeyboardInterrupt())
    assert main([*command, "--out", "round"]) == 130
    held = yaml.safe_load((tmp_path / "round/round.yaml").read_text())
    assert held["select"]["labelled"] == str(tmp_path / "labelled.txt")
    assert held["select"]["exclude"] == str(tmp_path / "exclude.txt")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["select", "--out", "../round", "--resume", "--quiet"]) == 0
    assert picks(tmp_path / "round") == picks(tmp_path / "whole")


def test_features(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "x.npz", emb=np.random.default_rng(0).random((30, 5), np.float32), other=np.ones((2, 2)))
    names = [f"v/{i:03d}, <b>.png" for i in range(30)]
    write(tmp_path / "names.txt", *names)
    write(tmp_path / "ids.txt", *names[:5])
    given = ["select", "--features", "x.npz:emb", "--items", "names.txt", "--labelled", "ids.txt"]
    assert main([*given, "--selector", "core-gcn:epochs=3", "--budget", "4", "--min-gap", "3", "--out", "a"]) == 0
    rows = picks("a")
    chosen = sorted(names.index(row["item"]) for row in rows)
    assert chosen[0] >= 5
    assert min(np.diff(chosen)) >= 3
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    assert all(row["nearest labelled item"] in names[:5] for row in rows)
    assert main([*given, "--selector", "margin", "--out", "b"]) == 2
    assert "margin needs prob of every item, and --features give embeddings alone" in capsys.readouterr().err


def test_the_real_thing(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab's frames, of which some are labeled, with the real network: small and briefly trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    write_folder(tmp_path / "lab", {"a": 12, "b": 8}, labelled=[f"a/{i}.png" for i in range(1, 7)])
    small = ("dataset.crop_size=64", "learner.epochs=1", "learner.width=0.1", "selector.epochs=3")
    settings = [word for setting in small for word in ("--set", setting)]
    command = ["select", "--dataset", "depth-folder", "--root", "lab", "--budget", "3", "--min-gap", "2", *settings]
    assert main([*command, "--out", "round"]) == 0
    assert capsys.readouterr().out.startswith("core-gcn picked 3 of 14 unlabeled items of lab (6 labeled)\n")
    before = answers(tmp_path / "round")
    os.unlink("round/picks.csv")
    os.unlink("round/represents.csv")
    # Not trained again, and the same to the last bit.
    monkeypatch.setattr("seqgcn.learners.HandPose.fit", lambda *_arguments, **_options: pytest.fail("trained again"))
    assert main(["select", "--out", "round", "--resume", "--quiet"]) == 0
    assert answers(tmp_path / "round") == before
    # What is labeled may be told by a list, too.
    write(tmp_path / "list.txt", "a/2.png", "a/5.png", "b/1.png")
    assert main([*command, "--labelled", "list.txt", "--out", "other"]) == 1
    assert "list.txt: b/1.png is listed as labeled, but the data set's labels have no pose" in capsys.readouterr().err


def test_a_gap_in_time_is_kept_resumed_and_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frames named by time stamps, thirty a second."""
    names = [f"video/{1305031102 + i // 30}.{i % 30 * 100_000 // 3:06d}.png" for i in range(90)]
    (tmp_path / "names.txt").write_text("\n".join(names))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((90, 4), np.float32))
    (tmp_path / "known.txt").write_text("")
    given = ["select", "--features", str(tmp_path / "x.npy"), "--items", str(tmp_path / "names.txt"), "--budget", "4"]
    given += ["--selector", "random", "--device", "cpu", "--labelled", str(tmp_path / "known.txt")]

    def picked(folder: str) -> list[int]:
        lines = (tmp_path / folder / "picks.csv").read_text().splitlines()[1:]
        return sorted(names.index(next(cell for cell in line.split(",") if cell in names)) for line in lines)

    assert main([*given, "--min-gap", "500ms", "--out", str(tmp_path / "a")]) == 0
    assert np.diff(picked("a")).min() >= 15
    assert yaml.safe_load((tmp_path / "a/round.yaml").read_text())["select"]["min_gap"] == "0.5s"
    assert main(["select", "--resume", "--min-gap", "0.5 s", "--out", str(tmp_path / "a")]) == 0
    assert main(["select", "--config", str(tmp_path / "a/round.yaml"), "--out", str(tmp_path / "b")]) == 0
    assert picked("b") == picked("a")
    continued = ["select", "--continue", str(tmp_path / "a"), "--labelled", str(tmp_path / "known.txt")]
    assert main([*continued, "--out", str(tmp_path / "c")]) == 0
    assert picked("c") == picked("a")
    capsys.readouterr()
    assert main([*given, "--min-gap", "30", "--budget", "2", "--out", str(tmp_path / "d")]) == 0
    assert "are time stamps in seconds; their order counts" in capsys.readouterr().err
    assert main(["select", "--resume", "--min-gap", "0.6s", "--out", str(tmp_path / "a")]) == 1
    assert "min_gap is 0.5s there, 0.6s now" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("\n".join(f"video/{i}.png" for i in range(90)))
    assert main([*given, "--min-gap", "0.5s", "--out", str(tmp_path / "e")]) == 2
    assert "the names of video (such as video/0.png) count frames" in capsys.readouterr().err
