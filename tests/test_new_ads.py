import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.data.table import InputTable
from adcat.errors import BadInputError
from adcat.prediction.new_ads import ARRIVING, arriving_ads, in_batches

TABLE = InputTable(Path("stdin"), {"title": "rubrik"})


def test_an_ad_does_not_wait_for_the_next_one():
    """A line that comes only after the prediction for the line before it."""
    end, start = os.pipe()
    with os.fdopen(end, "rb") as file, os.fdopen(start, "wb", buffering=0) as writer:
        batches = arriving_ads(file, TABLE)
        for number in (1, 2, 3):
            writer.write(b'{"id": %d}\n{"id": "half' % number)
            assert [ad.id for ad in next(batches)] == [str(number)]
            writer.write(b'"}\n')
            assert [ad.id for ad in next(batches)] == ["half"]
        writer.write(b'{"id": "without an end"}')
        writer.close()
        assert [[ad.id for ad in batch] for batch in batches] == [["without an end"]]


@given(st.lists(st.sampled_from(["a", "bb", ""]), min_size=1, max_size=40).filter(any))
def test_every_line_is_one_ad_in_order(ids):
    lines = "\n".join(f'{{"id": "{id}"}}' if id else " " for id in ids).encode()
    batches = list(arriving_ads(io.BytesIO(lines), TABLE))
    found = [ad for batch in batches for ad in batch]
    assert [ad.id for ad in found] == [id for id in ids if id]
    assert [ad.row for ad in found] == list(range(1, len(found) + 1))


def test_a_block_of_a_long_line_costs_the_same_however_much_came_before():
    costs = []

    class Arriving(io.BytesIO):
        def read1(self, size):
            now, peak = tracemalloc.get_traced_memory()
            costs.append(peak - now)  # since the block before
            tracemalloc.reset_peak()
            return super().read1(size)

    line = json.dumps({"rubrik": "soffa" * 500_000}).encode()
    tracemalloc.start()
    ((ad,),) = arriving_ads(Arriving(line), TABLE)
    tracemalloc.stop()
    assert ad.text == "soffa" * 500_000
    assert max(costs) < 4 * ARRIVING < len(line) / 9


@pytest.mark.parametrize("nothing", [b"", b"\n \n"])
def test_a_stream_without_an_ad_is_an_error(nothing):
    with pytest.raises(BadInputError, match="stdin has no ads; expected a JSON object"):
        list(arriving_ads(io.BytesIO(nothing), TABLE))


def test_a_line_with_keys_of_its_own():
    line = '{"id": 7, "rubrik": "Fin SOFFA!", "description": null, "image": " a "}'
    ((ad,),) = arriving_ads(io.BytesIO(line.encode()), TABLE)
    assert (ad.row, ad.id, ad.text, ad.image) == (1, "7", "fin soffa", "a")


def test_batches():
    assert list(in_batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_batches([], 3)) == []
    assert list(in_batches([1, 1, 3, 2, 2, 1], 3, int)) == [[1, 1, 3], [2, 2], [1]]
