"""The page of one round: what was picked and why, where it lies in the pool, and what it costs to leave it out."""

import base64
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from seqgcn.report.html.charts import Chart, Line, chart
from seqgcn.report.html.maps import flatten, thin
from seqgcn.report.html.nearby import (
    NEAR,
    NEIGHBOURS,
    SAMPLE,
    Drawing,
    Twins,
    draw_neighbourhood,
    neighbours_of,
    twins_of,
)
from seqgcn.report.html.pages import Table, render
from seqgcn.report.html.poses import Poses, nearest_in_words, pose_twins
from seqgcn.report.html.sheet import Picture

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

SHEET = 200
"""Picks on the contact sheet."""

GROUPS, MEMBERS = 20, 12
"""Groups of near-duplicates, and items of each, that are listed."""

MAP, MARGIN = 600, 16
"""Width of the map and room around its points, in its own units."""

ENDS = {"file": 10, "folder": 6}
"""Characters at the end that are kept where names are cut: `000123.png`, and what the narrowest card has room for."""

BINS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundView:
    """A round as its page shows it, of n items of which m are labeled and b picked.

    Args:
        pool: Its name.
        selector: What picked.
        items: Name of each item.
        x: Embeddings, `[n, d]`, of one scale that can be squared.
        space: What the embeddings are, in words: `"the embedding of deep-prior"`.
        labelled: `[m]`.
        picks: Best first, `[b]`.
        score: The selector's, `[b]`.
        by: Labeled item or pick that each item is nearest to, `[n]`; -1 where there is none.
        distance: To it, `[n]`.
        nearest: Labeled item that each item is nearest to, `[n]`; -1 where nothing is labeled.
        before: Distance to it, `[n]`; infinite where nothing is labeled.
        stands_for: How many other items each pick is nearest to, `[b]`.
        confidence: Of each item, `[n]`, if the selector has one.
        confidence_of: What it is the confidence of: `"being labeled"`.
        losses: What the selector's own training recorded after each epoch, by name.
        curves: The same of the learner.
        error: The learner's on held-out labels, with its unit; empty if there is none.
        learning: What is known about the learner, in sentences.
        sheet: Pictures of the first picks, at most `SHEET`; none where items are no pictures.
        told: What the learner predicts of these; empty if nothing.
        small: Makes small pictures of items, where they are pictures.
        notes: What the reader must know first.
        seed: Of everything drawn here.
        command: That asks for the same.
        settings: Tables of what was asked and under which conditions it was answered.
        poses: Of hands, in the order of `picks` and of `labelled`; None where there are none.
    """

    pool: str
    selector: str
    items: Sequence[str]
    x: Floats
    space: str
    labelled: Ints
    picks: Ints
    score: Floats
    by: Ints
    distance: Floats
    nearest: Ints
    before: Floats
    stands_for: Ints
    confidence: Floats | None
    confidence_of: str
    losses: Mapping[str, Sequence[float]]
    curves: Mapping[str, Sequence[float]]
    error: str
    learning: Sequence[str]
    sheet: Sequence[Picture]
    told: Sequence[str]
    small: Callable[[Sequence[int]], Sequence[Picture]] | None
    notes: Sequence[str]
    seed: int
    command: str
    settings: Sequence[Table]
    poses: Poses | None = None


