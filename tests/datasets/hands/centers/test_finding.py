"""Centers of a whole data set: found once, told with source and confidence, and doubted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_releases import save_grey
from hand_scenes import Scene

from seqgcn.datasets.hands import CropOptions, DepthFolder
from seqgcn.datasets.hands.centers.detector import Detection
from seqgcn.datasets.hands.centers.doubt import check_crops
from seqgcn.datasets.hands.centers.found import Centers, jumps
from seqgcn.datasets.hands.centers.localizer import HeldOut
from seqgcn.exceptions import ArgumentError, DataFileError, SeqGCNWarning

PALM = (-120.0, 0.0, 500.0)
FOUND, HELD_OUT = [-110.0, 2.0, 520.0], [-130.0, 5.0, 505.0]
"""Of a fake localizer, near the palm."""


def folder(root: Path, depths: list[np.ndarray], scale: float = 1.0) -> Path:
    root.mkdir(exist_ok=True)
    setup = {"fx": 476, "fy": 476, "cx": 320, "cy": 240, "cube": 250, "joints": ["palm"], "depth_scale": scale}
    (root / "camera.yaml").write_text(json.dumps(setup), encoding="utf-8")
    for i, depth in enumerate(depths):
        save_grey(root / f"seq/{i}.png", (depth / scale).astype(np.uint16))
    return root


def person(x: float = PALM[0]) -> np.ndarray:
    return Scene().torso(800).hand(x, PALM[1], PALM[2]).forearm(x, PALM[1], PALM[2], 75).frame()


def wall() -> np.ndarray:
    return np.full((480, 640), 700, np.float32)


def test_crops_of_a_folder_are_on_the_hand_with_no_option_set(tmp_path: Path, options: CropOptions) -> None:
    hands = DepthFolder(folder(tmp_path / "lab", [person(), person(-110)]), "all", options=options).prepare()
    centers = hands.centers
    assert centers.names == ["rule", "rule"]
    assert (centers.points - torch.tensor(PALM)).norm(dim=1).max() < 45
    assert not centers.doubtful.any()
    assert torch.equal(hands.frames.centre, centers.points)


def test_centers_are_found_once(tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "lab", [person()])
    first = DepthFolder(root, "all", options=options).find()
    monkeypatch.setattr("seqgcn.datasets.hands.centers.searching.candidates_of", None)
    again = DepthFolder(root, "all", options=options).find()
    assert torch.equal(first.points, again.points)
    assert torch.equal(first.confidence, again.confidence)
    with pytest.raises(TypeError):
        DepthFolder(root, "all", options=replace(options, near=20.0)).find()


def test_frames_are_searched_once_whatever_is_labeled_later(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_localizer(monkeypatch, confidence=0.8)
    root = folder(tmp_path / "lab", [person()] * 20 + [wall()] * 4)
    DepthFolder(root, "all", options=options).find()
    monkeypatch.setattr("seqgcn.datasets.hands.centers.searching.candidates_of", None)
    hands = DepthFolder(root, "all", options=options)
    assert "localizer" in hands.learn_from(labeled(hands, 20)).find().names


def test_a_search_that_was_broken_off_goes_on(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "lab", [person()] * 70)
    looked_at = 0

    def until(_stage: str, done: int, _total: int) -> None:
        nonlocal looked_at
        looked_at = done
        if done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DepthFolder(root, "all", options=options).find(until)
    first, seen = looked_at, list[int]()
    found = DepthFolder(root, "all", options=options).find(lambda _stage, done, _total: seen.append(done))
    assert 40 <= first < 70
    assert min(seen) > first
    whole = DepthFolder(root, "all", options=replace(options, cache=str(tmp_path / "other"))).find()
    assert torch.equal(found.points, whole.points)


def test_a_localizer_looks_at_some_frames_at_a_time(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgcn.datasets.hands.centers.finding.AT_ONCE", 5)
    fake_localizer(monkeypatch, confidence=0.8)
    hands = DepthFolder(folder(tmp_path / "lab", [person()] * 20 + [wall()] * 4), "all", options=options)
    found = hands.learn_from(labeled(hands, 20)).find()
    assert found.names == ["localizer"] * 24
    assert found.points[20:].tolist() == [FOUND] * 4


def test_a_damaged_cache_of_centers_is_made_anew(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person()])
    first = DepthFolder(root, "all", options=options).find()
    (cache,) = (tmp_path / "cache").glob("*-centers-*.npz")
    cache.write_bytes(cache.read_bytes()[:100])
    assert torch.equal(DepthFolder(root, "all", options=options).find().points, first.points)


def test_the_fingerprint_tells_where_crops_are_from(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person()])
    prints = {DepthFolder(root, "all", options=replace(options, crop=crop)).fingerprint for crop in ("rule", "mass")}
    assert len(prints) == 2


def test_most_crops_doubtful_is_an_error_with_the_way_out_unless_accepted(
    tmp_path: Path, options: CropOptions, messages: list[str]
) -> None:
    hands = DepthFolder(folder(tmp_path / "lab", [wall(), wall(), person()]), "all", options=options)
    with pytest.raises(DataFileError, match=r"2 of 3 frames.*seqgcn crops.*--accept-crops"):
        check_crops(hands, accept=False)
    check_crops(hands, accept=True)
    assert any("3 by rule; 2 of 3 doubtful" in text for text in messages)


def test_a_few_frames_without_depth_are_left_out_and_named(tmp_path: Path, options: CropOptions) -> None:
    frames = [person()] * 10 + [np.zeros((480, 640), np.float32)]
    root = folder(tmp_path / "lab", frames)
    hands = DepthFolder(root, "all", options=options)
    with pytest.warns(SeqGCNWarning, match=r"1 of 11 frames have no depth.*seq/10\.png"):
        hands.prepare()
    assert len(hands) == len(hands.centers) == 10
    with pytest.raises(DataFileError, match="seq/10"):
        DepthFolder(root, "all", strict=True, options=options).prepare()


def test_the_likeliest_cause_of_many_is_named_first(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person()] * 3)
    with pytest.raises(DataFileError, match=r"3 of 3.*800 mm in the middle.*near and far.*10 and 450"):
        DepthFolder(root, "all", options=replace(options, far=450.0)).prepare()
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\n" + "".join(f"seq/{i}.png,-90,-30,200\n" for i in range(3)), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"3 of 3.*file of centers.*frame,u,v,d"):
        DepthFolder(root, "all", options=replace(options, centers=str(file))).prepare()


def fake_localizer(monkeypatch: pytest.MonkeyPatch, confidence: float) -> list[list[float]]:
    """A localizer that finds the hand at one place, and keeps what it was trained on."""
    learned: list[list[float]] = []

    class Model:
        def calibrated(self, _held: object) -> "Model":
            return self

        def locate(self, grids: np.ndarray, _camera: object) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.tensor([FOUND] * len(grids)), torch.full((len(grids),), confidence)

    def fit(grids: np.ndarray, camera: object, centers: torch.Tensor, **_more: object) -> Model:
        learned.extend(centers.tolist())
        return Model()

    def held_out(grids: np.ndarray, camera: object, centers: torch.Tensor, *_more: object, **_other: object) -> HeldOut:
        m = len(centers)
        points, sure, error = torch.tensor([HELD_OUT] * m), torch.full((m,), 0.9), torch.full((m,), 12.0)
        return HeldOut(points, sure, error, torch.ones(3), None)  # type: ignore[arg-type]

    monkeypatch.setattr("seqgcn.datasets.hands.centers.localizer.Localizer.fit", fit)
    monkeypatch.setattr("seqgcn.datasets.hands.centers.localizer.out_of_fold", held_out)
    return learned


def labeled(hands: DepthFolder, m: int) -> torch.Tensor:
    hands.joints[:m] = torch.tensor(PALM)
    return torch.arange(m)


def test_a_localizer_serves_where_the_rule_is_in_doubt_and_never_with_a_frames_own_joints(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = fake_localizer(monkeypatch, confidence=0.8)
    hands = DepthFolder(folder(tmp_path / "lab", [person()] * 20 + [wall()] * 4), "all", options=options)
    found = hands.learn_from(labeled(hands, 20)).find()
    assert learned == [list(PALM)] * 20
    assert found.names == ["localizer"] * 24
    assert found.points[:20].tolist() == [HELD_OUT] * 20
    assert found.points[20:].tolist() == [FOUND] * 4
    assert "20 labeled frames the localizer is 12 mm off" in found.summary()


def test_what_a_localizer_is_off_by_goes_with_its_crops_and_into_the_fingerprint(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_localizer(monkeypatch, confidence=0.8)
    root = folder(tmp_path / "lab", [person()] * 21)

    def prepared() -> DepthFolder:
        hands = DepthFolder(root, "all", options=replace(options, crop="localizer"))
        return hands.learn_from(labeled(hands, 20)).prepare()

    hands = prepared()
    assert hands.frames.offset == hands.frames[torch.tensor([3])].offset == pytest.approx(1)
    printed = hands.fingerprint
    assert prepared().fingerprint == printed  # from the cache
    assert hands._found is not None
    hands._found = replace(hands._found, residual=torch.full((3,), 9.0))
    assert hands.fingerprint != printed
    by_rule = DepthFolder(root, "all", options=replace(options, crop="rule")).prepare()
    assert by_rule.frames.offset is None


def test_the_rule_stays_where_the_localizer_is_less_sure(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_localizer(monkeypatch, confidence=0.01)
    hands = DepthFolder(folder(tmp_path / "lab", [person()] * 22 + [wall()] * 4), "all", options=options)
    assert hands.learn_from(labeled(hands, 20)).find().names[20:22] == ["rule"] * 2


def test_no_localizer_is_trained_where_the_rule_is_sure_or_labels_are_few(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = fake_localizer(monkeypatch, confidence=0.8)
    sure = DepthFolder(folder(tmp_path / "sure", [person()] * 21), "all", options=options)
    assert set(sure.learn_from(labeled(sure, 20)).find().names) == {"rule"}
    few = DepthFolder(folder(tmp_path / "few", [person()] * 19 + [wall()] * 4), "all", options=options)
    assert set(few.learn_from(labeled(few, 19)).find().names) == {"rule"}
    assert learned == []
    asked = DepthFolder(tmp_path / "few", "all", options=replace(options, crop="localizer"))
    with pytest.raises(ArgumentError, match="20 labeled frames, and 19"):
        asked.learn_from(labeled(asked, 19)).find()


class FakeDetector:
    """Finds a hand at one place, and counts the frames it is shown."""

    looked = 0

    def __enter__(self) -> "FakeDetector":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def detect(self, *_frame: object, **_more: object) -> list[Detection]:
        FakeDetector.looked += 1
        return [Detection(np.zeros((21, 2)), (7.0, 8.0, 700.0), 0.9)]


def test_a_detector_is_asked_where_the_rule_is_in_doubt(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqgcn.datasets.hands.centers.finding.detector_available", lambda: True)
    monkeypatch.setattr("seqgcn.datasets.hands.centers.detector.HandDetector", FakeDetector)
    FakeDetector.looked = 0
    hands = DepthFolder(folder(tmp_path / "lab", [person(), wall()]), "all", options=options)
    found = hands.find()
    assert found.names == ["rule", "detector"]
    assert found.points[1].tolist() == [7, 8, 700]
    assert FakeDetector.looked == 1
    asked = DepthFolder(tmp_path / "lab", "all", options=replace(options, crop="detector")).find()
    assert asked.names == ["detector"] * 2


def test_without_a_detector_it_is_said_that_one_could_help(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    monkeypatch.setattr("seqgcn.datasets.hands.centers.finding.detector_available", lambda: False)
    DepthFolder(folder(tmp_path / "lab", [wall()]), "all", options=options).find()
    assert "seqgcn[mediapipe]" in messages[0]


def test_a_file_of_centers_serves_by_name(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person(), person(-110)])
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\nseq/1.png,-110,0,500\nseq/0.png,-120,0,500\n", encoding="utf-8")
    hands = DepthFolder(root, "all", options=replace(options, centers=str(file))).prepare()
    assert hands.centers.names == ["file", "file"]
    assert hands.centers.points.tolist() == [[-120, 0, 500], [-110, 0, 500]]


def test_a_file_of_some_centers_leaves_the_others_to_the_rule(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person(), person(-110)])
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\nseq/1.png,-90,0,500\n", encoding="utf-8")
    chosen = replace(options, centers=str(file))
    hands = DepthFolder(root, "all", options=chosen).prepare()
    assert hands.centers.names == ["rule", "file"]
    assert hands.centers.points[1].tolist() == [-90, 0, 500]
    assert hands.centers.confidence[1] == 1
    strict = DepthFolder(root, "all", options=replace(chosen, crop="file"))
    assert strict.files == ["seq/1.png"]


def test_one_given_center_tells_which_of_two_hands_is_meant_in_its_sequence(
    tmp_path: Path, options: CropOptions
) -> None:
    scene = Scene().torso(800)
    for x in (-180.0, 180.0):
        scene = scene.hand(x, 0, 500).forearm(x, 0, 500, 75)
    root = folder(tmp_path / "lab", [scene.frame()] * 4)
    taken = DepthFolder(root, "all", options=options).find()
    side = -float(taken.points[0, 0].sign())
    file = tmp_path / "centers.csv"
    file.write_text(f"frame,x,y,z\nseq/1.png,{180 * side},0,500\n", encoding="utf-8")
    found = DepthFolder(root, "all", options=replace(options, centers=str(file))).find()
    assert taken.doubtful.all()
    assert (found.points[:, 0] * side > 100).all()
    assert not found.doubtful.any()
    assert found.names == ["rule", "file", "rule", "rule"]


def test_a_localizer_learns_from_given_centers_too(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = fake_localizer(monkeypatch, confidence=0.8)
    root = folder(tmp_path / "lab", [person()] * 21 + [wall()] * 4)
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\n" + "".join(f"seq/{i}.png,-90,{i - 5},500\n" for i in range(20)), encoding="utf-8")
    found = DepthFolder(root, "all", options=replace(options, centers=str(file))).find()
    assert learned == [[-90.0, i - 5.0, 500.0] for i in range(20)]
    assert found.names == ["file"] * 20 + ["localizer"] * 5


def test_a_localizer_is_trained_on_enough_given_centers_even_where_the_rule_is_sure(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule may be sure of a wrong place; not where nearly all are given."""
    learned = fake_localizer(monkeypatch, confidence=0.8)
    root = folder(tmp_path / "lab", [person()] * 22)
    file = tmp_path / "centers.csv"
    rows = [f"seq/{i}.png,-90,{i - 5},500\n" for i in range(21)]
    file.write_text("frame,x,y,z\n" + "".join(rows[:20]), encoding="utf-8")
    found = DepthFolder(root, "all", options=replace(options, centers=str(file))).find()
    assert found.names == ["file"] * 20 + ["localizer"] * 2
    learned.clear()
    file.write_text("frame,x,y,z\n" + "".join(rows), encoding="utf-8")
    assert DepthFolder(root, "all", options=replace(options, centers=str(file))).find().names[21] == "rule"
    assert learned == []


