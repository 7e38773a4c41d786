import unicodedata

import fasttext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adcat.data.text_cleaning import Reading, clean


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
def test_the_thesis_reading_by_hand(title, description, cleaned):
    assert clean(title, description, "thesis") == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("soffa/säng soffa.Säljes", "soffa säng soffa säljes"),
        ("<li>soffa</li><li>dyna</li><br/>ben", "soffa dyna ben"),
        ("M&ouml;lndal&nbsp;Lund &amp;aring; &lt;p&gt;kudde", "mölndal lund å kudde"),
        ("R&D bord&notebook <3 a < b > c", "r d bord notebook 3 a b c"),
        ("3-sits, 1.500:- 2,5 m snake_case", "3 sits 1500 25 m snake case"),
        ("sof\u00adfa dy\u200bna \ufeffben", "soffa dyna ben"),
        ("ＡＢＣ１２！ﾊﾟ ﬁn m²", "abc12 パ fin m2"),
        ("İSTANBUL don´t ½ µ", "istanbul don´t ½ µ"),
        ("<br>&nbsp;…", ""),
    ],
)
def test_words_by_hand(text, cleaned):
    assert clean(text, "") == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("转角沙发，出售", "转 转角 角 角沙 沙 沙发 发 出 出售 售"),
        ("iPhone手机壳 2个", "iphone 手 手机 机 机壳 壳 2 个"),
        ("ソファー・時々 ﾊﾟﾝ", "ソ ソフ フ ファ ァ ァー ー 時 時々 々 パ パン ン"),
        ("โซฟา", "โ โซ ซ ซฟ ฟ ฟา า"),
        ("ເກົ້າ", "ເ ເກ ກ ກົ ົ ົ້ ້ ້າ າ"),
        ("𠮷野", "𠮷 𠮷野 野"),
        ("أريكة، مستعمل", "أريكة مستعمل"),
        ("소파 판매 диван कुर्सी σοφάς", "소파 판매 диван कुर्सी σοφάς"),
    ],
)
def test_scripts_without_blanks_are_cut_into_characters_and_pairs(text, cleaned):
    assert clean(text, "") == cleaned
    assert clean("", text, "thesis").count(" ") == text.count(" ")


@given(st.text("<a !&#;-/", max_size=30))
def test_broken_markup_is_text(text):
    assert clean(f"soffa {text}", "\n säng").split()[0] == "soffa"


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


@pytest.mark.parametrize(
    ("fields", "read"), [("both", "fin soffa i"), ("title", "fin soffa"), ("description", "i")]
)
def test_a_model_may_read_the_title_or_the_description_only(fields, read):
    assert Reading(fields=fields).text("Fin <b>Soffa", "(I)") == read
    assert Reading(fields=fields).in_words.startswith({"both": "title and"}.get(fields, fields))
