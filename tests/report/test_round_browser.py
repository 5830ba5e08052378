"""The page of a round in a real browser: Chromium and its driver, skipped where these are not installed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report.round_views import EVIL, make_view

from seqgcn.report.html import round_page

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")

POINTS = np.random.default_rng(0).normal(size=(80, 6))
POINTS[69] = POINTS[68]  # the last two picks are the same
VIEW = make_view(n=80, picks=12, x=POINTS, items=[f"all/{i}{EVIL}" for i in range(80)])


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    # Root has no sandbox.
    for argument in [*arguments, *(["--no-sandbox"] if os.geteuid() == 0 else [])]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(round_page(VIEW))
    return path.as_uri()


@pytest.fixture
def page(driver: Any, address: str) -> Iterator[Any]:
    """The page as it is when it is opened; nothing it does may reach the console as an error or a warning."""
    resize(driver, 1200)
    driver.get(address)
    yield driver
    assert driver.get_log("browser") == []


def resize(driver: Any, width: int, *, dark: bool = False, scripts: bool = True) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})


def press(page: Any, key: str) -> None:
    page.switch_to.active_element.send_keys(key)


def lit(page: Any, name: str) -> set[str]:
    """Items on the map that are marked so."""
    return {dot.get_attribute("id")[1:] for dot in page.find_elements(By.CSS_SELECTOR, f"#map .{name}")}


def wait_for(page: Any, rank: int | None) -> None:
    """Until this pick is open and no other, and the map shows it."""

    def there(_driver: Any) -> bool:
        opened = page.find_elements(By.CSS_SELECTOR, "details.pick[open]")
        chosen = {str(VIEW.picks[rank - 1])} if rank else set()
        return [each.get_attribute("id") for each in opened] == [f"pick-{rank}"] * bool(rank) and lit(
            page, "chosen"
        ) == chosen

    WebDriverWait(page, 5, 0.02).until(there, f"pick {rank} alone is open")


def focused(page: Any) -> str:
    return str(page.execute_script("return document.activeElement.parentElement.id"))


def test_a_click_lights_up_the_map_and_escape_clears_it(page: Any) -> None:
    hint = page.find_element(By.ID, "said").text
    page.find_element(By.CSS_SELECTOR, "#pick-3 summary").click()
    wait_for(page, 3)
    pick = page.find_element(By.ID, "pick-3")
    assert lit(page, "near") == set(pick.get_attribute("data-near").split())
    assert lit(page, "own") == {str(i) for i in range(80) if VIEW.by[i] == VIEW.picks[2]}
    assert page.find_element(By.ID, "said").text.startswith("Pick 3 stands for ")
    assert all(text in pick.text for text in ("score", "nearest labeled", "stands for", f"all/77{EVIL}"))
    assert pick.find_element(By.CSS_SELECTOR, "svg.graph").is_displayed()
    opacity = page.find_element(By.CSS_SELECTOR, "#map .rest:not(.own, .near)").value_of_css_property("opacity")
    assert float(opacity) < 0.3
    page.find_element(By.CSS_SELECTOR, "#pick-5 summary").click()
    wait_for(page, 5)
    press(page, Keys.ESCAPE)
    wait_for(page, None)
    assert focused(page) == "pick-5"
    assert lit(page, "near") == lit(page, "own") == set()
    assert page.find_element(By.ID, "said").text == hint
    assert "lit" not in page.find_element(By.ID, "map").get_attribute("class").split()


def test_a_second_click_closes(page: Any) -> None:
    summary = page.find_element(By.CSS_SELECTOR, "#pick-1 summary")
    summary.click()
    wait_for(page, 1)
    summary.click()
    wait_for(page, None)


def test_keys_reach_and_open_the_picks(page: Any) -> None:
    for _ in range(3):
        press(page, Keys.TAB)
        if focused(page) == "pick-1":
            break
    assert focused(page) == "pick-1"
    press(page, Keys.ARROW_RIGHT)
    assert focused(page) == "pick-2"
    wait_for(page, None)
    press(page, Keys.ENTER)
    wait_for(page, 2)
    press(page, Keys.ARROW_RIGHT)
    wait_for(page, 3)
    press(page, Keys.END)
    wait_for(page, 12)
    assert focused(page) == "pick-12"
    press(page, Keys.ARROW_RIGHT)
    wait_for(page, 12)
    press(page, Keys.HOME)
    wait_for(page, 1)
    press(page, Keys.ESCAPE)
    columns = page.execute_script("return getComputedStyle(document.querySelector('.sheet')).gridTemplateColumns")
    press(page, Keys.ARROW_DOWN)
    assert focused(page) == f"pick-{1 + len(columns.split())}"
    press(page, Keys.ARROW_UP)
    assert focused(page) == "pick-1"


def test_picks_open_from_the_map_and_from_near_duplicates(page: Any) -> None:
    click_on_map(page, int(VIEW.picks[7]))
    wait_for(page, 8)
    link = page.find_element(By.CSS_SELECTOR, ".twins a[href='#pick-11']")
    link.click()
    wait_for(page, 11)
    top = page.execute_script("return document.getElementById('pick-11').getBoundingClientRect().top")
    assert -1 <= top < 800


def click_on_map(page: Any, item: int) -> None:
    # Others may lie over it.
    dot = page.find_element(By.ID, f"n{item}")
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", dot)


def test_picks_beyond_the_sheet_are_shown_from_the_map(driver: Any, tmp_path: Path) -> None:
    view = make_view(n=400, picks=230, pictures=False)
    path = tmp_path / "many.html"
    path.write_text(round_page(view), encoding="utf-8")
    resize(driver, 1200)
    driver.get(path.as_uri())
    said = driver.find_element(By.ID, "said")
    hint = said.text

    def wait(chosen: int | None, opened: str | None) -> None:
        def there(_driver: Any) -> bool:
            now = [each.get_attribute("id") for each in driver.find_elements(By.CSS_SELECTOR, "details.pick[open]")]
            return now == [opened] * bool(opened) and lit(driver, "chosen") == {str(chosen)} - {"None"}

        WebDriverWait(driver, 5, 0.02).until(there, f"{chosen} alone is shown")
        assert ("lit" in driver.find_element(By.ID, "map").get_attribute("class").split()) == (chosen is not None)

    rank = next(rank for rank in range(201, 231) if view.stands_for[rank - 1] > 1)
    item, count = 400 - rank, int(view.stands_for[rank - 1])
    driver.find_element(By.CSS_SELECTOR, "#pick-3 summary").click()
    wait(397, "pick-3")
    click_on_map(driver, item)
    wait(item, None)
    assert said.text == f"Pick {rank}, part-{item % 2}/{item}.png, stands for {count} items (large dots)."
    assert lit(driver, "own") == {str(i) for i in range(400) if view.by[i] == item}
    assert lit(driver, "near") == set()
    # Another one, and what the sheet has, take its place.
    click_on_map(driver, 170)
    wait(170, None)
    assert said.text.startswith("Pick 230, part-0/170.png, stands for ")
    click_on_map(driver, 398)
    wait(398, "pick-2")
    assert said.text.startswith("Pick 2 stands for ")
    driver.find_element(By.CSS_SELECTOR, "#pick-2 summary").click()
    wait(None, None)
    assert said.text == hint
    # Escape and a second click clear it.
    click_on_map(driver, item)
    wait(item, None)
    press(driver, Keys.ESCAPE)
    wait(None, None)
    click_on_map(driver, item)
    wait(item, None)
    click_on_map(driver, item)
    wait(None, None)
    assert said.text == hint
    assert "Of picks after the first 200, which are not in the sheet, it shows what they stand for." in hint
    # No dot is a stop of the keyboard: the picks of the sheet are, as ever, and one list of all others.
    far = driver.find_element(By.ID, "far")
    assert driver.execute_script("return document.querySelectorAll('#map [tabindex]').length") == 0
    far.send_keys("230")
    wait(170, None)
    assert said.text.startswith("Pick 230, part-0/170.png, stands for ")
    far.send_keys(Keys.ARROW_UP)
    wait(171, None)
    press(driver, Keys.ESCAPE)
    wait(None, None)
    assert far.get_property("value") == ""
    # The list names what was chosen elsewhere.
    click_on_map(driver, 170)
    wait(170, None)
    assert far.get_property("value") == "n170"
    driver.find_element(By.CSS_SELECTOR, "#pick-2 summary").click()
    wait(398, "pick-2")
    assert far.get_property("value") == ""
    assert driver.get_log("browser") == []


def test_near_duplicates_beyond_the_sheet_are_links(driver: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(400, 6))
    x[170] = x[171]
    path = tmp_path / "many.html"
    path.write_text(round_page(make_view(n=400, picks=230, x=x, pictures=False)), encoding="utf-8")
    resize(driver, 390)
    driver.get(path.as_uri())
    link = driver.find_element(By.CSS_SELECTOR, ".twins a[href='#n170']")
    assert link.text == "pick 230"
    link.send_keys(Keys.ENTER)
    WebDriverWait(driver, 5, 0.02).until(lambda _: lit(driver, "chosen") == {"170"})
    assert driver.switch_to.active_element.get_attribute("id") == "far"
    box = driver.execute_script(
        "const b = document.getElementById('map').getBoundingClientRect(); return [b.top, b.bottom]"
    )
    assert box[0] > -1
    assert box[1] < 801
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
    resize(driver, 390, scripts=False)
    try:
        driver.get(path.as_uri())
        assert not driver.find_element(By.ID, "far").is_displayed()
    finally:
        resize(driver, 1200)


@pytest.mark.parametrize("width", [320, 390, 800, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_scrolls_sideways(page: Any, width: int, dark: bool) -> None:
    resize(page, width, dark=dark)
    page.find_element(By.CSS_SELECTOR, "#pick-2 summary").click()
    wait_for(page, 2)
    page.execute_script("for (const each of document.querySelectorAll('details:not(.pick)')) each.open = true")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    colour = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)")
    # The map stays in sight beside what is open.
    box = page.execute_script(
        "const b = document.getElementById('map').getBoundingClientRect(); return [b.top, b.bottom]"
    )
    assert box[1] > 0
    assert box[0] < 800


COMMAND = (
    "seqgcn select --out '/home/me/my  rounds/round 02' --dataset icvl --root /data/hands/icvl/a-folder-with-a-name-"
    f"too-long-for-any-telephone-{'x' * 80}/part --labelled labelled.txt --selector core-gcn --min-gap 5 --items "
    "'it'\"'\"'s <b>&amp;</b> $HOME'"
)


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_the_command_is_seen_and_copied_whole(driver: Any, tmp_path: Path, width: int) -> None:
    path = tmp_path / "command.html"
    path.write_text(round_page(make_view(command=COMMAND)), encoding="utf-8")
    resize(driver, width)
    driver.get(path.as_uri())
    box = driver.find_element(By.TAG_NAME, "pre")
    assert box.get_property("scrollWidth") <= box.get_property("clientWidth") < width
    copied = driver.execute_script(
        "const s = getSelection(); s.selectAllChildren(document.querySelector('pre')); return s.toString()"
    )
    assert copied.removesuffix("\n") == COMMAND
    words = [each for each in box.find_elements(By.TAG_NAME, "span") if each.text.startswith("--")]
    assert [word.text for word in words] == [word for word in COMMAND.split() if word.startswith("--")]
    assert all(word.rect["height"] < 25 for word in words)  # no line ends within an option


@pytest.mark.parametrize("width", [320, 390, 600, 800, 1200])
def test_figures_stand_in_columns(driver: Any, address: str, width: int) -> None:
    resize(driver, width)
    driver.get(address)
    places = driver.execute_script(
        "return [...document.querySelectorAll('.figures div')].map(e => [e.getBoundingClientRect().y, e.offsetLeft])"
    )
    rows: dict[float, list[int]] = {}
    for y, x in places:
        rows.setdefault(y, []).append(x)
    first, *others = rows.values()
    assert len(first) > 1
    assert all(row == first[: len(row)] for row in others)


NAMES = [
    "sequence_001/000123.png",
    "Training/Depth/201401010002/image_0084.png",
    EVIL,
    "ümlaut, comma's very long name of a picture 0001.jpeg",
    "im059.png",
    "i000123.png",
    "2014010100020001234567890123.png",
]


@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("pictures", [True, False])
def test_names_on_the_sheet_keep_their_ends(driver: Any, tmp_path: Path, width: int, pictures: bool) -> None:
    items = [*[f"{i}.png" for i in range(60 - len(NAMES))], *NAMES[::-1]]
    path = tmp_path / "names.html"
    path.write_text(round_page(make_view(picks=len(NAMES), items=items, pictures=pictures)), encoding="utf-8")
    resize(driver, width)
    driver.get(path.as_uri())
    cards = driver.find_elements(By.CSS_SELECTOR, ".pick .label")
    assert [card.get_attribute("title") for card in cards] == NAMES
    for card, name in zip(cards, NAMES, strict=True):
        lines = card.find_elements(By.CSS_SELECTOR, ".ends")
        assert len(lines) == 1 + ("/" in name)
        for line in lines:
            assert line.rect["height"] < 20  # one line of text
            end = line.find_elements(By.TAG_NAME, "span")[-1]
            boxes = [each.rect for each in (end, line, card)]
            assert [box["x"] for box in boxes] == pytest.approx(
                sorted((box["x"] for box in boxes), reverse=True), abs=1
            )
            last = [box["x"] + box["width"] for box in boxes]
            assert last == pytest.approx(sorted(last), abs=1)
        *_, end = lines[-1].find_elements(By.TAG_NAME, "span")
        assert end.get_attribute("textContent") == name.rpartition("/")[2][-10:]
    # Of what is cut there is room for an ellipsis.
    cut = driver.find_element(By.XPATH, "//*[@class='label'][contains(@title, 'ümlaut')]//*[@class='long']")
    seen, whole = (cut.get_property(name) for name in ("clientWidth", "scrollWidth"))
    assert 10 < seen < whole
    assert cut.value_of_css_property("text-overflow") == "ellipsis"


def test_without_scripts_picks_open_all_the_same(driver: Any, address: str) -> None:
    resize(driver, 1200, scripts=False)
    try:
        driver.get(address)
        driver.find_element(By.CSS_SELECTOR, "#pick-2 summary").click()
        assert driver.find_element(By.CSS_SELECTOR, "#pick-2 .panel").is_displayed()
        assert driver.find_element(By.CSS_SELECTOR, "#pick-2 svg.graph").is_displayed()
    finally:
        resize(driver, 1200)


def test_names_are_text_and_nothing_is_loaded(page: Any) -> None:
    assert EVIL in page.find_element(By.ID, "pick-1").get_attribute("textContent")
    assert page.execute_script("return document.scripts.length") == 1
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_scripts_put_into_the_page_do_not_run(driver: Any, tmp_path: Path) -> None:
    path = tmp_path / "changed.html"
    path.write_text(round_page(VIEW).replace("</main>", "<script>document.title = 'taken'</script></main>"))
    driver.get(path.as_uri())
    assert driver.title == "12 picks from points"
    assert [each["source"] for each in driver.get_log("browser")] == ["security"]