@pytest.mark.parametrize(("off", "trained"), [(100.0, True), (10.0, False)])
def test_a_localizer_is_trained_where_the_rule_is_off_on_labeled_frames(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch, off: float, trained: bool
) -> None:
    """The rule is sure of every frame; only the labels tell that the hand is elsewhere."""
    learned = fake_localizer(monkeypatch, confidence=0.8)
    hands = DepthFolder(folder(tmp_path / "lab", [person()] * 22), "all", options=options)
    sure = hands.subset(torch.arange(22)).find()
    assert not sure.doubtful.any()
    hands.joints[:20, :] = sure.points[:20].unsqueeze(1) + torch.tensor([off, 0.0, 0.0])
    hands.learn_from(torch.arange(20)).find()
    assert bool(learned) == trained


@pytest.mark.parametrize(
    ("off", "learned", "source"),
    [(300.0, 0.0, "localizer"), (60.0, 0.0, "localizer"), (60.0, 90.0, "rule"), (300.0, 400.0, "rule")],
)
def test_an_unsure_localizer_decides_if_it_is_nearer_to_the_known_centers(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch, off: float, learned: float, source: str
) -> None:
    """The rule may be sure of something else than the hand, or of another place on it, as given centers tell."""
    fake_localizer(monkeypatch, confidence=0.4)
    root = folder(tmp_path / "lab", [person()] * 22)
    place = (PALM[0] + off, PALM[1], PALM[2])

    def held_out(grids: np.ndarray, camera: object, centers: torch.Tensor, *_more: object, **_other: object) -> HeldOut:
        m = len(centers)
        points, sure, error = torch.tensor([place] * m), torch.full((m,), 0.4), torch.zeros(m)
        points[:, 1] += learned
        return HeldOut(points, sure, error, torch.ones(3), None)  # type: ignore[arg-type]

    monkeypatch.setattr("seqgcn.datasets.hands.centers.localizer.out_of_fold", held_out)
    file = tmp_path / "centers.csv"
    rows = "".join(f"seq/{i}.png,{place[0]},{place[1]},{place[2]}\n" for i in range(20))
    file.write_text(f"frame,x mm,y mm,z mm\n{rows}", encoding="utf-8")
    found = DepthFolder(root, "all", options=replace(options, centers=str(file))).find()
    assert found.names[20:] == [source] * 2


