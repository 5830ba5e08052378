"""Pages of the documentation: examples run, links lead somewhere, every public name is described."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from documents import PAGES, README, ROOT, anchors, blocks, commands, links, run_everything, run_python
from fake_label_studio import LEGACY, FakeLabelStudio
from hand_clicks import render_lab
from hand_rounds import keep_labels, truth

import seqgcn
from seqgcn.cli import parser
from seqgcn.datasets.hands.rendering import drawn_scenes

DOCS = ROOT / "docs"
RUN = {"bash", "python"}
SHOWN = {"text", "yaml", "csv", "bibtex"}

TESTED_ELSEWHERE = ("README.md", "choosing_a_selector.md")
NEEDS_COMMANDS = ("hand_pose.md", "label_studio.md", "labeling_pictures.md")
"""Pages whose Python reads what their commands write."""

PACKAGE = Path(seqgcn.__file__).parent
INTERNAL = {"seqgcn.learners.nets", "seqgcn.report.html"}
"""Packages whose names are not public, although they list them."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def public_names() -> Iterator[tuple[str, str]]:
    """Module and name of all that is in the `__all__` of a package."""
    for path in sorted(PACKAGE.rglob("__init__.py")):
        module = ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        for node in ast.parse(path.read_text()).body if module not in INTERNAL else ():
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
                yield from ((module, name) for name in ast.literal_eval(node.value))


def with_python() -> list[Path]:
    return [page for page in PAGES if any(block.language == "python" for block in blocks(page))]


def pages_with(paths: list[Path], *without: str) -> pytest.MarkDecorator:
    chosen = [path for path in paths if path.name not in (*TESTED_ELSEWHERE, *without)]
    return pytest.mark.parametrize("page", chosen, ids=[path.stem for path in chosen])


@each_page
def test_every_block_is_of_a_known_kind(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= RUN | SHOWN


@each_page
def test_commands_are_ones(page: Path) -> None:
    for command in commands(page):
        program, *arguments = shlex.split(command)
        assert program in ("seqgcn", "head")
        if program == "seqgcn":
            parser().parse_args(arguments)


@each_page
def test_yaml_is_yaml(page: Path) -> None:
    for block in blocks(page):
        if block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), dict)


@pages_with(with_python(), *NEEDS_COMMANDS)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    run_python(page)


# Rendered data sets hold fewer frames than the releases.
@pytest.mark.filterwarnings("ignore:.*the complete release has:seqgcn.exceptions.SeqGCNWarning")
@pytest.mark.slow
@pages_with([page for page in PAGES if commands(page)])
def test_everything_runs_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    hands = None
    if page.name == "finding_the_hand.md":
        # The folder of the page before it; enough frames have no label for two rounds of clicks.
        lab = render_lab(tmp_path / "lab", frames=60, sequences=6)
        hands = truth("depth-folder", lab)
        keep_labels("depth-folder", lab, tmp_path / "few.csv", 20).replace(lab / "labels.csv")
    if page.name == "label_studio.md":
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", LEGACY)
        with FakeLabelStudio() as studio:
            run_everything(page, monkeypatch, studio=studio)
        assert [len(project["title"]) for project in studio.projects.values()] == [8]
        assert len(studio.tasks) == 10
        return
    run_everything(page, monkeypatch, hands)
    if page.name == "hand_pose.md":
        assert set(drawn_scenes(tmp_path / "lab").values()) == {"arm", "body", "table", "objects"}
        assert (tmp_path / "scores" / "success_curve.png").exists()
    if page.name == "getting_started.md":
        assert (tmp_path / "runs" / "both" / "comparison.md").exists()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.is_file(), link
        # Names of the API are anchors of the built site alone.
        if anchor and path.suffix == ".md" and path.parent.name != "api":
            assert anchor in anchors(path), link


def test_every_page_is_linked_from_the_readme_or_the_home_page() -> None:
    starts = (README, DOCS / "index.md")
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in starts for link in links(page)}
    assert {page for page in PAGES if page.name not in ("README.md", "index.md")} <= linked


def test_the_page_about_the_tree_has_all_entries_and_layers() -> None:
    (tree,) = (block.text for block in blocks(DOCS / "architecture.md") if block.language == "text")
    described = re.findall(r"^  ([\w.]+)/? ", tree, flags=re.MULTILINE)
    entries = {path.name for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "py.typed")}
    assert set(described) == entries
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [name for layer in contracts[0]["layers"] for name in re.findall(r"\w+", layer) if name != "__main__"]
    drawing = (DOCS / "pictures" / "layers.svg").read_text()
    assert set(re.findall(r'class="t"[^>]*>(\w+)<', drawing)) == set(layers)


@pytest.mark.parametrize(("module", "name"), list(public_names()))
def test_public_name_has_a_docstring(module: str, name: str) -> None:
    value = getattr(import_module(module), name)
    if isinstance(value, type) or callable(value):
        assert (value.__doc__ or "").strip(), f"{module}.{name} has no docstring"


def test_every_public_package_has_a_page() -> None:
    pages = "\n".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    directives = re.findall(r"^::: (\S+)$", pages, flags=re.MULTILINE)
    for module in {module for module, _ in public_names()}:
        assert any(f"{directive}.".startswith(f"{module}.") for directive in directives), module


@pytest.mark.slow
def test_site_is_built_strictly_and_has_every_public_name(tmp_path: Path) -> None:
    assert find_spec("mkdocs"), 'the site is built with the extra [docs]: pip install -e ".[docs]" -c constraints.txt'
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    inventory = (tmp_path / "site" / "objects.inv").read_bytes().split(b"\n", maxsplit=4)[-1]
    described = {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}
    # A function may share its name with the module that it is in.
    missing = [
        f"{module}.{name}"
        for module, name in public_names()
        if not {f"{module}.{name}", f"{module}.{name}.{name}"} & described
    ]
    assert missing == ["seqgcn.__version__"]
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text())
        assert loaded == [], f"{page.name} loads {loaded} from the network"
