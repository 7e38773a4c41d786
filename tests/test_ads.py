import numpy as np
import pyarrow.parquet as pq
import pytest
from handmade import make_split
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import allocated

from adcat.progress import Silent
from adcat.workspace.ads import read_ads, read_groups, read_split
from adcat.workspace.layout import Workspace
from adcat.workspace.shown_ads import reading_shown

LABELS = {"train": [0] * 5000, "test": [0] * 9000}  # more than one batch


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    make_split(workspace, ["bikes"], LABELS)
    return workspace.split


@given(rows=st.lists(st.integers(0, 8999), max_size=5, unique=True))
@settings(max_examples=10)
def test_ads_are_read_by_their_rows_in_the_order_asked_for(split, rows):
    assert [ad["id"] for ad in read_ads(split, "test", ["id"], rows)] == [f"test-{r}" for r in rows]


def test_all_ads_of_a_part_are_read_in_their_order(split):
    ads = read_ads(split, "test", ["id", "row"])
    assert [ad["row"] for ad in ads] == list(range(1, 9001))
    assert read_ads(split, "validation", ["id"]) == []


def test_a_table_of_before_groups_has_each_ad_in_its_own(tmp_path):
    workspace = Workspace(tmp_path)
    labels = {"train": [0, 1, 0], "validation": [1, 1], "test": [0]}
    groups = {"train": [1, 1, 3], "validation": [1, 1], "test": [1]}
    make_split(workspace, ["bikes", "sofas"], labels, groups=groups)
    path = workspace.split / "ads.parquet"
    assert read_groups(workspace.split, "train").tolist() == [1, 1, 3]
    assert read_groups(workspace.split, "validation").tolist() == [1, 1]
    pq.write_table(pq.read_table(path).drop_columns(["group"]), path)
    assert read_groups(workspace.split, "train").tolist() == [1, 2, 3]
    assert read_groups(workspace.split, "validation").tolist() == [1, 2]
    assert read_ads(workspace.split, "train", ["group", "id"], [1]) == [
        {"group": 2, "id": "train-1"}
    ]
    np.testing.assert_array_equal(read_split(workspace.split).labels["train"], [0, 1, 0])


def test_ads_that_are_shown_are_read_by_their_rows_among_those_that_have_both(tmp_path):
    workspace = Workspace(tmp_path / "w")
    labels, kinds = {"test": [0, 1, 0, 1]}, {"test": ["text", "both", "image", "both"]}
    make_split(workspace, ["bikes", "cars"], labels, images=tmp_path, availabilities=kinds)
    (tmp_path / "test-3.png").touch()
    with reading_shown(workspace.split, "test", Silent(), ["text", "image"]) as read:
        assert read([1, 0]) == [
            ("test 3", "cars", str(tmp_path / "test-3.png")),
            ("test 1", "cars", ""),  # its photo is gone
        ]


def test_to_show_a_few_ads_does_not_take_the_memory_of_a_part(split):
    with reading_shown(split, "test", Silent()) as read:
        few = allocated(read, [8999, 0, 7])
    assert few < allocated(read_ads, split, "test", ["image"]) / 10