@pytest.mark.parametrize(("both", "center"), [(None, "palm"), ("palm", "palm"), ("mean", "mean")])
def test_beside_centers_of_a_file_the_center_of_a_pose_is_of_the_same_kind(
    tmp_path: Path, options: CropOptions, monkeypatch: pytest.MonkeyPatch, both: str | None, center: str
) -> None:
    """Palms that were clicked and means of joints are 50 mm apart: a localizer must not learn both."""
    learned = fake_localizer(monkeypatch, confidence=0.8)
    root = folder(tmp_path / "lab", [person()] * 24)
    setup = json.loads((root / "camera.yaml").read_text())
    (root / "camera.yaml").write_text(json.dumps({**setup, "joints": ["palm", "tip"]}))
    file = tmp_path / "centers.csv"
    given = {"palm": -120.0, "mean": -70.0}
    rows = [f"seq/{i}.png,{given[both or 'palm']},0,500\n" for i in range(0 if both else 4, 20)]
    file.write_text("frame,x,y,z\n" + "".join(rows), encoding="utf-8")
    hands = DepthFolder(root, "all", options=replace(options, centers=str(file)))
    hands.joints[:4] = hands.joints[20:22] = torch.tensor([PALM, (-20.0, 0.0, 500.0)])
    known = torch.tensor([0, 1, 2, 3, 20, 21])
    found = hands.learn_from(known).find()
    assert found.names[22:] == ["localizer"] * 2
    assert len(learned) == 22
    assert learned[-1] == [given[center], 0.0, 500.0]


