"""Pages of the documentation, as their readers use them: blocks are run, links are followed."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from fake_label_studio import FakeLabelStudio
from hand_clicks import click, palms_of
from hand_rounds import answer, truth

from seqgcn.datasets.hands import HandDataset

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

STUDIO = "http://localhost:8080"
"""Where Label Studio is, on the pages."""

BLOCK = re.compile(r'^ *```(\w+)(?: title="([^"]+)")?\n(.*?)^ *```$', flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", flags=re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", flags=re.MULTILINE)
INSTALL = re.compile(r"^(git clone|pip install) .*? && |^(git clone|pip install) .*$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is to be saved as, and its text."""

    language: str
    title: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Lines of a shell, without what installs and the test command itself."""
        whole = re.sub(r"\\\n *", "", self.text)
        lines = [INSTALL.sub("", line) for line in whole.splitlines() if not line.startswith("#")]
        return [line for line in lines if line and line != "pytest" and not line.startswith("cd ")]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    return [Block(*found) for found in BLOCK.findall(page.read_text())]


def commands(page: Path) -> list[str]:
    """All commands of a page."""
    return [command for block in blocks(page) if block.language == "bash" for command in block.commands]


def run_python(page: Path) -> None:
    """Run the Python blocks of a page one after the other, in the current directory."""
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.language == "python":
            _run_block(block, page, names)


def run_everything(
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
    hands: HandDataset | None = None,
    studio: FakeLabelStudio | None = None,
) -> None:
    """Run Python and commands of a page in their order, in the current directory, as a reader's shell would.

    Args:
        page: The page.
        monkeypatch: Changes the path of programs.
        hands: What annotators see in frames; by default what the data set of a round knows of them.
        studio: What answers at the address that the page has for Label Studio.
    """
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.language == "python":
            _run_block(block, page, names)
        for command in block.commands if block.language == "bash" else ():
            _annotate(command, hands)
            if studio is not None:
                command = command.replace(STUDIO, studio.url)
                _label(command, studio)
            done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602  # the page's own
            assert done.returncode == 0, f"{command}\n{done.stderr}"


def _run_block(block: Block, page: Path, names: dict[str, object]) -> None:
    if block.title:
        Path(block.title).write_text(block.text)
    exec(compile(block.text, page.name, "exec"), names)  # noqa: S102  # the page's own


def _annotate(command: str, hands: HandDataset | None) -> None:
    """Label what a round picked, where a command imports an export that is not there yet."""
    words = shlex.split(command)
    if words[:2] != ["seqgcn", "import"] or Path(words[-1]).exists():
        return
    folder, export = Path(words[2]), Path(words[-1])
    asked = yaml.safe_load((folder / "round.yaml").read_text())["select"]
    hands = hands or truth(asked["dataset"], Path(asked["root"]))
    if asked["ask"] == "center":
        click(folder, palms_of(hands), hands, export)
    else:
        answer(folder, hands, export)
    assert json.loads(export.read_text())


def _label(command: str, studio: FakeLabelStudio) -> None:
    """Label on a server what a round asks, where a command pulls it."""
    words = shlex.split(command)
    if words[:2] != ["seqgcn", "pull"]:
        return
    asked = yaml.safe_load(Path(words[2], "round.yaml").read_text())["select"]
    exported = answer(Path(words[2]), truth(asked["dataset"], Path(asked["root"])), Path("on_the_server.json"))
    for task in json.loads(exported.read_text()):
        studio.annotate(task["data"]["item"], task["annotations"][0]["result"])


def links(page: Path) -> list[str]:
    """Where a page leads to, but for other sites."""
    found = [inline or named for inline, named in LINK.findall(_without_blocks(page))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as the site and the hosts of repositories make them."""
    headings = HEADING.findall(_without_blocks(page))
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in plain}


def _without_blocks(page: Path) -> str:
    return BLOCK.sub("", page.read_text())
