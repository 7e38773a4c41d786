"""Tables whose rows are read by their numbers."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adcat.data.numbered_rows import NumberedRows
from adcat.data.table import InputTable
from adcat.errors import BadInputError
from adcat.progress import Silent

TITLES = [f"t{i}" for i in range(1, 11)]


def table_in(folder, kind):
    path = folder / f"ads.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"title": TITLES}), path, row_group_size=4)  # 4, 4, 2 rows
    elif kind == "csv":
        path.write_text("title\n" + "".join(f"{title}\n" for title in TITLES), encoding="utf-8")
    else:
        lines = [json.dumps({"title": title}) for title in TITLES]
        path.write_text("\n".join([*lines[:9], '{"title": 1']), encoding="utf-8")
    return InputTable(path, needed=())


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("rows", [(0, 10), (0, 4), (3, 5), (4, 8), (7, 10), (9, 10), (5, 5)])
def test_rows_are_those_of_the_whole_table(tmp_path, kind, rows):
    table = table_in(tmp_path, kind)
    whole = [row for batch in table.batches(Silent()) for row in batch.to_pylist()]
    numbered = NumberedRows.of(table, tmp_path, Silent())
    assert numbered.count == len(whole) == 10
    found = [row for batch in numbered.batches(range(*rows)) for row in batch.to_pylist()]
    assert found == whole[slice(*rows)]
    assert [row["row"] for row in found] == list(range(rows[0] + 1, rows[1] + 1))
    assert [row["malformed"] for row in whole] == [False] * 9 + [kind == "jsonl"]
    numbered.clear()
    assert [path.name for path in tmp_path.iterdir()] == [table.path.name]


def test_a_table_of_something_else_is_refused(tmp_path):
    pq.write_table(pa.table({"price": [1]}), tmp_path / "ads.parquet")
    with pytest.raises(BadInputError, match="none of the columns title, description, image"):
        NumberedRows.of(InputTable(tmp_path / "ads.parquet", needed=()), tmp_path, Silent())
