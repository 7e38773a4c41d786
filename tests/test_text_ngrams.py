from collections import Counter

import fasttext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.text.ngrams import ngram_buckets

BUCKET = 1009
LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Z"])
WORDS = st.lists(st.text(LETTERS | st.sampled_from("abå字😀<>"), min_size=1), max_size=5)


@pytest.fixture(scope="module", params=[(3, 6), (1, 2), (0, 1), (2, 2)], ids=str)
def model(request, tmp_path_factory):
    """fastText's own model with n-grams of these lengths."""
    path = tmp_path_factory.mktemp("ngrams") / "lines.txt"
    path.write_text("__label__0 a\n__label__1 b\n")
    minn, maxn = request.param
    return fasttext.train_supervised(
        str(path), minn=minn, maxn=maxn, bucket=BUCKET, dim=2, epoch=1, thread=1, verbose=0
    )


@given(words=WORDS)
def test_they_are_those_of_fasttext(model, words):
    args = model.f.getArgs()
    vocabulary = len(model.words)
    expected = Counter(
        (position, row - vocabulary)
        for position, word in enumerate(words)
        for row in model.get_subwords(word)[1]
        if row >= vocabulary
    )
    pairs = ngram_buckets(words, args.minn, args.maxn, BUCKET)
    assert Counter(zip(*map(list, pairs), strict=True)) == expected


def test_a_word_by_hand():
    positions, buckets = ngram_buckets(["åk", "a"], 3, 4, 1 << 31)
    spelled = ["<åk", "åk>", "<a>", "<åk>"]
    assert positions.tolist() == [0, 0, 1, 0]
    assert buckets.tolist() == [fnv(ngram) % (1 << 31) for ngram in spelled]


def fnv(text):
    """FNV-1a, 32 bits, a byte at a time, each extended with its sign."""
    value = 2166136261
    for byte in text.encode():
        signed = byte if byte < 128 else byte + 0xFFFFFF00
        value = (value ^ signed) * 16777619 % (1 << 32)
    return value


def test_no_lengths_give_none():
    assert [array.tolist() for array in ngram_buckets(["ab"], 3, 0, 0)] == [[], []]
    assert [array.tolist() for array in ngram_buckets([], 3, 6, 10)] == [[], []]
