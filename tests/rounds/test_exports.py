import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hand_rounds import keep_labels, make_round

from seqgcn.config.select import SelectConfig
from seqgcn.exceptions import ConfigError
from seqgcn.rounds.exports import picture_prefix
from seqgcn.rounds.record import held_config
from seqgcn.rounds.select_round import Round


def asked(**values: str) -> SelectConfig:
    return SelectConfig(dataset="icvl", root="data", **values)


def test_where_pictures_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("rounds/round 01")
    assert picture_prefix(asked(), folder) == "/data/local-files/?d=images/"
    assert picture_prefix(asked(image_prefix="https://lab.org/p/"), folder) == "https://lab.org/p/"
    below = "/data/local-files/?d=rounds/round%2001/tasks/images/"
    assert picture_prefix(asked(document_root="."), folder) == below
    assert picture_prefix(asked(document_root=str(tmp_path)), folder) == below
    with pytest.raises(ConfigError, match="round 01 is not below elsewhere"):
        picture_prefix(asked(document_root="elsewhere"), folder)


@pytest.mark.usefixtures("mean_pose")
@pytest.mark.parametrize("ask", ["joints", "center"])
def test_rounds_below_one_root_have_addresses_of_their_own(
    rendered: Callable[[str], Path], tmp_path: Path, ask: str
) -> None:
    labelled = keep_labels("icvl", rendered("icvl"), tmp_path / "mine.txt", 3)
    for name in ("round-01", "round-02"):
        folder = tmp_path / name
        if ask == "joints":
            make_round(folder, "icvl", rendered("icvl"), labelled=str(labelled), document_root=str(tmp_path))
        else:
            make_clicks(folder, rendered("icvl"), labelled, tmp_path)
        for task in json.loads((folder / "tasks/label_studio.json").read_text()):
            address = task["data"]["image"].removeprefix("/data/local-files/?d=")
            assert address.startswith(f"{name}/tasks/images/")
            assert (tmp_path / address).is_file()
        assert held_config(folder)["document_root"] == str(tmp_path)


def make_clicks(folder: Path, root: Path, labelled: Path, served: Path) -> None:
    config = SelectConfig(
        dataset="icvl", root=str(root), ask="center", budget=2, labelled=str(labelled), document_root=str(served)
    )
    Round(config, folder)()
