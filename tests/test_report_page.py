import base64
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from adcat.plotting.charts import Chart, Panel, Series
from adcat.report.embedded_images import thumbnail
from adcat.report.page import (
    Card,
    Drawing,
    Gallery,
    Picture,
    Remark,
    Section,
    Shown,
    adapted,
    drawn,
    render,
    write_files,
)
from adcat.tables import Column, Table, percent

HOSTILE = "<script>alert(1)</script>\"'&"


class Text(HTMLParser):
    """Collects elements and text as a browser would see them."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.addresses, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def make_page(folder, *blocks):
    sections = [Section("first", f"First {HOSTILE}", f"Conclusion {HOSTILE}", blocks)]
    write_files(folder, sections)
    return render(HOSTILE, HOSTILE, sections, folder / "figures")


def all_blocks():
    table = Table(HOSTILE, [Column(HOSTILE), percent("share")], [[HOSTILE, 0.5], ["b", None]])
    chart = Chart([Panel([Series(HOSTILE, [0, 1], [1, 0])])], HOSTILE, "y (%)")
    card = Card("", HOSTILE, HOSTILE, {HOSTILE: [(HOSTILE, 0.5)]})
    return [
        Shown(table, "table", HOSTILE, [(Column(HOSTILE), [HOSTILE, None])]),
        Drawing(chart, "figure", HOSTILE, HOSTILE),
        Picture(drawn("<svg width='1'><path style='fill: #ffffff'/></svg>"), HOSTILE, HOSTILE),
        Gallery(HOSTILE, [(HOSTILE, [card])]),
        Remark(HOSTILE),
    ]


def test_whatever_is_shown_is_text(tmp_path):
    page = make_page(tmp_path, *all_blocks())
    found = Text(page)
    tags = [tag for tag, _ in found.elements]
    assert tags.count("script") == 1
    assert found.text.count(HOSTILE) >= 14
    assert all(value != "alert(1)" for _, attrs in found.elements for value in attrs.values())


def test_a_page_needs_nothing_but_itself(tmp_path):
    page = make_page(tmp_path, *all_blocks())
    addresses = Text(page).addresses
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_only_script_is_the_one_that_the_page_allows(tmp_path):
    import hashlib

    page = make_page(tmp_path, Remark("nothing"))
    allowed = re.search(r"script-src 'sha256-([^']+)'", page)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert allowed
    assert script
    assert base64.b64decode(allowed[1]) == hashlib.sha256(script[1].encode()).digest()


def test_tables_and_charts_are_files_too_without_what_stands_beside_them(tmp_path):
    page = make_page(tmp_path, *all_blocks())
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert names == ["figures/figure.png", "figures/figure.svg", "tables/table.csv",
                     "tables/table.md"]  # fmt: skip
    assert len((tmp_path / "tables/table.csv").read_text().splitlines()[0].split(",")) == 2
    assert '<td class="number" data-value="0.5">50.00%</td>' in page


def test_headings_have_anchors_that_the_contents_name(tmp_path):
    page = make_page(tmp_path, Remark("nothing"))
    found = Text(page)
    anchors = {attrs["id"] for _, attrs in found.elements if "id" in attrs}
    links = {a["href"][1:] for _, a in found.elements if a.get("href", "").startswith("#")}
    assert links == {"first"} <= anchors


def test_a_drawing_loses_its_paper_and_changes_its_ink():
    svg = '<?xml?><svg xmlns="x" width="1"><path style="fill: #ffffff; stroke: #000000"/></svg>'
    found = adapted(svg)
    assert "fill: none; stroke: currentColor" in found
    assert "prefers-color-scheme:dark" in found
    assert found.index("<style>") < found.index("<path")


def test_thumbnails_are_small_jpegs(tmp_path):
    Image.effect_noise((2000, 1000), 80).convert("RGB").save(tmp_path / "photo.png")
    head, _, content = thumbnail(str(tmp_path / "photo.png")).partition(",")
    assert head == "data:image/jpeg;base64"
    assert len(content) < 20_000
    (tmp_path / "small.jpg").write_bytes(base64.b64decode(content))
    with Image.open(tmp_path / "small.jpg") as small:
        assert small.size == (160, 80)


@pytest.mark.parametrize("content", [None, b"no photo"])
def test_a_photo_that_cannot_be_opened_is_told(content, tmp_path):
    if content:
        (tmp_path / "photo.png").write_bytes(content)
    assert thumbnail(str(tmp_path / "photo.png")) == ""
    page = make_page(tmp_path, Gallery("ads", [("", [Card("", "a", "b", {})])]))
    assert "the photo cannot be opened" in page