def test_frames_without_a_hand_are_left_out(tmp_path: Path, options: CropOptions) -> None:
    root = folder(tmp_path / "lab", [person(), person(-110), wall()])
    file = tmp_path / "centers.csv"
    file.write_text("frame,x,y,z\nseq/2.png,no hand,,\nseq/0.png,-120,0,500\n", encoding="utf-8")
    hands = DepthFolder(root, "all", options=replace(options, centers=str(file))).prepare()
    assert hands.files == ["seq/0.png", "seq/1.png"]
    assert hands.skipped["no hand"] == 1
    assert hands.centers.names == ["file", "rule"]


def test_older_names_of_options_are_accepted() -> None:
    assert CropOptions(centre="oracle").crop == "oracle"
    assert CropOptions(centre="file", centres="c.txt").centers == "c.txt"
    assert replace(CropOptions(centre="mass"), centre="oracle").crop == "oracle"
    with pytest.raises(ArgumentError, match="go together"):
        CropOptions(crop="rule", centers="c.txt")
    with pytest.raises(ArgumentError, match="go together"):
        CropOptions(crop="file")


def test_a_center_that_jumps_away_and_back_is_told() -> None:
    points = torch.tensor([[0.0, 0, 500], [10, 0, 500], [400, 0, 500], [20, 0, 500], [30, 0, 500]])
    assert jumps(points, torch.zeros(5)).tolist() == [False, False, True, False, False]
    assert not jumps(points, torch.tensor([0, 0, 0, 1, 1])).any()
    assert jumps(points[:2], torch.zeros(2)).tolist() == [False, False]


def test_a_summary_counts_sources_and_doubts() -> None:
    found = Centers(
        torch.zeros(3, 3),
        np.array([0, 2, 2], np.uint8),
        torch.tensor([1.0, 0.9, 0.1]),
        torch.tensor([10.0, 20.0, 30.0]),
    )
    assert "1 by file, 2 by rule; 1 of 3 doubtful" in found.summary()
    assert "3 labeled frames" in found.summary()
    assert "20 mm" in found.summary()
    assert "within 40 mm in 100%" in found.summary()
    assert found.offset is None
    learned = replace(found, source=np.ones(3, np.uint8), residual=torch.tensor([3.0, 4.0, 5.0]))
    assert learned.offset == pytest.approx((50 / 3) ** 0.5)
