import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from adcat.text.corpus import Corpus, measure
from adcat.text.noise import noisy_copies, with_noise

ALPHABET = "abåä😀"
texts = st.lists(st.text(ALPHABET + " "), max_size=8)


def one_by_one(texts, probability, alphabet, random):
    """What noisy_copies does, a character at a time."""
    copies = []
    for text in texts:
        copy = ""
        for character in [*text, "\n"]:
            u = random.random()
            hit = u < probability and character not in " \n"
            copy += alphabet[int(u / probability * len(alphabet))] if hit else character
        copies.append(copy.removesuffix("\n"))
    return copies


@given(texts, st.floats(0.01, 1), st.integers(0, 9))
def test_it_equals_a_plain_loop(texts, probability, seed):
    random = [np.random.default_rng(seed) for _ in range(2)]
    expected = one_by_one(texts, probability, ALPHABET, random[0])
    assert noisy_copies(texts, probability, ALPHABET, random[1]) == expected


@given(texts, st.integers(0, 8))
def test_how_the_texts_are_cut_into_blocks_does_not_matter(texts, cut):
    whole, parts = np.random.default_rng(1), np.random.default_rng(1)
    blocks = [noisy_copies(block, 0.5, ALPHABET, parts) for block in (texts[:cut], texts[cut:])]
    assert noisy_copies(texts, 0.5, ALPHABET, whole) == blocks[0] + blocks[1]


@given(texts)
def test_blanks_and_lengths_stay(texts):
    copies = noisy_copies(texts, 1.0, "xy", np.random.default_rng(0))
    for text, copy in zip(texts, copies, strict=True):
        assert len(copy) == len(text)
        assert [i for i, c in enumerate(copy) if c == " "] == [
            i for i, c in enumerate(text) if c == " "
        ]
        assert set(copy) <= {"x", "y", " "}


def test_a_fifth_is_replaced_by_every_character_equally_often():
    text = "A" * 200_000  # not in the alphabet, so every replacement is seen
    (copy,) = noisy_copies([text], 0.2, string.ascii_lowercase, np.random.default_rng(0))
    counts = [copy.count(letter) for letter in string.ascii_lowercase]
    assert sum(counts) + copy.count("A") == len(text)
    assert sum(counts) / len(text) == pytest.approx(0.2, abs=0.004)
    assert chisquare(counts).pvalue > 0.001


def test_every_text_is_followed_by_its_copy():
    blocks = [["röd soffa", "blå"], ["bil"]]
    corpus = Corpus(lambda: iter(blocks), np.array([2, 0, 1]), 3)
    noisy = with_noise(corpus, 0.9, "x", seed=0)
    made = [text for block in noisy.texts() for text in block]
    assert made[::2] == ["röd soffa", "blå", "bil"]
    assert all(set(copy) & {"x"} for copy in made[1::2])
    assert noisy.labels.tolist() == [2, 2, 0, 0, 1, 1]
    assert made == [text for block in noisy.texts() for text in block]
    other = with_noise(corpus, 0.9, "x", seed=1)
    assert made != [text for block in other.texts() for text in block]


def test_a_corpus_is_measured_over_all_its_blocks():
    corpus = Corpus(lambda: iter([["röd soffa", ""], ["en bil är en bil"]]), np.zeros(3, int), 1)
    facts = measure(corpus)
    assert facts.words == 7
    assert facts.alphabet == "abdefilnorsäö"
