import base64
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_rounds import add_mean_pose, keep_labels, make_round, render
from PIL import Image
from report.round_views import EVIL, make_view
from report.test_html import Page
from sklearn.metrics import pairwise_distances

from seqgcn.config.select import SelectConfig
from seqgcn.report.html import RoundView, round_page
from seqgcn.report.html.maps import flatten, thin
from seqgcn.report.html.sheet import depth_image_of, image_of, pack, skeleton
from seqgcn.rounds.select_round import Round


class RoundPage(Page):
    """With the tag `wbr`, which is never closed."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":
            super().handle_starttag(tag, attrs)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    @property
    def picks(self) -> list[dict[str, str | None]]:
        return [each for each in self.all("details") if each.get("class") == "pick"]


def page_of(view: RoundView) -> RoundPage:
    return RoundPage(round_page(view))


# the page


def test_a_round() -> None:
    view = make_view()
    page = page_of(view)
    assert "core-gcn picked 5 of 52 items without a label; 8 are labeled." in page.words
    headings = ["Picks", "Near-duplicates", "Coverage", "Confidence", "Training", "How it was done"]
    assert all(f" {heading} " in page.words for heading in headings)
    assert len(page.all("h2")) == len(headings)
    assert [(pick["data-rank"], pick["data-item"]) for pick in page.picks] == [
        (str(r), str(60 - r)) for r in range(1, 6)
    ]
    dots = {
        str(each["id"]): each
        for tag, each in page.tags
        if each.get("class") in ("rest", "labelled", "picked") and "id" in each
    }
    assert set(dots) == {f"n{item}" for item in range(60)}
    for rank, pick in enumerate(view.picks.tolist(), start=1):
        stood_for = {i for i in range(60) if view.by[i] == pick}
        assert {int(name[1:]) for name, dot in dots.items() if dot.get("data-by") == str(rank)} == stood_for
        apart = pairwise_distances(view.x)[pick]
        near = sorted(set(range(60)) - {pick}, key=lambda i: apart[i])[:8]
        assert str(page.picks[rank - 1]["data-near"]).split() == [*map(str, near), str(view.nearest[pick])]
    count = int(view.stands_for[0])
    assert f"Pick 1 stands for {count} items (large dots); ringed: its 8" in str(page.picks[0]["data-said"])
    assert "in 100.0% of all pairs" in page.words
    assert "almost fully told apart" in page.words
    assert "The learner is 8.5 mm off." in page.words
    assert "error on held-out labels 8.5 mm" in page.words
    assert "All 60 items. t-SNE, which keeps neighbors together" in page.words
    before, after = view.before.max(), view.distance.max()
    assert f"is {before:.4g} away, and {after:.4g} once the picks are labeled ({after / before - 1:+.0%})" in page.words


def test_picks_beyond_the_sheet_say_on_the_map_what_they_stand_for() -> None:
    view = make_view(n=400, picks=203)
    page = page_of(view)
    dots = [each for each in page.all("path") if each.get("class") == "picked" and "data-by" in each]
    assert len(dots) == 203
    assert "Of picks after the first 200, which are not in the sheet, it shows what they stand for." in page.words
    beyond = {each["data-rank"]: each for each in dots if "data-said" in each}
    assert set(beyond) == {"201", "202", "203"}
    for rank, dot in beyond.items():
        item, count = 400 - int(str(rank)), int(view.stands_for[int(str(rank)) - 1])
        assert (dot["id"], dot["data-item"], dot["data-near"]) == (f"n{item}", str(item), "")
        large = " (large dots)" if count else ""
        items = "item" if count == 1 else "items"
        assert dot["data-said"] == f"Pick {rank}, part-{item % 2}/{item}.png, stands for {count} {items}{large}."
    listed = [(each["value"], f"{rank} part-{(400 - rank) % 2}/{400 - rank}.png") for each, rank in zip(
        page.all("option")[1:], (201, 202, 203), strict=True)]  # fmt: skip
    assert [value for value, _ in listed] == ["n199", "n198", "n197"]
    assert f"Picks after the first 200 none {' '.join(name for _, name in listed)} " in page.words
    page = page_of(make_view(n=400, picks=200))
    assert "icks after the first" not in page.words
    assert not [each for each in page.all("path") if "data-said" in each]


def test_what_comes_from_outside_is_text() -> None:
    evil = f"'\"{EVIL}\u2028"
    items = [f"{evil}{i}" for i in range(60)]
    view = make_view(items=items, pool=evil, selector=evil, space=evil, told=[evil] * 5, learning=[evil], notes=[evil],
                     command=evil, confidence_of=evil, losses={evil: [1.0, 2.0]}, curves={evil: [1.0]})  # fmt: skip
    text = round_page(view)
    page = RoundPage(text)
    assert len(page.all("script")) == 1
    assert text.count("<script") == 1
    assert all(f"{evil}{60 - rank}" in page.text for rank in range(1, 6))
    assert page.text.count(EVIL) > 100
    assert not [key for _, each in page.tags for key in each if key.startswith("on")]


def test_the_page_loads_nothing_and_runs_one_script() -> None:
    text = round_page(make_view())
    page = RoundPage(text)
    metas = {each.get("name") or each.get("http-equiv"): each["content"] for each in page.all("meta")[1:]}
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert len(script) == 1
    assert metas["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    )
    ids = {each["id"] for _, each in page.tags if "id" in each}
    links = {str(each[key]) for _, each in page.tags for key in ("src", "href", "srcset", "xlink:href") if key in each}
    assert links
    assert all(link.startswith("data:") or link[1:] in ids for link in links)
    assert all(word not in text for word in ("url(", "@import", "http:", "https:"))


def test_who_cannot_see_the_page_can_use_it() -> None:
    page = page_of(make_view())
    labels = [str(each["aria-label"]) for each in page.all("svg") if each.get("role") == "img"]
    assert "Pick 1: a square of all/part-1/59.png" in labels
    assert "Map of the pool: 5 picks, 8 labeled and 47 other items." in labels
    assert "Graph of pick 1 and its 8 nearest neighbors, which are listed beside it" in labels
    drawn = [each for each in page.all("svg") if each.get("role") != "img"]
    legend = {"picked", "labelled", "rest"}  # its list is hidden from them as a whole
    assert all(each.get("aria-hidden") == "true" or each.get("class") in legend for each in drawn)
    assert len(page.all("summary")) >= 5
    assert len(page.all("h1")) == len(page.all("main")) == 1


@pytest.mark.parametrize("pictures", [True, False])
def test_names_on_the_sheet_are_told_in_full(pictures: bool) -> None:
    page = page_of(make_view(pictures=pictures))
    labels = [each for each in page.all("span") if each.get("class") == "label"]
    assert [each["title"] for each in labels] == [f"all/part-{i % 2}/{i}.png" for i in range(59, 54, -1)]
    # What is cut is for the eye; others have the description of the picture, and the name where there is none.
    seen = [each for each in page.all("span") if str(each.get("class")).startswith("ends ")]
    assert len(seen) == 10
    assert all(each["aria-hidden"] == "true" for each in seen)
    assert len([each for each in page.all("span") if each.get("class") == "read"]) == (0 if pictures else 5)


NAME = {
    "x": ("", "x"),
    "000123.png": ("", "000123.png"),
    "image_0084.png": ("imag", "e_0084.png"),
    "very long name 0001.jpeg": ("very long name", " 0001.jpeg"),
    "e\u0301" * 11: ("e\u0301", "e\u0301" * 10),
    "\u0301" * 3: ("\u0301" * 3, ""),
    "画像画像0001.png": ("画像画", "像0001.png"),
}


@pytest.mark.parametrize("name", NAME)
def test_where_names_are_cut(name: str) -> None:
    text = round_page(make_view(items=[f"{i}/{name}" for i in range(60)]))
    start, end = NAME[name]
    long = ' class="long"' * (len(start) > 2)
    first = f"<span{long}>{start}</span>" if start else ""
    assert f'<span class="ends file" dir="auto" aria-hidden="true">{first}<span>{end}</span></span>' in text


@pytest.mark.parametrize(
    ("view", "there", "not_there"),
    [
        (lambda: make_view(picks=0), "Nothing was picked.", "Near-duplicates"),
        (lambda: make_view(labelled=0), "Nothing is labeled yet; once the picks are,", "and the nearest labeled"),
        (lambda: make_view(confidence=None), "Coverage", "Confidence"),
        (lambda: make_view(pictures=False), "part-1/59.png", "Frames: thick"),
        (lambda: make_view(losses={}, curves={}, learning=[]), "Coverage", "Training"),
        (lambda: make_view(n=1, labelled=0, picks=1), "1 pick from points", "The map"),
        (lambda: make_view(n=1, labelled=1, picks=0), "picked 0 of 0 items", "The map"),
        (lambda: make_view(n=2, labelled=1, picks=1), "All 2 items.", "t-SNE"),
        (lambda: make_view(n=8, labelled=8, picks=0), "Nothing was picked.", "Coverage "),
        (lambda: make_view(n=8, labelled=4, picks=4), "All 8 items. The first two principal axes", "t-SNE"),
        (lambda: make_view(x=np.zeros((60, 6))), "5 of 5 picks are nearly the same", "nan"),
        (lambda: make_view(x=np.arange(60.0)[:, None]), "The first two principal axes", "nan"),
        (lambda: make_view(confidence=np.full(60, 0.5)), "in 50.0% of all pairs", "almost"),
        (lambda: make_view(confidence_of="the learner"), "higher confidence of the learner in", "by heart"),
        (lambda: make_view(told=["cat (90%)"] * 5), "predicted cat (90%)", "nan"),
        (lambda: make_view(n=400, picks=250), "The first 200 of 250; picks.csv has them all.", "nan"),
    ],
)  # fmt: skip
def test_what_may_be_missing(view: Any, there: str, not_there: str) -> None:
    page = page_of(view())
    assert there in page.words
    assert not_there not in page.words.partition("How it was done")[0]
    numbers = [
        each[key] for _, each in page.tags for key in ("x", "y", "cx", "cy", "d", "points", "transform") if key in each
    ]
    assert not any("nan" in str(number) or "inf" in str(number) for number in numbers)


def test_near_duplicates_are_grouped() -> None:
    x = np.random.default_rng(1).normal(size=(60, 6))
    x[59], x[57] = x[58], x[3]  # two picks are the same, and one is as a labeled item
    page = page_of(make_view(x=x))
    assert "4 of 5 picks are" not in page.words
    assert "3 of 5 picks are nearly the same as another pick or a labeled item." in page.words
    assert "pick 1 part-1/59.png pick 2 part-0/58.png" in page.words
    assert "pick 3 part-1/57.png labeled part-1/3.png" in page.words


# the map


def test_a_large_pool_is_thinned_as_it_says() -> None:
    picks, labelled, near = np.arange(100, 50, -1), np.arange(1000, 1800), np.array([5, 6, 1000, 100])
    thinned = thin(5000, picks, labelled, near, seed=3, most=500)
    assert len(thinned.items) == len(set(thinned.items.tolist())) == 500
    assert set(picks) | {5, 6, 1000} <= set(thinned.items.tolist())
    assert thinned.words.startswith("500 of 5,000 items: all 50 picks, 3 near to these, and drawn at random (seed 3)")
    counts = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", thinned.words.partition("seed 3)")[2])]
    assert counts == [149, 799, 298, 4148]
    assert thin(5000, picks, labelled, near, seed=3, most=500).items.tolist() == thinned.items.tolist()
    assert thin(5000, picks, labelled, near, seed=4, most=500).items.tolist() != thinned.items.tolist()


@pytest.mark.parametrize(("picks", "labelled"), [(4000, 0), (0, 4900), (2500, 2500), (1, 1), (0, 0)])
def test_thinning_holds_its_bound(picks: int, labelled: int) -> None:
    index, known = np.arange(picks), np.arange(5000 - labelled, 5000)
    thinned = thin(5000, index, known, np.arange(picks // 2, 5000, 3), seed=0, most=300)
    assert len(thinned.items) <= 300
    assert set(range(min(picks, 150))) <= set(thinned.items.tolist())
    if picks > 150:
        assert f"the first 150 of {picks:,} picks" in thinned.words


def test_clusters_stay_together_on_the_map() -> None:
    view = make_view(n=200)
    flat = flatten(view.x, 0)
    assert flat.places.min() >= 0
    assert flat.places.max() <= 1
    centres = np.stack([flat.places[k::4].mean(axis=0) for k in range(4)])
    nearest = pairwise_distances(flat.places, centres).argmin(axis=1)
    assert (nearest == np.arange(200) % 4).mean() > 0.9
    assert (flatten(view.x, 0).places == flat.places).all()
    kept = re.findall(r"(\d+)% are among", flat.words)
    assert int(kept[0]) > 50


# pictures


def test_small_pictures_are_packed_without_loss() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 7), dtype=np.uint8)
    packed = pack(image_of(pixels), 56)
    assert (packed.width, packed.height, packed.coarse) == (7, 9, True)
    opened: Any = Image.open(io.BytesIO(base64.b64decode(packed.uri.partition(",")[2])))
    assert (np.asarray(opened).transpose(2, 0, 1) == pixels).all()
    assert image_of(pixels[:1]).mode == "L"
    assert np.asarray(image_of(np.stack([pixels[0]] * 5))).tolist() == pixels[0].tolist()


def test_large_pictures_are_shrunk() -> None:
    packed = pack(Image.new("RGBA", (1000, 501), "red"), 240)
    assert (packed.width, packed.height, packed.coarse) == (240, 120, False)
    assert packed.uri.startswith("data:image/jpeg;base64,")
    assert pack(Image.new("L", (3000, 1)), 240).height == 1


def test_depth_is_bright_where_it_is_near() -> None:
    value = np.array([[1.0, 2.0, 3.0, np.nan]])
    pixels = np.asarray(depth_image_of(value)).astype(int)
    brightness = pixels.sum(axis=2)[0]
    assert brightness[0] > brightness[1] > brightness[2]
    assert pixels[0, 3].tolist() == [225] * 3
    assert (np.asarray(depth_image_of(np.full((2, 2), np.nan))) == 225).all()
    assert depth_image_of(np.ones((2, 2))).size == (2, 2)


def test_skeletons_leave_out_what_is_unknown() -> None:
    drawn = skeleton([(0.0, 0.0), (1.0, 2.0), None], [(0, 1), (1, 2)])
    assert [stroke.path for stroke in drawn] == ["M0.0 0.0L1.0 2.0"]
    assert skeleton([None, None], [(0, 1)]) == []


# rounds


def test_a_round_of_features_writes_its_page(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((40, 5), np.float32))
    (tmp_path / "names.txt").write_text("".join(f"{i}{EVIL}\n" for i in range(40)))
    (tmp_path / "ids.txt").write_text(f"0{EVIL}\n1{EVIL}\n")
    paths = {"features": "x.npy", "items": "names.txt", "labelled": "ids.txt"}
    config = SelectConfig(budget=4, seed=5, min_gap=2, **{key: str(tmp_path / name) for key, name in paths.items()})
    said = list[tuple[str, int, int]]()
    result = Round(config, tmp_path / "round", progress=lambda *what: said.append(what))()
    page = RoundPage((tmp_path / "round" / "report.html").read_text())
    assert [pick["data-item"] for pick in page.picks] == [str(i) for i in result.selection.index.tolist()]
    assert "4 picks from x.npy" in page.words
    assert f"seqgcn select --out {tmp_path / 'round'} --features" in page.words
    assert "in the space of the given features" in page.words
    assert "seed 5" in page.words
    assert "min-gap 2" in page.words
    assert "selector.epochs 200" in page.words
    assert "loss of core-gcn" in page.words
    assert f"torch {torch.__version__}" in page.words
    assert ("report", 1, 1) in said


def test_a_round_of_images_shows_them(fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fakes[1], "predict_proba", lambda self, inputs: torch.eye(4)[[2]].repeat(len(inputs), 1), raising=False
    )
    (tmp_path / "ids.txt").write_text("0\n1\n2\n3\n")
    config = SelectConfig(dataset="digits", labelled=str(tmp_path / "ids.txt"), selector="least-confidence", budget=3)
    result = Round(config, tmp_path / "round")()
    page = RoundPage((tmp_path / "round" / "report.html").read_text())
    images = [each for each in page.all("image") if each["width"] == "8"]
    first = result.pool.inputs[result.selection.index[0]][0].numpy()
    uri = str(images[0]["href"]).partition(",")[2]
    assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))) == first).all()
    assert "higher confidence of the learner in its prediction" in page.words
    assert page.words.count("predicted c (100%)") == 3
    assert "The learner measured no error on held-out labels." in page.words


def test_a_cold_start_says_so(fakes: Any, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("7\n")
    Round(SelectConfig(dataset="digits", budget=3, exclude=str(tmp_path / "out.txt")), tmp_path / "round")()
    page = RoundPage((tmp_path / "round" / "report.html").read_text())
    assert "Nothing was labeled yet, which core-gcn needs: typiclust picked instead." in page.words
    assert "1 of the items without a label could not be picked (candidates, exclude)." in page.words
    assert "in the space of thumbnails" in page.words
    assert "predicted" not in page.words


def test_a_round_of_hands_shows_depth_and_skeletons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_mean_pose(monkeypatch.setitem)
    monkeypatch.setenv("SEQGCN_CACHE", str(tmp_path / "cache"))
    root = render(tmp_path / "icvl", "icvl")
    labelled = keep_labels("icvl", root, tmp_path / "mine.txt", 3)
    make_round(tmp_path / "round", "icvl", root, labelled=str(labelled))
    page = RoundPage((tmp_path / "round" / "report.html").read_text())
    labels = [str(each["aria-label"]) for each in page.all("svg") if each.get("role") == "img"]
    assert (
        sum(label.startswith(("Pick 1: depth with the predicted skeleton of Training/Depth/",)) for label in labels)
        == 1
    )
    pictures = [each for each in page.all("image") if str(each["href"]).startswith("data:image/jpeg")]
    assert len(pictures) >= 4
    bones = [each for each in page.all("path") if each.get("class") == "bone"]
    assert {each["stroke"] for each in bones} >= {"#D55E00", "#56B4E9", "#009E73"}
    assert "the embedding of mean-pose" in page.words
