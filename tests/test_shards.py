import pytest

from adcat.errors import BadInputError
from adcat.workspace.shards import Shard, shards_in


@pytest.mark.parametrize("of", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 49])
def test_shards_deal_out_every_row_once(of, count):
    shards = [Shard(i + 1, of) for i in range(of)]
    assert all(sum(shard.holds(row) for shard in shards) == 1 for row in range(1, count + 1))
    assert [row for shard in shards for row in shard.rows(count)] == list(range(count))
    sizes = [len(shard.rows(count)) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_shard(text):
    with pytest.raises(BadInputError, match="expected a share"):
        Shard.parse(text)


def test_shards_are_found_by_name(tmp_path):
    names = (
        *("a.b-10-of-12.csv", "a.b-2-of-12.csv", "axb-1-of-12.csv", "a.b-3-of-2.csv"),
        *("a.b-1-of-12.csv.manifest.json", ".a.b-1-of-12.csv.lock", "a.b-0-of-1.csv"),
    )
    for name in names:
        (tmp_path / name).touch()
    assert shards_in(tmp_path, "a.b-", ".csv") == [Shard(2, 12), Shard(10, 12)]
    assert shards_in(tmp_path / "nowhere") == []
