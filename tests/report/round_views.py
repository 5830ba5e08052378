"""Rounds to draw: clusters of points whose picks are known."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from seqgcn.report.html import RoundView, Table
from seqgcn.report.html.sheet import Stroke, pack
from seqgcn.rounds.tables import represent

EVIL = "<script>alert(1)</script>.png"


def make_view(
    n: int = 60, labelled: int = 8, picks: int = 5, *, x: Any = None, pictures: bool = True, **changes: Any
) -> RoundView:
    """A round on n points in four clusters: the first are labeled, the last picked."""
    draw = np.random.default_rng(0)
    if x is None:
        x = 5 * draw.normal(size=(4, 6))[np.arange(n) % 4] + draw.normal(size=(n, 6))
    x = np.asarray(x, np.float32)
    known = torch.arange(n) < labelled
    index = torch.arange(n - 1, n - 1 - picks, -1)
    found = represent(torch.from_numpy(x), known, index)

    def square(item: int, side: int) -> Any:
        return pack(Image.new("L", (8, 8), item % 256), side, strokes=[Stroke("#D55E00", "M1 1L7 7")], shows="a square")

    values: dict[str, Any] = {
        "pool": "points",
        "selector": "core-gcn",
        "items": [f"all/part-{i % 2}/{i}.png" for i in range(n)],
        "x": x,
        "space": "the embedding of net",
        "labelled": known.nonzero().flatten().numpy(),
        "picks": index.numpy(),
        "score": draw.random(picks),
        "by": found.by.numpy(),
        "distance": found.distance.numpy(),
        "nearest": found.labelled.numpy(),
        "before": found.before.numpy(),
        "stands_for": found.stands_for.numpy(),
        "confidence": np.where(np.arange(n) < labelled, 0.9, 0.2),
        "confidence_of": "being labeled",
        "losses": {"loss": [1.0, 0.5, 0.4]},
        "curves": {"training loss": [3.0, 2.0], "validation error (mm)": [9.0, 8.5]},
        "error": "8.5 mm",
        "learning": ["The learner is 8.5 mm off."],
        "sheet": [square(item, 240) for item in index.tolist()[:200]] if pictures else [],
        "told": [],
        "small": (lambda items: [square(item, 56) for item in items]) if pictures else None,
        "notes": [],
        "seed": 0,
        "command": "seqgcn select --out round",
        "settings": [Table(title="Options", header=["name", "value"], rows=[["seed", "0"]], text=(0, 1))],
    }
    return RoundView(**{**values, **changes})
