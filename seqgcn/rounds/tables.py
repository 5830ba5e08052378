"""What a round writes down of its picks, and what each of them stands for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqgcn.coverage.k_center import nearest_centre, tame
from seqgcn.datasets.hands.centers.found import Centers
from seqgcn.selectors.selector import Selection
from seqgcn.training import Progress
from seqgcn.utils.files import csv_text

_BLOCK = 2048

CROP_COLUMNS = ("center x", "center y", "center z", "center by", "center confidence")


@dataclass(frozen=True, eq=False, kw_only=True)
class Represented:
    """Distances in the space of the embeddings, of n items of which m are labeled and b picked.

    Args:
        by: The labeled item or pick that each item is nearest to, `[n]` int64; these are nearest to themselves.
        distance: To it, `[n]`.
        labelled: The labeled item that each item is nearest to, `[n]` int64; -1 where nothing is labeled.
        before: Distance to it, `[n]`; infinite where nothing is labeled.
        stands_for: How many items that are neither labeled nor picked are nearest to each pick, `[b]` int64.
    """

    by: Tensor
    distance: Tensor
    labelled: Tensor
    before: Tensor
    stands_for: Tensor

    @property
    def radius(self) -> tuple[float, float]:
        """Largest distance of an item to its nearest labeled one, without and with the picks."""
        return float(self.before.max()), float(self.distance.max())


def represent(x: Tensor, labelled: Tensor, picks: Tensor, *, progress: Progress | None = None) -> Represented:
    """Find what every item is nearest to.

    Args:
        x: Embeddings, `[n, d]`.
        labelled: `[n]` bool.
        picks: Numbers of the picks, `[b]`.
        progress: Told about the items, as stage `"represent"`.
    """
    known = labelled.nonzero().squeeze(1)
    x, scale = tame(x, torch.linalg.vector_norm(x, torch.inf, dim=1))
    to_labelled, before = _nearest(x, known, progress)
    to_pick, beside = _nearest(x, picks, None)
    # A pick that lies on a labeled item stands for no more than itself.
    closer = beside < before
    closer[picks] = True
    by = torch.where(closer, to_pick, to_labelled)
    by[picks], by[known] = picks, known
    others = ~labelled
    others[picks] = False
    counts = torch.bincount(by[others & (by >= 0)], minlength=len(x))
    return Represented(
        by=by,
        distance=torch.where(closer, beside, before) * scale,
        labelled=to_labelled,
        before=before * scale,
        stands_for=counts[picks],
    )


def _nearest(x: Tensor, centres: Tensor, progress: Progress | None) -> tuple[Tensor, Tensor]:
    """Which of some items is nearest to each, and how far, `[n]` each."""
    nearest, distance = torch.full((len(x),), -1), x.new_full((len(x),), torch.inf)
    if len(centres) == 0:
        return nearest, distance
    points = x[centres]
    for begin in range(0, len(x), _BLOCK):
        some = slice(begin, begin + _BLOCK)
        which, squared = nearest_centre(x[some], points)
        nearest[some], distance[some] = centres[which], squared.sqrt()
        if progress is not None:
            progress("represent", min(begin + _BLOCK, len(x)), len(x))
    return nearest, distance


def picks_table(
    items: Sequence[str], selection: Selection, represented: Represented, centers: Centers | None = None
) -> str:
    """CSV of the picks, best first.

    The confidence is that of being labeled, or for least-confidence of the class; most selectors have none. The
    nearest labeled item, its distance, and how many items a pick stands for are in the space of the embeddings.
    Of hand frames there are also the center of the crop's cube (mm), where it is from and how sure it is.
    """
    index = selection.index.cpu()
    confidence = selection.details.get("confidence")
    shown = [""] * len(index) if confidence is None else [_number(v) for v in confidence.cpu()[index].tolist()]
    nearest, distance = represented.labelled[index], represented.before[index]
    rows = zip(
        range(1, len(index) + 1),
        [items[i] for i in index.tolist()],
        map(_number, selection.score.tolist()),
        shown,
        _names(items, nearest),
        _distances(distance),
        represented.stands_for.tolist(),
        strict=True,
    )
    header = ["rank", "item", "score", "confidence", "nearest labelled item", "distance", "stands for"]
    if centers is None:
        return _csv(header, rows)
    of_picks = centers[index]
    crops = zip(of_picks.points.tolist(), of_picks.names, of_picks.confidence.tolist(), strict=True)
    more = [[*(f"{value:.1f}" for value in point), source, f"{sure:.2f}"] for point, source, sure in crops]
    return _csv([*header, *CROP_COLUMNS], [[*row, *cells] for row, cells in zip(rows, more, strict=True)])


def represents_table(items: Sequence[str], represented: Represented) -> str:
    """CSV of all items: the labeled item or pick that each is nearest to, and how far it is."""
    rows = zip(items, _names(items, represented.by), _distances(represented.distance), strict=True)
    return _csv(["item", "represented by", "distance"], rows)


def _names(items: Sequence[str], numbers: Tensor) -> list[str]:
    return [items[i] if i >= 0 else "" for i in numbers.tolist()]


def _distances(values: Tensor) -> list[str]:
    """Empty where there is nothing to be far from."""
    return [_number(value) if value < float("inf") else "" for value in values.tolist()]


def _number(value: float) -> str:
    return f"{value:.6g}"


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    # Ends of lines as in RFC 4180: cells with either character are quoted, which names of files may hold.
    return csv_text([header, *rows], end="\r\n")
