import queue
import threading

import pytest

from adcat.errors import BadInputError
from adcat.input_table import InputTable
from adcat.prediction.ads import Shard, as_they_come, in_batches, json_ads


def test_an_ad_does_not_wait_for_the_next_one():
    """A line that comes only after the answer to the line before it."""
    lines: queue.Queue[str | None] = queue.Queue()
    batches = as_they_come(iter(lines.get, None), size=8)
    for line in ("a", "b", "c"):
        lines.put(line)
        assert next(batches) == [line]
    lines.put(None)
    assert list(batches) == []


def test_what_is_there_is_taken_together_in_order():
    arrived = threading.Event()

    def ads():
        yield from range(20)
        arrived.set()
        yield from range(20, 50)

    batches = as_they_come(ads(), size=8)
    first = next(batches)
    arrived.wait()
    found = [first, *batches]
    assert [ad for batch in found for ad in batch] == list(range(50))
    assert max(map(len, found)) <= 8


def test_an_error_comes_after_the_ads_before_it():
    def ads():
        yield 1
        raise BadInputError("no more")

    batches = as_they_come(ads(), size=8)
    assert next(batches) == [1]
    with pytest.raises(BadInputError, match="no more"):
        next(batches)


def test_batches():
    assert list(in_batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_batches([], 3)) == []


def test_shards_deal_out_every_row_once():
    for of in (1, 2, 5):
        shards = [Shard(i + 1, of) for i in range(of)]
        assert all(sum(shard.holds(row) for shard in shards) == 1 for row in range(1, 50))


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_shard(text):
    with pytest.raises(BadInputError, match="expected a share"):
        Shard.parse(text)


def test_a_line_of_json_with_its_own_keys():
    table = InputTable("stdin", {"title": "rubrik"})
    (ad,) = json_ads(
        ['{"id": 7, "rubrik": "Fin SOFFA!", "description": null, "image": " a "}'], table
    )
    assert (ad.row, ad.id, ad.text, ad.image) == (1, "7", "fin soffa", "a")
