"""The text that every text model reads (thesis, section 4.3.1).

Title and description appended, lower-cased, without punctuation, on one line. Works for any
script: what is removed is punctuation, not what is foreign, and what is written without blanks
between words is cut.
"""

import functools
import html
import itertools
import re
import string
import unicodedata
from typing import Literal, NamedTuple, TypeAlias, get_args

Cleaning: TypeAlias = Literal["words", "thesis"]
Fields: TypeAlias = Literal["both", "title", "description"]
# Saved with a model; the thesis' is what models say that were trained before there were two.
BOTH = "title and description"
PREPROCESSING: dict[Cleaning, str] = {
    "words": f"{BOTH} without markup, NFKC, lower case, punctuation as blanks, "
    "characters and pairs of them in scripts without blanks",
    "thesis": f"{BOTH}, NFC, lower case, no punctuation",
}
ENTITY = re.compile(r"&#?\w{1,32};")  # HTML also knows some without `;`: `&notebook` is not one
TAG = re.compile(r"</?[a-z][a-z0-9:-]*(?:\s[^<>]*)?/?>|<![^<>]*>", re.IGNORECASE)
UNSPACED = {  # scripts that put no blanks between words
    "Thai, Lao": "\u0e00-\u0eff",
    "Burmese": "\u1000-\u109f\ua9e0-\ua9fe\uaa60-\uaa7f",
    "Khmer": "\u1780-\u17ff",
    "Tai": "\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf",
    "Chinese": "\u3005-\u3007\u3100-\u312f\u31a0-\u31bf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff",
    "Japanese": "\u3040-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f",
    "Yi": "\ua000-\ua4cf",
}
UNSPACED_RUN = re.compile(f"[{''.join(UNSPACED.values())}]+")
IN_A_NUMBER = re.compile(r"(?<=[0-9])[.,'’](?=[0-9])")


class Reading(NamedTuple):
    """What a text model reads of an ad, and how it is cleaned."""

    cleaning: Cleaning = "words"
    fields: Fields = "both"

    def text(self, title: str, description: str) -> str:
        """The cleaned text of an ad; empty where nothing is left."""
        title = "" if self.fields == "description" else title
        description = "" if self.fields == "title" else description
        return clean(title, description, self.cleaning)

    @property
    def in_words(self) -> str:
        """What is saved with a model."""
        fields = BOTH if self.fields == "both" else self.fields
        return PREPROCESSING[self.cleaning].replace(BOTH, fields)


READINGS = [Reading(*both) for both in itertools.product(get_args(Cleaning), get_args(Fields))]


def clean(title: str, description: str, cleaning: Cleaning = "words") -> str:
    """The cleaned text of an ad; empty where nothing is left.

    Args:
      title: as it came.
      description: as it came.
      cleaning: `words` keeps words apart that markup or punctuation separates, and cuts what has
        no blanks into characters and pairs of characters; `thesis` removes punctuation, whatever
        it glues together.
    """
    text = f"{title} {description}"
    if cleaning == "words":
        text = _without_markup(text)
    text = unicodedata.normalize("NFC", text).lower()
    if cleaning == "words":
        text = IN_A_NUMBER.sub("", text.replace("i\u0307", "i"))  # what becomes of a Turkish İ
    try:  # most western texts are Latin-1, for which Python has a far faster way
        text = text.encode("latin-1").translate(*_latin_1_table(cleaning)).decode("latin-1")
    except UnicodeEncodeError:
        text = text.translate(_Table(cleaning))
        if cleaning == "words":  # half width marks stand beside their letters
            text = UNSPACED_RUN.sub(_ngrams, unicodedata.normalize("NFC", text))
    return " ".join(text.split())


def _ngrams(run: re.Match[str]) -> str:
    """The characters of a run, each followed by its pair with the next one, as words."""
    pairs = (f"{one} {one}{two}" for one, two in itertools.pairwise(run[0]))
    return f" {' '.join([*pairs, run[0][-1]])} "


def _without_markup(text: str) -> str:
    """Entities as their characters, those of escaped HTML too; tags as blanks."""
    for _ in range(2 if "&" in text else 0):
        text = ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return TAG.sub(" ", text) if "<" in text else text


@functools.cache
class _Table(dict[int, str | None]):
    """What becomes of a character: punctuation goes or becomes a space, and so on.

    Control characters and every kind of blank become spaces: fastText splits on ASCII blanks only,
    so a no-break space would glue two words together. The underscore is punctuation, hence no text
    can hold fastText's `__label__`.
    """

    def __init__(self, cleaning: Cleaning) -> None:
        self.for_words = cleaning == "words"
        self.mark = " " if self.for_words else None
        super().__init__(dict.fromkeys(map(ord, string.punctuation), self.mark))

    def __missing__(self, code: int) -> str | None:
        """A character that occurs for the first time."""
        self[code] = found = self._look_up(chr(code))
        return found

    def _look_up(self, character: str) -> str | None:
        category = unicodedata.category(character)
        if self.for_words and (form := _compatible_form(character)):
            return form.translate(self)
        if category[0] == "P":
            return self.mark
        if category[0] == "Z" or category in ("Cc", "Cs"):
            return " "
        if self.for_words and (category == "Cf" or "\ufe00" <= character <= "\ufe0f"):
            return None  # soft hyphens, zero-width characters, variation selectors
        return character


def _compatible_form(character: str) -> str | None:
    """The letters that a full width letter, a ligature or the like stands for, if it is one.

    Left alone are accents that stand by themselves, which NFKC would put on a blank, fractions,
    which it would take apart, and what would leave Latin-1.
    """
    kind = unicodedata.decomposition(character).partition(" ")[0]
    if kind[:1] != "<" or kind in ("<fraction>", "<noBreak>"):
        return None
    form = unicodedata.normalize("NFKC", character).lower()
    return form if form[0] != " " and (character > "\xff" or form < "\u0100") else None


@functools.cache
def _latin_1_table(cleaning: Cleaning) -> tuple[bytes, bytes]:
    """The same for `bytes.translate`: what every byte becomes, and which go."""
    table = _Table(cleaning)
    kept = bytes(ord(table[code] or chr(code)) for code in range(256))
    return kept, bytes(code for code in range(256) if table[code] is None)
