"""What an `ActiveLearner` knows, as files: `active_learner.json`, and beside it an .npz of labels and weights."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor
from torch_geometric.data import Data

import seqgcn
from seqgcn.datasets.item_dataset import hash_of
from seqgcn.exceptions import ArgumentError, RunFolderError, SeqGCNError
from seqgcn.learners.extend_learner import with_classes
from seqgcn.learners.protocol import Learner, RestorableLearner
from seqgcn.runs.journal import CycleRecord
from seqgcn.runs.stages import Stages
from seqgcn.runs.targets import Targets
from seqgcn.utils.files import make_folder, write_bytes, write_text

DOCUMENT, FORMAT = "active_learner.json", 1

_WEIGHTS, _BFLOAT16 = "weights/", "bfloat16/"
"""What the names of arrays begin with that are weights, and of these that NumPy has no type for."""

_ARRAYS = re.compile(r"arrays-[0-9a-f]{16}\.npz")
"""How `write_checkpoint` names a file of arrays."""


def _is_whole(value: Any, low: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _are_items(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_whole, value))


def _is_mapping_of(kind: type | UnionType) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(isinstance(each, kind) for each in value.values())


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _is_pseudo(value: Any) -> bool:
    if not _is_mapping_of(list)(value) or value.keys() not in (set(), {"items", "targets"}):
        return False
    return not value or len(value["items"]) == len(value["targets"])


_KEYS: dict[str, Callable[[Any], bool]] = {
    "seed": _is_whole,
    "subset": lambda value: value is None or _is_whole(value, 1),
    "warm_start": lambda value: isinstance(value, bool),
    "classes": lambda value: _is_list_of(str)(value) and len(set(value)) == len(value),
    "stale": lambda value: isinstance(value, bool),
    "trained": _is_mapping_of(int),
    "metric": _is_mapping_of(int | float),
    "cycle": _is_whole,
    "labelled": lambda value: _is_list_of(list)(value) and all(_are_items(each) and len(each) == 2 for each in value),
    "asked": _are_items,
    "skipped": _are_items,
    "pseudo": _is_pseudo,
    "items": _is_whole,
    "fingerprint": lambda value: isinstance(value, str),
    "made of": _is_mapping_of(str),
    "num_classes": lambda value: value is None or _is_whole(value, 1),
    "history": _is_list_of(dict),
    "arrays": lambda value: isinstance(value, str),
}
"""What a document holds, and whether a value can be that."""

Arrays = Mapping[str, NDArray[Any]]


def snapshot(
    stages: Stages, targets: Targets, history: Sequence[CycleRecord]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Pool, labels, history and the learner's weights, as plain values and arrays."""
    pool, fitted = stages.pool, stages.fitted
    labelled = pool.labelled
    arrays: dict[str, NDArray[Any]] = {"known": targets.known[labelled].numpy()}
    if targets.values is not None:
        arrays["targets"] = targets.values[labelled].numpy()
    if isinstance(fitted, RestorableLearner):
        for name, value in fitted.state().items():
            weight = value.detach().cpu().contiguous()
            half = weight.dtype == torch.bfloat16
            key = f"{_WEIGHTS}{_BFLOAT16 if half else ''}{name}"
            arrays[key] = (weight.view(torch.int16) if half else weight).numpy()
    document = {
        "cycle": stages.cycle,
        "labelled": [list(pair) for pair in pool.since.items()],
        "asked": list(pool.asked),
        "skipped": list(pool.skipped),
        "pseudo": dict(stages.pseudo),
        "items": pool.size,
        "fingerprint": fingerprint(stages.inputs),
        "made of": made_of(stages),
        "num_classes": getattr(fitted, "num_classes_", None),
        "history": [asdict(record) for record in history],
    }
    return document, arrays


def restore(
    folder: Path, document: Mapping[str, Any], arrays: Arrays, stages: Stages, targets: Targets
) -> list[CycleRecord]:
    """Put back what `snapshot` took, into empty stages and targets; return the history.

    Raises:
        ArgumentError: The items are other ones.
        RunFolderError: The files are damaged.
    """
    if document["items"] != stages.pool.size or document["fingerprint"] != fingerprint(stages.inputs):
        raise ArgumentError(
            f"the {stages.pool.size:,} inputs are not the {document['items']:,} items that {folder} was saved with; "
            "give the same items in the same order"
        )
    try:
        for item, since in document["labelled"]:
            stages.pool.reveal([item], cycle=since)
        stages.pool.ask(document["asked"])
        stages.pool.skip(document["skipped"])
        known = [place for place, known in enumerate(arrays["known"].tolist()) if known]
        labelled = stages.pool.labelled.tolist()
        if known:
            targets.keep([labelled[place] for place in known], torch.from_numpy(arrays["targets"])[known])
        stages.pseudo = dict(document["pseudo"])
        stages.begin(int(document["cycle"]))
        history = [CycleRecord.from_line(json.dumps(each)) for each in document["history"]]
        stages.fitted = _fitted(stages, document, arrays)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise RunFolderError(
            f"{folder / DOCUMENT} is damaged ({type(error).__name__}: {error}); restore it, or begin anew"
        ) from error
    return history