class Near(NamedTuple):
    """A neighbor of a pick: its name, what it is, and its distance."""

    item: int
    name: str
    kind: str
    distance: str


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A pick on the contact sheet."""

    item: int
    rank: int
    name: str
    title: str
    picture: Picture | None
    facts: Sequence[tuple[str, str]]
    said: str
    near: Sequence[Near]
    drawing: Drawing | None


class Dot(NamedTuple):
    """An item on the map: its place, and the rank of the pick that stands for it, 0 if none does."""

    item: int
    name: str
    x: float
    y: float
    by: int


@dataclass(frozen=True, kw_only=True)
class Map:
    """The pool on a plane."""

    height: float
    rest: Sequence[Dot]
    labelled: Sequence[Dot]
    picks: Sequence[Dot]
    words: str
    caption: str


def round_page(view: RoundView) -> str:
    """One self-contained page of a round."""
    shown = view.picks[:SHEET]
    rank = {item: number for number, item in enumerate(view.picks.tolist(), start=1)}
    draw = np.random.default_rng(view.seed)
    sample = draw.choice(len(view.items), min(SAMPLE, len(view.items)), replace=False)
    found = neighbours_of(view.x, np.concatenate([shown, sample]), NEIGHBOURS)
    near, distance = found.item[: len(shown)], found.distance[: len(shown)]
    twins = twins_of(view.x, view.picks, view.labelled, found.distance[len(shown) :, :1].ravel())
    closest = np.concatenate([near.ravel(), view.nearest[shown][view.nearest[shown] >= 0]])
    names = _shorter(view.items)
    alike = pose_twins(view.poses) if view.poses is not None else None
    in_pose = nearest_in_words(alike, [names(item) for item in view.labelled.tolist()]) if alike else [""] * len(shown)
    wanted = sorted({*closest.tolist(), *shown.tolist(), *_listed(twins)})
    # More threads wait for each other at every small step, ten times as long where the processor is busy. The limit is
    # a thread's own.
    with threadpool_limits(1), ThreadPoolExecutor(1, initializer=threadpool_limits, initargs=(1,)) as aside:
        mapped = aside.submit(_map, view, rank, closest)
        drawings = [
            draw_neighbourhood(view.x, [item, *some]) for item, some in zip(shown.tolist(), near.tolist(), strict=True)
        ]
        pictures = dict(zip(wanted, view.small(wanted), strict=True)) if view.small and wanted else {}
        plan = mapped.result()
    on_map = Counter(dot.by for dot in plan.rest) if plan else Counter()
    picks = [
        _pick(view, position, rank, names, near[position], distance[position], on_map, drawing, in_pose[position])
        for position, drawing in enumerate(drawings)
    ]
    script = render("round.js")
    return render(
        "round.html.j2",
        title=f"{len(view.picks):,} {'pick' if len(view.picks) == 1 else 'picks'} from {view.pool}",
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        view=view,
        unlabelled=len(view.items) - len(view.labelled),
        radius=_radius(view),
        separation=_separation(view),
        error=view.error,
        picks=picks,
        rank=rank,
        names=names,
        cut=_cut,
        labelled=set(view.labelled.tolist()),
        map=plan,
        map_width=MAP,
        beyond={
            dot.by: f"Pick {dot.by}, {names(dot.item)}, {_role(view, dot.by, on_map)}."
            for dot in (plan.picks if plan else ())
            if dot.by > len(shown)
        },
        pictures=pictures,
        twins=twins,
        alike=alike,
        twin_groups=twins.groups[:GROUPS],
        members=MEMBERS,
        near_share=NEAR,
        sample=len(sample),
        coverage=_coverage(view),
        histogram=_histogram(view),
        losses=_curves({f"{name} of {view.selector}": values for name, values in view.losses.items()}),
        curves=_curves({f"learner's {name}": values for name, values in view.curves.items()}),
    )


def _shorter(items: Sequence[str]) -> Callable[[int], str]:
    """Names without the folders that all share."""
    first, last = min(items), max(items)
    same = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    skip = same.rfind("/") + 1
    return lambda item: items[item][skip:]


def _cut(name: str, kind: str) -> tuple[str, str]:
    """A name in two, the second of which is to stay whole."""
    place, room = len(name), ENDS[kind]
    while place and room >= _width(name[place - 1]):
        place -= 1
        room -= _width(name[place])
    # A mark stays with its letter.
    while place < len(name) and not _width(name[place]):
        place += 1
    return name[:place], name[place:]


def _width(letter: str) -> int:
    """Of how many Latin letters."""
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "FW" else 1


def _listed(twins: Twins) -> set[int]:
    return {item for group in twins.groups[:GROUPS] for item in group[:MEMBERS]}


def _pick(
    view: RoundView,
    position: int,
    rank: Mapping[int, int],
    names: Callable[[int], str],
    near: Ints,
    distance: Floats,
    on_map: Mapping[int, int],
    drawing: Drawing,
    in_pose: str,
) -> Pick:
    item, number = int(view.picks[position]), position + 1
    facts = [("item", view.items[item])]
    if position < len(view.told):
        facts.append(("predicted", view.told[position]))
    facts.append(("score", f"{view.score[position]:.4g}"))
    if view.confidence is not None:
        facts.append((f"confidence of {view.confidence_of}", f"{view.confidence[item]:.0%}"))
    facts.append(("stands for", _items(int(view.stands_for[position]))))
    facts += [("nearest in pose", in_pose)] if in_pose else []
    is_labelled = np.isin(near, view.labelled)
    listed = [
        Near(other, names(other), _kind(rank.get(other), known_), f"{apart:.3g}")
        for other, apart, known_ in zip(near.tolist(), distance.tolist(), is_labelled.tolist(), strict=True)
    ]
    return Pick(
        item=item,
        rank=number,
        name=view.items[item],
        title=names(item),
        picture=view.sheet[position] if position < len(view.sheet) else None,
        facts=facts,
        said=f"Pick {number} {_role(view, number, on_map)}; ringed: its {len(listed)} nearest neighbors"
        f"{' and the nearest labeled item' if view.nearest[item] >= 0 else ''}.",
        near=listed,
        drawing=drawing if listed else None,
    )


def _role(view: RoundView, number: int, on_map: Mapping[int, int]) -> str:
    """What a pick stands for, and how the map shows it."""
    count, there = int(view.stands_for[number - 1]), on_map.get(number, 0)
    part = "" if there == count else f", {there:,} of them on the map"
    return f"stands for {_items(count)}{f' (large dots{part})' if count else ''}"


def _items(count: int) -> str:
    return f"{count:,} {'item' if count == 1 else 'items'}"


def _kind(rank: int | None, labelled: bool) -> str:
    if rank is not None:
        return f"pick {rank}"
    return "labeled" if labelled else ""


def _map(view: RoundView, rank: Mapping[int, int], near: Ints) -> Map | None:
    n = len(view.items)
    if n < 2:
        return None
    thinned = thin(n, view.picks, view.labelled, near, view.seed)
    flat = flatten(view.x[thinned.items], view.seed)
    low, high = flat.places[:, 1].min(), flat.places[:, 1].max()
    wide = MAP - 2 * MARGIN
    known = set(view.labelled.tolist())
    dots: dict[str, list[Dot]] = {"rest": [], "labelled": [], "picks": []}
    for item, (x, y) in zip(thinned.items.tolist(), flat.places.tolist(), strict=True):
        kind = "picks" if item in rank else "labelled" if item in known else "rest"
        by = rank.get(item if kind == "picks" else int(view.by[item]), 0)
        dot = Dot(item, view.items[item], round(MARGIN + wide * x, 1), round(MARGIN + wide * (high - y), 1), by)
        dots[kind].append(dot)
    return Map(
        height=round(2 * MARGIN + wide * float(high - low)),
        **dots,
        words=f"Map of the pool: {len(dots['picks']):,} picks, {len(dots['labelled']):,} labeled and "
        f"{len(dots['rest']):,} other items.",
        caption=f"{thinned.words} {flat.words}",
    )


def _radius(view: RoundView) -> tuple[float | None, float | None]:
    """Largest distance of an item to its nearest labeled one, without and with the picks."""
    ends = [float(values.max()) if len(values) else 0.0 for values in (view.before, view.distance)]
    before, after = (end if np.isfinite(end) else None for end in ends)
    return before, after


def _separation(view: RoundView) -> tuple[float, str] | None:
    """How often a labeled item has the higher confidence than one that is not, and what to make of it."""
    n, m = len(view.items), len(view.labelled)
    if view.confidence is None or not 0 < m < n:
        return None
    labelled = np.zeros(n, bool)
    labelled[view.labelled] = True
    area = float(roc_auc_score(labelled, view.confidence))
    how = next(
        words
        for least, words in ((0.95, "almost fully"), (0.8, "well"), (0.65, "partly"), (0, "hardly"))
        if area >= least
    )
    return area, how


def _coverage(view: RoundView) -> Chart | None:
    """Within which distance of a labeled item how much of the rest lies, before and after."""
    rest = np.ones(len(view.items), bool)
    rest[view.labelled] = False
    if not rest.any():
        return None
    shares = np.arange(0, 101, 2)
    lines = [
        Line(name=name, x=shares.tolist(), y=np.quantile(values[rest], shares / 100).tolist())
        for name, values in (("before", view.before), ("once the picks are labeled", view.distance))
        if np.isfinite(values).all()
    ]
    return chart(
        lines,
        title="Coverage",
        x_label="share of the items without a label (%)",
        y_label="distance to the nearest labeled item",
    )


def _histogram(view: RoundView) -> tuple[Chart, float] | None:
    """Confidence of labeled and other items, and the width of a step in percent."""
    if view.confidence is None:
        return None
    percent = 100 * view.confidence
    low, high = np.floor(percent.min()), np.ceil(percent.max())
    edges = np.linspace(low, max(high, low + 1), BINS + 1)
    labelled = np.zeros(len(view.items), bool)
    labelled[view.labelled] = True
    lines = []
    for name, values in (("labeled", percent[labelled]), ("not labeled", percent[~labelled])):
        if len(values):
            share = 100 * np.histogram(values, edges)[0] / len(values)
            lines.append(Line(name=name, x=edges.repeat(2)[1:-1].tolist(), y=share.repeat(2).tolist()))
    drawn = chart(
        lines, title="Confidence", x_label=f"confidence of {view.confidence_of} (%)", y_label="share of the items (%)"
    )
    if drawn is None:
        return None
    # In the colors of the map.
    colours = {"labeled": "c0", "not labeled": "grey"}
    drawn = replace(drawn, lines=[replace(line, style=colours[line.name], marks=[]) for line in drawn.lines])
    return drawn, float(edges[1] - edges[0])


def _curves(curves: Mapping[str, Sequence[float]]) -> list[Chart]:
    drawn = [
        chart([Line(name=name, x=range(1, len(values) + 1), y=values)], title=name, x_label="epoch", y_label=name)
        for name, values in curves.items()
    ]
    return [each for each in drawn if each is not None]
