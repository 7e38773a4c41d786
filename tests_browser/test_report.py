"""The page of `evaluate` in a real browser."""

import json

import numpy as np
import pytest
from browser import Page, driver
from handmade import (
    certain,
    make_attention,
    make_classifier,
    make_features,
    make_fused,
    make_search,
    make_split,
)
from PIL import Image
from typer.testing import CliRunner

from adcat.cli.app import app
from adcat.workspace.layout import Workspace

HOSTILE = "<script>alert(1)</script>"
BREAKING_OUT = '"><img src=x onerror=alert(2)>'
CATEGORIES = ["bikes", f"cars {HOSTILE}", "sofas"]
MODELS = ["text", "image", "max", "nn", "attend-c-wh"]
TEST = [0, 0, 1, 1, 2, 2]
TEXT = [0, 0, 0, 0, 1, 2]
IMAGE = [0, 1, 1, 2, 0, 2]


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The page of a workspace whose every ad has a hostile title."""
    folder = tmp_path_factory.mktemp("report")
    workspace = Workspace(folder / "w")
    labels = {"train": [0, 1, 2], "validation": [0, 1, 2], "test": TEST}
    titles = {part: [HOSTILE + BREAKING_OUT] * len(ads) for part, ads in labels.items()}
    for i in range(len(TEST)):
        Image.new("RGB", (40, 30), (200, 30 * i, 0)).save(folder / f"test-{i}.png")
    make_split(workspace, CATEGORIES, labels, folder, titles)
    for modality in ("text", "image"):
        make_classifier(workspace, modality)
    both = {"text": certain(TEXT, 3), "image": certain(IMAGE, 3)}
    steering = {"text": certain([0, 1, 2], 3), "image": certain([0, 1, 0], 3)}
    make_features(workspace, {"validation": steering, "test": both})
    mixed = {"validation": certain([0, 1, 1], 3), "test": certain(TEXT, 3)}
    make_fused(workspace, "max", mixed)
    make_fused(workspace, "nn", mixed, "nn", history=HISTORY)
    make_attention(workspace, "c-wh", mixed, np.full((len(TEST), 9), 1 / 9))
    make_search(workspace, *[(point, "wh", 0.1, [0.2, 0.5, 0.4]) for point in "abcde"])
    result = CliRunner().invoke(app, ["-w", str(workspace.root), "evaluate", "--compare", "thesis"])
    assert result.exit_code == 0, result.output
    return workspace.evaluation / "report.html"


HISTORY = [
    {
        "epoch": epoch,
        "step": step,
        "learning_rate": 0.1,
        "validation_top1": step / 10,
        "validation_loss": 2 / step,
    }
    for epoch, step in [(1, 1), (1, 2), (2, 3), (2, 4)]
]


@pytest.fixture(scope="session")
def chromedriver():
    with driver() as address:
        yield address


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide and light", "phone and dark"])
def page(request, chromedriver, report, tmp_path):
    width, scheme = request.param
    arguments = [f"--window-size={width},900"]
    if scheme == "dark":
        arguments.append("--blink-settings=preferredColorScheme=0")
    made = Page(chromedriver, tmp_path, arguments)
    made.open(report)
    yield made
    made.close()


def test_the_console_is_silent_and_nothing_is_asked_for_but_the_page(page, report):
    page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    page.run("for (const one of document.images) one.loading = 'eager'")
    assert page.console() == []
    assert page.requests(report) == [report.as_uri()]


def test_a_page_that_asks_for_more_would_be_noticed(page, tmp_path):
    other = tmp_path / "other.html"
    picture = "http://127.0.0.1:1/picture.png"
    other.write_text(f"<img src='{picture}'><script>alert(1); missing()</script>")
    page.open(other)
    assert page.dialog() == "1"
    page.accept()
    assert picture in page.requests(other)
    assert any("missing is not defined" in line for line in page.console())


def test_what_users_typed_is_text(page):
    assert page.dialog() is None
    assert page.run("return document.querySelectorAll('script').length") == 1
    titles = page.run("return [...document.querySelectorAll('.title')].map(one => one.textContent)")
    assert titles
    assert set(titles) == {HOSTILE + BREAKING_OUT}
    assert page.run("return document.body.textContent.includes(arguments[0])", CATEGORIES[1])


def test_every_picture_is_there_and_described(page):
    page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    page.run("for (const one of document.images) one.loading = 'eager'")
    pictures = page.run(
        "return Promise.all([...document.images].map("
        "one => one.decode().then(() => [one.naturalWidth, one.alt])))"
    )
    assert len(pictures) > len(TEST)
    assert all(width > 0 and alt for width, alt in pictures)


def test_a_click_on_a_heading_sorts_its_table_and_another_turns_it_round(page):
    column = (
        "const table = document.querySelector('#models ~ .scroll table');"
        "const heading = [...table.tHead.rows[0].cells].find(one => "
        "one.textContent.trim() === arguments[0]);"
    )
    cells = column + (
        "heading.querySelector('button').click();"
        "return [heading.getAttribute('aria-sort'), [...table.tBodies[0].rows].map("
        "row => row.cells[heading.cellIndex].textContent.trim())]"
    )
    direction, models = page.run(cells, "model")
    assert (direction, models) == ("ascending", sorted(MODELS))
    direction, models = page.run(cells, "model")
    assert (direction, models) == ("descending", sorted(MODELS, reverse=True))
    direction, shares = page.run(cells, "top-1")
    values = [float(share.rstrip("%")) for share in shares]
    assert (direction, values) == ("descending", sorted(values, reverse=True))
    direction, differences = page.run(cells, "p")
    assert differences[-1] == ""  # the baseline's own stays last
    assert page.run(cells, "p")[1][-1] == ""


def test_the_page_is_as_wide_as_the_window(page):
    width, inside = page.run(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width == inside


def test_a_row_keeps_its_name_when_its_table_is_pushed_aside(page):
    moved, left, name, other = page.run(
        "const box = document.querySelector('#models ~ .scroll');"
        "const cells = box.querySelector('tbody tr').cells;"
        "const place = cell => cell.getBoundingClientRect().left;"
        "const before = place(cells[1]);"
        "box.scrollLeft = 1000;"
        "return [before - place(cells[1]), place(box), place(cells[0]), box.scrollLeft]"
    )
    assert moved == pytest.approx(other, abs=1)
    assert name == pytest.approx(left, abs=1)


def test_the_pictures_of_attention_are_large_enough_to_read(page):
    wide = page.run("return [...document.querySelectorAll('.wide img')].map(one => one.width)")
    assert len(wide) == 5  # reliability, Figures 5.9 to 5.11, mean maps
    assert min(wide) >= 896


def test_light_and_dark_have_paper_and_ink_far_apart(page):
    colors = page.run(
        "const style = getComputedStyle(document.body);"
        "return [style.backgroundColor, style.color].map(one => one.match(/\\d+/g).map(Number))"
    )
    paper, ink = (np.mean(color[:3]) for color in colors)
    is_dark = page.run("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert abs(paper - ink) > 180
    assert (paper < ink) == is_dark


def test_every_entry_of_the_contents_leads_somewhere(page):
    missing = page.run(
        "return [...document.querySelectorAll('a[href^=\"#\"]')]"
        ".filter(one => !document.querySelector(one.hash)).length"
    )
    assert missing == 0
    headings = json.loads(
        page.run(
            "return JSON.stringify([...document.querySelectorAll('nav a')].map("
            "one => document.querySelector(one.hash).textContent === one.textContent))"
        )
    )
    assert headings
    assert all(headings)
