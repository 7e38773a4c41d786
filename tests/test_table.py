"""The table reader: every format gives the same rows, no row is lost, no input breaks it."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import delimited, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory import allocated

from adcat.data import parquet
from adcat.data import table as input_table
from adcat.data.table import COLUMNS, InputTable, parse_headers
from adcat.errors import BadInputError
from adcat.progress import Silent

HEADER = ",".join(COLUMNS)
SOFA = ("1", "Soffa", "Grå, 2 m\nHämtas", "Möbler", "a.jpg")
BIKE = ("0012", 'Cykel 28"', "Röd", "Cyklar & Mopeder", "b c.jpg")
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, **options):
    return [
        row for batch in InputTable(path, **options).batches(Silent()) for row in batch.to_pylist()
    ]


def values(row):
    return tuple(row[column] for column in COLUMNS)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "A.CSV"])
def test_every_format_gives_the_same_rows(tmp_path, name):
    made = write_table(tmp_path / name.lower(), [SOFA, BIKE])
    rows = read(made.rename(tmp_path / name))
    assert [values(row) for row in rows] == [SOFA, BIKE]
    assert [row["row"] for row in rows] == [1, 2]
    assert not any(row["malformed"] for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_or_without_a_mark(tmp_path, encoding):
    path = write(tmp_path / "a.csv", f"{HEADER}\n1,Blå stol,å ä ö 椅子,Möbler,a.jpg\n", encoding)
    assert values(read(path)[0]) == ("1", "Blå stol", "å ä ö 椅子", "Möbler", "a.jpg")


@pytest.mark.parametrize("before", [(1 << 20) - 2, (1 << 20) - 1, 1 << 20, (3 << 20) + 5])
def test_the_offset_is_right_across_blocks(tmp_path, before):
    path = tmp_path / "a.csv"
    start = f"{HEADER}\n1,".encode()
    path.write_bytes(start + b"x" * (before - len(start)) + b"\xe2\x82(,d,c,i\n")
    with pytest.raises(BadInputError, match=f"at byte offset {before}\n"):
        read(path)


@pytest.mark.parametrize("tail", [b"\xc3", b"\xe2\x82"])
def test_a_file_that_ends_within_a_character_is_refused(tmp_path, tail):
    path = tmp_path / "a.csv"
    path.write_bytes(f"{HEADER}\n1,t,d,c,".encode() + tail)
    with pytest.raises(BadInputError, match=f"at byte offset {len(HEADER) + 9}\n"):
        read(path)


def test_values_are_not_guessed_at(tmp_path):
    texts = ["0012", "2017-01-02", "1e5", "NaN", "true"]
    path = write(tmp_path / "a.csv", f"{HEADER}\n{','.join(texts)}\n")
    assert values(read(path)[0]) == tuple(texts)
    line = '{"id": 0.10, "title": 12345678901234567890123, "description": NaN, "category": true}'
    path = write(tmp_path / "a.jsonl", line + '\n{"image": null, "id": ""}')
    first, second = map(values, read(path))
    assert first == ("0.10", "12345678901234567890123", "", "true", "")
    assert second == ("", "", "", "", "")


def test_ids_categories_and_images_lose_blanks_and_categories_are_composed(tmp_path):
    path = write(tmp_path / "a.csv", f" {HEADER} \n 1 , t , d ,\u00a0Mo\u0308bler\t, a.jpg \n")
    assert values(read(path)[0]) == ("1", " t ", " d ", "Möbler", "a.jpg")


def test_rows_with_another_number_of_fields_are_malformed(tmp_path):
    path = write(tmp_path / "a.csv", f"{HEADER}\n1,t,d,c,i\n2,t,d\n\n3,t,d,c,i,x\n4,t,d,c,i\n")
    rows = read(path)
    assert [(row["row"], row["id"], row["malformed"]) for row in rows] == [
        (1, "1", False),
        (2, "2", True),
        (3, "3", True),
        (4, "4", False),
    ]
    assert values(rows[1]) == ("2", "", "", "", "")


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path):
    lines = ["1,t,d,c,i", '2,"t,d,c,i', "3,t,d,c,i", '4,"t""s","d\nd",c,i', "5,t,d,c,i"]
    rows = read(write(tmp_path / "a.csv", "\n".join([HEADER, *lines])))
    assert [row["id"] for row in rows if row["malformed"]] == ["2"]
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert rows[3]["title"] == 't"s'
    assert rows[3]["description"] == "d\nd"


def test_text_after_a_closing_quote_is_malformed(tmp_path):
    rows = read(write(tmp_path / "a.csv", f'{HEADER}\n1,"5" skärm",d,c,i\n2,5" skärm,d,c,i\n'))
    assert [row["malformed"] for row in rows] == [True, False]
    assert rows[1]["title"] == '5" skärm'


def test_a_quote_closed_too_late_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("adcat.data.records.LONGEST_FIELD", 100)
    lines = ['1,"t,d,c,i', *(f"{i},t,d,c,i" for i in range(2, 50))]
    rows = read(write(tmp_path / "a.csv", "\n".join([HEADER, *lines])))
    assert [row["id"] for row in rows] == [str(i) for i in range(1, 50)]
    assert [row["id"] for row in rows if row["malformed"]] == ["1"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(tmp_path, newline):
    text = newline.join([HEADER, "1,t,d,c,i", '2,t,"a\nb",c,i'])
    assert [row["id"] for row in read(write(tmp_path / "a.csv", text))] == ["1", "2"]


def test_nul_and_ten_megabytes_in_a_cell(tmp_path):
    long = "x" * 10_000_000
    rows = read(write(tmp_path / "a.csv", f"{HEADER}\n1,a\0b,{long},c,i\n2,t,d,c,i\n"))
    assert rows[0]["title"] == "a\0b"
    assert rows[0]["description"] == long
    assert rows[1]["id"] == "2"


def test_rows_are_numbered_across_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_PER_BATCH", 2)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        path = write_table(tmp_path / name, [(str(i), "t", "d", "c", "i") for i in range(5)])
        batches = list(InputTable(path).batches(Silent()))
        assert [batch["row"].to_pylist() for batch in batches] == [[1, 2], [3, 4], [5]]


def test_long_texts_make_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(input_table, "CHARACTERS_PER_BATCH", 1000)
    path = write_table(tmp_path / "a.csv", [(str(i), "t" * 600, "d", "c", "i") for i in range(5)])
    assert [b.num_rows for b in InputTable(path).batches(Silent())] == [2, 2, 1]


def test_memory_does_not_grow_with_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_PER_BATCH", 100)
    path = write_table(
        tmp_path / "a.csv", [(str(i), "t" * 500, "d", "c", "i") for i in range(9000)]
    )
    for _ in InputTable(path).batches(Silent()):  # what is imported and kept for good
        pass
    peak = allocated(sum, (0 for _ in InputTable(path).batches(Silent())))
    assert peak < path.stat().st_size / 5


# Columns


def test_columns_of_other_names_and_in_another_order(tmp_path):
    path = write(tmp_path / "a.csv", "cat,image,extra,headline,id\nMöbler,a.jpg,?,Soffa,1\n")
    headers = parse_headers(["title=headline", "description=headline", "category=cat"])
    assert values(read(path, headers=headers)[0]) == ("1", "Soffa", "Soffa", "Möbler", "a.jpg")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_headers_map_in_every_format(tmp_path, name):
    row = dict(zip(["id", "ad.title", "description", "category", "image"], SOFA, strict=True))
    path = tmp_path / name
    if name == "a.csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([row.keys(), row.values()])
    elif name == "a.jsonl":
        write(path, json.dumps(row))
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    assert values(read(path, headers={"title": "ad.title"})[0]) == SOFA


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_missing_column_is_named(tmp_path, name):
    path = tmp_path / name
    row = {"id": "1", "headline": "t", "description": "d", "category": "c", "image": "i"}
    if name == "a.csv":
        write(path, ",".join(row) + "\n" + ",".join(row.values()))
    elif name == "a.jsonl":
        write(path, json.dumps(row))
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    with pytest.raises(BadInputError) as error:
        read(path)
    assert str(error.value) == (
        f"{path} has no column 'title'; "
        "found: 'id', 'headline', 'description', 'category', 'image'\n"
        "name the column to read: --column title=HEADER"
    )


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_table_without_ids_has_the_numbers_of_its_rows(tmp_path, name, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_PER_BATCH", 2)
    rows = [{"Title": f"t{i}", "description": "d", "category": "c", "image": "i"} for i in range(3)]
    if name == "a.csv":
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        write(tmp_path / name, "\n".join(map(",".join, lines)))
    elif name == "a.jsonl":
        write(tmp_path / name, "\n".join(map(json.dumps, rows)))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    found = read(tmp_path / name)
    assert [(row["id"], row["title"]) for row in found] == [("1", "t0"), ("2", "t1"), ("3", "t2")]


def test_a_header_that_two_columns_could_mean_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", "id,Title,TITLE,description,category,image\n")
    with pytest.raises(BadInputError, match="has two columns 'title'"):
        read(path)
    path = write(tmp_path / "a.csv", "id,title,TITLE,description,category,image\n1,t,T,d,c,i\n")
    assert values(read(path)[0]) == ("1", "t", "d", "c", "i")


def test_rows_with_escaped_quotes_end_where_they_end(tmp_path):
    lines = [
        r'1,"5\" x","a, \"b',
        r'c\"",c,i',
        r'2,t,"d\"",c,i',
        '3,"t""t",d,c,i',
        r'4,"x\" y,d,c,i',
    ]
    rows = read(write(tmp_path / "a.csv", "\n".join([HEADER, *lines])))
    assert [values(row)[:3] for row in rows] == [
        ("1", '5" x', 'a, "b\nc"'),
        ("2", "t", 'd"'),
        ("3", 't"t', "d"),
        ("4", "", ""),
    ]
    assert [row["malformed"] for row in rows] == [False, False, False, True]


def test_a_table_without_any_content_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", "id,Photo\n1,a.jpg\n")
    with pytest.raises(BadInputError) as error:
        read(path, needed=())
    assert str(error.value) == (
        f"{path} has none of the columns title, description, image; found: 'id', 'Photo'\n"
        "name the columns to read: --column title=HEADER"
    )


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_columns_that_are_not_needed_may_be_missing(tmp_path, name):
    path = tmp_path / name
    row = {"id": "1", "title": "t"}
    if name == "a.csv":
        write(path, "id,title\n1,t\n")
    elif name == "a.jsonl":
        write(path, json.dumps(row))
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    assert values(read(path, needed=("id", "title"))[0]) == ("1", "t", "", "", "")


# JSON lines and Parquet


def test_lines_that_are_no_ad_are_malformed(tmp_path):
    good = dict(zip(COLUMNS, SOFA, strict=True))
    lines = [json.dumps(good), "{", "[1]", '"a"', "[" * 100_000, json.dumps({**good, "title": [1]})]
    rows = read(write(tmp_path / "a.jsonl", "\n\n".join(lines)))
    assert [row["malformed"] for row in rows] == [False, True, True, True, True, True]
    assert [row["id"] for row in rows] == ["1", "", "", "", "", "1"]


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    line = json.dumps(dict(zip(COLUMNS, ("1", "a\ud83d", "\U0001f6b2", "c", "i"), strict=True)))
    row = read(write(tmp_path / "a.jsonl", line))[0]
    assert row["title"] == "a\ufffd"
    assert row["description"] == "\U0001f6b2"


def test_parquet_columns_of_other_types(tmp_path):
    table = pa.table(
        {
            "id": pa.array([7, 8], pa.int32()),
            "title": pa.array(["t", None]),
            "description": pa.array([b"d", b"e"]),
            "category": pa.array(["c", "c"]).dictionary_encode(),
            "image": pa.array(["i", None], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = map(values, read(tmp_path / "a.parquet"))
    assert first == ("7", "t", "d", "c", "i")
    assert second == ("8", "", "e", "c", "")


def test_missing_and_whole_numbers_of_a_typed_column(tmp_path):
    numbers = pa.array([1.0, float("nan"), None, 2.5, 1e20, -30.0, 123456789012.0])
    columns = {"id": numbers, "category": numbers.cast(pa.float32()), "description": numbers}
    texts = dict.fromkeys(("title", "image"), pa.array(["nan"] * 7))
    pq.write_table(pa.table({**columns, **texts}), tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    expected = ["1", "", "", "2.5", "1e+20", "-30"]
    assert [row["id"] for row in rows] == [*expected, "123456789012"]
    assert [row["category"] for row in rows] == [*expected, "123456790528"]
    assert [row["title"] for row in rows] == ["nan"] * 7
    line = '{"id": 1.0, "title": NaN, "description": -Infinity, "category": 20.0, "image": "NaN"}'
    path = write(tmp_path / "a.jsonl", line)
    assert values(read(path)[0]) == ("1", "", "", "20", "NaN")


@pytest.mark.parametrize(
    ("title", "message"),
    [
        (pa.array([["a", "b"]]), "Unsupported cast from list"),
        (pa.array([b"bl\xe5"]), "Invalid UTF8"),
        (pa.array([b"bl\xe5"]).cast(pa.string(), safe=False), "Invalid UTF8"),
    ],
)
def test_parquet_columns_that_are_no_text_are_refused(tmp_path, title, message):
    columns = dict.fromkeys(COLUMNS, pa.array(["x"])) | {"title": title}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(BadInputError, match=message) as error:
        read(tmp_path / "a.parquet")
    assert str(error.value).startswith(f"{tmp_path / 'a.parquet'}, column 'title': ")


PHOTOS = [b"\xff\xd8 a", b"", None, b"GIF89a \xff"]


@pytest.mark.parametrize(
    "images",
    [
        pa.array(PHOTOS, pa.binary()),
        pa.array(PHOTOS, pa.large_binary()),
        pa.array(
            [None if photo is None else {"bytes": photo, "path": "a.jpg"} for photo in PHOTOS]
        ),
        pa.array(
            [[{"bytes": photo, "path": None}, {"bytes": b"b", "path": ""}] for photo in PHOTOS]
        ),
    ],
)
def test_photos_in_the_table_are_named_by_their_rows(tmp_path, images):
    columns = {**dict.fromkeys(COLUMNS[1:4], pa.array(["x"] * 4)), "image": images}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    rows = read(tmp_path / "a.parquet")
    assert [(row["image"], row["photo"]) for row in rows] == [
        *[("1", b"\xff\xd8 a"), ("", None), ("", None), ("4", b"GIF89a \xff")],
    ]


def test_few_photos_of_a_table_are_held_at_a_time(tmp_path):
    pq.write_table(
        pa.table({"title": ["x"] * 150, "category": ["x"] * 150, "image": [b"\xff"] * 150}),
        tmp_path / "a.parquet",
    )
    batches = InputTable(tmp_path / "a.parquet", needed=["category"]).batches(Silent())
    assert [batch.num_rows for batch in batches] == [64, 64, 22]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_of_a_list_of_images_the_first_is_taken_and_of_categories_the_only_one(tmp_path, name):
    def written(*categories):
        images = [["a.jpg", "b.jpg"], [], None]
        ads = [
            {"id": "1", "title": "t", "description": "d", "category": category, "image": image}
            for category, image in zip(categories, images, strict=True)
        ]
        path = tmp_path / name
        if name == "a.jsonl":
            return write(path, "".join(json.dumps(ad) + "\n" for ad in ads))
        pq.write_table(pa.Table.from_pylist(ads), path)
        return path

    rows = read(written(["Möbler"], ["Cyklar"], []))
    assert [row["category"] for row in rows] == ["Möbler", "Cyklar", ""]
    assert [row["image"] for row in rows] == ["a.jpg", "", ""]
    assert not any(row["malformed"] for row in rows)
    path = written(["Möbler"], ["Cyklar", "Rea"], [])
    told = r"an ad has several categories, \['Cyklar', 'Rea'\]; expected one in each row$"
    with pytest.raises(BadInputError, match=told):
        read(path)
    assert [row["category"] for row in read(path, needed=())] == ["Möbler", "Cyklar", ""]


# Laws

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@in_one_folder
@given(rows=st.lists(st.tuples(texts, texts, texts, texts, texts), min_size=1, max_size=8))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path, rows):
    path = tmp_path / "a.csv"
    write(path, delimited(rows, end="\r\n"))
    found = read(path)
    assert [(row["title"], row["description"]) for row in found] == [row[1:3] for row in rows]
    assert not any(row["malformed"] for row in found)


@in_one_folder
@given(text=st.text('",\n\r \tax\0å', max_size=60))
def test_any_text_gives_numbered_rows_and_no_field_is_lost(tmp_path, text):
    path = write(tmp_path / "a.csv", f"{HEADER}\n{text}\n1,t,d,c,last\n")
    rows = read(path)
    assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))
    good = [row for row in csv.reader(io.StringIO(text, newline=""), strict=False) if len(row) == 5]
    if '"' not in text:  # without quotation a row is a line
        assert [values(row)[1:3] for row in rows if not row["malformed"]][:-1] == [
            tuple(row[1:3]) for row in good
        ]
        assert rows[-1]["image"] == "last"


@in_one_folder
@given(
    content=st.binary(max_size=200),
    header=st.sampled_from([b"", f"{HEADER}\n".encode(), f"{HEADER}\n".encode("utf-16")]),
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
)
def test_any_bytes_are_rows_or_a_clear_error(tmp_path, content, header, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(header + content)
    try:
        rows = read(path)
    except BadInputError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))


@in_one_folder
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_parquet_file_is_rows_or_a_clear_error(tmp_path, changes):
    path = write_table(tmp_path / "a.parquet", [SOFA, BIKE] * 10)
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[int(position * (len(content) - 1))] = value
    path.write_bytes(content)
    try:
        rows = read(path)
    except BadInputError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))


# Photos that are called after other columns

PHOTOS = [  # id, title, category, image, photo number; what the photo is called
    (("1", "Soffa", "Möbler", "", "10"), "photo_10.jpg"),
    (("2", "Cykel", "Cyklar", "a.jpg", "11"), "photo_11.jpg"),
    (("3", "Bord", "Möbler", "a.jpg", ""), "a.jpg"),
    (("4", "Stol", "Möbler", "", ""), ""),
]
PHOTO_COLUMNS = ("id", "title", "category", "image", "Photo number")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_photos_are_called_after_other_columns(tmp_path, suffix):
    rows = [row for row, _ in PHOTOS]
    ads = [dict(zip(PHOTO_COLUMNS, row, strict=True)) for row in rows]
    path = tmp_path / f"a{suffix}"
    if suffix == ".csv":
        path.write_text("\n".join(map(";".join, [PHOTO_COLUMNS, *rows])), encoding="utf-8")
    elif suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, ads)), encoding="utf-8")
    else:
        numbers = pa.array([float(row[4] or "nan") for row in rows])
        table = pa.Table.from_pylist(ads).drop_columns(["Photo number"])
        pq.write_table(table.append_column("Photo number", numbers), path)
    how = {"needed": ("category", "photo number"), "image_pattern": "photo_{photo number}.jpg"}
    found = read(path, **how)
    assert [row["image"] for row in found] == [name for _, name in PHOTOS]
    assert [row["id"] for row in found] == ["1", "2", "3", "4"]


def test_a_pattern_takes_columns_by_what_they_are_called_in_adcat(tmp_path):
    path = write(tmp_path / "a.csv", "nr,title,image\n7,Soffa,x\n")
    options = {"headers": {"id": "nr"}, "needed": ("id",)}
    assert read(path, **options, image_pattern="{id}-{image}.jpg")[0]["image"] == "7-x.jpg"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_column_that_photos_are_called_after_is_needed(tmp_path, suffix):
    path = write_table(tmp_path / f"a{suffix}", [SOFA])
    with pytest.raises(BadInputError) as refused:
        read(path, needed=("number",), image_pattern="{number}.jpg")
    assert str(refused.value) == (
        f"{path} has no column 'number'; found: 'id', 'title', 'description', 'category', 'image'\n"
        "name the column to read: --image-pattern"
    )
