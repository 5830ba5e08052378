"""Small YAML and JSON files that somebody else wrote."""

import json
from pathlib import Path
from typing import Any

import yaml

from seqgcn.exceptions import DataFileError

MOST_BYTES = 2**16


class _Plain(yaml.SafeLoader):
    """YAML without aliases: a few that nest stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A value; an alias is refused."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name); write the value out")
        return super().compose_node(parent, index)


def read_plain_yaml(path: Path, *, first: bool = False) -> Any:
    """What a YAML file holds, or a JSON file if its name says so.

    Args:
        path: The file.
        first: Whether there may be several documents, of which the first counts, as when messages are recorded.

    Raises:
        DataFileError: It cannot be read.
    """
    kind = "JSON" if path.suffix.lower() == ".json" else "YAML"
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError("it is too large")
        if kind == "JSON":
            return json.loads(text)
        if first:
            return next(iter(yaml.load_all(text, _Plain)), None)
        return yaml.load(text, _Plain)  # noqa: S506  # a safe loader
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # YAML's own, those of impossible dates, of too deep nesting
        raise DataFileError(f"{path} cannot be read as {kind}: {error}") from error
