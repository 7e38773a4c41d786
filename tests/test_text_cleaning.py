import unicodedata

import fasttext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.data.text_cleaning import clean


@pytest.mark.parametrize(
    ("title", "description", "cleaned"),
    [
        ("Soffa, 3-sits!", "Nyskick.", "soffa 3sits nyskick"),
        ("FÅTÖLJ – röd", "pris:\t100:-\r\nSmåland", "fåtölj röd pris 100 småland"),
        ("Велосипед «Аист»", "自転車、青。", "велосипед аист 自転車青"),
        ("no\u00a0break\u2028space", "nul\x00here", "no break space nul here"),
        ("__label__3 sofa", "snake_case", "label3 sofa snakecase"),
        ("  ", "?!", ""),
    ],
)
def test_by_hand(title, description, cleaned):
    assert clean(title, description) == cleaned


@given(st.text())
def test_letters_composed_in_two_ways_are_one(text):
    assert clean(unicodedata.normalize("NFD", text), "") == clean(text, "")


@given(st.text(), st.text())
def test_fasttext_reads_the_words_that_python_reads(title, description):
    cleaned = clean(title, description)
    assert fasttext.tokenize(cleaned) == cleaned.split() == cleaned.split(" ") * bool(cleaned)


@given(st.text(), st.text())
def test_no_punctuation_no_control_character_and_no_label_is_left(title, description):
    cleaned = clean(title, description)
    availabilities = {unicodedata.category(character) for character in cleaned}
    assert not {
        kind for kind in availabilities if kind[0] == "P" or kind in ("Cc", "Cs", "Zl", "Zp")
    }
    assert "__label__" not in cleaned


@given(st.text(st.characters(max_codepoint=255)))
def test_a_letter_beyond_latin_1_changes_nothing_else(text):
    assert clean(f"Ж {text}", "") == f"ж {clean(text, '')}".strip()
