"""Candidates of many frames in one table."""

from pathlib import Path

import pytest

from seqgcn.datasets.hands.centers.candidate_table import CandidateTable
from seqgcn.datasets.hands.centers.rule import Candidate

PLAIN = Candidate((1.1, -2.2, 503.3), 0.7)
WHOLE = Candidate((0.1, 0.2, 0.3), 1 / 3, 12.5, False, (0.6, -0.8, 0.0), True)


def test_a_frame_s_candidates_come_back_as_they_were_added() -> None:
    frames = [[PLAIN, WHOLE], [], [WHOLE]]
    table = CandidateTable(frames)
    assert len(table) == 3
    assert list(table) == frames
    assert table[0] == frames[0]
    table.append([PLAIN])
    assert table[3] == [PLAIN]


def test_there_is_no_frame_beyond_the_last() -> None:
    with pytest.raises(IndexError, match="frame 1 of 1"):
        CandidateTable([[PLAIN]])[1]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    frames = [[PLAIN, WHOLE], [], [WHOLE]]
    CandidateTable(frames).save(tmp_path / "table.npz")
    again = CandidateTable.load(tmp_path / "table.npz")
    assert again is not None
    assert list(again) == frames
    again.append([PLAIN])
    assert again[3] == [PLAIN]


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 cut off"], ids=["missing", "empty", "cut off"])
def test_a_file_that_cannot_be_used_is_no_table(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "table.npz").write_bytes(content)
    assert CandidateTable.load(tmp_path / "table.npz") is None
