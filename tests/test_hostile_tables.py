"""Tables that are none, or hold bad rows among good ones, through `adcat split`."""

import gzip
import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import ADS, COLUMNS, Case, delimited, draw_photos, ids, read_rejected, refusal, run

SOUND = delimited(ADS)
AN_AD = ("Soffa", "", "Möbler", "0.png")  # without its id
ENCODINGS = "expected UTF-8, or UTF-16 with a byte-order mark; convert it"
CONVERT = "; convert or rename it"
FORMATS = ": expected a table in one of .csv, .tsv, .jsonl, .ndjson, .parquet"
NO_TITLE = "{path} has no column 'title'; found: "
NAME_TITLE = "name the column to read: --column title=HEADER"
TWO = "; expected at least two categories\nrejected: "


def text(name, content, encoding="utf-8"):
    content = content if isinstance(content, bytes) else content.encode(encoding)

    def made(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return made


def rows(*bad, name="a.csv"):
    """A table of bad rows and, behind them, the sound ones."""
    return text(name, delimited([*bad, *ADS]))


def json_rows(*bad):
    lines = [json.dumps(dict(zip(COLUMNS, ad, strict=True))) for ad in ADS]
    return text("a.jsonl", "\n".join([*bad, *lines]))


def parquet(**columns):
    """The sound ads as Parquet with other columns."""
    sound = dict(zip(COLUMNS, map(pa.array, zip(*ADS, strict=True)), strict=True))
    file = io.BytesIO()
    pq.write_table(pa.table({**sound, **columns}), file)
    return text("a.parquet", file.getvalue())


def of(column, **other):
    """A column of the sound ads, with other values in some rows."""
    values = [ad[COLUMNS.index(column)] for ad in ADS]
    return [other.get(f"row{i}", value) for i, value in enumerate(values, 1)]


def in_categories(*names):
    return text("a.csv", delimited([(*ad[:3], names[i % len(names)], ad[4])
                                    for i, ad in enumerate(ADS)]))  # fmt: skip


def special(make):
    def made(folder):
        make(folder / "a.csv")
        return folder / "a.csv"

    return made


REFUSED = [
    Case("empty", special(lambda path: path.touch()), "{path} is empty; expected a table of ads"),
    Case("header only", text("a.csv", delimited([])), "{path} has no rows; expected one for each ad"),
    Case("blank lines", text("a.csv", "\n\n\n"), NO_TITLE + "\n" + NAME_TITLE),
    Case("a column is missing", text("a.csv", SOUND.replace("title", "name", 1)), "{path} has no column 'title'; found: 'id', 'name', 'description', 'category', 'image'\n" + NAME_TITLE),
    Case("a column is doubled", text("a.csv", delimited([(*ad, "x") for ad in ADS], (*COLUMNS, "title"))), "{path} has two columns 'title'; found: 'id', 'title', 'description', 'category', 'image', 'title'\n" + NAME_TITLE),
    Case("JSON in a .csv", text("a.csv", '{"id": 1}\n'), NO_TITLE + "'{{\"id\": 1}}'\n" + NAME_TITLE),
    Case("Latin-1", text("a.csv", SOUND, "latin-1"), "{path} is not UTF-8 at byte offset 68\n" + ENCODINGS),
    Case("Latin-1 in JSON lines", text("a.jsonl", '{"id": "å"}', "latin-1"), "{path} is not UTF-8 at byte offset 8\n" + ENCODINGS),
    Case("Latin-1 behind UTF-8's mark", text("a.csv", b"\xef\xbb\xbf" + SOUND.encode("latin-1")), "{path} is not UTF-8 at byte offset 71\n" + ENCODINGS),
    Case("UTF-16 without a mark", text("a.csv", SOUND, "utf-16-le"), "{path} is not UTF-8 at byte offset 136\n" + ENCODINGS),
    Case("UTF-16 with half a character", text("a.csv", SOUND.encode("utf-16") + b"x"), "{path} is not UTF-16 at byte offset 954\n" + ENCODINGS),
    Case("cut within a character", text("a.csv", SOUND.encode() + b"\xc3"), "{path} is not UTF-8 at byte offset 481\n" + ENCODINGS),
    Case("zeros", text("a.csv", bytes(100)), NO_TITLE + ("'" + r"\x00" * 75)[:300] + "\n" + NAME_TITLE),
    Case("gzip named .csv", text("a.csv", gzip.compress(SOUND.encode())), "{path} is gzip, not csv" + CONVERT),
    Case("gzip named .parquet", text("a.parquet", gzip.compress(SOUND.encode())), "{path} is gzip, not parquet" + CONVERT),
    Case("zip named .tsv", text("a.tsv", b"PK\x03\x04..."), "{path} is a zip archive, not tsv" + CONVERT),
    Case("Parquet named .csv", text("a.csv", b"PAR1..."), "{path} is Parquet, not csv" + CONVERT),
    Case("CSV named .parquet", text("a.parquet", SOUND), "{path}: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file."),
    Case("Parquet cut off", text("a.parquet", b"PAR1"), "{path}: Parquet file size is 4 bytes, smaller than the minimum file footer (8 bytes)"),
    Case("a spreadsheet", text("a.xlsx", b"PK\x03\x04..."), "{path} is a spreadsheet; save it as CSV in UTF-8 and give that file"),
    Case("JSON", text("a.json", "[]"), "{path} is JSON; expected one object on a line, as of: jq -c '.[]' ads.json > ads.jsonl"),
    Case("no suffix", text("a", SOUND), "{path}" + FORMATS),
    Case("JSON, but one array", text("a.jsonl", json.dumps([dict(zip(COLUMNS, ad, strict=True)) for ad in ADS])), "{path}: no line is a JSON object; expected one for each ad"),
    Case("JSON of another shape", text("a.jsonl", '{"\\u001b[31m": 1}'), NO_TITLE + r"'\x1b[31m'" + "\n" + NAME_TITLE),
    Case("Parquet without rows", parquet(**{c: pa.array([], pa.string()) for c in COLUMNS}), "{path} has no rows; expected one for each ad"),
    Case("Parquet of lists", parquet(title=pa.array([["a", "b"]] * 10)), "{path}, column 'title': Unsupported cast from list<element: string> to utf8 using function cast_string"),
    Case("Parquet of structs", parquet(title=pa.array([{"a": 1}] * 10)), "{path}, column 'title': Unsupported cast from struct<a: int64> to utf8 using function cast_string"),
    Case("Parquet of bytes that are no text", parquet(title=pa.array([b"bl\xe5"] * 10)), "{path}, column 'title': Invalid UTF8 payload"),
    Case("a folder", special(lambda path: path.mkdir()), "{path} is not a file; expected a table of ads"),
    Case("a FIFO", special(os.mkfifo), "{path} is not a file; expected a table of ads"),
    Case("nothing", lambda folder: folder / "a.csv", "{path} does not exist; expected a table of ads"),
    Case("a link to itself", special(lambda path: path.symlink_to(path)), "{path} does not exist; expected a table of ads"),
    Case("one category", in_categories("Möbler"), "{path} leaves only the category 'Möbler' (ads: 10)" + TWO + "none"),
    Case("one category, spelt in two forms", in_categories("Möbler", " Mo\u0308bler\u00a0"), "{path} leaves only the category 'Möbler' (ads: 10)" + TWO + "none"),
    Case("no category", in_categories(" "), "{path} leaves no ads" + TWO + "10 empty category\nrow 1: empty category; all of them: {w}/rejected.csv"),
    Case("a category's name is a command", in_categories("\x1b[2J\u202e" * 30), "{path} leaves only the category '" + r"\x1b[2J\u202e" * 20 + "' (ads: 10)" + TWO + "none"),
    Case("one ad", text("a.csv", delimited(ADS[:1])), "{path} leaves only the category 'Möbler' (ads: 1)" + TWO + "none"),
    Case("two ads", text("a.csv", delimited(ADS[:2])), "the validation part would have no ad: 2 ads, in 2 groups of duplicates, are too few for --test 0.2 and --validation 0.1"),
    Case("no ad is whole", text("a.csv", delimited([(*ad[:4], "no.png") for ad in ADS])), "{path} leaves no ads" + TWO + "10 image file missing\nrow 1: image file missing 'no.png', tried {folder}/no.png; all of them: {w}/rejected.csv"),
    Case("a header is a command", text("a.csv", SOUND.replace("title", "\x1b[31m", 1)), r"{path} has no column 'title'; found: 'id', '\x1b[31m', 'description', 'category', 'image'" + "\n" + NAME_TITLE),
    Case("the file's name is a command", text("\x1b[31m\u202e.csv", ""), r"{folder}/\u001b[31m\u202e.csv is empty; expected a table of ads"),
]  # fmt: skip

ACCEPTED = [
    Case("semicolons", text("a.csv", delimited(ADS, delimiter=";"))),
    Case("tabs in a .csv", text("a.csv", delimited(ADS, delimiter="\t"))),
    Case("commas in a .tsv", text("a.tsv", SOUND)),
    Case("a first line for spreadsheets", text("a.csv", "sep=;\r\n" + delimited(ADS, delimiter=";"))),
    Case("backslash escapes", text("a.csv", SOUND.replace("Soffa 3", r'"Soffa 55\", \"ny\""'))),
    Case("headers in another case", text("a.csv", SOUND.replace("title,description", "Title, DESCRIPTION "))),
    Case(".ndjson", lambda folder: json_rows()(folder).rename(folder / "a.ndjson")),
    Case("UTF-8 with a mark", text("a.csv", SOUND, "utf-8-sig")),
    Case("UTF-16, little end first", text("a.csv", SOUND, "utf-16")),
    Case("UTF-16, big end first", text("a.csv", b"\xfe\xff" + SOUND.encode("utf-16-be"))),
    Case("lines end as on Windows", text("a.csv", delimited(ADS, end="\r\n"))),
    Case("lines end as on old Macs", text("a.csv", delimited(ADS, end="\r"))),
    Case("blank lines between rows", text("a.csv", SOUND.replace("\n", "\n\n"))),
    Case("more columns, twice the same", text("a.csv", delimited([(*ad, 1, 2) for ad in ADS], (*COLUMNS, "x", "x")))),
    Case("quotes and new lines in fields", rows(("q", 'Cykel 28"', "Röd,\r\n\n\"fin\"", "Cyklar", "0.png"))),
    Case("a quote is never closed", text("a.csv", SOUND.replace("Soffa 3", '"Soffa 3')), rejected=[(4, "ad3", "malformed row")]),
    Case("words behind a closing quote", text("a.csv", SOUND.replace("Soffa 3", '"Soffa" 3')), rejected=[(4, "ad3", "malformed row")]),
    Case("too few fields", rows(("few", "Soffa")), rejected=[(1, "few", "malformed row")]),
    Case("too many fields", rows(("many", *AN_AD, "x")), rejected=[(1, "many", "malformed row")]),
    Case("NUL bytes", rows(("nul", "So\0ffa\0", "", "Möbler", "0.png"), ("\0", *AN_AD))),
    Case("an id twice", rows(("ad3", *AN_AD), ("ad3", *AN_AD)), rejected=[(2, "ad3", "duplicate id"), (6, "ad3", "duplicate id")]),
    Case("no id", rows(("", *AN_AD), (" \u00a0\t", *AN_AD)), rejected=[(1, "", "empty id"), (2, "", "empty id")]),
    Case("an id is a command", rows(("\x1b[31m", "", "", "Möbler", "0.png")), rejected=[(1, "\x1b[31m", "empty text")]),
    Case("no category", rows(("c", "Soffa", "", "", "0.png")), rejected=[(1, "c", "empty category")]),
    Case("no image", rows(("i", "Soffa", "", "Möbler", "")), rejected=[(1, "i", "no image given")]),
    Case("numbers and what looks like dates", rows(("2017-01-02", "1/2/2017", "1e5", "007", "0.png"))),
    Case("ids that are no strings", json_rows('{"id": 7, "title": 1.50, "category": true, "image": "0.png"}'), rejected=[]),
    Case("an id that is a list", json_rows('{"id": ["a"], "title": "t", "category": "c"}'), rejected=[(1, "", "malformed row")]),
    Case("an id that is null", json_rows('{"id": null, "title": "t", "category": "c"}'), rejected=[(1, "", "empty id")]),
    Case("lines that are no JSON", json_rows("{", "[1]", '"a"'), rejected=[(1, "", "malformed row"), (2, "", "malformed row"), (3, "", "malformed row")]),
    Case("JSON a hundred thousand levels deep", json_rows("[" * 100_000), rejected=[(1, "", "malformed row")]),
    Case("half a surrogate pair", json_rows('{"id": "\\ud83d", "title": "\\ud83d", "category": "Möbler", "image": "0.png"}')),
    Case("Parquet with nulls", parquet(id=pa.array(of("id", row1=None)), category=pa.array(of("category", row2=None)), image=pa.array(of("image", row3=None))), rejected=[(1, "", "empty id"), (2, "ad1", "empty category"), (3, "ad2", "no image given")]),
    Case("Parquet with dictionaries", parquet(category=pa.array(of("category", row2=None)).dictionary_encode()), rejected=[(2, "ad1", "empty category")]),
    Case("ten megabytes in a cell", rows(("big", "Soffa", "ord " * 2_500_000, "Möbler", "0.png"))),
    Case("Parquet with numbers", parquet(id=pa.array(range(10)), title=pa.array([i / 4 for i in range(10)]))),
]  # fmt: skip

CATEGORIES = [  # as it stands in the table, as it is kept, as the terminal shows it
    (" Möbler\t", "Möbler", "Möbler"),
    ("mo\u0308bler", "möbler", "möbler"),
    ("cyklar", "cyklar", "cyklar"),
    ("a/b", "a/b", "a/b"),
    ("../../etc", "../../etc", "../../etc"),
    ("🚲👩‍🔧", "🚲👩‍🔧", "🚲👩‍🔧"),
    ("\u200fعربي", "\u200fعربي", r"\u200fعربي"),
    ("\u202egnp.exe", "\u202egnp.exe", r"\u202egnp.exe"),
    ("\x1b[31mröd\x9b2J\x07", "\x1b[31mröd\x9b2J\x07", r"\u001b[31mröd\u009b2J\u0007"),
    ("a\nerror: b", "a\nerror: b", r"a\nerror: b"),
    ("a\u2028b\tc", "a\u2028b\tc", r"a\u2028b\tc"),
    ("[red]x[/]", "[red]x[/]", "[red]x[/]"),
    (":car: [/]", ":car: [/]", ":car: [/]"),
    ("A|B", "A|B", "A|B"),
    ("=1+1", "=1+1", "=1+1"),
    ("<script>", "<script>", "<script>"),
    ("__label__1", "__label__1", "__label__1"),
    ("2017-01-02", "2017-01-02", "2017-01-02"),
    ("NaN", "NaN", "NaN"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return draw_photos(tmp_path / "data")


@pytest.mark.parametrize("case", REFUSED, ids=ids(REFUSED))
def test_what_is_no_table_of_ads_is_refused(folder, case):
    path = case.make(folder)
    message = refusal(run(folder.parent / "w", "split", "--exact", path))
    assert message == case.message.format(path=path, folder=folder, w=folder.parent / "w")
    left = [path for path in (folder.parent / "w").rglob("*") if path.is_file()]
    assert all(path.suffix == ".lock" or path.name == "rejected.csv" for path in left)


@pytest.mark.parametrize("case", ACCEPTED, ids=ids(ACCEPTED))
def test_bad_rows_are_listed_and_the_others_go_on(folder, case):
    found = run(folder.parent / "w", "split", "--exact", case.make(folder))
    assert found.exit_code == 0, found.output
    assert read_rejected(folder.parent / "w/split") == list(case.rejected)
    ads = pq.read_table(folder.parent / "w/split/ads.parquet")["id"].to_pylist()
    assert len(ads) >= len(ADS) - len(case.rejected)


@pytest.mark.parametrize(("given", "kept", "shown"), CATEGORIES, ids=[c[2] for c in CATEGORIES])
def test_a_category_keeps_its_name_and_cannot_drive_the_terminal(folder, given, kept, shown):
    path = in_categories("Cyklar", given, given)(folder)
    found = run(folder.parent / "w", "split", "--exact", path)
    assert found.exit_code == 0, found.output
    names = json.loads((folder.parent / "w/split/categories.json").read_text(encoding="utf-8"))
    assert names == sorted(["Cyklar", kept])
    assert f"the largest, {shown}, has 60.0 % of the ads\n" in found.stdout