def _fitted(stages: Stages, document: Mapping[str, Any], arrays: Arrays) -> Learner | None:
    """The learner as it was trained; None where its weights were not kept, or are of another one."""
    state: dict[str, Tensor] = {}
    for key, values in arrays.items():
        if key.startswith(_WEIGHTS):
            name = key.removeprefix(_WEIGHTS)
            value = torch.from_numpy(values)
            if name.startswith(_BFLOAT16):
                name, value = name.removeprefix(_BFLOAT16), value.view(torch.bfloat16)
            state[name] = value
    if not state or not isinstance(stages.learner, RestorableLearner):
        return None
    learner = cast(Learner, clone(stages.learner))
    if document["num_classes"] is not None:
        learner = with_classes(learner, int(document["num_classes"]))
    learner.set_params(**{key: value for key, value in {"seed": document["trained"].get("learner")}.items() if value})
    try:
        return cast(RestorableLearner, learner).restore(state)
    except (SeqGCNError, KeyError, RuntimeError):  # of a learner that is another one now
        return None


def made_of(stages: Stages) -> dict[str, Any]:
    """Selector and learner in words, to tell whether they are what they were."""
    learner = stages.learner
    parameters = {} if learner is None else learner.get_params()
    shown = {
        # A function's repr has its address.
        key: getattr(value, "__qualname__", None)
        or (repr(value) if " at 0x" not in repr(value) else type(value).__name__)
        for key, value in parameters.items()
        if key.rpartition("__")[2] not in ("seed", "batch_seed", "device")
    }
    return {"selector": repr(stages.selector), "learner": type(learner).__name__, **shown}


def changes(document: Mapping[str, Any], stages: Stages) -> list[str]:
    """What of selector and learner is not what it was when a document was saved."""
    held = document.get("made of", {})
    return [key for key, value in made_of(stages).items() if held.get(key) != value]


def fingerprint(inputs: Any) -> str:
    """Short hash of items; another value means other items."""
    if isinstance(inputs, Data):
        held = inputs.to_dict()
        return hash_of(*(value for name in sorted(held) for value in (name, held[name])))
    return hash_of(inputs)


def write_checkpoint(folder: Path, document: Mapping[str, Any], arrays: Arrays) -> None:
    """Write both files; those of before count until the document is whole.

    Raises:
        RunFolderError: They cannot be written.
    """
    make_folder(folder)
    content = io.BytesIO()
    np.savez(content, **cast(dict[str, Any], dict(arrays)))
    name = f"arrays-{hashlib.blake2b(content.getbuffer(), digest_size=8).hexdigest()}.npz"
    before = _arrays_of(folder)
    if not (folder / name).exists():
        write_bytes(folder / name, content.getvalue())
    written = {"format": FORMAT, "seqgcn": seqgcn.__version__, **document, "arrays": name}
    write_text(folder / DOCUMENT, json.dumps(written, indent=1) + "\n")
    if before is not None and before != name:
        with suppress(OSError):
            (folder / before).unlink()


def _arrays_of(folder: Path) -> str | None:
    """The file of arrays that the document in a folder names; every other file there is the user's."""
    try:
        document = json.loads((folder / DOCUMENT).read_bytes())
    except (OSError, ValueError):
        return None
    name = document.get("arrays") if isinstance(document, dict) else None
    return name if isinstance(name, str) and _ARRAYS.fullmatch(name) else None


def read_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What `write_checkpoint` wrote.

    Raises:
        RunFolderError: There is nothing, it is damaged, or of a newer version.
    """
    path = folder / DOCUMENT
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise RunFolderError(
                f"{path} is of another format than {FORMAT}, perhaps of a newer version; this is seqgcn "
                f"{seqgcn.__version__}"
            )
        if missing := [key for key in _KEYS if key not in document]:
            raise RunFolderError(f"{path} is damaged: it has no {', '.join(missing)}; restore it, or begin anew")
        if wrong := [key for key, can_be in _KEYS.items() if not can_be(document[key])]:
            shown = repr(document[wrong[0]])[:60]
            raise RunFolderError(f"{path} is damaged: {wrong[0]!r} cannot be {shown}; restore it, or begin anew")
        path = folder / Path(document["arrays"]).name
        with np.load(path, allow_pickle=False) as held:
            return document, {name: held[name] for name in held.files}
    except FileNotFoundError as error:
        raise RunFolderError(f"there is no {path}; name a folder that ActiveLearner.save wrote") from error
    except RunFolderError:
        raise
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise RunFolderError(f"cannot read {path} ({type(error).__name__}: {error}); restore it") from error
