"""Makes files outside `docs/` part of the site: tables of results, pictures, notebooks, the changelog.

Pages link to these files where they are in the repository, so that the links also work there. Here each linked file is
added to the site and the link is rewritten. A link to a file that does not exist is left alone, and the strict build
fails on it.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)")
PAGES = (".md", ".ipynb")

_sources: dict[str, Path] = {}
"""Where each added page comes from, by its path in the site."""


def on_files(files: Any, config: Any) -> Any:
    """Add what the pages link to, and what the added pages link to in turn."""
    _sources.clear()
    waiting = [Path(page.abs_src_path) for page in files.documentation_pages()]
    while waiting:
        source = waiting.pop()
        for target in _outside(source):
            uri = _uri(target)
            if uri in _sources:
                continue
            _sources[uri] = target
            if target.suffix in PAGES:
                files.append(File.generated(config, uri, content=_read(target)))
                waiting.append(target)
            else:
                files.append(File.generated(config, uri, abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrite links so that they lead to the files that were added."""
    del config, files
    uri = page.file.src_uri
    source = _sources.get(uri, ROOT / "docs" / uri)

    def rewritten(match: re.Match[str]) -> str:
        target = _resolve(source, match[2])
        if not target.is_relative_to(ROOT) or not target.is_file():
            return match[0]
        return match[1] + posixpath.relpath(_uri(target), posixpath.dirname(uri) or ".")

    return LINK.sub(rewritten, markdown)


def _outside(source: Path) -> list[Path]:
    """Files of the repository but not of `docs/` that a page links to."""
    found = [_resolve(source, match[2]) for match in LINK.finditer(_read(source))]
    return [path for path in found if path.is_file() and path.is_relative_to(ROOT) and _uri(path) != _inside(path)]


def _resolve(source: Path, link: str) -> Path:
    return (source.parent / link).resolve()


def _uri(path: Path) -> str:
    """The path of a file of the repository in the site."""
    return (
        _inside(path) or path.relative_to(ROOT).with_suffix({".ipynb": ".md"}.get(path.suffix, path.suffix)).as_posix()
    )


def _inside(path: Path) -> str:
    """The path of a file below `docs/`; empty for others."""
    docs = ROOT / "docs"
    return path.relative_to(docs).as_posix() if path.is_relative_to(docs) else ""


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return _notebook(json.loads(text)) if path.suffix == ".ipynb" else text


def _notebook(notebook: dict[str, Any]) -> str:
    """An executed notebook as Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += [_output(output) for output in cell["outputs"]]
    return "\n\n".join(parts)


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="output of the cell" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    text = "".join(output.get("text", data.get("text/plain", "")))
    return f"```text\n{text.rstrip()}\n```"
