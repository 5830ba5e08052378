import io
from types import SimpleNamespace
from typing import Any

import pytest
from tqdm import tqdm

from seqgcn.utils import progress
from seqgcn.utils.progress import Bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error as the module sees it: pytest takes the real one back between set-up and test."""
    terminal = Terminal()
    monkeypatch.setattr("seqgcn.utils.progress.sys", SimpleNamespace(stderr=terminal))
    return terminal


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every bar that is opened."""
    bars: list[Any] = []

    class Recorded(tqdm):  # type: ignore[type-arg]
        def __init__(self, **options: Any) -> None:
            self.closed = False
            super().__init__(file=progress.sys.stderr, **options)
            bars.append(self)

        def close(self) -> None:
            self.closed = True
            super().close()

    monkeypatch.setattr(progress, "tqdm", Recorded)
    return bars


def test_one_bar_a_stage(terminal: Terminal, opened: list[Any]) -> None:
    bars = Bars()
    bars.plan(2)
    for done in (1, 2, 3):
        bars("train", done, 3)
    assert [bar.desc.strip() for bar in opened] == ["cycles", "train"]
    cycles, train = opened
    assert (train.n, train.total, cycles.n, cycles.total) == (3, 3, 0, 2)
    bars("embed", 1, 5)
    assert train.closed
    assert (opened[2].desc.strip(), opened[2].n, opened[2].total) == ("embed", 1, 5)
    bars.cycle_done("first cycle")
    bars.cycle_done("second cycle")
    assert cycles.n == 2
    assert not cycles.closed
    bars.close()
    assert all(bar.closed for bar in opened)
    written = terminal.getvalue()
    assert "first cycle\n" in written
    assert written.index("first cycle") < written.index("second cycle")
    assert all(stage in written for stage in ("cycles", "train", "embed"))


def test_a_stage_that_starts_again_gets_a_new_bar(terminal: Terminal, opened: list[Any]) -> None:
    with Bars() as bars:
        for done in (1, 2, 1, 2):
            bars("train", done, 2)
        assert [(bar.n, bar.closed) for bar in opened] == [(2, True), (2, False)]


def test_bars_go_whatever_happens(terminal: Terminal, opened: list[Any]) -> None:
    def interrupted() -> None:
        with Bars() as bars:
            bars.plan(2)
            bars("train", 1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [bar.closed for bar in opened] == [True, True]


def test_after_close_a_stage_can_be_shown_again(terminal: Terminal, opened: list[Any]) -> None:
    bars = Bars()
    bars("train", 1, 2)
    bars.close()
    bars.close()
    bars("train", 2, 2)
    assert len(opened) == 2
    bars.close()


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str], opened: list[Any]) -> None:
    with Bars() as bars:
        bars.plan(2)
        bars("train", 1, 2)
        bars.cycle_done("first cycle")
    assert opened == []
    assert capsys.readouterr() == ("", "first cycle\n")


def test_a_line_a_minute_of_long_stages_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every stage from its own beginning on, also if it begins again."""
    seconds = 0.0
    bars = Bars(clock=lambda: seconds)
    for stage, steps, each in (("train", 4, 25.0), ("hands", 2_000, 0.05), ("train", 3, 59.0), ("embed", 1, 1e6)):
        for done in range(1, steps + 1):
            bars(stage, done, steps)
            seconds += each
    assert capsys.readouterr() == ("", "train: 4 of 4\nhands: 1,201 of 2,000\ntrain: 3 of 3\n")


def test_no_lines_where_progress_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    moments = iter(range(0, 10_000, 100))
    bars = Bars(hidden=True, clock=lambda: next(moments))
    for done in range(1, 10):
        bars("train", done, 9)
    assert capsys.readouterr() == ("", "")


def test_hidden(terminal: Terminal, opened: list[Any]) -> None:
    with Bars(hidden=True) as bars:
        bars.plan(2)
        bars("train", 1, 2)
        bars.cycle_done("first cycle")
    assert opened == []
    assert terminal.getvalue() == ""
