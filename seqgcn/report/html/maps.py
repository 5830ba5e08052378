"""A pool on a plane: which of its items are shown, and where."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

SHOWN = 2000
"""Items on a map: t-SNE takes a few seconds for so many."""

AXES = 50
"""Principal axes that t-SNE sees."""

FEW = 30
"""Fewer items than this are shown by their principal axes."""

STEPS = 400
"""Of t-SNE's descent. 500 kept 1 % more neighbors in hands and digits, and twice as many no more than these."""

ANGLE = 0.8
"""How wide far points may lie to be taken as one: the default of 0.5 takes half as long again for the same map."""

AROUND = 10
"""Neighbors that tell how much of a neighborhood a map keeps."""


@dataclass(frozen=True, kw_only=True)
class Thinned:
    """Items to show, and in words how they were chosen."""

    items: Ints
    words: str


def thin(n: int, picks: Ints, labelled: Ints, near: Ints, seed: int, most: int = SHOWN) -> Thinned:
    """Choose what a map shows: the picks, what is near to them, and a random part of the rest.

    Args:
        n: Number of items.
        picks: Best first.
        labelled: The labeled ones.
        near: Neighbors of picks, which are shown where there is room.
        seed: Of the draws.
        most: How many items there is room for.
    """
    if n <= most:
        return Thinned(items=np.arange(n), words=f"All {n:,} items.")
    draw = np.random.default_rng(seed)
    shown = picks[: most // 2]
    kind = np.zeros(n, np.int8)
    kind[labelled] = 1
    kind[shown] = 2
    around = np.unique(near[kind[near] != 2])
    if len(around) > most // 2 - len(shown) // 2:
        around = draw.choice(around, most // 2 - len(shown) // 2, replace=False)
    free = np.ones(n, bool)
    free[shown] = free[around] = False
    free[picks] = False
    known, others = np.flatnonzero(free & (kind == 1)), np.flatnonzero(free & (kind == 0))
    room = most - len(shown) - len(around)
    some = draw.choice(known, min(len(known), max(room // 3, room - len(others))), replace=False)
    rest = draw.choice(others, min(len(others), room - len(some)), replace=False)
    items = np.sort(np.concatenate([shown, around, some, rest]))
    first = (
        f"all {len(picks):,} picks" if len(shown) == len(picks) else f"the first {len(shown):,} of {len(picks):,} picks"
    )
    return Thinned(
        items=items,
        words=f"{len(items):,} of {n:,} items: {first}, {len(around):,} near to these, and drawn at random (seed "
        f"{seed}) {len(some):,} of {len(known):,} further labeled and {len(rest):,} of {len(others):,} other items.",
    )


@dataclass(frozen=True, kw_only=True)
class Flat:
    """Places on a plane.

    Args:
        places: `[m, 2]`, from 0 to 1 along the longer side, the other centered.
        words: How they came about and what distances between them mean.
    """

    places: Floats
    words: str


def flatten(x: Floats, seed: int) -> Flat:
    """Lay points out on a plane: t-SNE of their first principal axes, or, of a few, the first two axes themselves.

    Args:
        x: `[m, d]`.
        seed: Of t-SNE.
    """
    # The mean of equal numbers is not always that number: what is the same in all points is nothing to look for.
    differs = np.ptp(x, axis=0) > 0 if x.size else np.zeros(x.shape[1], np.bool_)
    x = np.where(differs, x - x.mean(axis=0), 0).astype(x.dtype)
    if len(x) > 1 and not differs.any():
        return Flat(places=_square(np.zeros((len(x), 2))), words="Their embeddings are all the same.")
    spread = float(np.abs(x).max()) if x.size else 0.0
    if len(x) < 3 or spread == 0:
        return Flat(places=_square(np.pad(x, ((0, 0), (0, 2)))[:, :2]), words="")
    x = x / spread
    wide = min(AXES, *x.shape)
    axes = PCA(wide, random_state=seed).fit(x)
    values = axes.transform(x).astype(np.float32)
    if len(x) < FEW or wide < 3:
        kept = axes.explained_variance_ratio_[:2].sum()
        places = np.pad(values, ((0, 0), (0, 1)))[:, :2]
        return Flat(
            places=_square(places),
            words=f"The first two principal axes, which hold {kept:.0%} of the variance; what lies close together here "
            "may lie far apart along the others.",
        )
    search = TSNE(init="pca", perplexity=min(30, (len(x) - 1) / 3), max_iter=STEPS, angle=ANGLE, random_state=seed)
    places = search.fit_transform(values)
    return Flat(
        places=_square(places),
        words=f"t-SNE, which keeps neighbors together: of a point's {AROUND} nearest neighbors here, "
        f"{_kept(x, places):.0%} are among its {AROUND} nearest in the embedding. How far apart groups lie, and how "
        "large or dense they are, says nothing.",
    )


def _kept(x: Floats, places: Floats) -> float:
    """Share of the nearest neighbors of the points on the plane that are so in the embedding too."""
    k = min(AROUND, len(x) - 1)
    real, drawn = (
        NearestNeighbors(n_neighbors=k).fit(values).kneighbors(return_distance=False) for values in (x, places)
    )
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(real.tolist(), drawn.tolist(), strict=True)])) / k


def _square(places: Floats) -> Floats:
    low, high = places.min(axis=0), places.max(axis=0)
    side = float((high - low).max()) or 1.0
    centred: Floats = 0.5 + (places - (low + high) / 2) / side
    return centred
