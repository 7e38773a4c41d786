from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.text.corpus import Corpus
from adcat.text.training_file import write_training_file


def corpus(ads, block=2):
    """`ads`: pairs of label and text."""
    blocks = [[text for _, text in ads[i : i + block]] for i in range(0, len(ads), block)]
    return Corpus(lambda: iter(blocks), np.array([label for label, _ in ads], int), 10)


def lines(path):
    return path.read_text(encoding="utf-8").split("\n")[:-1]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch") / "training.txt"


def test_by_hand(path):
    write_training_file(path, corpus([(3, "röd soffa"), (0, ""), (1, "bil")]), seed=0)
    assert sorted(lines(path)) == ["__label__0 ", "__label__1 bil", "__label__3 röd soffa"]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.text("aå ")), max_size=12),
    st.integers(1, 5),
    st.integers(1, 15),
)
def test_every_ad_is_one_line_and_nothing_else_is_left(path, ads, block, lines_per_pile):
    write_training_file(path, corpus(ads, block), 0, lines_per_pile)
    assert Counter(lines(path)) == Counter(f"__label__{label} {text}" for label, text in ads)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("lines_per_pile", [1, 2, 100])
def test_every_order_is_equally_likely(path, lines_per_pile):
    orders = Counter()
    for seed in range(600):
        write_training_file(path, corpus([(0, "a"), (1, "b"), (2, "c")]), seed, lines_per_pile)
        orders["".join(line[-1] for line in lines(path))] += 1
    assert len(orders) == 6
    assert all(60 <= count <= 140 for count in orders.values())  # 100 expected, 4 deviations


def test_the_same_seed_gives_the_same_order_in_any_blocks(path):
    ads = [(i % 3, f"ad {i}") for i in range(50)]
    write_training_file(path, corpus(ads, block=7), 5, lines_per_pile=10)
    first = lines(path)
    write_training_file(path, corpus(ads, block=50), 5, lines_per_pile=10)
    assert lines(path) == first
    write_training_file(path, corpus(ads, block=50), 6, lines_per_pile=10)
    assert lines(path) != first
